# SPDX-License-Identifier: Apache-2.0
"""What the log of a compiler or a simulator tells a user, in one sentence."""

import re

_LAST = 8


def first_error(log: str, *, compiler: str = "iverilog") -> str:
    """The first line of a compiler's log that says what is wrong.

    Args:
        log: what it printed.
        compiler: named if it printed nothing.
    """
    lines = [line for line in log.splitlines() if line.strip() and "warning:" not in line]
    errors = [line for line in lines if re.search(r"error|sorry|No such", line, re.IGNORECASE)]
    return (errors or lines or [f"{compiler} said nothing"])[0]


def how_it_ended(log: str) -> str:
    """Why a simulation ended before its bench: what the Verilog said, or the log's last lines."""
    # $fatal of the Verilog: FATAL: file:line: sentence
    fatal = re.search(r"^FATAL: .*?:\d+: (.+)$", log, re.MULTILINE)
    if fatal is not None:
        return f"the Verilog stopped the simulation: {fatal[1]}"
    tail = " | ".join(line.strip() for line in log.splitlines()[-_LAST:] if line.strip())
    return f"the simulation failed; its log ends: {tail or '(empty)'}"
