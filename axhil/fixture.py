# SPDX-License-Identifier: Apache-2.0
"""A fixture for pytest that holds a multiplier to what it should be.

    def test_mul(axhil):
        axhil.compare("mul.v", "mul.npz")

pytest imports this at every start, so everything else is imported when the fixture is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from axhil.hwsim.multipliers.comparing.pair import Compared

_SHOWN = 5


@dataclass(frozen=True)
class Gate:
    """What the fixture `axhil` is.

    Attributes:
        folder: of the test's file, which paths are relative to.
        test: id of the test.
        waves: folder for waveforms; None for none.
    """

    folder: Path
    test: str
    waves: Path | None

    def compare(self, design: str, expected: str, *, signed: bool | None = None) -> None:
        """Fails the test unless two multipliers are equal in every product.

        Args:
            design: a multiplier as on the command line: Verilog with facts in brackets,
                `mul.v[K=3]`, a table, a C or Python model, `drum(4)`.
            expected: what it should be, likewise.
            signed: the operands, where nothing else says.
        """
        __tracebackhide__ = True
        from axhil.errors import AxhilError
        from axhil.hwsim.multipliers import Request
        from axhil.hwsim.multipliers.comparing.pair import Pair
        from axhil.hwsim.multipliers.find import located
        from axhil.hwsim.operands import Asked, Operands

        default = None if signed is None else Operands.both(8, signed)
        request = Request(Asked(signed=signed, default=default))
        try:
            x, y = (located(word, self.folder) for word in (design, expected))
            compared = Pair.find(x, y, request).compare(by_gates=False)
            failure = None if compared.result.equal else self._failure(compared, request.time_limit)
        except AxhilError as error:
            failure = str(error)
        if failure is not None:
            pytest.fail(failure)

    def _failure(self, compared: Compared, limit: float) -> str:
        """The first mismatches, line by line."""
        pair, differences = compared.pair, compared.differences
        design, expected = pair.names
        lines = [compared.result.sentence()]
        lines += [
            f"  {one.a} x {one.b}: expected {one.actual} of {expected}, got {one.expected} of "
            f"{design}"
            for one in differences[:_SHOWN]
        ]
        is_verilog = pair.x.circuit() is not None or pair.y.circuit() is not None
        if self.waves is not None and differences and is_verilog:
            waveform, place = compared.waveform(limit=limit)
            name = re.sub(r"\W+", "_", self.test, flags=re.ASCII).strip("_")[:100]
            lines.append(f"  {waveform.write(self.waves / f'{name}.vcd', place)}")
        return "\n".join([*lines, *(f"  {note}" for note in pair.notes)])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the one option."""
    parser.getgroup("axhil").addoption(
        "--axhil-wave",
        type=Path,
        metavar="FOLDER",
        help="where axhil.compare writes a VCD of the first mismatch of a test that fails",
    )


@pytest.fixture
def axhil(request: pytest.FixtureRequest) -> Gate:
    """Holds multipliers to what they should be: `axhil.compare("mul.v", "mul.npz")`."""
    waves = request.config.getoption("--axhil-wave")
    return Gate(request.path.parent, request.node.nodeid, waves)
