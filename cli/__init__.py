# SPDX-License-Identifier: Apache-2.0
"""The command line."""

if __name__ != "axhil.cli":
    raise ImportError("expected: import axhil.cli")

from .main import main

__all__ = ["main"]
