# SPDX-License-Identifier: Apache-2.0
"""Write docs/leaderboard.md from the golden tables and the records in docs/records.

python scripts/build_leaderboard.py           write it
python scripts/build_leaderboard.py --check   exit 1 if it is not what the records say

A multiplier is what its table is: tables, costs and accuracies meet by the table's SHA-256.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axhil.attacks import attack_title
from axhil.hwsim import PAPER_MULTIPLIERS, Lut, error_metrics, golden
from axhil.study import Cell, read_cells
from axhil.study.statistics import holm, paired_difference, proportion

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORDS = DOCS / "records"
SUBMITTED = RECORDS / "leaderboard"
TARGET = DOCS / "leaderboard.md"
TITLES = {"lenet5": "LeNet-5, MNIST", "resnet20": "ResNet-20, CIFAR-10",
          "resnet50": "ResNet-50, CIFAR-10", "vgg19": "VGG-19, CIFAR-10"}  # fmt: skip
STRENGTH = ("fgsm", "pgd", "bim", "apgd", "autoattack", "adaptive")
"""Attacks from weak to strong: a network is judged under the strongest that is on record."""
LEAST_IMAGES = {"single": 1_000, "suite": 100}
"""Fewer images cannot tell multipliers apart, so that they are not ranked by them; under a suite, which
costs a thousand times as much, more are seldom to be had."""
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Entry:
    """A multiplier of the board.

    Attributes:
        label: how it is called.
        lut: its table.
    """

    label: str
    lut: Lut

    @property
    def rtl(self) -> str:
        """The Verilog behind the table, by name and hash."""
        sources: dict[str, str] = dict(self.lut.manifest.get("sources", {}))
        return ", ".join(f"{name} `{sha[:8]}`" for name, sha in sorted(sources.items())) or "none"


def entries() -> dict[str, Entry]:
    """By the table's hash: the paper's seven, then what was submitted."""
    found = [Entry(one.label, golden(one)) for one in PAPER_MULTIPLIERS]
    submitted = (Lut.load(path) for path in sorted(SUBMITTED.glob("*.npz")))
    found += [Entry(str(lut.manifest.get("top", lut.name)), lut) for lut in submitted]
    return {one.lut.sha256: one for one in found}


def _json_records() -> Iterator[dict[str, Any]]:
    for path in (RECORDS / "cost_signed.json", *sorted(SUBMITTED.glob("*.json"))):
        yield json.loads(path.read_text())


def costs() -> tuple[str, dict[str, dict[str, Any]]]:
    """The library, and by the table's hash the netlist that takes least energy in a network."""
    found: dict[str, dict[str, Any]] = {}
    target, accurate = "", golden(PAPER_MULTIPLIERS[0]).sha256
    for record in _json_records():
        for cost in record["costs"]:
            target = target or cost["target"]
            if cost["target"] == target:
                exact = ({**one, "table": accurate} for one in cost["exact"])
                for one in (*exact, *cost["multipliers"]):
                    found.setdefault(one["table"], one["least"]["output stationary"])
    return target, found


def hardware(board: dict[str, Entry]) -> str:
    """Tables, their Verilog, errors, gates and energy."""
    target, found = costs()
    rows = []
    for sha, entry in board.items():
        metrics = error_metrics(entry.lut)
        cost = found.get(sha, {})
        rows.append(
            [
                entry.label,
                f"{100 * metrics.mre:.2f}", f"{metrics.mae:.1f}", str(metrics.wce),
                f"{100 * metrics.ep:.1f}", f"{round(metrics.bias, 2) + 0.0:.2f}",
                f"{cost['cells']}" if cost else "", f"{cost['area']:.0f}" if cost else "",
                f"{cost['output stationary']:.3f}" if cost else "", f"`{sha[:12]}`", entry.rtl,
            ]
        )  # fmt: skip
    headings = ("multiplier", "MRE %", "MAE", "WCE", "EP %", "bias",
                "gates", "area um2", "energy pJ", "table", "Verilog")  # fmt: skip
    return (
        f"Signed 8-bit operands. Gates (cells of the library), area and energy of a product are those of "
        f"the netlist with the least energy on the operands of LeNet-5, with {target}; of ACC the best of "
        f"several exact multipliers. [Cost](cost.md) says how they are made.\n\n{_table(headings, rows)}"
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    texts = ("multiplier", "table", "Verilog")
    marks = ["---" if one in texts else "---:" for one in headings]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, marks, *rows))


def _strength(cell: Cell) -> int:
    name = cell.settings.attack.partition("(")[0]
    return STRENGTH.index(name) if name in STRENGTH else -1


def _weight(group: Sequence[Cell]) -> tuple[int, ...]:
    """A strong suite before a weak one, then most images; of single attacks that on most multipliers."""
    if group[0].broken_by:
        return (_strength(group[0]), group[0].settings.images)
    return (len(group), _strength(group[0]))


def cells() -> list[Cell]:
    """All that is on record, of single multipliers under white-box attack."""
    paths = [*sorted((RECORDS / "studies").glob("*.parquet")), *sorted(SUBMITTED.glob("*.parquet"))]
    return [
        cell
        for path in paths
        for cell in read_cells(path)
        if cell.settings.threat_model == "whitebox"
        and cell.settings.gradient == "float32"
        and cell.settings.images >= LEAST_IMAGES["suite" if cell.broken_by else "single"]
        and cell.settings.norm == "linf"
        and 0.0 in cell.settings.budgets
    ]


def networks(board: dict[str, Entry]) -> Iterator[str]:
    """For each network on record a table, best robust accuracy first."""
    by_network: dict[str, dict[tuple[object, ...], list[Cell]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for cell in cells():
        one = cell.settings
        if one.lut_sha256 in board:
            same = (
                one.attack,
                one.weights_sha256,
                one.data_sha256,
                str(one.quantisation),
                one.layers,
            )
            by_network[one.network][same].append(cell)
    for network in (*TITLES, *sorted(by_network.keys() - TITLES.keys())):
        groups = by_network[network].values()
        suites = [group for group in groups if group[0].broken_by]
        single = [group for group in groups if not group[0].broken_by]
        for number, judged in enumerate(filter(None, (suites, single))):
            best = max(judged, key=_weight)
            title = TITLES.get(network, network)
            yield _network(f"{title}, single attack" if number else title, best, board)


def _flags(cell: Cell, eps: float) -> str:
    return cell.correct[cell.settings.budgets.index(eps)]


def _network(title: str, found: Sequence[Cell], board: dict[str, Entry]) -> str:
    by_table = {cell.settings.lut_sha256: cell for cell in found}
    (accurate,) = [cell for cell in by_table.values() if cell.label == "ACC"]
    shared = set.intersection(*(set(cell.settings.budgets) for cell in by_table.values())) - {0.0}
    half = _flags(accurate, 0.0).count("1") / 2
    eps = min(sorted(shared), key=lambda one: abs(_flags(accurate, one).count("1") - half))
    others = [cell for cell in by_table.values() if cell is not accurate]
    pairs = [
        paired_difference(_flags(accurate, budget), _flags(cell, budget))
        for cell in others
        for budget in (0.0, eps)
    ]
    adjusted = iter(zip(pairs, holm([pair.p_value for pair in pairs]), strict=True))
    marks = {
        (cell.settings.lut_sha256, budget): _difference(*next(adjusted))
        for cell in others
        for budget in (0.0, eps)
    }
    ranked = sorted(by_table.values(), key=lambda cell: -_flags(cell, eps).count("1"))
    rows = [
        [
            board[cell.settings.lut_sha256].label,
            _interval(_flags(cell, 0.0)), marks.get((cell.settings.lut_sha256, 0.0), ""),
            _interval(_flags(cell, eps)), marks.get((cell.settings.lut_sha256, eps), ""),
        ]
        for cell in ranked
    ]  # fmt: skip
    attack = attack_title(accurate.settings.attack, "linf")
    headings = ("multiplier", "clean %", "points", f"{attack}, eps {eps:g}, %", "points")
    return (
        f"## {title}\n\n{accurate.settings.images:,} images, white-box, weights "
        f"`{accurate.settings.weights_sha256[:12]}`, images `{accurate.settings.data_sha256[:12]}`. "
        "In brackets the Wilson 95 % interval; points are the difference from ACC on the same images, "
        "▲ or ▼ where it is more than chance explains (exact McNemar, Holm over this table).\n\n"
        f"{_table(headings, rows)}"
    )


def _interval(flags: str) -> str:
    one = proportion(flags.count("1"), len(flags))
    return f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"


def _difference(pair: Any, adjusted: float) -> str:
    mark = "" if adjusted >= LEVEL else " ▲" if pair.value > 0 else " ▼"
    return f"{100 * pair.value:+.1f}{mark}"


_HEAD = """# Leaderboard

Written by `python scripts/build_leaderboard.py` from the records in `docs/records`; edit those or the
script, never this page. [The labels](glossary.md#labels-of-multipliers) are in the glossary.

A row is a *table of products*, named by its SHA-256: two circuits with the same table are the same
multiplier to a network, whatever their gates.

**Read with care.** A rank under one attack at one budget is no claim of robustness: an attack may fail
for its own reasons. [Judging a claim](tutorials/claim.md) says what one needs, and
[results](results.md#is-the-gain-robustness) what remains of these gains."""

_TAIL = """## Submit your own

Three files, made by the commands below with your multiplier in the place of `mul.v[wrap]`. MNIST's
test set is looked for in `AXHIL_DATA`, or fetched with `--download`; the library is
[IHP's SG13G2](cost.md#libraries).

```sh
axhil convert "mul.v[wrap]" NAME.npz
axhil eval lenet5 --data mnist -m exact -m "mul.v[wrap]" --images 1000 --attack bim --norm linf --eps 0,0.1
axhil study export out NAME.parquet
axhil cost "mul.v[wrap]" --liberty sg13g2_typ.lib.gz --network lenet5 --json > NAME.json
```

`NAME.npz` is the table with the hash of your Verilog, `NAME.parquet` a flag per image, and `NAME.json`
the cost. Put them into `docs/records/leaderboard/`, run `python scripts/build_leaderboard.py`, and open a
pull request, or attach them to [an issue](https://github.com/axhil/axhil/issues/new/choose). Also say
where the Verilog is published, so that others can simulate it and compare the hash. A record with
another hash of weights or images is not comparable and not shown.

`mul8u_BA5` is such a submission: the example of [the ten-minute page](tutorials/my-verilog.md).
"""


def page() -> str:
    """The whole page."""
    board = entries()
    return "\n\n".join([_HEAD, f"## Hardware\n\n{hardware(board)}", *networks(board), _TAIL])


def main() -> None:
    """Write the page, or compare it."""
    text = page()
    if sys.argv[1:] != ["--check"]:
        TARGET.write_text(text)
    elif not TARGET.is_file() or TARGET.read_text() != text:
        sys.exit("leaderboard.md is not what the records say: run scripts/build_leaderboard.py")


if __name__ == "__main__":
    main()
