# SPDX-License-Identifier: Apache-2.0
"""What an experiment is run on: a float network with its weights, quantised, and its images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from axhil.emulation import EmulationError, Prepared, Settings, prepare
from axhil.zoo import Images, Network, network
from axhil.zoo.data import EMBEDDED, embedded_split, load
from axhil.zoo.train import RECIPES
from axhil.zoo.weights import own_state, pretrained, sha256_of

CALIBRATION_IMAGES = 500


@dataclass(frozen=True)
class Subject:
    """A network ready to be built from any multiplier.

    Attributes:
        network: its entry in the catalogue.
        weights_sha256: of the float weights.
        float_model: the network in float, in eval mode.
        prepared: quantised, without a multiplier.
        calibration: name of the images that set the activation ranges.
    """

    network: Network
    weights_sha256: str
    float_model: nn.Module
    prepared: Prepared
    calibration: str

    def images(
        self, data: str | None = None, *, root: Path | None, download: bool = False
    ) -> Images:
        """What the network is evaluated on: a data set, by default its own.

        Raises:
            EmulationError: no such data, or not what the network takes.
        """
        images = load(data or self.network.data, root=root, download=download)
        require_images(self.float_model, images, network=self.network.name)
        return images


def require_images(model: nn.Module, images: Images, *, network: str) -> None:
    """Refuses images that a network does not take, and classes that it does not tell apart.

    Raises:
        EmulationError: names both.
    """
    device = next((one.device for one in model.parameters()), torch.device("cpu"))
    x, _ = images.batch(slice(0, 1), device=device)
    what = f"images of {images.name}, {' x '.join(map(str, images.shape))},"
    try:
        with torch.no_grad():
            logits = model(x)
    except Exception as error:  # every layer has its own words for another shape
        reason = str(error).partition("\n")[0]
        raise EmulationError(f"{network} does not take {what} as it is: {reason:.200}") from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != 1:
        raise EmulationError(f"expected {network} to give a logit per class of {what} it does not")
    if images.labels.max() >= logits.shape[1]:
        raise EmulationError(
            f"{network} tells {logits.shape[1]} classes apart, {images.name} has "
            f"{int(images.labels.max()) + 1}"
        )


def calibration_images(subject: Network, root: Path | None) -> Images:
    """Return the images that calibrate a network: never those it is evaluated on.

    LeNet-5 uses 500 of the embedded images that neither training nor evaluation sees; the
    others use images of their training split. The choice belongs to the network, so that it is
    the same network on whatever data it is evaluated.
    """
    if subject.name == "lenet5" or subject.data == EMBEDDED:
        return embedded_split("calibration")
    data = RECIPES[subject.name].data if subject.name in RECIPES else subject.data
    images = load(data, "train", root=root)
    return images.select(min(CALIBRATION_IMAGES, len(images)))


def load_subject(
    name: str,
    *,
    weights: Path | None = None,
    root: Path | None = None,
    data: str | None = None,
    settings: Settings | None = None,
    allow_float: bool = False,
    device: str = "cpu",
) -> Subject:
    """Build, load, calibrate and quantise a network.

    Args:
        name: see `emulation.network`.
        weights: file of its weights; None for the shipped ones or ``$AXHIL_WEIGHTS``.
        root: data folder.
        data: data set to calibrate a network on that is not of the catalogue.
        settings: of the quantisation; None for the defaults.
        allow_float: see `emulation.prepare`.
        device: where to run.

    Raises:
        EmulationError: see `emulation.network`, `emulation.weights`, `emulation.prepare`.
    """
    entry = network(name)
    if data is not None and not entry.data:
        entry = replace(entry, data=data)
    model = pretrained(name, weights=weights)
    images = calibration_images(entry, root)
    require_images(model, images, network=name)
    digest = sha256_of(own_state(model))
    # Calibrated on the CPU always, so that every device gets the same scales to the bit.
    pixels, _ = images.batch()
    prepared = prepare(model, pixels, settings=settings, allow_float=allow_float)
    return Subject(entry, digest, model.to(device), prepared, f"{images.name}[{len(images)}]")


def plan_subject(
    name: str,
    *,
    weights: Path | None,
    root: Path | None,
    settings: Settings | None = None,
    allow_float: bool = False,
) -> tuple[Subject, str]:
    """`load_subject`, or the network with random weights and images where there are none.

    Returns:
        The subject, and why it is not the real one (empty where it is).
    """
    try:
        return load_subject(
            name, weights=weights, root=root, settings=settings, allow_float=allow_float
        ), ""
    except EmulationError as error:
        entry = network(name)
        if weights is not None:
            raise
        with torch.random.fork_rng(devices=[]):  # layers draw from torch's own generator alone
            torch.manual_seed(0)
            model = entry.build().eval().requires_grad_(False)
            images = torch.rand(8, *entry.input_shape)
        prepared = prepare(model, images, settings=settings, allow_float=allow_float)
        return Subject(entry, "", model, prepared, "random"), str(error)


def set_threads(threads: int | None) -> int:
    """Set the number of CPU threads, and return the number in force."""
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()
