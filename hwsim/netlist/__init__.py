# SPDX-License-Identifier: Apache-2.0
"""What is inside a circuit: its gates, what they compute, and what is odd about them.

`synthesise` makes a `Netlist` by Yosys, `program` and `evaluation` run it; a new question about
gates is a function of a `Netlist`, and a file here. `inspect` still reads the Verilog by pyverilog.
Imports `verilog` and `tools`.
"""
