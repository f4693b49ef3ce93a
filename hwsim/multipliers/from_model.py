# SPDX-License-Identifier: Apache-2.0
"""A multiplier that is a C or a Python function."""

from dataclasses import dataclass, field
from pathlib import Path

from ..lut import Lut
from ..models.cmodel import TIME_LIMIT, c_model_table
from ..models.pymodel import python_model_table
from ..operands import Asked, Operands
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
        """Of the table."""
        return self.table().operands

    def circuit(self) -> None:
        """There is none."""

    def _make(self, _jobs: int | None, _progress: Progress | None) -> tuple[Lut, tuple[str, ...]]:
        (lut, notes), assumed = with_default(self._call, self.requested, name=self.name)
        return lut, (*assumed, *(f"{self.name}: {note}" for note in notes))

    def _call(self, asked: Asked) -> tuple[Lut, tuple[str, ...]]:
        if self.module.lower().endswith(C_SUFFIX):
            path = Path(self.module)
            return c_model_table(
                path, asked=asked, function=self.function, time_limit=self.time_limit
            )
        spec = f"{self.module}:{self.function}"
        return python_model_table(spec, asked=asked, time_limit=self.time_limit), ()
