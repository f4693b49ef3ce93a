# SPDX-License-Identifier: Apache-2.0
"""`axhil study`: a whole experiment from a file, resumable, on one machine or many."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axhil.hwsim.multipliers import NETWORKS
from axhil.study.errors import StudyError

from . import options as opt
from .console import Json, emit, out
from .multipliers import Luts

if TYPE_CHECKING:
    from axhil.study.storage.cells import Cell

app = typer.Typer(help="Run whole studies from TOML files, resumably.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="Study file, or the name of one of ours, e.g. quick.")]
Where = Annotated[Path, typer.Argument(help="Study file, or the folder of its results.")]
OutDir = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Of results; default: out/ and the study's name."),
]
CostFile = Annotated[
    Path | None,
    typer.Option(
        "--cost", metavar="RECORD", help="What `axhil cost --json` wrote; default: the study's own."
    ),
]


@app.command("run")
def run(
    file: File,
    out_dir: OutDir = None,
    luts: Luts = None,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    weights: opt.Weights = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=opt.MOST, help="Cells at a time.")] = None,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
    engine: opt.EngineOption = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster; default: one on this machine.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a study to its end; what is finished already is not computed again."""
    from axhil.study.spec import read_spec

    spec = read_spec(file)
    if address is not None and engine != "ray":
        raise StudyError("--address: for --engine ray")
    from axhil.study.engine.run import Machine

    from .evaluation import evaluate_study

    folder = out_dir or Path("out") / spec.name
    machine = Machine(
        request=replace(NETWORKS, luts=luts),
        data_dir=data_dir,
        download=download,
        weights=weights,
        threads=threads,
        jobs=jobs,
        device=opt.check_device(device),
        engine=engine,
        address=address,
    )
    results = evaluate_study(spec, folder, machine)
    if spec.search is not None:
        from .search import run_search

        run_search(spec, folder, machine)
    if as_json:
        emit({"folder": str(folder), "results": [one.as_dict() for one in results]})


@app.command("status")
def status(study: Where, out_dir: OutDir = None, as_json: Json = False) -> None:
    """How far a study is: evaluations done, seconds spent, seconds left."""
    from axhil.report.measurements import progress
    from axhil.report.status import status_of
    from axhil.report.terminal import terminal_table
    from axhil.study.engine.run import Plan
    from axhil.study.storage.store import CellStore

    folder = _folder(study, out_dir)
    plan = Plan.read(folder)
    found = plan.results(CellStore(folder))
    states = {
        f"{part.network} {part.threat_model}": status_of(results, part.cells)
        for part, results in zip(plan.parts, found, strict=True)
    }
    out.print(terminal_table(progress(states, title=f"{plan.spec.name} in {folder}")))
    if as_json:
        emit({name: asdict(one) for name, one in states.items()})


@app.command("report")
def report(
    study: Where,
    out_dir: OutDir = None,
    data_dir: opt.DataDir = None,
    cost: CostFile = None,
    as_json: Json = False,
) -> None:
    """Write the report of what is finished: Markdown, CSV, figures, HTML page."""
    from .evaluation import report_finished

    folder = _folder(study, out_dir)
    results = report_finished(folder, data_dir=data_dir, costs=cost)
    if as_json:
        emit({"folder": str(folder), "results": [one.as_dict() for one in results]})


@app.command("export")
def export(
    study: Where,
    file: Annotated[Path, typer.Argument(help="Parquet file to write.")],
    out_dir: OutDir = None,
    cost: CostFile = None,
    as_json: Json = False,
) -> None:
    """Write what is finished as one compact Parquet file, to keep or to pass on."""
    from axhil.study.engine.run import Plan
    from axhil.study.storage.store import write_cells

    from .evaluation import results_in

    folder = _folder(study, out_dir)
    parts = results_in(Plan.read(folder), folder, cost)
    cells = [cell for results in parts for cell in results.costed]
    if not cells:
        raise StudyError(f"no evaluation is finished in {folder}: run the study first")
    written = write_cells(cells, file)
    out.print(f"written: {written}", soft_wrap=True)
    if as_json:
        emit({"file": str(written), "cells": len(cells)})


@app.command("diff")
def diff(
    first: Annotated[Path, typer.Argument(help="Folder of results, or a file of `export`.")],
    second: Annotated[Path, typer.Argument(help="Another.")],
    most: Annotated[int, typer.Option(min=0, help="Evaluations to list.")] = 10,
    as_json: Json = False,
) -> None:
    """Compare two folders of results, flag by flag. Exit code 1 if any differs."""
    from axhil.study.storage.difference import difference

    found = difference(_cells(first), _cells(second))
    for sentence in found.sentences():
        out.print(sentence, soft_wrap=True, markup=False)
    for changed in found.changed[:most]:
        out.print(f"  {changed.sentence()}", soft_wrap=True, markup=False)
    if len(found.changed) > most:
        out.print(f"  and {len(found.changed) - most:,} more: --most {len(found.changed)}")
    if as_json:
        emit(found.as_dict())
    if not found.equal:
        raise typer.Exit(1)


def _folder(study: Path, out_dir: Path | None) -> Path:
    """The folder of a study's results."""
    if study.is_dir():
        return study
    if out_dir is not None:
        return out_dir
    from axhil.study.spec import read_spec

    return Path("out") / read_spec(study).name


def _cells(folder: Path) -> list[Cell]:
    from axhil.study.storage.store import CellStore, read_cells

    cells = read_cells(folder) if folder.is_file() else CellStore(folder).cells()
    if not cells:
        raise StudyError(f"no results in {folder}: expected a folder that a study was run into")
    return cells
