# SPDX-License-Identifier: Apache-2.0
"""`axhil search`: which multiplier in which layer, by NSGA-II; resumable."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axhil.hwsim.multipliers import Request
from axhil.hwsim.multipliers.assignment import spelled_words, split_words

from . import options as opt
from .console import Json, emit, notice, out, progress
from .multipliers import Luts, verilog_options
from .output import part, results_folder

if TYPE_CHECKING:
    from axhil.search.front import Found
    from axhil.study.engine.run import Machine
    from axhil.study.spec import StudySpec

app = typer.Typer()


@app.command()
@verilog_options("multipliers")
def search(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="lenet5, resnet50, ... as elsewhere; or a study file with a section \\[search].",
        ),
    ] = "lenet5",
    *,
    request: Request,
    multipliers: opt.Multipliers = None,
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            help="Two or three of clean, robust, energy, area; default: clean and energy.",
        ),
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option(parser=opt.attack, help="Of robust accuracy, e.g. 'pgd(steps=20)'."),
    ] = None,
    norm: opt.Norm = "linf",
    eps: Annotated[float | None, typer.Option(help="Its budget.")] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="MEASURE=MOST",
            help="Points of accuracy lost, clean=1, or percent of the exact, energy=90; "
            "repeatable.",
        ),
    ] = None,
    liberty: opt.Liberty = None,
    avoided: opt.Avoided = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, max=opt.MOST_ROWS, help="Held out, for the front; default: 1000."),
    ] = None,
    search_images: Annotated[
        int | None, typer.Option(min=1, max=opt.MOST_ROWS, help="To search on; default: 500.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=0, help="Of proposals; default: 6.")] = None,
    proposals: Annotated[
        int | None, typer.Option(min=1, help="Assignments tried in a round; default: 12.")
    ] = None,
    finalists: Annotated[
        int | None, typer.Option(min=1, help="Most assignments on held-out images; default: 12.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Of all that is drawn.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, max=opt.MOST_ROWS, help="Rows per pass; default: 512.")
    ] = None,
    data: opt.Data = None,
    luts: Luts = None,
    weights: opt.Weights = None,
    bias_correction: opt.BiasCorrection = False,
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    download: opt.Download = False,
    jobs: Annotated[int | None, typer.Option(min=1, max=opt.MOST, help="Trials at a time.")] = None,
    threads: opt.Threads = None,
    device: opt.DeviceOption = opt.Device.cpu,
    engine: opt.EngineOption = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster; default: one on this machine.")
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Of results; default: out/ and the name."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find which multiplier each layer should have: accuracy against energy, area, robustness.

    Tries every multiplier in every layer alone, then what NSGA-II proposes, and evaluates the
    front on images that the search never saw. A rerun goes on where it was stopped.
    """
    from axhil.search.errors import SearchError
    from axhil.study.engine.run import Machine

    if address is not None and engine != "ray":
        raise SearchError("--address: for --engine ray")
    wanted: dict[str, Any] = {
        "objectives": tuple(objectives or ()),
        "attack": attack,
        "norm": None if eps is None else norm,
        "eps": eps,
        "limits": dict(map(_limit, limits or ())),
        "images": search_images,
        "rounds": rounds,
        "proposals": proposals,
        "finalists": finalists,
    }
    body: dict[str, Any] = {
        "data": data,
        "images": images,
        # What the options say of Verilog is in the words, and so in the records.
        "multipliers": tuple(
            spelled_words(word, request) for text in multipliers or () for word in split_words(text)
        ),
        "cost": _given({"liberty": liberty and str(liberty), "dont_use": tuple(avoided or ())}),
        "quantisation": _given({"bias_correction": bias_correction or None}),
        "seed": seed,
        "batch": batch,
        "allow_float": allow_float or None,
        "search": _given(wanted),
    }
    spec = _spec(network, _given(body))
    folder = out_dir or Path("out") / spec.name
    machine = Machine(
        request=replace(request, luts=luts),
        data_dir=data_dir,
        download=download,
        weights=weights,
        threads=threads,
        jobs=jobs,
        device=opt.check_device(device),
        engine=engine,
        address=address,
    )
    found = run_search(spec, folder, machine)
    if as_json:
        emit({"folder": str(folder), **found.as_dict()})


def run_search(spec: StudySpec, folder: Path, machine: Machine) -> Found:
    """Run a study's search to its end and present it: tables, files, and last the page.

    Raises:
        SearchError, StudyError, HwsimError, EmulationError, AttackError: one sentence each.
    """
    from axhil.report.search.files import write_found
    from axhil.report.search.tables import RULE, all_tables, summary
    from axhil.report.terminal import terminal_table
    from axhil.search.run import search as run
    from axhil.search.run import searched

    from .evaluation import name_files
    from .signals import Stopped

    began = time.perf_counter()
    with results_folder(folder):
        experiment = searched(spec, machine)
    for note in dict.fromkeys(note for one in experiment.multipliers for note in one.notes):
        notice(note)
    try:
        with (
            progress("making gates", total=100, unit="%") as price,
            progress("searching", total=100, unit="%") as tick,
        ):
            found = run(
                spec,
                folder,
                machine,
                experiment=experiment,
                pricing=lambda done, total, now: price(100 * done // total, now),
                progress=lambda done, total, now: tick(100 * done // total, now),
            )
    except Stopped as stopped:
        stopped.add_note("finished trials are kept, and the same command goes on from there")
        raise
    for table in all_tables(found):
        out.print(terminal_table(table))
    out.print(RULE, soft_wrap=True)
    out.print(summary(found), soft_wrap=True)
    out.print(f"{time.perf_counter() - began:,.0f} s this run", soft_wrap=True)
    names = [one.name for choice in experiment.multipliers for one in choice.multipliers]
    words = [word for text in spec.multipliers for word in split_words(text)]
    name_files(write_found(found, folder, dict(zip(names, words, strict=True))))
    return found


def _spec(network: str, body: dict[str, Any]) -> StudySpec:
    """A study of one network; or one from a file, with what the options say over it."""
    from axhil.study.errors import StudyError
    from axhil.study.spec import checked, read_spec

    if not network.endswith(".toml"):
        return checked(
            {"name": f"search_{part(network)}", "networks": (network,), "images": 1000, **body,
             "search": body.get("search", {})},
            source="axhil search",
        )  # fmt: skip
    spec = read_spec(network)
    if spec.search is None:
        raise StudyError(f"{network}: expected a section [search], found none")
    known = {key: value for key, value in spec.model_dump().items() if value is not None}
    known |= {
        name: {**known.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in body.items()
    }
    return checked(known, source=network)


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value not in (None, (), {})}


def _limit(text: str) -> tuple[str, float]:
    from axhil.search.errors import SearchError

    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError as error:
        raise SearchError(f"--limit: expected MEASURE=MOST, e.g. clean=1, got {text!r}") from error
