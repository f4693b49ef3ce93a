# SPDX-License-Identifier: Apache-2.0
"""Verilog as people have it: ports, roles, parameters, and the circuit that they make."""
