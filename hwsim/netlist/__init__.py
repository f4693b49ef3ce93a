# SPDX-License-Identifier: Apache-2.0
"""What is inside a circuit: its gates, what they compute, and what is odd about them.

`synthesise` makes a `Netlist` by Yosys, `program` and `evaluation` run it; `inspect` looks into any
design. A new question about gates is a function of a `Netlist` or a `Module`, and a file here.
Imports `verilog` and `tools`.
"""
