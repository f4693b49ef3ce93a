# SPDX-License-Identifier: Apache-2.0
"""What a study found: tables as values, and their printers."""

if __name__ != "axhil.report":
    raise ImportError("expected: import axhil.report")
