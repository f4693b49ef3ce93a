# SPDX-License-Identifier: Apache-2.0
"""Cells made by hand, shared by the tests of the study package."""

from dataclasses import replace

from axhil.study.storage.cells import Cell, CellSettings

SETTINGS = CellSettings(
    network="lenet5",
    weights_sha256="w" * 64,
    calibration="mnist5k[500]",
    quantisation={"weights": "tensor", "activations": "max", "batch_norm": "keep"},
    layers="all",
    data="mnist5k",
    data_sha256="d" * 64,
    images=4,
    multiplier="exact",
    lut_sha256="e" * 64,
    attack="fgsm",
    norm="linf",
    budgets=(0.0, 0.5),
    threat_model="whitebox",
    worst_iterate=False,
    gradient="float32",
    seed=0,
    batch=512,
)


def cell(
    *correct: str,
    label: str = "ACC",
    warnings: tuple[str, ...] = (),
    seconds: float | tuple[float, ...] = 3.0,
    **changes: object,
) -> Cell:
    """A finished cell: one string of digits per budget, any setting changed by name.

    Seconds are of all budgets together, or one for each.
    """
    flags = correct or ("0111", "0010")
    if not isinstance(seconds, tuple):
        seconds = (seconds / len(flags),) * len(flags)
    settings = {"images": len(flags[0]), **changes}
    return Cell(
        settings=replace(SETTINGS, **settings),
        label=label,
        correct=flags,
        zero_gradient=0.25,
        warnings=warnings,
        seconds=seconds,
        environment={"axhil": "0.1.0", "torch": "2", "device": "cpu (x)", "threads": 1},
    )
