# SPDX-License-Identifier: Apache-2.0
"""What a layer sums: the definition, products of tables or of elsewhere, accumulators, windows."""
