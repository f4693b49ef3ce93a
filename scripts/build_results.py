# SPDX-License-Identifier: Apache-2.0
"""Write docs/results.md and docs/studies from the records in docs/records, and nothing else.

python scripts/build_results.py           write it
python scripts/build_results.py --check   exit 1 if it is not what the records say
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import claim_sections as claims
import cost_sections as costs
import robust_sections as robust
import study_sections as sections
from in_short import in_short
from speed_sections import speed

from axhil.report.markdown import markdown_table
from axhil.report.table import Table, rows_of
from axhil.study import paper
from axhil.study.statistics import holm, paired_difference

DOCS = sections.DOCS
RECORDS = DOCS / "records"
TARGET = DOCS / "results.md"
NETWORKS = {
    "lenet5": ("LeNet-5, MNIST", "accuracy_lenet5_mnist_test.json"),
    "resnet20": ("ResNet-20, CIFAR-10", "accuracy_resnet20_cifar10_test.json"),
    "resnet50": ("ResNet-50, CIFAR-10", "accuracy_resnet50_cifar10_test.json"),
    "vgg19": ("VGG-19, CIFAR-10", "accuracy_vgg19_cifar10_test.json"),
}
LABELS, PUBLISHED = paper.MULTIPLIERS, paper.CLEAN_ACCURACY


def _read(name: str) -> dict[str, Any] | None:
    path = RECORDS / name
    return json.loads(path.read_text()) if path.is_file() else None


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(Table("", tuple(headings), rows_of(rows)))


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def clean_accuracy() -> str:
    """Table III beside the paper's, with paired tests."""
    found = {name: _read(file) for name, (_, file) in NETWORKS.items()}
    headings = ["multiplier"]
    for name, (title, _) in NETWORKS.items():
        if found[name]:
            headings += [title, "95 % interval", *(["paper"] if name in PUBLISHED else [])]
    rows = []
    for label in ("float", *LABELS):
        row = ["float32" if label == "float" else label]
        for name, record in found.items():
            if record:
                (entry,) = [r for r in record["rows"] if r["label"] == label]
                low, high = _percent(entry["accuracy_low"]), _percent(entry["accuracy_high"])
                row += [_percent(entry["accuracy"]), f"{low} to {high}"]
                if name in PUBLISHED:
                    row.append("" if label == "float" else f"{PUBLISHED[name][label]:.2f}")
        rows.append(row)
    parts = [_table(headings, rows)]
    for name, record in found.items():
        if record:
            seconds = sum(r["seconds"] for r in record["rows"])
            parts.append(
                f"{NETWORKS[name][0]}: `axhil accuracy {name} --data "
                f"{record['data'].split('/')[0]}`, {record['images']:,} images, "
                f"{seconds:.0f} s on {record['threads']} threads "
                f"({record['device']}); calibrated on {record['calibration']}; weights "
                f"`{record['weights_sha256'][:12]}`; quantisation "
                + ", ".join(f"{k} {v}" for k, v in record["quantisation"].items())
                + "."
            )
    return "\n\n".join(parts)


def clean_differences() -> str:
    """Each multiplier against the accurate one on the same images."""
    rows = []
    for title, file in NETWORKS.values():
        record = _read(file)
        if not record:
            continue
        flags = {r["label"]: r["correct"] for r in record["rows"]}
        found = [paired_difference(flags["ACC"], flags[label]) for label in LABELS[1:]]
        for label, one, p in zip(
            LABELS[1:], found, holm([one.p_value for one in found]), strict=True
        ):
            verdict = "yes" if p < 0.05 else "no"
            rows.append(
                [
                    f"{title}, {label}",
                    f"{100 * one.value:+.2f}",
                    str(one.gained),
                    str(one.lost),
                    f"{p:.2g}",
                    verdict,
                ]
            )
    return _table(
        ["against ACC", "points", "gained", "lost", "p (Holm)", "significant at 5 %"], rows
    )


def departures() -> str:
    """Where our numbers differ from the paper's, as far as the reason can be known."""
    losses = []
    for name, (title, file) in NETWORKS.items():
        record = _read(file)
        if record and name in PUBLISHED:
            ours = {r["label"]: 100 * r["accuracy"] for r in record["rows"]}
            theirs = PUBLISHED[name]
            losses.append(
                f"{title.partition(',')[0]} {ours['DR3'] - ours['ACC']:+.2f} points here, "
                f"{theirs['DR3'] - theirs['ACC']:+.2f} there"
            )
    quantised = {
        tuple(body["quantisation"].values()): {r["label"]: r["accuracy"] for r in body["rows"]}
        for body in map(json.loads, (p.read_text() for p in (RECORDS / "quantisation").glob("*")))
        if body["network"] == "resnet50"
    }
    tensor = quantised.get(("tensor", "percentile", "keep"), {}).get("DR3")
    channel = quantised.get(("channel", "percentile", "keep"), {}).get("DR3")
    gain = (
        "on 1,000 images a scale per output channel instead of one per layer takes "
        f"ResNet-50's DR3 from {100 * tensor:.1f} to {100 * channel:.1f} %"
        if tensor and channel
        else "a scale per output channel is better for it"
    )
    return "\n".join(
        (
            f"* **Clean loss of DR3**: {'; '.join(losses)}. The paper's weights and ranges are not "
            "at hand. Two things are known to matter here: our CIFAR-10 networks are "
            f"under-trained, and {gain}.",
            *sections.departures(),
            "* **Single-step attacks**: FGSM at L∞ gets weaker as eps grows beyond what the "
            "network can tell apart; the reports warn of it, and those points say nothing of "
            "robustness.",
        )
    )


def quantisation_choices() -> str:
    """What the defaults were chosen from."""
    records = sorted((RECORDS / "quantisation").glob("*.json"))
    bodies = [json.loads(path.read_text()) for path in records]
    bodies.sort(key=lambda b: (b["network"], *b["quantisation"].values()))
    labels = list(dict.fromkeys(r["label"] for b in bodies for r in b["rows"]))
    rows = []
    for body in bodies:
        q = body["quantisation"]
        entries = {r["label"]: r["accuracy"] for r in body["rows"]}
        rows.append(
            [
                f"{body['network']}, weights per {q['weights']}, activations {q['activations']}, "
                f"batch norm {q['batch_norm']}",
                *(_percent(entries[label]) if label in entries else "" for label in labels),
            ]
        )
    count = bodies[0]["images"] if bodies else 0
    return (
        _table(["setting", *labels], rows)
        + f"\n\n{count:,} test images each; a 95 % interval is about ±2 points wide here."
    )


PAGE = """# Results

Written by `python scripts/build_results.py` from the records in `docs/records`; edit those or the
script, never this page. [Labels and terms](glossary.md) are in the glossary.

## In short

{in_short}

## Clean accuracy, %

{clean_accuracy}

The CIFAR-10 networks are under-trained for want of a GPU (15 and 10 epochs; the paper's reach
93.5 and 93.8 %), and CIFAR-10 here is a JPEG-recompressed copy. Read their columns for the order
and size of the losses, not for the level.

## Is any of them more robust?

An attack gives an upper bound on robust accuracy, so a single attack, however many images it is run
on, cannot show that a network is robust. [The adaptive suite](attacks.md#suites) is several attacks
along the gradients of four sources and one without a gradient, and an image counts only if it
survives all of them.

{survivors}

### Other networks, multipliers and norms

A survivor of the suite costs thousands of passes through the network, so these are of fewer images,
and at budgets where few are left.

{elsewhere}

### The smallest budget that breaks an image

{smallest}

The steps of DRUM(3) are the reason why one budget says so little. Between two of its codes a larger
budget gives the attacker nothing, and at the next one it gives more than was asked for.

Where the effect sits: with DRUM(3) in the first layer alone images bear more, with DRUM(3)
everywhere but there they bear less. The first layer rounds the perturbation away; the others only
add errors.

### Claims of three papers, network by network

{matrix}

The first five are of *Exploring DNN Robustness Against Adversarial Attacks Using Approximate
Multipliers* (arXiv 2404.11665); claims of robustness are judged by suites alone, whatever single
attacks showed. [Study by study](#the-papers-claims-one-by-one) they stand further down. The sixth
is of *Is Approximation Universally Defensive Against Adversarial Attacks in Deep Neural Networks?*
(Siddique and Hoque, DATE 2022), the last of *Defensive Approximation: Securing CNNs using
Approximate Computing* (Guesmi et al., ASPLOS 2021). Both are judged by their abstracts and on our
multipliers: theirs are others, of the latter in floating point.

Images that PGD (L∞) breaks on the network with the accurate multiplier, and that both get right
without an attack: of these so many fool the other network too, % with Wilson 95 % intervals.

{transferred}

### Our suite beside the reference implementation

{reference}

`python -m benchmarks.reference`: the standard version of pyautoattack and ours, on the same float
networks and images; akamaster is akamaster/pytorch_resnet_cifar10, its weights. Single images
at the boundary fall to the random starts of the one and not to those of the other.

## Which differences are more than chance

Paired on the same images: exact McNemar test, Holm-corrected over each network's six.

{clean_differences}

## The paper's experiment

{findings}

### The paper's claims, one by one

{claims}

Ranges after "between" are intervals of paired differences (Agresti and Min, 2005) that hold for all
comparisons of their claim at once, at 95 %.

### Is the gain robustness?

A multiplier that is robust in the white box may only hide its gradient: the attack follows the
float convolution's, straight-through, and the table's steps are not in it. So the same images were
attacked three times more: with the gradients of the network with the accurate multiplier, with
those of the one in float, and with the slope of each network's own table over 16 codes to either
side, the length of DRUM(3)'s longest step (`gradient = "slope:16"`). An image counts as robust if
it survives all four.

{strongest}

What survives all four is explained neither by the straight-through gradient nor by the steps that
it does not see. It is still no robustness: PGD with 50 small steps from one start is a weak attack
on a staircase, and what it leaves [the adaptive suite](#is-any-of-them-more-robust) breaks.

### Where ours differs from the paper, and why

{departures}

### Time

{timing}

Seconds of an evaluation are those of its thread; budgets computed together share them equally. All
but LeNet-5's at the paper's size ran beside other work, see the conditions below.

{wall_times}

## Reproducibility

{reproducibility}

## How the quantisation defaults were chosen

{quantisation_choices}

## What the multipliers cost

{hardware_cost}

[How figures are made](cost.md). Each is the least over all structures and scripts, so two of a row
may be of two netlists; delay and energy are without wires. ACC is `a * b` as `rtl/mul_exact.v` has
it. As unsigned cores the approximate ones save more than as signed ones, since an exact multiplier
in two's complement has no magnitudes to make.

The ranking changes with the operands. On uniform ones DR3 takes the least energy, and sT(3,0) and
DR4 less than an exact multiplier; on those of LeNet-5 DR3 takes the least still, 5 % less than an
exact one or 21 % with held weights; on those of ResNet-50 an exact one takes the least. All of this
holds for the Verilog in `rtl/`.
Operands are of 100 images; ResNet-50's are runs of 64 from each layer and image.

Differences of 5 to 10 % are within what synthesis scatters, and more of the delay: dropping one
clean-up before the mapping moved the area of sT(4,8) from +8 to +3 %. The scripts were chosen, for
all designs alike, because they lowered the minima of these very designs, and the best exact
multiplier is a minimum over more netlists than a row has.

The Verilog decides as well. DRUM was written with a leading-one position that a shifter takes
apart again, and all signed designs with signs around the unsigned core; now one priority chain
selects DRUM's segments, their product takes its sign before the last shift, and the exact one is
a product in two's complement. For scaleTRIM no way was found that saves much: its sum, wider than
DRUM's product, is shifted over twice the width either way.

{rewritten}

### Accuracy over cost

![LeNet-5: accuracy and error over cost](figures/pareto_lenet5.png)

![ResNet-50: accuracy and error over cost](figures/pareto_resnet50.png)

Studies `lenet5_1000` and `cifar10_1000` over the costs above. Filled and joined: non-dominated.
Dotted: the best exact multiplier. Bars are Wilson 95 % intervals.

### Beside what the papers of DRUM and scaleTRIM publish

{published}

The abstract of DRUM's paper (Hashemi, Bahar, Reda, ICCAD 2015) has power savings of 54 to 80 %, and
standard deviations of the relative error of 0.45 to 3.61 %, which at 16 bits are those of K = 8 and
K = 5. That of scaleTRIM's (Farahmand et al., arXiv 2303.02495) compares with other approximate
multipliers alone: an MRED lower by about 15.2 % under a constraint on efficiency, a power-delay
product lower by about 22.8 % under constraints on both. Neither paper's tables could be read for
this page, so their areas and delays do not stand here.

Why ours differ from these, or may:

* **Baseline.** It explains most. An array multiplier of 16 bits takes more than twice the energy of
  Dadda's tree, for its glitches, and against it DRUM saves about what is published; against the
  best of several structures DRUM(8) saves half as much. So with the delay, which the abstract calls
  shorter: than the array's it is. Which baseline theirs was the abstract does not say.
* **Width.** The part of a multiplier that DRUM leaves out grows with the square of the width, and
  what it adds, shifters and leading-one detectors, slower: at 16 bits it saves more than at 8.
* **Sign.** An unsigned exact multiplier has no wrapper to do without; signed ones of 8 bits, which
  networks use, save least.
* **Energy or power.** Ours is the energy of a product on uniform operands with inertial delays,
  from an open 130 nm library without wires. Theirs is power, of which the abstracts say neither the
  library nor the operands; at one rate of products it is in proportion to energy.

## Speed

{speed}
"""


def page() -> str:
    """The whole page."""
    return PAGE.format(
        in_short=in_short(),
        clean_accuracy=clean_accuracy(),
        clean_differences=clean_differences(),
        survivors=robust.survivors(),
        elsewhere=robust.elsewhere(),
        smallest=robust.smallest(),
        matrix=claims.matrix(),
        transferred=claims.transferred(),
        reference=robust.reference(),
        findings=sections.findings(),
        claims=sections.claims(),
        strongest=sections.strongest(),
        departures=departures(),
        timing=sections.timing(),
        wall_times=sections.wall_times(),
        reproducibility=sections.reproducibility(),
        quantisation_choices=quantisation_choices(),
        hardware_cost=costs.hardware_cost(),
        published=costs.published(),
        rewritten=costs.rewritten(),
        speed=speed(),
    )


if __name__ == "__main__":
    texts = {TARGET: page(), **sections.reports()}
    if "--check" in sys.argv[1:]:
        old = [path for path, text in texts.items() if path.read_text() != text]
        sys.exit(f"not what the records say: {', '.join(map(str, old))}" if old else 0)
    sections.draw()
    sections.draw_fronts()
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
