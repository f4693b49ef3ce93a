# SPDX-License-Identifier: Apache-2.0
"""From a word on the command line to a table: a name, a file, a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path

from ..designs import families
from ..errors import HwsimError
from ..formats import Asked, Kind, UnknownKindError, has_format, read_table
from ..lut import Lut
from ..models.cmodel import TIME_LIMIT, c_model_table
from ..models.pymodel import python_model_table
from ..operands import Operand
from ..verilog.circuit import read_circuit
from ..verilog.parameters import Parameter
from . import PAPER_MULTIPLIERS, Catalogued
from .printed import Figure, read_figures
from .tabulation import tabulate, with_signs

FIGURES_PREFIX = "figures:"
_GOLDEN_KIND = Kind(width=8, signed=True)


class Origin(IntEnum):
    """What a word means; the first of two that tells the kind of operands tells it for both."""

    lut = 0
    rtl = 1
    table = 2
    c_model = 3
    catalogue = 4
    python_model = 5
    figures = 6


@dataclass(frozen=True)
class Verilog:
    """What is said about a side that is Verilog, beyond its operands; see `read_circuit`.

    Attributes:
        more: further files of the design.
        top: top module.
        a: first operand port.
        b: second operand port.
        p: product port.
        weight: the operand port that is the weight.
        parameters: in place of the top's defaults.
        includes: folders of included files.
        ties: inputs to hold at a value.
        wrap_signed: put the core, which is unsigned, into a sign-magnitude wrapper.
    """

    more: tuple[Path, ...] = ()
    top: str | None = None
    a: str | None = None
    b: str | None = None
    p: str | None = None
    weight: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    includes: tuple[Path, ...] = ()
    ties: Mapping[str, int] = field(default_factory=dict)
    wrap_signed: bool = False

    def label(self, text: str) -> str:
        """What to call the side: its file, and what tells it from another side of that file."""
        ports = {"a": self.a, "b": self.b, "p": self.p, "weight": self.weight}
        said = {"top": self.top, **self.parameters, **ports, **self.ties}
        words = [f"{name}={value}" for name, value in said.items() if value is not None]
        words += ["wrapped"] if self.wrap_signed else []
        return f"{text} ({', '.join(words)})" if words else text


@dataclass(frozen=True)
class Options:
    """How tables are made.

    Attributes:
        asked: the user's word on the operands.
        function: of a C model.
        simulate: simulate multipliers of the catalogue again; else the golden tables are taken.
        rtl: another Verilog folder for the catalogue.
        time_limit: seconds that a model may take, or Verilog without progress.
        verilog: what is said about Verilog; `load_pair` takes it for either side.
    """

    asked: Asked = field(default_factory=Asked)
    function: str | None = None
    simulate: bool = False
    rtl: Path | None = None
    time_limit: float = TIME_LIMIT
    verilog: Verilog = field(default_factory=Verilog)


@dataclass(frozen=True)
class Loaded:
    """A table and where it comes from.

    Attributes:
        name: what to call it: the multiplier's spelling or the file as it was given.
        lut: the table.
        notes: what was assumed.
    """

    name: str
    lut: Lut
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadedFigures:
    """Printed figures and where they come from."""

    name: str
    figures: tuple[Figure, ...]


def origin_of(text: str) -> Origin:
    """What a word means.

    Raises:
        HwsimError: it is no file, model or multiplier.
    """
    if text.startswith(FIGURES_PREFIX):
        return Origin.figures
    path = Path(text)
    suffix = path.suffix.lower()
    by_suffix = {
        ".npz": Origin.lut,
        ".v": Origin.rtl,
        ".sv": Origin.rtl,
        ".c": Origin.c_model,
    }
    if suffix in by_suffix:
        return by_suffix[suffix]
    if has_format(path):
        return Origin.table
    if ":" in text:
        return Origin.python_model
    family = text.partition("(")[0].partition("_")[0].strip()
    if family in families():
        return Origin.catalogue
    if path.exists():
        raise HwsimError(
            f"{text}: expected a table (.npz, .h, .bin, .txt, .npy, .hex, .csv), Verilog (.v, "
            ".sv), a C model (.c), or figures:FILE"
        )
    raise HwsimError(
        f"{text}: no such file, and no multiplier: expected exact, drum(K), scaletrim(H,M), a file "
        "or module:function"
    )


def load_pair(
    x: str, y: str, options: Options, *, verilog: tuple[Verilog, Verilog] | None = None
) -> tuple[Loaded | LoadedFigures, Loaded | LoadedFigures]:
    """Both sides of a comparison.

    Where one does not tell what its operands are, the other does.

    Args:
        x: a word.
        y: another.
        options: for both.
        verilog: what is said about the Verilog of each; None: what `options` say.

    Raises:
        HwsimError: one cannot be made, or neither tells.
    """
    words = (x, y)
    origins = tuple(map(origin_of, words))
    done: dict[int, Loaded | LoadedFigures] = {}
    kind: Kind | None = None
    unknown: UnknownKindError | None = None
    # Twice: what the first round could not know, the second may.
    for _ in range(2):
        for side in sorted(range(2), key=origins.__getitem__):
            if side in done:
                continue
            asked = replace(options.asked, default=kind or options.asked.default)
            said = options.verilog if verilog is None else verilog[side]
            mine = replace(options, asked=asked, verilog=said)
            try:
                done[side] = loaded = load(words[side], mine)
            except UnknownKindError as error:
                unknown = unknown or error
                continue
            if isinstance(loaded, Loaded):
                kind = kind or Kind.of(loaded.lut)
    if len(done) < 2:
        assert unknown is not None
        raise unknown
    return done[0], done[1]


def load(text: str, options: Options) -> Loaded | LoadedFigures:
    """One side of a comparison.

    Raises:
        UnknownKindError: nobody says what its operands are.
        HwsimError: it cannot be made; the sentence names it.
    """
    origin, path = origin_of(text), Path(text)
    if origin is Origin.figures:
        file = Path(text.removeprefix(FIGURES_PREFIX))
        return LoadedFigures(f"the header of {file.name}", read_figures(file))
    if origin in {Origin.lut, Origin.table}:
        return Loaded(text, read_table(path, asked=options.asked))
    if origin is Origin.rtl:
        return _verilog_table(text, options)
    if origin is Origin.c_model:
        lut, notes = c_model_table(
            path,
            asked=options.asked,
            function=options.function,
            time_limit=options.time_limit,
        )
        return Loaded(text, lut, tuple(f"{text}: {note}" for note in notes))
    if origin is Origin.python_model:
        lut = python_model_table(text, asked=options.asked, time_limit=options.time_limit)
        return Loaded(text, lut)
    return _catalogue_table(text, options)


def _verilog_table(text: str, options: Options) -> Loaded:
    asked, verilog = options.asked, options.verilog
    circuit = read_circuit(
        [Path(text), *verilog.more],
        top=verilog.top,
        a=verilog.a,
        b=verilog.b,
        p=verilog.p,
        weight=verilog.weight,
        signed=False if verilog.wrap_signed else asked.signed,
        parameters=verilog.parameters,
        includes=verilog.includes,
        ties=verilog.ties,
    )
    if asked.width not in {None, circuit.roles.width}:
        raise HwsimError(
            f"{circuit.name}: expected operands of {asked.width} bits, got {circuit.roles.width}"
        )
    simulated = with_signs(circuit, limit=options.time_limit) if verilog.wrap_signed else circuit
    lut = tabulate(simulated, limit=options.time_limit)
    label = verilog.label(text)
    return Loaded(label, lut, tuple(f"{label}: {note}" for note in circuit.notes))


def _catalogue_table(text: str, options: Options) -> Loaded:
    asked = options.asked
    try:
        kind = replace(asked, default=asked.default or _GOLDEN_KIND).settle()
    except HwsimError as error:
        raise HwsimError(f"{text}: {error}") from error
    operand = Operand(kind.width, kind.signed)
    multiplier = Catalogued.parse(text, operand=operand, rtl=options.rtl)
    lut = multiplier.table(simulate=options.simulate)
    is_golden = multiplier in PAPER_MULTIPLIERS and not options.simulate
    return Loaded(str(multiplier), lut, (f"{multiplier}: golden table",) if is_golden else ())
