# SPDX-License-Identifier: Apache-2.0
"""What things are called when shown to people."""

from __future__ import annotations

from axhil.study.paper import TITLES


def network_title(network: str) -> str:
    """A network, as the paper writes it where it has it."""
    return TITLES.get(network, network)


def plural(count: int, noun: str) -> str:
    """Count and noun: 1 image, 2 images."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}"


def duration(seconds: float) -> str:
    """Seconds as one reads them: 12 s, 3 min 5 s, 1 h 7 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"
