# SPDX-License-Identifier: Apache-2.0
"""One multiplier against another, its golden table, its gates or the exact product.

Tables are compared in `comparison`, products without a table in `sampling` and, by gates, in
`exhaustive`; `opinion` holds a simulated table against gates.
"""
