# SPDX-License-Identifier: Apache-2.0
"""A C model that keeps running and gives one rectangle of products after another."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np

from ..operands import Operands
from ..tools.box import Box
from ..tools.conversation import Conversation
from ..tools.scratch import scratch
from .cmodel import (
    HEADER_WORDS,
    MOST_WRITTEN,
    TIME_LIMIT,
    CFunction,
    compiled,
    ended,
    find_function,
    head,
    require_room,
)
from .running import NO_PRODUCT, RunningModel

_ANSWERING = """\
#include <fcntl.h>
#include <unistd.h>
static int64_t axhil_value(int64_t pattern, int bits, int is_signed) {{
  return is_signed && (pattern >> (bits - 1) & 1) ? pattern - ((int64_t)1 << bits) : pattern;
}}
int main(int argc, char **argv) {{
  const int64_t types[] = {{AXHIL_TYPE(axhil_a), AXHIL_TYPE(axhil_b), AXHIL_TYPE(axhil_p)}};
  const int width = types[4] < {bits_p} ? types[4] : {bits_p}, spare = 64 - width;
  const int extend = {signed_p} && !types[5];
  const int cut = !{signed_p} && types[5] && types[4] <= {bits_p};
  const int64_t low = {signed_p} ? -((int64_t)1 << 31) : 0;
  const int64_t high = {signed_p} ? ((int64_t)1 << 31) - 1 : ((int64_t)1 << 32) - 1;
  const int in = argc == 3 ? open(argv[1], O_RDONLY) : -1;
  const int out = argc == 3 ? open(argv[2], O_WRONLY) : -1;
  if (in < 0 || out < 0 || write(out, types, sizeof types) != sizeof types) return 99;
  int64_t r[4], most = 0;
  {word} *row = NULL;
  while (read(in, r, sizeof r) == sizeof r) {{
    if (r[3] > most && !(row = realloc(row, (most = r[3]) * sizeof *row))) return 99;
    for (int64_t i = r[0]; i < r[0] + r[1]; i++) {{
      const int64_t a = axhil_value(i, {bits_a}, types[1] && {signed_a});
      for (int64_t j = 0; j < r[3]; j++) {{
        const int64_t b = axhil_value(r[2] + j, {bits_b}, types[3] && {signed_b});
        int64_t p = (int64_t){function}((axhil_a)a, (axhil_b)b);
        if (extend) p = (int64_t)((uint64_t)p << spare) >> spare;
        if (cut) p = (int64_t)((uint64_t)p << spare >> spare);
        if (sizeof *row == 4 && (p < low || p > high)) return {no_product};
        row[j] = ({word})p;
      }}
      const char *data = (const char *)row;
      for (int64_t left = r[3] * sizeof *row, done; left > 0; left -= done, data += done)
        if ((done = write(out, data, left)) <= 0) return 99;
    }}
  }}
  return 0;
}}
"""


def c_model_running(
    path: Path, operands: Operands, *, function: str | None = None, time_limit: float = TIME_LIMIT
) -> AbstractContextManager[RunningModel]:
    """A C model that gives its products by rows, where there are too many for a table.

    Args:
        path: the C file; what it includes is looked up beside it.
        operands: that it gets, as `c_model_table` gives them.
        function: which function, where there are several.
        time_limit: seconds for one answer.

    Raises:
        HwsimError: no compiler, a file that does not compile, operands that its types cannot hold.
    """
    return _running(path, find_function(path, function), operands, time_limit)


@contextmanager
def _running(
    path: Path, which: CFunction, operands: Operands, time_limit: float
) -> Iterator[RunningModel]:
    product, (a, b) = operands.product, operands
    facts = {
        "function": which.name,
        "word": "uint32_t" if product.bits <= 32 else "uint64_t",
        **{f"signed_{x}": int(one.signed) for x, one in (("a", a), ("b", b), ("p", product))},
        **{f"bits_{x}": one.bits for x, one in (("a", a), ("b", b), ("p", product))},
    }
    with scratch("cmodel") as folder:
        program = head(path, which) + _ANSWERING.format(no_product=NO_PRODUCT, **facts)
        (folder / "model.c").write_text(program)
        compiled(path, folder, which)

        def start(number: int) -> Conversation:
            box = Box(folder, file=MOST_WRITTEN)
            command = [str(folder / "model")]
            return Conversation(command, box=box, name=str(number), seconds=time_limit)

        model = RunningModel(
            f"{path}: {which.name}",
            operands,
            start,
            head=8 * HEADER_WORDS,
            reason=lambda done: ended(done.code) or "ended the program",
            seconds=time_limit,
        )
        with model:
            types = np.frombuffer(model.head, np.int64).tolist()
            require_room(path, which, operands, types)
            yield model
