# SPDX-License-Identifier: Apache-2.0
"""The one base class of everything a user of `hwsim` can do wrong."""

from axhil.errors import AxhilError


class HwsimError(AxhilError):
    """A sentence for the user: what was expected, what came, where, what to do."""
