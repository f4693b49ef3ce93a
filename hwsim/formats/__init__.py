# SPDX-License-Identifier: Apache-2.0
"""Tables in the formats of other tools, each with its index order and operand roles spelt out."""

from .format import Format
from .registry import (
    FORMATS,
    NPZ,
    format_names,
    has_format,
    read_table,
    table_suffixes,
    write_table,
)

__all__ = [
    "FORMATS",
    "NPZ",
    "Format",
    "format_names",
    "has_format",
    "read_table",
    "table_suffixes",
    "write_table",
]
