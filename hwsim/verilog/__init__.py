# SPDX-License-Identifier: Apache-2.0
"""What a Verilog file says: its modules, ports, parameters and values.

`circuit` is the way in: from files to all that a simulator sees. `reading` makes one text of them,
with the top and what it uses; what a port's name means is in `roles`. `compiled` judges what Icarus
made of it.
"""
