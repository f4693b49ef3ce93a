# SPDX-License-Identifier: Apache-2.0
"""What a search found, as files: JSON, Markdown, picture, page, assignments."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers.assignment_file import write_layers
from axhil.hwsim.multipliers.find import located
from axhil.search.front import Found, Point
from axhil.study.storage.store import write_cells

from ..figures.pareto import pareto_figure
from ..figures.saving import save_figure
from ..html.page import search_page
from ..markdown import markdown_table, plain
from . import tables
from .fronts import described, front_rows

STEM = "front"


def write_found(found: Found, folder: Path, words: Mapping[str, str]) -> list[Path]:
    """Write everything into a folder; every file atomically, its bytes depending on `found` alone.

    There is `front.json` with all figures and flags, `front.md`, `front.png`, `front.svg`,
    `front.html`, `cells.parquet` with the trials on held-out images, `chosen.toml`, and for every
    point of the front a file like it in `assignments/`.

    Args:
        found: what to write.
        folder: need not exist.
        words: by a multiplier's name, how the user spelt it; files from the current folder.

    Returns:
        The paths, the page last.

    Raises:
        HwsimError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{STEM}.json", folder / f"{STEM}.md"]
    write_atomically(paths[0], (json.dumps(found.as_dict(), indent=1) + "\n").encode())
    write_atomically(paths[1], markdown(found).encode())
    figure = pareto_figure(front_rows(found), title=found.title.replace(", ", "\n"))
    paths += save_figure(figure, folder / STEM)
    paths.append(write_cells([one.held_out.cell for one in found.points], folder / "cells.parquet"))
    chosen = folder / "chosen.toml"
    for point in found.front:
        name = re.sub(r"[^\w.(),=-]+", "_", point.label)
        path = folder / "assignments" / f"{name}.toml"
        _write_assignment(found, point, path, words)
        paths.append(path)
    _write_assignment(found, found.chosen, chosen, words)
    page = folder / f"{STEM}.html"
    write_atomically(page, search_page(found).encode())
    return [*paths, chosen, page]


def markdown(found: Found) -> str:
    """The tables as a document."""
    parts = [f"# {plain(found.title)}", plain(tables.summary(found))]
    parts.append(f"![The front](<{STEM}.png>)")
    for table in tables.all_tables(found):
        parts += [f"## {plain(table.title)}", markdown_table(table)]
    return "\n\n".join([*parts, plain(tables.RULE)]) + "\n"


def _write_assignment(found: Found, point: Point, path: Path, words: Mapping[str, str]) -> None:
    """Layers of the exact choice are left out, as in the assignment, unless all are such."""
    here = Path(os.path.relpath(Path.cwd(), path.parent.resolve()))
    space = found.sensitivity.space
    layers = {
        layer: located(words.get(one.name, one.name), here)
        for layer in space.layers
        if not isinstance(one := point.assignment.at(layer), str) and one is not None
    }
    comment = f"{found.title}\n{described(found, point)}"
    write_layers(path, layers, comment=comment)
