# SPDX-License-Identifier: Apache-2.0
"""What a search found: tables, picture, page, and the assignments as files."""
