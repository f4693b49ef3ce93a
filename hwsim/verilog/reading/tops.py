# SPDX-License-Identifier: Apache-2.0
"""Which module of some files is the multiplier."""

import re
from collections.abc import Callable, Sequence

from ...errors import HwsimError
from .modules import Definition, instantiated, ports_text

_SHOWN = 8

# An input that is no list of single wires by its first words.
_WIDE = re.compile(r"\binput\b(?!\s+(?:(?:wire|logic|reg)\s+)?[\w$]+\s*[,;)])")


def choose_top(
    found: Sequence[Definition],
    top: str | None,
    *,
    where: str,
    multiplies: Callable[[Sequence[str]], Sequence[str]],
) -> tuple[str, list[str]]:
    """The top that was named, or the one module that is a multiplier and that no other uses.

    Args:
        found: every definition.
        top: the user's word.
        where: files, for messages.
        multiplies: which of some modules have two operands and a product.

    Returns:
        The top, and sentences about what was passed over.

    Raises:
        HwsimError: there is no such module, no candidate, or more than one.
    """
    modules = {one.name: one for one in found if one.is_module}
    if top is not None:
        if top.removeprefix("\\") not in modules:
            raise HwsimError(f"{where}: expected a module {top}, got {_listed([*modules])}")
        return top.removeprefix("\\"), []
    if not modules:
        raise HwsimError(f"{where}: expected a Verilog module, found none")
    benches = [name for name, one in modules.items() if not ports_text(one).strip()]
    designs = [one for name, one in modules.items() if name not in benches]
    if not designs:
        raise HwsimError(
            f"{where}: expected a module with ports, got {_listed(benches)} without any: a test "
            "bench? name the file of the multiplier itself"
        )
    used = {name for one in designs for name in instantiated(one, modules)}
    roots = [one.name for one in designs if one.name not in used]
    if not roots:
        raise HwsimError(f"{where}: expected a module that no other instantiates, found none")
    notes = [f"passed over as a test bench, without ports: {_listed(benches)}"] if benches else []
    if len(roots) == 1:
        return roots[0], notes
    # The cells of a library, which have single wires alone, are not looked into.
    wide = [name for name in roots if _WIDE.search(modules[name].text)]
    fit = wide if len(wide) == 1 else multiplies(wide or roots)
    if len(fit) != 1:
        which = "which have operands and a product" if fit else "of which none has two operands"
        raise HwsimError(
            f"{where}: expected one top module, got {_listed(fit or roots, 'and')}, {which} and "
            "no other module instantiates; choose one with --top, or [top=NAME] behind the file"
        )
    others = [name for name in roots if name != fit[0]]
    notes.append(
        f"{fit[0]} is taken as the top, for its operands and product; nothing uses "
        f"{_listed(others)}"
    )
    return fit[0], notes


def _listed(names: Sequence[str], word: str = "") -> str:
    shown = [*names[:_SHOWN]]
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return f" {word} ".join(shown) if word and len(shown) == 2 else ", ".join(shown)
