# SPDX-License-Identifier: Apache-2.0
"""Tables from Python models, `module:function` or `path/to/file.py:function`.

The model runs in a box, in a process of its own, so that whatever it does to its interpreter ends
with it; what it gives back is a number of bytes.
"""

import os
import sys
from pathlib import Path

import numpy as np

from ..errors import HwsimError
from ..files import read_bytes
from ..lut import Lut
from ..operands import Asked, UnknownOperandsError
from ..tools.box import Box, unconfined
from ..tools.process import OverLimitError, run
from ..tools.scratch import scratch
from .cmodel import MOST_WRITTEN, TIME_LIMIT
from .pymodel_process import FAILED


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
    size = operands.product.count * 4
    with scratch("pymodel") as folder:
        result = folder / "products"
        command = [sys.executable, "-m", f"{__package__}.pymodel_process"]
        command += [str(Path.cwd()), module, function, operands.code, str(result)]
        # The folder that it runs in is none from which to import.
        paths = [str(Path(path or ".").absolute()) for path in sys.path]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        box = Box(folder, file=MOST_WRITTEN + size)
        try:
            done = run(command, box=box, env=env, seconds=time_limit, quiet=True)
        except OverLimitError:
            raise HwsimError(
                f"{spec} took more than {time_limit:g} s for all products of {operands}"
            ) from None
        if done.code or not result.exists():
            lines = done.stderr.strip().splitlines()
            ended = f"it ended Python (exit code {done.code})"
            raise HwsimError(f"{spec}: {lines[-1] if lines and done.code == FAILED else ended}")
        try:
            data = read_bytes(result, limit=size)
        except HwsimError as error:
            raise HwsimError(f"{spec} writes to the file of its products") from error
    if len(data) != size:
        raise HwsimError(f"{spec}: expected {size:,} bytes of products, got {len(data):,}")
    products = np.frombuffer(data, dtype="<i4").reshape(operands.shape)
    model = {"file": module, "language": "Python"}
    return Lut(products, *operands, {"top": function, "model": model, **unconfined()})
