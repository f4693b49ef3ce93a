# SPDX-License-Identifier: Apache-2.0
"""What a multiplier costs in hardware, beside the best exact one of the same operands.

`exact` writes exact multipliers, `mapping` has Yosys map a circuit, `cost` compares. A new exact
structure is an entry in `exact.STRUCTURES`, a new figure one in `mapping`. Imports `netlist`,
`verilog` and `tools`.
"""
