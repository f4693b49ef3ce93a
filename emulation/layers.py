# SPDX-License-Identifier: Apache-2.0
"""Quantised layers whose products come from a multiplier: one base, one short class a module type.

    step = rint(x / activation scale), clipped        code - zero point, see `quantize`
    acc  = sum of (lut[code, weight code] - z * weight code - v * step)      int32
    y    = float32(acc) * out_scale + bias            per output channel; each operation rounded

z and v are the zero points of activations and weights: what they take off is exact integers outside
the multiplier, 0 where they are. Where codes have more than 8 bits, sums are int64. The backward
pass is straight-through: the input gradient of the float convolution on the dequantised operands,
zero where the activation was clamped; or by the table's own slope, see `slope`. Weights take no
gradient, but `update` replaces them; `trainable` trains them.

A module type that is not here gets a class under `@handles`, which says how its weights and its
input are those of a 2-D convolution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar, cast

import torch
from torch import nn

from .backends import AUTO, Backend, Choice, Computation, choose
from .gradients.gradient import InputGradient, Precision
from .gradients.slope import SlopeGradient, SlopeTerms
from .products.geometry import Geometry
from .quantise.quantize import Quantizer, is_wide, offset_of


@dataclass(frozen=True, eq=False)
class LayerParameters:
    """All that determines a layer's arithmetic, but for the multiplier.

    Attributes:
        codes: (O, C // groups, kh, kw) weights as they are kept, see `quantize`: int8 or, of more
            than 8 bits, int16; (O, K, 1, 1) for a linear layer.
        weight_scale: (O,) float32.
        weight_zero: the weight code of 0.0.
        activation: how the input is quantised.
        gain: (O,) float32 factor on the dequantised sum; 1 but for absorbed batch norm.
        bias: (O,) float32.
        geometry: stride, padding, dilation, groups.
    """

    codes: torch.Tensor
    weight_scale: torch.Tensor
    weight_zero: int
    activation: Quantizer
    gain: torch.Tensor
    bias: torch.Tensor
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class Chosen:
    """A backend made ready, and how it was chosen.

    Attributes:
        computation: what it computes.
        name: ``auto``, or the backend that is forced.
        choice: its class and why.
        backend: itself; other layers may share it.
    """

    computation: Computation
    name: str
    choice: Choice
    backend: Backend

    @classmethod
    def of(cls, computation: Computation, codes: torch.Tensor, name: str = AUTO) -> Chosen:
        """Choose for the device of the weight codes, and make ready."""
        choice = choose(computation, codes, codes.device, name)
        return cls(computation, name, choice, choice.backend(computation, codes))


class _StraightThrough(torch.autograd.Function):
    """Forward through the multiplier, backward through the float convolution."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: LutLayer) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.layer = layer
        return layer.emulate(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        return ctx.layer.input_gradient(x, grads[0]), None


class LutLayer(nn.Module, ABC):
    """What all layers share; computes on (N, C, H, W).

    Args:
        parameters: its arithmetic.
        chosen: who computes it.
        gradient: of the backward pass.
    """

    codes: torch.Tensor
    out_scale: torch.Tensor
    bias: torch.Tensor

    def __init__(
        self,
        parameters: LayerParameters,
        chosen: Chosen,
        *,
        gradient: Precision | SlopeTerms = "float32",
    ) -> None:
        super().__init__()
        self._gain = parameters.gain
        self.activation, self.geometry = parameters.activation, parameters.geometry
        self.chosen = chosen
        self._shared = True
        self.register_buffer("codes", parameters.codes)
        self.register_buffer("out_scale", self._out_scale(parameters.weight_scale))
        # A parameter, though none to train: by the first one other packages find a device.
        self.bias = nn.Parameter(parameters.bias, requires_grad=False)
        self._rule = gradient
        self._gradient: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None
        self._correction = self._corrected()

    @staticmethod
    @abstractmethod
    def weight_of(module: Any) -> torch.Tensor:
        """(O, C // groups, kh, kw) float32: the weights of the module in whose place it stands."""

    @staticmethod
    @abstractmethod
    def geometry_of(module: Any, name: str) -> Geometry:
        """How that module's windows lie, as those of a 2-D convolution."""

    @staticmethod
    def as_images(x: torch.Tensor) -> torch.Tensor:
        """The input of that module as that of a 2-D convolution."""
        return x

    @staticmethod
    def from_images(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """A 2-D convolution's output as that module's of an input x."""
        del x
        return y

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the module in whose place it stands; differentiable with respect to x."""
        images = self.as_images(x)
        if x.requires_grad and torch.is_grad_enabled():
            apply: Any = _StraightThrough.apply  # torch leaves it unannotated
            return self.from_images(apply(images, self), x)
        return self.from_images(self.emulate(images), x)

    def emulate(self, x: torch.Tensor) -> torch.Tensor:
        """Forward pass without a graph: (N, C, H, W) float32 to (N, O, OH, OW) float32."""
        return self.chosen.backend.run(
            x, out_scale=self.out_scale, bias=self.bias, correction=self._correction
        )

    def sums(self, steps: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) integer-valued float32 steps to (N, O, OH, OW) sums, int32 or int64."""
        return self.chosen.backend.sums(steps, self._correction)

    def mean_error(self, x: torch.Tensor) -> torch.Tensor:
        """What its multiplier adds to the outputs on average over images and places.

        Args:
            x: (N, C, H, W) float32.

        Returns:
            (O,) float32: sums of products less those of the exact ones, times `out_scale`; integers
            up to there, so that no order of additions plays a part.
        """
        steps = self.activation.to_steps(x)
        sums = self.sums(steps)
        # Of exact products the sum over images is the layer of the sum of images.
        exact = self.geometry.convolve(
            steps.sum(0, keepdim=True, dtype=torch.float64), self.weight_steps.to(torch.float64)
        )
        error = sums.sum((0, 2, 3), dtype=torch.float64) - exact.sum((0, 2, 3))
        places = sums.numel() // sums.shape[1]
        return (error / places * self.out_scale).to(torch.float32)

    def update(
        self,
        codes: torch.Tensor,
        weight_scale: torch.Tensor | None = None,
        weight_zero: int | None = None,
    ) -> None:
        """Take other weights.

        Args:
            codes: (O, C // groups, kh, kw) as they are kept, within the weight operand's codes.
            weight_scale: (O,) float32; None: as before.
            weight_zero: the code of 0.0; None: as before.
        """
        # Not in place: other networks share the codes.
        self.codes = codes.to(self.codes.device, self.codes.dtype, copy=True)
        if weight_scale is not None:
            self.out_scale = self._out_scale(weight_scale.to(self.codes.device))
        if weight_zero not in (None, self.chosen.computation.weight_zero):
            moved = replace(self.chosen.computation, weight_zero=weight_zero)
            self.chosen = replace(self.chosen, computation=moved)
            self._shared = True  # what is there computes with another zero point
        if self._shared:
            self._rebuild()
        else:
            self.chosen.backend.update(self.codes)
        self._gradient, self._correction = None, self._corrected()

    def _rebuild(self) -> None:
        self.chosen = Chosen.of(self.chosen.computation, self.codes, self.chosen.name)
        self._shared = False

    def _out_scale(self, weight_scale: torch.Tensor) -> torch.Tensor:
        # (O,): float32 products in this order, once, so that every backend has the same factor
        gain = self._gain.to(weight_scale.device)
        return self.activation.scale.to(weight_scale.device) * (weight_scale * gain)

    def _corrected(self) -> torch.Tensor | None:
        """(O,), of the sums' type: what the activations' zero point takes off them."""
        zero, arithmetic = self.activation.zero_point, self.chosen.computation.arithmetic
        wide = is_wide(arithmetic.activation, arithmetic.weight)
        dtype = torch.int64 if wide else torch.int32
        if not zero:
            return None
        taps = self.codes[0].numel()
        sums = self.codes.flatten(1).sum(1, dtype=dtype) + taps * offset_of(arithmetic.weight)
        return -zero * sums

    @property
    def inv_scale(self) -> torch.Tensor:
        """() float32 reciprocal of the activation's scale."""
        return self.activation.inv_scale

    def input_gradient(self, x: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
        """Gradient of the loss with respect to x, given that of the output."""
        if self._gradient is None:
            self._gradient = self._differentiated()
        # hardtanh's backward is "grad where below < x < above, else 0", in one pass.
        back = torch.ops.aten.hardtanh_backward(self._gradient(grad, x), x, *self.activation.clip)
        return cast(torch.Tensor, back)

    def _differentiated(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        if not isinstance(self._rule, SlopeTerms):
            weight = self.straight_through_weight()
            return InputGradient(weight, self.geometry, precision=self._rule)
        slope = SlopeGradient(
            self.weight_steps + self.chosen.computation.weight_zero,
            self._code_scale(),
            self._rule,
            self.geometry,
            least=self.activation.steps[0],
        )
        return lambda grad, x: slope(grad, self.activation.to_steps(x))

    @property
    def weight_steps(self) -> torch.Tensor:
        """(O, C // groups, kh, kw) int32: weight codes less their zero point."""
        computation = self.chosen.computation
        offset = offset_of(computation.arithmetic.weight)
        return self.codes.to(torch.int32) + (offset - computation.weight_zero)

    def straight_through_weight(self) -> torch.Tensor:
        """(O, C // groups, kh, kw) float32: the weights that the codes stand for."""
        return self.weight_steps.to(torch.float32) * self._code_scale().view(-1, 1, 1, 1)

    def _code_scale(self) -> torch.Tensor:
        # (O,): what a step of the sum is worth in the output, per what a step of the code is in x
        return self.out_scale * self.inv_scale

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        parent: Any = super()  # torch leaves it unannotated
        moved = cast(Self, parent._apply(fn, recurse))
        # Made anew where the layer moves to.
        self._gradient, self._correction = None, self._corrected()
        if self.codes.device != self.chosen.backend.device:
            self._rebuild()
        return moved

    def extra_repr(self) -> str:
        """Shape, geometry and backend, as `print(model)` shows them."""
        o, c, kh, kw = self.codes.shape
        path = self.chosen.choice.backend.name
        return f"{c * self.geometry.groups}, {o}, kernel={kh}x{kw}, path={path}"


HANDLERS: dict[type[nn.Module], type[LutLayer]] = {}
"""What takes the place of a module, by its class."""

_Class = TypeVar("_Class", bound=type[LutLayer])


def handles(module: type[nn.Module]) -> Callable[[_Class], _Class]:
    """Register what takes the place of modules of a class."""

    def register(layer: _Class) -> _Class:
        HANDLERS[module] = layer
        return layer

    return register


def handler(module: nn.Module) -> type[LutLayer] | None:
    """What takes the place of a module; None for nothing.

    A subclass with a `forward` of its own computes something else.
    """
    for cls, layer in HANDLERS.items():
        if isinstance(module, cls) and type(module).forward is cls.forward:
            return layer
    return None


@handles(nn.Conv2d)
class LutConv2d(LutLayer):
    """Convolution: (N, C, H, W) float32 to (N, O, OH, OW) float32."""

    @staticmethod
    def weight_of(module: nn.Conv2d) -> torch.Tensor:
        """See `LutLayer.weight_of`."""
        return module.weight

    @staticmethod
    def geometry_of(module: nn.Conv2d, name: str) -> Geometry:
        """See `LutLayer.geometry_of`."""
        return Geometry.of(module, name)


@handles(nn.Conv1d)
class LutConv1d(LutLayer):
    """Convolution of one row: (N, C, L) float32 to (N, O, OL) float32."""

    @staticmethod
    def weight_of(module: nn.Conv1d) -> torch.Tensor:
        """See `LutLayer.weight_of`."""
        return module.weight[:, :, None, :]

    @staticmethod
    def geometry_of(module: nn.Conv1d, name: str) -> Geometry:
        """See `LutLayer.geometry_of`."""
        return Geometry.of(module, name)

    @staticmethod
    def as_images(x: torch.Tensor) -> torch.Tensor:
        """See `LutLayer.as_images`."""
        return x[:, :, None, :]

    @staticmethod
    def from_images(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See `LutLayer.from_images`."""
        del x
        return y[:, :, 0, :]


@handles(nn.Linear)
class LutLinear(LutLayer):
    """Matrix product: (..., K) float32 to (..., O) float32."""

    @staticmethod
    def weight_of(module: nn.Linear) -> torch.Tensor:
        """See `LutLayer.weight_of`."""
        return module.weight[:, :, None, None]

    @staticmethod
    def geometry_of(module: nn.Linear, name: str) -> Geometry:
        """See `LutLayer.geometry_of`."""
        del module, name
        return Geometry()

    @staticmethod
    def as_images(x: torch.Tensor) -> torch.Tensor:
        """See `LutLayer.as_images`."""
        return x.reshape(-1, x.shape[-1], 1, 1)

    @staticmethod
    def from_images(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See `LutLayer.from_images`."""
        return y.view(*x.shape[:-1], -1)
