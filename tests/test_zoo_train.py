# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from PIL import Image

from axhil.emulation import EmulationError
from axhil.zoo.train import Recipe, augment, train
from axhil.zoo.weights import read_state, sha256_of

TINY = Recipe("digits", 2, 10, 0.05, 0.0, shift=1, flip=False)


@pytest.fixture
def data(tmp_path):
    """Twenty images a class of ten classes that brightness tells apart."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 3)):
        for label in range(10):
            folder = tmp_path / "digits" / split / str(label)
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(20 * label, 20 * label + 20, (28, 28), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


def test_augmentation_only_translates_and_mirrors():
    images = torch.arange(1.0, 1 + 64 * 3 * 4 * 5).view(64, 3, 4, 5)
    generator = torch.Generator().manual_seed(0)
    moved = augment(images, shift=1, flip=True, generator=generator)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    kinds = set()
    for i in range(len(images)):
        variants = {
            (top, left, flip): (
                padded[i, :, top : top + 4, left : left + 5].flip(2)
                if flip
                else padded[i, :, top : top + 4, left : left + 5]
            )
            for top in range(3)
            for left in range(3)
            for flip in (False, True)
        }
        (kind,) = [k for k, v in variants.items() if torch.equal(v, moved[i])]
        kinds.add(kind)
    assert len(kinds) > 12  # of 18, so that neither axis nor the mirror is stuck


def test_an_interrupted_training_ends_with_the_same_weights(data, tmp_path):
    before = torch.get_rng_state()
    whole = train("lenet5", recipe=TINY, out=tmp_path / "a.safetensors", root=data)
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's draws depend on it

    class KilledError(Exception):
        """Stands for a kill between two epochs."""

    def stop(report):
        raise KilledError

    with pytest.raises(KilledError):
        train("lenet5", recipe=TINY, out=tmp_path / "b.safetensors", root=data, report=stop)
    assert not (tmp_path / "b.safetensors").exists()
    epochs = []
    resumed = train(
        "lenet5", recipe=TINY, out=tmp_path / "b.safetensors", root=data, report=epochs.append
    )
    assert [e.epoch for e in epochs] == [2]
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert sha256_of(read_state(tmp_path / "b.safetensors")) == whole["weights_sha256"]
    assert not list(tmp_path.glob("*.checkpoint"))


def test_a_checkpoint_of_other_settings_is_not_continued(data, tmp_path):
    def stop(report):
        raise KeyboardInterrupt

    out = tmp_path / "w.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train("lenet5", recipe=TINY, out=out, root=data, report=stop)
    with pytest.raises(EmulationError, match="belongs to a training with other settings"):
        train("lenet5", recipe=TINY, out=out, root=data, seed=1)


def test_a_network_without_a_recipe_is_refused(tmp_path):
    with pytest.raises(EmulationError, match="no recipe for 'alexnet': expected lenet5"):
        train("alexnet", out=tmp_path / "w")
