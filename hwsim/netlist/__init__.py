# SPDX-License-Identifier: Apache-2.0
"""What is inside a circuit: which output bit depends on which input bit."""
