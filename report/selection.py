# SPDX-License-Identifier: Apache-2.0
"""Of a thousand multipliers, those that a page, a picture or a screen can show."""

from __future__ import annotations

from axhil.study.results import Results

from .titles import plural

MOST = 40
"""Multipliers that are shown side by side."""

MOST_ROWS = 2000
"""Differences in one table of a page."""


def shown(results: Results) -> Results:
    """All multipliers; of more than `MOST` the accurate one and those that differ most from it.

    What is left out is in the records, and counts in the correction as before.
    """
    if len(results.labels) <= MOST:
        return results
    surviving = dict.fromkeys(results.labels, 0)
    largest = dict.fromkeys(results.labels, 0.0)
    for c in results.comparisons:
        label = c.record.cell.label
        surviving[label] += c.survives
        largest[label] = max(largest[label], abs(c.difference.value))
    order = sorted(
        results.labels,
        key=lambda label: (label != results.reference, -surviving[label], -largest[label]),
    )
    return results.part(order[:MOST])


def selection(part: Results) -> str:
    """What is shown and what is not, in a sentence; empty where all is shown."""
    if part.whole is None:
        return ""
    count = len(part.labels)
    which = (
        f"the first {count}"
        if part.reference is None
        else f"{part.reference} and the {count - 1} with the most differences from it that "
        "survive the correction, and among equals the largest"
    )
    return (
        f"Of {plural(len(part.whole.labels), 'multiplier')} tables and curves show {which}; "
        "corrections and claims are over all."
    )
