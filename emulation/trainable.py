# SPDX-License-Identifier: Apache-2.0
"""A network whose weights are trained while its layers compute through multipliers.

Each layer keeps its float weights. A forward pass quantises them, as conversion will, and sums the
products of the codes; batch norms see these sums, and stay what they are. The backward pass is

    straight-through:  that of the float convolution of what the codes stand for
    slope:H            that of the table's own secants along either operand, see `slope`

The scale of the activations is trained by the gradient of S. K. Esser et al., "Learned step size
quantization", ICLR 2020, or calibrated anew between epochs from what enters the layers then.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from math import sqrt
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from axhil.hwsim.operands import Operand

from .accounting import never_fused
from .gradients.gradient import GradientRule, parse_gradient
from .gradients.slope import Along, SlopeGradient, SlopeTerms
from .layers import LutLayer
from .mapping import BuiltFrom
from .prepared import Layers, Prepared, root_of
from .products.arithmetic import TableArithmetic
from .quantise.calibrate import RANGE, activation_quantizer, trace
from .quantise.quantize import Granularity, Quantizer, quantize_weights

SCALE = "activation_scale"
"""Parameter of a layer that is trained: of its input's codes."""

# Singular values of a slope below this share of the largest are left out: the noise of a batch is
# far above them.
_SHARE = 2.0**-8
# Of its first value, below which a scale does not fall.
_LEAST_SCALE = 2.0**-4


class _Through(torch.autograd.Function):
    """Forward through the multiplier, backward as the layer's rule says."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, layer: TrainableLayer
    ) -> torch.Tensor:
        del weight  # quantised already
        quantizer = layer.quantizer(scale)
        steps = quantizer.to_steps(x)
        ctx.save_for_backward(x, steps, quantizer.scale)
        ctx.layer = layer
        return layer.outputs(steps, quantizer.scale)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, steps, scale = ctx.saved_tensors
        layer: TrainableLayer = ctx.layer
        of_input, of_weight, of_scale, _ = ctx.needs_input_grad
        back, weight = layer.gradients(
            grads[0], steps, scale, of_steps=of_input or of_scale, of_weight=of_weight
        )
        if back is None:
            return None, weight, None, None
        place = x / scale
        inside = place.round() == steps
        learned = None
        if of_scale:
            moved = torch.where(inside, steps - place, steps)
            limit = max(abs(end) for end in (layer.steps[0], layer.steps[-1]))
            learned = (back * moved).sum() / sqrt(x[0].numel() * limit)
        return back * inside, weight, learned, None


class TrainableLayer:
    """Takes the place of a module's forward pass, whose weights stay the module's own.

    Args:
        module: what is trained.
        layer: what it computes through.
        granularity: of the weights' scales.
        rule: of the backward pass.
        learned: whether the scale of its input is trained.
    """

    def __init__(
        self,
        module: Any,
        layer: LutLayer,
        *,
        granularity: Granularity,
        rule: GradientRule,
        learned: bool,
    ) -> None:
        self._module, self._layer, self._granularity = module, layer, granularity
        self._least = _LEAST_SCALE * float(layer.activation.scale)
        self._dtype = torch.bfloat16 if rule.precision == "bfloat16" else torch.float32
        self._window = rule.window
        self._version = -1
        self._weight_scale = torch.empty(0)
        scale = layer.activation.scale.clone()
        module.register_parameter(SCALE, nn.Parameter(scale, requires_grad=learned))
        module.forward = self  # of this instance alone: its names and its state stay as they are

    @property
    def _slopes(self) -> tuple[SlopeTerms, SlopeTerms] | None:
        """Along the activation and along the weight; None: straight-through."""
        computation, window = self._layer.chosen.computation, self._window
        arithmetic = computation.arithmetic
        if window is None or not isinstance(arithmetic, TableArithmetic):
            return None

        # A zero point's correction is part of the sum, and of its slope.
        def terms(along: Along, less: int) -> SlopeTerms:
            return SlopeTerms.of(
                arithmetic.lut, window=window, share=_SHARE, along=along, less=less
            )

        return (
            terms("activation", computation.weight_zero),
            terms("weight", computation.activation.zero_point),
        )

    @property
    def steps(self) -> range:
        """Of the input."""
        return self._layer.activation.steps

    @property
    def operand(self) -> Operand:
        """Of the multiplier, that the input is quantised to."""
        return self._layer.activation.operand

    def quantizer(self, scale: torch.Tensor) -> Quantizer:
        """Of the input, at a scale."""
        return replace(self._layer.activation, scale=scale.detach().clamp(min=self._least))

    @property
    def range(self) -> torch.Tensor:
        """(2,) float32: the values that the least and the greatest step stand for."""
        ends = torch.tensor([self.steps[0], self.steps[-1]], dtype=torch.float32)
        return ends * self.quantizer(getattr(self._module, SCALE)).scale.cpu()

    def calibrate(self, quantizer: Quantizer) -> None:
        """Take another scale of the input."""
        getattr(self._module, SCALE).data.copy_(quantizer.scale)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """As the module, through the multiplier; differentiable in x, weights and scale."""
        layer, module = self._layer, self._module
        weight = layer.weight_of(module)
        if module.weight._version != self._version:
            operand = layer.chosen.computation.arithmetic.weight
            codes, self._weight_scale, zero = quantize_weights(
                weight, operand, granularity=self._granularity
            )
            layer.update(codes, weight_zero=zero)
            self._version = module.weight._version
        apply: Any = _Through.apply  # torch leaves it unannotated
        y = apply(layer.as_images(x), weight, getattr(module, SCALE), self)
        if module.bias is not None:
            y = y + module.bias.view(-1, 1, 1)
        return layer.from_images(y, x)

    def outputs(self, steps: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) steps to (N, O, OH, OW) float32, without the bias."""
        sums = self._layer.sums(steps).to(torch.float32)
        return sums.mul_((scale * self._weight_scale).view(-1, 1, 1))

    def gradients(
        self,
        grad: torch.Tensor,
        steps: torch.Tensor,
        scale: torch.Tensor,
        *,
        of_steps: bool,
        of_weight: bool,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Gradients with respect to the values that steps and weight codes stand for.

        Args:
            grad: (N, O, OH, OW) float32, of the output.
            steps: (N, C, H, W) of the input.
            scale: of the input.
            of_steps: whether the first is needed.
            of_weight: whether the second is.

        Returns:
            (N, C, H, W) and (O, C // groups, kh, kw) float32, None where not needed.
        """
        grad = grad.contiguous()
        layer, slopes = self._layer, self._slopes
        if slopes is None:
            weight = layer.weight_steps * self._weight_scale.view(-1, 1, 1, 1)
            return self._convolved(grad, steps * scale, weight, (of_steps, of_weight))
        along_activation, along_weight = slopes
        back = forth = None
        if of_steps:
            slope = SlopeGradient(
                self._codes, self._weight_scale, along_activation, layer.geometry,
                least=self.steps[0],
            )  # fmt: skip
            back = slope(grad, steps)
        if of_weight:
            forth = self._weight_gradient(grad * scale, steps, along_weight)
        return back, forth

    @property
    def _codes(self) -> torch.Tensor:
        return self._layer.weight_steps + self._layer.chosen.computation.weight_zero

    def _weight_gradient(
        self, grad: torch.Tensor, steps: torch.Tensor, terms: SlopeTerms
    ) -> torch.Tensor:
        codes, activation = self._codes.to(torch.int64), self._layer.activation
        weight = self._layer.chosen.computation.arithmetic.weight
        places = codes - Quantizer(weight, torch.ones(())).codes.start
        patterns = (steps.to(torch.int64) + activation.zero_point) & (terms.v.shape[1] - 1)
        (ph, pw), zero = self._layer.geometry.padding, activation.zero_point
        total = torch.zeros(codes.shape)
        for u, v in zip(terms.u, terms.v, strict=True):
            x = F.pad(v[patterns], (pw, pw, ph, ph), value=float(v[zero]))
            _, back = self._convolved(grad, x, torch.zeros(codes.shape), (False, True), (0, 0))
            total += cast(torch.Tensor, back) * u[places]
        return total

    def _convolved(
        self,
        grad: torch.Tensor,
        x: torch.Tensor,
        weight: torch.Tensor,
        needed: tuple[bool, bool],
        padding: tuple[int, int] | None = None,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        geometry = self._layer.geometry
        back = torch.ops.aten.convolution_backward(
            grad.to(self._dtype),
            x.to(self._dtype),
            weight.to(self._dtype),
            None,
            geometry.stride,
            geometry.padding if padding is None else padding,
            geometry.dilation,
            False,
            (0, 0),
            geometry.groups,
            (*needed, False),
        )
        first, second = (one if one is None else one.to(torch.float32) for one in back[:2])
        return first, second


class TrainableNetwork(nn.Module):
    """A float network that computes through multipliers while it is trained.

    Args:
        model: the float network; left as it is.
        prepared: the same, calibrated, with batch norms kept.
        multiplier: see `Prepared.emulate`.
        layers: see `Prepared.emulate`.
        gradient: likewise.
        learned: whether scales of activations are trained.

    Raises:
        EmulationError: see `Prepared.emulate`.
    """

    def __init__(
        self,
        model: nn.Module,
        prepared: Prepared,
        multiplier: BuiltFrom,
        *,
        layers: Layers = "all",
        gradient: str = "float32",
        learned: bool = True,
    ) -> None:
        super().__init__()
        self._model, self._prepared = [model], prepared  # not a part of this one
        emulated = prepared.emulate(multiplier, layers=layers, gradient=gradient)
        self.network = copy.deepcopy(model).requires_grad_(True)
        never_fused(self.network)
        self.trainable = {
            name: TrainableLayer(
                self._module(name),
                layer,
                granularity=prepared.settings.weights,
                rule=parse_gradient(gradient),
                learned=learned,
            )
            for name, layer in emulated.layers.items()
        }

    def _module(self, name: str) -> nn.Module:
        return root_of(self.network).get_submodule(name)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) images in [0, 1] to logits."""
        return cast(torch.Tensor, self.network(x))

    def calibrate(self, images: torch.Tensor) -> None:
        """Set the scales of activations by what enters each layer now.

        Args:
            images: (N, C, H, W) float32 in [0, 1].
        """
        self.eval()
        traces = trace(self, {name: self._module(name) for name in self.trainable}, images)
        method = self._prepared.settings.activations
        for name, layer in self.trainable.items():
            layer.calibrate(activation_quantizer(traces[name], method, layer.operand))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What an optimizer trains: scales do not decay."""
        scales = [
            p for name, p in self.named_parameters() if name.endswith(SCALE) and p.requires_grad
        ]
        others = [p for name, p in self.named_parameters() if not name.endswith(SCALE)]
        learned = [{"params": scales, "weight_decay": 0.0}] if scales else []
        return [{"params": others}, *learned]

    def released(self) -> nn.Module:
        """A plain float network of the weights now, with its layers' activation ranges."""
        plain = copy.deepcopy(self._model[0])
        state = {
            name: tensor
            for name, tensor in self.network.state_dict().items()
            if not name.endswith(SCALE)
        }
        for name, layer in self.trainable.items():
            root_of(plain).get_submodule(name).register_buffer(RANGE, layer.range)
        plain.load_state_dict(state, strict=False)
        return plain.eval().requires_grad_(False)
