# SPDX-License-Identifier: Apache-2.0
"""Retraining through a multiplier: its file, its record, a kill, and the attack in its loop."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from axhil.emulation import EmulationError
from axhil.emulation.quantise.calibrate import RANGE
from axhil.hwsim.multipliers import Assignment
from axhil.study import retraining
from axhil.study.accuracy import classified
from axhil.study.errors import StudyError
from axhil.study.retraining import Retraining, retrain, retraining_recipe
from axhil.study.subject import load_subject
from axhil.zoo.data import load
from axhil.zoo.train import Recipe, training_images
from axhil.zoo.weights import load_state, pretrained, read_state

TINY = Recipe("digits", 2, 10, 0.01, 0.0, shift=1, flip=False)
DRUM = Assignment.parse("drum(3)")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four images a class of ten classes that brightness tells apart."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in range(10):
            (folder / "digits" / split / str(label)).mkdir(parents=True)
            for number in range(4):
                pixels = rng.integers(20 * label, 20 * label + 20, (28, 28), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"digits/{split}/{label}/{number}.png")
    return folder


@pytest.fixture(scope="module")
def subject():
    return load_subject("lenet5")


def run(subject, data, out, how=None, **options):
    how = how or Retraining(TINY)
    images = training_images(how.recipe, data)
    test = load("digits", root=data)
    return retrain(subject, DRUM, how, images=images, test=test, out=out, root=data, **options)


@pytest.fixture(scope="module")
def whole(subject, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "w.safetensors"
    return run(subject, data, out), out


def test_the_file_is_the_network_that_the_record_is_of(whole, data):
    record, out = whole
    again = load_subject("lenet5", weights=out)
    assert again.weights_sha256 == record["weights_sha256"] != record["from_sha256"]
    network = again.prepared.emulate("drum(3)")
    assert classified(network, load("digits", root=data), batch=40) == record["correct_after"]
    assert record["after"]["count"] == record["correct_after"].count("1")
    assert record["after"]["low"] <= record["after"]["count"] / 40 <= record["after"]["high"]
    assert (record["multiplier"], record["gradient"]) == ("drum(3)", "float32")
    assert record["recipe"]["epochs"] == 2 and "attack" not in record
    assert sum(name.endswith(RANGE) for name in load_file(out)) == 5


def test_a_retraining_learns(whole):
    record, _ = whole
    assert record["after"]["count"] > record["before"]["count"]
    gained = record["after"]["count"] - record["before"]["count"]
    assert record["gained"] - record["lost"] == gained


def test_a_killed_retraining_ends_with_the_same_weights(whole, subject, data, tmp_path):
    record, _ = whole

    class KilledError(Exception):
        """Stands for a kill between two epochs."""

    def stop(report):
        raise KilledError

    out = tmp_path / "w.safetensors"
    with pytest.raises(KilledError):
        run(subject, data, out, report=stop)
    with pytest.raises(EmulationError, match="belongs to a training with other settings"):
        run(subject, data, out, Retraining(TINY, gradient="slope:16"))
    epochs = []
    resumed = run(subject, data, out, report=epochs.append)
    assert [one.epoch for one in epochs] == [2]
    assert resumed == record
    assert [one.name for one in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize(
    "how",
    [
        Retraining(TINY, gradient="slope:16"),
        Retraining(TINY, gradient="bfloat16"),
        Retraining(TINY, scales="calibrated"),
    ],
    ids=["slope", "bfloat16", "calibrated"],
)
def test_every_gradient_and_kind_of_scale_gives_weights_of_its_own(
    how, whole, subject, data, tmp_path
):
    record = run(subject, data, tmp_path / "w.safetensors", how)
    assert record["weights_sha256"] != whole[0]["weights_sha256"]
    assert set(record) == set(whole[0])


def test_adversarial_training_attacks_each_batch_with_the_weights_of_the_moment(
    subject, data, tmp_path, monkeypatch
):
    seen = []

    class Watched:
        def __call__(self, model, images, labels, *, eps, seed, indices):
            assert not any(one.requires_grad for one in model.parameters())
            adversarial = inner(model, images, labels, eps=eps, seed=seed, indices=indices)
            assert adversarial.requires_grad is False
            logits = [model.eval()(one).detach() for one in (images, adversarial)]
            model.train()
            loss = [torch.nn.functional.cross_entropy(one, labels) for one in logits]
            distance = (adversarial - images).abs().max()
            seen.append((seed, float(distance), float(loss[1] - loss[0]), logits[0].sum()))
            return adversarial

    how = Retraining(TINY, attack="pgd(steps=3,rel_step=0.4)", eps=0.05, seed=4)
    inner = how.inner_loop()
    monkeypatch.setattr(Retraining, "inner_loop", lambda self: Watched())
    record = run(subject, data, tmp_path / "w.safetensors", how)
    assert len(seen) == 8  # batches
    assert len({seed for seed, *_ in seen}) == 2  # epochs
    assert all(0.04 < distance <= 0.05 + 1e-6 for _, distance, *_ in seen)
    assert sum(rise for _, _, rise, _ in seen) > 0
    assert len({float(logits) for *_, logits in seen}) == 8
    assert (record["attack"], record["norm"], record["eps"]) == (how.attack, "linf", 0.05)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"eps": 0.1}, "expected an attack beside a budget"),
        ({"attack": "pgd"}, r"expected a budget above 0 of the attack \(--attack pgd --eps 0.1\)"),
        ({"attack": "adaptive", "eps": 0.1}, "expected a single attack such as pgd"),
        ({"scales": "fixed"}, "expected scales learned or calibrated, got 'fixed'"),
        ({"eps": float("nan")}, "expected a finite budget of 0 or more, got nan"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together_get_a_sentence(options, sentence):
    with pytest.raises(StudyError, match=sentence):
        Retraining(TINY, **options)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lenet5", "-m", "exact,drum(3)"], "-m exact,drum(3): expected one multiplier or an"),
        (["alexnet", "-m", "exact"], "no recipe for 'alexnet': expected lenet5"),
        (["lenet5", "-m", "exact", "--peak-lr", "nan"], "expected a finite peak learning rate"),
        (["lenet5", "-m", "exact", "--gradient", "x"], "expected a gradient float32, bfloat16 or"),
        (["lenet5", "-m", "exact", "--scales", "x"], "expected one of learned, calibrated"),
        (["lenet5"], "Missing option '--multiplier'"),
        (["lenet5", "-m", "conv9=exact"], "the pattern 'conv9' matches no layer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_inputs_of_the_command_get_a_sentence_and_write_nothing(refused, words, sentence):
    assert sentence in refused("retrain", *words)


def test_the_command_writes_weights_and_record(axhil, data, tmp_path, monkeypatch):
    monkeypatch.setattr(retraining, "RECIPES", {"lenet5": TINY})
    code, out, _ = axhil(
        "retrain", "lenet5", "-m", "conv*=drum(3)", "--epochs", 1, "--data-dir", data,
        "--out-file", "mine.safetensors", "--threads", 1, "--seed", 3,
    )  # fmt: skip
    assert code == 0
    record = json.loads((tmp_path / "mine.json").read_text())
    after = 100 * record["after"]["count"] / 40
    assert "lenet5 with conv*=drum(3) on 40 test images: " in out and f"{after:.2f} % (" in out
    assert (record["seed"], record["recipe"]["peak_lr"]) == (3, pytest.approx(0.001))
    assert {one.name for one in tmp_path.iterdir()} == {"mine.json", "mine.safetensors"}


def test_a_recipe_is_the_networks_own_shortened():
    recipe = retraining_recipe("lenet5", epochs=3)
    assert (recipe.data, recipe.epochs, recipe.peak_lr) == ("mnist", 3, pytest.approx(0.01))


@pytest.mark.parametrize(
    "value",
    [[1.0, 2.0], [-1.0, float("inf")], [0.0, 0.0], [1.0, -1.0], [float("nan"), 1.0], [0.0] * 3],
    ids=str,
)
def test_an_activation_range_that_is_none_is_refused(value, tmp_path):
    state = {**pretrained("lenet5").state_dict(), f"conv1.{RANGE}": torch.tensor(value)}
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(EmulationError, match=r"conv1\.activation_range: expected two finite"):
        load_state(pretrained("lenet5"), read_state(tmp_path / "w.safetensors"), source="w")


def test_a_range_of_a_layer_that_there_is_not_is_refused():
    state = {**pretrained("lenet5").state_dict(), f"conv9.{RANGE}": torch.tensor([-1.0, 1.0])}
    with pytest.raises(EmulationError, match=r"has a tensor conv9\.activation_range"):
        load_state(pretrained("lenet5"), state, source="w")
