# SPDX-License-Identifier: Apache-2.0
"""What enables and resets are held at: both values are tried, and none is guessed.

A name says that an input is an enable or a reset; it does not say which level enables, nor that the
input does nothing else. Where the other level gives no products, there is no choice; where it gives
the same ones, the choice does not matter; where it gives others, the user has to say which.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import HwsimError
from ...simulation.latency import MAX_LATENCY, PROBE_CYCLES, measure, probe, rested
from ...simulation.stream import compiled_stream
from ...simulation.stream_harness import Rig
from ...tools.simulators import chosen
from ...verilog.circuit import Circuit
from ...verilog.roles import Control
from .visits import sweep_order

_MOST = 4  # controls that are tried in every combination
_ALL = 1 << 16  # operand pairs that are all compared; of more, as many at random
_SEED = 20250101

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def settled(circuit: Circuit, *, limit: float) -> Circuit:
    """The circuit with its enables and its reset at the levels that give products.

    Args:
        circuit: as it was read.
        limit: seconds without a sign of life after which a simulation is ended.

    Raises:
        HwsimError: products depend on a control, or there are none at any level of them.
    """
    controls = _controls(circuit)
    if not controls:
        return circuit
    names = [control.name for control in controls]
    if len(controls) > _MOST:
        raise HwsimError(
            f"{circuit.name}: expected at most {_MOST} inputs that are resets or enables by their "
            f"names, got {', '.join(names)}; hold some with --tie NAME=VALUE"
        )
    # By the number of levels that are not what the name says, so that the names win.
    levels = sorted(itertools.product((0, 1), repeat=len(controls)), key=sum)
    variants = [_flipped(circuit, level) for level in levels]
    none = np.empty(0, np.int64)
    found = _products(variants, (none, none), limit=limit)
    alive = [one for one, words in zip(variants, found, strict=True) if _varies(words)]
    if not alive:
        if found[0] is None:  # which has a sentence of its own where it is simulated
            return circuit
        raise HwsimError(
            f"{circuit.name}: expected a product that depends on the operands, but "
            f"{circuit.roles.product} stays the same whatever {' and '.join(names)} "
            f"{'is' if len(names) == 1 else 'are'} held at: does it need a pulse for each pair, as "
            "a sequential multiplier? write a wrapper that takes one pair a cycle"
        )
    best = alive[0]
    if len(alive) > 1:
        pairs = _all_pairs(circuit)
        words = _products(alive, pairs, limit=limit)
        for other, products in zip(alive[1:], words[1:], strict=True):
            if not _equal(words[0], products):
                raise HwsimError(_question(best, other, words[0], products, pairs))
    return _told(circuit, best, alive)


def _controls(circuit: Circuit) -> list[Control]:
    reset = circuit.roles.reset
    return [*([] if reset is None else [reset]), *circuit.roles.enables]


def _flipped(circuit: Circuit, flips: Sequence[int]) -> Circuit:
    """The circuit with some of its controls the other way round."""
    flipped = [
        replace(control, active=control.active ^ flip)
        for control, flip in zip(_controls(circuit), flips, strict=True)
    ]
    reset = None if circuit.roles.reset is None else flipped.pop(0)
    return replace(circuit, roles=replace(circuit.roles, reset=reset, enables=tuple(flipped)))


def _all_pairs(circuit: Circuit) -> _Pairs:
    operands = circuit.operands
    if operands.product.count <= _ALL:
        return sweep_order(operands)
    rng = np.random.default_rng(_SEED)
    first, second = (rng.integers(1 << bits, size=_ALL) for bits in operands.bits)
    return first, second


def _products(
    circuits: Sequence[Circuit], pairs: _Pairs, *, limit: float
) -> list[NDArray[np.uint64] | None]:
    """Output words of a probe, then of pairs; None where there are no products of one latency."""
    bits, clocked = circuits[0].roles.bits, circuits[0].roles.clock is not None
    before = probe(bits)
    a, b = (
        np.concatenate([first, then, np.repeat((then if len(then) else first)[-1:], MAX_LATENCY)])
        for first, then in zip(before, pairs, strict=True)
    )
    rig = Rig()
    while True:
        with compiled_stream(circuits, rig, simulator=chosen()) as stream:
            late = math.ceil(2 * max(one.delay for one in stream.compiled))
            if late <= rig.settle:
                every = stream.run(a[None], b[None], limit=limit)
                break
        rig = Rig(settle=late)
    found: list[NDArray[np.uint64] | None] = []
    for circuit, (outputs,) in zip(circuits, every, strict=True):
        try:
            latency = measure(outputs, bits=bits, name=circuit.name) if clocked else 0
        except HwsimError:
            found.append(None)
            continue
        start = latency if clocked else 0
        stop = start + PROBE_CYCLES + len(pairs[0])
        # Before the first pair was through, a register may hold anything.
        unknown = any(start <= cycle < stop for cycle in outputs.unknown)
        found.append(None if unknown else outputs.words[start:stop])
    return found


def _varies(words: NDArray[np.uint64] | None) -> bool:
    return words is not None and len(np.unique(rested(words))) > 1


def _equal(first: NDArray[np.uint64] | None, second: NDArray[np.uint64] | None) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first[PROBE_CYCLES:], second[PROBE_CYCLES:])


def _question(
    best: Circuit,
    other: Circuit,
    first: NDArray[np.uint64] | None,
    second: NDArray[np.uint64] | None,
    pairs: _Pairs,
) -> str:
    """What the user has to say where two levels give different products."""
    roles = best.roles
    differ = [
        (name, level, its)
        for (name, level), (_, its) in zip(_levels(best), _levels(other), strict=True)
        if level != its
    ]
    name, level, its = differ[0]
    where = ""
    if first is not None and second is not None:
        place = int((first[PROBE_CYCLES:] != second[PROBE_CYCLES:]).argmax())
        a, b = (
            operand.value(bits[place]) for operand, bits in zip(best.operands, pairs, strict=True)
        )
        one, two = (best.products(words[PROBE_CYCLES + place]) for words in (first, second))
        where = (
            f": {roles.product} is {one} with {name}={level} and {two} with {name}={its} for "
            f"{roles.activation}={a}, {roles.weight}={b}"
        )
    words = " ".join(f"--tie {name}={level}" for name, level, _ in differ)
    others = " ".join(f"--tie {name}={its}" for name, _, its in differ)
    return (
        f"{best.name}: expected --tie for {' and '.join(name for name, *_ in differ)}, which "
        f"changes the products{where}; say {words} or {others}, or [tie.{name}={level}] behind the "
        "file"
    )


def _levels(circuit: Circuit) -> list[tuple[str, int]]:
    """At what level each control stands while products come."""
    reset = circuit.roles.reset
    return [
        (control.name, control.active if control is not reset else 1 - control.active)
        for control in _controls(circuit)
    ]


def _told(read: Circuit, best: Circuit, alive: Sequence[Circuit]) -> Circuit:
    """The circuit with sentences on what was found, in place of what its names say."""
    notes = [*read.notes]
    possible = [dict(_levels(one)) for one in alive]
    for name, level in _levels(best):
        notes = [note for note in notes if not note.startswith(f"{name} is ")]
        free = {levels[name] for levels in possible} == {0, 1}
        why = "the products are the same either way" if free else "there are no products otherwise"
        kind = "reset" if best.roles.reset and name == best.roles.reset.name else "enable"
        notes.append(
            f"{name}, {'a' if kind == 'reset' else 'an'} {kind} by its name, is held at "
            f"{level}: {why}"
        )
    return replace(best, notes=tuple(notes))
