# SPDX-License-Identifier: Apache-2.0
"""From a circuit to its table: every pair simulated, in orders that leave nothing hidden.

`tabulation` is the way in. `visits` are the orders, `controls` settles enables and resets, and what
is found on the way is refused or warned of in `findings`.
"""
