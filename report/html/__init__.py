# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that needs nothing else, from templates and inline charts."""
