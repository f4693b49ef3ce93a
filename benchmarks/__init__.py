# SPDX-License-Identifier: Apache-2.0
"""Speed, measured as ratios within one run. `make bench` runs all of it."""
