# SPDX-License-Identifier: Apache-2.0
"""The one way to files: read what is a file of a sane size, write what is never half there.

Whatever a user names may be a pipe that nobody writes to, a device without an end or a sparse file
of a terabyte. So it is judged by type and size before it is opened, and opened without waiting.
"""

import codecs
import io
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .errors import HwsimError

TEXT_LIMIT = 1 << 26
"""Bytes of a source: Verilog with its cell library, C; 64 MiB."""
TABLE_LIMIT = 3 << 27
"""Bytes of a table, 384 MiB: 12-bit operands as text need up to 310 MiB."""
IMAGE_LIMIT = 1 << 26
"""Bytes of an image file, compressed; 64 MiB."""
DATA_LIMIT = 1 << 30
"""Bytes of a file of a data set, a folder's records or its plan; 1 GiB."""
WEIGHTS_LIMIT = 1 << 33
"""Bytes of a network's weights: torchvision's largest have 2.6 GB; 8 GiB."""

_TOML_LIMIT = 1 << 20
_DEEP_KEY = re.compile(r"""(?:[\w"'-]{1,64}[ \t]{0,8}\.[ \t]{0,8}){40}""")
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class MissingFileError(HwsimError):
    """There is no such file."""


@contextmanager
def opened(path: Path, *, limit: int) -> Iterator[BinaryIO]:
    """Opens a file that a user named, unless it is none, or larger than such a file can be.

    Args:
        path: of a regular file, or of links to one.
        limit: bytes.

    Raises:
        MissingFileError: there is none.
        HwsimError: it is a folder, a pipe, a device or a socket, too large, or cannot be read.
    """
    try:
        _judge(path.stat(), path, limit)  # opening alone can wait, or do something to a device
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags), "rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror}") from error
    except OSError as error:
        raise HwsimError(f"cannot read {path}: {error.strerror or error}") from error
    except HwsimError:
        raise
    except ValueError as error:  # a zero or half a character in the name
        raise HwsimError(f"cannot read {str(path)!r}: {error}") from error
    with file:
        _judge(os.fstat(file.fileno()), path, limit)
        yield file


def require_file(path: Path, *, limit: int) -> Path:
    """A file that another program or library will open itself, judged as `opened` does.

    Raises:
        HwsimError: as `opened`.
    """
    with opened(path, limit=limit):
        return path


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The contents of a file that a user named.

    Raises:
        HwsimError: as `opened`; or it has not as many bytes as its size says, being written to or
            made by the system as it is read.
    """
    with opened(path, limit=limit) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            data = file.read(size + 1)
        except OSError as error:
            raise HwsimError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) != size:
        raise HwsimError(
            f"cannot read {path}: expected a file at rest, it is being written or made up by the "
            "system while it is read"
        )
    return data


def read_text(path: Path, *, limit: int = TEXT_LIMIT, errors: str = "strict") -> str:
    """The text of a file that a user named, in UTF-8; line ends as they are.

    Args:
        path: the file.
        limit: bytes.
        errors: what to do with other bytes, as `bytes.decode` has it.

    Raises:
        HwsimError: as `read_bytes` and `text_of`.
    """
    data = read_bytes(path, limit=limit)
    try:
        return text_of(data, errors=errors)
    except HwsimError as error:
        raise HwsimError(f"{path}: {error}") from error


def text_of(data: bytes, *, errors: str = "strict") -> str:
    """A file's text in UTF-8, with a byte order mark or without.

    Args:
        data: the file.
        errors: what to do with other bytes, as `bytes.decode` has it.

    Raises:
        HwsimError: it is no text.
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise HwsimError("expected a text in UTF-8, it is UTF-16: save it as UTF-8")
    zero = data.find(0)
    if zero >= 0:
        raise HwsimError(f"it is no text: byte {zero:,} is a zero")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode(errors=errors)
    except UnicodeDecodeError as error:
        raise HwsimError(f"it is no text: byte {error.start:,} is not UTF-8") from error


def read_toml(path: Path) -> dict[str, Any]:
    """The keys and values of a TOML file.

    Raises:
        HwsimError: as `read_text`, or it is no TOML.
    """
    text = read_text(path, limit=_TOML_LIMIT)
    try:
        if _DEEP_KEY.search(text):  # which tomllib takes hours for
            raise RecursionError
        return tomllib.loads(text)
    except RecursionError as error:
        raise HwsimError(f"{path} is no TOML file: it is nested too deeply") from error
    except ValueError as error:  # of tomllib, or of int
        raise HwsimError(f"{path} is no TOML file: {error}") from error


def json_of(data: bytes) -> Any:
    """The value that a JSON text in UTF-8 stands for.

    Raises:
        HwsimError: it is no JSON, or has half a character in it, which no file could be given.
    """
    try:
        value = json.loads(data.removeprefix(codecs.BOM_UTF8).decode())
        if _HALF_CHARACTER.search(data):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError as error:
        raise HwsimError("it is not JSON (nested too deeply)") from error
    except ValueError as error:
        raise HwsimError(f"it is not JSON ({error})") from error


def array_of(data: bytes) -> NDArray[Any]:
    """The integers of a `.npy` file, allocated only if they are all there.

    Raises:
        HwsimError: it is no such file, cut, or of something else than integers.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = header(file)
    except Exception as error:  # the header is parsed as Python, which may fail in any way
        reason = str(error).partition("\n")[0]
        raise HwsimError(f"it is no NumPy array, or cut ({reason:.200})") from error
    if dtype.kind not in "iu":
        raise HwsimError(f"expected an array of integers, got {dtype.str:.60}")
    start = file.tell()
    there = len(data) - start
    # Each side alone first: the product of what a header may claim has no end.
    sane = all(0 <= side <= there for side in shape)
    if not sane or prod(shape) * dtype.itemsize != there:
        raise HwsimError(f"it is cut, or its header is not of the {there:,} bytes behind it")
    array = np.frombuffer(data, dtype, offset=start)
    return array.reshape(shape, order="F" if fortran else "C")


def write_atomically(path: Path, data: bytes) -> None:
    """Puts `data` at `path` through a temporary file beside it, durable before it appears.

    Raises:
        HwsimError: the directory does not exist or is not writable, the disk is full, or what is
            there is no file.
    """
    scratch = path.with_name(f".axhil.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        if path.exists() and not path.is_file():
            raise HwsimError(
                f"cannot write {path}: expected a file or nothing there, {_what(path)}"
            )
        try:
            with scratch.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # makes the new name durable
        finally:
            os.close(folder)
    except OSError as error:
        raise HwsimError(f"cannot write {path}: {error.strerror or error}") from error


def cache_folder() -> Path | None:
    """Where what can be made again is kept between runs; None where there is no place for them."""
    given = os.environ.get("AXHIL_CACHE")
    if given:
        return Path(given)
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return Path(base) / "axhil"


def _judge(facts: os.stat_result, path: Path, limit: int) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise HwsimError(f"expected a file at {path}, but {_what(path)}")
    if facts.st_size > limit:
        raise HwsimError(
            f"cannot read {path}: it has {facts.st_size:,} bytes, expected at most {limit:,}"
        )


def _what(path: Path) -> str:
    kind = stat.S_IFMT(path.stat().st_mode)
    return f"it is {_KINDS.get(kind, 'something else')}"
