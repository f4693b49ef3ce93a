# SPDX-License-Identifier: Apache-2.0
"""Runs cells: the grid of an experiment, in threads of this process or on a Ray cluster."""
