# SPDX-License-Identifier: Apache-2.0
"""From a word to a multiplier and its table: find, tabulate, compare, verify."""
