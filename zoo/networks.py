# SPDX-License-Identifier: Apache-2.0
"""The networks of the study, in float, and the way to name any other.

Each takes images in [0, 1]: normalisation is part of the model. `lenet5` needs none (a black
background then is the code 0, as an accelerator would feed it). `resnet50` and `vgg19` are
torchvision's modules with the stem and head that CIFAR-10's 32x32 images call for, so state dicts
of the widely used CIFAR-10 checkpoints load.
"""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from axhil.emulation.errors import EmulationError
from axhil.emulation.quantise.normalization import Normalize, Normalized

from .torchvision_guard import torchvision

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2471, 0.2435, 0.2616)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def lenet5() -> nn.Sequential:
    """LeNet-5 for (N, 1, 28, 28) without padding: 44,426 parameters.

    LeCun et al., "Gradient-based learning applied to document recognition", 1998, with the ReLU
    and max-pooling of the networks that approximate-multiplier papers call by its name.
    """
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5),  # (N, 6, 24, 24)
            pool1=nn.MaxPool2d(2),  # (N, 6, 12, 12)
            relu1=nn.ReLU(),  # behind the pooling, where a quarter is left: the two commute
            conv2=nn.Conv2d(6, 16, 5),  # (N, 16, 8, 8)
            pool2=nn.MaxPool2d(2),  # (N, 16, 4, 4)
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),  # (N, 256)
            fc1=nn.Linear(256, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, 10),
        )
    )


def resnet50() -> nn.Module:
    """ResNet-50 for (N, 3, 32, 32): 3x3 stride-1 stem, max-pool kept; 23.5 M parameters."""
    network = torchvision("models").resnet50(num_classes=10)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    return Normalized(Normalize(CIFAR10_MEAN, CIFAR10_STD), network)


class _Block(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters ("option A")."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, (outputs - inputs) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.added:  # every other pixel, zeros for the channels that are new
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.added, self.added))
        return F.relu(residual + x)


class _ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(_Block(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(_Block(16, 32, 2), _Block(32, 32, 1), _Block(32, 32, 1))
        self.layer3 = nn.Sequential(_Block(32, 64, 2), _Block(64, 64, 1), _Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))  # type: ignore[no-any-return]  # Module.__call__ is Any


def resnet20() -> nn.Module:
    """ResNet-20 for (N, 3, 32, 32): 269,722 parameters, 40.6 M multiplications an image.

    He et al., "Deep residual learning for image recognition", 2016, section 4.2, with shortcuts
    that have no parameters. Keys and normalisation are those of the CIFAR-10 ResNets that most
    papers start from (ImageNet's mean and standard deviation), so their state dicts load.
    """
    return Normalized(Normalize(IMAGENET_MEAN, IMAGENET_STD), _ResNet20())


def vgg19() -> nn.Module:
    """VGG-19 with batch norm for (N, 3, 32, 32): pooled to 1x1, 512-4096-4096-10; 38.96 M."""
    network = torchvision("models").vgg19_bn(num_classes=10)
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier[0] = nn.Linear(512, 4096)
    return Normalized(Normalize(CIFAR10_MEAN, CIFAR10_STD), network)


@dataclass(frozen=True)
class Network:
    """What the rest of axhil needs to know about a network.

    Attributes:
        name: its name on the command line.
        build: makes it, with random weights.
        data: the data set it is evaluated on unless told otherwise.
        input_shape: (C, H, W) of an image.
        approximate: which layers a multiplier replaces by default; the others stay in exact
            integer arithmetic.
    """

    name: str
    build: Callable[[], nn.Module]
    data: str
    input_shape: tuple[int, int, int]
    approximate: Literal["all", "convolutions"] = "all"


_NETWORKS = {
    "lenet5": Network("lenet5", lenet5, "mnist5k", (1, 28, 28)),
    "resnet20": Network("resnet20", resnet20, "cifar10", (3, 32, 32), "convolutions"),
    "resnet50": Network("resnet50", resnet50, "cifar10", (3, 32, 32), "convolutions"),
    "vgg19": Network("vgg19", vgg19, "cifar10", (3, 32, 32), "convolutions"),
}


def _from_torchvision(name: str) -> Callable[[], nn.Module]:
    models = torchvision("models")
    known = models.list_models(module=models)
    if name not in known:
        raise EmulationError(
            f"torchvision has no classifier {name!r}; it has {', '.join(sorted(known))}"
        )
    return lambda: Normalized(
        Normalize(IMAGENET_MEAN, IMAGENET_STD), models.get_model(name, weights=None)
    )


def _from_python(path: str) -> Callable[[], nn.Module]:
    module_name, _, factory_name = path.partition(":")
    expected = (
        f"expected python:<module>:<factory>, a function without arguments that returns an "
        f"nn.Module; python:{path}"
    )
    folder = str(Path.cwd())  # searched as under `python -m`; a console script leaves it out
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise EmulationError(f"{expected} cannot be loaded ({error})") from error

    def build() -> nn.Module:
        try:
            built = factory()
        except (Exception, SystemExit) as error:  # so may a user's function
            raise EmulationError(f"{expected} raised {type(error).__name__}: {error}") from error
        if not isinstance(built, nn.Module):
            raise EmulationError(f"{expected} returned {type(built).__name__}")
        return built

    return build


def network_names() -> tuple[str, ...]:
    """Networks of the catalogue, which go by a name alone."""
    return tuple(_NETWORKS)


def network(name: str) -> Network:
    """Look a network up by its name on the command line.

    Args:
        name: ``lenet5``, ``resnet20``, ``resnet50``, ``vgg19``, ``torchvision:<name>`` for any of
            torchvision's classifiers, ``python:<module>:<factory>`` for the user's own.

    Raises:
        EmulationError: there is none of that name.
    """
    if name in _NETWORKS:
        return _NETWORKS[name]
    kind, _, rest = name.partition(":")
    if kind == "torchvision" and rest:
        return Network(name, _from_torchvision(rest), "imagenet", (3, 224, 224), "convolutions")
    if kind == "python" and rest:
        return Network(name, _from_python(rest), "", (3, 32, 32))
    raise EmulationError(
        f"unknown network {name!r}: expected {', '.join(_NETWORKS)}, torchvision:<name> or "
        f"python:<module>:<factory>"
    )
