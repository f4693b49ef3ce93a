# SPDX-License-Identifier: Apache-2.0
"""What goes into a kernel, checked: arrays, geometry, widths; and where its output goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EmulationError

Pair = tuple[int, int]


def checked_array(
    value: Any,
    *,
    name: str,
    dtypes: tuple[type, ...],
    shape: tuple[int | None, ...],
) -> NDArray[Any]:
    """A C-contiguous numpy view (a copy only if not contiguous) of an array or CPU tensor."""
    array = value if isinstance(value, np.ndarray) else numpy_view(value, name)
    if array.dtype.type not in dtypes:
        expected = " or ".join(np.dtype(d).name for d in dtypes)
        raise EmulationError(f"expected {name} of dtype {expected}; got {array.dtype}")
    if array.ndim != len(shape) or any(
        want is not None and have != want for have, want in zip(array.shape, shape, strict=True)
    ):
        wanted = ", ".join("any" if s is None else str(s) for s in shape)
        raise EmulationError(f"expected {name} of shape ({wanted}); got {array.shape}")
    return np.ascontiguousarray(array)


def numpy_view(value: Any, name: str) -> NDArray[Any]:
    """A CPU tensor as a numpy array, without a copy."""
    if not hasattr(value, "detach"):
        raise EmulationError(
            f"expected {name} as a numpy array or a CPU tensor; got {type(value).__name__}"
        )
    try:
        tensor: NDArray[Any] = value.detach().numpy()
    except (TypeError, RuntimeError) as error:
        raise EmulationError(
            f"expected {name} as a numpy array or a CPU tensor; got a tensor that numpy cannot "
            f"view ({error})"
        ) from error
    return tensor


def aligned_empty(shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    """An empty array that starts on a cache line, as torch's do: split stores cost a third."""
    count = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(count + 64, np.uint8)
    start = -memory.ctypes.data % 64
    array: NDArray[Any] = memory[start : start + count].view(dtype).reshape(shape)
    return array


def checked_pair(value: Pair | int, name: str, least: int) -> Pair:
    """One number for both directions, or two, each of at least `least`."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or any(not isinstance(v, int) or v < least for v in pair):
        raise EmulationError(f"expected {name} as two integers of at least {least}; got {value!r}")
    return pair[0], pair[1]


def check_width(width: int) -> None:
    """Refuse operand widths that the kernels do not have."""
    if not (isinstance(width, int) and 2 <= width <= 8):
        raise EmulationError(f"expected a width of 2 to 8 bits; got {width!r}")


def code_range(width: int, *, signed: bool) -> tuple[int, int]:
    """Smallest and largest operand of `width` bits."""
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)


def checked_threads(threads: int) -> int:
    """A number of threads, no more than the extension takes."""
    if not isinstance(threads, int) or threads < 1:
        raise EmulationError(f"expected threads to be an integer of at least 1; got {threads!r}")
    return min(threads, 256)
