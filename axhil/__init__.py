# SPDX-License-Identifier: Apache-2.0
"""Approximate hardware in the loop: from a multiplier's Verilog to a network's robustness."""
