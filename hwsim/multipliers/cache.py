# SPDX-License-Identifier: Apache-2.0
"""Simulated tables and figures, kept between runs by the hash of all that they depend on.

They lie in `$AXHIL_CACHE`, else `$XDG_CACHE_HOME/axhil`, else `~/.cache/axhil`, as ordinary `.npz`
tables and compressed JSON; any of them may be deleted. `axhil verify` and `axhil lut`, which test
the hardware, do not look here.
"""

import contextlib
import gzip
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import HwsimError
from ..files import cache_folder, write_atomically
from ..lut import Lut
from ..tools.simulators import chosen
from ..verilog.circuit import Circuit

REVISION = 3
"""Of the harness; higher whenever the same circuit could give another table or manifest."""


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
    simulator = chosen()
    body = {
        **facts,
        "revision": REVISION,
        "simulator": [simulator.title, simulator.version(), version("cocotb")],
    }
    path = _path(body, ".npz") if enabled else None
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


def figures_through_cache(
    facts: Mapping[str, Any], make: Callable[[], Any], *, enabled: bool = True
) -> Any:
    """Figures from the cache, or made and kept there.

    Args:
        facts: all that they depend on.
        make: makes them, JSON-able.
        enabled: look for them and keep them.

    Raises:
        HwsimError: as `make`; never because of the cache.
    """
    path = _path(facts, ".json.gz") if enabled else None
    if path is not None:
        # Not there, or damaged: made again.
        with contextlib.suppress(OSError, EOFError, ValueError, zlib.error):
            return json.loads(gzip.decompress(path.read_bytes()))
    made = make()
    if path is not None:
        with contextlib.suppress(HwsimError, OSError):  # read-only or full
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, gzip.compress(json.dumps(made).encode(), 1))
    return made


def _path(facts: Mapping[str, Any], suffix: str) -> Path | None:
    folder = cache_folder()
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return None if folder is None else folder / f"{key[:32]}{suffix}"
