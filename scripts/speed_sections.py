# SPDX-License-Identifier: Apache-2.0
"""The part of docs/results.md on speed: docs/records/bench.json, as `make bench` writes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import study_sections as sections

from axhil.report.markdown import markdown_table
from axhil.report.table import Table, rows_of
from axhil.report.titles import plural

RECORD = sections.DOCS / "records" / "bench.json"
KERNELS = {
    "native_non_negative": "non-negative",
    "native_signed": "signed",
    "native_trained": "trained",
    "gather": "gather",
    "product": "product",
    "float32": "float32",
}
"""Columns of the record, and their headings."""
BESIDE_GATHER = ("native_non_negative", "native_signed")


def speed() -> str:
    """Whole networks and the kernels of ResNet-50, with every instruction set."""
    body: dict[str, Any] = json.loads(RECORD.read_text())
    memory = ", ".join(f"{k} {v / 2**20:,.0f} MiB" for k, v in body["peak_bytes"].items())
    threads = plural(body["networks"][0]["threads"], "thread")
    return "\n\n".join(
        (
            "Images a second forward, and rates as multiples of float32 in torch, forward and with "
            "the gradient of the input. Each instruction set is forced on the kernels and on "
            "torch, in one run; every row of a network was measured in turn with the others.",
            _networks(body["networks"]),
            f"The convolutions of ResNet-50, {body['kernel'][0]['batch']} images, one thread: a "
            "random table of full rank with non-negative and with signed activations, a nearly "
            "exact table with weights as trained ones lie, a plain gather, products without a "
            "table, and float32 in torch.",
            _kernels(body["kernel"]),
            f"`make bench` on {body['processor']}, {threads} a network, torch {body['torch']}. "
            f"Peak memory of `axhil accuracy`: {memory}. [What bounds it](speed.md).",
        )
    )


def _networks(rows: Sequence[dict[str, Any]]) -> str:
    sets = dict.fromkeys(row["isa"] for row in rows)
    headings = [f"{isa}: {one}" for isa in sets for one in ("images/s", "forward", "gradient")]
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(f"{row['network']}, {row['variant']}", []).extend(
            (
                f"{row['forward_images_per_s']:,.0f}",
                f"{row['forward_ratio']:.2f}",
                f"{row['gradient_ratio']:.2f}",
            )
        )
    return _table(["network, multiplier", *headings], [[name, *row] for name, row in found.items()])


def _kernels(records: Sequence[dict[str, Any]]) -> str:
    rows = []
    for record in records:
        if "seconds" not in record:  # a layer
            continue
        rate = record["products_per_second"]
        rows.append(
            [
                record["isa"],
                *(f"{rate[one] / 1e9:.1f}" for one in KERNELS),
                *(f"{rate[one] / rate['gather']:.1f}" for one in BESIDE_GATHER),
            ]
        )
    beside = [f"{KERNELS[one]} x gather" for one in BESIDE_GATHER]
    return _table(["10^9 products/s", *KERNELS.values(), *beside], rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(Table("", tuple(headings), rows_of(rows)))
