# SPDX-License-Identifier: Apache-2.0
"""How a layer is differentiated: straight-through, or by its table's own slope."""
