# SPDX-License-Identifier: Apache-2.0
"""What the values come from that a block stores."""

from collections.abc import Collection, Iterable

from .program import Program


class Sources:
    """What the values come from that some code stores.

    A branch counts for all that is stored in the block, wherever it leads.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._stored: dict[str, set[str]] = {}
        self._branches: set[str] = set()
        self._seen: set[int] = set()

    def follow(self, places: Iterable[int]) -> None:
        """Collects from instructions, and from the functions that they call."""
        pending: set[str] = set()
        for here in places:
            if here in self._seen:
                continue
            self._seen.add(here)
            step = self._program.code[here]
            known = [label for label in step.names if label in self._program.declared]
            if step.op.startswith(("%store", "%assign")):
                self._stored.setdefault(known[0], set()).update(pending, known[1:])
                pending = set()
            elif step.op.startswith("%ret/"):
                self._stored.setdefault(self._result(here), set()).update(pending)
                pending = set()
            elif step.op.startswith("%jmp"):
                self._branches |= pending
                pending = set()
            elif step.op.startswith(("%callf", "%fork")):
                called = step.args[0]
                if called.startswith("TD_"):
                    pending.add(self._result(self._program.places[called]))
                    self.follow(self._program.body(called))
            else:
                pending |= {*known}
        self._branches |= pending

    def _result(self, place: int) -> str:
        """A name for what the function around an instruction returns."""
        return f"result of {self._program.around(place)}"

    def of(self, label: str, reads: Collection[str]) -> set[str]:
        """Drivers of what a variable comes from, through those that are made in the same code.

        Args:
            label: of the variable.
            reads: labels that are not made there.
        """
        found, seen = set[str](), set[str]()
        left = [*self._stored.get(label, ()), *self._branches]
        while left:
            source = left.pop()
            if source in seen:
                continue
            seen.add(source)
            if source in reads:
                found.add(self._program.driver(source))
            left.extend(self._stored.get(source, ()))
        return found
