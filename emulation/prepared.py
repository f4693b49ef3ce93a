# SPDX-License-Identifier: Apache-2.0
"""A quantised network: without a multiplier, and built from one."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import torch
from torch import nn

from axhil.hwsim.lut import Lut
from axhil.hwsim.operands import Operand

from .accounting import FORWARD, never_fused, refusal
from .backends import AUTO, Choice, Computation, choose
from .bias_correction import correct_biases
from .cache import BackendCache
from .errors import EmulationError
from .gradients.gradient import GradientRule, Precision, parse_gradient
from .gradients.slope import SlopeTerms
from .layers import Chosen, LayerParameters, LutLayer, handler
from .mapping import BuiltFrom, Mapped, arithmetic_of, check, label_of, tables_of
from .plan import FLOAT, LayerPlan
from .products.accumulator import Accumulator
from .products.arithmetic import Arithmetic, ExactArithmetic
from .products.external import External
from .quantise.batchnorm import Affine, BatchNorm
from .quantise.calibrate import Calibration, LayerTrace, activation_quantizer
from .quantise.normalization import Normalized
from .quantise.quantize import S8, Granularity, quantize_weights
from .rates import nanoseconds_per_float_product, nanoseconds_per_product

Layers = Literal["all", "convolutions"]


@dataclass(frozen=True)
class Settings:
    """How a network is quantised; part of every record.

    Attributes:
        weights: one weight scale for a layer (the paper's setting) or one per output channel.
        activations: how the clipping range follows from the calibration images.
        batch_norm: kept in float behind the layer, or folded into its weights.
        bias_correction: whether the mean error of a multiplier's products is taken off the bias,
            see `bias_correction`.
    """

    weights: Granularity = "tensor"
    activations: Calibration = "percentile"
    batch_norm: BatchNorm = "keep"
    bias_correction: bool = False


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
        images: (N, C, H, W) float32 in [0, 1], of the calibration, where biases are corrected.
    """

    skeleton: nn.Module
    affines: Mapping[str, Affine]
    traces: Mapping[str, LayerTrace]
    settings: Settings
    macs: Mapping[str, int]
    allow_float: bool = False
    images: torch.Tensor = field(default_factory=lambda: torch.empty(0), repr=False, compare=False)
    _biases: dict[tuple[tuple[str, Arithmetic], ...], dict[str, torch.Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
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
        tuple(self._computations(self._resolve(multiplier, "all"), None))

    def emulate(
        self,
        multiplier: BuiltFrom,
        *,
        layers: Layers = "all",
        backend: str = AUTO,
        gradient: str | GradientRule = "float32",
        accumulator: Accumulator | None = None,
        device: str | torch.device = "cpu",
    ) -> EmulatedNetwork:
        """Build the network from a multiplier, or from several by layer name.

        Args:
            multiplier: what `hwsim.multipliers.find` reads, such as ``"drum(4)"``, what it finds,
                a table, or gates as a `Program`, for every layer; or a mapping of shell-style name
                patterns to these (first match wins, no match: exact), e.g.
                ``{"layer1.*": "drum(4)"}``, or an `Assignment`. None is exact integer arithmetic,
                ``"float"`` leaves a layer in float.
            layers: with a single table, ``convolutions`` leaves linear layers exact.
            backend: ``auto`` for the cheapest exact backend of each layer; or force one.
            gradient: what the backward pass is; the forward pass is the same. ``float32`` or
                ``bfloat16``: straight-through, in this precision. ``slope:H``: by the table's own
                slope over H codes to either side, see `slope`; layers of exact arithmetic have
                no other slope than the straight-through one. Or a rule, which may bound the
                slope's terms.
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
        rule = gradient if isinstance(gradient, GradientRule) else parse_gradient(gradient)
        emulated = self._built(chosen, rule, accumulator, torch.device(device), backend)
        if self.settings.bias_correction:
            for name, bias in self._corrected(chosen, accumulator).items():
                emulated.layers[name].bias.data = bias.to(device)
        return emulated

    def _built(
        self,
        chosen: Mapping[str, Mapped],
        rule: GradientRule,
        accumulator: Accumulator | None,
        device: torch.device,
        backend: str,
    ) -> EmulatedNetwork:
        built = {}
        for name, computation in self._computations(chosen, accumulator):
            kind = handler(self._module(name))
            assert kind is not None
            built[name] = kind(
                self._parameters(name, computation.arithmetic),
                self._made(name, computation, device, backend),
                gradient=_backward(rule, chosen[name], computation.weight_zero),
            )
        # What is replaced is not copied first: to the copy it is the layer already.
        replaced = {id(self._module(name)): layer for name, layer in built.items()}
        network = copy.deepcopy(self.skeleton, cast(dict[int, object], replaced))
        never_fused(network)
        choices = {name: layer.chosen.choice for name, layer in built.items()}
        emulated = EmulatedNetwork(network, self._rows(chosen, choices), built)
        return emulated.eval().requires_grad_(False).to(device)

    def _corrected(
        self, chosen: Mapping[str, Mapped], accumulator: Accumulator | None
    ) -> Mapping[str, torch.Tensor]:
        """Corrected biases of the layers whose products have errors; see `correct_biases`.

        Found on the CPU, so that every device gets the same to the bit.
        """
        key = tuple(
            (name, computation.arithmetic)
            for name, computation in self._computations(chosen, accumulator)
            if not isinstance(computation.arithmetic, ExactArithmetic)
        )
        if key not in self._biases:
            where = torch.device("cpu")
            emulated = self._built(chosen, GradientRule(), accumulator, where, AUTO)
            layers = {name: emulated.layers[name] for name, _ in key}
            self._biases[key] = correct_biases(emulated, layers, self.images)
        return self._biases[key]

    def plan(
        self,
        multiplier: BuiltFrom,
        *,
        layers: Layers = "all",
        backend: str = AUTO,
        accumulator: Accumulator | None = None,
        device: str | torch.device = "cpu",
        measured: bool = False,
    ) -> tuple[LayerPlan, ...]:
        """What `emulate` would choose on a device, which need not be there; see `emulate`.

        Costs that are `measured` are nanoseconds on this machine's CPU.
        """
        chosen, where = self._resolve(multiplier, layers), torch.device(device)
        choices = {}
        for name, computation in self._computations(chosen, accumulator):
            choice = choose(computation, self._codes(name, computation), where, backend)
            if measured:
                cost = nanoseconds_per_product(choice.backend, computation)
                choice = replace(choice, cost=cost)
            choices[name] = choice
        in_float = nanoseconds_per_float_product() if measured else 1.0
        return self._rows(chosen, choices, in_float)

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
        tables = tables_of(multiplier)
        if not isinstance(tables, dict):
            check(tables)
            exact = set(self.traces) - set(self.approximate(layers))
            return {name: None if name in exact else tables for name in self.macs}
        names = [name or FORWARD for name in self.macs]
        for pattern, mapped in tables.items():
            check(mapped)
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
            raise EmulationError(refusal(unreached, root_of(self.skeleton)))
        for name, mapped in chosen.items():
            if name in self.traces and not isinstance(mapped, str):
                arithmetic = arithmetic_of(mapped, accumulator)
                parameters = self._parameters(name, arithmetic)
                yield (
                    name,
                    Computation(
                        arithmetic,
                        parameters.activation,
                        parameters.geometry,
                        parameters.weight_zero,
                    ),
                )

    def _made(self, name: str, computation: Computation, device: torch.device, how: str) -> Chosen:
        codes = self._codes(name, computation)
        choice = choose(computation, codes, device, how)
        backend = self._backends.get(
            (name, computation.arithmetic, choice.backend, str(device)),
            codes.numel() + computation.products,
            lambda: choice.backend(computation, codes.to(device)),
        )
        return Chosen(computation, how, choice, backend)

    def _rows(
        self, chosen: Mapping[str, Mapped], choices: Mapping[str, Choice], in_float: float = 1.0
    ) -> tuple[LayerPlan, ...]:
        rows = []
        for name, mapped in chosen.items():
            seen = self.traces.get(name)
            kind = type(self._module(name)).__name__
            row = LayerPlan(
                name=name or FORWARD,
                multiplier=label_of(mapped) if name in choices else "float",
                input_shape=() if seen is None else seen.input_shape,
                output_shape=() if seen is None else seen.output_shape,
                macs=self.macs[name],
                share=self._share(name),
                path=FLOAT,
                reason="mapped to float" if isinstance(mapped, str) else f"no handler of {kind}",
                cost=in_float * self.macs[name],
                bias_corrected=self.settings.bias_correction and _errs(mapped),
            )
            rows.append(row.by(choices[name]) if name in choices else row)
        return tuple(rows)

    def _share(self, name: str) -> float:
        return self.macs[name] / sum(self.macs.values())

    def _module(self, name: str) -> nn.Module:
        return root_of(self.skeleton).get_submodule(name)

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
        quantised = quantize_weights(weights, weight, granularity=self.settings.weights)
        return LayerParameters(
            codes=quantised.codes,
            weight_scale=quantised.scale,
            weight_zero=quantised.zero_point,
            activation=activation_quantizer(
                self.traces[name], self.settings.activations, activation
            ),
            gain=gain,
            bias=bias,
            geometry=kind.geometry_of(module, name),
        )


def _backward(rule: GradientRule, mapped: Mapped, weight_zero: int) -> Precision | SlopeTerms:
    """What the backward pass of a layer of this multiplier is.

    The zero point's correction is a part of the sum, and of its slope.
    """
    if rule.window is None or mapped is None or isinstance(mapped, str):
        return rule.precision
    if isinstance(mapped, External):
        raise EmulationError(
            f"{mapped.name} has no table whose slope could be taken; use its table, or the "
            "straight-through gradient float32"
        )
    return SlopeTerms.of(mapped, window=rule.window, less=weight_zero, most=rule.terms)


def _errs(mapped: Mapped) -> bool:
    """Whether a layer's products may be other than the exact ones."""
    return isinstance(mapped, Lut | External)


def root_of(network: nn.Module) -> nn.Module:
    """The network behind its normalisation: what its layers are named from."""
    return network.network if isinstance(network, Normalized) else network
