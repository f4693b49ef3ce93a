# SPDX-License-Identifier: Apache-2.0
"""DRUM(6) for 16-bit operands, one product at a time."""


def segment(x: int) -> int:
    """The six bits from the leading one down, the lowest of them set."""
    cut = max(x.bit_length() - 6, 0)
    return (x >> cut | (cut > 0)) << cut


def scalar(a: int, b: int) -> int:
    """Their product."""
    return segment(a) * segment(b)
