# SPDX-License-Identifier: Apache-2.0
"""What the paper published, as data: Tables III and IV, and its claims.

M. J. Askarizadeh et al., "Exploring DNN Robustness Against Adversarial Attacks Using Approximate
Multipliers", 2024, arXiv 2404.11665.

Table III is clean accuracy in percent of each network built from each multiplier. Table IV is the
time of one evaluation (one multiplier, attack, norm and budget) on a 4-core i7-1185G7, and of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MULTIPLIERS = ("ACC", "DR3", "DR4", "sT(3,0)", "sT(4,0)", "sT(4,4)", "sT(4,8)")
"""Labels of the multipliers, in the order of Table III."""

TITLES: Mapping[str, str] = MappingProxyType(
    {"lenet5": "LeNet-5", "resnet20": "ResNet-20", "resnet50": "ResNet-50", "vgg19": "VGG-19"}
)
"""The networks as papers write them; the first and the last two are this paper's."""


def _by_label(*percent: float) -> Mapping[str, float]:
    return MappingProxyType(dict(zip(MULTIPLIERS, percent, strict=True)))


CLEAN_ACCURACY: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "lenet5": _by_label(98.73, 98.12, 98.52, 98.60, 98.68, 98.62, 98.66),
        "resnet50": _by_label(93.54, 86.16, 91.94, 92.48, 93.38, 93.40, 93.42),
        "vgg19": _by_label(93.78, 91.18, 93.22, 93.16, 93.63, 93.66, 93.79),
    }
)
"""Table III: percent, by network and multiplier label."""

SECONDS_PER_EVALUATION: Mapping[str, float] = MappingProxyType(
    {"lenet5": 14.74, "resnet50": 87.6, "vgg19": 55.82}
)
"""Table IV: seconds of one evaluation, by network."""

HOURS: Mapping[str, float] = MappingProxyType({"lenet5": 17.2, "resnet50": 102.25, "vgg19": 65.12})
"""Table IV: hours of all evaluations, by network."""

EVALUATIONS = 7 * 3 * 2 * 100
"""Of one network: multipliers x attacks x norms x budgets."""

IMAGES: Mapping[str, int] = MappingProxyType({"lenet5": 64, "resnet50": 50, "vgg19": 50})
"""Images of one evaluation, by network."""

MACHINE = "4-core i7-1185G7"
"""What Table IV was measured on."""

LARGEST_CLEAN_LOSS = 7.0
"""Claim: approximate multipliers cost up to so many points of clean accuracy."""

LARGEST_ROBUST_GAIN = 10.0
"""Claim: they gain up to so many points of robust accuracy."""

WORST = "DR3"
"""Claim: the multiplier that loses most."""

NEAR = ("sT(3,0)", "sT(4,0)", "sT(4,4)", "sT(4,8)")
"""Claim: those that stay near the accurate model."""
