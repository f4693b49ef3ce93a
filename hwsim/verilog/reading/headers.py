# SPDX-License-Identifier: Apache-2.0
"""Two liberties of SystemVerilog's module headers, written out for simulators that lack them."""

import re
from collections.abc import Mapping

from ...errors import HwsimError
from ..parameters import Parameter, literal
from .modules import definitions, header, items

_DIRECTION = re.compile(r"\s*(input|output|inout)\b")
_KEYWORD = re.compile(r"\s*(parameter|localparam)\b")
_TYPED = re.compile(
    r"\s*(?:(?:wire|reg|logic|bit|byte|shortint|int|longint|integer|real|tri|wand|wor|signed|unsigned"
    r")\b|\[)"
)


def with_keywords(text: str, *, where: str) -> str:
    """In `output [7:0] p, wire [3:0] q` the second is an output too; likewise `parameter`."""
    for module in reversed(definitions(text, where=where)):
        parameters, ports = header(module)
        for span, keyword, first in ((ports, _DIRECTION, ""), (parameters, _KEYWORD, "parameter")):
            if span is None:
                continue
            before = module.text[slice(*span)]
            inside = _inherited(before, keyword, first)
            if inside != before:
                text = f"{text[: module.start + span[0]]}{inside}{text[module.start + span[1] :]}"
    return text


def _inherited(text: str, keyword: re.Pattern[str], first: str) -> str:
    """A list in which an item that begins with a type has the keyword of the item before it."""
    listed, last = items(text), first
    for i, item in enumerate(listed):
        if named := keyword.match(item):
            last = named[1]
        elif last and _TYPED.match(item):
            blank = item[: len(item) - len(item.lstrip())]
            listed[i] = f"{blank or ' '}{last} {item.lstrip()}"
    return ",".join(listed)


def with_defaults(text: str, top: str, values: Mapping[str, Parameter], *, where: str) -> str:
    """Parameters without a default get the values that are given for them.

    Args:
        text: without noise.
        top: module whose parameters they are.
        values: of its parameters.
        where: files, for messages.

    Raises:
        HwsimError: one has neither.
    """
    (module,) = (one for one in definitions(text, where=where) if one.name == top)
    parameters, _ = header(module)
    if parameters is None:
        return text
    listed = items(module.text[slice(*parameters)])
    for i, item in enumerate(listed):
        words = re.findall(r"[A-Za-z_][\w$]*", re.sub(r"\[.*?\]", " ", item))
        if "=" in item or not words or "type" in words:
            continue
        if words[-1] not in values:
            raise HwsimError(
                f"{top} ({where}): parameter {words[-1]} has no default; give it with --param "
                f"{words[-1]}=VALUE, or [{words[-1]}=VALUE] behind the file"
            )
        listed[i] = f"{item.rstrip()} = {literal(values[words[-1]])}{item[len(item.rstrip()) :]}"
    start = module.start
    return f"{text[: start + parameters[0]]}{','.join(listed)}{text[start + parameters[1] :]}"
