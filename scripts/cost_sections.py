# SPDX-License-Identifier: Apache-2.0
"""The parts of docs/results.md about what multipliers cost: docs/records/cost_*.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from study_sections import DOCS

from axhil.hwsim import Catalogued, Operand
from axhil.hwsim.cost import CostRecord
from axhil.report.markdown import markdown_table
from axhil.report.table import Table, rows_of

RECORDS = DOCS / "records"


def read(name: str) -> dict[str, Any] | None:
    """A record; None before it is there."""
    path = RECORDS / name
    return json.loads(path.read_text()) if path.is_file() else None


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(Table("", tuple(headings), rows_of(rows)))


COSTS = {
    "area": ("area um2", 0),
    "delay": ("delay ns", 2),
    "energy": ("uniform pJ", 2),
    "output stationary": ("output stationary pJ", 2),
    "weight stationary": ("weight stationary pJ", 2),
}
"""By figure: heading and digits."""


def hardware_cost() -> str:
    """What the seven cost, on operands of networks and unsigned, beside the best exact one."""
    parts = []
    shown = {
        "signed": ("Signed 8-bit operands, those of LeNet-5 among them", COSTS),
        "resnet50": ("On the operands of ResNet-50", list(COSTS)[3:]),
        "unsigned": ("Unsigned operands", COSTS),
    }
    for name, (title, wanted) in shown.items():
        record = read(f"cost_{name}.json")
        if record is None:
            continue
        (cells,) = record["costs"]
        (best,) = cells["exact"]
        figures = [figure for figure in wanted if figure in best["least"]]
        headings = ["multiplier"]
        for figure in figures:
            headings += [COSTS[figure][0], "vs exact %"]
        rows = []
        for one in (best, *cells["multipliers"]):
            row = [one["label"] + (f", {one['note']}" if one["note"] else "")]
            for figure in figures:
                least = one["least"][figure]
                row.append(f"{least[figure]:,.{COSTS[figure][1]}f}")
                row.append(f"{100 * least['relative_to_best_exact']:+.0f}")
            rows.append(row)
        made_by = "; ".join(
            f"{COSTS[figure][0]} {best['least'][figure]['structure']}, "
            f"{best['least'][figure]['recipe']}"
            for figure in figures
        )
        parts.append(
            f"{title}:\n\n{_table(headings, rows)}\n\n`{record['command']}`, {cells['target']}, "
            f"Yosys {cells['made_with']['yosys']}. The best exact one: {made_by}."
        )
    return "\n\n".join(parts)


PUBLISHED = {5: (80, 3.61), 8: (54, 0.45)}
"""By K of DRUM, 16 bits: percent of power saved, and standard deviation of the relative error in
percent; the ends of both ranges in the abstract of Hashemi, Bahar and Reda, ICCAD 2015."""


def published() -> str:
    """What the papers of DRUM and scaleTRIM say of cost, beside ours."""
    parts = []
    path = RECORDS / "cost_drum16.json"
    if path.is_file():
        record, body = CostRecord.from_file(path), json.loads(path.read_text())
        (exact,) = body["costs"][0]["exact"]
        arrays = [one for one in exact["implementations"] if one["structure"] == "array"]
        array = min(one["energy"] for one in arrays)
        rows = []
        for k, (power, spread) in PUBLISHED.items():
            own = record.find(f"drum({k})", operands="u16")
            assert own is not None
            row = [f"DRUM({k})", f"{spread:.2f}", f"{100 * _spread(k):.2f}", f"-{power}"]
            for figure in ("energy", "area", "delay"):
                relative = record.relative(own, figure)
                assert relative is not None
                row.append(f"{100 * relative:+.0f}")
            row.insert(4, f"{100 * (own.values['energy'] / array - 1):+.0f}")
            rows.append(row)
        headings = (
            "16 bits", "std of relative error %, published", "here", "power %, published",
            "energy %, against an array", "against the best exact", "area %", "delay %",
        )  # fmt: skip
        parts.append(
            f"{_table(headings, rows)}\n\n`{body['command']}`, {record.target}; area and delay "
            "against the best exact multiplier's."
        )
    record = CostRecord.from_file(RECORDS / "cost_unsigned.json")
    pairs = (("scaletrim(3,0)", "drum(4)"), ("scaletrim(4,0)", "drum(4)"))
    rows = []
    for one, other in pairs:
        mine, theirs = (record.find(name, operands="u8") for name in (one, other))
        assert mine is not None and theirs is not None
        changes = [mine.values[x] / theirs.values[x] - 1 for x in ("energy", "area", "delay")]
        changes.insert(0, _mred(one) / _mred(other) - 1)
        rows.append([f"{one} against {other}", *(f"{100 * change:+.0f}" for change in changes)])
    parts.append(_table(("8 bits, unsigned", "MRED %", "energy %", "area %", "delay %"), rows))
    return "\n\n".join(parts)


def _spread(k: int) -> float:
    """Standard deviation of the relative error of DRUM(K) on a million pairs of 16 bits."""
    pairs = np.random.default_rng(0).integers(1, 1 << 16, (2, 1_000_000))
    places = np.floor(np.log2(pairs)).astype(np.int64)
    shifts = np.maximum(places - k + 1, 0)
    kept = np.where(shifts > 0, (pairs >> shifts | 1) << shifts, pairs)
    return float((kept.prod(0) / pairs.prod(0)).std())


def _mred(name: str) -> float:
    """MRED of an unsigned 8-bit multiplier of the catalogue."""
    table = Catalogued.parse(name, operand=Operand(8, signed=False)).reference_table()[1:, 1:]
    exact = np.multiply.outer(np.arange(1, 256), np.arange(1, 256))
    return float((np.abs(table - exact) / exact).mean())


def rewritten() -> str:
    """What the seven cost before their Verilog was written for less, and do now."""
    before, now = (read(f"cost_signed{part}.json") for part in ("_before", ""))
    if before is None or now is None:
        return ""
    rows = []
    for old, new in zip(*(one["costs"][0]["multipliers"] for one in (before, now)), strict=True):
        assert old["name"] == new["name"]
        row = [old["label"]]
        for figure, (_, digits) in COSTS.items():
            row += [f"{one['least'][figure][figure]:,.{digits}f}" for one in (old, new)]
        rows.append(row)
    pairs = [(f"{heading}, before", "now") for heading, _ in COSTS.values()]
    return _table(["multiplier", *(one for pair in pairs for one in pair)], rows)
