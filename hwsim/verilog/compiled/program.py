# SPDX-License-Identifier: Apache-2.0
"""What Icarus compiled a design to: its nets, what drives them, and the code of its blocks.

The simulator's own program is what runs, whatever grammar the source was written in: generated
blocks are unrolled, parameters in place, unused parts gone. A line of a form that is not known here
stays a node of its own kind, so that whoever judges can refuse to conclude anything from it.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

_NAME = r'"((?:[^"\\]|\\.)*)"'
_LABEL = r"[A-Za-z]{1,2}_?0x[0-9a-f]+(?:_\d+)*(?:/\w+)?"
_REFERENCE = re.compile(rf"(?<![\w$]){_LABEL}")
_SCOPE = re.compile(rf"(S_\w+) \.scope ([\w.]+), {_NAME} {_NAME}[^,]*(?:,[^,]*, (S_\w+))?;")
_DECLARED = re.compile(
    rf"({_LABEL}) \.(net|var|array)([\w/]*) (\*?){_NAME}, (-?\d+) (-?\d+)(?: |, |;)(.*)"
)
_WORD = re.compile(rf"{_LABEL} \.net\S* \*?({_LABEL}) \d+, [^,]*, ({_LABEL});")
_NODE = re.compile(rf"({_LABEL}|Ewait_\d+|UDP_\S+) \.([\w/]+) ?(.*)")
_CODE = re.compile(r"(?:(\S+) +)?(%[\w/]+)(?: +(.*))?;")
_COUNTING = {"%pushi/vec4", "%addi", "%subi", "%add", "%sub", "%cast2"}
_LINE_LABEL = re.compile(r"([^\s;]+) ?;")


@dataclass(frozen=True)
class Scope:
    """A module's instance, a block or a function.

    Attributes:
        kind: such as `module`, `function.vec4.s4`, `begin`.
        name: of the instance.
        module: what it is an instance of.
        parent: label of the scope around it; None at the top.
    """

    kind: str
    name: str
    module: str
    parent: str | None


@dataclass(frozen=True)
class Declared:
    """A declared net, variable or memory.

    Attributes:
        name: in its scope; None of what Icarus made for itself.
        width: bits; of a memory, words.
        kind: `net`, `var` or `array`.
        two_state: holds 0 and 1 only.
        scope: label of its scope.
        driver: label of what drives a net; None of a variable.
    """

    name: str | None
    width: int
    kind: str
    two_state: bool
    scope: str
    driver: str | None


@dataclass(frozen=True)
class Node:
    """A gate or an operator.

    Attributes:
        kind: such as `functor`, `part`, `arith/sum`.
        text: what follows.
        inputs: labels it names, in order.
        scope: label of its scope.
    """

    kind: str
    text: str
    inputs: tuple[str, ...]
    scope: str


@dataclass(frozen=True)
class Step:
    """One instruction.

    Attributes:
        op: such as `%store/vec4`.
        args: between commas.
        names: labels of variables and nets among them.
    """

    op: str
    args: tuple[str, ...]
    names: tuple[str, ...]


@dataclass
class Program:
    """A compiled design.

    Attributes:
        scopes: by label.
        declared: by label.
        nodes: by label.
        words: what drives the words of an array of nets, by its label.
        code: of all blocks and functions, one behind the other.
        places: of labels in the code.
        threads: (first instruction, one beyond the last, scope) of each block.
        precision: seconds of one unit of time, as a power of ten.
    """

    scopes: dict[str, Scope] = field(default_factory=dict)
    declared: dict[str, Declared] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    code: list[Step] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    threads: list[tuple[int, int, str]] = field(default_factory=list)
    precision: int = 0

    @cached_property
    def children(self) -> dict[str | None, list[str]]:
        """Labels of the scopes in each scope."""
        found: dict[str | None, list[str]] = {}
        for label, scope in self.scopes.items():
            found.setdefault(scope.parent, []).append(label)
        return found

    @cached_property
    def counters(self) -> set[str]:
        """Variables that the code counts up or down."""
        found = set()
        for place, step in enumerate(self.code):
            before = place - 1
            if step.op != "%store/vec4":
                continue
            while before >= 0 and self.code[before].op in _COUNTING:
                before -= 1
            loaded = self.code[before]
            if before < place - 1 and loaded.op == "%load/vec4" and loaded.names == step.names:
                found.add(step.names[0])
        return found

    def within(self, scope: str) -> set[str]:
        """A scope and all those inside it."""
        found, left = {scope}, [scope]
        while left:
            inner = self.children.get(left.pop(), [])
            found.update(inner)
            left.extend(inner)
        return found

    def path(self, scope: str | None, *, below: str) -> str:
        """The names from one scope down to another, each with a dot behind it."""
        names = []
        while scope is not None and scope != below:
            names.append(f"{self.scopes[scope].name}.")
            scope = self.scopes[scope].parent
        return "".join(reversed(names))

    @cached_property
    def _starts(self) -> list[int]:
        """First instructions of blocks and functions, ascending."""
        functions = (place for name, place in self.places.items() if name.startswith("TD_"))
        return sorted({*functions, *(start for start, _, _ in self.threads)})

    def body(self, function: str) -> range:
        """Places of a function's code."""
        start = self.places[function]
        after = bisect_right(self._starts, start)
        return range(start, self._starts[after] if after < len(self._starts) else len(self.code))

    def around(self, place: int) -> int:
        """First instruction of the block or function that an instruction belongs to."""
        return self._starts[bisect_right(self._starts, place) - 1]

    def driver(self, label: str) -> str:
        """What gives a net its value; a variable gives its own."""
        declared = self.declared.get(label)
        return label if declared is None or declared.driver is None else declared.driver


def read_program(text: str) -> Program:
    """Reads what `iverilog` writes.

    Args:
        text: of the compiled program.
    """
    program, scope = Program(), ""
    for line in text.splitlines():
        if "%" in line and (code := _CODE.match(line.lstrip())):
            if code[1]:
                program.places[code[1]] = len(program.code)
            words = code[3] or ""
            args = tuple(word.strip() for word in words.partition(";")[0].split(","))
            program.code.append(Step(code[2], args, tuple(_REFERENCE.findall(words))))
        elif line.startswith("    .scope "):
            scope = line.split()[1].rstrip(";")
        elif line.startswith("    .thread "):
            start = program.places[line.split()[1].rstrip(",;")]
            program.threads.append((start, len(program.code), scope))
        elif line.startswith(":vpi_time_precision"):
            program.precision = int(line.partition("precision")[2].strip(" ;").replace(" ", ""))
        elif found := _SCOPE.match(line):
            scope = found[1]
            program.scopes[scope] = Scope(*found.group(2, 3, 4, 5))
        elif found := _DECLARED.match(line):
            inputs = _REFERENCE.findall(found[8])
            program.declared[found[1]] = Declared(
                None if found[4] else found[5],
                abs(int(found[6]) - int(found[7])) + 1,
                found[2],
                "/2" in found[3],
                scope,
                inputs[0] if found[2] == "net" and inputs else None,
            )
        elif found := _WORD.match(line):
            program.words.setdefault(found[1], set()).add(found[2])
        elif found := _NODE.match(line):
            program.nodes[found[1]] = Node(
                found[2], found[3], tuple(_REFERENCE.findall(found[3])), scope
            )
        elif found := _LINE_LABEL.match(line):
            program.places[found[1]] = len(program.code)
    return program
