# SPDX-License-Identifier: Apache-2.0
"""What is finished: cells, the store that keeps them, flat records, differences of runs."""
