# SPDX-License-Identifier: Apache-2.0
"""Importing is light, and the promised names are there."""

import os
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


@pytest.mark.parametrize(
    ("own", "seen"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_of_openmp_sleep_soon_unless_the_user_says_otherwise(own, seen):
    kept = {name: value for name, value in os.environ.items() if "GOMP" not in name}
    script = "import axhil, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=kept | own
    )
    assert result.stdout.strip() == seen
