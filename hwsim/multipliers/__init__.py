# SPDX-License-Identifier: Apache-2.0
"""Multipliers by name, and their tables."""

from .catalogued import PAPER_MULTIPLIERS, S8, Catalogued, golden, legal_multipliers
from .extraction import extract

__all__ = ["PAPER_MULTIPLIERS", "S8", "Catalogued", "extract", "golden", "legal_multipliers"]
