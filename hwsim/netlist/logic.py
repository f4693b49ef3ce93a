# SPDX-License-Identifier: Apache-2.0
"""A design's syntax trees become a graph of bits: hierarchy, generate blocks and assignments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..verilog.constants import NotConstantError, evaluate
from ..verilog.parameters import Parameter
from .bitgraph import BitGraph
from .expressions import (
    Masks,
    Net,
    UnsupportedVerilogError,
    View,
    extended,
    masks_of,
    selected,
    union,
)
from .procedures import Procedure

_LOOP_LIMIT = 1 << 14
_NETS = {"Input", "Output", "Inout", "Wire", "Reg", "Integer", "Tri"}


@dataclass
class Instance:
    """One instance in the hierarchy.

    Attributes:
        name: of the instance; of the top, the module.
        module: its module.
        parameters: with values.
        children: instances inside.
        ports: bits of its ports by name, with their direction.
    """

    name: str
    module: str
    parameters: dict[str, Parameter]
    children: list["Instance"] = field(default_factory=list)
    ports: dict[str, tuple[str, list[int]]] = field(default_factory=dict)


def build_logic(
    modules: Mapping[str, Any], top: str, parameters: Mapping[str, Parameter], *, where: str
) -> tuple[BitGraph, Instance]:
    """The bits of a design and its hierarchy.

    Args:
        modules: pyverilog's trees.
        top: which of them.
        parameters: in place of the top's defaults.
        where: file, for messages.

    Raises:
        UnsupportedVerilogError: something that the analysis does not follow.
        NotConstantError: a width or a generate condition that is no constant.
    """
    graph = BitGraph()
    builder = _Builder(graph, modules, where)
    instance = builder.module(top, path="", given=parameters)
    return graph, instance


class Scope:
    """The names of one instance, or of one generate block inside it."""

    def __init__(self, path: str, where: str, outer: "Scope | None" = None) -> None:
        self.path, self.where, self.outer = path, where, outer
        self.nets: dict[str, Net] = dict(outer.nets) if outer else {}
        self.values: dict[str, Parameter] = dict(outer.values) if outer else {}
        self.widths: dict[str, int] = dict(outer.widths) if outer else {}
        self.functions: dict[str, Any] = dict(outer.functions) if outer else {}
        self.own: set[str] = set()

    def name(self, net: str) -> str:
        """A net's name from the top."""
        return f"{self.path}.{net}" if self.path else net


class _Builder:
    def __init__(self, graph: BitGraph, modules: Mapping[str, Any], where: str) -> None:
        self._graph, self._modules, self._where = graph, modules, where

    def module(self, name: str, *, path: str, given: Mapping[str, Parameter]) -> Instance:
        """Elaborates one instance and everything inside."""
        if name not in self._modules:
            raise UnsupportedVerilogError(f"{self._where}: no module {name} in the files")
        module = self._modules[name]
        scope = Scope(path, f"{self._where}, {path or name}")
        instance = Instance(path.rpartition(".")[2] or name, name, {})
        header = [*module.paramlist.params, *module.portlist.ports]
        ports: dict[str, str] = {}
        for item in [*header, *module.items]:
            self._declare(item, scope, ports, given)
        if unknown := [key for key in given if key not in scope.values]:
            raise UnsupportedVerilogError(f"{scope.where}: no parameter {unknown[0]}")
        instance.parameters = {
            key: scope.values[key] for key in _public(module) if key in scope.values
        }
        instance.ports = {
            port: (direction, scope.nets[port].bits)
            for port in _header_order(module, ports)
            for direction in (ports[port],)
        }
        self._items(module.items, scope, instance)
        return instance

    def _declare(
        self, item: Any, scope: Scope, ports: dict[str, str], given: Mapping[str, Parameter]
    ) -> None:
        """Parameters, nets and functions, in the order of the text."""
        kind = type(item).__name__
        parts: list[Any] = []
        if kind == "Decl":
            parts = list(item.list)
        elif kind == "Ioport":
            parts = [part for part in (item.first, item.second) if part is not None]
        elif kind == "Function":
            scope.functions[item.name] = item
        for part in parts:
            self._declare_one(part, scope, ports, given)

    def _declare_one(
        self, part: Any, scope: Scope, ports: dict[str, str], given: Mapping[str, Parameter]
    ) -> None:
        kind = type(part).__name__
        if kind in {"Parameter", "Localparam"}:
            value = part.value.var
            scope.values[part.name] = (
                given[part.name]
                if kind == "Parameter" and part.name in given
                else evaluate(value, scope.values, scope.where)
            )
            if part.width is not None:
                scope.widths[part.name] = self._span(part.width, scope)[2]
        elif kind in _NETS:
            if kind in {"Input", "Output", "Inout"}:
                ports[part.name] = kind.lower()
            self.net(part, scope)

    def net(self, part: Any, scope: Scope, *, internal: bool = False) -> Net:
        """Declares a net; `output o; reg o;` is one."""
        high, low, width = (0, 0, 1) if part.width is None else self._span(part.width, scope)
        old = scope.nets.get(part.name) if part.name in scope.own else None
        if old is not None:
            bits = old.bits
            if len(bits) < width:
                raise UnsupportedVerilogError(
                    f"{scope.where}: {part.name} is declared with two widths"
                )
            if part.width is None:
                high, low = old.high, old.low
            net = Net(bits, low, high, signed=old.signed or bool(part.signed))
        elif getattr(part, "dimensions", None) is not None:
            if len(part.dimensions.lengths) != 1:
                raise UnsupportedVerilogError(
                    f"{scope.where}: {part.name} has more than one dimension"
                )
            first, last, words = self._span(part.dimensions.lengths[0], scope)
            name = scope.name(part.name)
            bits = []
            for word in range(min(first, last), min(first, last) + words):
                bits += self._graph.allocate(f"{name}[{word}]", low, width, internal=internal)
            net = Net(bits, low, high, bool(part.signed), word=width, first=min(first, last))
        else:
            start = min(high, low)
            name = scope.name(part.name)
            bits = self._graph.allocate(name, start, width, internal=internal)
            bits = bits if high >= low else bits[::-1]
            net = Net(bits, low, high, signed=bool(part.signed))
        scope.own.add(part.name)
        scope.nets[part.name] = net
        return net

    def _span(self, width: Any, scope: Scope) -> tuple[int, int, int]:
        ends = [evaluate(end, scope.values, scope.where) for end in (width.msb, width.lsb)]
        if any(isinstance(end, str) for end in ends):
            raise NotConstantError(f"{scope.where}: expected numbers as the bounds of a range")
        high, low = int(ends[0]), int(ends[1])
        return high, low, abs(high - low) + 1

    def view(self, scope: Scope) -> View:
        """What a continuous assignment reads: the nets themselves."""
        return View(
            scope.where,
            scope.nets,
            scope.values,
            lambda bit: 1 << bit,
            lambda name, arguments, view: self.call(name, arguments, view, scope),
            scope.widths,
        )

    def call(self, name: str, arguments: list[Any], view: View, scope: Scope) -> tuple[Masks, bool]:
        """A function's result, its statements followed with the arguments in place."""
        if name not in scope.functions:
            raise UnsupportedVerilogError(f"{scope.where}: no function {name}")
        function = scope.functions[name]
        inside = Scope(scope.name(name), scope.where, scope)
        result = self.net(_Result(function), inside, internal=True)
        inputs: list[Net] = []
        statements: list[Any] = []
        for item in function.statement:
            if type(item).__name__ == "Decl":
                for part in item.list:
                    if type(part).__name__ not in _NETS:
                        continue
                    net = self.net(part, inside, internal=True)
                    if type(part).__name__ == "Input":
                        inputs.append(net)
            else:
                statements.append(item)
        procedure = Procedure(self, inside)
        for net, argument in zip(inputs, arguments, strict=True):
            masks = masks_of(argument, view, len(net.bits))
            procedure.state.now.update(zip(net.bits, masks, strict=False))
        for statement in statements:
            procedure.run(statement)
        return [procedure.read(bit) & ~self._graph.internal for bit in result.bits], result.signed

    def _items(self, items: Any, scope: Scope, instance: Instance) -> None:
        for item in items:
            self._item(item, scope, instance)

    def _item(self, item: Any, scope: Scope, instance: Instance) -> None:
        kind = type(item).__name__
        if kind == "Decl":
            for part in item.list:
                if type(part).__name__ == "Assign":
                    self._assign(part.left.var, part.right.var, scope)
        elif kind == "Assign":
            self._assign(item.left.var, item.right.var, scope)
        elif kind == "InstanceList":
            for one in item.instances:
                instance.children.append(self._instance(one, item, scope))
        elif kind == "GenerateStatement":
            self._items(item.items, scope, instance)
        elif kind in {"ForStatement", "IfStatement", "CaseStatement", "Block"}:
            self._generate(kind, item, scope, instance)
        elif kind.startswith("Always"):
            self._always(item, scope)
        elif kind == "Initial":
            Procedure(self, scope, initial=True).finish(item.statement, clocked=True)
        elif kind not in {"Function", "Task", "Pragma", "Parameter", "Localparam"}:
            raise UnsupportedVerilogError(f"{scope.where}: {kind}")

    def _generate(self, kind: str, item: Any, scope: Scope, instance: Instance) -> None:
        view = self.view(scope)
        if kind == "Block":
            self._block(item, scope, instance, f"{item.scope}" if item.scope else "")
        elif kind == "IfStatement":
            chosen = view.must(item.cond, "condition of a generate block")
            branch = item.true_statement if chosen else item.false_statement
            if branch is not None:
                self._item(branch, scope, instance)
        elif kind == "CaseStatement":
            value = evaluate(item.comp, scope.values, scope.where)
            for case in item.caselist:
                labels = [evaluate(one, scope.values, scope.where) for one in case.cond or ()]
                if case.cond is None or value in labels:
                    if case.statement is not None:
                        self._item(case.statement, scope, instance)
                    break
        else:
            variable = item.pre.left.var.name
            inner = Scope(scope.path, scope.where, scope)
            inner.values[variable] = evaluate(item.pre.right.var, scope.values, scope.where)
            for _ in range(_LOOP_LIMIT):
                if not evaluate(item.cond, inner.values, scope.where):
                    break
                body = Scope(scope.path, scope.where, inner)
                label = getattr(item.statement, "scope", None) or "genblk"
                self._block(item.statement, body, instance, f"{label}[{inner.values[variable]}]")
                inner.values[variable] = evaluate(item.post.right.var, inner.values, scope.where)

    def _block(self, block: Any, scope: Scope, instance: Instance, label: str) -> None:
        path = f"{scope.path}.{label}".strip(".") if label else scope.path
        inside = Scope(path, scope.where, scope)
        items = block.statements if type(block).__name__ == "Block" else [block]
        for item in items:
            self._declare(item, inside, {}, {})
        self._items(items, inside, instance)

    def _always(self, item: Any, scope: Scope) -> None:
        edges = [sens.type for sens in item.sens_list.list]
        clocked = any(edge in {"posedge", "negedge"} for edge in edges)
        if clocked:
            view = self.view(scope)
            for sens in item.sens_list.list:
                self._graph.sensed |= union(masks_of(sens.sig, view))
        Procedure(self, scope).finish(item.statement, clocked=clocked)

    def _assign(self, left: Any, right: Any, scope: Scope) -> None:
        view = self.view(scope)
        targets = self.targets(left, view)
        for (bits, index), mask in zip(targets, masks_of(right, view, len(targets)), strict=False):
            for bit in bits:
                self._graph.drive(bit, mask | index, clocked=False)

    def targets(self, node: Any, view: View) -> list[tuple[list[int], int]]:
        """What an assignment's left side means, bit by bit, least significant first.

        Returns:
            The bits that each bit may be, one where its index is constant, and what the index is
            computed from.
        """
        kind = type(node).__name__
        if kind == "Lvalue":
            return self.targets(node.var, view)
        if kind in {"LConcat", "Concat"}:
            parts = [self.targets(part, view) for part in node.list]
            return [bit for part in reversed(parts) for bit in part]
        if kind == "Identifier":
            return [([bit], 0) for bit in view.net(node).bits]
        lanes, index = selected(node, view)
        return [(lane, index) for lane in lanes]

    def drive(self, bit: int, mask: int, *, clocked: bool) -> None:
        """One driver of a bit, from a procedure."""
        self._graph.drive(bit, mask, clocked=clocked)

    def _instance(self, one: Any, listed: Any, scope: Scope) -> Instance:
        if one.array is not None:
            raise UnsupportedVerilogError(f"{scope.where}: the array of instances {one.name}")
        if one.module not in self._modules:
            raise UnsupportedVerilogError(f"{scope.where}: no module {one.module} in the files")
        names = _public(self._modules[one.module])
        arguments = one.parameterlist or listed.parameterlist or ()
        given = {
            argument.paramname or names[position]: evaluate(
                argument.argname, scope.values, scope.where
            )
            for position, argument in enumerate(arguments)
        }
        path = f"{scope.path}.{one.name}".strip(".")
        child = self.module(one.module, path=path, given=given)
        order = list(child.ports)
        view = self.view(scope)
        for position, connection in enumerate(one.portlist):
            port = connection.portname or order[position]
            if port not in child.ports:
                raise UnsupportedVerilogError(f"{scope.where}: {one.module} has no port {port}")
            if connection.argname is not None:
                self._connect(*child.ports[port], connection.argname, view, scope)
        return child

    def _connect(
        self, direction: str, bits: list[int], argument: Any, view: View, scope: Scope
    ) -> None:
        if direction == "inout":
            raise UnsupportedVerilogError(f"{scope.where}: an inout port")
        # A name that was never declared is a wire of one bit.
        if type(argument).__name__ == "Identifier" and argument.scope is None:
            name = argument.name
            if name not in scope.nets and name not in scope.values:
                implicit = self._graph.allocate(scope.name(name), 0, 1)
                scope.nets[name] = Net(implicit, 0, 0)
        if direction == "input":
            masks = masks_of(argument, view, len(bits))
            for bit, mask in zip(bits, extended(masks, len(bits), signed=False), strict=True):
                self._graph.drive(bit, mask, clocked=False)
        else:
            for bit, (targets, index) in zip(bits, self.targets(argument, view), strict=False):
                for target in targets:
                    self._graph.drive(target, 1 << bit | index, clocked=False)


class _Result:
    """A function's result as the variable of its name that it is."""

    signed = False
    dimensions = None

    def __init__(self, function: Any) -> None:
        self.name, self.width = function.name, function.retwidth


def _public(module: Any) -> list[str]:
    """Names of a module's parameters, in the order of the text."""
    return [
        part.name
        for item in [*module.paramlist.params, *module.items]
        if type(item).__name__ == "Decl"
        for part in item.list
        if type(part).__name__ == "Parameter"
    ]


def _header_order(module: Any, ports: Mapping[str, str]) -> list[str]:
    """Ports in the order of the header."""
    header = [
        item.name if type(item).__name__ == "Port" else item.first.name
        for item in module.portlist.ports
    ]
    return [name for name in header if name in ports]
