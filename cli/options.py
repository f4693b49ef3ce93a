# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and the parsing of their values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated

import typer

from axhil.study.errors import StudyError


class Device(StrEnum):
    """Where networks run."""

    cpu = "cpu"
    cuda = "cuda"


class Granularity(StrEnum):
    """How many weight scales a layer has."""

    tensor = "tensor"
    channel = "channel"


class Activations(StrEnum):
    """How the range of activations follows from the calibration images."""

    max = "max"
    percentile = "percentile"
    mse = "mse"


class BatchNormChoice(StrEnum):
    """Where batch norm is computed."""

    keep = "keep"
    fold = "fold"


class AttackName(StrEnum):
    """Attack presets."""

    fgsm = "fgsm"
    bim = "bim"
    pgd = "pgd"


class NormName(StrEnum):
    """Norms of the budget."""

    linf = "linf"
    l2 = "l2"


class ThreatModel(StrEnum):
    """Which network computes the gradient."""

    whitebox = "whitebox"
    transfer_float = "transfer:float"
    transfer_exact = "transfer:exact"


Multipliers = Annotated[
    list[str] | None,
    typer.Option(
        "--multiplier",
        "-m",
        help="A name, Verilog, a table, a model, or by layer: exact, 'drum(4)', 'mul.v[K=3]', "
        "mul.npz, model.c, 'conv*=drum(4),fc*=exact'; repeatable; default: the paper's seven.",
    ),
]
Multiplier = Annotated[
    str,
    typer.Option(
        "--multiplier",
        "-m",
        help="A name, Verilog, a table, a model, or layer by layer: 'conv*=drum(4),fc*=exact'.",
    ),
]
Luts = Annotated[
    Path | None,
    typer.Option(help="Folder of tables written by `axhil lut`; default: the golden tables."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Data folder.", envvar="AXHIL_DATA"),
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch MNIST or CIFAR-10 into the data folder.")
]
Weights = Annotated[Path | None, typer.Option(help="Weights (.safetensors or a torch state dict).")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; default: all cores.")]
DeviceOption = Annotated[Device, typer.Option(help="Where networks run.")]
WeightScales = Annotated[
    Granularity, typer.Option("--weight-scales", help="One scale per layer, or per channel.")
]
ActivationRange = Annotated[
    Activations, typer.Option("--activation-range", help="How calibration sets the range.")
]
BatchNormOption = Annotated[
    BatchNormChoice, typer.Option(help="In float behind the layer, or folded into its weights.")
]
AllowFloat = Annotated[
    bool, typer.Option("--allow-float", help="Leave in float what no table can reach.")
]
Out = Annotated[Path, typer.Option(help="Folder for results.")]


def parse_budgets(text: str) -> tuple[float, ...]:
    """Parse ``0,0.1,0.5`` into ascending budgets without repeats.

    Raises:
        StudyError: an item is no number, negative, infinite, or there is none.
    """
    budgets = set()
    for item in filter(None, (part.strip() for part in text.split(","))):
        try:
            eps = float(item)
        except ValueError as error:
            raise StudyError(f"--eps: expected numbers like 0,0.1,0.5, got {item!r}") from error
        if not (math.isfinite(eps) and eps >= 0):
            raise StudyError(f"--eps: expected budgets of 0 or more, got {item}")
        budgets.add(eps + 0.0)  # -0.0 becomes 0.0
    if not budgets:
        raise StudyError("--eps: expected at least one budget, e.g. --eps 0,0.1,0.5")
    return tuple(sorted(budgets))


def check_device(device: Device) -> str:
    """Return the device's name for torch.

    Raises:
        StudyError: CUDA was asked for and there is none.
    """
    import torch

    if device is Device.cuda and not torch.cuda.is_available():
        raise StudyError("--device cuda: this machine has no usable CUDA device")
    return device.value


def names(values: Sequence[Enum] | None, everything: type[Enum]) -> tuple[str, ...]:
    """Values of a repeatable choice; all of them when none was given."""
    return tuple(str(value.value) for value in (values or list(everything)))
