# SPDX-License-Identifier: Apache-2.0
"""How accuracy is distributed over the faults of a multiplier."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from axhil.study.faults import FaultyNetwork

from .curves import looks

_BINS = 50


def faults_figure(network: FaultyNetwork) -> Figure:
    """Draw a histogram of accuracy over the faults, and accuracy over the error of each table.

    Args:
        network: under all faults; with an attack, robust accuracy is drawn too.
    """
    outcomes, campaign = network.outcomes, network.campaign
    weights = [len(one.effect.faults) for one in outcomes]
    errors = [100 * one.effect.metrics.mre for one in outcomes]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    bars, dots = figure.subplots(1, 2, sharey=True)
    for budget, eps in enumerate(network.budgets):
        colour = looks(2 * budget + 1).colour
        label = f"robust, eps {eps:g}" if eps else "no attack"
        values = [100 * one.accuracies[budget].value for one in outcomes]
        reference = 100 * network.fault_free[budget].value
        bins = np.linspace(0, 100, _BINS + 1)
        bars.hist(
            values, bins, weights=weights, orientation="horizontal", color=colour, alpha=0.6,
            label=label,
        )  # fmt: skip
        dots.scatter(errors, values, s=12, color=colour, alpha=0.6, linewidths=0, label=label)
        for axes in (bars, dots):
            axes.axhline(reference, color=colour, linestyle="--", linewidth=0.8)
    bars.set_xscale("log")
    bars.set_xlabel(f"faults, of {len(campaign.faults):,}", fontsize=9)
    bars.set_ylabel("accuracy % (dashed: without a fault)", fontsize=9)
    dots.set_xscale("symlog", linthresh=1)
    dots.set_xlim(left=0)
    dots.set_xlabel("mean relative error of the table, %", fontsize=9)
    if len(network.budgets) > 1:
        bars.legend(fontsize=8)
    settings = network.reference.settings
    figure.suptitle(
        f"{campaign.cut.multiplier.name} with one stuck-at fault, {settings.network} on "
        f"{settings.images:,} images",
        fontsize=10,
    )
    return figure
