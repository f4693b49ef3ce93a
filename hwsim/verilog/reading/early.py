# SPDX-License-Identifier: Apache-2.0
"""Names that a module uses before it declares them, which older simulators let pass."""

import re
from collections.abc import Collection

from .modules import ESCAPED, STRING, Definition, header, items

_DECLARATION = re.compile(
    rf"{STRING}|{ESCAPED}|(?<![\w$.])(?:"
    r"(?P<opens>begin|fork)|(?P<closes>end|join\w*)"
    r"|(?:wire|reg|integer|real|tri|logic)\b(?P<names>[^;]*);|end\w+)(?![\w$])"
)
_LOCAL = re.compile(r"(?<![\w$.`\\])(function|task)\b.*?\bend\1\b", re.DOTALL)
_USED = re.compile(r"(?<![\w$.\\])[A-Za-z_][\w$]*")


def used_early(module: Definition, ports: Collection[str]) -> tuple[str, ...]:
    """Names in the order of their declarations.

    What a block or a function declares for itself is none of the module's.

    Args:
        module: without noise.
        ports: names of its ports, which its header declares.
    """
    _, span = header(module)
    body = _LOCAL.sub(" ", module.text[span[1] if span else module.head - module.start :])
    used: set[str] = set()
    early: dict[str, None] = {}
    depth = place = 0
    for match in _DECLARATION.finditer(body):
        depth += bool(match["opens"]) - bool(match["closes"])
        if match["names"] is None or depth:
            continue
        used.update(_USED.findall(body, place, match.start()))
        place = match.start()
        for item in items(match["names"]):
            words = _USED.findall(re.sub(r"\[.*?\]", " ", item.partition("=")[0]))
            if words and words[-1] in used and words[-1] not in ports:
                early[words[-1]] = None
    return tuple(early)
