# SPDX-License-Identifier: Apache-2.0
"""Verdicts as a JUnit XML file, which every CI server and code host shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .table import visible

Outcome = Literal["passed", "skipped", "failure", "error"]
"""Failure: what was checked is wrong. Error: it could not be checked."""


@dataclass(frozen=True)
class Case:
    """One claim that was checked.

    Attributes:
        name: what it is about, a multiplier or a mutant.
        outcome: what came of it.
        message: the outcome in a sentence.
        detail: lines about it; what a passed case has to say goes to its output.
        seconds: that it took; None where it was checked with others.
    """

    name: str
    outcome: Outcome
    message: str = ""
    detail: str = ""
    seconds: float | None = None


def junit_xml(suite: str, cases: Sequence[Case], *, seconds: float) -> bytes:
    """A file of one test suite.

    Args:
        suite: its name, and the class of its cases, e.g. `axhil.verify`.
        cases: in the order of the file.
        seconds: that all of them took.

    Returns:
        XML in UTF-8. What XML cannot hold, or nobody would see, is written out.
    """
    from xml.etree import ElementTree  # noqa: PLC0415  (only where there is a file to write)

    counts = {
        f"{outcome}s" if outcome != "skipped" else outcome: str(
            sum(case.outcome == outcome for case in cases)
        )
        for outcome in ("failure", "error", "skipped")
    }
    root = ElementTree.Element("testsuites")
    head = {"name": suite, "tests": str(len(cases)), **counts, "time": f"{seconds:.3f}"}
    parent = ElementTree.SubElement(root, "testsuite", head)
    for case in cases:
        facts = {"name": visible(case.name), "classname": suite}
        facts |= {} if case.seconds is None else {"time": f"{case.seconds:.3f}"}
        child = ElementTree.SubElement(parent, "testcase", facts)
        message, detail = visible(case.message), visible(case.detail)
        if case.outcome == "passed":
            text = "\n".join(filter(None, (message, detail)))
            if text:
                ElementTree.SubElement(child, "system-out").text = text
            continue
        said = {"message": message}
        said |= {} if case.outcome == "skipped" else {"type": f"{suite}.{case.outcome}"}
        ElementTree.SubElement(child, case.outcome, said).text = detail or None
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"
