# SPDX-License-Identifier: Apache-2.0
"""Where in the text every node of a syntax tree comes from."""

import re
from collections.abc import Mapping
from typing import Any

from ..errors import HwsimError
from ..tools.scratch import scratch

Span = tuple[int, int]

_TOKEN = re.compile(r"\"(?:\\.|[^\"\\])*\"|[\w$]*'s?[bodhBODH][\w?]+|[\w$.]+|.", re.DOTALL)


def parse_with_spans(text: str, *, where: str) -> tuple[Any, Mapping[int, Span]]:
    """The syntax tree, and by a node's `id` which characters it was made from.

    pyverilog keeps lines only. Its parser generator knows more while it reduces a rule, so every
    rule's action is followed by a look at the positions.
    """
    from pyverilog.vparser.parser import (  # noqa: PLC0415  (slow import)
        ParseError,
        VerilogParser,
    )

    # The parser generator writes its tables where it is told to.
    with scratch("parser") as folder:
        parser = VerilogParser(outputdir=str(folder), debug=False)
    spans: dict[int, Span] = {}

    def followed(action: Any) -> Any:
        def reduce(rule: Any) -> None:
            action(rule)
            symbol = rule.slice[0]
            if len(rule.slice) > 1 and hasattr(rule[0], "attr_names"):
                last = _TOKEN.match(text, symbol.endlexpos)
                end = last.end() if last else symbol.endlexpos
                # The first rule that gives a node is the tightest: later ones add parentheses.
                # An empty symbol stands where the parser had read to, which is too far.
                start = min(part.lexpos for part in rule.slice[1:])
                spans.setdefault(id(rule[0]), (start, end))

        return reduce

    for production in parser.parser.productions:
        if production.callable is not None:
            production.callable = followed(production.callable)
    try:
        tree = parser.parser.parse(f"{text}\n", lexer=parser.lexer.lexer, tracking=True)
    except (ParseError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise HwsimError(
            f"pyverilog, which reads Verilog-2001, cannot read {where}: {reason}"
        ) from error
    if tree is None:
        raise HwsimError(f"expected a module in {where}, found none")
    return tree, spans
