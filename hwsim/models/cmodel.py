# SPDX-License-Identifier: Apache-2.0
"""Tables from C models: compiled with the system's compiler, called for every operand pair.

The model is included into a small program that calls it and writes what it returns, so that C does
the conversions of C, `static` functions are in reach, and a crash stays in a process of its own.
"""

import os
import re
import shlex
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..files import MissingFileError, read_bytes, read_text
from ..lut import Lut
from ..operands import Asked, Operand, Operands, UnknownOperandsError
from ..tools.box import Box, unconfined
from ..tools.process import OverLimitError, run
from ..tools.scratch import scratch
from .running import NO_PRODUCT

TIME_LIMIT = 60.0
"""Seconds that a model may take for all products."""
MOST_WRITTEN = 1 << 26
"""Bytes of any file that a model makes beside its products, what it prints among them."""

_NOT_INTEGERS = {"void", "float", "double", "struct", "union", "bool", "_Bool"}
_DECORATION = {"static", "inline", "extern", "const", "register", "volatile", "__inline"}
_KEYWORDS = {"if", "for", "while", "switch", "return", "else", "sizeof"}
_FUNCTION = re.compile(
    r"(?P<type>(?:\b[A-Za-z_]\w*\s+){1,8})(?P<pointer>\**)\s*(?P<name>[A-Za-z_]\w*)\s*"
    r"\((?P<parameters>[^()]*)\)\s*\{"
)
_NAMED = re.compile(r"mul(\d+)(?:x(\d+))?(s|u)(?:e?)_")
HEADER_WORDS = 6

_HEAD = """\
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#define main axhil_main_of_the_model
#include "{model}"
#undef main
typedef {a} axhil_a;
typedef {b} axhil_b;
typedef __typeof__({function}((axhil_a)0, (axhil_b)0)) axhil_p;
#define AXHIL_TYPE(t) 8 * (int64_t)sizeof(t), (t)-1 < (t)0
"""
_PROGRAM = """\
int main(int argc, char **argv) {{
  const int64_t rows = {rows}, columns = {columns}, wrap_a = {wrap_a}, wrap_b = {wrap_b};
  const int64_t types[] = {{AXHIL_TYPE(axhil_a), AXHIL_TYPE(axhil_b), AXHIL_TYPE(axhil_p)}};
  int64_t *row = malloc(sizeof(int64_t) * columns);
  FILE *out = argc == 2 ? fopen(argv[1], "wb") : NULL;
  if (!out || !row || fwrite(types, sizeof types, 1, out) != 1) return 99;
  for (int64_t i = 0; i < rows; i++) {{
    fflush(out);
    for (int64_t j = 0; j < columns; j++) {{
      const int64_t a = types[1] && i >= wrap_a ? i - rows : i;
      const int64_t b = types[3] && j >= wrap_b ? j - columns : j;
      row[j] = (int64_t){function}((axhil_a)a, (axhil_b)b);
    }}
    if (fwrite(row, sizeof *row, columns, out) != (size_t)columns) return 99;
  }}
  return fclose(out) ? 99 : 0;
}}
"""


@dataclass(frozen=True)
class CFunction:
    """A function of two integers.

    Attributes:
        name: as in the source.
        types: the types of its two parameters, without qualifiers.
        parameters: their names, in the order in which they are passed.
    """

    name: str
    types: tuple[str, str]
    parameters: tuple[str, str]


def find_function(path: Path, name: str | None = None) -> CFunction:
    """The function of a C file that takes two integers and returns one.

    Args:
        path: the C file.
        name: which, where there are several.

    Raises:
        HwsimError: no such function, or several and no name.
    """
    source = read_text(path, errors="replace")
    found: dict[str, CFunction] = {}
    for match in _FUNCTION.finditer(_top_level(source)):
        words = set(match["type"].split())
        parameters = [_parameter(text) for text in match["parameters"].split(",")]
        if (
            match["pointer"]
            or words & (_NOT_INTEGERS | _KEYWORDS)
            or match["name"] in _KEYWORDS
            or len(parameters) != 2
        ):
            continue
        first, second = parameters
        if first and second:
            types, names = (first[0], second[0]), (first[1], second[1])
            found[match["name"]] = CFunction(match["name"], types, names)
    if name is not None:
        if name not in found:
            known = f": it has {', '.join(found)}" if found else ""
            raise HwsimError(f"{path}: no function {name} of two integers{known}")
        return found[name]
    if path.stem in found:  # EvoApproxLib's convention
        return found[path.stem]
    if len(found) != 1:
        raise HwsimError(
            f"{path}: expected one function of two integers that returns one, found "
            + (f"{', '.join(found)}; say which: {path}:{next(iter(found))}" if found else "none")
        )
    return next(iter(found.values()))


def c_model_table(
    path: Path,
    *,
    asked: Asked | None = None,
    function: str | None = None,
    time_limit: float = TIME_LIMIT,
) -> tuple[Lut, tuple[str, ...]]:
    """Compiles a C model and calls it for every operand pair.

    Signed operands go into signed parameters as values and into unsigned ones as bit patterns of
    the operand's width. A product that comes in an unsigned type is read as two's complement of
    the operands' bits together where one of them is signed.

    Args:
        path: the C file; what it includes is looked up beside it.
        asked: the operands, where the user or the other table says them; else the parameter
            types and a name like `mul8s_1L2H` do, and a note says so.
        function: which function, where there are several.
        time_limit: seconds for all products.

    Returns:
        The table (first argument = row), and notes on what was assumed.

    Raises:
        UnknownOperandsError: nothing tells what the operands are.
        HwsimError: no compiler, a file that does not compile (its first error), a model that
            crashes, exits or takes too long, operands or products that its types cannot hold.
    """
    which = find_function(path, function)
    operands, notes = _operands(path, which, asked or Asked())
    try:
        operands.require_table()
    except HwsimError as error:
        raise HwsimError(f"{path}: {error}") from error
    types, raw = _run(path, which, operands, time_limit=time_limit)
    require_room(path, which, operands, types)
    products, note = _interpret(
        raw, bits=types[4], signed_type=bool(types[5]), product=operands.product
    )
    limit = np.iinfo(np.int32)
    wrong = np.argwhere((products < limit.min) | (products > limit.max))
    if len(wrong):
        i, j = (int(x) for x in wrong[0])
        raise HwsimError(
            f"{path}: {which.name} returned {int(products[i, j])} for the operand bits {i} and "
            f"{j}, which is no product of {operands}"
        )
    if which.parameters[0].lower() == "b" and which.parameters[1].lower() == "a":
        notes = (*notes, f"the first parameter of {which.name} is called {which.parameters[0]}")
    manifest = {"top": which.name, "model": {"file": path.name, "language": "C"}, **unconfined()}
    lut = Lut(products.astype(np.int32), *operands, manifest)
    return lut, (*notes, *([note] if note else []))


def c_model_operands(
    path: Path, *, asked: Asked | None = None, function: str | None = None
) -> tuple[Operands, tuple[str, ...]]:
    """What a C model multiplies, of any width, and notes on what was assumed.

    Raises:
        UnknownOperandsError: nothing tells what the operands are.
        HwsimError: no such function, or the user and the source contradict each other.
    """
    return _operands(path, find_function(path, function), asked or Asked())


def require_room(path: Path, which: CFunction, operands: Operands, types: Sequence[int]) -> None:
    """Refuses operands that the parameters cannot hold."""
    for number, operand in enumerate(operands):
        bits, signed_type = types[2 * number], types[2 * number + 1]
        if bits - (signed_type and not operand.signed) < operand.bits:
            raise HwsimError(
                f"{path}: {which.types[number]} {which.parameters[number]} of {which.name} cannot "
                f"hold {operand} operands"
            )


def _operands(path: Path, which: CFunction, asked: Asked) -> tuple[Operands, tuple[str, ...]]:
    """From the user, else the parameter types, else the name, else the table compared with."""
    bits, signs = list(asked.bits), list(asked.signs)
    notes: tuple[str, ...] = ()
    fixed = [re.fullmatch(r"(u?)int8_t", one) for one in which.types]
    if fixed[0] and fixed[1]:
        bits = [8 if size is None else size for size in bits]
        # Two unsigned types say nothing: EvoApproxLib's signed multipliers take uint8_t.
        if not (fixed[0][1] and fixed[1][1]):
            signs = [
                not match[1] if sign is None else sign
                for match, sign in zip((fixed[0], fixed[1]), signs, strict=True)
            ]
    if named := _NAMED.match(which.name):
        sizes = int(named[1]), int(named[2] or named[1])
        bits = [size if known is None else known for size, known in zip(sizes, bits, strict=True)]
        if None in signs:
            signs = [named[3] == "s" if sign is None else sign for sign in signs]
            notes = (
                f"operands taken as {'signed' if named[3] == 's' else 'unsigned'} from the name "
                f"{which.name}, its C types do not say",
            )
    try:
        operands = Asked(default=asked.default).settle(
            bits=(bits[0], bits[1]), signs=(signs[0], signs[1]), table=False
        )
    except UnknownOperandsError as error:
        raise UnknownOperandsError(f"{path}: {error}") from error
    return operands, notes


def _run(
    path: Path, which: CFunction, operands: Operands, *, time_limit: float
) -> tuple[list[int], NDArray[np.int64]]:
    """The types' sizes and signs, and what the function returned, as (rows, columns) int64."""
    rows, columns = operands.shape
    values = [operand.maximum + 1 for operand in operands]
    facts = {"rows": rows, "columns": columns, "wrap_a": values[0], "wrap_b": values[1]}
    program = head(path, which) + _PROGRAM.format(function=which.name, **facts)
    size = 8 * (HEADER_WORDS + rows * columns)
    with scratch("cmodel") as folder:
        (folder / "model.c").write_text(program)
        compiled(path, folder, which)
        failure = _call([str(folder / "model"), str(folder / "out")], folder, size, time_limit)
        try:
            written = read_bytes(folder / "out", limit=size)
        except MissingFileError:
            written = b""
        except HwsimError as error:
            raise HwsimError(f"{path}: {which.name} writes to the file of its products") from error
    data = np.frombuffer(written[: len(written) // 8 * 8], dtype=np.int64)
    finished = max(0, len(data) - HEADER_WORDS) // columns
    if failure or finished != rows:
        at = finished - rows if finished >= values[0] else finished
        raise HwsimError(
            f"{path}: {which.name} {failure or 'ended the program'}, the first operand being "
            f"{at} or shortly after"
        )
    types = data[:HEADER_WORDS].tolist()
    if not {*types[::2]} <= {8, 16, 32, 64, 128} or not {*types[1::2]} <= {0, 1}:
        raise HwsimError(f"{path}: {which.name} writes to the file of its products")
    return types, data[HEADER_WORDS:].reshape(rows, columns)


def head(path: Path, which: CFunction) -> str:
    """The beginning of a program that calls a function of a file."""
    model = str(path.resolve())
    if any(character in model for character in '"\\\n'):
        raise HwsimError(f"{path}: the C compiler cannot include a file with such a name")
    return _HEAD.format(model=model, a=which.types[0], b=which.types[1], function=which.name)


def compiled(path: Path, folder: Path, which: CFunction) -> None:
    """Makes the program `model` of `model.c` in a folder.

    Raises:
        HwsimError: no compiler, or its first error.
    """
    compiler = shlex.split(os.environ.get("CC", "")) or next(
        ([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), []
    )
    if not compiler or not shutil.which(compiler[0]):
        raise HwsimError(f"{path}: no C compiler on PATH (Debian: apt-get install gcc; or set CC)")
    command = [*compiler, "-O1", "-w", "-std=gnu11", "-o", "model", "model.c", "-lm"]
    try:
        done = run(command, box=Box(folder, starts=True), seconds=120)
    except OverLimitError:
        raise HwsimError(f"{path}: the C compiler took more than 120 s") from None
    if done.code:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        first = next((line for line in lines if "error" in line or "undefined" in line), None)
        said = first or (lines[0] if lines else f"exit code {done.code}")
        raise HwsimError(f"{path}: {which.name} does not compile: {said}")


def _call(command: list[str], folder: Path, size: int, time_limit: float) -> str | None:
    """Runs the model's program, which writes a file of some size; what went wrong, as a verb."""
    box = Box(folder, file=MOST_WRITTEN + size)
    try:
        code = run(command, box=box, seconds=time_limit, log=Path(os.devnull)).code
    except OverLimitError:
        return f"took more than {time_limit:g} s for all products"
    return ended(code)


def ended(code: int) -> str | None:
    """How a program ended, as a verb; None where that says nothing."""
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"crashed ({names.get(-code, f'signal {-code}')})"
    if code == NO_PRODUCT:
        return "returned what is no product of its operands"
    return f"ended with exit code {code}" if code else None


def _interpret(
    raw: NDArray[np.int64], *, bits: int, signed_type: bool, product: Operand
) -> tuple[NDArray[np.int64], str | None]:
    """Products from what C returned, and a note where the type did not say how to read them.

    Args:
        raw: (rows, columns) as converted to int64 by C.
        bits: of the return type.
        signed_type: whether the return type is signed.
        product: of the operands.
    """
    wires = Operand(min(product.bits, bits), product.signed)
    note = None
    if not wires.signed:
        # A signed type of exactly the product's size holds the largest products as negative ones.
        return (wires.value(raw) if signed_type and bits <= product.bits else raw), note
    fits = bool((raw >= 0).all()) and bool((raw < wires.count).all())
    if signed_type:
        if bits <= product.bits or not (fits and (raw > wires.maximum).any()):
            return raw, note
        note = f"its products never are negative: read as {wires.bits}-bit two's complement"
    elif not fits:
        # All bits above the product repeat its sign: a sign-extended product in a wider type.
        return Operand(bits, signed=True).value(raw), note
    return wires.value(raw), note


def _top_level(source: str) -> str:
    """The source without comments, strings, directives and function bodies."""
    source = re.sub(r"\\\n", " ", source)
    source = re.sub(
        r'/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?',
        " ",
        source,
        flags=re.S,
    )
    source = re.sub(r"^[ \t]*#[^\n]*", "", source, flags=re.M)
    kept, depth, start = [], 0, 0
    for brace in re.finditer(r"[{}]", source):
        if brace[0] == "{":
            if depth == 0:
                kept.append(source[start : brace.end()])
            depth += 1
        else:
            depth = max(0, depth - 1)
            start = brace.start() if depth == 0 else start
    return " ".join(" ".join([*kept, source[start:]]).split())


def _parameter(text: str) -> tuple[str, str] | None:
    """(type, name) of an integer parameter; None for anything else."""
    words = [word for word in text.split() if word not in _DECORATION]
    if "*" in text or "[" in text or "." in text or len(words) < 2 or set(words) & _NOT_INTEGERS:
        return None
    return " ".join(words[:-1]), words[-1]
