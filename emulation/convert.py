# SPDX-License-Identifier: Apache-2.0
"""Turn a float network into one built from a multiplier.

`prepare` does what does not depend on the multiplier: it calibrates activation ranges, quantises
weights and absorbs batch norm. `Prepared.emulate` then puts tables in, so that seven multipliers
share one quantised network; `convert` is the two in one call.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import nn

from axhil.hwsim.lut import Lut

from .accounting import FORWARD, counted, never_fused, refusal
from .accumulator import Accumulator
from .batchnorm import Affine, BatchNorm, followers
from .calibrate import Calibration, LayerTrace, clipping_range, trace
from .errors import EmulationError
from .external import External
from .geometry import Geometry
from .gradient import Precision, parse_gradient
from .layers import LayerParameters, LutConv2d, LutLinear
from .normalization import Normalized
from .plan import FLOAT, RELATIVE_COST, Backend, LayerPlan, choose
from .quantize import Granularity, quantize_weights, scale_for
from .slope import SlopeTerms

Layers = Literal["all", "convolutions"]
# Name patterns (shell style, first match wins) to what a layer computes with: a table, None for
# exact integer arithmetic, "float" for the layer as it was, an External for products computed
# elsewhere.
Mapped = Lut | External | Literal["float"] | None
WIDTH = 8


@dataclass(frozen=True)
class Settings:
    """How a network is quantised; part of every record.

    Attributes:
        weights: one weight scale for a layer (the paper's setting) or one per output channel.
        activations: how the clipping range follows from the calibration images.
        batch_norm: kept in float behind the layer, or folded into its weights.
    """

    weights: Granularity = "tensor"
    activations: Calibration = "percentile"
    batch_norm: BatchNorm = "keep"


class EmulatedNetwork(nn.Module):
    """A network whose layers compute through tables, and the plan it was built by.

    Attributes:
        plan: one entry per layer, in the network's order: those that are converted, and those that
            multiply in float.
    """

    def __init__(self, network: nn.Module, plan: tuple[LayerPlan, ...]) -> None:
        super().__init__()
        self.network = network
        self.plan = plan

    @property
    def float_share(self) -> float:
        """Part of the network's multiply-accumulates that float arithmetic does, 0 to 1."""
        return sum(layer.share for layer in self.plan if layer.path == FLOAT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) images in [0, 1] to logits."""
        return cast(torch.Tensor, self.network(x))


@dataclass(frozen=True)
class Prepared:
    """A quantised network without a multiplier.

    Attributes:
        skeleton: the network with its batch norms absorbed; converted layers still in float.
        layers: parameters of each layer by name, in the network's order.
        traces: what calibration saw there.
        settings: how it was quantised.
        macs: multiply-accumulates of one image, on average over the calibration, by module, of
            these layers and of all others; `accounting` says what counts.
        allow_float: whether what no table can reach may stay in float.
    """

    skeleton: nn.Module
    layers: Mapping[str, LayerParameters]
    traces: Mapping[str, LayerTrace]
    settings: Settings
    macs: Mapping[str, int]
    allow_float: bool = False

    def emulate(
        self,
        multiplier: Mapped | Mapping[str, Mapped],
        *,
        layers: Layers = "all",
        backend: Backend = "auto",
        gradient: str = "float32",
        accumulator: Accumulator | None = None,
    ) -> EmulatedNetwork:
        """Build the network from a multiplier, or from several by layer name.

        Args:
            multiplier: a table for every layer; or a mapping of shell-style name patterns to
                tables (first match wins, no match: exact), e.g. ``{"layer1.*": drum4}``. None is
                exact integer arithmetic, ``"float"`` leaves a layer in float.
            layers: with a single table, ``convolutions`` leaves linear layers exact.
            backend: ``auto`` for the cheapest exact path of each layer; or force one.
            gradient: what the backward pass is; the forward pass is the same. ``float32`` or
                ``bfloat16``: straight-through, in this precision. ``slope:H``: by the table's own
                slope over H codes to either side, see `slope`; layers of exact arithmetic have
                no other slope than the straight-through one.
            accumulator: of few bits, in every layer with a table or an `External`; None: no sum
                overflows.

        Returns:
            The network, in eval mode, without trainable parameters.

        Raises:
            EmulationError: layers that no table reaches, and neither are mapped to ``"float"`` nor
                allowed; a table of another width or unsigned, a pattern that matches nothing, an
                unknown gradient, or the slope of a multiplier that has no table.
        """
        chosen = self._resolve(multiplier, layers)
        self._refuse_silent_float(chosen)
        rules = _Rules(gradient)
        network = copy.deepcopy(self.skeleton)
        root = _root(network)
        never_fused(root)
        plan = []
        for name, mapped in chosen.items():
            if isinstance(mapped, str) or name not in self.layers:
                plan.append(self._in_float(name, mapped))
                continue
            parameters = self.layers[name]
            linear = isinstance(root.get_submodule(name), nn.Linear)
            path, entry = choose(
                name,
                parameters,
                self.traces[name],
                mapped,
                backend=backend,
                accumulator=accumulator,
                macs=self.macs[name],
                share=self._share(name),
            )
            rule = rules.of(mapped)
            layer = (LutLinear if linear else LutConv2d)(parameters, path, gradient=rule)
            _replace(root, name, layer)
            plan.append(entry)
        return EmulatedNetwork(network, tuple(plan)).eval().requires_grad_(False)

    def float_share(self, multiplier: Mapped | Mapping[str, Mapped] = None) -> float:
        """`EmulatedNetwork.float_share` of the network that `emulate` would build."""
        chosen = self._resolve(multiplier, "all")
        return sum(
            self._share(name)
            for name, mapped in chosen.items()
            if isinstance(mapped, str) or name not in self.layers
        )

    def _share(self, name: str) -> float:
        return self.macs[name] / sum(self.macs.values())

    def _refuse_silent_float(self, chosen: Mapping[str, Mapped]) -> None:
        unreached = {
            name: self._share(name)
            for name, mapped in chosen.items()
            if name not in self.layers and not isinstance(mapped, str)
        }
        if unreached and not self.allow_float:
            raise EmulationError(refusal(unreached, _root(self.skeleton)))

    def _in_float(self, name: str, mapped: Mapped) -> LayerPlan:
        kind = type(_root(self.skeleton).get_submodule(name)).__name__
        seen = self.traces.get(name)
        return LayerPlan(
            name or FORWARD,
            "float",
            () if seen is None else seen.input_shape,
            () if seen is None else seen.output_shape,
            self.macs[name],
            FLOAT,
            "mapped to float" if isinstance(mapped, str) else f"no handler of {kind}",
            self.macs[name] * RELATIVE_COST[FLOAT],
            self._share(name),
        )

    def _resolve(
        self, multiplier: Mapped | Mapping[str, Mapped], layers: Layers
    ) -> dict[str, Mapped]:
        root = _root(self.skeleton)
        if not isinstance(multiplier, Mapping):
            single: Mapped = multiplier
            _check(single)
            return {
                name: None
                if layers == "convolutions" and isinstance(root.get_submodule(name), nn.Linear)
                else single
                for name in self.macs
            }
        names = [name or FORWARD for name in self.macs]
        for pattern, mapped in multiplier.items():
            _check(mapped)
            if not fnmatch.filter(names, pattern):
                raise EmulationError(
                    f"the pattern {pattern!r} matches no layer; the layers are {', '.join(names)}"
                )
        return {
            name: next(
                (m for p, m in multiplier.items() if fnmatch.fnmatchcase(name or FORWARD, p)), None
            )
            for name in self.macs
        }


class _Rules:
    """What each layer's backward pass is; a table's slope is taken apart once."""

    def __init__(self, gradient: str) -> None:
        self._rule = parse_gradient(gradient)
        self._terms: dict[str, SlopeTerms] = {}

    def of(self, mapped: Lut | External | None) -> Precision | SlopeTerms:
        """The rule for a layer of this multiplier."""
        if self._rule.window is None or mapped is None:
            return self._rule.precision
        if isinstance(mapped, External):
            raise EmulationError(
                f"{mapped.name} has no table whose slope could be taken; use its table, or the "
                "straight-through gradient float32"
            )
        if mapped.sha256 not in self._terms:
            self._terms[mapped.sha256] = SlopeTerms.of(mapped, window=self._rule.window)
        return self._terms[mapped.sha256]


def _check(mapped: Mapped) -> None:
    if isinstance(mapped, str) and mapped != "float":
        raise EmulationError(f"expected a Lut, None or 'float' for a layer, got {mapped!r}")
    if isinstance(mapped, External) and mapped.width != WIDTH:
        raise EmulationError(
            f"networks are quantised to signed {WIDTH}-bit codes; {mapped.name} is "
            f"{mapped.width}-bit"
        )
    if isinstance(mapped, Lut) and (mapped.width != WIDTH or not mapped.signed):
        kind = "signed" if mapped.signed else "unsigned"
        raise EmulationError(
            f"networks are quantised to signed {WIDTH}-bit codes; {mapped.name} is "
            f"{kind} {mapped.width}-bit (wrap an unsigned core with mul_signed)"
        )


def _root(network: nn.Module) -> nn.Module:
    """The network behind its normalisation: what its layers are named from."""
    return network.network if isinstance(network, Normalized) else network


def _replace(root: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(root.get_submodule(parent), leaf, layer)


def prepare(
    model: nn.Module,
    calibration: torch.Tensor,
    *,
    settings: Settings | None = None,
    allow_float: bool = False,
) -> Prepared:
    """Calibrate and quantise a network.

    Args:
        model: a float network for images in [0, 1]; left as it is.
        calibration: (N, C, H, W) float32 images in [0, 1], not among those evaluated.
        settings: None for the defaults.
        allow_float: whether `Prepared.emulate` may leave in float what no table can reach.

    Raises:
        EmulationError: no layer to convert, or one whose geometry the emulator does not know.
    """
    settings = settings or Settings()
    skeleton = copy.deepcopy(model).eval().requires_grad_(False)
    root = _root(skeleton)
    found = _layers(root)
    if not found:
        raise EmulationError("the network has no nn.Conv2d or nn.Linear to build from a multiplier")
    totals: dict[str, int] = {}
    traces = trace(skeleton, found, calibration, watch=counted(root, totals))
    macs = {
        name: -(-totals[name] // len(calibration))  # up: what multiplies at all is never 0
        for name, _ in root.named_modules()
        if name in totals
    }
    norms = followers(root)
    layers = {}
    for name, module in found.items():
        affine = None
        if name in norms:
            norm = root.get_submodule(norms[name])
            assert isinstance(norm, nn.BatchNorm2d)
            affine = Affine.of(norm)
            _replace(root, norms[name], nn.Identity())
        layers[name] = _parameters(name, module, traces[name], affine, settings)
    return Prepared(skeleton, layers, traces, settings, macs, allow_float)


def _layers(root: nn.Module) -> dict[str, nn.Module]:
    """What becomes a layer of a table, by name.

    A subclass with a `forward` of its own computes something else, and attention multiplies by its
    projection's weights without running it as a layer.
    """
    forwards = (nn.Conv2d.forward, nn.Linear.forward)
    return {
        name: module
        for name, module in root.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        and type(module).forward in forwards
        and not isinstance(root.get_submodule(name.rpartition(".")[0]), nn.MultiheadAttention)
    }


def _parameters(
    name: str,
    module: nn.Module,
    seen: LayerTrace,
    affine: Affine | None,
    settings: Settings,
) -> LayerParameters:
    assert isinstance(module, nn.Conv2d | nn.Linear)
    if isinstance(module, nn.Conv2d):
        weight, geometry = module.weight.detach(), Geometry.of(module, name)
    else:
        weight, geometry = module.weight.detach()[:, :, None, None], Geometry()
    outputs = weight.shape[0]
    bias = torch.zeros(outputs) if module.bias is None else module.bias.detach().clone()
    gain = torch.ones(outputs)
    if affine is not None:
        bias = bias * affine.gain + affine.shift
        if settings.batch_norm == "fold":
            weight = weight * affine.gain.view(-1, 1, 1, 1)
        else:
            gain = affine.gain
    codes, weight_scale = quantize_weights(weight, width=WIDTH, granularity=settings.weights)
    largest = clipping_range(seen, settings.activations, width=WIDTH)
    return LayerParameters(
        codes=codes,
        weight_scale=weight_scale,
        activation_scale=scale_for(torch.tensor(largest), width=WIDTH),
        gain=gain,
        bias=bias,
        geometry=geometry,
        width=WIDTH,
    )


def convert(
    model: nn.Module,
    multiplier: Mapped | Mapping[str, Mapped],
    *,
    calibration: torch.Tensor,
    settings: Settings | None = None,
    layers: Layers = "all",
    backend: Backend = "auto",
    gradient: str = "float32",
    accumulator: Accumulator | None = None,
    allow_float: bool = False,
) -> EmulatedNetwork:
    """`prepare` and `Prepared.emulate` in one call; see there."""
    prepared = prepare(model, calibration, settings=settings, allow_float=allow_float)
    return prepared.emulate(
        multiplier, layers=layers, backend=backend, gradient=gradient, accumulator=accumulator
    )
