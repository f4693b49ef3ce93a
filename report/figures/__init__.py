# SPDX-License-Identifier: Apache-2.0
"""Pictures by matplotlib: curves, error maps, adversarial examples, and saving them."""
