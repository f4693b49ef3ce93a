# SPDX-License-Identifier: Apache-2.0
"""The store: a folder of Parquet files that is one data set, one row per finished budget.

    pandas.read_parquet("out/records")
    duckdb: SELECT multiplier, eps, accuracy
            FROM read_parquet('out/records/*.parquet', union_by_name = true)

A file has a column for each setting that one of its cells does not leave at its default.

What was computed together is one file, written atomically: a kill loses the cells in flight and
nothing else. A lock for each cell, which the system lets go of with its process, keeps two runs
on one store from computing the same thing.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from axhil.hwsim.files import DATA_LIMIT, json_of, read_bytes, write_atomically

from ..errors import StudyError
from ..statistics import proportion
from .cells import (
    FORMAT_VERSION,
    Cell,
    CellSettings,
    NewerError,
    check_version,
    joined,
    read_settings,
    typed,
)

SILENCE = 30.0
"""Seconds without a sign of life after which another run's cell is taken over."""

_MARK = "store.json"
_MARK_LIMIT = 1 << 16
_MOST_VALUES = 1 << 28  # flags of images, a file's metadata says how many: 2 GiB as they are read
_LISTING_SHARE = 20  # so many times as long as it took to make, a listing is believed
_LABEL = b"axhil_format"
_QUANTISATION = "quantisation_"
_QUANTISATIONS = {"activations", "batch_norm", "weights"}  # that every record has
_COST = "cost_"
_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_RESULTS = (
    ("label", pa.string()),
    ("eps", pa.float64()),
    ("accuracy", pa.float64()),
    ("accuracy_low", pa.float64()),
    ("accuracy_high", pa.float64()),
    ("correct", pa.list_(pa.bool_())),
    ("zero_gradient", pa.float64()),
    ("warnings", pa.list_(pa.string())),
    ("seconds", pa.float64()),
)
_SUITE = ("broken_by", pa.list_(pa.string()))  # where a cell has it
_ENVIRONMENT = (
    ("axhil", pa.string()),
    ("torch", pa.string()),
    ("python", pa.string()),
    ("device", pa.string()),
    ("threads", pa.int64()),
)
ENVIRONMENT = tuple(name for name, _ in _ENVIRONMENT)
TIMES = ("seconds", *ENVIRONMENT)
"""Columns that may differ between two runs of the same thing."""


def schema_of(cells: Sequence[Cell]) -> pa.Schema:
    """Columns of some cells: settings, result, environment, cost."""
    written = {name for cell in cells for name in cell.settings.written()}
    settings = [
        (one.name, _TYPES[str(one.type)])
        for one in fields(CellSettings)
        if one.name not in ("budgets", "quantisation")
        and (one.default is MISSING or one.name in written)
    ]
    chosen = _QUANTISATIONS.union(*(cell.settings.quantisation for cell in cells))
    quantisation = [(f"{_QUANTISATION}{key}", pa.string()) for key in sorted(chosen)]
    suite = [_SUITE] if any(cell.broken_by for cell in cells) else []
    figures = dict.fromkeys(figure for cell in cells for figure in cell.cost)
    cost = [(f"{_COST}{figure.replace(' ', '_')}", pa.float64()) for figure in figures]
    return pa.schema([*settings, *quantisation, *_RESULTS, *suite, *_ENVIRONMENT, *cost])


def rows_of(cell: Cell) -> list[dict[str, Any]]:
    """One row per budget of a cell, with the columns of `schema_of` it."""
    settings = cell.settings.written()
    del settings["budgets"]
    quantisation = settings.pop("quantisation")
    rows = []
    broken_by = cell.broken_by or (None,) * len(cell.correct)
    results = zip(cell.settings.budgets, cell.correct, cell.seconds, broken_by, strict=True)
    for eps, flags, seconds, by in results:
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
                **({} if by is None else {_SUITE[0]: list(by)}),
                **cell.environment,
                **{f"{_COST}{key.replace(' ', '_')}": value for key, value in cell.cost.items()},
            }
        )
    return rows


def cell_of(rows: Sequence[Mapping[str, Any]], *, version: int) -> Cell:
    """The cell whose rows these are, as a version of the format wrote them.

    Raises:
        NewerError: see `cells.read_settings`.
        KeyError, TypeError, ValueError: no rows of a cell.
    """
    first = rows[0]
    others = {name for name, _ in (*_RESULTS, _SUITE, *_ENVIRONMENT)}
    settings = {
        name: value for name, value in first.items() if name not in others and value is not None
    }
    quantisation = {
        name.removeprefix(_QUANTISATION): settings.pop(name)
        for name in list(settings)
        if name.startswith(_QUANTISATION)
    }
    cost = {
        name.removeprefix(_COST).replace("_", " "): settings.pop(name)
        for name in list(settings)
        if name.startswith(_COST)
    }
    budgets = [row["eps"] for row in rows]
    broken_by = [row.get(_SUITE[0]) for row in rows]
    body = {**settings, "quantisation": quantisation, "budgets": budgets}
    return typed(
        Cell,
        {
            "settings": read_settings(body, version=version),
            "label": first["label"],
            "correct": tuple("".join("01"[flag] for flag in row["correct"]) for row in rows),
            "zero_gradient": first["zero_gradient"],
            "warnings": tuple(first["warnings"]),
            "seconds": tuple(row["seconds"] for row in rows),
            "environment": {key: first[key] for key in ENVIRONMENT if first[key] is not None},
            "cost": cost,
            "broken_by": () if broken_by[0] is None else tuple(tuple(by or ()) for by in broken_by),
        },
    )


class _Listing:
    """The names in a folder by what stands before their hyphen.

    Of ten thousand files it takes longer to list them than to read one. A listing is kept for a
    multiple of the time it took: what another run adds meanwhile is at worst computed twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, list[str]] = {}
        self._until = 0.0

    def names(self, key: str) -> list[str]:
        """Those of one key."""
        began = time.monotonic()
        if began > self._until:
            found: dict[str, list[str]] = {}
            for path in self._folder.glob("*.parquet"):
                found.setdefault(path.name.partition("-")[0], []).append(path.name)
            ended = time.monotonic()
            self._names, self._until = found, ended + _LISTING_SHARE * (ended - began)
        return self._names.get(key, [])


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
        self._listing = _Listing(self.records)
        self._held: set[Path] = set()
        self._beats: dict[Path, tuple[int, float]] = {}
        self._check_format()

    def _check_format(self) -> None:
        mark = self.folder / _MARK
        if not mark.exists():
            return
        content = read_bytes(mark, limit=_MARK_LIMIT)
        with reading(mark, "is no mark of a store of axhil ({}); choose another --out"):
            check_version(json_of(content)["format_version"])

    def get(self, settings: CellSettings) -> Cell | None:
        """Return the cell with these settings at all of these budgets, if it is finished.

        Raises:
            StudyError: a file of it is damaged.
        """
        found = self.finished(settings)
        return found if found and found.settings.budgets == settings.budgets else None

    def missing(self, settings: CellSettings) -> tuple[float, ...]:
        """The budgets of a cell that are not finished yet."""
        found = self.finished(settings)
        have = () if found is None else found.settings.budgets
        return tuple(eps for eps in settings.budgets if eps not in have)

    def finished(self, settings: CellSettings) -> Cell | None:
        """The cell at those of its budgets that are finished; None where none is.

        Raises:
            StudyError: a file of it is damaged.
        """
        key = settings.key
        paths = {self._path(settings), *(self.records / name for name in self._listing.names(key))}
        parts = [_read(path, settings) for path in sorted(paths) if path.exists()]
        if not parts:
            return None
        whole = joined(parts)
        have = [eps for eps in settings.budgets if eps in whole.settings.budgets]
        return whole.at(have) if have else None

    def put(self, cell: Cell) -> None:
        """Make a finished cell durable.

        Raises:
            HwsimError: it cannot be written; what was there is as it was.
        """
        self.records.mkdir(parents=True, exist_ok=True)
        mark = self.folder / _MARK
        if not mark.exists():
            write_atomically(mark, f'{{"format_version": {FORMAT_VERSION}}}\n'.encode())
        write_atomically(self._path(cell.settings), _encoded([cell]))

    def _path(self, settings: CellSettings) -> Path:
        part = hashlib.sha256(json.dumps(settings.budgets).encode()).hexdigest()[:8]
        return self.records / f"{settings.key}-{part}.parquet"

    @contextmanager
    def claim(self, settings: CellSettings) -> Iterator[bool]:
        """Hold the right to compute a cell, which ends with the block or the process.

        Whoever holds it calls `beat` now and then. From a holder that is stopped it is taken over:
        both come to the same result.

        Yields:
            Whether it was free; False: another run is at it.
        """
        folder = self.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{settings.key}.lock"
        with path.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not self._silent(path):
                    yield False
                    return
            self._held.add(path)
            try:
                yield True  # closing the file lets it go
            finally:
                self._held.discard(path)

    def beat(self) -> None:
        """Tell other runs that this one is at work on the cells it holds."""
        with suppress(OSError):  # a full disk stops nobody from computing
            for path in tuple(self._held):
                os.utime(path)

    def _silent(self, path: Path) -> bool:
        """Whether a holder has given no sign for as long as this run has looked."""
        now, beat = time.monotonic(), path.stat().st_mtime_ns
        if self._beats.get(path, (None,))[0] != beat:
            self._beats[path] = (beat, now)
        return now - self._beats[path][1] > SILENCE

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
    write_atomically(path, _encoded(cells))
    return path


def read_cells(path: Path) -> list[Cell]:
    """Read such a file back, in its order.

    Raises:
        StudyError: it is damaged, newer, or no such file at all.
    """
    parts: dict[str, list[Cell]] = {}
    content = read_bytes(path, limit=DATA_LIMIT)
    with reading(path, "is no file of records of axhil ({})"):
        rows, version = _rows(content)
        for row in rows:
            cell = cell_of([row], version=version)
            parts.setdefault(cell.settings.key, []).append(cell)
    return [joined(found) for found in parts.values()]


@contextmanager
def reading(path: Path, damaged: str) -> Iterator[None]:
    """Explain what goes wrong while a file is read.

    Args:
        path: the file.
        damaged: what to say of it, with {} for the reason.

    Raises:
        NewerError: a later axhil wrote it.
        StudyError: it is damaged.
    """
    try:
        yield
    except NewerError as error:
        raise NewerError(f"{path} {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # what is there may be of any type, and Arrow raise anything
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise StudyError(f"{path} {damaged.format(f'{reason:.300}')}") from error


def _rows(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """A file's rows and its format; not through a data set, so that nothing beside it matters."""
    file = pq.ParquetFile(pa.BufferReader(content))
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    values = sum(one.column(n).num_values for one in groups for n in range(one.num_columns))
    if max(values, file.metadata.num_rows) > _MOST_VALUES:
        raise ValueError(f"it claims {values:,} values, expected at most {_MOST_VALUES:,}")
    # Alone: threads of Arrow that start as the process ends abort it.
    table = file.read(use_threads=False)
    version = int((table.schema.metadata or {}).get(_LABEL, b"0"))
    check_version(version)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows, version


def _encoded(cells: Sequence[Cell]) -> bytes:
    rows = [row for cell in cells for row in rows_of(cell)]
    schema = schema_of(cells).with_metadata({_LABEL: str(FORMAT_VERSION).encode()})
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def _read(path: Path, settings: CellSettings | None = None) -> Cell:
    """One file's cell; with settings given, it must be theirs."""
    content = read_bytes(path, limit=DATA_LIMIT)
    with reading(path, "is no finished cell of axhil ({}); remove it to compute it again"):
        rows, version = _rows(content)
        cell = cell_of(rows, version=version)
        if settings is not None and replace(cell.settings, budgets=settings.budgets) != settings:
            raise ValueError("its settings are not those of its name")
    return cell
