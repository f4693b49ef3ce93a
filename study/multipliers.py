# SPDX-License-Identifier: Apache-2.0
"""From what the user typed to tables: names of the catalogue, or files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, Lut, Operand, golden

from .errors import StudyError


@dataclass(frozen=True)
class NamedLut:
    """A table under the name that records and figures use.

    Attributes:
        name: as written on the command line, e.g. ``scaletrim(4,8)``, or the file's stem.
        label: short form for figures, e.g. ``sT(4,8)``.
        lut: the table.
    """

    name: str
    label: str
    lut: Lut


def split_names(text: str) -> list[str]:
    """Split a comma-separated list whose items may hold commas in parentheses."""
    items, depth, current = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            items.append(current)
            current = ""
        else:
            current += character
    items.append(current)
    return [item.strip() for item in items if item.strip()]


def resolve(texts: Sequence[str] | None, *, folder: Path | None = None) -> list[NamedLut]:
    """Find the table of each multiplier.

    Args:
        texts: names of the catalogue, or paths of ``.npz`` tables; each may itself be a
            comma-separated list. None: the paper's seven.
        folder: where ``axhil lut`` wrote tables; None for the golden ones.

    Raises:
        StudyError: no multiplier, or one named twice.
        HwsimError: an unknown one, or a table that cannot be read.
    """
    names = [name for text in texts or () for name in split_names(text)]
    if texts is None:
        names = [str(multiplier) for multiplier in PAPER_MULTIPLIERS]
    if not names:
        raise StudyError("expected at least one multiplier, e.g. --multipliers 'exact,drum(4)'")
    found: list[NamedLut] = []
    for name in names:
        if name.endswith(".npz"):
            stem = Path(name).stem
            found.append(NamedLut(stem, stem, Lut.load(Path(name))))
            continue
        # The golden tables are of 8 bits; a folder may hold what only wider operands allow.
        widest = Operand(8 if folder is None else 16, signed=True)
        multiplier = Catalogued.parse(name, operand=widest)
        lut = golden(multiplier) if folder is None else Lut.load(folder / f"{multiplier.slug}.npz")
        found.append(NamedLut(str(multiplier), multiplier.label, lut))
    for index, one in enumerate(found):
        for other in found[:index]:
            if other.name == one.name:
                raise StudyError(f"the multiplier {one.name} is named twice")
            # Tables and figures tell multipliers apart by their labels.
            if other.label == one.label:
                raise StudyError(
                    f"{other.name} and {one.name} share the label {one.label}: rename the file"
                )
    return found
