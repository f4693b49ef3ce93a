# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and the parsing of their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from axhil.study.errors import StudyError

if TYPE_CHECKING:
    from axhil.emulation.products.accumulator import Overflow
    from axhil.emulation.quantise.batchnorm import BatchNorm
    from axhil.emulation.quantise.calibrate import Calibration
    from axhil.emulation.quantise.quantize import Granularity
    from axhil.study.cosim import EngineName as CosimEngine
    from axhil.study.engine.run import EngineName
    from axhil.study.retraining import Scales
    from axhil.study.storage.cells import ThreatModel
else:  # words to typer, which a parser checks
    BatchNorm = Calibration = CosimEngine = EngineName = Granularity = str
    Overflow = Scales = ThreatModel = str


class Device(StrEnum):
    """Where networks run."""

    cpu = "cpu"
    cuda = "cuda"


def _one_of(module: str, name: str) -> Callable[[str], str]:
    """A parser of one of a package's choices.

    They are looked up when an option is used: packages load torch, and help should not. So it is
    the text of an option's help that lists them.

    Args:
        module: of axhil.
        name: in it, of a literal type, an enum or a tuple.
    """

    def choice(text: str) -> str:
        choices = getattr(import_module(f"axhil.{module}"), name)
        known = tuple(map(str, get_args(choices) or choices))
        if text not in known:
            raise typer.BadParameter(f"expected one of {', '.join(known)}, got {text!r}")
        return text

    return choice


def attack(text: str) -> str:
    """A parser of an attack, as `axhil.attacks` spells them."""
    from axhil.attacks import AttackError, canonical

    try:
        return canonical(text)
    except AttackError as error:
        raise typer.BadParameter(str(error)) from error


Network = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="lenet5, resnet20, resnet50, vgg19, torchvision:NAME or python:MODULE:FACTORY.",
    ),
]
Multipliers = Annotated[
    list[str] | None,
    typer.Option(
        "--multiplier",
        "-m",
        help="A name, Verilog, a table, a model, or by layer: exact, 'drum(4)', 'mul.v\\[K=3]', "
        "gates:mul.v, mul.npz, model.c, 'conv*=drum(4),fc*=exact'; repeatable.",
    ),
]
Gradient = Annotated[
    str,
    typer.Option(
        help="float32 or bfloat16: straight-through; slope:H: the table's own over H codes."
    ),
]
Data = Annotated[str | None, typer.Option(help="mnist5k, mnist, cifar10 or a folder.")]
DataDir = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where data sets are.", envvar="AXHIL_DATA"),
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch MNIST or CIFAR-10 into the data folder.")
]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Weights: .safetensors or a torch state dict."),
]
MOST = 1024
"""Of what runs at a time: threads, processes, instances."""
MOST_ROWS = 2**31 - 1
"""Of images, and whatever else is counted."""
MOST_SEED = 2**32 - 1

Threads = Annotated[
    int | None, typer.Option(min=1, max=MOST, help="CPU threads; default: all cores.")
]
DeviceOption = Annotated[Device, typer.Option(help="Where networks run.")]
WeightScales = Annotated[
    Granularity,
    typer.Option(
        "--weight-scales",
        parser=_one_of("emulation.quantise.quantize", "Granularity"),
        help="One scale of the weights per tensor, or per output channel.",
    ),
]
ActivationRange = Annotated[
    Calibration,
    typer.Option(
        "--activation-range",
        parser=_one_of("emulation.quantise.calibrate", "Calibration"),
        help="The range that calibration sets: max, percentile (the 99.99th) or mse.",
    ),
]
BatchNormOption = Annotated[
    BatchNorm,
    typer.Option(
        parser=_one_of("emulation.quantise.batchnorm", "BatchNorm"),
        help="keep: in float behind the layer; fold: into its weights.",
    ),
]
BiasCorrection = Annotated[
    bool,
    typer.Option(
        "--bias-correction", help="Take the mean error of the products off each layer's bias."
    ),
]
ScalesOption = Annotated[
    Scales,
    typer.Option(
        "--scales",
        parser=_one_of("study.retraining", "Scales"),
        help="Of activations: learned by their gradient, or calibrated anew after each epoch.",
    ),
]
Attacks = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        parser=attack,
        help="fgsm, bim, pgd, apgd, fab, square, autoattack, adaptive, or with arguments, "
        "'pgd(steps=100)'; repeatable.",
    ),
]
Norm = Annotated[str, typer.Option("--norm", parser=_one_of("attacks", "Norm"), help="linf or l2.")]
Norms = Annotated[
    list[str] | None,
    typer.Option("--norm", parser=_one_of("attacks", "Norm"), help="linf or l2; repeatable."),
]
ThreatModelOption = Annotated[
    ThreatModel,
    typer.Option(
        parser=_one_of("study.storage.cells", "THREAT_MODELS"),
        help="Who computes the gradient: whitebox, transfer:float or transfer:exact.",
    ),
]
OverflowOption = Annotated[
    Overflow | None,
    typer.Option(
        parser=_one_of("emulation.products.accumulator", "Overflow"),
        help="What a sum beyond --acc-bits does: wrap (the default) or saturate.",
    ),
]
CosimEngineOption = Annotated[
    CosimEngine,
    typer.Option(
        "--engine",
        parser=_one_of("study.cosim", "EngineName"),
        help="icarus: simulate; gates: compute from Yosys' gates, a thousand times as fast.",
    ),
]
EngineOption = Annotated[
    EngineName,
    typer.Option(
        parser=_one_of("study.engine.run", "EngineName"),
        help="local: this process; ray: a Ray cluster.",
    ),
]
AllowFloat = Annotated[
    bool, typer.Option("--allow-float", help="Leave in float what no table can reach.")
]


def parse_items(texts: Iterable[str]) -> list[str]:
    """The items of an option given several times, or once with commas."""
    return [item.strip() for text in texts for item in text.split(",") if item.strip()]


def parse_budgets(texts: Iterable[str]) -> tuple[float, ...]:
    """Parse ``0``, ``0.1,0.5`` into ascending budgets without repeats.

    Raises:
        StudyError: an item is no number, negative, infinite, or there is none.
    """
    budgets = set()
    for item in parse_items(texts):
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


Liberty = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Standard cells, .lib or .lib.gz.")
]
Avoided = Annotated[
    list[str] | None,
    typer.Option("--dont-use", metavar="PATTERN", help="Cells to leave out; repeatable."),
]
