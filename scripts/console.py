# SPDX-License-Identifier: Apache-2.0
"""Run what the documents print, and hold each output to what is printed there.

Of a page, in order and in one folder that starts as a copy of docs/examples:

* a block ```` ```LANGUAGE title="FILE" ```` is written to FILE;
* of a block ```` ```console ```` each line behind `$ ` is run, and the lines below are its output,
  stdout and stderr as a terminal shows them;
* a block ```` ```python ```` without a title is run as a program; a block ```` ```text ````
  right below it is what it prints.

`...` stands for any text in a line, alone for any lines: times, paths, versions. A block behind
`<!-- recorded: FILE -->` takes too long: its text is in FILE, relative to the repository. So does a
program behind `<!-- takes minutes -->`, of which only the imports are run.

Usage: python scripts/console.py [--write] [PAGE ...]; --write puts what was printed into the pages.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"
WIDTH = 100
"""Columns of the terminal whose screens the pages show."""

_FENCE = re.compile(
    r"(?:<!-- (?:recorded: (?P<record>\S+)|(?P<long>takes minutes)) -->\n+)?"
    r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SHELL = re.compile(r"[|<>;&$`*?~]")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: behind the fence.
        title: the file that it is, or empty.
        record: the file that holds its text, or empty.
        long: whether it takes minutes.
        body: what is between the fences.
        start: where the body begins in the page.
    """

    language: str
    title: str
    record: str
    long: bool
    body: str
    start: int

    @property
    def steps(self) -> Iterator[tuple[str, str]]:
        """Each command of a console with what it prints."""
        for part in re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]:
            command, newline, printed = re.sub(r"\\\n\s*", "\0", part).partition("\n")
            yield command.replace("\0", " "), printed.replace("\0", "\\\n") if newline else ""


def pages() -> list[Path]:
    """Every page that a reader sees, but those that a script writes out of records."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    return [
        Block(
            fence["language"], fence["title"] or "", fence["record"] or "", bool(fence["long"]),
            fence["body"],
            fence.start("body"),
        )
        for fence in _FENCE.finditer(page.read_text())
    ]  # fmt: skip


_ORIGIN = re.compile(r"(?:simulated in \S+ s, kept as|taken from the cache,) \S+")
"""Pages share a cache, so that what one simulates another finds there."""


_PROGRESS = re.compile(r"^\S.* \d+ %  .* left(?:  .*)?\n", re.MULTILINE)
"""What a slow machine prints while it is at work."""


def agrees(expected: str, printed: str) -> bool:
    """Whether a text is the expected one, `...` standing for anything."""
    expected, printed = (
        _ORIGIN.sub("simulated", _PROGRESS.sub("", text)) for text in (expected, printed)
    )
    lines = [
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else re.escape(line.rstrip()).replace(r"\.\.\.", ".*?") + r"[ ]*\n"
        for line in expected.strip("\n").splitlines()
    ]
    return re.fullmatch("".join(lines), f"{_trimmed(printed)}\n" if lines else printed) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _forked(action: Callable[[], object], folder: Path) -> str:
    """What an action prints in a process of its own, in which the imports are done already."""
    with tempfile.TemporaryFile() as screen:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.dup2(screen.fileno(), 1)
                os.dup2(screen.fileno(), 2)
                os.chdir(folder)
                action()
                code = 0
            except SystemExit as stopped:
                code = stopped.code if isinstance(stopped.code, int) else 1
            except BaseException:  # shown as the interpreter would
                sys.excepthook(*sys.exc_info())
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        os.waitpid(child, 0)
        screen.seek(0)
        return screen.read().decode()


def _axhil(words: list[str]) -> None:
    sys.argv = words
    importlib.import_module("axhil.cli").main()


def _run(command: str, folder: Path) -> str:
    if command.startswith("axhil ") and not _SHELL.search(
        re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
    ):
        return _forked(lambda: _axhil(shlex.split(command)), folder)
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    return done.stdout


def _is_output(program: Block, below: Block, page: Path) -> bool:
    """Whether a block is what the program right above it prints."""
    between = page.read_text()[program.start + len(program.body) : below.start]
    return not program.long and re.fullmatch(r"```\s*```text\n", between) is not None


_IMPORTS = (ast.Import, ast.ImportFrom)


def _program(code: str, folder: Path) -> str:
    def execute() -> None:
        sys.path.insert(0, str(folder))
        exec(compile(code, "page", "exec"), {"__name__": "__main__"})

    return _forked(execute, folder)


def _imports(block: Block) -> str:
    tree = ast.parse(block.body)
    return "\n".join(ast.unparse(one) for one in tree.body if isinstance(one, _IMPORTS))


def run(page: Path) -> Iterator[tuple[Block, list[tuple[str, str, str]]]]:
    """Run a page.

    Args:
        page: Markdown.

    Yields:
        Each block that prints, with (what was run, what is expected, what it printed) of each
        step.
    """
    fenced = blocks(page)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "examples"
        shutil.copytree(EXAMPLES, folder)
        for block, below in zip(fenced, [*fenced[1:], None], strict=False):
            if block.record:
                continue
            if block.title:
                file = folder / block.title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.body)
            elif block.language == "console":
                yield (
                    block,
                    [
                        (command, expected, _run(command, folder))
                        for command, expected in block.steps
                    ],
                )
            elif block.language == "python":
                printed = _program(_imports(block) if block.long else block.body, folder)
                if below and _is_output(block, below, page):
                    yield below, [("", below.body, printed)]
                elif printed:
                    yield block, [(block.body, "", printed)]


def misprints(page: Path) -> list[str]:
    """What a page shows and a run does not print."""
    return [
        f"{page.relative_to(ROOT)}: {command}\n--- printed on the page\n{expected}"
        f"--- printed by the run\n{_trimmed(printed)}\n"
        for _, steps in run(page)
        for command, expected, printed in steps
        if not agrees(expected, printed)
    ]


def unrecorded(page: Path) -> list[str]:
    """Blocks whose record does not have what they show."""
    return [
        f"{page.relative_to(ROOT)}: {block.record} has no such text:\n{block.body}"
        for block in blocks(page)
        if block.record and block.body.strip("\n") not in (ROOT / block.record).read_text()
    ]


_VARYING = (
    (re.compile(r"\bin \d+\.\d+ s\b"), "in ... s"),
    (re.compile(r"(?<= )/\S+\.npz\b"), "..."),
    (re.compile(r"^( float32 .*\d|.* [+-]\d+\.\d\d +)\d+\.\d(?= |$)", re.M), r"\1..."),
    (re.compile(r"\d+\.\d\d s each \(.*? in all, .*? this run\)"), "... s each (...)"),
    (re.compile(r"Yosys \d+\.\d+"), "Yosys ..."),
)
"""What differs from run to run, and is not written into a page."""


def write(page: Path) -> None:
    """Put what a run prints into a page, where it is not what the page shows."""
    text = page.read_text()
    for block, steps in reversed(list(run(page))):
        shown = [_shown(expected, printed) for _, expected, printed in steps]
        if block.language == "console":
            heads = [_head(part) for part in re.split(r"^(?=\$ )", block.body, flags=re.M)[1:]]
            body = "".join(head + new for head, new in zip(heads, shown, strict=True))
        elif block.language == "text":
            body = shown[0]
        else:
            continue
        text = text[: block.start] + body + text[block.start + len(block.body) :]
    page.write_text(text)


def _shown(expected: str, printed: str) -> str:
    """What to print on the page for an output: as it is there where that still holds."""
    if agrees(expected, printed):
        return expected
    text = f"{_trimmed(printed)}\n" if printed else ""
    for varying, elision in _VARYING:
        text = varying.sub(elision, text)
    return text


def _head(part: str) -> str:
    """The lines of a step that hold its command."""
    found = re.match(r"\$ (?:.*\\\n)*.*\n?", part)
    assert found is not None
    return found[0]


def main() -> None:
    """Check or write the pages named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("pages", nargs="*", type=Path)
    options = parser.parse_args()
    os.environ.update(COLUMNS=str(WIDTH), OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore")
    for name in ("AXHIL_DATA", "AXHIL_WEIGHTS", "SIM"):
        os.environ.pop(name, None)
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for module in ("axhil.cli", "axhil.report.files", "axhil.zoo", "matplotlib.pyplot"):
        importlib.import_module(module)  # once for all commands

    trouble: list[str] = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ.setdefault("AXHIL_CACHE", cache)
        for page in [one.resolve() for one in options.pages] or pages():
            if options.write:
                write(page)
            else:
                trouble += misprints(page) + unrecorded(page)
    sys.exit("\n".join(trouble) if trouble else 0)


if __name__ == "__main__":
    main()
