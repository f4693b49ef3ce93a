# SPDX-License-Identifier: Apache-2.0
"""What a user of the search can do wrong, beyond the errors of the other packages."""

from axhil.errors import AxhilError


class SearchError(AxhilError):
    """A sentence for the user: what was expected, what came, where, what to do."""
