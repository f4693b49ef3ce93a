# SPDX-License-Identifier: Apache-2.0
"""A circuit in a simulator: streams of operand pairs, live products, arrays of MACs."""
