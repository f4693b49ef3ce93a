# SPDX-License-Identifier: Apache-2.0
"""Write docs/retraining.md from the records of `measure_retraining` and `measure_adversarial`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from axhil.report.markdown import markdown_table
from axhil.report.table import Table, rows_of
from axhil.report.titles import network_title
from axhil.study.statistics import holm, paired_difference, proportion

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORDS = DOCS / "records"
METHODS = {
    "before": "before",
    "bias correction": "bias corrected",
    "float32": "retrained, straight-through",
    "slope:16": "retrained, slope:16",
}
ACCURACIES = {
    "LeNet-5": "accuracy_lenet5_mnist_test.json",
    "ResNet-20": "accuracy_resnet20_cifar10_test.json",
}

TEMPLATE = """\
# Retraining

A network that was trained in float does not know its multiplier. Most of what a coarse multiplier
costs comes back when the weights are trained through it ([labels and terms](glossary.md)):

```sh
axhil retrain lenet5 -m "drum(3)"                              # out/lenet5_retrained.safetensors
axhil accuracy lenet5 -m "drum(3)" --weights out/lenet5_retrained.safetensors
axhil retrain resnet20 -m your_mul.v --gradient slope:16 --epochs 2
axhil retrain lenet5 -m "conv*=drum(3)" --scales calibrated    # by layer
axhil retrain lenet5 -m "drum(3)" --attack "pgd(steps=5,rel_step=0.3)" --eps 0.1
```

The loop is that of `axhil train`: one-cycle SGD with augmentation, a checkpoint after every epoch,
so that a killed run goes on and ends with the same bits. By default it is two epochs at a tenth of
the network's own peak learning rate (`--epochs`, `--peak-lr`, `--images`).

* **Forward**, weights are quantised and every product is the multiplier's, as after conversion.
  Batch norms see these sums and adapt.
* **Backward**, `--gradient float32` (or `bfloat16`) is straight-through: the gradient of the float
  convolution of what the codes stand for. `--gradient slope:H` takes the table's own secants over
  H codes to either side, along the activation for what is passed on and along the weight for the
  weights, after C. Meng et al., DATE 2025, who smooth a multiplier before they differentiate it.
  Singular terms of the slope below 1/256 of the largest are left out.
* **Scales** of activations are learned, by the gradient of S. K. Esser et al., "Learned step
  size quantization", ICLR 2020; or, with `--scales calibrated`, set anew after each epoch by what
  enters the layers then.
* **The file** holds float weights under the network's own keys and `activation_range` of each
  layer, two numbers; every command takes it by `--weights`. The record beside it says how it was
  made, with the accuracy on the test images before and after, intervals, McNemar's test and a
  digit for each image. What the float network of these weights does means nothing: it was not
  trained to be one.

From Python: `axhil.study.retraining.retrain`, over `axhil.emulation.trainable.TrainableNetwork`.

## Bias correction

Before any training, much of what a multiplier costs may be one number for each channel: the mean
error of its products. `--bias-correction` of `accuracy`, `eval` and `plan`, `bias_correction =
true` of a study's quantisation, `convert(..., bias_correction=True)` in Python take it off the
bias that a layer adds in float anyway. It is measured on the calibration images, layer by layer,
each behind the layers that are corrected already.

{bias}

Accuracy in %, the number of test images behind each label, with Wilson 95 % intervals; p of the
exact McNemar test between the two, Holm-corrected over a network's multipliers.

For DRUM and scaleTRIM there is little to gain: no difference is beyond chance.
What it does for a multiplier whose errors do not cancel is in the next table: of the truncated
array's loss it takes back most on LeNet-5. It can also do harm. Under the broken array, products
shrink and with them all activations, so that a mean that is right again stands beside sums that
are too small.

## Before and after

{retraining}

DRUM(3) is the catalogue's; [`mul_truncated.v`](examples/mul_truncated.v) leaves out an array's
lowest T columns in two's complement, [`mul_broken_array.v`](examples/mul_broken_array.v) the first
H rows and the lowest V columns of an unsigned array in a sign-magnitude wrapper. {circuits}

{settings}

Published, for comparison: C. Meng et al. (DATE 2025) retrain a ResNet-18 on CIFAR-10 with
EvoApproxLib's mul8u_17C8 from 12.48 % to 91.80 % by the straight-through estimator and to 92.29 %
by the gradient of the table. The set-ups differ: their network has 11 million parameters to
ResNet-20's 0.27 million and uses the original CIFAR-10, ours JPEG images of quality 75; their
codes are unsigned with zero points, ours signed (unsigned circuits are taken
[likewise](concepts/quantisation.md#other-operands)). Ours
retrain for {effort}.

## Adversarial training

`--attack` turns each batch into an attacked one first, against the network of the moment with its
approximate products (A. Madry et al., ICLR 2018). `--eps` is its budget and `--norm` its norm.

{adversarial}
"""


def main() -> None:
    """Write the page."""
    found = {
        network: json.loads(path.read_text())
        for network in ("lenet5", "resnet20")
        if (path := RECORDS / f"retraining_{network}.json").is_file()
    }
    page = TEMPLATE.format(
        bias=bias(),
        retraining=retraining(found),
        circuits=circuits(found),
        settings=settings(found),
        effort=effort(found),
        adversarial=adversarial(),
    )
    (DOCS / "retraining.md").write_text(page)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(Table("", tuple(headings), rows_of(rows)))


def _percent(flags: str) -> str:
    share = proportion(flags.count("1"), len(flags))
    return f"{100 * share.value:.2f} ({100 * share.low:.2f} to {100 * share.high:.2f})"


def _p(value: float) -> str:
    return f"{value:.2g}"


def bias() -> str:
    """The paper's seven with and without corrected biases."""
    rows: list[list[str]] = []
    for title, name in ACCURACIES.items():
        plain, corrected = (
            {row["label"]: row["correct"] for row in json.loads(path.read_text())["rows"]}
            for path in (RECORDS / name, RECORDS / "bias_correction" / name)
        )
        images = len(corrected["ACC"])  # fewer are the first of all
        plain = {label: flags[:images] for label, flags in plain.items()}
        labels = [label for label in plain if label != "float"]
        tests = holm([paired_difference(plain[one], corrected[one]).p_value for one in labels])
        for label, p in zip(labels, tests, strict=True):
            rows.append(
                [
                    f"{title}, {label}, {images:,}",
                    _percent(plain[label]),
                    _percent(corrected[label]),
                    _p(p),
                ]
            )
    return _table(
        ["network, multiplier, images", "as converted", "bias corrected", "p (Holm)"], rows
    )


def retraining(found: dict[str, dict[str, Any]]) -> str:
    """Each circuit before and after, and what each step has gained."""
    rows: list[list[str]] = []
    for network, record in found.items():
        flags = {(one["circuit"], one["method"]): one["correct"] for one in record["rows"]}
        for name in ("float", "exact"):
            rows.append([f"{network_title(network)}, {name}", _percent(flags[name, ""])])
            rows[-1] += [""] * (len(METHODS) - 1)
        for circuit in dict.fromkeys(one for one, method in flags if method == "before"):
            shown = circuit.rpartition("/")[2]
            cells = [
                _percent(flags[circuit, method]) if (circuit, method) in flags else "not measured"
                for method in METHODS
            ]
            rows.append([f"{network_title(network)}, {shown}", *cells])
    return _table(["accuracy, %", *METHODS.values()], rows)


def circuits(found: dict[str, dict[str, Any]]) -> str:
    """What retraining gains over the better of no training, and slope over straight-through."""
    sentences = []
    for network, record in found.items():
        flags = {(one["circuit"], one["method"]): one["correct"] for one in record["rows"]}
        names = [one for one, method in flags if method == "slope:16"]
        pairs = [paired_difference(flags[one, "float32"], flags[one, "slope:16"]) for one in names]
        adjusted = holm([one.p_value for one in pairs])
        shown = ", ".join(
            f"`{name.rpartition('/')[2]}` {100 * pair.value:+.2f} points (p {_p(p)})"
            for name, pair, p in zip(names, pairs, adjusted, strict=True)
        )
        if shown:
            sentences.append(
                f"On {network_title(network)} the slope gains over straight-through: {shown}."
            )
    return " ".join([*sentences, "p of exact McNemar tests, Holm-corrected over a network."])


def effort(found: dict[str, dict[str, Any]]) -> str:
    """How much was trained on."""
    return " and ".join(
        f"{record['recipe']['epochs']} epoch of {record['train_images']:,} images "
        f"({network_title(network)})"
        for network, record in found.items()
    )


def settings(found: dict[str, dict[str, Any]]) -> str:
    """How each network was retrained and tested."""
    lines = []
    for network, record in found.items():
        recipe = record["recipe"]
        lines.append(
            f"* {network_title(network)}: {recipe['epochs']} epoch of "
            f"{record['train_images']:,} training images in batches of {recipe['batch']}, peak "
            f"learning rate {recipe['peak_lr']:g}, learned scales; "
            f"{len(record['rows'][0]['correct']):,} images of {record['test']}; weights "
            f"`{record['weights_sha256'][:12]}`; `python scripts/measure_retraining.py {network} "
            f"docs/records/retraining_{network}.json`."
        )
    return "\n".join(lines)


def adversarial() -> str:
    """Robust accuracy under the adaptive suite, and paired tests."""
    path = RECORDS / "adversarial_lenet5.json"
    if not path.is_file():
        return "Not measured yet: `python scripts/measure_adversarial.py`."
    record = json.loads(path.read_text())
    rows = record["rows"]
    count = len(rows["exact"]["robust"])
    main_table = _table(
        ["LeNet-5", "clean, %", f"robust at eps {record['eps']:g}, %"],
        [[name, _percent(one["clean"]), _percent(one["robust"])] for name, one in rows.items()],
    )
    pairs = {
        "exact: adversarial training": ("exact", "exact, adversarial"),
        "DRUM(3): adversarial training": ("drum(3)", "drum(3), adversarial"),
        "adversarially trained: DRUM(3) against exact": (
            "exact, adversarial",
            "drum(3), adversarial",
        ),
    }
    tests = [
        paired_difference(rows[first]["robust"], rows[second]["robust"])
        for first, second in pairs.values()
    ]
    adjusted = holm([one.p_value for one in tests])
    paired = _table(
        ["robust accuracy", "points", "gained", "lost", "p (Holm)"],
        [
            [name, f"{100 * one.value:+.2f}", str(one.gained), str(one.lost), _p(p)]
            for name, one, p in zip(pairs, tests, adjusted, strict=True)
        ],
    )
    how = record["trained"]["adversarial_exact"]
    return (
        f"{main_table}\n\n{paired}\n\nAdaptive suite ([attacks](attacks.md)), L-inf, {count:,} "
        f"images of {record['data']}: an image is robust only if it survives every member. Trained "
        f"on {how['train_images']:,} images for {how['recipe']['epochs']} epochs under "
        f"`{how['attack']}` at eps {how['eps']:g}."
    )


if __name__ == "__main__":
    main()
