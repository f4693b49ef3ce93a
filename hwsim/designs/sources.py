# SPDX-License-Identifier: Apache-2.0
"""Where the Verilog is, and which files a design needs."""

import hashlib
from pathlib import Path

from ..errors import HwsimError
from ..files import TEXT_LIMIT, read_bytes


def rtl_dir() -> Path:
    """The folder of the project's Verilog: package data in a wheel, `rtl/` in a checkout.

    Raises:
        HwsimError: neither exists.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "rtl", package.parent / "rtl")
    for place in places:
        if (place / "mul_exact.v").is_file():
            return place
    raise HwsimError(
        f"expected the Verilog of axhil in {places[0]} or {places[1]}, found neither; "
        "install axhil again"
    )


def source(module: str, *, rtl: Path | None = None) -> Path:
    """The file of one module: file = module.

    Args:
        module: name without `.v`.
        rtl: another folder than the project's own.

    Raises:
        HwsimError: no such file.
    """
    path = (rtl or rtl_dir()) / f"{module}.v"
    if not path.is_file():
        raise HwsimError(f"expected the Verilog of {module} at {path}, found no such file")
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a source file, hexadecimal.

    Raises:
        HwsimError: the file cannot be read.
    """
    return hashlib.sha256(read_bytes(path, limit=TEXT_LIMIT)).hexdigest()
