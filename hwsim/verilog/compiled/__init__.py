# SPDX-License-Identifier: Apache-2.0
"""What Icarus compiled: can the product depend on anything but the operands?

`program` parses the file; `walk`, `counters`, `sources` and `blocks` follow each block; `design` is
the graph, on which `state` and `opens` judge. Nothing here reads Verilog.
"""
