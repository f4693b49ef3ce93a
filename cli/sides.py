# SPDX-License-Identifier: Apache-2.0
"""What is said about Verilog on the two sides of a comparison, or on the one of a conversion.

A word holds for every side that is Verilog; behind `x:` or `y:` it holds for that side alone, and
before one that holds for both; further files and folders add up. No name in Verilog has a colon; a
file that begins so is `./x:...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from axhil.study.errors import StudyError

if TYPE_CHECKING:
    from axhil.hwsim.multipliers import VerilogSource

_Value = TypeVar("_Value", bound=int | str)

Top = Annotated[
    list[str] | None,
    typer.Option(metavar="MODULE", help="Top module of Verilog; default: the uninstantiated one."),
]
PortA = Annotated[
    list[str] | None, typer.Option("--a", metavar="PORT", help="First operand port of Verilog.")
]
PortB = Annotated[
    list[str] | None, typer.Option("--b", metavar="PORT", help="Second operand port.")
]
PortP = Annotated[list[str] | None, typer.Option("--p", metavar="PORT", help="Product port.")]
WeightPort = Annotated[
    list[str] | None,
    typer.Option(metavar="PORT", help="The operand port that is the weight, the table's column."),
]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="Parameter of the top; repeatable."),
]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", "-I", metavar="FOLDER", help="Folder of included files; repeatable."),
]
Tie = Annotated[
    list[str] | None,
    typer.Option("--tie", metavar="PORT=VALUE", help="Hold another input; repeatable."),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with", metavar="FILE", help="Another file of the Verilog's design; repeatable."
    ),
]
WrapSigned = Annotated[
    bool,
    typer.Option("--wrap-signed", help="Put an unsigned core into a sign-magnitude wrapper."),
]


@dataclass(frozen=True)
class Given:
    """The options about Verilog as they were given; the fields are their names.

    Each value may begin with `x:` or `y:`.
    """

    more: Sequence[str] | None = None
    top: Sequence[str] | None = None
    a: Sequence[str] | None = None
    b: Sequence[str] | None = None
    p: Sequence[str] | None = None
    weight_port: Sequence[str] | None = None
    param: Sequence[str] | None = None
    include: Sequence[str] | None = None
    tie: Sequence[str] | None = None
    wrap_signed: bool = False

    def values(self) -> dict[str, Sequence[str]]:
        """Values by option, for all but `--wrap-signed`, which has none."""
        texts = {name: values or () for name, values in vars(self).items() if name != "wrap_signed"}
        return {_OPTIONS.get(name, f"--{name}"): values for name, values in texts.items()}

    def first(self) -> str | None:
        """The first option that was given."""
        names = [option for option, values in self.values().items() if values]
        return next(iter([*names, *(["--wrap-signed"] if self.wrap_signed else [])]), None)


_OPTIONS = {"more": "--with", "weight_port": "--weight-port"}


def is_verilog(word: str) -> bool:
    """Whether a word names Verilog; printed figures may stand in such a file too.

    Raises:
        HwsimError: it names nothing.
    """
    from axhil.hwsim.multipliers.find import Origin, origin_of
    from axhil.hwsim.multipliers.printed import PREFIX

    return not word.startswith(PREFIX) and origin_of(word) is Origin.verilog


def one_side(name: str, given: Given, *, in_verilog: bool, signed: bool | None) -> VerilogSource:
    """What was said about the only side of a command.

    Args:
        name: what to call it.
        given: the options.
        in_verilog: whether it is Verilog.
        signed: the user's word on the operands.

    Raises:
        StudyError: options about Verilog, and the side is none; or values that are malformed or
            contradict each other.
    """
    option = given.first()
    if option is not None and not in_verilog:
        raise StudyError(f"{option}: for a Verilog file, got {name}")
    _check_wrapper(given, signed)
    values = {option: [(None, text) for text in texts] for option, texts in given.values().items()}
    return _verilog(values, None, wrap_signed=given.wrap_signed)


def two_sides(
    x: str, y: str, given: Given, *, signed: bool | None
) -> tuple[VerilogSource, VerilogSource]:
    """What was said about either side of a comparison.

    Args:
        x: the first word.
        y: the second.
        given: the options.
        signed: the user's word on the operands.

    Raises:
        StudyError: as `one_side`, for either side; a wrapper for one of two, and nobody says which.
        HwsimError: a word that means nothing.
    """
    words = {"x": x, "y": y}
    verilog = {side for side, word in words.items() if is_verilog(word)}
    option = given.first()
    if option is not None and not verilog:
        raise StudyError(f"{option}: for a Verilog file, got {x} and {y}")
    _check_wrapper(given, signed)
    if given.wrap_signed and len(verilog) > 1:
        raise StudyError(
            "--wrap-signed: expected one side in Verilog, got two; compare unsigned cores as they "
            "are, or write the table of one with axhil lut --wrap-signed"
        )
    values = {option: [_scoped(text) for text in texts] for option, texts in given.values().items()}
    for name, pairs in values.items():
        for side, text in pairs:
            if side is not None and side not in verilog:
                raise StudyError(f"{name} {side}:{text}: for a Verilog file, got {words[side]}")
    first, second = (
        _verilog(values, side, wrap_signed=given.wrap_signed and side in verilog) for side in words
    )
    return first, second


def _check_wrapper(given: Given, signed: bool | None) -> None:
    if given.wrap_signed and signed is not None:
        word = "--signed" if signed else "--unsigned"
        raise StudyError(
            f"--wrap-signed: expected no {word} with it, since it makes a signed table of an "
            "unsigned core"
        )


def _scoped(value: str) -> tuple[str | None, str]:
    match = re.fullmatch(r"([xyXY]):(.*)", value, re.DOTALL)
    return (None, value) if match is None else (match[1].lower(), match[2])


_Scoped = Mapping[str, Sequence[tuple[str | None, str]]]


def _verilog(given: _Scoped, side: str | None, *, wrap_signed: bool) -> VerilogSource:
    from axhil.hwsim.multipliers import VerilogSource as Facts
    from axhil.hwsim.multipliers.source import setting, tie

    def one(option: str) -> str | None:
        named = [(scope, ("", value)) for scope, value in given[option]]
        return _settled(option, named, side).get("")

    def every(option: str) -> tuple[Path, ...]:
        return tuple(Path(value) for scope, value in given[option] if scope in {None, side})

    return Facts(
        more=every("--with"),
        top=one("--top"),
        a=one("--a"),
        b=one("--b"),
        p=one("--p"),
        weight=one("--weight-port"),
        parameters=_settled(
            "--param",
            [(scope, setting(text, where="--param")) for scope, text in given["--param"]],
            side,
        ),
        includes=every("--include"),
        ties=_settled(
            "--tie", [(scope, tie(text, where="--tie")) for scope, text in given["--tie"]], side
        ),
        sign="wrap" if wrap_signed else None,
    )


def _settled(
    option: str, given: Iterable[tuple[str | None, tuple[str, _Value]]], side: str | None
) -> dict[str, _Value]:
    """Values by name for one side: its own word before that for both."""
    found: dict[tuple[str | None, str], _Value] = {}
    for scope, (name, value) in given:
        if scope not in {None, side}:
            continue
        if (scope, name) in found:
            equals = f"{name}=" if name else ""
            before, after = (f"{equals}{v}" for v in (found[scope, name], value))
            each = f"; for one each say {option} x:{before} {option} y:{after}" if side else ""
            raise StudyError(f"{option}: expected one value, got {before} and {after}{each}")
        found[scope, name] = value
    # The names in the order of the command line, whoever they are for.
    return {name: found.get((side, name), value) for (_, name), value in found.items()}
