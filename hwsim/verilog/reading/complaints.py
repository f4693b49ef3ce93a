# SPDX-License-Identifier: Apache-2.0
"""What a compiler says against a design, as one sentence with a way out."""

import re

from ...comments import located_lines
from ...errors import HwsimError
from ...tools.logs import first_error
from ...tools.yosys import INSTALL_SLANG

_BEYOND = {
    r"\binside\b": "`inside`",
    r"\b(?:interface|modport)\b|\.(?:master|slave|mp)\s+\w+": "an interface",
    r"'\{": "an assignment pattern '{...}",
    r"\b(?:class|extends|new\s*\()": "a class",
    r"\bforeach\b": "`foreach`",
    r"\{\s*(?:<<|>>)": "a streaming operator",
    r"\b(?:assert|assume|cover|property|sequence|covergroup)\b": "an assertion",
    r"\bunion\b": "a union",
    r"\b(?:unique0?|priority)\b": "`unique` or `priority`",
    r"\bparameter\s+type\b": "a parameter that is a type",
    r"\bimport\s+\"DPI": "a function in C",
    r"\[\s*\$\s*\]|\bqueue\b": "a queue",
    r"\blet\b": "`let`",
    r"\bvar\b": "`var`",
    r"\.\*": "ports connected by .*",
    r"\b(?:string|chandle|event)\b": "a type of test benches",
    r"\bmatches\b": "`matches`",
}
_MISSING = re.compile(r"Unknown module type: (\S+)")
_PLACE = re.compile(r"^(?P<file>[^\n]*?):(?P<line>\d+): (?P<what>.*)$")
_CONTINUES = re.compile(r"(?:[;,(\[{:=+*/&|^?<>!~-]|\b(?:begin|else|generate|endcase|end\w*))\s*$")


class UncompiledError(HwsimError):
    """Icarus Verilog does not compile it, though every module is there."""


def refusal(log: str, text: str, *, name: str) -> HwsimError:
    """What is to be raised about Verilog that does not compile; see `complaint`."""
    kind = HwsimError if _MISSING.search(log) else UncompiledError
    return kind(complaint(log, text, name=name))


def complaint(log: str, text: str, *, name: str) -> str:
    """One sentence about Verilog that does not compile.

    Args:
        log: what the compiler printed.
        text: what it read, with `line directives.
        name: what it is, for the sentence.
    """
    missing = dict.fromkeys(_MISSING.findall(log))
    if missing:
        return (
            f"{name}: expected a module {', '.join([*missing][:8])}, which it uses and no file "
            "has; give the file, such as a cell library, with --with FILE, or [with=FILE] behind "
            "the file"
        )
    first = first_error(log)
    found = _PLACE.match(first)
    if found is None:
        return f"{name}: the Verilog does not compile: {first}; mend it"
    lines = {n: line for file, n, line in located_lines(text, "") if file == found["file"]}
    number = int(found["line"])
    line = lines.get(number, "").strip()
    where = f"{found['file']}:{number}"
    what = re.sub(r"^(?:error|sorry): |\.$", "", found["what"])
    said = f"{name}: the Verilog does not compile: {where}: {what}"
    if "syntax error" not in what and "sorry" not in found["what"]:
        return f"{said}; mend it there"
    shown = f" at `{line:.60}`" if line else ""
    # What is wrong may stand in a line before the one where the parser gives up.
    before = [lines[key].strip() for key in sorted(lines) if key < number and lines[key].strip()]
    statement = " ".join([*before[-1:], line])
    known = (
        construct
        for pattern, construct in _BEYOND.items()
        if re.search(pattern, line) or re.search(pattern, statement)
    )
    if construct := next(known, "this" if "syntax error" not in what else None):
        return (
            f"{said}{shown}: {construct} is SystemVerilog beyond Icarus Verilog; install "
            f"Yosys with slang, which reads it ({INSTALL_SLANG}), or convert the file, e.g. with "
            "sv2v"
        )
    if before and not _CONTINUES.search(before[-1]):
        return f"{said}{shown}: expected ; or the like behind `{before[-1]:.60}`"
    return f"{said}{shown}; mend it there"
