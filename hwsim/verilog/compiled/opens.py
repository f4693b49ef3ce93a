# SPDX-License-Identifier: Apache-2.0
"""What nothing drives or writes in a circuit, and what it writes that is none of its own."""

from collections.abc import Iterator

from .design import Design

_PLACES = ("module", "generate")


def undriven(design: Design, cone: set[str]) -> Iterator[str]:
    """Nets, or some of their bits, that the product depends on and nothing drives."""
    seen = set()
    for one in design.program.declared.values():
        driver = one.driver
        if one.kind != "net" or driver not in cone or driver in seen or one.name is None:
            continue
        bits = _open_bits(design, driver, one.width)
        if bits and one.scope in design.inner:
            seen.add(driver)
            whole = bits == (1 << one.width) - 1
            path = design.program.path(one.scope, below=design.scope)
            yield f"{path}{one.name}{'' if whole else _range(bits)}"


def _open_bits(design: Design, driver: str, width: int) -> int:
    node = design.program.nodes.get(driver)
    if node is None:
        return 0
    if "HiZ drive" in node.text:
        return (1 << width) - 1
    parts = [driver] if node.kind == "part/pv" else node.inputs
    if node.kind not in {"part/pv", "resolv"}:
        return 0
    bits = (1 << width) - 1
    for part in parts:
        one = design.program.nodes.get(part)
        if one is None or one.kind != "part/pv":
            return 0
        base, size = (int(word) for word in one.text.rstrip(";").split(",")[1:3])
        bits &= ~(((1 << size) - 1) << base)
    return bits


def unwritten(design: Design, cone: set[str]) -> Iterator[str]:
    """Registers and memories that the product depends on and nothing writes."""
    written = {label for block in design.bodies for label in block.writes}
    for label in cone:
        one = design.program.declared.get(label)
        if one is None or one.kind == "net" or one.two_state or one.scope not in design.inner:
            continue
        place = design.program.scopes[one.scope].kind
        driven = label in written or label in design.program.words
        if not driven and place.startswith(_PLACES) and one.name is not None:
            yield f"{design.program.path(one.scope, below=design.scope)}{one.name}"


def outside(design: Design) -> Iterator[str]:
    """Variables of the harness, or of another circuit, that it writes."""
    for block in design.bodies:
        for label in block.writes:
            one = design.program.declared[label]
            if one.scope not in design.inner:
                yield f"{design.program.path(one.scope, below='')}{one.name}"


def _range(bits: int) -> str:
    low, high = (bits & -bits).bit_length() - 1, bits.bit_length() - 1
    return f"[{low}]" if low == high else f"[{high}:{low}]"
