# SPDX-License-Identifier: Apache-2.0
"""Turn a float network into one built from a multiplier.

`prepare` does what does not depend on the multiplier: it calibrates activation ranges and absorbs
batch norm. `Prepared.emulate` then puts tables in, quantised to the operands that each has, so that
seven multipliers share one prepared network; `convert` is the two in one call.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Literal, cast

import torch
from torch import nn

from axhil.hwsim.lut import Lut
from axhil.hwsim.multipliers import NETWORKS, Assignment, Multiplier, find
from axhil.hwsim.operands import Operand

from .accounting import FORWARD, counted, never_fused, refusal
from .accumulator import Accumulator
from .arithmetic import Arithmetic, ExactArithmetic, ExternalArithmetic, TableArithmetic
from .backends import AUTO, Choice, Computation, choose
from .batchnorm import Affine, BatchNorm, followers
from .cache import BackendCache
from .calibrate import Calibration, LayerTrace, activation_quantizer, trace
from .errors import EmulationError
from .external import External
from .gradient import GradientRule, Precision, parse_gradient
from .layers import HANDLERS, Chosen, LayerParameters, LutLayer, handler
from .normalization import Normalized
from .plan import FLOAT, LayerPlan
from .quantize import S8, Granularity, quantize_weights, refused_operands
from .slope import SlopeTerms

Layers = Literal["all", "convolutions"]
# What a layer computes with: a table, None for exact integer arithmetic, "float" for the layer as
# it was, an External for products computed elsewhere.
Mapped = Lut | External | Literal["float"] | None
# That of every layer, or by name patterns (shell style, first match wins); or what
# `hwsim.multipliers` finds and assigns.
BuiltFrom = Mapped | Multiplier | str | Assignment | Mapping[str, Mapped | Multiplier | str]


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
    """A network whose layers compute through tables.

    Args:
        network: the network.
        rows: of its plan.
        layers: those that are converted, by name.
    """

    def __init__(
        self, network: nn.Module, rows: tuple[LayerPlan, ...], layers: Mapping[str, LutLayer]
    ) -> None:
        super().__init__()
        self.network = network
        self.layers = dict(layers)
        self._rows = rows

    @property
    def plan(self) -> tuple[LayerPlan, ...]:
        """What computes each layer where the network is now, in its order.

        One entry per layer that is converted, and per module that multiplies in float.
        """
        return tuple(
            row.by(self.layers[row.name].chosen.choice) if row.name in self.layers else row
            for row in self._rows
        )

    @property
    def float_share(self) -> float:
        """Part of the network's multiply-accumulates that float arithmetic does, 0 to 1."""
        return sum(row.share for row in self._rows if row.path == FLOAT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) images in [0, 1] to logits."""
        return cast(torch.Tensor, self.network(x))


@dataclass(frozen=True)
class Prepared:
    """A calibrated network without a multiplier.

    Attributes:
        skeleton: the network with its batch norms absorbed, all layers still in float.
        affines: what batch norms became, by the layer before them.
        traces: what calibration saw at the layers that a multiplier can build, by name, in the
            network's order.
        settings: how it is quantised.
        macs: multiply-accumulates of one image, on average over the calibration, by module, of
            these layers and of all others; `accounting` says what counts.
        allow_float: whether what no table can reach may stay in float.
    """

    skeleton: nn.Module
    affines: Mapping[str, Affine]
    traces: Mapping[str, LayerTrace]
    settings: Settings
    macs: Mapping[str, int]
    allow_float: bool = False
    _quantised: dict[tuple[str, Operand, Operand], LayerParameters] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _backends: BackendCache = field(
        default_factory=BackendCache, init=False, repr=False, compare=False
    )

    @property
    def layers(self) -> Mapping[str, LayerParameters]:
        """Each layer quantised to signed 8-bit operands, by name, in the network's order."""
        return {name: self.quantised(name) for name in self.traces}

    def quantised(
        self, name: str, activation: Operand = S8, weight: Operand = S8
    ) -> LayerParameters:
        """One layer, quantised to the operands of a multiplier."""
        key = (name, activation, weight)
        if key not in self._quantised:
            self._quantised[key] = self._quantise(*key)
        return self._quantised[key]

    def approximate(self, layers: Layers) -> tuple[str, ...]:
        """Names of the layers that a single multiplier replaces; the others stay exact."""
        return tuple(
            name
            for name in self.traces
            if layers == "all" or not isinstance(self._module(name), nn.Linear)
        )

    def check(self, multiplier: BuiltFrom) -> None:
        """Refuse a multiplier that `emulate` would refuse, before anything is built.

        Raises:
            EmulationError: see `emulate`.
        """
        for _ in self._computations(self._resolve(multiplier, "all"), None):
            pass

    def emulate(
        self,
        multiplier: BuiltFrom,
        *,
        layers: Layers = "all",
        backend: str = AUTO,
        gradient: str = "float32",
        accumulator: Accumulator | None = None,
        device: str | torch.device = "cpu",
    ) -> EmulatedNetwork:
        """Build the network from a multiplier, or from several by layer name.

        Args:
            multiplier: what `hwsim.multipliers.find` reads, such as ``"drum(4)"``, what it finds,
                or a table, for every layer; or a mapping of shell-style name patterns to these
                (first match wins, no match: exact), e.g. ``{"layer1.*": "drum(4)"}``, or an
                `Assignment`. None is exact integer arithmetic, ``"float"`` leaves a layer in float.
            layers: with a single table, ``convolutions`` leaves linear layers exact.
            backend: ``auto`` for the cheapest exact backend of each layer; or force one.
            gradient: what the backward pass is; the forward pass is the same. ``float32`` or
                ``bfloat16``: straight-through, in this precision. ``slope:H``: by the table's own
                slope over H codes to either side, see `slope`; layers of exact arithmetic have
                no other slope than the straight-through one.
            accumulator: of few bits, in every layer with a table or an `External`; None: no sum
                overflows.
            device: where to build it; `to` moves it afterwards, at the cost of building it anew.

        Returns:
            The network, in eval mode, without trainable parameters.

        Raises:
            EmulationError: layers that no table reaches, and neither are mapped to ``"float"`` nor
                allowed; operands that networks are not quantised to, a pattern that matches
                nothing, an unknown gradient or backend, a backend that cannot compute this, or the
                slope of a multiplier that has no table.
        """
        chosen = self._resolve(multiplier, layers)
        rule = parse_gradient(gradient)
        where = torch.device(device)
        built = {}
        for name, computation in self._computations(chosen, accumulator):
            kind = handler(self._module(name))
            assert kind is not None
            built[name] = kind(
                self._parameters(name, computation.arithmetic),
                self._made(name, computation, where, backend),
                gradient=_backward(rule, chosen[name]),
            )
        # What is replaced is not copied first: to the copy it is the layer already.
        replaced = {id(self._module(name)): layer for name, layer in built.items()}
        network = copy.deepcopy(self.skeleton, cast(dict[int, object], replaced))
        never_fused(network)
        choices = {name: layer.chosen.choice for name, layer in built.items()}
        emulated = EmulatedNetwork(network, self._rows(chosen, choices), built)
        return emulated.eval().requires_grad_(False).to(where)

    def plan(
        self,
        multiplier: BuiltFrom,
        *,
        layers: Layers = "all",
        backend: str = AUTO,
        accumulator: Accumulator | None = None,
        device: str | torch.device = "cpu",
    ) -> tuple[LayerPlan, ...]:
        """What `emulate` would choose on a device, which need not be there; see `emulate`."""
        chosen, where = self._resolve(multiplier, layers), torch.device(device)
        choices = {
            name: choose(computation, self._codes(name, computation), where, backend)
            for name, computation in self._computations(chosen, accumulator)
        }
        return self._rows(chosen, choices)

    def float_share(self, multiplier: BuiltFrom = None) -> float:
        """`EmulatedNetwork.float_share` of the network that `emulate` would build."""
        chosen = self._resolve(multiplier, "all")
        return sum(
            self._share(name)
            for name, mapped in chosen.items()
            if isinstance(mapped, str) or name not in self.traces
        )

    def _resolve(self, multiplier: BuiltFrom, layers: Layers) -> dict[str, Mapped]:
        """What each module that multiplies is mapped to, by name."""
        tables = _tables(multiplier)
        if not isinstance(tables, dict):
            _check(tables)
            exact = set(self.traces) - set(self.approximate(layers))
            return {name: None if name in exact else tables for name in self.macs}
        names = [name or FORWARD for name in self.macs]
        for pattern, mapped in tables.items():
            _check(mapped)
            if not fnmatch.filter(names, pattern):
                raise EmulationError(
                    f"the pattern {pattern!r} matches no layer; the layers are {', '.join(names)}"
                )
        return {
            name: next(
                (m for p, m in tables.items() if fnmatch.fnmatchcase(name or FORWARD, p)), None
            )
            for name in self.macs
        }

    def _computations(
        self, chosen: Mapping[str, Mapped], accumulator: Accumulator | None
    ) -> Iterator[tuple[str, Computation]]:
        """The layers that are not left in float; refuses what would be so unnoticed."""
        unreached = {
            name: self._share(name)
            for name, mapped in chosen.items()
            if name not in self.traces and not isinstance(mapped, str)
        }
        if unreached and not self.allow_float:
            raise EmulationError(refusal(unreached, _root(self.skeleton)))
        for name, mapped in chosen.items():
            if name in self.traces and not isinstance(mapped, str):
                arithmetic = _arithmetic(mapped, accumulator)
                parameters = self._parameters(name, arithmetic)
                yield name, Computation(arithmetic, parameters.activation, parameters.geometry)

    def _made(self, name: str, computation: Computation, device: torch.device, how: str) -> Chosen:
        codes = self._codes(name, computation)
        choice = choose(computation, codes, device, how)
        backend = self._backends.get(
            (name, computation.arithmetic, choice.backend, str(device)),
            codes.numel(),
            lambda: choice.backend(computation, codes.to(device)),
        )
        return Chosen(computation, how, choice, backend)

    def _rows(
        self, chosen: Mapping[str, Mapped], choices: Mapping[str, Choice]
    ) -> tuple[LayerPlan, ...]:
        rows = []
        for name, mapped in chosen.items():
            seen = self.traces.get(name)
            kind = type(self._module(name)).__name__
            row = LayerPlan(
                name=name or FORWARD,
                multiplier=_label(mapped) if name in choices else "float",
                input_shape=() if seen is None else seen.input_shape,
                output_shape=() if seen is None else seen.output_shape,
                macs=self.macs[name],
                share=self._share(name),
                path=FLOAT,
                reason="mapped to float" if isinstance(mapped, str) else f"no handler of {kind}",
                cost=float(self.macs[name]),
            )
            rows.append(row.by(choices[name]) if name in choices else row)
        return tuple(rows)

    def _share(self, name: str) -> float:
        return self.macs[name] / sum(self.macs.values())

    def _module(self, name: str) -> nn.Module:
        return _root(self.skeleton).get_submodule(name)

    def _parameters(self, name: str, arithmetic: Arithmetic) -> LayerParameters:
        return self.quantised(name, arithmetic.activation, arithmetic.weight)

    def _codes(self, name: str, computation: Computation) -> torch.Tensor:
        return self._parameters(name, computation.arithmetic).codes

    def _quantise(self, name: str, activation: Operand, weight: Operand) -> LayerParameters:
        module = self._module(name)
        kind = handler(module)
        assert kind is not None
        weights = kind.weight_of(module).detach()
        outputs = weights.shape[0]
        own = cast(torch.Tensor | None, module.bias)
        bias = torch.zeros(outputs) if own is None else own.detach().clone()
        gain = torch.ones(outputs)
        affine = self.affines.get(name)
        if affine is not None:
            bias = bias * affine.gain + affine.shift
            if self.settings.batch_norm == "fold":
                weights = weights * affine.gain.view(-1, 1, 1, 1)
            else:
                gain = affine.gain
        codes, scale = quantize_weights(weights, weight, granularity=self.settings.weights)
        return LayerParameters(
            codes=codes,
            weight_scale=scale,
            activation=activation_quantizer(
                self.traces[name], self.settings.activations, activation
            ),
            gain=gain,
            bias=bias,
            geometry=kind.geometry_of(module, name),
        )


def _arithmetic(mapped: Lut | External | None, accumulator: Accumulator | None) -> Arithmetic:
    if mapped is None:
        return ExactArithmetic()
    if isinstance(mapped, External):
        return ExternalArithmetic(mapped, accumulator)
    return TableArithmetic(mapped, accumulator)


def _label(mapped: Mapped) -> str:
    return ExactArithmetic.name if mapped is None or isinstance(mapped, str) else mapped.name


def _backward(rule: GradientRule, mapped: Mapped) -> Precision | SlopeTerms:
    """What the backward pass of a layer of this multiplier is."""
    if rule.window is None or mapped is None or isinstance(mapped, str):
        return rule.precision
    if isinstance(mapped, External):
        raise EmulationError(
            f"{mapped.name} has no table whose slope could be taken; use its table, or the "
            "straight-through gradient float32"
        )
    return SlopeTerms.of(mapped, window=rule.window)


def _tables(source: BuiltFrom) -> Mapped | dict[str, Mapped]:
    """The tables of what a network is to be built from."""
    if isinstance(source, str) and source != "float":
        source = Assignment.parse(source, NETWORKS)
    if isinstance(source, Assignment):
        source = source.mapping()
    if isinstance(source, Mapping):
        return {pattern: _table(one) for pattern, one in source.items()}
    return _table(source)


def _table(source: Mapped | Multiplier | str) -> Mapped:
    if source is None or source == "float" or isinstance(source, Lut | External):
        return source  # type: ignore[return-value]  # the one text among them is "float"
    return (find(source, NETWORKS) if isinstance(source, str) else source).table()


def _check(mapped: Mapped) -> None:
    if mapped is None or isinstance(mapped, str):
        return
    expected = refused_operands(mapped.activation, mapped.weight)
    if expected is not None:
        hint = "" if mapped.weight.signed else " (wrap an unsigned core with mul_signed)"
        raise EmulationError(
            f"networks are quantised to {expected}, but {mapped.name} takes "
            f"{mapped.activation.code} activations and {mapped.weight.code} weights{hint}"
        )


def _root(network: nn.Module) -> nn.Module:
    """The network behind its normalisation: what its layers are named from."""
    return network.network if isinstance(network, Normalized) else network


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
    skeleton = copy.deepcopy(model).eval().requires_grad_(False)
    root = _root(skeleton)
    layers = _layers(root)
    if not layers:
        known = " or ".join(f"nn.{kind.__name__}" for kind in HANDLERS)
        raise EmulationError(f"the network has no {known} to build from a multiplier")
    totals: dict[str, int] = {}
    traces = trace(skeleton, layers, calibration, watch=counted(root, totals))
    macs = {
        name: ceil(totals[name] / len(calibration))  # up: what multiplies at all is never 0
        for name, _ in root.named_modules()
        if name in totals
    }
    affines = {}
    for name, behind in followers(root).items():
        if name in layers:
            norm = root.get_submodule(behind)
            assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
            affines[name] = Affine.of(norm)
            parent, _, leaf = behind.rpartition(".")
            setattr(root.get_submodule(parent), leaf, nn.Identity())
    prepared = Prepared(skeleton, affines, traces, settings or Settings(), macs, allow_float)
    for name in layers:
        prepared.quantised(name)  # refuses a geometry now, and not when a table is put in
    return prepared


def _layers(root: nn.Module) -> dict[str, nn.Module]:
    """What a multiplier can build, by name.

    Attention multiplies by its projection's weights without running it as a layer.
    """
    return {
        name: module
        for name, module in root.named_modules()
        if handler(module) is not None
        and not isinstance(root.get_submodule(name.rpartition(".")[0]), nn.MultiheadAttention)
    }


def convert(
    model: nn.Module,
    multiplier: BuiltFrom,
    *,
    calibration: torch.Tensor,
    settings: Settings | None = None,
    layers: Layers = "all",
    backend: str = AUTO,
    gradient: str = "float32",
    accumulator: Accumulator | None = None,
    allow_float: bool = False,
) -> EmulatedNetwork:
    """`prepare` and `Prepared.emulate` in one call; see there."""
    prepared = prepare(model, calibration, settings=settings, allow_float=allow_float)
    return prepared.emulate(
        multiplier, layers=layers, backend=backend, gradient=gradient, accumulator=accumulator
    )
