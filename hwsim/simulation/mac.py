# SPDX-License-Identifier: Apache-2.0
"""Weight-stationary MAC arrays (`rtl/mac_array.v`) in simulation: operands in, sums out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..designs import mac
from ..designs.sources import source
from ..errors import HwsimError
from ..files import DATA_LIMIT, array_of, read_bytes
from ..multipliers import Catalogued
from ..tools.runner import Simulation
from ..tools.scratch import scratch
from ..tools.simulators import SIMULATORS, require_simulator
from ..verilog.circuit import Circuit
from ..verilog.parameters import literal

TOP = "axhil_mac"
_BENCH = Path(__file__).with_name("mac_bench.py")
_LIMIT = 60.0  # seconds without a vector's sums


@dataclass(frozen=True)
class MacArray:
    """What the elements of an array are made of.

    Attributes:
        multiplier: in every element, signed.
        acc_bits: bits of the partial sums, 2 * width..64.
        saturate: clip a sum that overflows, after every addition in ascending row; it wraps
            around otherwise.

    Raises:
        HwsimError: bits out of range, or a multiplier that `rtl/mac.v` does not have.
    """

    multiplier: Catalogued
    acc_bits: int
    saturate: bool = False

    def __post_init__(self) -> None:
        if not self.multiplier.operand.signed:
            raise HwsimError(f"expected a signed multiplier in a MAC array, got {self.multiplier}")
        if self.multiplier.design.signed_top != mac.SIGNED_TOP:
            raise HwsimError(
                f"expected a multiplier that rtl/{mac.ELEMENT}.v has, got {self.multiplier}"
            )
        mac.check(width=self.width, acc_bits=self.acc_bits)

    @property
    def width(self) -> int:
        """Operand bits."""
        return self.multiplier.operand.bits

    def __str__(self) -> str:
        overflow = "saturate" if self.saturate else "wrap"
        return f"MAC array of {self.multiplier}, {self.acc_bits} bits, {overflow}"


def run_mac_arrays(
    arrays: Sequence[MacArray],
    activations: ArrayLike,
    weights: ArrayLike,
    *,
    rows: int,
    cols: int,
    stalls: float = 0.0,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Matrix products on arrays of `rows` x `cols` elements, all arrays in one simulation.

    Longer sums and more outputs than an array has are cut into tiles; a tile's sums go into the
    next, in ascending k. Elements to spare hold the weight 0, whose product is 0.

    Args:
        arrays: of equal width; they get the same operands.
        activations: (N, K) signed codes, one vector a cycle.
        weights: (M, K) signed codes.
        rows: elements that a sum passes, 1..64.
        cols: sums at a time, 1..64.
        stalls: probability that the source has no vector in a cycle, or the sink takes no sums.
        seed: of the stalls.

    Returns:
        (len(arrays), N, M) accumulators.

    Raises:
        HwsimError: no simulator, Verilog that does not compile or stops, shapes that do not fit,
            X or Z among the sums, or handshakes that deadlock.
    """
    require_simulator()
    x, w = np.asarray(activations, np.int64), np.asarray(weights, np.int64)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1] or not x.size or not w.size:
        raise HwsimError(
            f"expected (N, K) activations and (M, K) weights, got {x.shape} and {w.shape}"
        )
    assert arrays
    assert len({array.width for array in arrays}) == 1
    for array in arrays:
        mac.check(width=array.width, acc_bits=array.acc_bits, rows=rows, cols=cols)
    limit = 2 ** (arrays[0].width - 1)
    for name, codes in (("activations", x), ("weights", w)):
        if codes.min() < -limit or codes.max() >= limit:
            raise HwsimError(
                f"expected {name} from {-limit} to {limit - 1}, got {codes.min()}..{codes.max()}"
            )
    circuits = [array.multiplier.circuit() for array in arrays]
    sources = [path for circuit in circuits for path in circuit.sources]
    rtl = arrays[0].multiplier.rtl
    sources += [source(module, rtl=rtl) for module in (mac.ELEMENT, mac.ARRAY)]
    settings = {
        "names": [str(array) for array in arrays],
        "acc_bits": [array.acc_bits for array in arrays],
        "width": arrays[0].width,
        "rows": rows,
        "cols": cols,
        "stalls": stalls,
        "seed": seed,
    }
    with scratch("mac") as folder:
        (folder / "mac.json").write_text(json.dumps(settings))
        np.save(folder / "activations.npy", x)
        np.save(folder / "weights.npy", w)
        (folder / f"{TOP}.v").write_text(_harness(arrays, circuits, rows=rows, cols=cols))
        several = f"{arrays[0]}" + (f" and {len(arrays) - 1} more" if len(arrays) > 1 else "")
        simulation = Simulation(
            folder, TOP, sources, bench=_BENCH, name=several, simulator=SIMULATORS["icarus"]
        )
        simulation.run(limit=_LIMIT)
        sums = array_of(read_bytes(folder / "sums.npy", limit=DATA_LIMIT))
    return sums.astype(np.int64)


def _harness(
    arrays: Sequence[MacArray], circuits: Sequence[Circuit], *, rows: int, cols: int
) -> str:
    """A module with all arrays side by side, on the same clock, operands and handshakes."""
    width = arrays[0].width
    row_bits = max((rows - 1).bit_length(), 1)
    parts = []
    for i, (array, circuit) in enumerate(zip(arrays, circuits, strict=True)):
        given = {
            **circuit.parameters,
            "ACC_BITS": array.acc_bits,
            "SATURATE": int(array.saturate),
            "ROWS": rows,
            "COLS": cols,
        }
        parameters = ", ".join(f".{name}({literal(value)})" for name, value in given.items())
        parts.append(
            f"  reg  [{cols * array.acc_bits - 1}:0] acc_i_{i};\n"
            f"  wire [{cols * array.acc_bits - 1}:0] acc_o_{i};\n"
            f"  {mac.ARRAY} #({parameters}) u_{i} (\n"
            "    .clk_i(clk), .rst_ni(rst_n), .w_valid_i(w_valid), "
            f".w_ready_o(w_ready[{i}]), .w_row_i(w_row), .w_i(w),\n"
            f"    .valid_i(valid_i), .ready_o(ready_o[{i}]), .a_i(a), .acc_i(acc_i_{i}),\n"
            f"    .valid_o(valid_o[{i}]), .ready_i(ready_i), .acc_o(acc_o_{i})\n"
            "  );\n"
        )
    return (
        "`default_nettype none\n"
        f"module {TOP};\n"
        "  reg clk, rst_n, w_valid, valid_i, ready_i;\n"
        f"  reg [{row_bits - 1}:0] w_row;\n"
        f"  reg [{cols * width - 1}:0] w;\n"
        f"  reg [{rows * width - 1}:0] a;\n"
        f"  wire [{len(arrays) - 1}:0] w_ready, ready_o, valid_o;\n"
        f"{''.join(parts)}"
        "endmodule\n"
        "`default_nettype wire\n"
    )
