# SPDX-License-Identifier: Apache-2.0
"""Study files: what they mean, and one sentence for what they cannot."""

import re
from pathlib import Path

import numpy as np
import pytest

from axhil.attacks import attack_names
from axhil.errors import AxhilError
from axhil.hwsim import HwsimError
from axhil.study.engine.experiment import DEFAULT_BUDGETS
from axhil.study.errors import StudyError
from axhil.study.spec import PAPER_BUDGETS, StudySpec, read_spec

STUDIES = Path(__file__).resolve().parent.parent / "studies"
LEAST = 'name = "a"\nnetworks = ["lenet5"]\n'


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return write


def test_the_least_that_a_study_needs_is_a_name_and_a_network(written):
    spec = read_spec(written(LEAST))
    grid = spec.grid("whitebox")
    assert grid.budgets == DEFAULT_BUDGETS
    assert (grid.seed, grid.worst_iterate, spec.threat_models) == (0, False, ("whitebox",))
    assert len(spec.multipliers) == 7
    assert grid.attacks == ("fgsm", "bim", "pgd")
    assert set(grid.attacks) <= set(attack_names())
    assert spec.evaluations == 7 * 3 * (12 + 9)


def test_what_is_written_is_what_is_run(written):
    spec = read_spec(
        written(
            LEAST + 'images = 7\nmultipliers = ["drum(3)", "t/mine.npz"]\n'
            'attacks = ["bim(steps=7, rel_step=0.20)"]\n'
            'norms = ["l2"]\nthreat_models = ["transfer:exact", "whitebox"]\nseed = 9\nbatch = 3\n'
            'worst_iterate = true\n[weights]\nlenet5 = "w.safetensors"\n'
            '[budgets]\nl2 = [1, 0.5, 0.5, -0.0]\n[quantisation]\nweights = "channel"\n'
        )
    )
    grid = spec.grid("transfer:exact")
    assert grid.budgets["l2"] == (0.0, 0.5, 1.0)
    assert (grid.attacks, grid.norms, grid.threat_model) == (
        ("bim(steps=7)",),
        ("l2",),
        "transfer:exact",
    )
    assert (grid.seed, grid.batch, grid.worst_iterate, grid.gradient) == (9, 3, True, "float32")
    assert (spec.settings.weights, spec.settings.batch_norm) == ("channel", "keep")
    assert spec.evaluations == 2 * 1 * 3 * 2
    # Files lie where the study file says, whatever folder one is in.
    folder = written("").parent
    assert spec.weights == {"lenet5": str(folder / "w.safetensors")}
    assert spec.multipliers == ("drum(3)", str(folder / "t/mine.npz"))


@pytest.mark.parametrize("gradient", ["float32", "bfloat16", "slope:16"])
def test_a_gradient_is_of_the_attacked_network(gradient, written):
    assert (
        read_spec(written(f'{LEAST}gradient = "{gradient}"')).grid("whitebox").gradient == gradient
    )
    transfer = written(f'{LEAST}gradient = "{gradient}"\nthreat_models = ["transfer:float"]')
    if gradient == "float32":
        assert read_spec(transfer).grid("transfer:float").gradient == gradient
    else:
        with pytest.raises(
            StudyError, match=f"gradient {gradient} is of the attacked network, but"
        ):
            read_spec(transfer)


def test_a_range_of_budgets_is_evenly_spaced_with_both_ends(written):
    spec = read_spec(written(LEAST + "[budgets]\nlinf = { first = 0, last = 2.0, count = 100 }\n"))
    budgets = spec.grid("whitebox").budgets["linf"]
    assert budgets == PAPER_BUDGETS
    assert (len(budgets), budgets[0], budgets[-1]) == (100, 0.0, 2.0)
    assert np.allclose(np.diff(budgets), 2 / 99, atol=1e-6)


MISTAKES = {
    "unknown key": ("imagess = 3", r"unknown key imagess: did you mean images\? expected name, "),
    "unknown key below": (
        '[quantisation]\nwieghts = "tensor"',
        r"unknown key quantisation\.wieghts: did you mean weights\?",
    ),
    "negative budget": ("[budgets]\nlinf = [0, -0.1]", r"budgets\.linf\.2: .*0 or more, got -0\.1"),
    "infinite budget": ("[budgets]\nl2 = [inf]", r"budgets\.l2\.1: expected a finite number"),
    "budgets of another norm": ("[budgets]\nl1 = [0]", r"budgets\.l1: expected 'linf' or 'l2'"),
    "no budgets": ("[budgets]\nlinf = []", r"budgets\.linf: expected at least one"),
    "half a range": (
        "[budgets]\nlinf = {first = 0, count = 3}",
        r"key budgets\.linf\.last is miss",
    ),
    "a range of one": (
        "[budgets]\nlinf = {first = 0, last = 1, count = 1}",
        r"budgets\.linf\.count: expected 2 or more, got 1",
    ),
    "no images": ("images = 0", r"images: expected 1 or more, got 0"),
    "images as text": ('images = "3"', r"images: expected a valid integer, got '3'"),
    "unknown attack": (
        'attacks = ["cw"]',
        r"attacks\.1: unknown attack 'cw': expected one of .*fgsm, bim, pgd",
    ),
    "an attack's argument": (
        'attacks = ["fgsm", "bim(x=1)"]',
        r"attacks\.2: bim: unknown argument",
    ),
    "an attack's steps": (
        'attacks = ["bim(steps=0)"]',
        r"expected steps as a whole number of at le",
    ),
    "one attack in two spellings": (
        'attacks = ["bim", "bim(steps=50)"]',
        r"attacks: expected each once, got bim twice",
    ),
    "no multiplier": ("multipliers = []", r"multipliers: expected at least one, got \[\]"),
    "text for a list": ('norms = "linf"', r"norms: expected a list, got 'linf'"),
    "twice": ('attacks = ["bim", "bim"]', r"attacks: expected each once, got bim twice"),
    "weights of nobody": ('[weights]\nvgg19 = "w"', r"weights of vgg19: expected of lenet5"),
    "negative seed": ("seed = -1", r"seed: expected 0 or more, got -1"),
    "unknown threat model": (
        'threat_models = ["x"]',
        r"threat_models\.1: expected 'whitebox', 'tr",
    ),
    "unknown gradient": (
        'gradient = "slope"',
        r"gradient: expected a gradient float32, bfloat16 or",
    ),
    "no TOML": ("images 3", r"is no TOML file: "),
}


@pytest.mark.parametrize(("text", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_sentence_with_the_file_and_the_key(text, sentence, written):
    path = written(LEAST + text + "\n")
    with pytest.raises(AxhilError, match=sentence) as caught:
        read_spec(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_multiplier_that_does_not_exist_is_a_sentence(written):
    with pytest.raises(
        HwsimError, match="wallace: no such file, and no multiplier: expected exact, drum"
    ):
        read_spec(written(LEAST + 'multipliers = ["wallace"]\n'))


@pytest.mark.parametrize("key", ["name", "networks"])
def test_what_is_missing_is_named(key, written):
    text = "".join(line + "\n" for line in LEAST.splitlines() if not line.startswith(key))
    with pytest.raises(StudyError, match=f"the key {key} is missing"):
        read_spec(written(text))


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(StudyError, match=r"no study file .*none\.toml: expected .* paper_lenet5, "):
        read_spec(tmp_path / "none.toml")


def test_a_study_of_ours_is_found_by_its_name_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_spec(Path("quick")) == read_spec(STUDIES / "quick.toml")
    with pytest.raises(StudyError, match=r"no study file .*quik\.toml"):
        read_spec(Path("quik"))


def test_every_study_of_ours_can_be_read_and_is_named_after_its_file():
    specs = {path.stem: read_spec(path) for path in STUDIES.glob("*.toml")}
    assert {"quick", "paper_lenet5", "paper_resnet50", "paper_vgg19"} <= set(specs)
    assert all(stem == spec.name for stem, spec in specs.items())
    paper = specs["paper_lenet5"]
    assert (paper.evaluations, paper.images) == (4200, 64)
    for name in ("paper_resnet50", "paper_vgg19"):
        spec = specs[name]
        assert spec.images == 50
        for budgets in spec.budgets.values():
            assert len(budgets) >= 8
            assert (min(budgets), max(budgets)) == (0.0, 2.0)
        assert (len(spec.multipliers), len(spec.attacks), len(spec.norms)) == (7, 3, 2)


def test_every_key_is_explained():
    (section,) = re.findall(r"Attributes:\n(.*)", StudySpec.__doc__, re.S)
    documented = re.findall(r"^\s+(\w+):", section, re.M)
    assert documented == list(StudySpec.model_fields)
