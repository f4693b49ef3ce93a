# SPDX-License-Identifier: Apache-2.0
"""Tables in the formats of other tools, each with its index order and operand roles spelt out."""

from .format import Asked, Format, Kind, UnknownKindError
from .registry import FORMATS, NAMES, NPZ, has_format, read_table, write_table

__all__ = [
    "FORMATS",
    "NAMES",
    "NPZ",
    "Asked",
    "Format",
    "Kind",
    "UnknownKindError",
    "has_format",
    "read_table",
    "write_table",
]
