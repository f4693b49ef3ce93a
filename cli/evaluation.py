# SPDX-License-Identifier: Apache-2.0
"""From a study to tables on screen, records, figures and a page in a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from axhil.attacks import Suite, attack_title, parse_attack
from axhil.emulation import EmulationError
from axhil.hwsim import HwsimError
from axhil.hwsim.cost import CostRecord
from axhil.report.accuracy import clean_accuracy, robust_accuracy
from axhil.report.cost import note as cost_note
from axhil.report.cost import with_costs
from axhil.report.figures.examples import examples_figure
from axhil.report.figures.staircase import fine_curves, staircase_figure
from axhil.report.files import Picture, write_report
from axhil.report.findings import explanations, warnings
from axhil.report.panels import telling_budget
from axhil.report.robustness import smallest_tables, verdict_tables
from axhil.report.selection import selection, shown
from axhil.report.table import visible
from axhil.report.terminal import terminal_table
from axhil.report.titles import network_title
from axhil.study.costs import write_costs
from axhil.study.engine.experiment import Experiment
from axhil.study.engine.run import Machine, Plan, experiments_of, run_study, study_rows
from axhil.study.errors import StudyError
from axhil.study.results import Results
from axhil.study.spec import StudySpec
from axhil.study.storage.store import CellStore
from axhil.study.verdicts import RULE

from .console import notice, out, progress
from .output import part, results_folder
from .signals import Stopped

# Wider tables than this are for a file, not for a terminal.
_MOST_BUDGETS = 14
# Networks that one picture can quote.
_MOST_EXAMPLES = 16


def evaluate_study(spec: StudySpec, folder: Path, machine: Machine) -> list[Results]:
    """Run a study to its end and present it: tables, warnings, files, and last the page.

    Raises:
        StudyError, HwsimError, EmulationError, AttackError: one sentence each.
    """
    began = time.perf_counter()
    with results_folder(folder):
        experiments = experiments_of(spec, machine)
    for note in dict.fromkeys(n for e in experiments for m in e.multipliers for n in m.notes):
        notice(note)
    for experiment in experiments:
        notice(_announcement(experiment))
    if spec.cost is not None:
        with progress("making gates", total=100, unit="%") as tick:
            write_costs(
                spec.cost,
                experiments,
                folder,
                jobs=machine.jobs,
                progress=lambda done, total, now: tick(100 * done // total, now),
            )
    try:
        with progress("attacking", total=study_rows(experiments), unit="images") as tick:
            results = run_study(
                spec,
                folder,
                machine,
                experiments=experiments,
                progress=lambda done, _total, now: tick(done, now),
                costed=True,
            )
    except Stopped as stopped:
        stopped.add_note("finished cells are kept, and the same command goes on from there")
        raise
    for one in results:
        show(one, alone=len(results) == 1)
    pictures = example_pictures(experiments, results, seed=spec.seed, device=machine.device)
    pictures += staircase_pictures(experiments, results)
    written = write_report(results, folder, title=title_of(spec), pictures=pictures)
    cells = [cell for one in results for cell in one.cells]
    count = sum(len(cell.seconds) for cell in cells)
    computed = sum(sum(cell.seconds) for cell in cells)
    out.print(
        f"{count:,} evaluations, {computed / count:.2f} s each ({computed:,.0f} s in all, "
        f"{time.perf_counter() - began:,.0f} s this run); "
        "± is the longer side of the Wilson 95 % interval",
        soft_wrap=True,
    )
    name_files(written)
    return results


def report_finished(
    folder: Path, *, data_dir: Path | None = None, costs: Path | None = None
) -> list[Results]:
    """Present what a folder of results has, without computing any cell, and return it.

    Args:
        folder: of a study.
        data_dir: data folder.
        costs: what `axhil cost --json` wrote; None: what the study found out itself, if it did.

    Raises:
        StudyError: no study was run there, or nothing of it is finished.
    """
    plan = Plan.read(folder)
    results = results_in(plan, folder, costs)
    done = sum(one.evaluations for one in results)
    planned = sum(one.planned for one in results)
    if not done:
        raise StudyError(f"no evaluation is finished in {folder}: run the study first")
    for one in results:
        show(one, alone=len(results) == 1)
    pictures: list[Picture] = []
    try:
        machine = Machine(data_dir=data_dir)
        experiments = experiments_of(plan.spec, machine)
        pictures = example_pictures(experiments, results, seed=plan.spec.seed, device="cpu")
        pictures += staircase_pictures(experiments, results)
    except (EmulationError, HwsimError) as error:
        notice(f"no picture of adversarial examples: {error}")
    if done < planned:
        notice(f"{done:,} of {planned:,} evaluations are finished")
    name_files(write_report(results, folder, title=title_of(plan.spec), pictures=pictures))
    return results


def results_in(plan: Plan, folder: Path, costs: Path | None) -> list[Results]:
    """What a folder has of a study, with costs of a file or its own.

    Raises:
        StudyError: the file has none of the study's multipliers.
        HwsimError: it cannot be read.
    """
    results = plan.results(CellStore(folder))
    if costs is None:
        return results
    record = CostRecord.from_file(costs)
    results = [replace(one, costs=record) for one in results]
    if not any(one.cost for one in results):
        wanted = dict.fromkeys(cell.settings.multiplier for one in results for cell in one.cells)
        got = dict.fromkeys(f"{one.name} {one.operands}".strip() for one in record.rows)
        raise StudyError(
            f"{costs}: expected costs of {', '.join(wanted)}, with the same tables; got those of "
            f"{', '.join(got) or 'none'}"
        )
    return results


def show(results: Results, *, alone: bool) -> None:
    """Print the tables and warnings of one network under one threat model, unless alone named."""
    if results.records and not alone:
        out.rule(Text(visible(results.title)), align="left")
    part = shown(results)
    for table, (count, budgets) in robust_accuracy(part, most=_MOST_BUDGETS):
        out.print(terminal_table(table))
        if count < budgets:
            notice(f"{table.title}: {count} of {budgets} budgets; the report has all")
    if part.cost:
        costs = with_costs(clean_accuracy([part]), [part], exact=True)
        out.print(terminal_table(replace(costs, title="Clean accuracy, and cost")))
        notice(cost_note(part))
    if judged := verdict_tables(part):
        for table in (*judged, *smallest_tables(part)):
            out.print(terminal_table(table))
        out.print(RULE, soft_wrap=True)
    if sentence := selection(part):
        notice(sentence)
    warned = warnings(results.cells)
    for warning in warned:
        out.print(visible(f"warning: {warning}"), soft_wrap=True, markup=False)
    for code, address in explanations(warned).items():
        out.print(f"{code}: {address}", soft_wrap=True, markup=False)


def name_files(paths: Sequence[Path]) -> None:
    """Say what was written, the pages last."""
    pages = [path for path in paths if path.suffix == ".html"]
    others = [path for path in paths if path not in pages]
    out.print("written: " + "  ".join(map(str, others)), soft_wrap=True)
    for page in pages:
        out.print(f"look at it in a browser: {page}", soft_wrap=True)


def title_of(spec: StudySpec) -> str:
    """What to write above tables and figures."""
    return spec.title or f"{' and '.join(spec.networks)}, {spec.images:,} images"


def _announcement(experiment: Experiment) -> str:
    grid, images = experiment.grid, experiment.images
    counts = sorted({len(grid.budgets[norm]) for norm in grid.norms})
    return (
        f"{experiment.subject.network.name} on {len(images)} images of {images.name}, "
        f"{grid.threat_model}: {len(experiment.multipliers)} multipliers x {len(grid.attacks)} "
        f"attacks x {len(grid.norms)} norms x {' or '.join(map(str, counts))} budgets"
    )


def example_pictures(
    experiments: Sequence[Experiment], results: Sequence[Results], *, seed: int, device: str
) -> list[Picture]:
    """Adversarial examples for each network whose curves fall far enough to show some.

    Args:
        experiments: one per network and threat model.
        results: theirs, in the same order.
        seed: of random starts.
        device: where to run.
    """
    found: dict[str, Picture] = {}
    for experiment, one in zip(experiments, results, strict=True):
        name = experiment.subject.network.name
        norm = experiment.grid.norms[0]
        single = [
            each
            for each in experiment.grid.attacks
            if not isinstance(parse_attack(each, norm), Suite)
        ]
        if not single:  # what a suite did is many attacks' work
            continue
        attack = single[-1]
        eps = telling_budget(one.cells, attack=attack, norm=norm)
        if name in found or eps is None:
            continue
        labels = shown(one).labels[:_MOST_EXAMPLES]
        try:
            figure = examples_figure(
                experiment.subject,
                experiment.images,
                [each for each in experiment.multipliers if each.label in labels],
                attack=attack,
                norm=norm,
                eps=eps,
                seed=seed,
                device=device,
            )
        except StudyError as error:  # a network that is right about nothing has no examples
            notice(f"no picture of adversarial examples: {error}")
            continue
        alone = len({one.network for one in results}) == 1
        found[name] = Picture(
            "examples" if alone else f"examples_{part(name)}",
            f"{network_title(name)}: images, what {attack_title(attack, norm)} added at eps "
            f"{eps:g}, and what each network says",
            figure,
            name,
        )
    return list(found.values())


def staircase_pictures(
    experiments: Sequence[Experiment], results: Sequence[Results]
) -> list[Picture]:
    """Codes of a growing perturbation under each fine curve of robust accuracy in L-inf.

    Args:
        experiments: one per network and threat model.
        results: theirs, in the same order.
    """
    found: dict[str, Picture] = {}
    for experiment, one in zip(experiments, results, strict=True):
        name = experiment.subject.network.name
        records = fine_curves(shown(one).records)
        if name in found or not records:
            continue
        title = f"{one.title}, {attack_title(records[0].cell.settings.attack, 'linf')}"
        alone = len({one.network for one in results}) == 1
        found[name] = Picture(
            "staircase" if alone else f"staircase_{part(name)}",
            f"{title}: robust accuracy over eps, and what the products of the first layer have of "
            "a pixel's change",
            staircase_figure(
                records,
                experiment.subject.prepared,
                experiment.multipliers,
                experiment.images.batch()[0],
                title=title,
            ),
            name,
        )
    return list(found.values())
