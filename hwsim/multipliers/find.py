# SPDX-License-Identifier: Apache-2.0
"""The one reader of everything that names a multiplier: words, files, models."""

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from ..designs import families
from ..errors import HwsimError
from ..files import TABLE_LIMIT, TEXT_LIMIT, MissingFileError, require_file
from ..formats import has_format, table_suffixes
from ..lut import Lut
from ..models.cmodel import TIME_LIMIT
from ..operands import Asked, Operands, UnknownOperandsError
from .by_gates import PREFIX as GATES
from .by_gates import ByGates
from .catalogued import S8, Catalogued
from .from_file import FromFile, Tabulated
from .from_formula import PREFIX as FORMULA
from .from_formula import FromFormula
from .from_model import C_SUFFIX, FromModel
from .from_verilog import FromVerilog
from .multiplier import Multiplier
from .source import TOML_SUFFIX, VERILOG_SUFFIXES, VerilogSource, did_you_mean, read_toml


class Origin(StrEnum):
    """What a word means."""

    catalogue = "a multiplier of the catalogue"
    formula = "the formula of a multiplier of the catalogue"
    verilog = "Verilog"
    table = "a table"
    c_model = "a C model"
    python_model = "a Python model"


@dataclass(frozen=True)
class Request:
    """What is requested beyond the word that names a multiplier.

    Attributes:
        operands: width, sign, and the default for what nothing else says.
        facts: about Verilog; what stands in brackets behind the file wins over them.
        simulate: simulate multipliers of the catalogue; else golden tables are taken.
        rtl: another Verilog folder for the catalogue.
        luts: folder with tables of the catalogue's multipliers, by `axhil lut`.
        time_limit: seconds that a model may take, or Verilog without progress.
        cache: take simulated tables from the cache, and keep them there.
    """

    operands: Asked = field(default_factory=Asked)
    facts: VerilogSource = field(default_factory=VerilogSource)
    simulate: bool = False
    rtl: Path | None = None
    luts: Path | None = None
    time_limit: float = TIME_LIMIT
    cache: bool = True


_ANY_OPERANDS = {Origin.catalogue, Origin.formula}

NETWORKS = Request(operands=Asked(default=Operands(S8, S8)))
"""For networks, which are quantised to signed 8-bit codes."""


def find(text: str, request: Request | None = None) -> Multiplier:
    """The multiplier that a word names; its table is made when it is needed.

    >>> find("scaletrim(4, 8)").name, find("drum_5").label
    ('scaletrim(4,8)', 'DR5')

    Args:
        text: `exact`, `drum(5)`, `drum_5`; `formula:drum(5)`, which is its definition; Verilog with
            facts in brackets, `mul.v[K=3]`, or a TOML file of facts; `gates:` before either, whose
            products its gates then give; a table of any format; a C model, `model.c` or
            `model.c:function`; a Python model, `module:function` or `model.py:function`.
        request: what else is known; None: nothing.

    Raises:
        HwsimError: one sentence with a way out: no such file, no such multiplier, facts that
            contradict each other, arguments that these operands do not allow.
    """
    text, request = text.strip(), request or Request()
    if text.startswith(GATES):
        core = find(text.removeprefix(GATES), replace(request, luts=None))
        if not isinstance(core, Catalogued | FromVerilog):
            raise HwsimError(f"{text}: expected Verilog, or a multiplier of the catalogue")
        return ByGates(core)
    return _BUILDERS[origin_of(text)](text, request)


def find_pair(x: str, y: str, first: Request, second: Request) -> tuple[Multiplier, Multiplier]:
    """Two multipliers; where one does not say what its operands are, the other does.

    Args:
        x: a word.
        y: another.
        first: what else is known of x.
        second: of y.

    Raises:
        UnknownOperandsError: neither says.
        HwsimError: as `find`, or a table cannot be made.
    """
    words, requests = (x, y), (first, second)
    # The catalogue has every multiplier for any operands, so the other side is asked first.
    order = sorted(range(2), key=lambda side: origin_of(words[side]) in _ANY_OPERANDS)
    settled: dict[int, Multiplier] = {}
    known: Operands | None = None
    unknown: UnknownOperandsError | None = None
    for side in order * 2:
        if side in settled:
            continue
        default = known or requests[side].operands.default
        asked = replace(requests[side].operands, default=default)
        multiplier = find(words[side], replace(requests[side], operands=asked))
        try:
            operands = multiplier.operands
        except UnknownOperandsError as error:
            unknown = unknown or error
            continue
        settled[side] = multiplier
        known = known or operands
    if len(settled) < 2:
        assert unknown is not None
        raise unknown
    return settled[0], settled[1]


def origin_of(text: str) -> Origin:
    """What a word means, or what stands behind `gates:` in it; files are not looked at.

    Raises:
        HwsimError: nothing that is known.
    """
    text = text.strip().removeprefix(GATES)
    if text.startswith(FORMULA):
        return Origin.formula
    file, bracket, _ = text.partition("[")
    suffix = Path(file).suffix.lower()
    if suffix in {*VERILOG_SUFFIXES, TOML_SUFFIX}:
        return Origin.verilog
    if bracket and text.endswith("]"):
        raise HwsimError(
            f"{text}: expected Verilog ({', '.join(VERILOG_SUFFIXES)}) or a TOML file before the "
            "brackets"
        )
    if has_format(Path(text)):
        return Origin.table
    if suffix == C_SUFFIX:
        return Origin.c_model
    if ":" in text:
        module = text.rpartition(":")[0]
        return Origin.c_model if module.lower().endswith(C_SUFFIX) else Origin.python_model
    if text.partition("(")[0].partition("_")[0].strip() in families():
        return Origin.catalogue
    raise HwsimError(_nothing_known(text))


def located(text: str, folder: Path) -> str:
    """The same word with the files that it names taken from a folder.

    >>> located("mul.v[with=cells.v]", Path("rtl")), located("drum(4)", Path("rtl"))
    ('rtl/mul.v[with=rtl/cells.v]', 'drum(4)')

    Raises:
        HwsimError: as `origin_of`, or arguments that the catalogue does not have.
    """
    if text.startswith(GATES):
        return f"{GATES}{located(text.removeprefix(GATES), folder)}"
    origin = origin_of(text)
    if origin is Origin.catalogue:
        find(text)
    if origin is Origin.verilog:
        return str(VerilogSource.parse(text).located(folder))
    is_file = origin is Origin.python_model and text.rpartition(":")[0].endswith(".py")
    return str(folder / text) if is_file or origin in {Origin.table, Origin.c_model} else text


def spelled(text: str, request: Request) -> str:
    """The same word with what is requested of Verilog in its brackets, for a record.

    >>> spelled("mul.v[K=3]", Request(facts=VerilogSource(top="mul8", sign="wrap")))
    'mul.v[top=mul8,K=3,wrap]'
    """
    if text.startswith(GATES):
        return f"{GATES}{spelled(text.removeprefix(GATES), request)}"
    if origin_of(text) is not Origin.verilog:
        return text
    return str(VerilogSource.parse(text).over(_facts(request)))


def _from_catalogue(text: str, request: Request) -> Multiplier:
    if request.luts is not None:
        entry = Catalogued.parse(text)
        return Tabulated(entry.name, entry.label, Lut.load(request.luts / f"{entry.slug}.npz"))
    asked = request.operands
    try:
        operands = replace(asked, default=asked.default or Operands(S8, S8)).settle(table=False)
        if not operands.equal:
            raise HwsimError(f"expected two equal operands of the catalogue, got {operands.code}")
    except HwsimError as error:
        raise HwsimError(f"{text}: {error}") from error
    return replace(
        Catalogued.parse(text, operand=operands.activation, rtl=request.rtl),
        simulate=request.simulate,
        cache=request.cache,
        time_limit=request.time_limit,
    )


def _from_formula(text: str, request: Request) -> Multiplier:
    multiplier = _from_catalogue(text.removeprefix(FORMULA), replace(request, luts=None))
    assert isinstance(multiplier, Catalogued)
    return FromFormula(multiplier)


def _from_verilog(text: str, request: Request) -> Multiplier:
    spelt = VerilogSource.parse(text)
    assert spelt.file is not None
    _require(spelt.file, limit=TEXT_LIMIT)
    is_toml = spelt.file.suffix.lower() == TOML_SUFFIX
    beside = spelt.file if is_toml else spelt.file.with_suffix(TOML_SUFFIX)
    facts = read_toml(beside) if beside.is_file() else VerilogSource()
    if is_toml and facts.file is None:
        raise HwsimError(f'{beside}: expected the key verilog, e.g. verilog = "mul.v"')
    own = replace(spelt, file=facts.file if is_toml else spelt.file)
    source = own.over(_facts(request)).over(replace(facts, file=None))
    return FromVerilog(source, request.operands, time_limit=request.time_limit, cache=request.cache)


def _facts(request: Request) -> VerilogSource:
    """What is requested of Verilog, its operands among it."""
    facts, asked = request.facts, request.operands
    if facts.sign is not None or facts.operands is not None:
        return facts
    if asked.signed is not None:
        return replace(facts, sign="signed" if asked.signed else "unsigned")
    return replace(facts, operands=asked.operands)


def _from_file(text: str, request: Request) -> Multiplier:
    _require(Path(text), limit=TABLE_LIMIT)
    return FromFile(Path(text), requested=request.operands)


def _from_model(text: str, request: Request) -> Multiplier:
    module, colon, function = text.rpartition(":") if ":" in text else (text, "", "")
    if colon and not function:
        raise HwsimError(f"{text}: expected a function behind the colon")
    if module.lower().endswith((C_SUFFIX, ".py")):
        _require(Path(module), limit=TEXT_LIMIT)
    return FromModel(module, function or None, request.operands, time_limit=request.time_limit)


_BUILDERS: dict[Origin, Callable[[str, Request], Multiplier]] = {
    Origin.catalogue: _from_catalogue,
    Origin.formula: _from_formula,
    Origin.verilog: _from_verilog,
    Origin.table: _from_file,
    Origin.c_model: _from_model,
    Origin.python_model: _from_model,
}


def _require(path: Path, *, limit: int) -> None:
    try:
        require_file(path, limit=limit)
    except MissingFileError:
        try:
            names = [one.name for one in path.parent.iterdir()]
        except OSError:
            names = []
        close = difflib.get_close_matches(path.name, names, n=1)
        hint = f"; did you mean {path.with_name(close[0])}?" if close else ""
        raise HwsimError(f"expected a file at {path}, but there is no such file{hint}") from None


def _nothing_known(text: str) -> str:
    spelt = [
        f"{name}({','.join(family.parameters)})" if family.parameters else name
        for name, family in families().items()
    ]
    if text and os.path.exists(text):  # noqa: PTH110  (false for a name that no file can have)
        suffixes = ", ".join([*VERILOG_SUFFIXES, TOML_SUFFIX, *table_suffixes(), C_SUFFIX])
        return (
            f"{text}: expected a file that ends in one of {suffixes}; axhil convert reads a table "
            "of another name with --from"
        )
    head = text.partition("(")[0].strip()
    hint = did_you_mean(head, families())
    return (
        f"{text or repr('')}: no such file, and no multiplier: {hint}expected {', '.join(spelt)}, "
        "a file or module:function"
    )
