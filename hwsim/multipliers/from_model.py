# SPDX-License-Identifier: Apache-2.0
"""A multiplier that is a C or a Python function."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..lut import Lut
from ..models.cmodel import TIME_LIMIT, c_model_operands, c_model_table
from ..models.cmodel_running import c_model_running
from ..models.pymodel import python_model_running, python_model_table
from ..models.running import RunningModel
from ..operands import Asked, Operands, UnknownOperandsError
from .from_file import with_default
from .multiplier import KeptTable, Progress

C_SUFFIX = ".c"


@dataclass(frozen=True)
class FromModel(KeptTable):
    """A function of two integers. Its table is never cached: what else it reads is unknown.

    Attributes:
        module: a C file, a Python file, or a Python module that can be imported.
        function: in it; None for the only one of a C file.
        requested: what the user or the context says of its operands.
        time_limit: seconds for all products.
    """

    module: str
    function: str | None = None
    requested: Asked = field(default_factory=Asked)
    time_limit: float = TIME_LIMIT

    @property
    def name(self) -> str:
        """The file without its folder, and the function where it was named."""
        file = Path(self.module).name
        return file if self.function is None else f"{file}:{self.function}"

    @property
    def label(self) -> str:
        """The function, or the file's stem."""
        return self.function or Path(self.module).stem

    @property
    def operands(self) -> Operands:
        """What the function multiplies; it is not called for that."""
        return self._settled[0]

    @cached_property
    def _settled(self) -> tuple[Operands, tuple[str, ...]]:
        (operands, notes), assumed = with_default(self._read, self.requested, name=self.name)
        return operands, (*assumed, *notes)

    def _read(self, asked: Asked) -> tuple[Operands, tuple[str, ...]]:
        if self._is_c:
            return c_model_operands(Path(self.module), asked=asked, function=self.function)
        try:
            return asked.settle(table=False), ()
        except UnknownOperandsError as error:
            raise UnknownOperandsError(f"{self._spec}: {error}") from error

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the table; of the operands where there is none."""
        return super().notes or self.__dict__.get("_settled", ((), ()))[1]

    @contextmanager
    def running(self) -> Iterator["RunningMultiplier"]:
        """The same function for operands that are too wide for a table.

        Raises:
            HwsimError: it does not compile, cannot be imported, or cannot take such operands.
        """
        own = (self.module, self.function, self.requested, self.time_limit)
        if self._is_c:
            with c_model_running(
                Path(self.module), self.operands, function=self.function, time_limit=self.time_limit
            ) as model:
                yield RunningMultiplier(*own, model=model, by_rows=True)
        else:
            with python_model_running(self._spec, self.operands, time_limit=self.time_limit) as (
                model,
                by_rows,
            ):
                yield RunningMultiplier(*own, model=model, by_rows=by_rows)

    def circuit(self) -> None:
        """There is none."""

    def _make(self, _jobs: int | None, _progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        (lut, notes), assumed = with_default(self._call, self.requested, name=self.name)
        return lut, (*assumed, *(f"{self.name}: {note}" for note in notes))

    def _call(self, asked: Asked) -> tuple[Lut, tuple[str, ...]]:
        if self._is_c:
            path = Path(self.module)
            return c_model_table(
                path, asked=asked, function=self.function, time_limit=self.time_limit
            )
        return python_model_table(self._spec, asked=asked, time_limit=self.time_limit), ()

    @property
    def _is_c(self) -> bool:
        return self.module.lower().endswith(C_SUFFIX)

    @property
    def _spec(self) -> str:
        return f"{self.module}:{self.function}"


@dataclass(frozen=True, eq=False)
class RunningMultiplier(FromModel):
    """A function in a process that keeps running.

    Attributes:
        model: the process.
        by_rows: it is fast enough for all products of 16-bit operands.
    """

    model: RunningModel = field(kw_only=True)
    by_rows: bool = field(kw_only=True)

    def rows(self, first: int, count: int) -> NDArray[np.uint32]:
        """Products of some rows, as `FromFormula.rows`."""
        return self.model.rows(first, count)

    def products(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.uint64]:
        """(N,) bit patterns of the products of (N,) operand patterns, of 32 bits or of 64."""
        return self.model.products(a, b)
