# SPDX-License-Identifier: Apache-2.0
"""The base of everything that a user can put right, and where warnings and errors are explained."""

from typing import ClassVar

DOCS = "https://github.com/axhil/axhil/blob/main/docs"
"""Where the documents are."""


def address(code: str) -> str:
    """Where a warning or an error is explained.

    Args:
        code: heading of its section.
    """
    return f"{DOCS}/messages.md#{code}"


def explained(warning: str) -> str:
    """A warning with where it is explained.

    Args:
        warning: its code, a colon, its sentence.
    """
    return f"{warning} ({address(warning.partition(':')[0])})"


class AxhilError(ValueError):
    """A sentence for the user: what was expected, what came, where, what to do.

    Attributes:
        code: of the section that explains it; empty where the sentence says all.
    """

    code: ClassVar[str] = ""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        if self.code:
            self.add_note(address(self.code))
