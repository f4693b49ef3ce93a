# SPDX-License-Identifier: Apache-2.0
"""What did the study find? Tables as values, sentences, figures, and what prints them.

Imports study, emulation, attacks and hwsim; only the command line imports it. What is shown is
built once as a `table.Table`; `terminal`, `markdown` and `html` print it. Something new to show is
a function that returns a Table, and a line in each document that is to have it.
"""

if __name__ != "axhil.report":
    raise ImportError("expected: import axhil.report")
