# SPDX-License-Identifier: Apache-2.0
"""A network whose multiplications are simulated or computed by gates, beside that from a table."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from axhil.emulation import Accumulator, External, Prepared
from axhil.emulation.mapping import Mapped, mapped_to
from axhil.hwsim import LiveMultiplier, Lut
from axhil.hwsim.multipliers import Assignment, Multiplier
from axhil.hwsim.multipliers.by_gates import computed
from axhil.hwsim.netlist.evaluation import multiply
from axhil.hwsim.netlist.live import LiveGates
from axhil.zoo import Images

from .errors import StudyError
from .subject import Subject

EngineName = Literal["icarus", "gates"]
"""What multiplies under a network."""

Engine = LiveMultiplier | LiveGates


@dataclass(frozen=True)
class LayerProducts:
    """What an engine did for one layer.

    Attributes:
        layer: its name.
        products: multiplications done.
        differing: how many of them are not what the emulator has.
        first: operands, the emulator's product and the engine's of the first that differs.
        emulator: where it has its products from.
    """

    layer: str
    products: int
    differing: int
    first: tuple[int, int, int, int] | None
    emulator: Literal["table", "gates"] = "table"

    def sentence(self) -> str:
        """One sentence for people."""
        whose = {"table": "table's", "gates": "gates'"}[self.emulator]
        if self.first is None:
            return f"{self.layer}: all {self.products:,} products equal the {whose}"
        a, b, expected, got = self.first
        return (
            f"{self.layer}: {self.differing:,} of {self.products:,} products differ from the "
            f"{whose}; first a_i={a}, b_i={b}: {self.emulator} {expected}, RTL {got}"
        )


@dataclass(frozen=True, eq=False)
class CosimReport:
    """A network run twice: its products from an engine, and looked up.

    Attributes:
        layers: those that the engine multiplied for, in the network's order.
        logits: (N, classes) float32 of that network.
        expected: likewise of the emulator.
        seconds: of the run, without the engine's start.
        accumulator: of few bits, that both summed in; None: no sum overflows.
        whole: logits of the emulator where no sum overflows; None without an accumulator.
    """

    layers: tuple[LayerProducts, ...]
    logits: NDArray[np.float32]
    expected: NDArray[np.float32]
    seconds: float
    accumulator: Accumulator | None = None
    whole: NDArray[np.float32] | None = None

    @property
    def products(self) -> int:
        """Multiplications of the engine."""
        return sum(layer.products for layer in self.layers)

    @property
    def rate(self) -> float:
        """Products a second."""
        return self.products / self.seconds

    @property
    def differing_logits(self) -> int:
        """Logits that are not the emulator's to the last bit."""
        return _differing(self.logits, self.expected)

    @property
    def overflowed_logits(self) -> int:
        """The emulator's logits that the accumulator made others; 0 without one."""
        return 0 if self.whole is None else _differing(self.expected, self.whole)

    @property
    def equal(self) -> bool:
        """Every product and every logit, to the last bit."""
        return not self.differing_logits and not any(layer.differing for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the logits themselves."""
        return {
            "equal": self.equal,
            "layers": [asdict(layer) for layer in self.layers],
            "logits": self.logits.size,
            "differing_logits": self.differing_logits,
            "accumulator": None if self.accumulator is None else str(self.accumulator),
            "overflowed_logits": self.overflowed_logits,
            "products": self.products,
            "seconds": self.seconds,
            "products_per_second": self.rate,
        }


def chosen_layers(subject: Subject, patterns: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the layers for which an engine multiplies.

    Args:
        subject: the network.
        patterns: names or shell-style patterns; None for all that a multiplier replaces.

    Raises:
        StudyError: a pattern that matches no layer.
    """
    every = list(subject.prepared.traces)
    if patterns is None:
        return subject.prepared.approximate(subject.network.approximate)
    for pattern in patterns:
        if not fnmatch.filter(every, pattern):
            raise StudyError(f"--layers: no layer {pattern!r}; the layers are {', '.join(every)}")
    return tuple(n for n in every if any(fnmatch.fnmatchcase(n, p) for p in patterns))


def layers_of(
    subject: Subject, assignment: Assignment, patterns: Sequence[str] | None
) -> tuple[str, ...]:
    """`chosen_layers`; of an assignment by layers, by default those with a multiplier."""
    if patterns is None and assignment.single is None:
        return tuple(n for n in subject.prepared.traces if assignment.at(n) not in {None, "float"})
    return chosen_layers(subject, patterns)


def multipliers_of(
    subject: Subject, assignment: Assignment, layers: Sequence[str]
) -> dict[str, Multiplier | Literal["float"] | None]:
    """What each layer of the network computes with.

    Args:
        subject: the network.
        assignment: of multipliers; one alone is in the layers that the network builds from it.
        layers: those to simulate, whatever the network builds.

    Raises:
        StudyError: a layer to simulate without a multiplier.
    """
    alone = assignment.single is not None
    replaced = {*layers, *subject.prepared.approximate(subject.network.approximate)}
    found = {
        name: assignment.at(name) if not alone or name in replaced else None
        for name in subject.prepared.traces
    }
    for name in layers:
        if found[name] in {None, "float"}:
            raise StudyError(f"--layers: no multiplier is in the layer {name}, see {assignment}")
    return found


def products_of(prepared: Prepared, layers: Sequence[str], *, images: int) -> int:
    """Multiplications that the layers need for so many images."""
    return sum(prepared.macs[name] for name in layers) * images


def cosim(
    subject: Subject,
    images: Images,
    multipliers: Mapping[str, Multiplier | Literal["float"] | None],
    start: Callable[[Multiplier], AbstractContextManager[Engine]],
    *,
    layers: Sequence[str],
    accumulator: Accumulator | None = None,
    batch: int = 32,
    now: Callable[[str], None] | None = None,
) -> CosimReport:
    """Run a network with the products of some layers from an engine; compare with its emulator.

    Args:
        subject: the network, quantised.
        images: what to classify.
        multipliers: of every layer, see `multipliers_of`; their tables are the emulator's, or
            gates where networks have no table.
        start: starts the engine of a multiplier; closed here.
        layers: those for which it multiplies.
        accumulator: of few bits, for every layer with the multiplier, from the engine or the table;
            None: no sum overflows.
        batch: images at a time.
        now: called with the layer that is computed next.

    Raises:
        HwsimError: the simulator does not start, dies, or shows X or Z.
    """
    mapped: dict[str, Mapped] = {
        name: one if one is None or isinstance(one, str) else mapped_to(one)
        for name, one in multipliers.items()
    }
    engines: dict[Multiplier, Engine] = {}
    emulator = subject.prepared.emulate(mapped, accumulator=accumulator)
    whole = None if accumulator is None else subject.prepared.emulate(mapped)
    with ExitStack() as running:
        checks = {}
        for name in layers:
            one = multipliers[name]
            assert one is not None
            assert not isinstance(one, str)
            if one not in engines:
                engines[one] = running.enter_context(start(one))
            checks[name] = _Checked(name, engines[one], one, now)
        outside = {name: check.external for name, check in checks.items()}
        simulated = subject.prepared.emulate({**mapped, **outside}, accumulator=accumulator)
        logits, expected, without = [], [], []
        seconds = 0.0
        with torch.no_grad():
            for pixels, _ in images.batches(batch):
                began = time.perf_counter()
                logits.append(simulated(pixels))
                seconds += time.perf_counter() - began
                expected.append(emulator(pixels))
                if whole is not None:
                    without.append(whole(pixels))
    return CosimReport(
        tuple(check.result() for check in checks.values()),
        torch.cat(logits).numpy(),
        torch.cat(expected).numpy(),
        seconds,
        accumulator,
        torch.cat(without).numpy() if without else None,
    )


def _differing(x: NDArray[np.float32], y: NDArray[np.float32]) -> int:
    return int((x.view(np.int32) != y.view(np.int32)).sum())


class _Checked:
    """An engine as one layer sees it; each product is held against the emulator's."""

    def __init__(
        self,
        layer: str,
        live: Engine,
        multiplier: Multiplier,
        now: Callable[[str], None] | None,
    ) -> None:
        self._layer, self._live, self._now = layer, live, now
        self._name, self._operands = multiplier.name, multiplier.operands
        self._expected = computed(multiplier)
        self._products = self._differing = 0
        self._first: tuple[int, int, int, int] | None = None

    @property
    def external(self) -> External:
        """As the network takes it."""
        # Gates are held against a table within their own loop.
        table = isinstance(self._live, LiveGates) and isinstance(self._expected, Lut)
        sums = self._sums if table else None
        return External(f"RTL of {self._name}", self, *self._operands, sums)

    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        if self._now is not None:
            self._now(self._layer)
        products = self._live(a, b)
        if isinstance(self._expected, Lut):
            rows, columns = (o.pattern(x) for o, x in zip(self._operands, (a, b), strict=True))
            expected = self._expected.table[rows, columns].astype(np.int64)
        else:
            expected = multiply(self._expected, a, b)
        self._count(len(products), int((products != expected).sum()))
        if self._differing and self._first is None:
            i = int((products != expected).argmax())
            self._first = int(a[i]), int(b[i]), int(expected[i]), int(products[i])
        return products

    def _sums(self, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
        assert isinstance(self._live, LiveGates)
        assert isinstance(self._expected, Lut)
        if self._now is not None:
            self._now(self._layer)
        table = self._expected.table
        sums, differing = self._live.sums(x, w, table)
        self._count(len(x) * w.size, differing)
        if differing and self._first is None:
            wrong = self._live.unlike(table)
            for weights in w:  # by output, tap and window, as simulators are asked
                taps, rows = np.nonzero(wrong[x.T, weights[:, None]])
                if len(taps):
                    pair = x[rows[:1], taps[0]], weights[taps[:1]]
                    got = self._live(*pair)
                    a, b = (int(one[0]) for one in pair)
                    self._first = a, b, int(table[a, b]), int(got[0])
                    break
        return sums

    def _count(self, products: int, differing: int) -> None:
        self._products += products
        self._differing += differing

    def result(self) -> LayerProducts:
        emulator: Literal["table", "gates"] = (
            "table" if isinstance(self._expected, Lut) else "gates"
        )
        return LayerProducts(self._layer, self._products, self._differing, self._first, emulator)
