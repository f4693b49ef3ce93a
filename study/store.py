# SPDX-License-Identifier: Apache-2.0
"""The store: a folder of Parquet files that is one data set, one row per finished budget.

    pandas.read_parquet("out/records")
    duckdb: SELECT multiplier, eps, accuracy FROM 'out/records/*.parquet'

What was computed together is one file, written atomically: a kill loses the cells in flight and
nothing else. A lock for each cell, which the system lets go of with its process, keeps two runs
on one store from computing the same thing.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from axhil.hwsim.files import write_atomically

from .cells import Cell, CellSettings, joined
from .errors import StudyError
from .statistics import proportion

FORMAT_VERSION = 2
"""1 was a folder of JSON files."""

_MARK = "store.json"
_LABEL = b"axhil_format"
_QUANTISATION = "quantisation_"
_FROM_SETTINGS = [one.name for one in fields(CellSettings)]
_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
SCHEMA = pa.schema(
    [
        *(
            (one.name, _TYPES[str(one.type)])
            for one in fields(CellSettings)
            if one.name not in ("budgets", "quantisation")
        ),
        *(
            (f"{_QUANTISATION}{key}", pa.string())
            for key in ("activations", "batch_norm", "weights")
        ),
        ("label", pa.string()),
        ("eps", pa.float64()),
        ("accuracy", pa.float64()),
        ("accuracy_low", pa.float64()),
        ("accuracy_high", pa.float64()),
        ("correct", pa.list_(pa.bool_())),
        ("zero_gradient", pa.float64()),
        ("warnings", pa.list_(pa.string())),
        ("seconds", pa.float64()),
        ("axhil", pa.string()),
        ("torch", pa.string()),
        ("python", pa.string()),
        ("device", pa.string()),
        ("threads", pa.int64()),
    ]
)
"""Columns of the data set: settings, result, environment."""

ENVIRONMENT = ("axhil", "torch", "python", "device", "threads")
TIMES = ("seconds", *ENVIRONMENT)
"""Columns that may differ between two runs of the same thing."""


def rows_of(cell: Cell) -> list[dict[str, Any]]:
    """One row of `SCHEMA` per budget of a cell."""
    settings = asdict(cell.settings)
    del settings["budgets"]
    quantisation = settings.pop("quantisation")
    rows = []
    results = zip(cell.settings.budgets, cell.correct, cell.seconds, strict=True)
    for eps, flags, seconds in results:
        accuracy = proportion(flags.count("1"), len(flags))
        rows.append(
            {
                **settings,
                **{f"{_QUANTISATION}{key}": value for key, value in quantisation.items()},
                "label": cell.label,
                "eps": eps,
                "accuracy": accuracy.value,
                "accuracy_low": accuracy.low,
                "accuracy_high": accuracy.high,
                "correct": [digit == "1" for digit in flags],
                "zero_gradient": cell.zero_gradient,
                "warnings": list(cell.warnings),
                "seconds": seconds,
                **cell.environment,
            }
        )
    return rows


def cell_of(rows: Sequence[dict[str, Any]]) -> Cell:
    """The cell whose rows these are."""
    first = rows[0]
    settings = {name: first[name] for name in _FROM_SETTINGS if name in first}
    quantisation = {
        name.removeprefix(_QUANTISATION): first[name]
        for name in SCHEMA.names
        if name.startswith(_QUANTISATION) and first[name] is not None
    }
    budgets = tuple(row["eps"] for row in rows)
    return Cell(
        settings=CellSettings(**settings, quantisation=quantisation, budgets=budgets),
        label=first["label"],
        correct=tuple("".join("01"[flag] for flag in row["correct"]) for row in rows),
        zero_gradient=first["zero_gradient"],
        warnings=tuple(first["warnings"]),
        seconds=tuple(row["seconds"] for row in rows),
        environment={key: first[key] for key in ENVIRONMENT if first[key] is not None},
    )


class CellStore:
    """Finished cells under one folder: `records/`, a mark with the format, locks of those at work.

    Args:
        folder: need not exist; reading never makes it.

    Raises:
        StudyError: it is of a newer format.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "records"
        self._check_format()

    def _check_format(self) -> None:
        mark = self.folder / _MARK
        if not mark.exists():
            return
        try:
            _check_version(
                json.loads(mark.read_bytes())["format_version"], what=f"the store {self.folder}"
            )
        except _DAMAGE as error:
            if isinstance(error, _NewerError):
                raise
            raise StudyError(
                f"{mark} is no mark of a store of axhil ({_reason(error)}); choose another --out"
            ) from error

    def get(self, settings: CellSettings) -> Cell | None:
        """Return the cell with these settings at all of these budgets, if it is finished.

        Raises:
            StudyError: a file of it is damaged.
        """
        found = self._all_of(settings)
        if found is None or not set(settings.budgets) <= set(found.settings.budgets):
            return None
        return found.at(settings.budgets)

    def missing(self, settings: CellSettings) -> tuple[float, ...]:
        """The budgets of a cell that are not finished yet."""
        found = self._all_of(settings)
        finished = () if found is None else found.settings.budgets
        return tuple(eps for eps in settings.budgets if eps not in finished)

    def _all_of(self, settings: CellSettings) -> Cell | None:
        paths = sorted(self.records.glob(f"{settings.key}-*.parquet"))
        return joined([_read(path, settings) for path in paths]) if paths else None

    def put(self, cell: Cell) -> None:
        """Make a finished cell durable.

        Raises:
            HwsimError: it cannot be written; what was there is as it was.
        """
        self.records.mkdir(parents=True, exist_ok=True)
        mark = self.folder / _MARK
        if not mark.exists():
            write_atomically(mark, f'{{"format_version": {FORMAT_VERSION}}}\n'.encode())
        write_atomically(self._path(cell.settings), _encoded(rows_of(cell)))

    def _path(self, settings: CellSettings) -> Path:
        part = hashlib.sha256(json.dumps(settings.budgets).encode()).hexdigest()[:8]
        return self.records / f"{settings.key}-{part}.parquet"

    @contextmanager
    def claim(self, settings: CellSettings) -> Iterator[bool]:
        """Hold the right to compute a cell, which ends with the block or the process.

        Yields:
            Whether it was free; False: somebody else is at it.
        """
        folder = self.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{settings.key}.lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True  # closing the file lets it go

    def cells(self) -> list[Cell]:
        """Every cell of the store, each with all of its budgets, ordered by the files' names."""
        parts: dict[str, list[Cell]] = {}
        for path in sorted(self.records.glob("*.parquet")):
            parts.setdefault(path.name.partition("-")[0], []).append(_read(path))
        return [joined(found) for found in parts.values()]


def write_cells(cells: Sequence[Cell], path: Path) -> Path:
    """Write cells as one Parquet file with the columns of the store, to keep or to pass on.

    Returns:
        The path.

    Raises:
        HwsimError: it cannot be written.
    """
    write_atomically(path, _encoded([row for cell in cells for row in rows_of(cell)]))
    return path


def read_cells(path: Path) -> list[Cell]:
    """Read such a file back, in its order.

    Raises:
        StudyError: it is damaged, newer, or no such file at all.
    """
    parts: dict[str, list[Cell]] = {}
    try:
        for row in _rows(path):
            cell = cell_of([row])
            parts.setdefault(cell.settings.key, []).append(cell)
    except _DAMAGE as error:
        if isinstance(error, _NewerError):
            raise
        raise StudyError(f"{path} is no file of records of axhil ({_reason(error)})") from error
    return [joined(found) for found in parts.values()]


class _NewerError(StudyError):
    """Not damaged: of a format that this version cannot know."""


_DAMAGE = (ValueError, TypeError, KeyError, IndexError, pa.ArrowException)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one file: not through a data set, so that nothing beside it matters."""
    table = pq.ParquetFile(path).read()
    _check_version(int((table.schema.metadata or {}).get(_LABEL, b"0")), what=str(path))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _check_version(version: int, *, what: str) -> None:
    if version > FORMAT_VERSION:
        raise _NewerError(
            f"{what} has format version {version}, this axhil reads up to {FORMAT_VERSION}: "
            f"upgrade axhil, or choose another --out"
        )


def _encoded(rows: Sequence[dict[str, Any]]) -> bytes:
    schema = SCHEMA.with_metadata({_LABEL: str(FORMAT_VERSION).encode()})
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def _read(path: Path, settings: CellSettings | None = None) -> Cell:
    """One file's cell; with settings given, it must be theirs."""
    try:
        cell = cell_of(_rows(path))
        if settings is not None and replace(cell.settings, budgets=settings.budgets) != settings:
            raise ValueError("its settings are not those of its name")
    except _DAMAGE as error:
        if isinstance(error, _NewerError):
            raise
        raise StudyError(
            f"{path} is no finished cell of axhil ({_reason(error)}); remove it to compute it again"
        ) from error
    return cell
