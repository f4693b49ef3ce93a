# SPDX-License-Identifier: Apache-2.0
"""Tables from Python models, `module:function` or `path/to/file.py:function`.

The model runs in a process of its own, so that whatever it does to its interpreter ends with it.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from ..errors import HwsimError
from ..lut import Lut
from ..operands import Asked, UnknownOperandsError
from ..tools.process import OverLimitError, run
from .pymodel_process import FAILED

TIME_LIMIT = 60.0
"""Seconds that a model may take for all products."""


def python_model_table(
    spec: str, *, asked: Asked | None = None, time_limit: float = TIME_LIMIT
) -> Lut:
    """Calls a Python function for every operand pair.

    The function is tried on whole NumPy arrays first, `(N,)` int64 each, and called pair by
    pair with Python integers where it does not take them, or answers them otherwise.

    Args:
        spec: `module:function`, the module being importable from the working directory, or a path
            ending in `.py`.
        asked: the operands, by the user or the table compared with.
        time_limit: seconds for all products.

    Returns:
        The table, first argument = row.

    Raises:
        UnknownOperandsError: nobody says what the operands are.
        HwsimError: it cannot be imported, raises, takes too long, or returns no integers.
    """
    module, _, function = spec.rpartition(":")
    try:
        operands = (asked or Asked()).settle()
    except UnknownOperandsError as error:
        raise UnknownOperandsError(f"{spec}: {error}") from error
    with tempfile.TemporaryDirectory(prefix="axhil-pymodel-") as scratch:
        result = Path(scratch) / "products.npy"
        command = [sys.executable, "-m", f"{__package__}.pymodel_process"]
        command += [module, function, operands.code, str(result)]
        try:
            done = run(command, seconds=time_limit, quiet=True)
        except OverLimitError:
            raise HwsimError(
                f"{spec} took more than {time_limit:g} s for all products of {operands}"
            ) from None
        if done.code or not result.exists():
            lines = done.stderr.strip().splitlines()
            ended = f"it ended Python (exit code {done.code})"
            raise HwsimError(f"{spec}: {lines[-1] if lines and done.code == FAILED else ended}")
        products = np.load(result)
    manifest = {"top": function, "model": {"file": module, "language": "Python"}}
    return Lut(products, *operands, manifest)
