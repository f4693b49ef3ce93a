# SPDX-License-Identifier: Apache-2.0
"""Designs on Icarus Verilog, driven by cocotb: operands in, products out.

Every simulation builds in a folder of its own that did not exist before, so neither a build of
other parameters or older sources nor another process can ever be met.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..designs.design import Design
from ..errors import HwsimError
from ..tools.icarus import Icarus
from ..tools.logs import first_error
from ..tools.simulators import SIMULATORS
from ..verilog.ports import check_ports
from ..verilog.syntax import UnreadableVerilogError
from .harness import OPERAND_BITS, TOP, harness


def simulate(
    designs: Sequence[Design], a: ArrayLike, b: ArrayLike, *, batch: int = 256
) -> NDArray[np.int64]:
    """Products of designs for given operand pairs, all in one simulation.

    Args:
        designs: of equal width and signedness.
        a: (N,) first operands, values or two's complement bit patterns.
        b: (N,) second operands.
        batch: pairs handed to the simulator at a time; only the time depends on it.

    Returns:
        (len(designs), N) products, signed where the designs are.

    Raises:
        HwsimError: no simulator, Verilog that does not compile, wrong ports, illegal parameters,
            X or Z on an output.
    """
    require_simulator()
    width, signed = designs[0].width, designs[0].signed
    assert all((d.width, d.signed) == (width, signed) for d in designs)
    for design in designs:
        _check(design)

    count = np.size(a)
    batches = -(-count // batch)
    with tempfile.TemporaryDirectory(prefix="axhil-sim-") as scratch:
        folder = Path(scratch)
        for name, operand in (("a", a), ("b", b)):
            patterns = np.asarray(operand, np.int64).ravel() & (2**width - 1)
            # The last batch is filled up with its last pair.
            full = np.pad(patterns, (0, batches * batch - count), mode="edge")
            assert OPERAND_BITS == 16
            (folder / f"operands_{name}.bin").write_bytes(full.astype("<u2").tobytes())
        settings = {
            "pairs": batch,
            "width": width,
            "signed": signed,
            "names": [design.name for design in designs],
        }
        (folder / "sweep.json").write_text(json.dumps(settings))
        (folder / f"{TOP}.v").write_text(harness(designs, pairs=batch))
        sources = [path for design in designs for path in design.sources]
        icarus = Icarus(folder, TOP, sources, name=_names(designs))
        icarus.build()
        icarus.run("sweep_bench")
        products = np.stack(
            [
                np.fromfile(folder / f"products_{d}.bin", dtype="<u4")[:count].astype(np.int64)
                for d in range(len(designs))
            ]
        )
    if signed:
        products = np.where(products >= 2 ** (2 * width - 1), products - 4**width, products)
    return products


def require_simulator() -> None:
    """Refuses to go on without Icarus Verilog.

    Raises:
        HwsimError: `iverilog` or `vvp` is not on PATH.
    """
    SIMULATORS["icarus"].require()


@cache
def simulator_version() -> str:
    """Icarus' version, such as `11.0 (stable)`.

    Raises:
        HwsimError: no simulator, or one that does not say its version.
    """
    return SIMULATORS["icarus"].version()


def _check(design: Design) -> None:
    try:
        check_ports(design)
    except UnreadableVerilogError:
        # Verilog with an error in it has a better message from the compiler.
        sources = [str(path) for path in design.sources]
        command = ["iverilog", "-g2012", "-t", "null", "-s", design.top, *sources]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            found = first_error(compiled.stderr)
            raise HwsimError(f"{design.name}: the Verilog does not compile: {found}") from None
        raise


def _names(designs: Sequence[Design]) -> str:
    shown = ", ".join(design.name for design in designs[:3])
    return shown if len(designs) <= 3 else f"{shown} and {len(designs) - 3} more"
