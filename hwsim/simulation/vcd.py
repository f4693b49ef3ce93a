# SPDX-License-Identifier: Apache-2.0
"""Value change dumps (IEEE 1364, section 18): several of the same times become one."""

import re
from collections import defaultdict
from collections.abc import Mapping

_UNITS = ("fs", "ps", "ns", "us", "ms", "s")
_SCALE = re.compile(r"(10{0,2})\s*([fpnum]?s)")


def merged(dumps: Mapping[str, str]) -> str:
    """One dump of several, each under a scope of its own.

    Args:
        dumps: by the name that takes the place of its outermost scope; as Icarus Verilog writes
            them, a change a line.

    Returns:
        The text, without a date: equal dumps give equal text.
    """
    scales = [_femtoseconds(text) for text in dumps.values()]
    finest = min(scales)
    heads, changes = "", defaultdict[int, list[str]](list)
    for number, ((scope, text), scale) in enumerate(zip(dumps.items(), scales, strict=True)):
        head, _, body = text.partition("$enddefinitions $end")
        prefix = chr(ord("A") + number)  # in front of every code, so that no two are equal
        declared = head[head.index("$scope") :]
        declared = re.sub(r"(\$scope module )\S+", rf"\g<1>{scope}", declared, count=1)
        heads += re.sub(r"(\$var \w+ \d+ )(\S+)", rf"\g<1>{prefix}\g<2>", declared).strip() + "\n"
        time = 0
        for line in body.splitlines():
            if line.startswith("#"):
                time = int(line[1:]) * (scale // finest)
                changes[time] += []  # the last moment has none, and is where the dump ends
            elif line and not line.startswith("$"):
                value, code = line.rsplit(" ", 1) if line[0] in "bBrRsS" else (line[0], line[1:])
                changes[time].append(f"{value}{' ' * (line[0] in 'bBrRsS')}{prefix}{code}")
    moments = "".join("\n".join([f"#{time}", *changes[time], ""]) for time in sorted(changes))
    power = len(str(finest)) - 1
    unit = f"{10 ** (power % 3)}{_UNITS[power // 3]}"
    return f"$timescale {unit} $end\n{heads}$enddefinitions $end\n{moments}"


def _femtoseconds(text: str) -> int:
    """The unit of its times."""
    scale = _SCALE.search(text, text.index("$timescale"))
    assert scale is not None, "a dump says its timescale"
    return int(scale[1]) * int(1000 ** _UNITS.index(scale[2]))
