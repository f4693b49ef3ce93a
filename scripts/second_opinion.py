# SPDX-License-Identifier: Apache-2.0
"""Hold everything against its gates: families, golden tables, Verilog files.

    python scripts/second_opinion.py [FOLDER ...] > second_opinion.json

Every family with every legal parameter at 4 to 8 bits, unsigned and signed: the table of the gates
against the family's formula, and for the golden tables against those. Every Verilog file in the
folders: its simulated table against its gates, or the reason why there is none. Exit code 1 if
anything differs without a reason.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, HwsimError, Operand, golden
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.multipliers import Request, find, legal_multipliers
from axhil.hwsim.multipliers.comparing.opinion import second_opinions
from axhil.hwsim.mutation.prover import gates_together, netlist_of
from axhil.hwsim.mutation.tables import MODULES, block_of
from axhil.hwsim.netlist.evaluation import table
from axhil.hwsim.netlist.program import Program
from axhil.hwsim.operands import Asked

WIDTHS = range(4, 9)
_AT_ONCE = 16
"""Multipliers in one run of Yosys, whose time grows faster than what it is given."""


def gate_tables(multipliers: Sequence[Catalogued]) -> Iterator[tuple[Catalogued, Any]]:
    """Each multiplier, and (2^bits, 2^bits) bit patterns of the products of its gates."""
    files = [rtl_dir() / f"{module}.v" for module in MODULES]
    for start in range(0, len(multipliers), _AT_ONCE):
        some = multipliers[start : start + _AT_ONCE]
        blocks = [block_of(one) for one in some]
        machine = gates_together(files, blocks)
        for number, (one, block) in enumerate(zip(some, blocks, strict=True)):
            netlist = netlist_of(block, machine.cone(number), one.operand.bits)
            yield one, table(Program.of(netlist), threads=1)


def families() -> list[Catalogued]:
    """Every legal multiplier of the widths, unsigned and signed."""
    return [
        one
        for bits in WIDTHS
        for signed in (False, True)
        for one in legal_multipliers(Operand(bits, signed))
    ]


def wrong(multiplier: Catalogued, made: Any, expected: Any) -> int:
    """Products of gates that are not those of a table of values."""
    product = Operand(2 * multiplier.operand.bits, signed=False)
    return int((made.astype(np.int64) != product.pattern(expected)).sum())


def files_in(folder: Path) -> Iterator[dict[str, Any]]:
    """What becomes of every Verilog file in a folder, operands unsigned unless it declares them."""
    asked = Request(Asked(signed=False), cache=False)
    for path in sorted([*folder.rglob("*.v"), *folder.rglob("*.sv")]):
        try:
            multiplier = find(str(path), asked)
            with second_opinions([multiplier]) as opinion:
                found = opinion(multiplier, multiplier.table())
            said, equal = (found.sentence(), found.equal) if found else ("no Yosys", None)
        except HwsimError as error:
            said, equal = str(error), None
        yield {"file": path.name, "equal": equal, "sentence": said}


def main(folders: Sequence[str]) -> int:
    """Prints the outcome as JSON, and says on stderr how far it is."""
    counts = {"multipliers": 0, "products": 0, "wrong": 0}
    for one, made in gate_tables(families()):
        counts["multipliers"] += 1
        counts["products"] += made.size
        counts["wrong"] += wrong(one, made, one.reference_table())
        sys.stderr.write(f"\r{counts['multipliers']} multipliers, {counts['wrong']} wrong ")
    seven = {
        one.name: wrong(one, made, golden(one).table)
        for one, made in gate_tables(PAPER_MULTIPLIERS)
    }
    files = [one for folder in folders for one in files_in(Path(folder))]
    body = {"families": counts, "golden": seven, "files": files}
    sys.stdout.write(json.dumps(body, indent=1) + "\n")
    return int(counts["wrong"] > 0 or any(seven.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
