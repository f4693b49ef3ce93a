# SPDX-License-Identifier: Apache-2.0
"""Weights, images and networks that are broken or mean harm: one sentence, and nothing runs."""

import io
import json
import os
import pickle
import re
import struct
import zlib
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from axhil.emulation.errors import EmulationError
from axhil.errors import AxhilError
from axhil.study.subject import require_images
from axhil.zoo.data import embedded_split, load
from axhil.zoo.networks import lenet5, network
from axhil.zoo.train import Recipe, train
from axhil.zoo.weights import load_state, read_state

STATE = {name: tensor.detach() for name, tensor in lenet5().state_dict().items()}
BIAS = STATE["conv1.bias"]


class Program:
    """What a pickle does when it is loaded by a reader that trusts it."""

    def __reduce__(self):
        return os.system, ("touch marker",)


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def safetensors(header, data=bytes(4)):
    text = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(text)) + text.encode() + data


def entry(shape, offsets, dtype="F32"):
    return {"conv1.bias": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


WEIGHTS = {
    "nothing.pt": (b"", "cannot read the weights"),
    "nothing.safetensors": (b"", "cannot read the weights"),
    "text.pt": (b"not a checkpoint", "cannot read the weights"),
    "program.pt": (saved({"a": Program()}), "cannot read the weights"),
    "bare program.pt": (pickle.dumps(Program()), "cannot read the weights"),
    "legacy program.pt": (
        saved(Program(), _use_new_zipfile_serialization=False),
        "cannot read the weights",
    ),
    "cut.pt": (saved(STATE)[:5000], "cannot read the weights"),
    "empty zip.pt": (b"PK\5\6" + bytes(18), "cannot read the weights"),
    "number.pt": (saved(3), "holds no state dict"),
    "list.pt": (saved([STATE]), "holds no state dict"),
    "meta.pt": (saved({k: v.to("meta") for k, v in STATE.items()}), "without values"),
    "sparse.pt": (saved({k: v.to_sparse() for k, v in STATE.items()}), "sparse or nested"),
    "complex.pt": (saved({"conv1.bias": BIAS.to(torch.complex64)}), "is of complex64"),
    "lacking.pt": (saved({k: STATE[k] for k in list(STATE)[1:]}), "lacks conv1.weight"),
    "huge.pt": (
        saved({**STATE, "conv1.bias": torch.zeros(1).expand(2**40)}),
        r"conv1\.bias has shape \(1099511627776,\)",
    ),
    "not a number.pt": (saved({k: v * float("nan") for k, v in STATE.items()}), "expected finite"),
    "no header.safetensors": (struct.pack("<Q", 2**63) + b"{}", "cannot read the weights"),
    "huge header.safetensors": (struct.pack("<Q", 2**40), "cannot read the weights"),
    "deep header.safetensors": (safetensors('{"a":' * 100_000), "cannot read the weights"),
    "no object.safetensors": (safetensors("null"), "cannot read the weights"),
    "4 TiB.safetensors": (safetensors(entry([2**40], [0, 2**42])), "cannot read the weights"),
    "overflow.safetensors": (safetensors(entry([2**62, 4], [0, 0])), "cannot read the weights"),
    "backwards.safetensors": (safetensors(entry([1], [4, 0])), "cannot read the weights"),
    "unknown type.safetensors": (safetensors(entry([1], [0, 4], "X9")), "cannot read the weights"),
    "one tensor.safetensors": (safetensors(entry([1], [0, 4])), "lacks conv1.weight"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_none_are_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, sentence = WEIGHTS[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AxhilError, match=sentence) as caught:
        load_state(lenet5(), read_state(path), source=name)
    assert "\n" not in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == [name]  # no marker


def encoded(image, form):
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def resized(png, side):
    """The same PNG with a header that claims another size."""
    head = png[12:16] + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BOMB = b"k\0\0" + zlib.compress(bytes(1 << 23), 9)
PICTURE = Image.fromarray(np.arange(784, dtype=np.uint32).reshape(28, 28).astype(np.uint8))
PNG = encoded(PICTURE, "PNG")
# PostScript that Ghostscript, which Pillow starts for it, would run.
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n(marker) (w) file\n"
IMAGES = {
    "PostScript": (EPS, "it is none of PNG, JPEG, WEBP"),
    "PDF": (encoded(PICTURE, "PDF"), "it is none of PNG, JPEG, WEBP"),
    "TIFF": (encoded(PICTURE, "TIFF"), "it is none of PNG, JPEG, WEBP"),
    "GIF": (encoded(PICTURE, "GIF"), "it is none of PNG, JPEG, WEBP"),
    "nothing": (b"", "it is none of PNG, JPEG, WEBP"),
    "SVG": (b"<svg/>", "it is none of PNG, JPEG, WEBP"),
    "4 x 10^18 pixels": (resized(PNG, 2**31 - 1), r"x\.png: .*pixels"),
    "10^8 pixels": (resized(PNG, 10_000), "10,000 x 10,000 pixels, expected at most 16,777,216"),
    "25 million pixels": (resized(PNG, 5000), "5,000 x 5,000 pixels, expected at most 16,777,216"),
    "a broken chunk": (PNG[:37] + b"\x82" + PNG[38:], r"cannot read the image .*x\.png"),
    "cut": (PNG[:-40], r"cannot read the image .*x\.png"),
    "a bomb of text": (PNG[:33] + 64 * chunk(b"zTXt", BOMB) + PNG[33:], "cannot read the image"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), IMAGES.values(), ids=IMAGES)
def test_only_small_png_jpeg_and_webp_are_decoded(
    tmp_path, monkeypatch, recwarn, content, sentence
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set" / "test" / "a").mkdir(parents=True)
    (tmp_path / "set" / "test" / "a" / "x.png").write_bytes(content)
    with pytest.raises(AxhilError, match=sentence) as caught:
        load("set", root=tmp_path)
    assert "\n" not in str(caught.value)
    assert not recwarn
    assert [one.name for one in tmp_path.iterdir()] == ["set"]  # no marker


@pytest.mark.parametrize(
    ("name", "form"), [("x.png", "PNG"), ("x.jpg", "JPEG"), ("x.webp", "WEBP")]
)
def test_png_jpeg_and_webp_are_read_by_content(tmp_path, name, form):
    for label in "ab":
        (tmp_path / "set" / "test" / label).mkdir(parents=True)
        (tmp_path / "set" / "test" / label / name).write_bytes(encoded(PICTURE, form))
    assert load("set", root=tmp_path).labels.tolist() == [0, 1]


def test_a_damaged_data_set_of_torchvision_is_a_sentence(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for what in ("images-idx3", "labels-idx1"):
            header = struct.pack(">IIII", 0x803 if "3" in what else 0x801, 2**31 - 1, 28, 28)
            (raw / f"{part}-{what}-ubyte").write_bytes(header)
    with pytest.raises(EmulationError, match="no mnist under"):
        load("mnist", root=tmp_path)
    (raw / "t10k-images-idx3-ubyte").unlink()
    os.mkfifo(raw / "t10k-images-idx3-ubyte")
    with pytest.raises(AxhilError, match="but it is a pipe"):
        load("mnist", root=tmp_path)


def test_a_checkpoint_without_its_parts_says_to_remove_it(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "set" / split / "a").mkdir(parents=True)
        (tmp_path / "set" / split / "a" / "x.png").write_bytes(PNG)
    recipe = Recipe("set", 1, 1, 0.1, 0.0, shift=0, flip=False)
    settings = {"network": "lenet5", "recipe": asdict(recipe), "seed": 0}
    for body in ({}, [1], {"settings": settings}, {"settings": settings, "model": {"a": BIAS}}):
        torch.save(body, tmp_path / "x.checkpoint")
        with pytest.raises(EmulationError, match=r"x\.checkpoint .*remove it to start anew"):
            train("lenet5", recipe=recipe, out=tmp_path / "x", root=tmp_path)


def exits():
    raise SystemExit(0)


def test_what_is_no_factory_of_a_network_is_a_sentence(monkeypatch):
    for word in (
        "os:system",
        "os:getcwd",
        "math:pi",
        ".x:y",
        "a..b:c",
        f"{__name__}:exits",
        ":",
        "x:",
    ):
        with pytest.raises(EmulationError, match=re.escape(word)) as caught:
            network(f"python:{word}").build()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (nn.Conv2d(3, 2, 3), "mine does not take images of mnist5k, 1 x 28 x 28, as it is"),
        (nn.Identity(), "expected mine to give a logit per class"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 3)), "tells 3 classes apart, mnist5k has 10"),
    ],
    ids=["channels", "no logits", "classes"],
)
def test_images_that_a_network_does_not_take_are_refused(model, sentence):
    images = embedded_split("calibration")
    require_images(lenet5(), images, network="lenet5")
    with pytest.raises(EmulationError, match=sentence):
        require_images(model, images, network="mine")
