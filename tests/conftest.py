# SPDX-License-Identifier: Apache-2.0
"""What every test shares: a missing simulator is a skip on a laptop and a failure in CI."""

import os
import shutil

import pytest

# Workers of pytest-xdist share the cores: OpenMP's threads would wait for each other across them.
# Before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Simulated tables of the tests stay with the tests."""
    os.environ["AXHIL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def pytest_runtest_setup(item):
    if item.get_closest_marker("sim") is None or shutil.which("iverilog"):
        return
    message = "iverilog not found on PATH (Debian: apt-get install iverilog)"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
