# SPDX-License-Identifier: Apache-2.0
"""Preprocessed Verilog, module by module: what a top needs of a text, and nothing else.

People keep test benches, older versions and whole cell libraries in the files of a design. What the
top does not use is blanked out before anything is judged, compiled or simulated, so it can neither
be refused nor run.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...comments import without_comments
from ...errors import HwsimError

# Icarus ends an escaped name at these characters and no other.
ESCAPED = r"\\[^ \t\b\f\r\n]+"
STRING = r'"(?:\\.|[^"\\\n])*"'
_ATTRIBUTE = re.compile(
    rf'(?P<kept>{STRING}|{ESCAPED})|\(\*(?!\s*\))(?:{STRING}|[^"])*?\*\)'  # @(*) is none
)
_QUOTED = re.compile(STRING)
_KINDS = "macromodule|module|primitive|interface|program|package|class"
_DEFINITION = re.compile(
    rf"{ESCAPED}|typedef\s+class|(?<![\w$`.])(?:virtual\s+)?(?P<kind>{_KINDS})\s+"
    rf"(?:(?:automatic|static)\s+)?(?P<name>{ESCAPED}|[A-Za-z_][\w$]*)"
)
_WORD = re.compile(rf"{ESCAPED}|[A-Za-z_][\w$]*")


@dataclass(frozen=True)
class Definition:
    """One module, primitive, interface, program, package or class in a text.

    Attributes:
        kind: its keyword.
        name: without the backslash of an escaped identifier.
        start: where its keyword stands.
        head: where its name ends.
        end: behind its end keyword.
        text: from start to end.
    """

    kind: str
    name: str
    start: int
    head: int
    end: int
    text: str

    @property
    def is_module(self) -> bool:
        """Whether it can be a top."""
        return self.kind in {"module", "macromodule"}


def without_noise(text: str) -> str:
    """The text without comments, attributes and byte order marks, line by line as long as before.

    What a simulator never sees cannot hide anything from those who read along. Only what tells a
    synthesiser to pass over lines stays: it is why gates may compute something else.
    """

    def blank(match: re.Match[str]) -> str:
        return match["kept"] or " " + "\n" * match[0].count("\n")

    return _ATTRIBUTE.sub(blank, without_comments(text.replace("\ufeff", " "), pragmas=True))


def definitions(text: str, *, where: str) -> list[Definition]:
    """Every module, primitive, interface, program, package and class, in order.

    Args:
        text: without noise.
        where: files, for messages.

    Raises:
        HwsimError: one does not end.
    """
    # Strings keep their length, and say nothing.
    plain = _QUOTED.sub(lambda match: f'"{"_" * (len(match[0]) - 2)}"', text)
    found: list[Definition] = []
    place = 0
    while match := _DEFINITION.search(plain, place):
        place = match.end()
        if match["kind"] is None:
            continue
        end = _end(plain, match["kind"], match.end())
        if end is None:
            raise HwsimError(
                f"{where}: expected end{match['kind'].removeprefix('macro')} behind "
                f"{match['kind']} {match['name']}, found none"
            )
        found.append(
            Definition(
                match["kind"],
                match["name"].removeprefix("\\"),
                match.start(),
                match.end(),
                end,
                text[match.start() : end],
            )
        )
        place = end
    return found


def _end(text: str, kind: str, place: int) -> int | None:
    """Behind the end keyword; definitions may stand inside one another."""
    kind = "module" if kind == "macromodule" else kind
    depth = 1
    for match in re.compile(rf"{ESCAPED}|(?<![\w$`.])(end)?{kind}\b").finditer(text, place):
        if not match[0].startswith("\\"):
            depth += -1 if match[1] else 1
            if depth == 0:
                label = re.compile(r"\s*:\s*[A-Za-z_][\w$]*").match(text, match.end())
                return label.end() if label else match.end()
    return None


def ports_text(module: Definition) -> str:
    """What stands in the parentheses of a module's ports; empty where there are none."""
    spans = header(module)
    return "" if spans[1] is None else module.text[slice(*spans[1])]


def header(module: Definition) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Where the parameters and the ports stand in a module's text, without their parentheses."""
    text, place = module.text, module.head - module.start
    parameters = ports = None
    while place < len(text):
        rest = text[place:]
        blank = len(rest) - len(rest.lstrip())
        place += blank
        if text.startswith("import", place):
            place = text.find(";", place) + 1 or len(text)
        elif text.startswith("#", place):
            place = text.find("(", place)
            close = closing(text, place)
            parameters = (place + 1, close)
            place = close + 1
        elif text.startswith("(", place):
            close = closing(text, place)
            ports = (place + 1, close)
            break
        else:
            break
    return parameters, ports


def closing(text: str, place: int) -> int:
    """Where the parenthesis at a place is closed; the text's end where it never is."""
    depth = 0
    for match in re.compile(rf"{STRING}|{ESCAPED}|[()]").finditer(text, place):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    return len(text)


def items(text: str) -> list[str]:
    """Split at the commas outside parentheses, brackets and strings."""
    depth, starts = 0, [0]
    for match in re.finditer(rf"{STRING}|{ESCAPED}|[()\[\]{{}},]", text):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(match[0], 0)
        if match[0] == "," and depth == 0:
            starts.append(match.end())
    ends = [*(start - 1 for start in starts[1:]), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def instantiated(module: Definition, names: Iterable[str]) -> set[str]:
    """Which of these modules a module has instances of."""
    known = set(names)
    return {
        match[1].removeprefix("\\")
        for match in re.finditer(
            rf"({ESCAPED}|(?<![\w$.`\\])[A-Za-z_][\w$]*)"
            rf"(?=\s*#|\s+(?:{ESCAPED}\s|[A-Za-z_][\w$]*)\s*[(\[])",
            module.text,
        )
        if match[1].removeprefix("\\") in known - {module.name}
    }


def cone(text: str, found: Iterable[Definition], tops: Iterable[str], *, where: str) -> str:
    """The text with only what some tops mention, directly or not; lines stay where they are.

    Args:
        text: without noise.
        found: its definitions.
        tops: the modules.
        where: files, for messages.

    Raises:
        HwsimError: a definition that they use is there twice, and not in the same words.
    """
    by_name: dict[str, list[Definition]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    used, waiting = set[str](), [*tops]
    # What is imported between definitions is there for all of them.
    packages = {name for name, same in by_name.items() if same[0].kind == "package"}
    if packages:
        waiting += packages & set(_WORD.findall(_between(text, by_name.values())))
    while waiting:
        name = waiting.pop()
        if name in used:
            continue
        used.add(name)
        same = {" ".join(one.text.split()) for one in by_name[name]}
        if len(same) > 1:
            raise HwsimError(
                f"{where}: expected one module {name}, got {len(same)} that differ; give only the "
                "file that is meant"
            )
        waiting += mentioned(by_name[name][0], by_name)
    kept = {name: by_name[name][0] for name in used}
    pieces, place = [], 0
    for one in sorted((one for same in by_name.values() for one in same), key=lambda x: x.start):
        pieces.append(text[place : one.start])
        # The first of two in the same words.
        is_kept = kept.get(one.name) is one
        pieces.append(one.text if is_kept else "\n" * one.text.count("\n"))
        place = one.end
    return "".join([*pieces, text[place:]])


def _between(text: str, found: Iterable[Sequence[Definition]]) -> str:
    """What stands outside of all definitions."""
    spans = sorted((one.start, one.end) for same in found for one in same)
    starts, ends = [*(start for start, _ in spans), len(text)], [0, *(end for _, end in spans)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def mentioned(module: Definition, by_name: Mapping[str, object]) -> set[str]:
    """Which of these names stand anywhere in a module."""
    words = {word.removeprefix("\\") for word in _WORD.findall(module.text)}
    return words & by_name.keys()
