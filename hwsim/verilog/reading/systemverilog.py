# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog beyond Icarus Verilog becomes Verilog through Yosys, with slang where it has it."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...comments import located_lines
from ...errors import HwsimError
from ...files import read_text
from ...tools.scratch import scratch
from ...tools.yosys import READ_SLANG, Yosys, YosysError, find_yosys
from ..parameters import Parameter
from .translation import Translation, with_parameters

_READ, _WRITTEN = "design.sv", "design.v"
# Simulated and synthesised are one text, so what synthesis would leave out stays in it. Assertions
# compute nothing.
_SLANG = (
    f"{READ_SLANG} --single-unit --best-effort-hierarchy --ignore-assertions "
    "--no-default-translate-off-format --dump-ast"
)
_WRITE = (
    # Where a latch keeps its value slang gives it X, which must not win a race against the enable.
    "opt_expr -mux_undef t:$dlatch %ci*",
    f"write_verilog -noattr {_WRITTEN}",
)
_NUMBER = re.compile(r"(?P<sign>-?)(?:\d+'s?(?P<base>[bodh]))?(?P<digits>[0-9a-fA-F]+)")
_BASES = {None: 10, "b": 2, "o": 8, "d": 10, "h": 16}
_SIGNED_TYPES = ("byte", "shortint", "int", "integer", "longint")
_PLACE = re.compile(r"(?P<file>[^\s:][^:]*):(?P<line>\d+)(?::\d+)?: ")


def translated(
    text: str,
    top: str,
    given: Mapping[str, Parameter],
    memories: Mapping[str, Path],
    *,
    where: str,
    refusal: HwsimError,
) -> Translation:
    """A design that Icarus Verilog refuses, as Yosys writes it.

    Args:
        text: preprocessed and judged: it includes nothing, and reads no files but the memories.
        top: the module.
        given: parameters in place of its defaults.
        memories: files that the text loads, by their names there.
        where: files, for messages.
        refusal: what Icarus Verilog says.

    Raises:
        HwsimError: there is no Yosys, it refuses the design as well, or there is no such parameter;
            the sentence is that of the reader that came further.
    """
    yosys = find_yosys()
    if yosys is None:
        raise refusal
    if not re.fullmatch(r"[A-Za-z_]\w*", top, re.ASCII):
        raise HwsimError(
            f"{where}: expected a module whose name has letters, digits and _, got {top}, for "
            f"Yosys is to read it: {_reason(refusal)}"
        )
    with scratch("translation") as folder:
        for name, path in memories.items():
            shutil.copyfile(path, folder / name)
        (folder / _READ).write_text(text, encoding="utf-8", errors="surrogateescape")
        try:
            log = yosys.run(
                [*_reading(yosys, top, given, where), *_WRITE], folder=folder, name=where
            )
        except YosysError as error:
            raise _better(refusal, str(error), text, where, yosys) from None
        written = read_text(folder / _WRITTEN, errors="surrogateescape")
    members = _members(log, top)
    parameters = dict(_parameters(members)) if members else dict(given)
    for key in given:
        if key not in parameters:
            known = ", ".join(parameters) or "none"
            raise HwsimError(f"{top} ({where}): no parameter {key}; it has {known}")
    front_end = f"Yosys {yosys.version()}{' with slang' if yosys.recent else ''}"
    ports = {one["name"]: one["type"] for one in members if one["kind"] == "Port"}
    return Translation(
        text=with_parameters(written, top, given, where=where),
        top=top,
        front_end=front_end,
        parameters=parameters,
        signed=frozenset(name.lower() for name, kind in ports.items() if _is_signed(kind)),
        unsigned=frozenset(name.lower() for name, kind in ports.items() if " unsigned" in kind),
        notes=(
            f"read by {front_end}, for the simulation and the gates alike: Icarus Verilog cannot "
            f"read it ({_reason(refusal)})",
            *(
                f"{name} is an unpacked array, {kind}: its leftmost element has the highest bits"
                for name, kind in ports.items()
                if "$[" in kind
            ),
        ),
    )


def _reason(refusal: HwsimError) -> str:
    """What Icarus Verilog says, without the way out."""
    found = re.search(r"does not compile: (.*?)(?: at `|; |$)", str(refusal))
    return found[1] if found else str(refusal)


def _reading(yosys: Yosys, top: str, given: Mapping[str, Parameter], where: str) -> Iterator[str]:
    """The commands that read the design."""
    values = {key: _spelt(key, value, where) for key, value in given.items()}
    if yosys.recent:
        parameters = "".join(f" -G {key}={value}" for key, value in values.items())
        yield f"{_SLANG} --top {top}{parameters} {_READ}"
        return
    yield f"read_verilog -sv -defer {_READ}"
    parameters = "".join(f" -chparam {key} {value}" for key, value in values.items())
    yield f"hierarchy -check -top {top}{parameters}"
    yield f"rename -top {top}"
    yield "proc -noopt"


def _spelt(key: str, value: Parameter, where: str) -> str:
    if isinstance(value, str):
        if not re.fullmatch(r"[\w.+-]*", value, re.ASCII):
            raise HwsimError(
                f"{where}: expected a word as the value of {key}, for Yosys reads it, got {value}"
            )
        return f'"{value}"'
    bits = value.bit_length() + 1
    return str(value) if bits <= 32 else f"{bits}'h{value & (1 << bits) - 1:x}"


def _better(refusal: HwsimError, error: str, text: str, where: str, yosys: Yosys) -> HwsimError:
    """The sentence of the reader that came further."""
    place, before = _PLACE.match(error), _PLACE.search(str(refusal).partition("compile: ")[2])
    if place is None or not yosys.recent:
        return refusal
    beyond = "beyond Icarus" in str(refusal)
    if (
        before is None
        or place["file"] != before["file"]
        or int(place["line"]) > int(before["line"])
    ):
        beyond = True
    if not beyond:
        return refusal
    what = error[place.end() :].rstrip(".")
    at = f"{place['file']}:{place['line']}"
    if "$fatal" in what:  # that is met while the design is read
        lines = located_lines(text, "")
        line = next((x for f, n, x in lines if (f, n) == (place["file"], int(place["line"]))), "")
        return HwsimError(f"{where}: the Verilog stops at {at}: {line.strip():.100}")
    out = (
        "write a module around it whose ports are vectors"
        if "interface port" in what
        else "mend it there"
    )
    return HwsimError(f"{where}: the SystemVerilog does not compile: {at}: {what}; {out}")


def _members(log: str, top: str) -> list[dict[str, Any]]:
    """What slang's syntax tree, which is in the log, has in the top; nothing without slang."""
    start = log.find("\n{\n")
    if start < 0:
        return []
    tree, _ = json.JSONDecoder().raw_decode(log, start + 1)
    aliases = {}
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if one.get("kind") == "TypeAlias":
            aliases[str(one["addr"])] = one["target"]
        waiting += [x for x in one.get("members", ()) if x["kind"] != "Instance"]
    body: list[dict[str, Any]] = next(
        one["body"]["members"]
        for one in tree["members"]
        if one["kind"] == "Instance" and one["name"] == top
    )
    for one in body:
        # A type that has a name is the place of its declaration and the name.
        while "type" in one and (address := one["type"].split(" ")[0]) in aliases:
            one["type"] = aliases[address]
    return body


def _is_signed(kind: str) -> bool:
    word = kind.partition("$")[0]
    return " signed" in word or word in _SIGNED_TYPES


def _parameters(members: list[dict[str, Any]]) -> Iterator[tuple[str, Parameter]]:
    for one in members:
        if one["kind"] == "Parameter" and not one["isLocal"]:
            yield one["name"], _value(str(one.get("value", "")))


def _value(text: str) -> Parameter:
    number = _NUMBER.fullmatch(text)
    if number is None or (number["base"] is None and not number["digits"].isdigit()):
        return text.strip('"')
    value = int(number["digits"], _BASES[number["base"]])
    return -value if number["sign"] else value
