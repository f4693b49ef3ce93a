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

FAILED = 3
"""Exit code after which the last line on stderr is a sentence for the user."""

_SPOT_CHECKS = 64


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
    try:
        answer = np.asarray(function(a.copy(), b.copy()))
        vectorised = answer.shape == a.shape and answer.dtype.kind in "iuf"
    except Exception:  # a scalar model may raise anything on arrays
        vectorised = False
    if vectorised:
        picks = random.Random(0).sample(range(len(a)), min(_SPOT_CHECKS, len(a)))
        for i in picks:
            try:
                one = function(int(a[i]), int(b[i]))
            except Exception:  # an array-only model: nothing to check it against
                break
            if one != answer[i]:
                vectorised = False
                break
    if vectorised:
        return _integers(answer, a, b)
    answers = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        try:
            answers.append(function(x, y))
        except Exception as error:  # likewise
            raise _ModelError(f"{x} x {y} raises {_said(error)}") from error
    return _integers(np.array(answers, dtype=object), a, b)


def _integers(
    answers: NDArray[Any], a: NDArray[np.int64], b: NDArray[np.int64]
) -> NDArray[np.int64]:
    limit = np.iinfo(np.int32)
    products = np.empty(len(a), dtype=np.int64)
    for i, answer in enumerate(answers.tolist()):
        try:
            whole = int(answer)
            good = whole == answer and limit.min <= whole <= limit.max
        except (TypeError, ValueError, OverflowError):
            good = False
        if not good:
            raise _ModelError(f"{a[i]} x {b[i]} is {_shown(answer)}, expected a 32-bit integer")
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


def main(arguments: list[str]) -> int:
    """Runs the model.

    Args:
        arguments: folder to import from, module, function, operands such as `u8xs4`, path of the
            file to write: the table, row by row, 32-bit little-endian.
    """
    folder, module, name, code, out = arguments
    operands = Operands.parse(code)
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
