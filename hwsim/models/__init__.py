# SPDX-License-Identifier: Apache-2.0
"""Multipliers that are programs: C and Python models, each in a process of its own."""
