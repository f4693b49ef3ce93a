# SPDX-License-Identifier: Apache-2.0
import hashlib
import os

import numpy as np
import pytest
import torch
from PIL import Image

from axhil.emulation import EmulationError
from axhil.zoo.data import embedded_hashes, embedded_split, load
from axhil.zoo.train import RECIPES, training_images

needs_mnist = pytest.mark.skipif(
    not os.environ.get("AXHIL_DATA"), reason="needs MNIST and CIFAR-10 under AXHIL_DATA"
)


@pytest.fixture(scope="module")
def embedded():
    return embedded_split("evaluation")


def test_the_embedded_parts_are_balanced_and_disjoint(embedded):
    calibration = embedded_split("calibration")
    assert np.bincount(embedded.labels).tolist() == [450] * 10
    assert np.bincount(calibration.labels).tolist() == [50] * 10
    assert not set(embedded.indices) & set(calibration.indices)
    assert len(embedded_hashes()) == 5000  # no image twice


def test_a_selection_is_balanced_and_a_prefix_of_a_larger_one(embedded):
    small, large = embedded.select(20), embedded.select(64)
    assert np.bincount(small.labels).tolist() == [2] * 10
    assert np.array_equal(large.indices[:20], small.indices)
    assert sorted(embedded.select(None).indices) == sorted(embedded.indices)


@pytest.mark.parametrize("count", [0, -1, 4501])
def test_an_impossible_number_of_images_is_refused(embedded, count):
    with pytest.raises(EmulationError, match=rf"from 1 to 4500 \(mnist5k\), got {count}"):
        embedded.select(count)


def test_batches_are_floats_between_zero_and_one(embedded):
    batches = list(embedded.select(25).batches(10))
    assert [len(y) for _, y in batches] == [10, 10, 5]
    x = torch.cat([x for x, _ in batches])
    assert x.dtype == torch.float32
    assert x.shape == (25, 1, 28, 28)
    assert x.min() == 0
    assert x.max() == 1
    pixels = torch.from_numpy(embedded.select(25).pixels)
    assert torch.equal((x * 255).round().to(torch.uint8), pixels)


def test_the_hash_changes_with_a_pixel_with_a_label_and_with_a_place(embedded):
    part = embedded.select(5)
    digest = part.sha256
    pixels, labels = part.pixels.copy(), part.labels.copy()
    pixels[0, 0, 14, 14] ^= 1
    labels[3] += 1
    assert type(part)("a", pixels, part.labels, part.indices, part.classes).sha256 != digest
    assert type(part)("a", part.pixels, labels, part.indices, part.classes).sha256 != digest
    # Random starts are drawn by index: the same pixels elsewhere are another experiment.
    moved = type(part)("a", part.pixels, part.labels, part.indices + 1, part.classes)
    assert moved.sha256 != digest


def make_tree(root, mode="RGB"):
    rng = np.random.default_rng(0)
    for name in ("cat", "ant"):
        folder = root / "pets" / "test" / name
        folder.mkdir(parents=True)
        for number in range(2):
            shape = (6, 5) if mode == "L" else (6, 5, 3)
            array = rng.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(array).save(folder / f"{number}.png")


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1)])
def test_a_tree_of_images_is_read_class_by_class(tmp_path, mode, channels):
    make_tree(tmp_path, mode)
    images = load("pets", "test", root=tmp_path)
    assert images.classes == ("ant", "cat")
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.shape == (channels, 6, 5)
    first = np.asarray(Image.open(tmp_path / "pets/test/ant/0.png"))
    expected = first[None] if mode == "L" else first.transpose(2, 0, 1)
    assert np.array_equal(images.pixels[0], expected)


def test_a_broken_image_and_a_size_that_differs_are_named(tmp_path):
    make_tree(tmp_path)
    bad = tmp_path / "pets" / "test" / "cat" / "1.png"
    bad.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(EmulationError, match=r"cannot read the image .*cat/1\.png"):
        load("pets", "test", root=tmp_path)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(bad)
    with pytest.raises(EmulationError, match=r"must share a size: .*1\.png"):
        load("pets", "test", root=tmp_path)


def test_unknown_and_missing_data_say_what_there_could_be(tmp_path):
    with pytest.raises(EmulationError, match="unknown data set 'pets': expected mnist5k, mnist"):
        load("pets", "test", root=tmp_path)
    with pytest.raises(EmulationError, match=r"no mnist under .* give --data-dir or AXHIL_DATA"):
        load("mnist", "test", root=tmp_path)


@needs_mnist
def test_the_training_set_of_lenet5_holds_none_of_the_embedded_images():
    images = training_images(RECIPES["lenet5"], None)
    assert len(images) == 55_000
    hashes = {hashlib.sha256(p.tobytes()).digest() for p in images.pixels}
    assert not hashes & embedded_hashes()


@needs_mnist
def test_cifar10_has_ten_thousand_test_images_in_torchvisions_class_order():
    images = load("cifar10", "test")
    assert np.bincount(images.labels).tolist() == [1000] * 10
    assert images.shape == (3, 32, 32)
    assert images.classes[0] == "airplane"
    assert images.classes[9] == "truck"
