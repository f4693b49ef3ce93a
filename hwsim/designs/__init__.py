# SPDX-License-Identifier: Apache-2.0
"""Families of multipliers, one file each: parameters, legality, reference, label, Verilog."""
