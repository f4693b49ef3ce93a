# SPDX-License-Identifier: Apache-2.0
"""The adaptive suite in a study: same bits for any jobs and in any order, and what it refuses."""

import pytest
import torch

from axhil.attacks import Borrowed, parse_attack
from axhil.study.assignments import network_assignments
from axhil.study.engine.experiment import Experiment, Grid, Threads, run
from axhil.study.engine.worker import CellWorker
from axhil.study.errors import StudyError
from axhil.study.storage.store import CellStore
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split


def experiment(*budgets):
    """At budgets so large that the first steps break every image: the suite costs seconds."""
    return Experiment(
        load_subject("lenet5"),
        embedded_split("evaluation").select(12),
        network_assignments(["exact", "drum(3)"]),
        Grid(attacks=("adaptive",), norms=("linf",), budgets={"linf": budgets}),
    )


def test_a_suite_gives_the_same_bits_for_any_jobs_and_for_budgets_that_come_later(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    whole = experiment(0.0, 0.3, 0.4)
    cells = [run(whole, CellStore(tmp_path / str(jobs)), engine=Threads(jobs)) for jobs in (1, 2)]
    store = CellStore(tmp_path / "later")
    run(experiment(0.0, 0.4), store)
    cells.append(run(whole, store))
    torch.set_num_threads(threads)
    for other in cells[1:]:
        for one, same in zip(cells[0], other, strict=True):
            assert (one.settings, one.correct) == (same.settings, same.correct)
    for one, same in zip(cells[0], cells[1], strict=True):
        assert one.broken_by == same.broken_by
    for cell in cells[0]:
        assert cell.correct[2] == "0" * 12
        names = {member.name for member in parse_attack("adaptive").members}
        assert {who for row in cell.broken_by for who in row} <= {"", "clean", *names}
        assert cell.broken_by[0] == ("",) * 12


def test_a_suite_that_was_stopped_goes_on_to_the_same_bits(tmp_path):
    """Once within a cell, once between two: what is finished stays, the rest is done again."""
    one = experiment(0.0, 0.3)
    undisturbed = run(one, CellStore(tmp_path / "undisturbed"))
    store = CellStore(tmp_path / "stopped")
    for whole_cells in (0, 1):

        def stop(done, total, _now, least=whole_cells * one.units[0].rows):
            if done > least:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(one, store, progress=stop)
        assert len(store.cells()) == whole_cells
    resumed = run(one, store)
    assert [cell.correct for cell in resumed] == [cell.correct for cell in undisturbed]
    assert [cell.broken_by for cell in resumed] == [cell.broken_by for cell in undisturbed]


def test_the_four_sources_are_built_beside_the_attacked_network():
    one = experiment(0.1)
    worker = CellWorker(one.subject, one.images, "cpu")
    x, _ = one.images.select(3).batch()
    suite = parse_attack("adaptive")
    for multiplier in one.multipliers:
        network = worker._emulated(multiplier)
        found = worker._lenders(suite, multiplier, network)
        assert set(found) == {"slope", "exact", "float"}
        for source in found.values():
            assert torch.equal(source(x), network(x))
        assert isinstance(found["float"], Borrowed)
        # Arithmetic without errors is its own slope and its own exact network.
        same = multiplier.label == "ACC"
        assert (found["slope"] is network) == (found["exact"] is network) == same


def test_a_suite_of_several_gradients_is_of_the_white_box():
    for threat_model in ("transfer:float", "transfer:exact"):
        with pytest.raises(StudyError, match="adaptive takes its gradients of several networks"):
            Grid(attacks=("adaptive",), threat_model=threat_model)
        assert Grid(attacks=("autoattack",), threat_model=threat_model).attacks == ("autoattack",)


def test_the_worst_iterate_is_of_attacks_that_show_their_iterates():
    sentence = r"shows no iterates, .*: expected worst_iterate false"
    for attack in ("adaptive", "apgd", "square", "pgd(restarts=2)"):
        with pytest.raises(StudyError, match=sentence):
            Grid(attacks=(attack,), worst_iterate=True)
    assert Grid(attacks=("fgsm", "bim", "pgd(loss=margin)"), worst_iterate=True).worst_iterate
