# SPDX-License-Identifier: Apache-2.0
"""Simulated tables, kept between runs by the hash of all that they depend on.

They lie in `$AXHIL_CACHE`, else `$XDG_CACHE_HOME/axhil`, else `~/.cache/axhil`, as ordinary `.npz`
tables; any of them may be deleted. `axhil verify` and `axhil lut`, which test the hardware, do not
look here.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..lut import Lut
from ..tools.simulators import chosen
from ..verilog.circuit import Circuit

REVISION = 2
"""Of the harness; higher whenever the same circuit could give another table or manifest."""


def cache_folder() -> Path | None:
    """Where tables are kept; None where there is no place for them."""
    given = os.environ.get("AXHIL_CACHE")
    if given:
        return Path(given)
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return Path(base) / "axhil"


def circuit_facts(circuit: Circuit, *, wrap: bool = False) -> dict[str, Any]:
    """All that the table of a circuit depends on, JSON-able.

    Args:
        circuit: the multiplier, or its core.
        wrap: it will be put into the generated sign-magnitude wrapper.
    """
    return {
        "sources": circuit.hashes(),
        "order": [path.name for path in circuit.files],
        "multiplier": circuit.multiplier,
        "top": circuit.top,
        "parameters": {**circuit.interface.parameters, **circuit.parameters},
        "roles": asdict(circuit.roles),
        "operands": circuit.operands.code,
        "signed_from": circuit.signed_from,
        "notes": circuit.notes,
        "text": circuit.text,
        "wrapper": circuit.wrapper,
        "wrap": wrap,
    }


def through_cache(
    facts: Mapping[str, Any], make: Callable[[], Lut], *, enabled: bool = True
) -> tuple[Lut, str]:
    """A table from the cache, or simulated and kept there.

    Args:
        facts: all that it depends on but the simulator; `sources` has the hashes that the table's
            manifest must have too.
        make: simulates it.
        enabled: look for it and keep it.

    Returns:
        The table, and a sentence on where it was taken from.

    Raises:
        HwsimError: as `make`, or there is no simulator; never because of the cache.
    """
    folder = cache_folder() if enabled else None
    simulator = chosen()
    body = {
        **facts,
        "revision": REVISION,
        "simulator": [simulator.title, simulator.version(), version("cocotb")],
    }
    key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    path = None if folder is None else folder / f"{key[:32]}.npz"
    if path is not None:
        with contextlib.suppress(HwsimError):  # not there, or damaged: simulated again
            return Lut.load(path), f"taken from the cache, {path}"
    began = time.perf_counter()
    lut = make()
    sentence = f"simulated in {time.perf_counter() - began:.1f} s"
    # Sources that changed between hashing and simulating belong to another key.
    if path is None or lut.manifest.get("sources") != facts["sources"]:
        return lut, sentence
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lut.save(path)
    except (HwsimError, OSError):  # read-only or full: a cache is a convenience
        return lut, sentence
    return lut, f"{sentence}, kept as {path}"
