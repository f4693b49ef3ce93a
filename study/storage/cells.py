# SPDX-License-Identifier: Apache-2.0
"""The unit of an experiment: one multiplier under one attack and norm, at a list of budgets.

A cell's settings are all that its result depends on; their hash is its name in the store. The
budgets are not part of that name: each is a result of its own, and more of them join the others.

A new setting is one more field with a default. At its default it is neither hashed nor written, so
that what was finished before keeps its name and is not computed again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from itertools import accumulate, repeat
from typing import Any, Literal, TypeVar, get_args, get_type_hints

import torch
from pydantic import TypeAdapter, ValidationError

from axhil.attacks import Norm
from axhil.attacks.checks import rising_accuracy
from axhil.attacks.suites import foreign

from ..errors import StudyError

ThreatModel = Literal["whitebox", "transfer:float", "transfer:exact"]
"""Who computes the gradient."""
THREAT_MODELS: tuple[ThreatModel, ...] = get_args(ThreatModel)
WHITEBOX: ThreatModel = "whitebox"

FORMAT_VERSION = 3
"""Of records. 1 was a folder of JSON files; 2 had an attack's numbers beside its name."""

# The attacks of format 2, as it spelled them out: their cells are still named by all of it.
_FORMAT_2_ATTACKS: Mapping[str, Mapping[str, Any]] = {
    "fgsm": {"steps": 1, "rel_step": 1.0, "random_start": False},
    "bim": {"steps": 50, "rel_step": 0.2, "random_start": False},
    "pgd": {"steps": 50, "rel_step": 0.01 / 0.3, "random_start": True},
}


_Kind = TypeVar("_Kind")


class NewerError(StudyError):
    """Not damaged: of a format or with a setting that this version cannot know."""

    code = "newer"


@dataclass(frozen=True)
class CellSettings:
    """All that a cell's flags depend on.

    Attributes:
        network: name of the catalogue.
        weights_sha256: of the float weights.
        calibration: images that set the activation ranges.
        quantisation: see `emulation.Settings`; of those added since, the ones not at their default.
        layers: which layers the multiplier replaces.
        data: data set and split.
        data_sha256: over the pixels, labels and indices of the images used.
        images: how many of them.
        multiplier: its name, or the spelling of an assignment of several.
        lut_sha256: of its table, or over an assignment.
        attack: its canonical spelling, see `attacks.registry`.
        norm: see `attacks.Norm`.
        budgets: eps values.
        threat_model: who computes the gradient.
        worst_iterate: whether any iterate that is misclassified breaks an image, or the last alone.
        gradient: how the attacked network is differentiated, see `emulation.gradients`.
        seed: of random starts.
        batch: rows per pass through the network.
        float_share: part of the network's multiply-accumulates that no multiplier computes but
            float, 0 to 1.
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
    budgets: tuple[float, ...]
    threat_model: str
    worst_iterate: bool
    gradient: str
    seed: int
    batch: int
    float_share: float = 0.0

    def written(self) -> dict[str, Any]:
        """The settings by name as records have them: without those at their default."""
        values = ((one, getattr(self, one.name)) for one in fields(self))
        return {
            one.name: dict(value) if isinstance(value, Mapping) else value
            for one, value in values
            if one.default is MISSING or value != one.default
        }

    @property
    def key(self) -> str:
        """SHA-256 of the settings without the budgets, shortened to 20 hexadecimal digits."""
        body = {**self.written(), **_FORMAT_2_ATTACKS.get(self.attack, {})}
        del body["budgets"]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:20]


def check_version(version: int) -> None:
    """Refuse a format that this axhil has no reader for.

    Raises:
        NewerError: a later one.
        ValueError: an earlier one, or none at all.
    """
    if version > FORMAT_VERSION:
        raise NewerError(
            f"has format version {version}, this axhil reads {min(_READERS)} to {FORMAT_VERSION}: "
            "upgrade axhil, or choose another --out"
        )
    if version not in _READERS:
        raise ValueError(f"format version {version}, expected {min(_READERS)} or later")


def read_settings(body: Mapping[str, Any], *, version: int) -> CellSettings:
    """Read settings back, as a format wrote them.

    Args:
        body: the settings by name; budgets in any sequence.
        version: of the format.

    Raises:
        NewerError: a format or a setting of a later axhil.
        KeyError, TypeError, ValueError: no settings of that format.
    """
    check_version(version)
    settings = _READERS[version](body)
    unknown = settings.keys() - {one.name for one in fields(CellSettings)}
    if unknown:
        raise NewerError(
            f"has the setting {', '.join(sorted(unknown))}, which this axhil does not know: "
            "upgrade axhil to the one that wrote it, or choose another --out"
        )
    found = typed(CellSettings, {**settings, "budgets": tuple(settings["budgets"])})
    Norm(found.norm)
    if found.images < 1 or not all(math.isfinite(eps) and eps >= 0 for eps in found.budgets):
        raise ValueError("expected at least one image, and budgets of 0 or more")
    return found


def typed(kind: Callable[..., _Kind], body: Mapping[str, Any]) -> _Kind:
    """A dataclass from what a file says, each value of its field's type.

    Raises:
        TypeError: a field is missing or unknown.
        ValueError: a value is of another type; it names the field.
    """
    for name, check in _checks(kind).items():
        try:
            if name in body:
                check.validate_python(body[name], strict=True)
        except ValidationError as error:
            raise ValueError(f"{name}: {error.errors(include_url=False)[0]['msg']}") from error
    return kind(**body)


@cache
def _checks(kind: Callable[..., Any]) -> Mapping[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(hint) for name, hint in get_type_hints(kind).items()}


def _read_2(body: Mapping[str, Any]) -> dict[str, Any]:
    """Format 2: the numbers of an attack beside its name, which say nothing that it does not."""
    settings = dict(body)
    expected = _FORMAT_2_ATTACKS[settings["attack"]]
    numbers = {name: settings.pop(name) for name in expected}
    if numbers != expected:
        raise ValueError(f"attack {settings['attack']}: expected {expected}, got {numbers}")
    return settings


_READERS: Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {2: _read_2, 3: dict}


@dataclass(frozen=True)
class Cell:
    """A finished cell.

    Attributes:
        settings: what was run.
        label: the multiplier's short name.
        correct: one string of 0 and 1 per budget, a digit per image.
        zero_gradient: share of images without a usable gradient, 0 to 1.
        warnings: reasons to doubt the numbers.
        seconds: wall time of each budget: an equal part of what was computed together.
        environment: versions, device, threads: what the result should not depend on.
        cost: figures of the multiplier's hardware by name, where a study has them; see
            `hwsim.cost.record`. No result depends on them, and the store does not keep them.
        broken_by: of a suite of attacks, for each budget and image the member that broke it, see
            `attacks.Evaluation`; empty for others. Records from before members along the own
            gradient were tried at larger budgets on what they had missed name who broke an image
            at its smallest one throughout, so they count too many as missed.
    """

    settings: CellSettings
    label: str
    correct: tuple[str, ...]
    zero_gradient: float
    warnings: tuple[str, ...]
    seconds: tuple[float, ...]
    environment: Mapping[str, Any]
    cost: Mapping[str, float] = field(default_factory=dict)
    broken_by: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        budgets = self.settings.budgets
        lengths = {len(row) for row in (*self.correct, *self.broken_by)}
        if (
            not len(self.correct) == len(self.seconds) == len(budgets)
            or len(self.broken_by) not in (0, len(budgets))
            or lengths != {self.settings.images}
        ):
            raise StudyError(
                f"expected flags of {len(budgets)} budgets and {self.settings.images} images"
            )

    def at(self, budgets: Sequence[float]) -> Cell:
        """The same cell at some of its budgets, in the order given."""
        where = [self.settings.budgets.index(eps) for eps in budgets]
        return replace(
            self,
            settings=replace(self.settings, budgets=tuple(budgets)),
            correct=tuple(self.correct[row] for row in where),
            seconds=tuple(self.seconds[row] for row in where),
            broken_by=tuple(self.broken_by[row] for row in where) if self.broken_by else (),
        )


def joined(parts: Sequence[Cell]) -> Cell:
    """One cell from cells with equal settings but for their budgets, ascending.

    Of a budget that several have, the first counts. Warnings about the curve are made anew. What a
    suite broke at one part's budget is broken at the other parts' larger ones, as if all had been
    computed together.
    """
    flags: dict[float, tuple[str, float, tuple[str, ...]]] = {}
    for part in parts:
        found = zip(part.correct, part.seconds, part.broken_by or repeat(()), strict=False)
        for eps, result in zip(part.settings.budgets, found, strict=True):
            flags.setdefault(eps, result)
    budgets = tuple(sorted(flags))
    rows = tuple(flags[eps][0] for eps in budgets)
    broken_by = tuple(flags[eps][2] for eps in budgets)
    if parts[0].broken_by:
        broken_by = tuple(accumulate(broken_by, _carried))
        rows = tuple("".join("10"[who != ""] for who in row) for row in broken_by)
    warnings = dict.fromkeys(w for part in parts for w in part.warnings)
    if len(parts) > 1:
        correct = torch.tensor([[digit == "1" for digit in row] for row in rows])
        whole = rising_accuracy(budgets, correct)
        warnings = dict.fromkeys(w for w in warnings if not w.startswith("rising-accuracy"))
        warnings |= {str(whole): None} if whole else {}
    return replace(
        parts[0],
        settings=replace(parts[0].settings, budgets=budgets),
        correct=rows,
        zero_gradient=max(part.zero_gradient for part in parts),
        warnings=tuple(warnings),
        seconds=tuple(flags[eps][1] for eps in budgets),
        broken_by=broken_by if parts[0].broken_by else (),
    )


def _carried(smaller: tuple[str, ...], larger: tuple[str, ...]) -> tuple[str, ...]:
    """Who broke each image, at a budget after a smaller one: see `attacks.Evaluation`."""
    return tuple(
        now if now and foreign(before) and not foreign(now) else before or now
        for before, now in zip(smaller, larger, strict=True)
    )
