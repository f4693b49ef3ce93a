# SPDX-License-Identifier: Apache-2.0
"""Inputs for `fuzz` that are folders: images by class, records of studies."""

from __future__ import annotations

import io
import itertools
import json
import struct
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from fuzz_case import NAMES, VALUES, Case, mutants, mutated


@cache
def _pictures() -> dict[str, bytes]:
    from PIL import Image

    gradient = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28).astype(np.uint8)
    found = {}
    for name, form, mode in (
        ("a.png", "PNG", "L"), ("a.jpg", "JPEG", "L"), ("a.webp", "WEBP", "RGB"), ("b.png", "PNG",
         "P"),
        ("c.png", "PNG", "RGBA"), ("b.jpg", "JPEG", "CMYK"), ("eps.png", "EPS", "L"), ("tiff.png",
         "TIFF", "L"),
        ("gif.png", "GIF", "L"), ("bmp.jpg", "BMP", "L"), ("ppm.png", "PPM", "L"), ("psd.jpg",
         "ICO", "RGBA"),
        ("d.png", "PNG", "1"), ("e.png", "PNG", "I;16"), ("pdf.png", "PDF", "L"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        image = Image.fromarray(gradient)
        image = (
            Image.fromarray(gradient.astype(np.uint16)) if mode == "I;16" else image.convert(mode)
        )
        image.save(buffer, form)
        found[name] = buffer.getvalue()
    found["svg.png"], found["empty.png"] = b"<svg/>", b""
    for side, name in ((2**31 - 1, "huge.png"), (9000, "bomb.png"), (5000, "large.png")):
        data = bytearray(found["a.png"])
        data[16:24] = struct.pack(">II", side, side)

        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        found[name] = bytes(data)
    return found


def images(random: Random) -> Iterator[Case]:
    """Folders of images."""
    command = ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir", "in")
    valid = _pictures()
    for name, data in itertools.chain(valid.items(), mutants(valid, random)):
        inside = {f"set/test/c{n}/{name}": data for n in range(2)}
        if random.random() < 0.5:
            inside["set/test/c0/a.png"] = valid["a.png"]
        if random.random() < 0.1:
            inside = {f"set/test/c{n}/a.png": valid["a.png"] for n in range(12)}
        yield Case("images", command, inside)


@cache
def result_files() -> dict[str, bytes]:

    from axhil.study.spec import StudySpec
    from axhil.study.storage.cells import Cell, CellSettings
    from axhil.study.storage.store import CellStore, write_cells

    settings = CellSettings(
        network="lenet5", weights_sha256="w" * 64, calibration="mnist5k[500]",
        quantisation={"weights": "tensor", "activations": "max", "batch_norm": "keep"},
        layers="all", data="mnist5k", data_sha256="d" * 64, images=4, multiplier="exact",
        lut_sha256="e" * 64, attack="fgsm", norm="linf", budgets=(0.0, 0.5),
        threat_model="whitebox", worst_iterate=False, gradient="float32", seed=0, batch=512,
    )  # fmt: skip
    environment = {"axhil": "1", "torch": "2", "device": "cpu", "threads": 1}
    cells = [
        Cell(
            replace(settings, multiplier=name),
            name,
            ("0111", "0010"),
            0.0,
            (),
            (1.0, 1.0),
            environment,
        )
        for name in ("exact", "drum(4)")
    ]
    body = StudySpec(name="s", networks=("lenet5",)).model_dump(mode="json")
    parts = [
        {
            "network": "lenet5",
            "threat_model": "whitebox",
            "cells": [one.settings.written() for one in cells],
        }
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = CellStore(folder / "s")
        for cell in cells:
            store.put(cell)
        write_cells(cells, folder / "all.parquet")
        found = {
            f"s/{path.relative_to(store.folder)}": path.read_bytes()
            for path in store.folder.rglob("*.*")
        }
        found["all.parquet"] = (folder / "all.parquet").read_bytes()
    found["s/study.json"] = json.dumps(
        {"format_version": 3, "study": body, "parts": parts}
    ).encode()
    return found


def records(random: Random) -> Iterator[Case]:
    """Folders of results: Parquet, the study's plan, the store's mark."""
    valid = result_files()
    while True:
        name = random.choice([*valid])
        files = {**valid, name: mutated(valid[name], random)}
        if name.endswith(".json") and random.random() < 0.7:
            body = json.loads(valid[name])
            place: Any = body
            while isinstance(place, dict | list) and place:
                keys: Sequence[Any] = [*place] if isinstance(place, dict) else range(len(place))
                key = random.choice(keys)
                if (
                    random.random() < 0.3
                    or not isinstance(place[key], dict | list)
                    or not place[key]
                ):
                    place[key] = random.choice((*VALUES, *NAMES))
                    break
                place = place[key]
            files[name] = json.dumps(body).encode()
        command = random.choice(
            (("study", "status", "in/s"), ("study", "diff", "in/s", "in/all.parquet"),
             ("study", "diff", "in/all.parquet", "in/all.parquet"), ("study", "report", "out/s"),
             ("study", "export", "in/s", "out/x.parquet"))
        )  # fmt: skip
        if "out/s" in command:  # a report lies beside what it is of
            files = {f"../out/{name}": content for name, content in files.items()}
        yield Case("records", command, files)
