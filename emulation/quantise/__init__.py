# SPDX-License-Identifier: Apache-2.0
"""From real values to codes: scales, zero points, ranges from calibration, batch norm."""
