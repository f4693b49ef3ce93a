# SPDX-License-Identifier: Apache-2.0
"""The process in which a Python model runs: arguments in, a file of products out."""

import importlib
import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..operands import Operands
from .running import requests

FAILED = 3
"""Exit code after which the last line on stderr is a sentence for the user."""

_SPOT_CHECKS = 64

Limits = tuple[int, int]
_INT32: Limits = (-(1 << 31), (1 << 31) - 1)


class _ModelError(Exception):
    """A sentence for the user."""


def _load(folder: str, module: str, name: str) -> Callable[..., Any]:
    try:
        if module.endswith(".py"):
            path = Path(folder, module)
            if not path.is_file():
                raise _ModelError(f"no such file {module}")
            sys.path.insert(0, str(path.resolve().parent))
            spec = importlib.util.spec_from_file_location(path.stem, path)
            if spec is None or spec.loader is None:
                raise _ModelError(f"{module} cannot be imported")
            loaded = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(loaded)
        else:
            sys.path.insert(0, folder)
            loaded = importlib.import_module(module)
    except _ModelError:
        raise
    except Exception as error:  # a user's module may raise anything
        raise _ModelError(f"cannot import it: {_said(error)}") from error
    function = getattr(loaded, name, None)
    if not callable(function):
        raise _ModelError(f"there is no function {name} in it")
    return function  # type: ignore[no-any-return]  # callable was just checked


def _products(
    function: Callable[..., Any], a: NDArray[np.int64], b: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Products of all pairs, by arrays where the function takes them and means them."""
    made = _by_arrays(function, a, b)
    return _one_by_one(function, a, b) if made is None else made


def _by_arrays(
    function: Callable[..., Any],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    picks: int = _SPOT_CHECKS,
    limits: Limits = _INT32,
) -> NDArray[np.int64] | None:
    """Products by whole arrays; None where the function does not take them, or means otherwise."""
    try:
        answer = np.asarray(function(a.copy(), b.copy()))
    except Exception:  # a scalar model may raise anything on arrays
        return None
    if answer.shape != a.shape or answer.dtype.kind not in "iuf":
        return None
    for i in random.Random(0).sample(range(len(a)), min(picks, len(a))):
        try:
            one = function(int(a[i]), int(b[i]))
        except Exception:  # an array-only model: nothing to check it against
            break
        if one != answer[i]:
            return None
    return _integers(answer, a, b, limits)


def _one_by_one(
    function: Callable[..., Any],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    limits: Limits = _INT32,
) -> NDArray[np.int64]:
    answers = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        try:
            answers.append(function(x, y))
        except Exception as error:  # likewise
            raise _ModelError(f"{x} x {y} raises {_said(error)}") from error
    return _integers(np.array(answers, dtype=object), a, b, limits)


def _integers(
    answers: NDArray[Any], a: NDArray[np.int64], b: NDArray[np.int64], limits: Limits
) -> NDArray[np.int64]:
    low, high = limits
    if answers.dtype.kind in "iuf" and answers.size:
        with np.errstate(invalid="ignore"):
            good = (answers == np.floor(answers)) & (answers >= low) & (answers <= high)
        # Of float64, no more than these are integers for certain.
        if good.all() and (answers.dtype.kind != "f" or max(-low, high) < 1 << 53):
            return answers.astype(np.int64)
    products = np.empty(len(a), dtype=np.int64)
    for i, answer in enumerate(answers.tolist()):
        try:
            whole = int(answer)
            fits = whole == answer and low <= whole <= high
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            bits = (high - low).bit_length()
            raise _ModelError(f"{a[i]} x {b[i]} is {_shown(answer)}, expected a {bits}-bit integer")
        products[i] = whole
    return products


def _shown(answer: object) -> str:
    try:
        return repr(answer)[:60].replace("\n", " ")
    except Exception:  # a number too long to be written, or a user's class
        return f"a {type(answer).__name__}"


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _answering(
    function: Callable[..., Any], operands: Operands, incoming: str, outgoing: str
) -> None:
    """Answers requests, as `running` makes them, until there are no more.

    What is written first is 1 where the function takes whole arrays, else 0.
    """
    product = operands.product
    word, bits = ("<u4", 32) if product.bits <= 32 else ("<u8", 64)
    low = -(1 << (bits - 1)) if product.signed else 0
    limits = low, min(low + (1 << bits) - 1, (1 << 63) - 1)
    rng = np.random.default_rng(0)
    # Corners and any others, as `_products` does, which a scalar model must not take minutes for.
    tried = [
        one.value(np.concatenate([[0, 1, one.count - 1], rng.integers(0, one.count, 1000)]))
        for one in operands
    ]
    vectorised = _by_arrays(function, *tried, limits=limits) is not None
    with Path(outgoing).open("wb", 0) as out, Path(incoming).open("rb", 0) as source:
        out.write(np.int64(vectorised).tobytes())
        for first, rows, low, columns in requests(source.read):
            for row in range(first, first + rows):
                b = operands.weight.value(np.arange(low, low + columns))
                a = np.full(columns, operands.activation.value(row))
                made = None
                if vectorised:
                    made = _by_arrays(function, a, b, picks=1, limits=limits)
                if made is None:
                    made = _one_by_one(function, a, b, limits)
                _write(out, made.astype(word).tobytes())


def _write(out: Any, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[out.write(left) :]


def main(arguments: list[str]) -> int:
    """Runs the model.

    Args:
        arguments: folder to import from, module, function, operands such as `u8xs4`, path of the
            file to write: the table, row by row, 32-bit little-endian; or paths of two pipes, of
            requests and of answers.
    """
    folder, module, name, code, *paths = arguments
    operands = Operands.parse(code)
    if len(paths) == 2:
        try:
            _answering(_load(folder, module, name), operands, *paths)
        except _ModelError as failure:
            sys.stderr.write(f"\n{failure}\n")
            return FAILED
        return 0
    (out,) = paths
    rows, columns = operands.shape
    a = np.repeat(operands.activation.values, columns)
    b = np.tile(operands.weight.values, rows)
    try:
        function = _load(folder, module, name)
        products = _products(function, a, b)
    except _ModelError as failure:
        sys.stderr.write(f"\n{failure}\n")
        return FAILED
    products.astype("<i4").tofile(out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
