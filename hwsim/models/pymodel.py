# SPDX-License-Identifier: Apache-2.0
"""Tables from Python models, `module:function` or `path/to/file.py:function`.

The model runs in a box, in a process of its own, so that whatever it does to its interpreter ends
with it; what it gives back is a number of bytes.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import HwsimError
from ..files import read_bytes
from ..lut import Lut
from ..operands import Asked, Operands, UnknownOperandsError
from ..tools.box import Box, unconfined
from ..tools.conversation import Conversation
from ..tools.process import Done, OverLimitError, run
from ..tools.scratch import scratch
from .cmodel import MOST_WRITTEN, TIME_LIMIT
from .pymodel_process import FAILED
from .running import RunningModel


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
        command = [*_command(spec, operands), str(result)]
        box = Box(folder, file=MOST_WRITTEN + size)
        try:
            done = run(command, box=box, env=_environment(), seconds=time_limit, quiet=True)
        except OverLimitError:
            raise HwsimError(
                f"{spec} took more than {time_limit:g} s for all products of {operands}"
            ) from None
        if done.code or not result.exists():
            raise HwsimError(f"{spec}: {_ended(done)}")
        try:
            data = read_bytes(result, limit=size)
        except HwsimError as error:
            raise HwsimError(f"{spec} writes to the file of its products") from error
    if len(data) != size:
        raise HwsimError(f"{spec}: expected {size:,} bytes of products, got {len(data):,}")
    products = np.frombuffer(data, dtype="<i4").reshape(operands.shape)
    model = {"file": module, "language": "Python"}
    return Lut(products, *operands, {"top": function, "model": model, **unconfined()})


@contextmanager
def python_model_running(
    spec: str, operands: Operands, *, time_limit: float = TIME_LIMIT
) -> Iterator[tuple[RunningModel, bool]]:
    """A Python model that keeps running, where there are too many products for a table.

    Args:
        spec: as for `python_model_table`.
        operands: that it gets.
        time_limit: seconds for one answer.

    Yields:
        The model, and whether it takes whole arrays, so that it can give all of its products.

    Raises:
        HwsimError: it cannot be imported.
    """
    with scratch("pymodel") as folder:

        def start(number: int) -> Conversation:
            return Conversation(
                _command(spec, operands),
                box=Box(folder, file=MOST_WRITTEN),
                env=_environment(),
                name=str(number),
                seconds=time_limit,
            )

        name = f"{spec}:"
        with RunningModel(
            name, operands, start, head=8, reason=_ended, seconds=time_limit
        ) as model:
            yield model, model.head[0] == 1


def _command(spec: str, operands: Operands) -> list[str]:
    module, _, function = spec.rpartition(":")
    process = [sys.executable, "-m", f"{__package__}.pymodel_process"]
    return [*process, str(Path.cwd()), module, function, operands.code]


def _environment() -> dict[str, str]:
    # The folder that it runs in is none from which to import.
    paths = [str(Path(path or ".").absolute()) for path in sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _ended(done: Done) -> str:
    """The model's last words, or that there are none."""
    lines = done.stderr.strip().splitlines()
    return (
        lines[-1] if lines and done.code == FAILED else f"it ended Python (exit code {done.code})"
    )
