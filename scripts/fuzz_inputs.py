# SPDX-License-Identifier: Apache-2.0
"""Inputs for `fuzz` by what they are about."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random

from fuzz_case import Case
from fuzz_files import tables, weights
from fuzz_folders import images, records
from fuzz_words import numbers, special, toml, verilog, words

READERS: dict[str, Callable[[Random], Iterator[Case]]] = {
    one.__name__: one
    for one in (tables, weights, toml, words, verilog, images, records, special, numbers)
}
"""Generators by what they are about; endless."""


def inputs(count: int, seed: int, readers: Sequence[str] | None = None) -> Iterator[Case]:
    """So many inputs, of each reader in turn; the same for the same seed."""
    running = [READERS[name](Random(f"{seed} {name}")) for name in readers or READERS]
    return itertools.islice(itertools.chain.from_iterable(zip(*running, strict=True)), count)
