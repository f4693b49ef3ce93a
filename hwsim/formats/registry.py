# SPDX-License-Identifier: Apache-2.0
"""Every format by name and suffix, and reading and writing files in them."""

import hashlib
import importlib
import os
import pkgutil
import sys
from pathlib import Path

from ..errors import HwsimError
from ..files import TABLE_LIMIT, read_bytes, write_atomically
from ..lut import Lut
from ..metrics import error_metrics
from ..operands import Asked, UnknownOperandsError
from .format import Format

NPZ = "npz"
"""The name of axhil's own tables, which are read and written by `Lut`."""

FORMATS: dict[str, Format] = {}
"""Every other format by name; a new one is a `Format` in a module of this package."""


def discover() -> None:
    """Fills FORMATS from the modules of this package."""
    package = sys.modules[__package__]
    found = [
        one
        for module in sorted(module.name for module in pkgutil.iter_modules(package.__path__))
        if module != "registry"
        for one in vars(importlib.import_module(f".{module}", __package__)).values()
        if isinstance(one, Format)
    ]
    # Where formats share a suffix, those that can be told by their content are asked first.
    FORMATS.update({one.name: one for one in sorted(found, key=lambda one: one.sniff is None)})


discover()


def format_names() -> tuple[str, ...]:
    """Names of all formats, axhil's own among them."""
    return (NPZ, *FORMATS)


def table_suffixes() -> tuple[str, ...]:
    """Suffixes that mean a table file."""
    return tuple(dict.fromkeys([f".{NPZ}", *(s for one in FORMATS.values() for s in one.suffixes)]))


def has_format(path: Path) -> bool:
    """Whether the suffix means a table file."""
    return path.suffix.lower() in table_suffixes()


def read_table(
    path: str | os.PathLike[str], *, form: str | None = None, asked: Asked | None = None
) -> Lut:
    """Reads a table of any format.

    Args:
        path: the file.
        form: a name of `format_names`; None goes by the suffix and, where several share it, the
            content.
        asked: what the user, or the table compared with, says of the operands.

    Returns:
        The table; its manifest names the file, the format and the file's SHA-256.

    Raises:
        UnknownOperandsError: nobody says whether its operands are signed.
        HwsimError: missing, cut, not a table, or contradicting what is asked.
    """
    file, asked = Path(path), asked or Asked()
    if (form or file.suffix.lower().removeprefix(".")) == NPZ:
        lut = Lut.load(file)
        _agree(asked, lut, path)
        return lut
    data = read_bytes(file, limit=TABLE_LIMIT)
    name = form or _named_by(file, data)
    try:
        bare = _format(name).read(data, asked)
    except UnknownOperandsError as error:
        raise UnknownOperandsError(f"{path}: {error}") from error
    except HwsimError as error:
        raise HwsimError(f"{path} is no table in the format {name}: {error}") from error
    manifest = {
        "top": file.stem,
        "imported": {
            "file": file.name,
            "format": name,
            "sha256": hashlib.sha256(data).hexdigest(),
        },
        "metrics": error_metrics(bare).as_dict(),
    }
    return Lut(bare.table, *bare.operands, manifest)


def write_table(lut: Lut, path: str | os.PathLike[str], *, form: str | None = None) -> str:
    """Writes a table in any format, atomically.

    Args:
        lut: the table.
        path: the file; its folder must exist.
        form: one of `format_names`; None goes by the suffix.

    Returns:
        The format's name.

    Raises:
        HwsimError: the format cannot hold the table, the suffix does not tell the format, or the
            file cannot be written. Nothing is written then.
    """
    file = Path(path)
    name = form or _chosen_by_suffix(file)
    if name == NPZ:
        lut.save(file)
        return name
    try:
        data = _format(name).write(lut)
    except HwsimError as error:
        raise HwsimError(f"cannot write {lut.name} as {name}: {error}") from error
    write_atomically(file, data)
    return name


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise HwsimError(f"unknown format {name!r}: expected one of {', '.join(format_names())}")
    return FORMATS[name]


def _candidates(path: Path) -> list[Format]:
    return [one for one in FORMATS.values() if path.suffix.lower() in one.suffixes]


def _named_by(path: Path, data: bytes) -> str:
    for one in _candidates(path):
        if one.sniff is None or one.sniff(data):
            return one.name
    raise HwsimError(_unknown_suffix(path, "--from"))


def _chosen_by_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return NPZ
    candidates = _candidates(path)
    candidates = [one for one in candidates if suffix in one.usual] or candidates
    if not candidates:
        raise HwsimError(_unknown_suffix(path, "--to"))
    if len(candidates) > 1:
        names = " or ".join(f"--to {one.name}" for one in candidates)
        raise HwsimError(f"{path}: several formats use the suffix {suffix}, say {names}")
    return candidates[0].name


def _unknown_suffix(path: Path, option: str) -> str:
    suffix = f"the suffix {path.suffix}" if path.suffix else "a name without suffix"
    names = ", ".join(format_names())
    return f"{path}: {suffix} tells no table format, say {option} with one of {names}"


def _agree(asked: Asked, lut: Lut, path: str | os.PathLike[str]) -> None:
    try:
        asked.settle(bits=lut.operands.bits, signs=lut.operands.signs)
    except HwsimError as error:
        raise HwsimError(f"{path}: {error} (it is a table of {lut.operands})") from error
