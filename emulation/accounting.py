# SPDX-License-Identifier: Apache-2.0
"""How much a network multiplies, and where: so that nothing is left in float unnoticed.

What counts is a multiply-accumulate of two operands: convolutions and matrix products, whether of
a module, a function or an operator, those of attention and of recurrent layers among them. Batch
norm, pooling, activations, normalisation and other element-wise arithmetic are none, as in the
papers that count so; a convolution spelt out as `(a * b).sum()` is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count, shape_wrapper

_aten: Any = torch.ops.aten


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _dot(a: tuple[int, ...], *_: Any, **__: Any) -> int:
    return 2 * a[0]


def _added(_: Any, a: tuple[int, ...], b: tuple[int, ...], *__: Any, **___: Any) -> int:
    return 2 * torch.Size(a).numel() * (b[-1] if len(b) > 1 else 1)


def _trilinear(a: tuple[int, ...], w: tuple[int, ...], *_: Any, **__: Any) -> int:
    return 2 * a[0] * torch.Size(w).numel()


# Products of two operands that torch's own counter does not know.
_FURTHER = {
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten.dot: _dot,
    _aten.vdot: _dot,
    _aten.addmv: _added,
    _aten.addbmm: _added,
    _aten._trilinear: _trilinear,
}
_FORMULAS = {**flop_registry, **{operator: shape_wrapper(f) for operator, f in _FURTHER.items()}}


class _Counter(TorchDispatchMode):
    """Operations so far; as torch's `FlopCounterMode`, which takes most of a second to import."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it so
        self.operations = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here, and torch would import its compiler only to be told so.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        if formula is not None:
            self.operations += formula(*args, **kwargs, out_val=out)
        return out


@contextmanager
def counted(root: nn.Module, macs: dict[str, int]) -> Iterator[None]:
    """Count the multiply-accumulates of a network while it runs.

    Args:
        root: the network.
        macs: added to: name of a module that multiplies to the multiply-accumulates of its own,
            without those of modules within it; the root is the empty name.
    """
    names = {module: name for name, module in root.named_modules()}
    counter = _Counter()
    running: list[list[int]] = []  # operations when each was entered, and those within it

    def enter(_module: nn.Module, _args: Any) -> None:
        running.append([counter.operations, 0])

    def leave(module: nn.Module, args: Any, _out: Any) -> None:
        before, within = running.pop()
        whole = counter.operations - before
        if running:
            running[-1][1] += whole
        own = _recurrent(module, args[0]) if isinstance(module, nn.RNNBase) else whole - within
        if own:
            macs[names[module]] = macs.get(names[module], 0) + own // 2

    handles = [h for m in names for h in (m.register_forward_pre_hook(enter),
                                          m.register_forward_hook(leave))]  # fmt: skip
    try:
        with counter:
            yield
    finally:
        for handle in handles:
            handle.remove()


def _recurrent(module: nn.RNNBase, x: Any) -> int:
    """Operations of a recurrent layer, which is one fused operator: each weight once a step."""
    data = x.data if isinstance(x, nn.utils.rnn.PackedSequence) else x
    steps = data.numel() // module.input_size
    weights = sum(p.numel() for name, p in module.named_parameters() if name.startswith("weight"))
    return 2 * int(steps) * weights


@contextmanager
def unfused_attention() -> Iterator[None]:
    """Keep torch from running attention as one operator, past its modules and their products."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def never_fused(network: nn.Module) -> None:
    """Have a network's transformer blocks run their layers, which need not be float ones."""
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
        elif isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False


def refusal(shares: Mapping[str, float], root: nn.Module) -> str:
    """One sentence about layers that would stay in float.

    Args:
        shares: module name to its part of the network's multiply-accumulates, 0 to 1.
        root: the network.
    """
    named = [
        f"{name or FORWARD} ({type(root.get_submodule(name)).__name__}, {100 * share:.3g} %)"
        for name, share in shares.items()
    ]
    if len(named) > _NAMED:
        named[_NAMED:] = [f"{len(named) - _NAMED} more"]
    return (
        f"{100 * sum(shares.values()):.3g} % of the network's multiply-accumulates would stay in "
        f'float, as no table reaches {", ".join(named)}; map these layers to "float", or allow '
        "it with allow_float=True (--allow-float)"
    )


FORWARD = "forward"
"""How the network's own `forward` is called, where it multiplies outside every module."""
_NAMED = 6
