# SPDX-License-Identifier: Apache-2.0
"""The notebooks are committed with their outputs, and a run anew gives the same."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

# By a cell's tag: outputs that differ from one machine to the next.
VARIES = {"machine", "picture"}


def outputs(cell):
    """What a cell printed, and the kinds of what it showed."""
    printed = "".join(one.text for one in cell.outputs if one.output_type == "stream")
    shown = [sorted(one.data) for one in cell.outputs if one.output_type != "stream"]
    if VARIES & {*cell.metadata.get("tags", [])}:
        return re.sub(r"\d+", "0", printed), shown
    return printed, shown


def test_the_notebooks_are_there():
    assert [path.stem for path in NOTEBOOKS] == ["own_multiplier", "reading_a_study"]


@pytest.mark.sim
@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(path):
    committed = nbformat.read(path, as_version=4)
    again = nbformat.read(path, as_version=4)
    for cell in again.cells:
        cell.outputs = []
    NotebookClient(
        again, kernel_name="python3", timeout=60, resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    for before, after in zip(committed.cells, again.cells, strict=True):
        if before.cell_type == "code":
            assert outputs(after) == outputs(before), f"run: jupyter execute --inplace {path}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_once_from_top_to_bottom_and_says_nothing_of_the_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not re.search(r"/(?:home|root|tmp|Users|work)/|stderr|Traceback", path.read_text())
