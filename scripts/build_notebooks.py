# SPDX-License-Identifier: Apache-2.0
"""Write the notebooks of docs/notebooks as pages of the site, with the outputs they hold.

python scripts/build_notebooks.py           write them
python scripts/build_notebooks.py --check   exit 1 if they are not what the notebooks hold
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
FORGE = "https://github.com/axhil/axhil/blob/main/docs/notebooks"


def page(path: Path) -> Iterator[tuple[Path, bytes]]:
    """A notebook as Markdown, and its pictures beside it.

    Args:
        path: of the notebook, as it was run.

    Yields:
        Files and what is in them.
    """
    heading, *cells = nbformat.read(path, as_version=4).cells
    parts = [heading.source, f"A notebook to read here, or [to run]({FORGE}/{path.name})."]
    for cell in cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(_fenced("py", cell.source))  # not "python": the notebook itself is run
        if printed := "".join(one.text for one in cell.outputs if one.output_type == "stream"):
            parts.append(_fenced("text", printed.rstrip("\n")))
        for drawing in _drawings(cell):
            file = path.with_name(f"{path.stem}_{sum('![' in part for part in parts)}.png")
            yield file, drawing
            parts.append(f"![{cell.metadata['alt']}]({file.name})")
    yield path.with_suffix(".md"), ("\n\n".join(parts) + "\n").encode()


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _drawings(cell: Any) -> Iterator[bytes]:
    for one in cell.outputs:
        if one.output_type == "display_data":
            yield base64.b64decode(one.data["image/png"])


def main() -> None:
    """Write the pages, or compare them."""
    wrong = []
    for notebook in sorted(FOLDER.glob("*.ipynb")):
        for path, content in page(notebook):
            if sys.argv[1:] != ["--check"]:
                path.write_bytes(content)
            elif not path.is_file() or path.read_bytes() != content:
                wrong.append(f"{path.name} is not what {notebook.name} holds")
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
