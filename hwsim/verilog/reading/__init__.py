# SPDX-License-Identifier: Apache-2.0
"""From files as people have them to one text, read and judged before it is simulated.

`reading` is the way in. Another thing that files have (a list, a macro, a bench beside the design)
is a module here and a line there; what may not run at all is refused in `safety`.
"""
