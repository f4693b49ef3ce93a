# SPDX-License-Identifier: Apache-2.0
"""Programs that are run: finding them, watching them, saying why one failed.

The only place that starts a process. Imports the ground floor alone; a new tool is a file here.
"""
