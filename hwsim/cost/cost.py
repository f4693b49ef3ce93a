# SPDX-License-Identifier: Apache-2.0
"""Transistors, depth, area and delay of a circuit, the least over several ways to synthesise it."""

import gzip
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..netlist.synthesis import TOP, run_on
from ..operands import Operands
from ..tools.pool import together
from ..tools.yosys import require_yosys
from ..verilog.circuit import Circuit
from .exact import INFERRED, STRUCTURES, exact_circuit

_LIBRARY = "cells.lib"

Multiplications = Mapping[str, str]
"""What Yosys makes of `*`: a command, and what to call its result."""

ALWAYS: Multiplications = {"": "", "booth": "Booth"}
SIGNED: Multiplications = {**ALWAYS, "booth -lowpower": "Booth, low power"}  # signed operands only
NONE: Multiplications = {"": ""}  # where no `*` stands in the Verilog

_FIRST = "+strash;ifraig;scorr;dc2;strash"
_MAPPINGS = {
    "relaxed": f"{_FIRST};dch,-f;map,-B,0.9,-D,1000000;topo;dnsize;stime,-p",
    "area": f"{_FIRST};dch,-f;map,-a,-B,0.9;topo;stime,-p",
    "flow": f"{_FIRST};&get,-n;&dch,-f;&nf,-R,10;&put;topo;stime,-p",
    "fast": f"{_FIRST};dch,-f;map,-B,0.9;topo;buffer,-c;upsize;dnsize;stime,-p",
}
"""Scripts of abc for a Liberty file. No single one is best for all circuits."""


@dataclass(frozen=True, order=True)
class Figure:
    """One figure of one netlist.

    Attributes:
        value: of the netlist.
        by: how it was synthesised.
    """

    value: float
    by: str


@dataclass(frozen=True)
class Cost:
    """What a circuit costs; each figure is the least, and may be another netlist's than the others.

    Attributes:
        name: of the circuit.
        transistors: of static CMOS gates of up to four inputs, without a library.
        depth: such gates on the longest path.
        area: of a library's cells, in its unit; None without a library.
        delay: of the longest path through them in ns, without wires; None without a library.
    """

    name: str
    transistors: Figure
    depth: Figure
    area: Figure | None = None
    delay: Figure | None = None

    @property
    def figures(self) -> dict[str, Figure]:
        """Those that there are, by name."""
        found = {name: getattr(self, name) for name in FIGURES}
        return {name: figure for name, figure in found.items() if figure is not None}

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, keys as the attributes."""
        return asdict(self)


FIGURES = {"transistors": "transistors", "depth": "gates deep", "area": "area", "delay": "ns"}
"""Figures of a cost, and their headings."""


def cost_of(
    circuit: Circuit, *, liberty: Path | None = None, multiplications: Multiplications = ALWAYS
) -> Cost:
    """Synthesises a circuit in several ways.

    Args:
        circuit: to be synthesised.
        liberty: a library of cells, gzipped or not; None: gates of CMOS.
        multiplications: ways to try.

    Raises:
        HwsimError: there is no Yosys, it cannot read the Verilog or the library, or the library's
            cells do not suffice.
    """
    if not require_yosys().recent:
        multiplications = NONE
    with tempfile.TemporaryDirectory(prefix="axhil-") as place:
        folder = Path(place)
        if liberty is not None:
            (folder / _LIBRARY).write_bytes(_library(liberty))
        commands = _commands(multiplications, library=liberty is not None)
        run_on(circuit, [*commands], folder=folder)
        transistors, depth, area, delay = [], [], [], []
        for number, by in enumerate(multiplications.values()):
            transistors.append(Figure(_transistors(folder / f"cmos{number}.json"), by))
            depth.append(Figure(_depth(folder / f"depth{number}.txt"), by))
            for script in _MAPPINGS if liberty is not None else ():
                spelled = f"{by}, {script}".removeprefix(", ")
                stem = f"{script}{number}"
                area.append(Figure(_area(folder / f"{stem}.json", circuit), spelled))
                delay.append(Figure(_delay(folder / f"{stem}.txt"), spelled))
    return Cost(
        circuit.name,
        min(transistors),
        min(depth),
        min(area) if area else None,
        min(delay) if delay else None,
    )


def costs_of(
    circuits: Mapping[str, Circuit],
    *,
    liberty: Path | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """What circuits cost, and for the operands of each what exact multiplication costs at least.

    Args:
        circuits: by name.
        liberty: a library of cells; None: gates of CMOS.
        jobs: processes at a time; None is one per processor core.
        progress: called with (syntheses done, syntheses in all, name of the last).

    Returns:
        Costs by name. The least of each figure over all exact structures, by operands such as `s8`,
        each figure naming its structure.

    Raises:
        HwsimError: as `cost_of`.
    """
    operands = {circuit.operands.code: circuit.operands for circuit in circuits.values()}
    exact = {
        (code, structure): exact_circuit(structure, one)
        for code, one in operands.items()
        for structure in STRUCTURES
    }
    calls: dict[Any, Callable[[], Cost]] = {
        name: partial(cost_of, circuit, liberty=liberty) for name, circuit in circuits.items()
    }
    calls |= {
        key: partial(cost_of, circuit, liberty=liberty, multiplications=_ways(*key))
        for key, circuit in exact.items()
    }
    made = together(
        calls,
        jobs=jobs,
        finished=lambda key, cost, done: (
            progress(done, len(calls), cost.name) if progress else None
        ),
    )
    return {name: made[name] for name in circuits}, {
        code: _least({structure: made[code, structure] for structure in STRUCTURES})
        for code in operands
    }


def _ways(code: str, structure: str) -> Multiplications:
    if structure != INFERRED:
        return NONE
    return SIGNED if all(Operands.parse(code).signs) else ALWAYS


def _least(costs: Mapping[str, Cost]) -> Cost:
    """The least of each figure, which then names its structure."""
    figures = {
        name: min(
            Figure(cost.figures[name].value, ", ".join(filter(None, (key, cost.figures[name].by))))
            for key, cost in costs.items()
        )
        for name in next(iter(costs.values())).figures
    }
    return Cost("exact", **figures)


def _commands(multiplications: Iterable[str], *, library: bool) -> Iterator[str]:
    yield f"synth -flatten -noabc -top {TOP} -run begin:fine"
    yield "design -save coarse"
    for number, multiplication in enumerate(multiplications):
        yield "design -load coarse"
        if multiplication:
            yield multiplication
        yield f"synth -flatten -top {TOP} -run fine:"
        yield "design -save fine"
        yield "abc -g cmos"
        yield "opt_clean -purge"
        yield f"tee -o cmos{number}.json stat -tech cmos -json"
        yield f"tee -o depth{number}.txt ltp -noff"
        for script, steps in _MAPPINGS.items() if library else ():
            yield "design -load fine"
            yield f"dfflibmap -liberty {_LIBRARY}"
            yield f"tee -o {script}{number}.txt abc -liberty {_LIBRARY} -script {steps}"
            yield "opt_clean -purge"
            yield f"tee -o {script}{number}.json stat -liberty {_LIBRARY} -json"


def _library(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise HwsimError(f"cannot read the library {path}: {error}") from error


def _stat(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    # Before it stands a title that is no JSON.
    body: dict[str, Any] = json.loads(text[text.index("{") :])["design"]
    return body


def _transistors(path: Path) -> int:
    # A plus behind the number: cells without an estimate are not counted.
    return int(str(_stat(path)["estimated_num_transistors"]).rstrip("+"))


def _area(path: Path, circuit: Circuit) -> float:
    area = _stat(path).get("area")
    if area is None:
        raise HwsimError(
            f"{circuit.name}: expected cells of the library, got none that have an area"
        )
    return float(area)


def _depth(path: Path) -> int:
    found = re.search(r"\(length=(\d+)\)", path.read_text(encoding="utf-8"))
    return int(found[1]) if found else 0


def _delay(path: Path) -> float:
    delays = re.findall(r"Delay\s*=\s*([\d.]+) ps", path.read_text(encoding="utf-8"))
    return float(delays[-1]) / 1000 if delays else 0.0
