# SPDX-License-Identifier: Apache-2.0
"""How every command gets its multipliers: the options beside their words, and their tables."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from axhil.hwsim import PAPER_MULTIPLIERS
from axhil.hwsim.multipliers import Multiplier, Request, VerilogSource, make_tables
from axhil.hwsim.multipliers.assignment import words_of
from axhil.hwsim.multipliers.by_gates import notes_of
from axhil.hwsim.multipliers.comparing.opinion import NO_YOSYS
from axhil.hwsim.multipliers.comparing.printed import PREFIX
from axhil.hwsim.multipliers.find import Origin, origin_of
from axhil.hwsim.multipliers.source import Sign, define, setting, split_items, tie
from axhil.hwsim.operands import Asked, Operands
from axhil.hwsim.tools.yosys import find_yosys
from axhil.study.errors import StudyError

from .console import notice, progress
from .options import MOST

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MULTIPLIER",
        help="exact, 'drum(4)', mul.v, 'mul.v\\[K=3]', mul.npz, model.c, module:function; "
        "default: the paper's seven.",
    ),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, max=MOST, help="Simulators at a time; default: all cores.")
]
Luts = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Tables written by `axhil lut`; default: the golden tables."
    ),
]

_PANEL = "What Verilog does not say (brackets behind a file win)"


def _option(kind: Any, *names: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return Annotated[
        kind, typer.Option(*names, metavar=metavar, help=help, rich_help_panel=_PANEL, **more)
    ]


# By field of `VerilogSource`; `sign` is an option of two words, below.
_FACTS = {
    "top": _option(
        str | None, "--top", metavar="MODULE", help="Top; default: the uninstantiated module."
    ),
    "a": _option(str | None, "--a", metavar="PORT", help="First operand."),
    "b": _option(str | None, "--b", metavar="PORT", help="Second operand."),
    "p": _option(str | None, "--p", metavar="PORT", help="Product."),
    "weight": _option(
        str | None,
        "--weight-port",
        metavar="PORT",
        help="The operand that is the weight, the table's column; default: the second.",
    ),
    "parameters": _option(
        list[str] | None, "--param", metavar="NAME=VALUE", help="Parameter of the top; repeatable."
    ),
    "ties": _option(
        list[str] | None, "--tie", metavar="PORT=VALUE", help="Hold another input; repeatable."
    ),
    "product_shift": _option(
        int | None,
        "--product-shift",
        metavar="BITS",
        help="Bits that the output lacks at its lower end.",
        min=0,
    ),
    "more": _option(
        list[Path] | None,
        "--with",
        "-f",
        metavar="FILE",
        help="Another file of it, or a file list, design.f; repeatable.",
    ),
    "includes": _option(
        list[Path] | None, "--include", "-I", metavar="FOLDER", help="Of includes; repeatable."
    ),
    "defines": _option(
        list[str] | None, "--define", "-D", metavar="NAME=VALUE", help="Macro; repeatable."
    ),
}
_OTHERS: dict[str, tuple[Any, Any]] = {
    "wrap_signed": (
        _option(bool, "--wrap-signed", help="Put an unsigned core into a sign-magnitude wrapper."),
        False,
    ),
    "signed": (
        Annotated[
            bool | None,
            typer.Option("--signed/--unsigned", help="Operands, where nothing else says."),
        ],
        None,
    ),
    "operands": (
        Annotated[
            str | None,
            typer.Option(metavar="u8xs8", help="Both operands, where they differ."),
        ],
        None,
    ),
    "width": (
        Annotated[int | None, typer.Option(help="Operand bits, where nothing else says.")],
        None,
    ),
    "time_limit": (
        Annotated[
            float,
            typer.Option(
                min=0.1,
                max=1e6,
                metavar="SECONDS",
                help="For a C or Python model, or for Verilog without progress.",
            ),
        ],
        Request().time_limit,
    ),
}
_Command = Callable[..., None]


def verilog_options(*words: str, assumed: bool = True) -> Callable[[_Command], _Command]:
    """Gives a command the options about multipliers, as one value: its argument `request`.

    Args:
        words: arguments of the command that hold multipliers.
        assumed: operands are signed 8-bit ones where nothing says what they are.

    Returns:
        A decorator. The command refuses options about Verilog where no word is Verilog.
    """
    options = {name: (annotation, None) for name, annotation in _FACTS.items()} | _OTHERS

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_request(**values: Any) -> None:
            given = {name: values.pop(name) for name in options}
            _require_verilog(given, [word for name in words for word in _words(values[name])])
            command(**values, request=_request(given, assumed=assumed))

        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.name != "request"]
        added = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for name, (annotation, default) in options.items()
        ]
        parameters = [*own, *added]
        with_request.__signature__ = signature.replace(  # type: ignore[attr-defined]  # typer's way
            parameters=parameters
        )
        with_request.__annotations__ = {one.name: one.annotation for one in parameters}
        return with_request

    return decorate


def listed(words: Sequence[str] | None) -> list[str]:
    """The words one by one, commas between them or not; the paper's seven where there are none."""
    if not words:
        return [str(one) for one in PAPER_MULTIPLIERS]
    return [word for text in words for word in split_items(text)]


def made(
    multipliers: Sequence[Multiplier],
    *,
    jobs: int | None = None,
    make: Callable[..., object] | None = None,
) -> None:
    """Makes the tables of multipliers, shows how far it is, and says what was assumed.

    Args:
        multipliers: each once or more.
        jobs: simulators at a time; None is one per processor core.
        make: see `make_tables`.

    Raises:
        HwsimError: one cannot be made.
    """
    distinct = list(dict.fromkeys(multipliers))
    with progress("making tables", total=len(distinct), unit="tables") as tick:
        make_tables(
            distinct,
            jobs=jobs,
            progress=lambda count, _, name: tick(count, f"made {name}"),
            make=make,
        )
    for note in dict.fromkeys(note for one in distinct for note in notes_of(one)):
        notice(note)


def say_without_yosys() -> None:
    """Says that there are no second opinions, where there is no Yosys."""
    if find_yosys() is None:
        notice(NO_YOSYS)


def _words(value: str | Sequence[str] | None) -> list[str]:
    texts = [value] if isinstance(value, str) else value or ()
    return [word for text in texts for word in words_of(text)]


def _require_verilog(given: Mapping[str, Any], words: Sequence[str]) -> None:
    about = [*_FACTS, "wrap_signed"]
    options = [_spelling(name) for name in about if given[name]]
    if options and not any(map(_is_verilog, words)):
        got = " and ".join(words) or "none"
        raise StudyError(f"{options[0]}: for a Verilog file, got {got}")


def _is_verilog(word: str) -> bool:
    # Figures printed in a Verilog file are no Verilog; a folder may hold some.
    if word.startswith(PREFIX):
        return False
    return Path(word).is_dir() or origin_of(word) is Origin.verilog


def _spelling(name: str) -> str:
    annotation = _FACTS[name] if name in _FACTS else _OTHERS[name][0]
    (option,) = annotation.__metadata__
    # typer takes the first of several names for the default where they stand in an annotation.
    return str(option.default)


def _request(given: Mapping[str, Any], *, assumed: bool) -> Request:
    signed, width = given["signed"], given["width"]
    operands = None if given["operands"] is None else Operands.parse(given["operands"])
    asked = Asked(width, signed, operands)
    if given["wrap_signed"] and asked.signs != (None, None):
        option = "--operands" if signed is None else asked.sign_words
        raise StudyError(
            f"--wrap-signed: expected no {option} with it, since it makes a signed table of an "
            "unsigned core"
        )
    sign: Sign | None = "wrap" if given["wrap_signed"] else None
    facts = {name: given[name] for name in _FACTS if given[name] is not None}
    for name, read in (("parameters", setting), ("ties", tie), ("defines", define)):
        if name in facts:
            facts[name] = _by_name(facts[name], read, option=_spelling(name))
    for name in ("more", "includes"):
        facts[name] = tuple(facts.get(name, ()))
    # Only the sign is in doubt where the command assumes nothing: 8 bits are what networks have.
    if assumed or signed is not None:
        asked = replace(asked, default=Operands.both(8, signed is not False))
    return Request(
        asked,
        VerilogSource(sign=sign, **facts),
        time_limit=given["time_limit"],
    )


def _by_name(texts: Sequence[str], read: Callable[..., Any], *, option: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        name, value = read(text, where=option)
        if name in found:
            raise StudyError(
                f"{option}: expected one value, got {name}={found[name]} and {name}={value}; "
                f"for one each put them into brackets: 'mul.v[{name}={value}]'"
            )
        found[name] = value
    return found
