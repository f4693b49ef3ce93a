# SPDX-License-Identifier: Apache-2.0
"""The base of everything that a user can put right."""


class AxhilError(ValueError):
    """A sentence for the user: what was expected, what came, where, what to do."""
