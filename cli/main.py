# SPDX-License-Identifier: Apache-2.0
"""The command `axhil`. Each command parses, calls one function of the packages, and prints.

A module of commands is imported when one of them, or the help that lists them, is wanted. None of
them loads torch before a command runs: help answers at once.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from axhil.errors import AxhilError
from axhil.report.table import visible

from .console import err, out
from .output import temporary_trouble
from .signals import Stopped, end, stoppable
from .streams import write

_LONGEST = 2000
"""Characters of a sentence; a name in it may be as long as a file."""

COMMANDS = {
    "Tables": {
        "lut": "lut",
        "compare": "comparison",
        "convert": "exchange",
        "metrics": "tables",
        "cost": "cost",
        "inspect": "tables",
        "rtl": "tables",
    },
    "Networks": {
        "accuracy": "network",
        "eval": "network",
        "plan": "network",
        "search": "search",
        "retrain": "training",
        "train": "training",
        "study": "study",
    },
    "Gates": {"verify": "gates", "mutate": "gates", "faults": "faults", "cosim": "cosim"},
    "About": {"info": "information"},
}
"""By panel of the help: each command and its module, whose `app` has it or is it."""

NETWORKS_EXTRA = (
    *("torch", "torchvision", "mlxtend", "pandas", "pyarrow"),
    *("pydantic", "PIL", "scipy", "safetensors", "jinja2", "pymoo"),
)
"""What the extra `networks` installs: gates on tables need none of it."""

_HELP_WIDTH = 70


@cache
def _command(name: str, module: str, panel: str) -> Any:
    group = get_group(import_module(f".{module}", __package__).app)
    command: Any = group.commands.get(name, group)
    command.name, command.rich_help_panel = name, panel
    return command


class _Commands(Mapping[str, Any]):
    """The commands by name, each loaded when it is looked at."""

    def __getitem__(self, name: str) -> Any:
        for panel, modules in COMMANDS.items():
            if name in modules:
                return _command(name, modules[name], panel)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for modules in COMMANDS.values() for name in modules)

    def __len__(self) -> int:
        return sum(map(len, COMMANDS.values()))


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Commands()

    def list_commands(self, _context: Any) -> list[str]:
        return list(self.commands)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        write(f"axhil {version('axhil')}\n")
        raise typer.Exit


@app.callback()
def axhil(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """From Verilog to adversarial robustness: approximate multipliers, hardware in the loop."""


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    # A notice is a sentence, without the line of code that gave it.
    warnings.formatwarning = lambda message, *_: f"axhil: {_sentence(str(message))}\n"
    out.quiet = False
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is no error
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # of a pipe that nobody reads
                stream.reconfigure(errors="backslashreplace")
    if shutil.get_terminal_size().columns < _HELP_WIDTH:  # help is typer's, which would cut words
        os.environ["TERMINAL_WIDTH"] = str(_HELP_WIDTH)
    with stoppable():
        try:
            _run()
        except Stopped as stopped:
            # Who stopped reading stdout knows it.
            if stopped.number != signal.SIGPIPE:
                _say(stopped.sentence)
            end(stopped.number)


def _run() -> None:
    for word in sys.argv[1:]:
        if any("\ud800" <= character <= "\udfff" for character in word):
            _fail(f"expected words in UTF-8, got {word!r}")
    try:
        # Not on its own: its complaints would take four lines.
        sys.exit(app(prog_name="axhil", standalone_mode=False) or 0)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(128 + signal.SIGINT)
    except AxhilError as error:
        notes = (f"({note})" for note in getattr(error, "__notes__", ()))
        _fail(" ".join((str(error), *notes)), temporary_trouble())
    except OSError as error:
        _fail(_reason(error), temporary_trouble())
    except MemoryError:
        _fail("expected more memory than there is: fewer images, smaller batches or fewer --jobs")
    except ModuleNotFoundError as error:
        if error.name not in NETWORKS_EXTRA:
            raise
        _fail(
            f"this command needs {error.name}, found no such package: pip install 'axhil[networks]'"
        )
    except Exception as error:
        if not hasattr(error, "format_message"):
            if trouble := temporary_trouble():
                _fail(trouble)
            raise
        _usage(error)


def _usage(error: Exception) -> None:
    """A mistake in the options, or a call without any that shows the help.

    Told by what it offers: typer carries a copy of click in some versions, uses it in others.
    """
    sentence = getattr(error, "format_message", str)()
    command = getattr(getattr(error, "ctx", None), "command_path", "axhil")
    if not sentence:  # the help is on the screen
        sys.exit(2)
    _fail(f"{sentence.replace('Value error, ', '').rstrip('.')} ({command} --help)")


def _reason(error: OSError) -> str:
    if error.filename:
        return f"{error.strerror}: {error.filename}"
    try:
        Path.cwd()
    except OSError:
        return "the current folder does not exist any more: go to another one"
    return error.strerror or str(error)


def _fail(*parts: str) -> None:
    _say("; ".join(filter(None, parts)))
    sys.exit(2)


def _say(sentence: str) -> None:
    err.print("axhil:", style="red", end=" ")
    err.print(_sentence(sentence), soft_wrap=True, markup=False)


def _sentence(text: str) -> str:
    """A text on one line, and not longer than anybody reads."""
    line = visible(re.sub(r"\s*\n\s*", " ", text.strip()))
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"  # the reason is at an end
