# SPDX-License-Identifier: Apache-2.0
"""The table of all products of a multiplier: the contract between hardware and software.

On disk a table is one `.npz`: `table.npy` (little-endian int32, C order) and `manifest.json`, in a
zip whose bytes depend on nothing but the table and the manifest.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import HwsimError
from .files import TABLE_LIMIT, array_of, json_of, read_bytes, write_atomically
from .operands import MAX_BITS, Operand, Operands

FORMAT_VERSION = 2
"""Newest version of the file format; a file with a higher one is refused.

Version 1 says `width` and `signed` for both operands, version 2 `activation` and `weight`, each as
`s8`. What version 1 can say is written as version 1.
"""

_TABLE, _MANIFEST = "table.npy", "manifest.json"
_MANIFEST_LIMIT = 1 << 24
_MEMBER, _MOST_MEMBERS = b"PK\1\2", 64  # how a zip lists a file; a million would fill the memory
_OPERAND_KEYS = {"width", "signed", "activation", "weight"}


@dataclass(frozen=True, eq=False)
class Lut:
    """All products of one multiplier.

    >>> lut = Lut(np.zeros((256, 16), int), *Operands.parse("u8xs4"))
    >>> lut.weight.values
    array([ 0,  1,  2,  3,  4,  5,  6,  7, -8, -7, -6, -5, -4, -3, -2, -1])

    Attributes:
        table: (2^activation bits, 2^weight bits) int32, read-only. Row = activation = first operand
            port, column = weight = second operand port; signed operands are indexed by their two's
            complement bit pattern (0..127, -128..-1 for 8 bits).
        activation: what a row's operand is, 1..12 bits.
        weight: what a column's operand is, 1..12 bits.
        manifest: where the table comes from, JSON-able; empty for a table made by hand.

    Raises:
        HwsimError: the shape is not that of the operands, or the values are not 32-bit integers.
    """

    table: NDArray[np.int32]
    activation: Operand
    weight: Operand
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.operands.require_table().shape
        given = np.asarray(self.table)
        if given.shape != shape:
            raise HwsimError(
                f"expected a table of shape {shape} for {self.operands}, got {given.shape}"
            )
        if given.dtype.kind not in "iu":
            raise HwsimError(f"expected a table of integers, got {given.dtype}")
        limit = np.iinfo(np.int32)
        if given.min() < limit.min or given.max() > limit.max:
            raise HwsimError("expected products that fit 32-bit signed integers")
        table = np.array(given, dtype=np.int32, order="C")
        table.flags.writeable = False
        object.__setattr__(self, "table", table)
        # A deep copy through JSON: later changes to the caller's mapping stay outside, and a value
        # that JSON cannot hold fails here and not when saving.
        object.__setattr__(self, "manifest", json.loads(json.dumps(dict(self.manifest))))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Lut):
            return NotImplemented
        return self.operands == other.operands and np.array_equal(self.table, other.table)

    def __hash__(self) -> int:
        return hash((self.operands, self.sha256))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the table as little-endian int32 in C order, hexadecimal.

        Where the operands differ, their code stands before the table: the same bytes may be another
        table then.
        """
        code = b"" if self.operands.equal else self.operands.code.encode()
        return hashlib.sha256(code + self.table.astype("<i4").tobytes()).hexdigest()

    @property
    def name(self) -> str:
        """The multiplier's spelling, else the top module, else `lut`."""
        names = (self.manifest.get(key) for key in ("multiplier", "top"))
        return next((name for name in names if name and isinstance(name, str)), "lut")

    @property
    def operands(self) -> Operands:
        """Both operands."""
        return Operands(self.activation, self.weight)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the table so that `path` is at every moment absent, the old file or the new one.

        Raises:
            HwsimError: the file cannot be written.
        """
        write_atomically(Path(path), self._to_bytes())

    def _to_bytes(self) -> bytes:
        array = io.BytesIO()
        np.lib.format.write_array(array, self.table.astype("<i4"), version=(1, 0))
        manifest = {key: value for key, value in self.manifest.items() if key not in _OPERAND_KEYS}
        if self.operands.equal:
            manifest |= {"format_version": 1, "width": self.weight.bits}
            manifest |= {"signed": self.weight.signed}
        else:
            manifest |= {"format_version": 2, "activation": self.activation.code}
            manifest |= {"weight": self.weight.code}
        manifest["table_sha256"] = self.sha256
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in ((_MANIFEST, text.encode()), (_TABLE, array.getvalue())):
                # The default date (1980) and fixed attributes: the bytes must be reproducible.
                member = zipfile.ZipInfo(name)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.create_system = 3
                member.external_attr = 0o644 << 16
                archive.writestr(member, data, compresslevel=9)
        return packed.getvalue()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Lut":
        """Reads and validates a table.

        Raises:
            HwsimError: missing, unreadable, cut, altered, of a newer format or of another shape;
                the sentence names the path.
        """
        data = read_bytes(Path(path), limit=TABLE_LIMIT)
        try:
            return cls._from_bytes(data)
        except HwsimError as error:
            raise HwsimError(f"LUT {path}: {error}") from error
        except Exception as error:  # zipfile says of no set of errors that it is all of them
            raise HwsimError(
                f"LUT {path} is damaged or no .npz file ({error}); write it again with `axhil lut`"
            ) from error

    @classmethod
    def _from_bytes(cls, data: bytes) -> "Lut":
        if data.count(_MEMBER) > _MOST_MEMBERS:
            raise HwsimError(f"expected two files in it, found more than {_MOST_MEMBERS}")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            manifest = _read_manifest(archive)
            operands = _operands(manifest)
            raw = _member(archive, _TABLE, limit=4 * operands.product.count + 4096)
        try:
            table = array_of(raw)
        except HwsimError as error:
            raise HwsimError(f"{_TABLE}: {error}") from error
        if table.dtype != np.dtype("<i4"):
            raise HwsimError(f"expected a table of little-endian int32, got {table.dtype.str}")
        lut = cls(table, *operands, manifest)
        if lut.sha256 != manifest.get("table_sha256"):
            raise HwsimError(
                "the table does not match the SHA-256 in its manifest; write it again "
                "with `axhil lut`"
            )
        return lut


def _read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        manifest = json_of(_member(archive, _MANIFEST, limit=_MANIFEST_LIMIT))
    except HwsimError as error:
        raise HwsimError(f"{_MANIFEST}: {error}") from error
    if not isinstance(manifest, dict):
        raise HwsimError(f"expected {_MANIFEST} to hold an object, got {manifest!r:.40}")
    version = manifest.get("format_version")
    if type(version) is not int or version < 1:
        raise HwsimError(f"expected a format_version of 1..{FORMAT_VERSION}, got {version!r:.40}")
    if version > FORMAT_VERSION:
        raise HwsimError(
            f"format version {version} is newer than this axhil reads "
            f"({FORMAT_VERSION}); upgrade axhil or write the table again"
        )
    return manifest


def _operands(manifest: Mapping[str, Any]) -> Operands:
    """What a manifest says of the operands, before anything is allocated for them."""
    if manifest["format_version"] == 1:
        width, signed = manifest.get("width"), manifest.get("signed")
        if type(width) is int and 1 <= width <= MAX_BITS and type(signed) is bool:
            return Operands.both(width, signed)
        raise HwsimError(
            f"expected a width of 1..{MAX_BITS} and signed true or false in its manifest, "
            f"got {width!r:.40} and {signed!r:.40}"
        )
    codes = manifest.get("activation"), manifest.get("weight")
    try:
        activation, weight = (Operand.parse(f"{code}"[:40]) for code in codes)
        return Operands(activation, weight).require_table()
    except HwsimError as error:
        raise HwsimError(
            "expected activation and weight such as u8 and s4 in its manifest, got "
            f"{codes[0]!r:.40} and {codes[1]!r:.40}: {error}"
        ) from error


def _member(archive: zipfile.ZipFile, name: str, *, limit: int) -> bytes:
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise HwsimError(f"there is no {name} in it, so it is no table of axhil") from None
    if member.file_size > limit:
        raise HwsimError(f"{name} in it has {member.file_size} bytes, expected at most {limit}")
    return archive.read(member)
