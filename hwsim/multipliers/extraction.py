# SPDX-License-Identifier: Apache-2.0
"""From Verilog to tables: the exhaustive sweep, and the manifest that says what was swept."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..designs.catalog import Multiplier
from ..designs.design import FIRST, PRODUCT, ROLES, SECOND, Design
from ..errors import HwsimError
from ..lut import MAX_WIDTH, Lut
from ..metrics import error_metrics
from ..simulation.simulate import simulate
from ..simulation.stream import Subject, run_stream
from ..tools.simulators import Simulator, chosen
from ..verilog.ports import check_ports
from ..verilog.roles import Roles
from .tabulation import TIME_LIMIT

Progress = Callable[[Multiplier, int, int], None]
"""Called with (multiplier just finished, how many are finished, how many in all)."""


def extract(
    multipliers: Iterable[Multiplier],
    *,
    width: int = 8,
    signed: bool = True,
    jobs: int | None = None,
    progress: Progress | None = None,
    rtl: Path | None = None,
) -> dict[Multiplier, Lut]:
    """Simulates every operand pair of every multiplier, several simulators at a time.

    Args:
        multipliers: which; duplicates are simulated once.
        width: operand bits, 4..12.
        signed: inside the sign-magnitude wrapper; the unsigned core otherwise.
        jobs: simulators at a time; None is one per processor core.
        progress: told whenever a multiplier is finished.
        rtl: another Verilog folder than the project's own.

    Returns:
        Tables with a complete manifest, in the order asked for.

    Raises:
        HwsimError: anything that keeps a table from being right; nothing partial is returned.
    """
    wanted = list(dict.fromkeys(multipliers))
    if jobs is not None and jobs < 1:
        raise HwsimError(f"expected at least 1 job, got {jobs}")
    if width > MAX_WIDTH:
        raise HwsimError(
            f"expected a width of 4..{MAX_WIDTH} for a complete table, got {width}: "
            f"it would have 2^{2 * width} entries; sample with hwsim.simulate.simulate instead"
        )
    designs = {m: Design.of(m, width=width, signed=signed, rtl=rtl) for m in wanted}
    simulator = chosen()

    tables: dict[Multiplier, Lut] = {}
    # Threads suffice: the work is in the simulator's processes.
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as pool:
        futures = {
            pool.submit(extract_design, design, simulator=simulator): m
            for m, design in designs.items()
        }
        try:
            for future in as_completed(futures):
                multiplier = futures[future]
                tables[multiplier] = future.result()
                if progress is not None:
                    progress(multiplier, len(tables), len(wanted))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {m: tables[m] for m in wanted}


def extract_design(design: Design, *, simulator: Simulator | None = None) -> Lut:
    """The table of one design.

    Args:
        design: of at most 12 bits.
        simulator: that runs it; None is the one that the environment variable SIM names.

    Raises:
        HwsimError: as `simulate`.
    """
    simulator = simulator or chosen()
    hashes = design.source_hashes()
    side = 2**design.width
    patterns = np.arange(side)
    a, b = np.repeat(patterns, side), np.tile(patterns, side)
    if simulator.key == "icarus":
        products = simulate([design], a, b)
    else:
        products = _streamed(design, a, b, simulator)
    if hashes != design.source_hashes():
        raise HwsimError(f"{design.name}: its Verilog changed while it was simulated; run it again")
    bare = Lut(
        products.reshape(side, side).astype(np.int32), width=design.width, signed=design.signed
    )
    manifest = _manifest(design, bare, hashes, simulator)
    return Lut(bare.table, width=design.width, signed=design.signed, manifest=manifest)


def _streamed(
    design: Design, a: NDArray[np.int64], b: NDArray[np.int64], simulator: Simulator
) -> NDArray[np.int64]:
    """As `simulate`, by another simulator and pair by pair."""
    check_ports(design)
    bits = 2 * design.width
    roles = Roles(FIRST, SECOND, PRODUCT, design.width, bits, design.signed)
    subject = Subject(design.name, design.top, design.parameters, design.sources, roles, (), {}, {})
    found = run_stream(subject, a, b, simulator=simulator, limit=TIME_LIMIT)
    products = found.words.astype(np.int64)
    if design.signed:
        products = np.where(products >= 2 ** (bits - 1), products - 2**bits, products)
    return products


def _manifest(
    design: Design, lut: Lut, hashes: dict[str, str], simulator: Simulator
) -> dict[str, Any]:
    return {
        "multiplier": design.name,
        "top": design.top,
        "parameters": design.manifest_parameters(),
        "operands": ROLES,
        "product": PRODUCT,
        "sources": hashes,
        "simulator": {"name": simulator.title, "version": simulator.version()},
        "cocotb": version("cocotb"),
        "metrics": error_metrics(lut).as_dict(),
    }
