# SPDX-License-Identifier: Apache-2.0
"""The parts of docs/results.md that come from studies: docs/records/studies/*.parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from axhil.attacks import attack_title
from axhil.hwsim import PAPER_MULTIPLIERS, golden
from axhil.hwsim.cost import CostRecord
from axhil.hwsim.multipliers import Tabulated
from axhil.report.claims import judge, judge_clean
from axhil.report.figures.curves import robustness_figure
from axhil.report.figures.pareto import pareto_figure
from axhil.report.figures.saving import small_png
from axhil.report.findings import caution, finding
from axhil.report.fronts import fronts
from axhil.report.markdown import markdown_table, plain, report_markdown
from axhil.report.provenance import seconds_beside_the_papers
from axhil.report.table import Entry, Table, rows_of
from axhil.report.titles import network_title
from axhil.study.results import Results
from axhil.study.spec import read_spec
from axhil.study.statistics import PairedDifference, holm, paired_difference, proportion
from axhil.study.storage.cells import Cell
from axhil.study.storage.store import read_cells

DOCS = Path(__file__).parent.parent / "docs"
RECORDS = DOCS / "records" / "studies"
RUNS = DOCS / "records" / "runs.json"
PAPER = ("paper_lenet5", "lenet5_1000", "paper_resnet50", "paper_vgg19")
"""The paper's attacks and norms, all of them."""
WHITE_BOX = (*PAPER, "cifar10_1000")
TEST_SETS = tuple(
    DOCS / "records" / f"accuracy_{name}_test.json"
    for name in ("lenet5_mnist", "resnet20_cifar10", "resnet50_cifar10", "vgg19_cifar10")
)
STRONGEST = ("lenet5_1000", "lenet5_transfer", "lenet5_slope")
UNDER_SUITES = (
    "lenet5_adaptive",
    "lenet5_multipliers",
    "lenet5_adaptive_l2",
    "resnet20_adaptive",
    "resnet50_adaptive",
    "vgg19_adaptive",
)
"""Where an image has to survive every attack, at several budgets."""
SUITES = (*UNDER_SUITES, "lenet5_smallest")
TRANSFERS = ("lenet5_transfer", "cifar10_transfer")
"""Where images are made on another network."""
NETWORKS = ("lenet5", "resnet20", "resnet50", "vgg19")
EXTRA = {
    "examples": "Adversarial examples, and what each network says",
    "staircase": "Robust accuracy over eps, and what products have of a growing pixel",
}
"""Pictures that records alone do not make: those of the studies that have them."""
Point = tuple[str, str, str, float]
"""Multiplier, attack, norm, eps."""


def costs_of(network: str) -> CostRecord | None:
    """What the seven cost: on a network's own operands where these were traced."""
    paths = (DOCS / "records" / f"cost_{name}.json" for name in (network, "signed"))
    path = next((one for one in paths if one.is_file()), None)
    return None if path is None else CostRecord.from_file(path)


def studies(names: tuple[str, ...] = WHITE_BOX) -> dict[str, list[Results]]:
    """The recorded studies by name, each by network and threat model."""
    found: dict[str, list[Results]] = {}
    for name in names:
        path = RECORDS / f"{name}.parquet"
        if not path.is_file():
            continue
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in read_cells(path):
            key = (cell.settings.network, cell.settings.threat_model)
            groups.setdefault(key, []).append(cell)
        found[name] = [
            Results(
                network=network,
                threat_model=threat_model,
                cells=tuple(cells),
                planned=sum(len(cell.settings.budgets) for cell in cells),
                costs=costs_of(network),
            )
            for (network, threat_model), cells in groups.items()
        ]
    return found


def _title(name: str) -> str:
    return read_spec(DOCS.parent / "studies" / f"{name}.toml").title


def reports() -> dict[Path, str]:
    """The full report of every study, by the file it goes to."""
    found = {}
    for name, results in studies((*WHITE_BOX, *STRONGEST[1:], TRANSFERS[1], *SUITES)).items():
        pictures = {
            f"{one.title}: robust accuracy over eps; bands are Wilson 95 % intervals": (
                f"{_stem(one, results)}.png"
            )
            for one in results
        }
        for stem, caption in EXTRA.items():
            if (DOCS / "studies" / name / f"{stem}.png").is_file():
                pictures[caption] = f"{stem}.png"
        pictures["Error of every product of the multipliers"] = "../../figures/tables.png"
        file = f"../../records/studies/{name}.parquet"
        text = report_markdown(
            results, title=_title(name), pictures=pictures, records=f"[{name}.parquet]({file})"
        )
        found[DOCS / "studies" / name / "report.md"] = text
    return found


def draw() -> None:
    """Draw the curves of every study anew, with few colours: the files are in the repository."""
    for name, results in studies((*WHITE_BOX, *STRONGEST[1:], TRANSFERS[1], *SUITES)).items():
        for one in results:
            path = DOCS / "studies" / name / f"{_stem(one, results)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            figure = robustness_figure(one.records, title=f"{one.title}, {one.images:,} images")
            figure.savefig(buffer, format="png", dpi=130)
            # Without k-means the thin lines' colours fall to the many tints of the bands.
            drawn = Image.open(buffer).convert("RGB")
            drawn.quantize(256, kmeans=3).save(path, optimize=True)


PARETO = {"lenet5": "lenet5_1000", "resnet50": "cifar10_1000"}
"""By network: the study whose accuracy stands over cost."""


def draw_fronts() -> None:
    """Draw accuracy and error over cost, with few colours."""
    tables = tuple(Tabulated(str(one), one.label, golden(one)) for one in PAPER_MULTIPLIERS)
    for network, name in PARETO.items():
        (one,) = (one for one in studies((name,))[name] if one.network == network)
        assert one.costs is not None
        title = f"{one.title}, {one.images:,} images; {one.costs.target}"
        figure = pareto_figure(fronts(replace(one, tables=tables)), title=title)
        (DOCS / "figures" / f"pareto_{network}.png").write_bytes(small_png(figure))


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[Entry | str]], *, align: str = ""
) -> str:
    return markdown_table(Table("", tuple(headings), rows_of(rows), align=align))


def _whose(one: Results, results: list[Results]) -> str:
    """The network, where a study has several."""
    return "" if len(results) == 1 else f"**{network_title(one.network)}**: "


def _data(name: str, one: Results, results: list[Results]) -> str:
    return _title(name) + ("" if len(results) == 1 else f": {network_title(one.network)}")


def _stem(one: Results, results: list[Results]) -> str:
    return "robustness" if len(results) == 1 else f"robustness_{one.stem}"


def findings() -> str:
    """What each study found, in the sentences of its own report, with its figure."""
    parts = []
    for name, results in studies().items():
        parts.append(
            f"### {plain(_title(name))}\n\n`studies/{name}.toml`, "
            f"[full report](studies/{name}/report.md)"
        )
        parts += [
            f"{_whose(one, results)}{plain(finding(one.comparisons, one.reference))} "
            f"{plain(caution(one.records, one.comparisons))}"
            for one in results
        ]
        parts += [
            f"![{one.title}: robust accuracy over eps](studies/{name}/{_stem(one, results)}.png)"
            for one in results
        ]
    return "\n\n".join(parts)


def timing() -> str:
    """Table IV beside the paper's."""
    every = [one for results in studies(PAPER).values() for one in results]
    return markdown_table(seconds_beside_the_papers(every)) if every else ""


def wall_times() -> str:
    """How long the commands took, as recorded when they ran."""
    runs: list[dict[str, Any]] = json.loads(RUNS.read_text())["runs"] if RUNS.is_file() else []
    rows = [
        (Entry(r["command"], code=True), f"{r['minutes']:.1f}", str(r["conditions"])) for r in runs
    ]
    return _table(("command", "minutes", "conditions"), rows) if rows else ""


def claims() -> str:
    """The paper's claims, against the whole test sets and study by study."""
    from_tests = [
        (
            v.claim,
            f"{network_title(body['network'])}, {body['images']:,} test images, no attack",
            Entry(v.outcome, mark="strong"),
            v.evidence,
        )
        for body in (json.loads(path.read_text()) for path in TEST_SETS if path.is_file())
        for v in judge_clean({r["label"]: r["correct"] for r in body["rows"] if r["lut_sha256"]})
    ]
    from_studies = [
        (v.claim, _data(name, one, results), Entry(v.outcome, mark="strong"), v.evidence)
        for name, results in studies().items()
        for one in results
        for v in judge(one)
    ]
    order = list(dict.fromkeys(row[0] for row in (*from_studies, *from_tests)))
    rows = sorted((*from_tests, *from_studies), key=lambda row: order.index(row[0]))
    return _table(("the paper says", "data", "here", "the numbers"), rows, align="llll")


def _flags(results: Results) -> dict[Point, str]:
    return {
        (r.cell.label, r.cell.settings.attack, r.cell.settings.norm, r.eps): r.correct
        for r in results.records
    }


def gradient_of(one: Results) -> str:
    """Whose gradient an attack follows."""
    return one.threat_model if one.gradient == "float32" else one.gradient


@dataclass(frozen=True)
class Gradients:
    """The same images attacked with several gradients.

    Attributes:
        flags: by gradient, the flags of every multiplier at every setting.
        points: attack settings of the accurate multiplier that all of them have.
        pairs: multiplier and setting, what is compared with the accurate one.
        white: these differences under each network's own straight-through gradient.
        strong: the same where an image has to survive every gradient.
    """

    flags: dict[str, dict[Point, str]]
    points: list[Point]
    pairs: list[tuple[str, Point]]
    white: list[PairedDifference]
    strong: list[PairedDifference]

    def worst(self, label: str, point: Point) -> str:
        """Flags of what survives every gradient."""
        rows = [one[label, *point[1:]] for one in self.flags.values()]
        return "".join("1" if set(column) == {"1"} else "0" for column in zip(*rows, strict=True))


def gradients() -> Gradients | None:
    """Every multiplier under four gradients; None before all of them are recorded."""
    found = [one for results in studies(STRONGEST).values() for one in results]
    flags = {gradient_of(one): _flags(one) for one in found}
    if len(flags) < 4:
        return None
    points = [
        key
        for key in flags["whitebox"]
        if key[0] == "ACC" and key[3] > 0 and all(key in one for one in flags.values())
    ]
    pairs = [(label, point) for point in points for label in found[0].labels if label != "ACC"]
    own = flags["whitebox"]
    white = [paired_difference(own[point], own[label, *point[1:]]) for label, point in pairs]
    made = Gradients(flags, points, pairs, white, [])
    strong = [
        paired_difference(made.worst("ACC", point), made.worst(label, point))
        for label, point in pairs
    ]
    return replace(made, strong=strong)


def strongest() -> str:
    """Every multiplier under the strongest of four gradients, image by image."""
    found = gradients()
    if found is None:
        return ""
    points, pairs = found.points, found.pairs
    white, strong = found.white, found.strong
    labels = list(dict.fromkeys(label for label, _ in pairs))
    images = white[0].samples
    adjusted = [holm([one.p_value for one in family]) for family in (white, strong)]
    rows = []
    for label in labels:
        own = [i for i, (other, _) in enumerate(pairs) if other == label]
        row = [label]
        for family, p in zip((white, strong), adjusted, strict=True):
            best = max(own, key=lambda i: family[i].value)
            _, attack, norm, eps = pairs[best][1]
            row += [
                f"{100 * family[best].value:+.1f}",
                f"{attack_title(attack, norm)}, eps {eps:g}",
                f"{sum(p[i] < 0.05 and family[i].value > 0 for i in own)} of {len(own)}",
                f"{sum(p[i] < 0.05 and family[i].value < 0 for i in own)} of {len(own)}",
            ]
        rows.append(row)
    headings = (
        "against ACC", "white box: largest gain", "at", "gains that survive", "losses that survive",
        "strongest of four: largest gain", "at", "gains that survive", "losses that survive",
    )  # fmt: skip
    curve = [point for point in points if point[1:3] == ("pgd", "linf")]
    headings_2 = ["PGD L∞", *(f"eps {point[3]:g}" for point in curve)]
    rows_2: list[list[Entry | str]] = []
    for label in ("ACC", "DR3"):
        for name, one in found.flags.items():
            shares = [proportion(one[label, *p[1:]].count("1"), images) for p in curve]
            rows_2.append([f"{label}, {name}", *(f"{100 * share.value:.1f}" for share in shares)])
        shares = [proportion(found.worst(label, p).count("1"), images) for p in curve]
        texts = (f"{label}, all four", *(f"{100 * share.value:.1f}" for share in shares))
        rows_2.append([Entry(text, mark="strong") for text in texts])
    return (
        _table(headings, rows)
        + f"\n\n{len(points)} attack settings in common, {images:,} images; exact McNemar "
        f"test, Holm's correction over each family of {len(pairs)}.\n\n"
        + _table(headings_2, rows_2)
    )


def departures() -> list[str]:
    """What the paper's claims of robustness come to, counted study by study."""
    small: list[str] = []
    large: list[str] = []
    worst: list[str] = []
    for name, results in studies().items():
        for one in results:
            attacked = [c for c in one.comparisons if not c.clean]
            survive = sum(c.survives for c in attacked)
            where = f"`{name}`{'' if len(results) == 1 else f' ({network_title(one.network)})'}"
            counted = f"{survive:,} of {len(attacked):,} in {where}"
            (small if one.images <= 64 else large).append(counted)
            own = [c for c in attacked if c.record.cell.label == "DR3" and c.survives]
            more = sum(c.difference.value > 0 for c in own)
            worst.append(f"{more:,} above and {len(own) - more:,} below in {where}")
    return [
        "* **Robust gains**: the paper's accuracies move in steps of 1.56 and 2 points, single "
        f"images of 64 and 50. Differences under attack that survive at its numbers of images: "
        f"{', '.join(small) or 'not run'}; with 1,000 images: {', '.join(large) or 'not run'}. One "
        "image more or less is no gain; more images show which are.",
        "* **DR3 as the worst**: so it is on clean CIFAR-10 images. Under attack its surviving "
        f"differences from ACC are {', '.join(worst)}.",
    ]


def reproducibility() -> str:
    """What jobs, threads and batch size change."""
    path = DOCS / "records" / "reproducibility.json"
    if not path.is_file():
        return ""
    body = json.loads(path.read_text())
    rows = [
        (
            r["network"],
            r["first"],
            r["second"],
            f"{r['evaluations']:,}",
            f"{r['flags']:,}",
            f"{r['changed']:,}",
        )
        for r in body["comparisons"]
    ]
    headings = ("network", "one run", "another", "evaluations", "flags", "flags that differ")
    return _table(headings, rows, align="lllrrr") + f"\n\n{plain(body['what'])}"
