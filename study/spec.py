# SPDX-License-Identifier: Apache-2.0
"""A study file: what to run, in TOML, checked before anything runs."""

from __future__ import annotations

import difflib
import math
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from axhil.attacks import Norm, canonical
from axhil.emulation import Settings
from axhil.emulation.gradients.gradient import parse_gradient
from axhil.emulation.quantise.batchnorm import BatchNorm
from axhil.emulation.quantise.calibrate import Calibration
from axhil.emulation.quantise.quantize import Granularity
from axhil.hwsim.files import MissingFileError, read_toml
from axhil.hwsim.multipliers.assignment import located_words, split_words

from .engine.experiment import DEFAULT_BUDGETS, Grid
from .errors import StudyError
from .storage.cells import WHITEBOX, ThreatModel


def evenly(first: float, last: float, count: int) -> tuple[float, ...]:
    """Budgets evenly spaced, both ends included, rounded to six decimals."""
    return tuple(float(eps) for eps in np.round(np.linspace(first, last, count), 6))


PAPER_IMAGES = {"lenet5": 64, "resnet50": 50, "vgg19": 50}
"""Images of the paper's evaluations."""
PAPER_BUDGETS = evenly(0.0, 2.0, 100)
"""Of both norms: 100 between 0 and 2."""

NORMS = tuple(map(str, Norm))
"""The norms, as study files name them."""
NormName = Literal[NORMS]  # type: ignore[valid-type]  # derived from the enum that has them

Name = Annotated[str, Field(min_length=1)]
AttackName = Annotated[str, AfterValidator(canonical)]
Count = Annotated[int, Field(ge=1, lt=2**31)]


class _Strict(BaseModel):
    """Knows its keys and no others, and takes no number for a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Range(_Strict):
    """Budgets evenly spaced, both ends included.

    Attributes:
        first: the smallest.
        last: the largest.
        count: how many.
    """

    first: float = Field(ge=0, allow_inf_nan=False)
    last: float = Field(ge=0, allow_inf_nan=False)
    count: int = Field(ge=2, le=10_000)

    def values(self) -> tuple[float, ...]:
        """The budgets, rounded to six decimals."""
        return tuple(
            float(eps) for eps in np.round(np.linspace(self.first, self.last, self.count), 6)
        )


def _budgets(value: Any) -> Any:
    """A table of first, last and count becomes the list that it stands for."""
    if isinstance(value, dict):
        return Range(**value).values()
    return tuple(value) if isinstance(value, list) else value


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Eps = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Budgets = Annotated[tuple[Eps, ...], BeforeValidator(_budgets), Field(min_length=1)]


def _several(item: Any) -> Any:
    """A list of at least one item, each once."""
    return Annotated[tuple[item, ...], BeforeValidator(_sequence), Field(min_length=1)]


class Quantisation(_Strict):
    """See `emulation.Settings`."""

    weights: Granularity = Settings.weights
    activations: Calibration = Settings.activations
    batch_norm: BatchNorm = Settings.batch_norm
    bias_correction: bool = Settings.bias_correction


class Cost(_Strict):
    """What the multipliers cost, to stand beside how accurate they are.

    Attributes:
        liberty: file of standard cells, relative to the study file; empty: transistors and depth.
        dont_use: patterns of cells to leave out.
        operands: of energy: every pair as often as any other, or those of the networks too.
    """

    liberty: str = ""
    dont_use: Annotated[tuple[str, ...], BeforeValidator(_sequence)] = ()
    operands: Literal["uniform", "network"] = "uniform"

    @model_validator(mode="after")
    def _energy_has_cells(self) -> Self:
        if not self.liberty and (self.dont_use or self.operands == "network"):
            given = "dont_use" if self.dont_use else "operands"
            raise ValueError(f"expected the key liberty beside {given}: it is about its cells")
        return self


Measure = Literal["clean", "robust", "energy", "area"]
"""Of an assignment: accuracy on clean and on attacked images, energy of the products of an image on
the network's own operands, area of the distinct multipliers."""
MEASURES: tuple[Measure, ...] = get_args(Measure)
ACCURACIES: tuple[Measure, ...] = ("clean", "robust")


class Search(_Strict):
    """Which multiplier is to be found for every layer; see `axhil.search`.

    Attributes:
        objectives: two or three, each as good as can be.
        attack: of robust accuracy.
        norm: of its budget.
        eps: its budget; None where nothing is attacked.
        limits: points of clean or robust accuracy that may be lost against the exact network, and
            percent of its energy or area that may be taken.
        images: to search on; the study's images, which the search never sees, come before them.
        rounds: of proposals, each made with what the ones before have shown.
        proposals: assignments tried in a round.
        finalists: most of the assignments found that are evaluated on the study's images.
    """

    objectives: _several(Measure) = ("clean", "energy")  # type: ignore[valid-type]
    attack: AttackName = "pgd"
    norm: NormName = "linf"
    eps: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    limits: dict[Measure, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    images: Count = 500
    rounds: int = Field(default=6, ge=0, le=1000)
    proposals: int = Field(default=12, ge=1, le=10_000)
    finalists: int = Field(default=12, ge=1, le=10_000)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What has to be known of an assignment; clean accuracy always is."""
        return tuple(
            one for one in MEASURES if one == "clean" or one in (*self.objectives, *self.limits)
        )

    @property
    def priced(self) -> bool:
        """Whether gates have to be made."""
        return not set(self.measures) <= set(ACCURACIES)

    @model_validator(mode="after")
    def _two_or_three(self) -> Self:
        objectives = self.objectives
        if not 2 <= len(set(objectives)) == len(objectives) <= 3:
            raise ValueError(
                f"expected two or three different objectives of {', '.join(MEASURES)}, got "
                f"{', '.join(objectives)}"
            )
        if ("robust" in self.measures) != (self.eps is not None):
            raise ValueError(
                "expected the key eps, the budget of the attack, beside the objective robust"
                if self.eps is None
                else "expected the objective robust, or a limit of it, beside the key eps"
            )
        return self


class StudySpec(_Strict):
    """A study: every network under every threat model, with one grid.

    Attributes:
        name: names the folder of results.
        title: above tables and figures; empty: made from the rest.
        networks: of the catalogue, `torchvision:<name>` or `python:<module>:<factory>`.
        weights: files by network, relative to the study file; others are looked for as always.
        data: data set of all networks; None: each network's own.
        images: how many, class by class.
        multipliers: what `hwsim.multipliers.find` reads, or by layer, `conv*=drum(4),fc=exact`;
            files are relative to the study file.
        attacks: by name, such as `pgd`, or with arguments, `pgd(steps=100)`.
        norms: of the budgets.
        budgets: eps of each norm, as a list or as first, last and count.
        threat_models: who computes the gradient.
        worst_iterate: whether any misclassified iterate breaks an image, or the last alone.
        gradient: how the attacked network is differentiated: straight-through in float32 or
            bfloat16, or by its table's own slope over H codes, `slope:H`.
        seed: of random starts.
        batch: rows per pass through a network.
        quantisation: of every network.
        allow_float: whether what no table can reach may stay in float.
        cost: what to know of the multipliers' hardware; None: nothing.
        search: for which multiplier in which layer; None: for none.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    networks: _several(Name)  # type: ignore[valid-type]  # a type made by a function
    weights: dict[str, Name] = {}
    data: Name | None = None
    images: Count = 200
    multipliers: _several(Name) = (  # type: ignore[valid-type]  # likewise
        "exact", "drum(3)", "drum(4)",
        "scaletrim(3,0)", "scaletrim(4,0)", "scaletrim(4,4)", "scaletrim(4,8)",
    )  # fmt: skip
    attacks: _several(AttackName) = Grid.attacks  # type: ignore[valid-type]
    norms: _several(NormName) = NORMS  # type: ignore[valid-type]
    budgets: dict[NormName, Budgets] = {}
    threat_models: _several(ThreatModel) = (WHITEBOX,)  # type: ignore[valid-type]
    worst_iterate: bool = False
    gradient: str = "float32"
    seed: int = Field(default=0, ge=0, lt=2**63)
    batch: Count = 512
    quantisation: Quantisation = Quantisation()
    allow_float: bool = False
    cost: Cost | None = None
    search: Search | None = None

    @field_validator("networks", "multipliers", "attacks", "norms", "threat_models")
    @classmethod
    def _each_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        twice = [one for one in values if values.count(one) > 1]
        if twice:
            raise ValueError(f"expected each once, got {twice[0]} twice")
        return values

    @field_validator("gradient")
    @classmethod
    def _a_known_gradient(cls, text: str) -> str:
        parse_gradient(text)
        return text

    @model_validator(mode="after")
    def _of_every_threat_model_a_grid(self) -> Self:
        for threat_model in self.threat_models:
            self.grid(threat_model)  # refuses what does not go together
        return self

    @model_validator(mode="after")
    def _search_of_one_network(self) -> Self:
        if self.search is None:
            return self
        if len(self.networks) > 1 or len(self.threat_models) > 1:
            raise ValueError("search: expected one network and one threat model beside it")
        return self

    @model_validator(mode="after")
    def _weights_of_its_networks(self) -> Self:
        for network in self.weights:
            if network not in self.networks:
                raise ValueError(f"weights of {network}: expected of {', '.join(self.networks)}")
        return self

    @property
    def settings(self) -> Settings:
        """The quantisation, as `emulation.prepare` takes it."""
        return Settings(**self.quantisation.model_dump())

    def grid(self, threat_model: str) -> Grid:
        """The grid under one threat model; budgets ascend, each once."""
        given = {str(norm): budgets for norm, budgets in self.budgets.items()}
        return Grid(
            attacks=self.attacks,
            norms=self.norms,
            budgets={
                norm: tuple(sorted({eps + 0.0 for eps in (given.get(norm) or default)}))
                for norm, default in DEFAULT_BUDGETS.items()
            },
            threat_model=threat_model,
            worst_iterate=self.worst_iterate,
            gradient=self.gradient,
            seed=self.seed,
            batch=self.batch,
        )

    @property
    def evaluations(self) -> int:
        """Points of all curves: multipliers x attacks x budgets, over norms, networks, models."""
        grid = self.grid(self.threat_models[0])
        budgets = sum(len(grid.budgets[norm]) for norm in self.norms)
        curves = len(self.multipliers) * len(self.attacks)
        return curves * budgets * len(self.networks) * len(self.threat_models)


def studies_dir() -> Path:
    """Where our own study files are: in the wheel, or in the checkout."""
    here = Path(__file__).resolve().parent
    return here / "studies" if (here / "studies").is_dir() else here.parent / "studies"


def read_spec(path: Path | str) -> StudySpec:
    """Read a study file.

    Args:
        path: of the file; or the bare name of one of ours, such as ``quick``.

    Returns:
        The study, with paths that hold in any folder.

    Raises:
        StudyError: a sentence that names the file, the key and what is allowed there.
        HwsimError: a word that names no multiplier.
    """
    path = Path(path)
    if str(path) == path.name and not path.suffix and not os.path.exists(path):  # noqa: PTH110  (false for a name that no file can have)
        path = studies_dir() / f"{path}.toml"
    try:
        body = read_toml(path)
    except MissingFileError as error:
        ours = ", ".join(sorted(one.stem for one in studies_dir().glob("*.toml")))
        raise StudyError(f"no study file {path}: expected a path, or one of {ours}") from error
    spec = checked(body, source=str(path))
    folder, cost = path.parent, spec.cost
    if cost is not None and cost.liberty:
        cost = cost.model_copy(update={"liberty": str(folder / cost.liberty)})
    return spec.model_copy(
        update={
            "cost": cost,
            "weights": {key: str(folder / file) for key, file in spec.weights.items()},
            "multipliers": tuple(
                word
                for text in spec.multipliers
                for word in split_words(located_words(text, folder))
            ),
        }
    )


def checked(body: dict[str, Any], *, source: str) -> StudySpec:
    """Check what a file or an option said.

    Raises:
        StudyError: one sentence about the first thing that is wrong.
    """
    try:
        return StudySpec(**body)
    except ValidationError as error:
        raise StudyError(f"{source}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    """The first complaint, with its key and what would have been right."""
    first = error.errors()[0]
    # Items of a list are counted from 1: they are looked for in a file.
    words = [str(part + 1) if isinstance(part, int) else str(part) for part in first["loc"]]
    key = ".".join(word for word in words if word != "[key]") or "study"
    got = first["input"]
    shown = repr(got) if not isinstance(got, float) or math.isfinite(got) else str(got)
    if first["type"] == "extra_forbidden":
        sections: dict[str, type[BaseModel]] = {
            "quantisation": Quantisation,
            "cost": Cost,
            "search": Search,
        }
        model = sections.get(words[0], StudySpec)
        names = list(model.model_fields)
        close = difflib.get_close_matches(words[-1], names, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return f"unknown key {key}: {hint}expected {', '.join(names)}"
    if first["type"] == "missing":
        return f"the key {key} is missing"
    if first["type"] == "value_error":
        return f"{key}: {first['msg'].removeprefix('Value error, ')}"
    if first["type"] == "too_short":
        return f"{key}: expected at least one, got {shown}"
    message = (
        first["msg"].replace("Input should be ", "expected ").replace("a valid tuple", "a list")
    )
    message = re.sub(r"greater than or equal to (\S+)", r"\1 or more", message)
    return f"{key}: {message[0].lower()}{message[1:]}, got {shown}"
