# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: safetensors (ours), torch state dicts (everybody's), atomic writes."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from axhil.emulation.errors import EmulationError
from axhil.emulation.quantise.calibrate import RANGE
from axhil.emulation.quantise.normalization import Normalized
from axhil.errors import AxhilError
from axhil.hwsim.files import WEIGHTS_LIMIT, MissingFileError, opened, write_atomically

from .networks import network

_SHIPPED = Path(__file__).parent / "pretrained"
# What nn.DataParallel and torch.compile put before every key, in the order of their wrapping.
_WRAPPERS = ("_orig_mod.", "module.", "_orig_mod.")
SHIPPED = {
    "lenet5": _SHIPPED / "lenet5_mnist.safetensors",
    "resnet20": _SHIPPED / "resnet20_cifar10.safetensors",
}


def own_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a network's state dict under its own keys, without the normalisation's prefix."""
    target = model.network if isinstance(model, Normalized) else model
    return {name: tensor.detach().cpu() for name, tensor in target.state_dict().items()}


def sha256_of(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the sorted names and float32 values of a state dict, whatever the file."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu()
        values = tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        digest.update(name.encode())
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from ``.safetensors`` or from a file written by `torch.save`.

    Raises:
        EmulationError: the file is missing, damaged, or holds something else.
        HwsimError: it is no file, or larger than any network's.
    """
    state = read_torch(path, what="the weights")
    # Checkpoints of training scripts keep the state dict under one of these keys.
    for key in ("state_dict", "model", "net"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise EmulationError(f"{path} holds no state dict (a mapping of names to tensors)")
    for name, tensor in state.items():
        kind = _no_values(tensor)
        if kind:
            raise EmulationError(f"{path}: expected a plain tensor of numbers, {name} is {kind}")
    names = list(map(str, state))
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) for name in names):
            names = [name.removeprefix(wrapper) for name in names]
    return dict(zip(names, state.values(), strict=True))


def read_torch(path: Path, *, what: str) -> Any:
    """What `torch.save` or safetensors wrote, tensors and plain Python alone, on the CPU.

    Args:
        path: of the file; the suffix ``.safetensors`` means that format.
        what: it is, for the message.

    Raises:
        EmulationError: it is missing or damaged, or holds anything else.
        HwsimError: it is no file, or larger than any network's.
    """
    try:
        with opened(path, limit=WEIGHTS_LIMIT) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats that torch itself is to give up
            if path.suffix == ".safetensors":
                return load_file(path)
            return torch.load(file, map_location="cpu", weights_only=True)
    except MissingFileError as error:
        raise EmulationError(f"no weights at {path}") from error
    except AxhilError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise EmulationError(f"cannot read {what} in {path}: {reason:.300}") from error


def _no_values(tensor: torch.Tensor) -> str:
    """What keeps a tensor from being copied into a network; nothing where all is well."""
    if tensor.is_meta:
        return "without values (on the meta device)"
    if tensor.layout is not torch.strided or tensor.is_nested:
        return "sparse or nested"
    if tensor.is_quantized or tensor.is_complex():
        return f"of {str(tensor.dtype).removeprefix('torch.')}"
    return ""


def load_state(model: nn.Module, state: Mapping[str, torch.Tensor], *, source: str) -> None:
    """Load a state dict into a model in place, with a sentence for what does not fit.

    Args:
        model: its own keys are expected, without the prefix that normalisation adds; and the
            activation ranges of its layers, where it was trained through a multiplier.
        state: names to tensors; half-precision values become the model's float32.
        source: where the state dict came from, for the messages.

    Raises:
        EmulationError: a key is missing or unexpected, or a shape differs; it names the first.
    """
    target = model.network if isinstance(model, Normalized) else model
    for name, tensor in state.items():
        layer, _, leaf = name.rpartition(".")
        if leaf == RANGE and layer in dict(target.named_modules()):
            _require_range(tensor, f"{source}: {name}")
            target.get_submodule(layer).register_buffer(RANGE, torch.zeros(2))
    expected = target.state_dict()
    # Batch norm's step counter plays no part in inference, and older checkpoints lack it.
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - state.keys() - counters)
    if missing:
        raise EmulationError(
            f"{source} lacks {missing[0]} ({len(missing)} of {len(expected)} tensors missing): "
            f"it belongs to another network"
        )
    unexpected = sorted(state.keys() - expected.keys())
    if unexpected:
        raise EmulationError(
            f"{source} has a tensor {unexpected[0]} that the network does not "
            f"({len(unexpected)} unexpected): it belongs to another network"
        )
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise EmulationError(
                f"{source}: {name} has shape {tuple(tensor.shape)}, "
                f"the network needs {tuple(expected[name].shape)}"
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise EmulationError(f"{source}: expected finite numbers, {name} has others")
    target.load_state_dict({**{name: expected[name] for name in counters}, **state})


def _require_range(tensor: torch.Tensor, what: str) -> None:
    """Refuses a clipping range that training does not write."""
    if tensor.shape == (2,) and tensor.is_floating_point():
        lowest, highest = tensor.tolist()
        if -math.inf < lowest <= 0 <= highest < math.inf and lowest < highest:
            return
    raise EmulationError(
        f"{what}: expected two finite numbers, one of at most 0 and a greater one of at least 0"
    )


def save_state(path: Path, model: nn.Module, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model's weights as safetensors, atomically."""
    tensors = {name: tensor.contiguous() for name, tensor in own_state(model).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(tensors, metadata=dict(metadata or {})))


def weights_path(name: str, given: Path | None = None) -> Path:
    """Find the weights of a network: the file given, the shipped one, or ``$AXHIL_WEIGHTS``.

    ``$AXHIL_WEIGHTS`` is a folder with ``<network>_cifar10.safetensors`` in it.

    Raises:
        EmulationError: there are none.
    """
    if given is not None:
        return given
    if name in SHIPPED:
        return SHIPPED[name]
    folder = os.environ.get("AXHIL_WEIGHTS")
    candidates = [Path(folder) / f"{name}_cifar10.safetensors"] if folder else []
    for path in candidates:
        if path.is_file():
            return path
    looked = f" (looked for {candidates[0]})" if candidates else ""
    if ":" in name:  # torchvision's and the user's own have no recipe here
        raise EmulationError(f"no weights for {name}: give --weights FILE")
    raise EmulationError(
        f"no weights for {name}{looked}: give --weights FILE, point AXHIL_WEIGHTS at a folder with "
        f"{name}_cifar10.safetensors, or make them with `axhil train {name}`"
    )


def pretrained(name: str, *, weights: Path | None = None) -> nn.Module:
    """Build a network and load its weights, in eval mode and without trainable parameters.

    Args:
        name: see `emulation.network`.
        weights: file; None for the shipped ones or ``$AXHIL_WEIGHTS``.

    Raises:
        EmulationError: unknown network, no weights, or weights that do not fit.
    """
    path = weights_path(name, weights)
    model = network(name).build()
    load_state(model, read_state(path), source=str(path))
    return model.eval().requires_grad_(False)
