# SPDX-License-Identifier: Apache-2.0
"""GitHub-flavoured Markdown: tables, and the report as a document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from axhil.errors import DOCS
from axhil.study import paper
from axhil.study.comparisons import LEVEL
from axhil.study.errors import StudyError
from axhil.study.results import Results
from axhil.study.verdicts import RULE

from . import accuracy, cost, differences, findings, provenance, robustness
from .claims import claims_table
from .selection import selection, shown
from .table import Entry, Table, visible
from .titles import plural

_MOST_BUDGETS = 12
_ARROWS = {"gain": " ▲", "loss": " ▼"}


def plain(text: str) -> str:
    """Escape text so that Markdown shows it as it is, on one line."""
    one_line = visible(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", one_line)


def code(text: str) -> str:
    """Text as code, in a table too."""
    one_line = visible(" ".join(text.split())).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def markdown_table(table: Table) -> str:
    """Rows and headings of a table, without its title."""
    align = ["---" if side == "l" else "---:" for side in table.align]
    rows = [*table.rows, *([table.total] if table.total else [])]
    lines = [map(plain, table.headings), align, *(map(_entry, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _entry(entry: Entry) -> str:
    text = code(entry.text) if entry.code else plain(entry.text)
    return f"**{text}**" if entry.mark == "strong" else text + _ARROWS.get(entry.mark, "")


def report_markdown(
    results: Sequence[Results],
    *,
    title: str,
    pictures: Mapping[str, str] | None = None,
    records: str = "records.csv",
) -> str:
    """Build the report.

    Args:
        results: one per network and threat model, finished or not.
        title: its heading.
        pictures: captions, and where the pictures are from the report's folder.
        records: the file beside the report that has every record.

    Returns:
        The document.

    Raises:
        StudyError: no results at all.
    """
    if not results:
        raise StudyError("expected the results of at least one network, got none")
    some = [one for one in results if one.cells]
    glossary = f"[Labels and terms]({DOCS}/glossary.md)"
    parts = [f"# {plain(title)}", *(_summary(one) for one in results), glossary]
    parts += [
        f"![{plain(caption)}](<{path}>)\n\n*{plain(caption)}*"
        for caption, path in (pictures or {}).items()
    ]
    if some:
        parts += [*_clean([shown(one) for one in some]), *_timing(some)]
        for one in some:
            parts += _verdicts(shown(one))
            parts += _robust(one, records)
        parts += [*_claims(some), *_warnings(some), "## Provenance"]
        for one in some:
            parts += _provenance(one)
    return "\n\n".join(parts) + "\n"


def _summary(one: Results) -> str:
    if not one.cells:
        return (
            f"**{plain(one.title)}.** Nothing is finished of "
            f"{plural(one.planned, 'evaluation')} planned."
        )
    data = one.cells[0].settings.data
    text = (
        f"**{plain(one.title)}**, {plural(one.images, 'image')} of {plain(data)}, "
        f"{plural(one.evaluations, 'evaluation')}."
    )
    if not one.finished:
        text += (
            f" **Unfinished: {one.evaluations:,} of {one.planned:,} evaluations "
            f"({100 * one.evaluations / one.planned:.0f} %); what follows is about those.**"
        )
    return (
        f"{text} {plain(findings.finding(one.comparisons, one.reference))} "
        f"{plain(findings.caution(one.records, one.comparisons))}"
    )


def _verdicts(part: Results) -> list[str]:
    judged = robustness.verdict_tables(part)
    if not judged:
        return []
    tables = [*judged, *robustness.smallest_tables(part), *robustness.taken_away(part)]
    shown_tables = [f"**{plain(table.full_title)}**\n\n{markdown_table(table)}" for table in tables]
    return [f"## Verdict: {plain(part.title)}", plain(RULE), *shown_tables]


def _clean(some: Sequence[Results]) -> list[str]:
    # Threat models share the clean images: the first of each network speaks for all.
    networks = {one.network: one for one in reversed(some) if one.clean}
    firsts = [
        networks[name] for name in dict.fromkeys(one.network for one in some) if name in networks
    ]
    if not firsts:
        return ["## Clean accuracy", "eps = 0 is not among the budgets."]
    note = (
        "Percent of images right without an attack, with Wilson 95 % intervals, beside the paper's "
        "Table III. Weights and images are not the paper's, so compare the distances from ACC and "
        "not the levels. " + _worth(firsts)
    )
    table = cost.with_costs(accuracy.clean_accuracy(firsts), firsts, exact=True)
    costs = dict.fromkeys(text for one in firsts if (text := cost.note(one)))
    return ["## Clean accuracy", markdown_table(table), note, *map(plain, costs)]


def _worth(results: Sequence[Results]) -> str:
    counts = sorted({one.images for one in results})
    found = ", ".join(f"one image out of {n:,} is {100 / n:.3g} %" for n in counts)
    return f"{found[0].upper()}{found[1:]}."


def _timing(some: Sequence[Results]) -> list[str]:
    note = (
        "An evaluation is one multiplier, attack, norm and budget; budgets that were computed "
        f"together share their time equally. The paper's Table IV is of {paper.EVALUATIONS:,} "
        f"evaluations a network, on a {paper.MACHINE}. Per image: the paper's seconds per image of "
        "an evaluation divided by ours; the machines differ."
    )
    return [
        "## Seconds per evaluation",
        markdown_table(provenance.seconds_beside_the_papers(some)),
        note,
    ]


def _robust(one: Results, records: str) -> list[str]:
    widest = max(record.accuracy.half_width for record in one.records)
    note = "Percent right at each eps"
    if one.comparisons:
        note += (
            f"; ▲ and ▼ mark paired differences from {plain(str(one.reference))} that survive the "
            "correction"
        )
    note += f". Wilson 95 % intervals reach up to {100 * widest:.1f} points to either side."
    parts = [f"## Robust accuracy: {plain(one.title)}", note]
    part = shown(one)
    if sentence := selection(part):
        parts.append(f"{plain(sentence)} Every record: [{records}]({records}).")
    for table, (count, budgets) in accuracy.robust_accuracy(part, most=_MOST_BUDGETS):
        parts += [f"### {plain(table.title)}: {plain(one.title)}", markdown_table(table)]
        if count < budgets:
            parts.append(f"{count} of {budgets} budgets; {records} has all.")
    if not one.comparisons:
        return parts
    surviving = sum(c.survives for c in one.comparisons)
    parts += [
        f"### Differences from {plain(str(one.reference))}: {plain(one.title)}",
        f"{surviving:,} of {plural(len(one.comparisons), 'comparison')} survive at "
        f"{100 * LEVEL:g} %. Per multiplier: without attack, and the largest gain and loss under "
        "attack. Gained: images that only the approximate network gets right; lost: only the "
        "accurate one. Exact two-sided McNemar test, Holm's correction over all "
        f"{len(one.comparisons):,}; eps 0 counts once per multiplier.",
        markdown_table(differences.notable_differences(part)),
        "**The smallest difference that this sample could have shown.** "
        + plain(findings.smallest_difference(one.images, len(one.comparisons))),
    ]
    return parts


def _claims(some: Sequence[Results]) -> list[str]:
    table = claims_table(some)
    if table is None:
        return []
    note = (
        'Ranges after "between" are intervals of paired differences (Agresti and Min, 2005) that '
        f"hold for all comparisons of their claim at once, at {100 * (1 - LEVEL):g} %. A claim "
        "about a size is judged by them, since the largest of many differences is large by chance "
        "too."
    )
    return ["## The paper's claims", markdown_table(table), note]


def _warnings(some: Sequence[Results]) -> list[str]:
    parts = ["## Warnings"]
    for one in some:
        sentences = findings.warnings(one.cells)
        if sentences:
            listed = "\n".join(f"- {plain(sentence)}" for sentence in sentences)
            parts += [f"### {plain(one.title)}", listed]
            links = [
                f"[{code}]({address})" for code, address in findings.explanations(sentences).items()
            ]
            parts += [f"Explained: {', '.join(links)}."] if links else []
    if len(parts) == 1:
        return [*parts, "None: no check of the attacks found a reason to doubt them."]
    return [
        parts[0],
        "Reasons to doubt single numbers: an attack that fails for its own reasons looks like "
        "robustness.",
        *parts[1:],
    ]


def _provenance(one: Results) -> list[str]:
    part = shown(one)
    command = visible(provenance.command(part.cells))
    return [
        f"### {plain(one.title)}",
        markdown_table(provenance.settings(one)),
        "Tables, by the SHA-256 of their little-endian int32:",
        markdown_table(provenance.tables_used(part)),
        "The command that asks for these cells:",
        "\n".join(f"    {line}" for line in command.splitlines()),
    ]
