# SPDX-License-Identifier: Apache-2.0
"""Computes cells one after the other: what a thread, or a machine of a cluster, does."""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable
from importlib.metadata import version

import torch
from torch import nn

from axhil.attacks import Attack, Borrowed, Evaluation, Suite, evaluate, parse_attack
from axhil.emulation.gradients.gradient import GradientRule
from axhil.hwsim import error_metrics
from axhil.hwsim.multipliers import Assignment
from axhil.zoo import Images

from ..storage.cells import WHITEBOX, Cell, CellSettings
from ..subject import Subject

SLOPE = GradientRule(window=16, terms=4)
"""Of the tables, for suites: over 16 codes to either side, the length of DRUM(3)'s longest step.
DRUM has one. All 44 of scaleTRIM take ten times longer, and the fifth is below 2 % of the first."""


def environment(device: str) -> dict[str, str | int]:
    """Versions, device and threads: written into every record."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine()
    return {
        "axhil": version("axhil"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": f"{device} ({name})",
        "threads": torch.get_num_threads(),
    }


class CellWorker:
    """One network under one set of images, with the table of the moment in it.

    Networks may not be shared between threads: each has a worker of its own.

    Args:
        subject: the network.
        images: what it is evaluated on.
        device: where it runs.
    """

    def __init__(self, subject: Subject, images: Images, device: str) -> None:
        self._subject, self._device = subject, device
        self._x, self._y = images.batch(device=device)
        self._indices = torch.from_numpy(images.indices)
        self._network: tuple[tuple[str, str], nn.Module] | None = None
        self._sources: dict[str, nn.Module] = {}

    def compute(
        self,
        multiplier: Assignment,
        settings: CellSettings,
        tick: Callable[[int, int], None] | None = None,
    ) -> Cell:
        """Attack the network built from a multiplier, as the settings say.

        Args:
            multiplier: or several, layer by layer.
            settings: of the cell; those of the network are not looked at.
            tick: called with (network rows done, rows in all).
        """
        which = (multiplier.digest, settings.gradient)
        if self._network is None or self._network[0] != which:
            self._network = None  # frees the one before
            self._network = (which, self._emulated(multiplier, settings.gradient))
        attack = parse_attack(settings.attack, settings.norm)
        evaluation = evaluate(
            self._network[1],
            self._x,
            self._y,
            attack,
            budgets=settings.budgets,
            gradient_model=(
                None if settings.threat_model == WHITEBOX else self._source(settings.threat_model)
            ),
            gradient_name=settings.threat_model.partition(":")[2],
            seed=settings.seed,
            batch_size=settings.batch,
            indices=self._indices,
            worst_iterate=settings.worst_iterate,
            sources=self._lenders(attack, multiplier, self._network[1]),
            progress=tick,
        )
        return _finished(settings, multiplier.label, evaluation, self._device)

    def _emulated(
        self, multiplier: Assignment | None, gradient: str | GradientRule = "float32"
    ) -> nn.Module:
        """The network built from a multiplier; None: in exact integer arithmetic."""
        return self._subject.prepared.emulate(
            None if multiplier is None else multiplier.mapping(),
            layers=self._subject.network.approximate,
            gradient=gradient,
            device=self._device,
        )

    def _lenders(
        self, attack: Attack, multiplier: Assignment, network: nn.Module
    ) -> dict[str, nn.Module]:
        """The networks whose gradients a suite takes beside the attacked one's own.

        Arithmetic without errors has no other slope, and is the exact network itself.
        """
        found: dict[str, nn.Module] = {}
        for name in attack.sources if isinstance(attack, Suite) else ():
            if name == "own":
                continue
            if name == "float":
                found[name] = Borrowed(network, self._source("transfer:float"))
            elif all(error_metrics(one.table()).ep == 0 for one in multiplier.multipliers):
                found[name] = network
            elif name == "slope":
                found[name] = self._emulated(multiplier, SLOPE)
            else:
                found[name] = Borrowed(network, self._source("transfer:exact"))
        return found

    def _source(self, threat_model: str) -> nn.Module:
        """The network that the gradients of a transfer come from."""
        if threat_model not in self._sources:
            self._sources[threat_model] = (
                copy.deepcopy(self._subject.float_model)
                if threat_model == "transfer:float"
                else self._emulated(None)
            )
        return self._sources[threat_model]


def _finished(settings: CellSettings, label: str, evaluation: Evaluation, device: str) -> Cell:
    count = len(settings.budgets)
    return Cell(
        settings=settings,
        label=label,
        correct=tuple(
            "".join("1" if flag else "0" for flag in row) for row in evaluation.correct.tolist()
        ),
        zero_gradient=float(evaluation.zero_gradient.float().mean()),
        warnings=tuple(str(warning) for warning in evaluation.warnings),
        seconds=(round(evaluation.seconds / count, 6),) * count,
        environment=environment(device),
        broken_by=evaluation.broken_by,
    )
