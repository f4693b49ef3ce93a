# SPDX-License-Identifier: Apache-2.0
"""What things are called when shown to people."""

from __future__ import annotations

from collections.abc import Sequence

from axhil.study.paper import TITLES


def network_title(network: str) -> str:
    """A network, as the paper writes it where it has it."""
    return TITLES.get(network, network)


def plural(count: int, noun: str) -> str:
    """Count and noun: 1 image, 2 images."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(words: Sequence[str], *, most: int = 12) -> str:
    """Words in a sentence: a, b and c; of many the first, and how many others."""
    words = few(words, most=most)
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def few(words: Sequence[str], *, most: int = 12) -> Sequence[str]:
    """Words as they are; of many the first, and how many others."""
    if len(words) <= most:
        return words
    return [*words[:most], f"{len(words) - most:,} others"]


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}"


def duration(seconds: float) -> str:
    """Seconds as one reads them: 12 s, 3 min 5 s, 1 h 7 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"
