# SPDX-License-Identifier: Apache-2.0
"""`python -m axhil` is `axhil`."""

from axhil.cli import main

main()
