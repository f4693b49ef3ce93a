# SPDX-License-Identifier: Apache-2.0
"""A model that keeps running and gives any products, where there are too many for a table."""

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from ..errors import HwsimError
from ..operands import Operands
from ..tools.conversation import Conversation, EndedError
from ..tools.process import Done, OverLimitError

REQUEST = struct.Struct("<4q")
"""First row, rows, first column, columns: of a rectangle of the table, by bit patterns."""
AT_ONCE = 4096 // REQUEST.size
NO_PRODUCT = 98
"""Exit code of a program whose model returned what is no product."""


class RunningModel:
    """Products of a model in a process; in several where several threads ask for some.

    Args:
        name: for messages.
        operands: that it gets.
        start: starts a process, by its number.
        head: bytes that a process writes before it answers.
        reason: what the end of a process means.
        seconds: for an answer, for messages.
    """

    def __init__(
        self,
        name: str,
        operands: Operands,
        start: Callable[[int], Conversation],
        *,
        head: int,
        reason: Callable[[Done], str],
        seconds: float,
    ) -> None:
        self._name, self._start, self._size, self._reason = name, start, head, reason
        self._seconds, self._columns = seconds, operands.weight.count
        self._stack, self._idle, self._started = ExitStack(), list[Conversation](), 0
        # Products of more bits than `rows` are compared in need 64.
        self._word = np.dtype("<u4" if operands.product.bits <= 32 else "<u8")
        self.head = b""

    def rows(self, first: int, count: int) -> NDArray[np.uint32]:
        """Products of some rows.

        Args:
            first: bit pattern of the first activation.
            count: of rows.

        Returns:
            (count, weights) by bit pattern, modulo 2^32.

        Raises:
            HwsimError: the model ends, takes too long, or returns no product.
        """
        assert self._word.itemsize == 4, "rows are of products of at most 32 bits"
        where = f"the first operand being {first} or shortly after"
        size = count * self._columns
        request = REQUEST.pack(first, count, 0, self._columns)
        return self._answer(request, size, where).reshape(count, self._columns)

    def products(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Products of operand pairs.

        Args:
            a: (N,) bit patterns of the activation.
            b: (N,) of the weight.

        Returns:
            (N,) bit patterns, of 32 bits where the product has no more, else of 64.

        Raises:
            HwsimError: as `rows`.
        """
        parts = []
        for start in range(0, len(a), AT_ONCE):
            pairs = [*zip(*(x[start : start + AT_ONCE].tolist() for x in (a, b)), strict=True)]
            request = b"".join(REQUEST.pack(x, 1, y, 1) for x, y in pairs)
            where = f"the operands being {pairs[0][0]} and {pairs[0][1]} or some after them"
            parts.append(self._answer(request, len(pairs), where))
        return np.concatenate(parts).astype(np.uint64)

    def _answer(self, request: bytes, count: int, where: str) -> NDArray[np.uint32]:
        try:
            try:
                process = self._idle.pop()
            except IndexError:
                process = self._opened()
            answer = process.ask(request, count * self._word.itemsize)
        except EndedError as error:
            raise HwsimError(f"{self._name} {self._reason(error.done)}, {where}") from None
        except OverLimitError:
            raise HwsimError(
                f"{self._name} took more than {self._seconds:g} s for {count:,} products, {where}"
            ) from None
        self._idle.append(process)
        return np.frombuffer(answer, self._word)

    def _opened(self) -> Conversation:
        self._started += 1
        process = self._stack.enter_context(self._start(self._started))
        self.head = bytes(process.ask(b"", self._size))
        return process

    def __enter__(self) -> "RunningModel":
        # What it says of itself is known before the first product.
        try:
            self._idle.append(self._opened())
        except EndedError as error:
            self._stack.close()
            raise HwsimError(f"{self._name} {self._reason(error.done)}") from None
        except OverLimitError:
            self._stack.close()
            raise HwsimError(f"{self._name} took more than {self._seconds:g} s to start") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def requests(read: Callable[[int], bytes]) -> Iterator[tuple[int, int, int, int]]:
    """The requests that a process gets, until nobody has any more."""
    while data := read(REQUEST.size):
        yield REQUEST.unpack(data)
