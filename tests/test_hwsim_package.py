# SPDX-License-Identifier: Apache-2.0
"""Importing is light, and the promised names are there."""

import subprocess
import sys

import pytest

from axhil import hwsim


@pytest.mark.parametrize(
    "module",
    ["axhil", "axhil.hwsim", "axhil.hwsim.simulation.live"],
)
def test_importing_loads_neither_torch_nor_the_simulator(tmp_path, module):
    script = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'cocotb', 'cocotb_tools', 'pyverilog', 'scipy'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")
    assert not list(tmp_path.iterdir())


def test_everything_promised_is_there():
    assert all(hasattr(hwsim, name) for name in hwsim.__all__)
    assert issubclass(hwsim.HwsimError, ValueError)


def test_the_facade_is_short_and_everything_in_it_is_there():
    import axhil

    assert len(axhil.__all__) <= 25
    assert set(axhil._HOME_OF) | {"AxhilError", "__version__"} == set(axhil.__all__)
    assert all(getattr(axhil, name) is not None for name in axhil.__all__)
    assert set(axhil.__all__) <= set(dir(axhil))
