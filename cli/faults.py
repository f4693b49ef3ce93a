# SPDX-License-Identifier: Apache-2.0
"""`axhil faults`: what a multiplier, and a network built from it, does when a net is stuck."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from axhil.hwsim.faults import Campaign, CircuitUnderTest, require_gates
from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.tools.yosys import require_yosys
from axhil.study.errors import StudyError

from . import options as opt
from .console import Json, emit, notice, out, progress
from .multipliers import Words, listed, made, verilog_options
from .output import Out, OutFile, results_folder, slug
from .signals import Stopped
from .tables import Rtl

if TYPE_CHECKING:
    from axhil.study.faults import FaultyNetwork
    from axhil.study.subject import Subject
    from axhil.zoo import Images

app = typer.Typer()

_RECORDS = (".json", ".csv")


@app.command()
@verilog_options("multipliers")
def faults(
    multipliers: Words = None,
    *,
    request: Request,
    branches: Annotated[
        bool, typer.Option("--branches", help="Also each branch of nets that are read repeatedly.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Faults to draw at random; default: all.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=opt.MOST_SEED, help="Of the draw, and of random starts.")
    ] = 0,
    network: Annotated[
        str | None, typer.Option(metavar="NETWORK", help="Its accuracy over faults, e.g. lenet5.")
    ] = None,
    images: Annotated[int | None, typer.Option(min=1, help="How many; default: all.")] = None,
    attack: Annotated[
        str | None,
        typer.Option(parser=opt.attack, help="Also robust accuracy: fgsm, bim, pgd; with --eps."),
    ] = None,
    norm: opt.Norm = "linf",
    eps: Annotated[
        float | None, typer.Option(min=0, help="Budget of the attack, e.g. 0.1.")
    ] = None,
    points: Annotated[
        float, typer.Option("--loss", min=0, max=100, help="Points of accuracy to count faults by.")
    ] = 1.0,
    show: Annotated[int, typer.Option(min=0, help="How many of the worst to show.")] = 10,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw as FILE.png and FILE.svg.")
    ] = None,
    rtl: Rtl = None,
    data: opt.Data = None,
    weights: opt.Weights = None,
    allow_float: opt.AllowFloat = False,
    data_dir: opt.DataDir = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=opt.MOST, help="Faults at a time; default: all cores.")
    ] = None,
    out_dir: Out = Path("out/faults"),
    out_file: OutFile = None,
    as_json: Json = False,
) -> None:
    """Stick every net of a multiplier's gates at 0 and at 1: tables, errors, accuracy.

    With --network, finished faults are kept in --out, and the same command goes on from there.
    --out-file FILE.json or FILE.csv has every fault.
    """
    for_networks = {"--images": images, "--attack": attack, "--eps": eps, "--figure": figure}
    if network is None and any(value is not None for value in for_networks.values()):
        unused = next(name for name, value in for_networks.items() if value is not None)
        raise StudyError(f"{unused}: expected --network with it, e.g. --network lenet5")
    _require_budget(attack, eps)
    if out_file is not None and out_file.suffix not in _RECORDS:
        raise StudyError(f"--out-file: expected a .json or .csv file, got {out_file}")
    require_yosys()
    found = [find(word, replace(request, rtl=rtl)) for word in listed(multipliers)]
    for multiplier in found:
        require_gates(multiplier)
    tested: _Tested | None = None
    if network is not None:
        from axhil.study.assignments import require_codes

        for multiplier in found:
            require_codes(multiplier)
        tested = _loaded(
            network, images, data=data, weights=weights, allow_float=allow_float, root=data_dir
        )
    made(found, jobs=jobs)
    bodies = []
    with ExitStack() as folders:
        for path in filter(None, (out_file, figure)):
            folders.enter_context(results_folder(path.parent))
        for multiplier in found:
            cut = CircuitUnderTest.of(multiplier)
            campaign = _campaign(cut, branches=branches, sample=sample, seed=seed, jobs=jobs)
            if tested is None:
                bodies.append(campaign.as_dict())
                _show_errors(campaign, most=show)
                continue
            faulty = _classified(
                campaign, tested, attack, norm, eps, seed=seed, folder=out_dir, jobs=jobs
            )
            bodies.append(faulty.as_dict(points=points))
            _show_accuracies(faulty, most=show, points=points)
            if figure is not None:
                _draw(faulty, figure, alone=len(found) == 1)
        if out_file is not None:
            text = _csv(bodies) if out_file.suffix == ".csv" else _json(bodies)
            write_atomically(out_file, text.encode())
            notice(f"wrote {out_file}")
    if as_json:
        emit({"multipliers": bodies})


def _require_budget(attack: str | None, eps: float | None) -> None:
    if (attack is None) != (eps is None):
        raise StudyError("expected --attack and --eps together, e.g. --attack fgsm --eps 0.1")
    if eps is not None and not math.isfinite(eps):
        raise StudyError(f"--eps: expected a budget of 0 or more, got {eps}")


def _campaign(
    cut: CircuitUnderTest, *, branches: bool, sample: int | None, seed: int, jobs: int | None
) -> Campaign:
    name = cut.multiplier.name
    with progress("making tables", total=100, unit="%") as tick:
        return Campaign.of(
            cut,
            branches=branches,
            sample=sample,
            seed=seed,
            jobs=jobs,
            progress=lambda done, total: tick(100 * done // total, f"tables of {name}"),
        )


_Tested: TypeAlias = "tuple[Subject, Images]"


def _loaded(
    network: str,
    images: int | None,
    *,
    data: str | None,
    weights: Path | None,
    allow_float: bool,
    root: Path | None,
) -> _Tested:
    from axhil.study.subject import load_subject

    subject = load_subject(network, weights=weights, root=root, data=data, allow_float=allow_float)
    return subject, subject.images(data, root=root).select(images)


def _classified(
    campaign: Campaign,
    tested: _Tested,
    attack: str | None,
    norm: str,
    eps: float | None,
    *,
    seed: int,
    folder: Path,
    jobs: int | None,
) -> FaultyNetwork:
    """The network under all faults; finished cells are kept."""
    from axhil.study.engine.experiment import total_rows
    from axhil.study.engine.run import Machine
    from axhil.study.faults import faulty_experiment, faulty_network
    from axhil.study.storage.store import CellStore

    subject, images = tested
    experiment = faulty_experiment(
        campaign, subject, images, attack=attack or "", norm=norm, eps=eps or 0.0, seed=seed
    )
    name = subject.network.name
    try:
        with (
            results_folder(folder),
            progress("classifying", total=total_rows(experiment), unit="images") as tick,
        ):
            return faulty_network(
                campaign,
                experiment,
                CellStore(folder),
                engine=Machine(jobs=jobs).build(name),
                progress=lambda done, _total, now: tick(done, now),
            )
    except Stopped as stopped:
        stopped.add_note("finished faults are kept, and the same command goes on from there")
        raise


def _show_errors(campaign: Campaign, *, most: int) -> None:
    from axhil.report.faults import about, detection, worst_errors
    from axhil.report.terminal import terminal_table

    for table in (worst_errors(campaign, most=most), detection(campaign)):
        out.print(terminal_table(table))
    out.print(about(campaign), soft_wrap=True, markup=False)


def _show_accuracies(faulty: FaultyNetwork, *, most: int, points: float) -> None:
    from axhil.report.faults import about, about_accuracy, losses, worst_accuracies
    from axhil.report.terminal import terminal_table

    out.print(terminal_table(worst_accuracies(faulty, most=most)))
    for budget in range(len(faulty.budgets)):
        out.print(terminal_table(losses(faulty, budget=budget)))
    for text in (about(faulty.campaign), about_accuracy(faulty, loss=points)):
        out.print(text, soft_wrap=True, markup=False)


def _draw(faulty: FaultyNetwork, path: Path, *, alone: bool) -> None:
    from axhil.report.figures.faults import faults_figure
    from axhil.report.figures.saving import save_figure

    name = "" if alone else f"_{slug(faulty.campaign.cut.multiplier.name)}"
    written = save_figure(faults_figure(faulty), path.with_name(f"{path.stem}{name}"))
    out.print("written: " + "  ".join(map(str, written)), soft_wrap=True, markup=False)


def _json(bodies: Sequence[Mapping[str, Any]]) -> str:
    """A table a line, so that a record in a repository shows what changed."""
    text = json.dumps({"multipliers": bodies}, indent=1)
    return re.sub(r"\n {5,}", " ", text).replace("\n    }", " }") + "\n"


def _csv(bodies: Sequence[Mapping[str, Any]]) -> str:
    """A fault a line."""
    rows = [
        {
            "multiplier": body["multiplier"],
            "fault": fault,
            "class": some[0],
            **{
                key: " ".join(value) if isinstance(value, list) else value
                for key, value in effect.items()
                if key != "classes"
            },
        }
        for body in bodies
        for effect in body["effects"]
        for some in effect["classes"]
        for fault in some
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
