# SPDX-License-Identifier: Apache-2.0
"""The one error that this package raises for what its caller can put right."""

from axhil.errors import AxhilError


class AttackError(AxhilError):
    """A setting, an input or a network that an attack cannot work with, in one sentence."""
