# SPDX-License-Identifier: Apache-2.0
"""The durable unit of an experiment: one multiplier under one attack and norm, all budgets.

A cell's settings are all that its result depends on; their hash is its file name. So a rerun
finds what is finished, a changed setting is a new cell, and a kill loses the cell in flight.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwsim.lut import write_atomically

from .errors import StudyError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class CellSettings:
    """All that a cell's flags depend on.

    Attributes:
        network: name of the catalogue.
        weights_sha256: of the float weights.
        calibration: images that set the activation ranges.
        quantisation: see `emulation.Settings`.
        layers: which layers the multiplier replaces.
        data: data set and split.
        data_sha256: over the pixels and labels used.
        images: how many of them.
        multiplier: its name.
        lut_sha256: of its table.
        attack: preset name.
        norm: ``linf`` or ``l2``.
        steps: gradients per image and budget.
        rel_step: length of a step as a part of eps.
        random_start: whether the attack starts at a random point of the ball.
        budgets: eps values.
        threat_model: who computes the gradient.
        gradient: precision of straight-through gradients.
        seed: of random starts.
        batch: rows per pass; float32 gradients may round differently for another.
    """

    network: str
    weights_sha256: str
    calibration: str
    quantisation: Mapping[str, str]
    layers: str
    data: str
    data_sha256: str
    images: int
    multiplier: str
    lut_sha256: str
    attack: str
    norm: str
    steps: int
    rel_step: float
    random_start: bool
    budgets: tuple[float, ...]
    threat_model: str
    gradient: str
    seed: int
    batch: int

    @property
    def key(self) -> str:
        """SHA-256 of the settings, shortened to 20 hexadecimal digits."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Cell:
    """A finished cell.

    Attributes:
        settings: what was run.
        label: the multiplier's short name.
        correct: one string of 0 and 1 per budget, a digit per image.
        zero_gradient: share of images without a usable gradient, 0 to 1.
        warnings: reasons to doubt the numbers.
        seconds: wall time of the whole cell.
        environment: versions, device, threads: what the result should not depend on.
    """

    settings: CellSettings
    label: str
    correct: tuple[str, ...]
    zero_gradient: float
    warnings: tuple[str, ...]
    seconds: float
    environment: Mapping[str, Any]

    def to_json(self) -> str:
        """The cell as one JSON document."""
        body = {"format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(body, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str) -> Cell:
        """Read a cell back.

        Raises:
            StudyError: damaged, or of a newer format.
        """
        try:
            body = json.loads(text)
            version = body.pop("format_version")
            if version > FORMAT_VERSION:
                raise StudyError(
                    f"{source} has format version {version}, this axhil reads {FORMAT_VERSION}: "
                    f"upgrade axhil, or choose another --out"
                )
            settings = dict(body.pop("settings"))
            settings["budgets"] = tuple(settings["budgets"])
            shape = {len(row) for row in body["correct"]}
            if len(body["correct"]) != len(settings["budgets"]) or shape != {settings["images"]}:
                raise ValueError("its flags are not one for each image and budget")
            return cls(
                settings=CellSettings(**settings),
                label=body["label"],
                correct=tuple(body["correct"]),
                zero_gradient=body["zero_gradient"],
                warnings=tuple(body["warnings"]),
                seconds=body["seconds"],
                environment=body["environment"],
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, StudyError):
                raise
            raise StudyError(
                f"{source} is no finished cell of axhil ({error}); remove it to compute it again"
            ) from error


class CellStore:
    """A folder of finished cells, one JSON file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, settings: CellSettings) -> Path:
        return self._folder / f"{settings.key}.json"

    def get(self, settings: CellSettings) -> Cell | None:
        """Return the finished cell with these settings, if there is one.

        Raises:
            StudyError: there is a file, and it is damaged.
        """
        path = self._path(settings)
        if not path.is_file():
            return None
        return Cell.from_json(path.read_bytes(), source=str(path))

    def put(self, cell: Cell) -> None:
        """Make a finished cell durable."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path(cell.settings), cell.to_json().encode())
