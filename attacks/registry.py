# SPDX-License-Identifier: Apache-2.0
"""Attacks by name: their register, and the one spelling that records and options use.

    pgd    pgd(steps=100)    pgd(rel_step=0.1,random_start=false)

An attack is a class or function that takes a norm and keyword arguments with defaults, under
`@register`, in a module of this folder: adding one is adding its file. Arguments at their default
are left out of the canonical spelling, and it is that spelling which names finished results; so a
default, once published, stays as it is.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from .attack import Attack
from .errors import AttackError
from .norms import Norm

Value = bool | int | float | str
"""What an argument can be; its default says which."""

Builder = TypeVar("Builder", bound=Callable[..., Attack])

_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_SPELLING = re.compile(rf"\s*({_WORD})\s*(?:\((.*)\))?\s*")


@dataclass(frozen=True)
class _Entry:
    """A registered attack: how to build it, what to call it, and its arguments' defaults."""

    build: Callable[..., Attack]
    titles: Mapping[Norm, str]
    defaults: Mapping[str, Value]


_ENTRIES: dict[str, _Entry] = {}


def register(name: str, *, title: str | Mapping[Norm, str]) -> Callable[[Builder], Builder]:
    """Give an attack a name.

    Args:
        name: a word, as options, study files and records spell it.
        title: how tables and figures call it, where the norms differ one for each.

    Returns:
        A decorator for a class or function that takes the norm first and then keyword arguments,
        each with a default of a `Value` type.

    Raises:
        AttackError: the name is taken or no word, or an argument has no such default.
    """

    def decorated(build: Builder) -> Builder:
        if name in _ENTRIES or not re.fullmatch(_WORD, name):
            raise AttackError(f"cannot register the attack {name!r}: expected a word not yet taken")
        parameters = list(inspect.signature(build).parameters.values())
        defaults = {one.name: one.default for one in parameters if one.name != "norm"}
        for argument, default in defaults.items():
            if not isinstance(default, Value):
                raise AttackError(
                    f"cannot register the attack {name!r}: expected a default of {argument} that "
                    "is true or false, a number or a text"
                )
        titles = dict.fromkeys(Norm, title) if isinstance(title, str) else dict(title)
        _ENTRIES[name] = _Entry(build, titles, defaults)
        return build

    return decorated


def attack_names() -> tuple[str, ...]:
    """The names of all attacks, those of this folder's modules included."""
    for module in pkgutil.iter_modules(sys.modules[__package__].__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    return tuple(_ENTRIES)


def spell(name: str, **arguments: Value) -> str:
    """Print an attack canonically: arguments in their order, without those at their default.

    >>> spell("pgd", steps=100, random_start=True)
    'pgd(steps=100)'

    Raises:
        AttackError: an unknown name or argument.
    """
    entry = _entry(name)
    for argument in arguments:
        _default(name, argument)
    told = [
        f"{argument}={_printed(arguments[argument])}"
        for argument, default in entry.defaults.items()
        if arguments.get(argument, default) != default
    ]
    return f"{name}({','.join(told)})" if told else name


def canonical(text: str) -> str:
    """The canonical spelling of an attack.

    >>> canonical("pgd(steps=50, rel_step=0.10)")
    'pgd(rel_step=0.1)'

    Raises:
        AttackError: see `parse_attack`.
    """
    name, arguments = _parsed(text)
    return spell(name, **arguments)


def parse_attack(text: str, norm: Norm | str = Norm.LINF) -> Attack:
    """Build an attack from its spelling.

    Args:
        text: a name, with arguments in parentheses where they are not the defaults.
        norm: "linf" or "l2".

    Returns:
        The attack.

    Raises:
        AttackError: an unknown name, argument or norm, or a value that does not fit.
    """
    name, arguments = _parsed(text)
    return _entry(name).build(Norm(norm), **arguments)


def attack_title(text: str, norm: Norm | str) -> str:
    """How tables and figures call an attack under a norm.

    An attack that is not registered here, as in a record from elsewhere, goes by its spelling.

    >>> attack_title("pgd(steps=100)", "linf")
    'PGD L∞ (steps=100)'
    """
    measured = Norm(norm)
    name, _, rest = text.partition("(")
    known = name in _ENTRIES or name in attack_names()
    if not known or measured not in _ENTRIES[name].titles:
        return f"{text} {measured.symbol}"
    title = f"{_ENTRIES[name].titles[measured]} {measured.symbol}"
    return f"{title} ({rest}" if rest else title


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES and name not in attack_names():
        raise AttackError(f"unknown attack {name!r}: expected one of {', '.join(_ENTRIES)}")
    return _ENTRIES[name]


def _default(name: str, argument: str) -> Value:
    defaults = _entry(name).defaults
    if argument not in defaults:
        known = f"expected {', '.join(defaults)}" if defaults else "it takes none"
        raise AttackError(f"{name}: unknown argument {argument!r}: {known}")
    return defaults[argument]


def _parsed(text: str) -> tuple[str, dict[str, Value]]:
    match = _SPELLING.fullmatch(text)
    if match is None:
        raise AttackError(f"expected an attack like pgd or pgd(steps=100), got {text!r}")
    name, inside = match[1], match[2]
    _entry(name)
    arguments: dict[str, Value] = {}
    for item in inside.split(",") if inside and inside.strip() else ():
        argument, sign, value = (part.strip() for part in item.partition("="))
        if not sign or argument in arguments:
            raise AttackError(
                f"{name}: expected arguments like steps=100, each once, got {item.strip()!r}"
            )
        arguments[argument] = _value(f"{name}: {argument}", value, like=_default(name, argument))
    return name, arguments


def _value(what: str, text: str, *, like: Value) -> Value:
    """Read a value of the type that the default has."""
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise AttackError(f"{what}: expected true or false, got {text!r}")
        return text == "true"
    if isinstance(like, str):
        if not re.fullmatch(r"[\w.:+-]+", text):
            raise AttackError(f"{what}: expected a word, got {text!r}")
        return text
    try:
        return type(like)(text)
    except ValueError as error:
        kind = "a whole number" if isinstance(like, int) else "a number"
        raise AttackError(f"{what}: expected {kind}, got {text!r}") from error


def _printed(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
