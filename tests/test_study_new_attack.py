# SPDX-License-Identifier: Apache-2.0
"""A new attack is one new file: the study runs it, the tables and the figure show it."""

import sys

import pytest
from study_samples import cell

from axhil import attacks
from axhil.attacks import registry
from axhil.report.accuracy import robust_accuracy
from axhil.report.figures.curves import robustness_figure
from axhil.report.findings import warnings
from axhil.study.assignments import network_assignments
from axhil.study.engine.experiment import Experiment, Grid, cross_checks, run
from axhil.study.results import Results
from axhil.study.spec import checked
from axhil.study.storage.records import records_of
from axhil.study.storage.store import CellStore
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

FILE = '''
"""Pixels at random, without a gradient."""

import torch

from .registry import register, spell


@register("speckle", title="Speckle")
class Speckle:
    needs_gradient = False

    def __init__(self, norm, *, tries=1):
        self.norm, self.steps, self.name = norm, tries, spell("speckle", tries=tries)

    @torch.no_grad()
    def __call__(self, model, images, labels, *, eps, seed, indices):
        ends = images.clone()
        for one in range(self.steps):
            generator = torch.Generator().manual_seed(seed + one)
            sign = torch.rand(images.shape, generator=generator).round() * 2 - 1
            moved = images + sign * eps.reshape(-1, 1, 1, 1).float()
            wrong = model(moved.clamp(0, 1)).argmax(1) != labels
            ends[wrong] = moved[wrong].clamp(0, 1)
        return ends
'''


@pytest.fixture
def _speckle(monkeypatch, tmp_path):
    (tmp_path / "speckle.py").write_text(FILE)
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    monkeypatch.setattr(attacks, "__path__", [*attacks.__path__, str(tmp_path)])
    yield
    sys.modules.pop(f"{attacks.__name__}.speckle", None)


def test_a_study_runs_and_shows_an_attack_that_is_one_new_file(_speckle, tmp_path):
    spec = checked(
        {
            "name": "a",
            "networks": ("lenet5",),
            "multipliers": ("drum(3)",),
            "attacks": ("speckle(tries = 2)", "speckle", "fgsm"),
            "norms": ("linf",),
            "budgets": {"linf": (0.0, 0.5)},
        },
        source="test",
    )
    assert spec.attacks == ("speckle(tries=2)", "speckle", "fgsm")
    images = embedded_split("evaluation").select(20)
    experiment = Experiment(
        load_subject("lenet5"), images, network_assignments(["drum(3)"]), spec.grid("whitebox")
    )
    cells = run(experiment, CellStore(tmp_path))
    assert [one.settings.attack for one in cells] == list(spec.attacks)
    assert len({one.settings.key for one in cells}) == 3
    assert cells[0].correct[1].count("1") < cells[0].correct[0].count("1")
    assert cells[0].zero_gradient == 0.0
    assert CellStore(tmp_path).get(cells[0].settings) == cells[0]
    records = records_of(cells)
    planned = sum(len(one.settings.budgets) for one in cells)
    tables = robust_accuracy(Results("lenet5", "whitebox", tuple(cells), planned))
    titles = [table.full_title for table, _ in tables]
    assert titles[0] == "Speckle L∞ (tries=2): robust accuracy, %"
    assert titles[1] == "Speckle L∞: robust accuracy, %"
    figure = robustness_figure(records, title="x")
    assert figure.axes[0].get_title() == "Speckle L∞ (tries=2)"
    assert cross_checks(cells) == []


def test_a_record_of_an_attack_from_elsewhere_is_shown_by_its_spelling():
    foreign = cell(attack="speckle(tries=2)", warnings=("code: text",))
    ((table, _),) = robust_accuracy(Results("lenet5", "whitebox", (foreign,), 2))
    assert table.title == "speckle(tries=2) L∞"
    assert warnings([foreign]) == ["speckle(tries=2) L∞, code (ACC): text"]
    assert Grid().attacks == ("fgsm", "bim", "pgd")
