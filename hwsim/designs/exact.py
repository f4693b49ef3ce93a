# SPDX-License-Identifier: Apache-2.0
"""The exact product: p = a * b."""

from .family import SIGNS_REFUSED, Family

FAMILY = Family(
    name="exact",
    parameters=(),
    legal="no arguments",
    label="ACC",
    modules=("mul_exact",),
    instances=lambda _width: [()],
    formula=lambda a, b, _parameters: a * b,
    header={"WIDTH": 8, "SIGNED": 0},
    signed_top="mul_signed",
    refused=(*Family.refused, *SIGNS_REFUSED),
)
