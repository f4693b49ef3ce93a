# SPDX-License-Identifier: Apache-2.0
"""The grid over the shipped LeNet-5: what it stores is what the attacks say, once and for all."""

import dataclasses
import shutil
import threading
from dataclasses import replace

import pytest
import torch
from study_samples import cell

from axhil.attacks import AttackError, evaluate, parse_attack
from axhil.hwsim import Catalogued, golden
from axhil.hwsim.multipliers import Assignment, Tabulated
from axhil.study.assignments import network_assignments
from axhil.study.engine import worker
from axhil.study.engine.experiment import Experiment, Grid, Threads, cross_checks, run, total_rows
from axhil.study.errors import StudyError
from axhil.study.storage.store import CellStore
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

BUDGETS = (0.0, 0.15)
GRID = Grid(attacks=("fgsm", "pgd"), norms=("linf",), budgets={"linf": BUDGETS}, seed=5, batch=16)
NAMES = ("exact", "drum(3)", "scaletrim(4,8)")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """So few images are faster on one; and with others at work beside us, by far."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def subject():
    return load_subject("lenet5")


@pytest.fixture(scope="module")
def images():
    # From the 21st of each class on: where a curve falls the flags are a mixture.
    evaluation = embedded_split("evaluation")
    return evaluation.select(30).subset(range(10, 30))


@pytest.fixture(scope="module")
def multipliers():
    return network_assignments(list(NAMES))


@pytest.fixture(scope="module")
def finished(subject, images, multipliers, tmp_path_factory):
    """The grid's cells and the folder that keeps them."""
    folder = tmp_path_factory.mktemp("store")
    return run(Experiment(subject, images, multipliers, GRID), CellStore(folder)), folder


@pytest.fixture
def count(monkeypatch):
    """The evaluations from now on, by (multiplier's network, attack)."""
    calls = []

    def counted(*args, **kwargs):
        calls.append(args[3].name)
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(worker, "evaluate", counted)
    return calls


def strings(flags):
    return tuple("".join(str(int(flag)) for flag in row) for row in flags)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("attack", GRID.attacks)
def test_a_cell_holds_what_the_attack_itself_says(name, attack, subject, images, finished):
    network = subject.prepared.emulate(golden(Catalogued.parse(name)))
    x, y = images.batch()
    direct = evaluate(
        network,
        x,
        y,
        parse_attack(attack, "linf"),
        budgets=BUDGETS,
        seed=GRID.seed,
        batch_size=GRID.batch,
        indices=torch.from_numpy(images.indices),
    )
    (one,) = [
        c for c in finished[0] if (c.settings.multiplier, c.settings.attack) == (name, attack)
    ]
    assert one.correct == strings(direct.correct)
    assert one.settings.threat_model == direct.threat_model == "whitebox"
    assert one.zero_gradient == pytest.approx(float(direct.zero_gradient.float().mean()))
    assert one.warnings == tuple(map(str, direct.warnings))
    # A budget of 0 is clean accuracy.
    assert one.correct[0] == strings([network(x).argmax(1) == y])[0]


def test_the_cells_are_all_different_so_that_a_mix_up_would_show(finished):
    cells = finished[0]
    assert len(cells) == len(NAMES) * len(GRID.attacks)
    attacked = {c.settings.multiplier: c.correct[1] for c in cells if c.settings.attack == "fgsm"}
    assert len(set(attacked.values())) > 1
    assert all("0" in flags and "1" in flags for flags in attacked.values())


def test_a_cell_says_what_it_was_run_with(subject, images, multipliers, finished):
    cells = finished[0]
    planned = Experiment(subject, images, multipliers, GRID).units
    assert [c.settings for c in cells] == [unit.settings for unit in planned]
    first = cells[0]
    assert first.label == "ACC"
    assert first.settings.lut_sha256 == golden(Catalogued.parse("exact")).sha256
    assert first.settings.weights_sha256 == subject.weights_sha256
    assert first.settings.data_sha256 == images.sha256
    assert (first.settings.images, first.settings.budgets) == (20, (0.0, 0.15))
    assert first.environment["torch"] == torch.__version__


def test_what_is_left_in_float_is_in_the_record_and_another_cell(subject, images):
    mixed, whole = network_assignments(["conv1=float,*=drum(3)", "drum(3)"])
    settings = [
        Experiment(subject, images, [one], GRID).units[0].settings for one in (mixed, whole)
    ]
    # The first convolution's products, 24 x 24 pixels of 6 channels from 5 x 5 taps, of LeNet-5's.
    assert settings[0].float_share == pytest.approx(24 * 24 * 6 * 25 / 281_640)
    assert settings[1].float_share == 0.0
    assert settings[0].multiplier == "conv1=float,*=drum(3)"
    assert replace(settings[0], float_share=0.0).key != settings[0].key


def test_several_jobs_give_the_flags_of_one(subject, images, multipliers, finished, tmp_path):
    beside = run(
        Experiment(subject, images, multipliers, GRID), CellStore(tmp_path), engine=Threads(2)
    )
    assert [c.correct for c in beside] == [c.correct for c in finished[0]]
    assert [c.settings for c in beside] == [c.settings for c in finished[0]]


def test_finished_cells_are_read_and_not_computed(subject, images, multipliers, finished, count):
    cells, folder = finished
    again = run(Experiment(subject, images, multipliers, GRID), CellStore(folder))
    assert count == []
    assert again == cells


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished store."""
    shutil.copytree(finished[1], tmp_path / "store")
    return CellStore(tmp_path / "store")


def test_only_the_missing_cell_is_computed(
    *, subject, images, multipliers, finished, count, copied
):
    missing = next(c for c in finished[0] if c.settings.attack == "pgd")
    (path,) = copied.records.glob(f"{missing.settings.key}-*")
    path.unlink()
    again = run(Experiment(subject, images, multipliers, GRID), copied)
    assert count == ["pgd"]
    assert [c.correct for c in again] == [c.correct for c in finished[0]]


@pytest.mark.parametrize("changed", [{"seed": 6}, {"batch": 7}, {"worst_iterate": True}], ids=str)
def test_a_changed_setting_is_a_new_cell(
    *, changed, subject, images, multipliers, finished, count, copied
):
    grid = dataclasses.replace(GRID, attacks=("fgsm",), **changed)
    new = run(Experiment(subject, images, multipliers[:1], grid), copied)
    assert count == ["fgsm"]
    assert new[0].settings.key not in {c.settings.key for c in finished[0]}
    assert len(list(copied.records.iterdir())) == len(finished[0]) + 1


def test_of_a_longer_list_of_budgets_only_the_new_ones_are_computed(
    *, subject, images, multipliers, finished, monkeypatch, copied
):
    asked = []

    def counted(*args, budgets, **kwargs):
        asked.append(budgets)
        return evaluate(*args, budgets=budgets, **kwargs)

    monkeypatch.setattr(worker, "evaluate", counted)
    grid = dataclasses.replace(GRID, attacks=("pgd",), budgets={"linf": (0.0, 0.1, 0.15, 0.2)})
    (longer,) = run(Experiment(subject, images, multipliers[:1], grid), copied)
    assert asked == [(0.1, 0.2)]
    assert longer.settings.budgets == (0.0, 0.1, 0.15, 0.2)
    before = next(c for c in finished[0] if c.settings.attack == "pgd")
    assert (longer.correct[0], longer.correct[2]) == before.correct
    # And it is what computing them all together gives.
    x, y = images.batch()
    direct = evaluate(
        subject.prepared.emulate(multipliers[0].mapping()),
        x,
        y,
        parse_attack("pgd", "linf"),
        budgets=(0.0, 0.1, 0.15, 0.2),
        seed=GRID.seed,
        batch_size=GRID.batch,
        indices=torch.from_numpy(images.indices),
    )
    assert longer.correct == strings(direct.correct)


def test_a_worst_iterate_is_told_from_a_last_one(subject, images, multipliers, finished, tmp_path):
    grid = dataclasses.replace(GRID, worst_iterate=True)
    worst = run(Experiment(subject, images, multipliers, grid), CellStore(tmp_path))
    for one, last in zip(worst, finished[0], strict=True):
        assert one.settings.worst_iterate
        pairs = zip("".join(one.correct), "".join(last.correct), strict=True)
        assert all(a <= b for a, b in pairs)


def test_two_runs_on_one_store_share_the_work(subject, images, multipliers, finished, tmp_path):
    """The second begins while the first is at it; each cell is computed by one of them."""
    store, asked, lock = CellStore(tmp_path), [], threading.Lock()

    class Watched(CellStore):
        def put(self, cell):
            with lock:
                asked.append(cell.settings.key)
            super().put(cell)

    results = {}

    def work(name):
        experiment = Experiment(subject, images, multipliers, GRID)
        results[name] = run(experiment, Watched(tmp_path))

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flags = [c.correct for c in finished[0]]
    assert [c.correct for c in results["a"]] == [c.correct for c in results["b"]] == flags
    assert sorted(asked) == sorted(c.settings.key for c in finished[0])
    assert len(store.cells()) == len(flags)


def test_other_images_other_quantisation_and_another_table_are_new_cells(
    subject, images, multipliers
):
    def keys(subject=subject, images=images, multiplier=multipliers[0]):
        units = Experiment(subject, images, [multiplier], GRID).units
        return {unit.settings.key for unit in units}

    swapped = images.subset([1, 0, *range(2, 20)])
    prepared = dataclasses.replace(
        subject.prepared,
        settings=dataclasses.replace(subject.prepared.settings, weights="channel"),
    )
    variants = [
        keys(),
        keys(images=swapped),
        keys(subject=dataclasses.replace(subject, prepared=prepared)),
        keys(multiplier=Assignment.of(Tabulated("exact", "ACC", multipliers[1].mapping()))),
    ]
    assert len(set().union(*variants)) == sum(map(len, variants))


@pytest.mark.parametrize("threat_model", ["transfer:float", "transfer:exact"])
def test_a_transfer_takes_its_gradient_from_the_network_it_names(
    threat_model, subject, images, multipliers, tmp_path
):
    grid = dataclasses.replace(GRID, attacks=("fgsm",), threat_model=threat_model)
    (one,) = run(Experiment(subject, images, multipliers[1:2], grid), CellStore(tmp_path))
    x, y = images.batch()
    source = (
        subject.float_model if threat_model == "transfer:float" else subject.prepared.emulate(None)
    )
    direct = evaluate(
        subject.prepared.emulate(multipliers[1].mapping()),
        x,
        y,
        parse_attack("fgsm", "linf"),
        budgets=BUDGETS,
        gradient_model=source,
        gradient_name=threat_model.removeprefix("transfer:"),
        batch_size=GRID.batch,
    )
    assert one.correct == strings(direct.correct)
    assert one.settings.threat_model == direct.threat_model == threat_model


def test_a_transfer_and_the_white_box_are_not_the_same_attack(
    subject, images, multipliers, finished, tmp_path
):
    grid = dataclasses.replace(GRID, attacks=("fgsm",), threat_model="transfer:float")
    transferred = run(Experiment(subject, images, multipliers, grid), CellStore(tmp_path))
    whitebox = [c for c in finished[0] if c.settings.attack == "fgsm"]
    assert [c.correct for c in transferred] != [c.correct for c in whitebox]


def test_progress_ends_at_the_total_and_never_goes_back(subject, images, multipliers, tmp_path):
    seen = []
    grid = dataclasses.replace(GRID, attacks=("fgsm",))
    experiment, store = Experiment(subject, images, multipliers, grid), CellStore(tmp_path)
    for _ in range(2):  # computed, then read
        seen.clear()
        run(
            experiment,
            store,
            engine=Threads(2),
            progress=lambda *told: seen.append(told),
        )
        done = [rows for rows, _, _ in seen]
        assert done == sorted(done)
        assert done[-1] == total_rows(experiment)
        assert {total for _, total, _ in seen} == {done[-1]}
        assert {now for _, _, now in seen} == {
            "ACC fgsm linf",
            "DR3 fgsm linf",
            "sT(4,8) fgsm linf",
        }


def test_what_goes_wrong_in_one_cell_is_raised_and_the_cells_before_it_stay(
    subject, images, multipliers, monkeypatch, tmp_path
):
    def fail(model, x, y, attack, **kwargs):
        if attack.name == "pgd":
            raise KeyboardInterrupt
        return evaluate(model, x, y, attack, **kwargs)

    monkeypatch.setattr(worker, "evaluate", fail)
    with pytest.raises(KeyboardInterrupt):
        run(Experiment(subject, images, multipliers[:1], GRID), CellStore(tmp_path))
    (cell,) = CellStore(tmp_path).cells()
    assert cell.settings.attack == "fgsm"


def test_the_cells_at_work_are_given_up_when_somebody_stops_the_run(
    subject, images, multipliers, tmp_path
):
    # Two cells at a time; the first step of the one stops the other at its next step.
    begun, told = threading.Barrier(2), []

    def interrupt(done, total, title):
        told.append(title)
        raise KeyboardInterrupt

    class Meeting(CellStore):
        def missing(self, settings):
            found = super().missing(settings)
            if threading.current_thread() is not threading.main_thread():
                begun.wait(timeout=60)
            return found

    grid = replace(GRID, attacks=("pgd",))
    experiment = Experiment(subject, images, multipliers[:2], grid)
    assert len(experiment.units) == 2
    with pytest.raises(KeyboardInterrupt):
        run(experiment, Meeting(tmp_path), engine=Threads(2), progress=interrupt)
    assert len(told) <= 2  # the other may have been telling at that moment
    assert CellStore(tmp_path).cells() == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"attacks": ()}, "at least one attack, one norm and one budget"),
        ({"budgets": {"linf": ()}}, "at least one attack, one norm and one budget"),
        ({"attacks": ("pgd", "cw")}, "unknown attack 'cw': expected one of .*fgsm, bim, pgd"),
        ({"attacks": ("pgd(steps=0)",)}, "expected steps as a whole number of at least 1, got 0"),
        ({"norms": ("l1",), "budgets": {"l1": (0.0,)}}, "unknown norm 'l1': expected one of linf"),
        (
            {"threat_model": "blackbox"},
            "unknown threat model 'blackbox': expected whitebox, transfer:float, transfer:exact",
        ),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(settings, sentence):
    with pytest.raises((StudyError, AttackError), match=sentence):
        Grid(**settings)


def test_a_grid_spells_its_attacks_canonically():
    assert Grid(attacks=("pgd(steps=50, random_start=true)",)).attacks == ("pgd",)


STEP = cell("1" * 10, "1000000000")
WEAKER = cell("1" * 10, "1111000000", attack="bim")


def test_an_iterated_attack_weaker_than_one_step_is_found():
    (sentence,) = cross_checks([STEP, WEAKER])
    assert sentence.startswith("ACC linf: iterated-weaker")
    assert "eps 0.5" in sentence
    assert "40.00% under bim but 10.00% under fgsm" in sentence


@pytest.mark.parametrize(
    "other",
    [
        cell("1" * 10, "1000000000", attack="bim"),
        cell("1" * 10, "0000000000", attack="bim"),
        cell("1" * 10, "1111000000", attack="bim", norm="l2"),
        cell("1" * 10, "1111000000", attack="bim", multiplier="drum(3)"),
        cell("1" * 10, "1111000000", attack="bim", budgets=(0.0, 0.1)),
        cell("1" * 10, "1111000000", attack="elsewhere(steps=50)"),
    ],
    ids=[
        "as strong",
        "stronger",
        "another norm",
        "another multiplier",
        "other budgets",
        "an attack that is not known here",
    ],
)
def test_what_cannot_or_need_not_be_compared_is_left_alone(other):
    assert cross_checks([STEP, other]) == []
