# SPDX-License-Identifier: Apache-2.0
"""What Verilog does not say of itself, as one value with one spelling and one small file.

In brackets behind the file: `mul.v[top=mul8,a=x,b=y,K=3,signed,tie.en=1,with=cells.v,include=inc]`.

    top=MODULE                   the top module; else the one that no other instantiates
    a=PORT, b=PORT, p=PORT       first operand, second operand, product; ab[15:8] is a part of one
    weight=PORT                  the operand that is the weight, the table's column; else the second
    NAME=VALUE                   a parameter of the top; parameter.NAME=VALUE where NAME is one of
                                 the words of this list; a text that looks like a number in quotes
    signed, unsigned             what the operands are, where the Verilog does not declare it
    operands=u8xs8               likewise, where they differ
    wrap                         an unsigned core, to be put into a sign-magnitude wrapper
    tie.PORT=NUMBER              an input held at a value
    product_shift=NUMBER         bits that the output lacks at its lower end
    with=FILE                    another file of the design, in compilation order, or a file list
                                 of other tools, design.f; repeatable
    include=FOLDER               a folder of included files; repeatable
    define.NAME=VALUE            a macro

The same in TOML, `mul.toml` beside `mul.v`, where it is read unasked, or anywhere with
`verilog = "mul.v"` in it:

    top = "mul8"
    signed = true                # or: wrap = true
    with = ["cells.v"]
    parameters = { K = 3 }
    ties = { en = 1 }
    defines = { WIDTH = 8 }
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from .. import files
from ..errors import HwsimError
from ..operands import Operands
from ..verilog.parameters import Parameter
from ..verilog.reading.filelist import LIST_SUFFIXES
from ..verilog.reading.vhdl import VHDL_SUFFIXES

Sign = Literal["signed", "unsigned", "wrap"]
SIGNS: tuple[Sign, ...] = get_args(Sign)
VERILOG_SUFFIXES = (".v", ".sv", *VHDL_SUFFIXES, *LIST_SUFFIXES)
TOML_SUFFIX = ".toml"

_NAMES = ("top", "a", "b", "p", "weight")
_PATHS = ("with", "include")
_WORDS = {*_NAMES, *_PATHS, *SIGNS, "operands", "product_shift"}
_TABLES = ("parameters", "ties", "defines")
_KEYS = (
    "verilog", *_NAMES, "operands", "signed", "wrap", "product_shift", *_PATHS, *_TABLES,
)  # fmt: skip
_IDENTIFIER = re.compile(r"[A-Za-z_][\w$]*", re.ASCII)
_NUMBER = re.compile(r"-?\d+|0[xX][0-9a-fA-F]+", re.ASCII)
_LONGEST = 1000
_WORD = re.compile(r"[\w.+-]+", re.ASCII)


@dataclass(frozen=True)
class VerilogSource:
    """Verilog files and all that they do not say of themselves.

    >>> source = VerilogSource.parse("rtl/mul.v[wrap, K=0x3, top=mul8]")
    >>> print(source)
    rtl/mul.v[top=mul8,K=3,wrap]
    >>> source.name, source.label
    ('mul.v[top=mul8,K=3,wrap]', 'mul8 K=3')

    Attributes:
        file: the first file; None where these are facts alone.
        more: further files of the design, in compilation order.
        top: top module.
        a: first operand port.
        b: second operand port.
        p: product port.
        weight: the operand port that is the weight.
        parameters: in place of the top's defaults.
        operands: bits and sign of both operands, where one word for both does not do.
        sign: what the operands are; `wrap` for an unsigned core to be put into a wrapper.
        ties: inputs to hold at a value.
        includes: folders of included files.
        defines: macros by name.
        product_shift: bits that the output lacks at its lower end.

    Raises:
        HwsimError: a value that has no spelling.
    """

    file: Path | None = None
    more: tuple[Path, ...] = ()
    top: str | None = None
    a: str | None = None
    b: str | None = None
    p: str | None = None
    weight: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict, hash=False)
    operands: Operands | None = None
    sign: Sign | None = None
    ties: Mapping[str, int] = field(default_factory=dict, hash=False)
    includes: tuple[Path, ...] = ()
    defines: Mapping[str, Parameter] = field(default_factory=dict, hash=False)
    product_shift: int | None = None

    def __post_init__(self) -> None:
        # One order of names, so that equal facts have equal spellings.
        for name in _TABLES:
            object.__setattr__(self, name, dict(sorted(getattr(self, name).items())))
            for fact, value in getattr(self, name).items():
                if isinstance(value, int) and value.bit_length() > _LONGEST:
                    raise HwsimError(f"{fact}: expected a number of at most {_LONGEST:,} bits")
        for path in (*self.more, *self.includes):
            if set(str(path)) & set('[],"'):
                raise HwsimError(f"expected a path without brackets, commas and quotes, got {path}")
        if self.operands is not None and self.sign is not None:
            raise HwsimError(
                f"expected operands={self.operands.code} or {self.sign}, which say the same, got "
                "both"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `FILE[ITEM,...]`, or `FILE`; see the module's head.

        Raises:
            HwsimError: an item that means nothing, or is there twice.
        """
        file, bracket, inside = text.strip().partition("[")
        if not bracket:
            return cls(Path(file))
        if not inside.endswith("]"):
            raise HwsimError(f"{text}: expected ] at the end of the facts")
        facts: dict[str, Any] = {name: {} for name in _TABLES}
        for item in split_items(inside[:-1]):
            _add(facts, item, where=text)
        return cls(Path(file), **facts)

    def __str__(self) -> str:
        return self._spelling(str)

    @property
    def name(self) -> str:
        """The spelling without folders: the same wherever the files lie."""
        return self._spelling(lambda path: path.name)

    @property
    def label(self) -> str:
        """For figures: the module or the file, and the parameters that were given."""
        head = self.top or (self.file.stem if self.file else "")
        return " ".join([head, *(f"{name}={value}" for name, value in self.parameters.items())])

    def _spelling(self, shown: Any) -> str:
        items = [f"{name}={getattr(self, name)}" for name in _NAMES if getattr(self, name)]
        items += [
            f"{'parameter.' if name in _WORDS else ''}{name}={_spelt(value)}"
            for name, value in self.parameters.items()
        ]
        items += [f"operands={self.operands.code}"] if self.operands else []
        items += [self.sign] if self.sign else []
        items += [f"tie.{name}={value}" for name, value in self.ties.items()]
        items += [] if self.product_shift is None else [f"product_shift={self.product_shift}"]
        items += [f"with={shown(path)}" for path in self.more]
        items += [f"include={shown(path)}" for path in self.includes]
        items += [f"define.{name}={_spelt(value)}" for name, value in self.defines.items()]
        file = "" if self.file is None else shown(self.file)
        return f"{file}[{','.join(items)}]" if items else file

    def over(self, others: "VerilogSource") -> "VerilogSource":
        """These facts; where they say nothing, those of another. Files and folders add up."""
        own = {name: getattr(self, name) or getattr(others, name) for name in _NAMES}
        # Either word about the operands stands in place of both.
        words = self if self.operands or self.sign else others
        return VerilogSource(
            file=self.file or others.file,
            more=tuple(dict.fromkeys((*self.more, *others.more))),
            parameters={**others.parameters, **self.parameters},
            ties={**others.ties, **self.ties},
            defines={**others.defines, **self.defines},
            includes=tuple(dict.fromkeys((*self.includes, *others.includes))),
            operands=words.operands,
            sign=words.sign,
            product_shift=others.product_shift
            if self.product_shift is None
            else self.product_shift,
            **own,
        )

    def located(self, folder: Path) -> "VerilogSource":
        """The same with its paths taken from a folder."""
        return replace(
            self,
            file=None if self.file is None else folder / self.file,
            more=tuple(folder / path for path in self.more),
            includes=tuple(folder / path for path in self.includes),
        )


def setting(text: str, *, where: str) -> tuple[str, Parameter]:
    """Reads `NAME=VALUE`; a value is a Verilog number or a word.

    Args:
        text: what to read.
        where: what a complaint begins with.

    Raises:
        HwsimError: it is anything else.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not _IDENTIFIER.fullmatch(name) or not value:
        raise HwsimError(f"{where}: expected NAME=VALUE, got {text}")
    if len(value) > _LONGEST:
        raise HwsimError(
            f"{where:.60}: expected a value of at most {_LONGEST:,} characters, got {len(value):,}"
        )
    if _NUMBER.fullmatch(value):
        return name, int(value, 16 if value[:2].lower() == "0x" else 10)
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
        return name, value[1:-1]
    if not _WORD.fullmatch(value):
        raise HwsimError(f"{where}: expected a number or a word as the value, got {text}")
    return name, value


def define(text: str, *, where: str) -> tuple[str, Parameter]:
    """Reads `NAME=TEXT`, or `NAME`, which is 1.

    Raises:
        HwsimError: it is anything else.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not _IDENTIFIER.fullmatch(name):
        raise HwsimError(f"{where}: expected NAME=TEXT, got {text}")
    if not equals or _NUMBER.fullmatch(value) or '"' in value:
        return setting(text if equals else f"{name}=1", where=where)
    return name, value


def tie(text: str, *, where: str) -> tuple[str, int]:
    """Reads `PORT=NUMBER`.

    Raises:
        HwsimError: it is anything else.
    """
    name, value = setting(text, where=where)
    if isinstance(value, str):
        raise HwsimError(f"{where}: expected PORT=NUMBER, got {text}")
    return name, value


def read_toml(path: Path) -> VerilogSource:
    """Reads the facts in a TOML file; its paths are relative to it.

    Raises:
        HwsimError: it cannot be read, or a key is unknown or of another type.
    """
    body = files.read_toml(path)
    for key in body:
        if key == "layers":
            raise HwsimError(
                f"{path}: expected a multiplier, got an assignment by layer, which is for networks"
            )
        if key not in _KEYS:
            raise HwsimError(
                f"{path}: unknown key {key}: {did_you_mean(key, _KEYS)}expected {', '.join(_KEYS)}"
            )

    def typed(key: str, kind: type, what: str) -> Any:
        value = body.get(key)
        # Python's bool is an int, TOML's is not.
        if value is not None and type(value) is not kind:
            raise HwsimError(f"{path}: {key}: expected {what}, got {value!r:.60}")
        return value

    def paths(key: str) -> tuple[Path, ...]:
        value = body.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise HwsimError(
                f"{path}: {key}: expected a path or a list of paths, got {value!r:.60}"
            )
        return tuple(map(Path, value))

    def table(key: str, kinds: tuple[type, ...], what: str) -> dict[str, Any]:
        values = typed(key, dict, "a table") or {}
        for name, value in values.items():
            if type(value) not in kinds or not _IDENTIFIER.fullmatch(name):
                raise HwsimError(f"{path}: {key}.{name}: expected {what}, got {value!r:.60}")
        return values

    signed, wrap = typed("signed", bool, "true or false"), typed("wrap", bool, "true or false")
    if wrap and signed:
        raise HwsimError(f"{path}: expected signed or wrap, which is for unsigned cores, got both")
    sign: Sign | None = "wrap" if wrap else None if signed is None else _signs(signed)
    verilog, operands = paths("verilog"), typed("operands", str, "a text such as u8xs8")
    source = VerilogSource(
        operands=None if operands is None else Operands.parse(operands),
        file=verilog[0] if verilog else None,
        more=(*verilog[1:], *paths("with")),
        parameters=table("parameters", (int, str), "a number or a text"),
        sign=sign,
        ties=table("ties", (int,), "a number"),
        defines=table("defines", (int, str), "a number or a text"),
        product_shift=typed("product_shift", int, "a number"),
        includes=paths("include"),
        **{name: typed(name, str, "a text") for name in _NAMES},
    )
    return source.located(path.parent)


def split_items(text: str) -> list[str]:
    """Splits at commas outside parentheses, brackets and quotes; empty items are left out.

    >>> split_items('scaletrim(4,8), mul.v[K=3,signed],')
    ['scaletrim(4,8)', 'mul.v[K=3,signed]']
    """
    commas = [place for place, character in outside_brackets(text) if character == ","]
    starts, ends = [0, *(place + 1 for place in commas)], [*commas, len(text)]
    items = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return [item for item in items if item]


def outside_brackets(text: str) -> Iterator[tuple[int, str]]:
    """(place, character) of what stands outside of parentheses, brackets and quotes."""
    depth, quoted = 0, False
    for place, character in enumerate(text):
        quoted ^= character == '"'
        if not quoted:
            depth += (character in "([") - (character in ")]")
            if depth == 0:
                yield place, character


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean X? ` where a known word is near, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}? " if close else ""


def _signs(signed: bool) -> Sign:
    return "signed" if signed else "unsigned"


def _spelt(value: Parameter) -> str:
    if isinstance(value, int):
        return str(value)
    return value if _WORD.fullmatch(value) and not _NUMBER.fullmatch(value) else f'"{value}"'


# What stands before the name of one of several.
_PREFIXES: dict[str, tuple[str, Callable[..., tuple[str, Any]]]] = {
    "parameter": ("parameters", setting),
    "tie": ("ties", tie),
    "define": ("defines", define),
}


def _add(facts: dict[str, Any], item: str, *, where: str) -> None:
    """Adds one item between the brackets to the facts."""

    def once(key: str, values: dict[str, Any], value: Any) -> None:
        if key in values:
            raise HwsimError(f"{where}: expected one {item.partition('=')[0].strip()}, got two")
        values[key] = value

    if "=" not in item:
        if item not in SIGNS:
            hint = did_you_mean(item, SIGNS)
            raise HwsimError(
                f"{where}: {hint}expected {', '.join(SIGNS)} or NAME=VALUE in the brackets, "
                f"got {item}"
            )
        if "sign" in facts:
            raise HwsimError(f"{where}: expected one of {', '.join(SIGNS)}, got two")
        facts["sign"] = item
        return
    key, _, value = (part.strip() for part in item.partition("="))
    if not value:
        raise HwsimError(f"{where}: expected NAME=VALUE, got {item}")
    if key in _NAMES:
        once(key, facts, value)
    elif key in _PATHS:
        name = "more" if key == "with" else "includes"
        facts[name] = (*facts.get(name, ()), Path(value))
    elif key == "operands":
        once(key, facts, Operands.parse(value))
    elif key == "product_shift":
        if not value.isdecimal():
            raise HwsimError(f"{where}: expected product_shift of a number, got {value}")
        once(key, facts, int(value))
    elif key in SIGNS:
        raise HwsimError(f"{where}: expected {key} alone, got {item}")
    else:
        kind, dot, rest = item.partition(".")
        known = dot and kind in _PREFIXES
        field_name, read = _PREFIXES[kind if known else "parameter"]
        name, given = read(rest if known else item, where=where)
        once(name, facts[field_name], given)
