# SPDX-License-Identifier: Apache-2.0
"""What a Verilog file says: its modules, ports, parameters and values."""
