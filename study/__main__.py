# SPDX-License-Identifier: Apache-2.0
"""`python -m study` is `axhil`."""

from .cli import main

main()
