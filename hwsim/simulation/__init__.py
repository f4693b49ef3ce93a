# SPDX-License-Identifier: Apache-2.0
"""A circuit in a simulator: streams of operand pairs, live products, arrays of MACs.

Each has a harness (Verilog around the circuit) and a bench (cocotb, inside the simulator); all are
built, watched and ended by `tools.runner`.
"""
