# SPDX-License-Identifier: Apache-2.0
"""What every test shares: a missing simulator is a skip on a laptop and a failure in CI."""

import os
import re
import shutil
import sys
import warnings

import pytest
from wheel_samples import wheel  # noqa: F401  (a fixture)

# Workers of pytest-xdist share the cores: OpenMP's threads would wait for each other across them.
# Before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Simulated tables of the tests stay with the tests."""
    os.environ["AXHIL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def pytest_collection_modifyitems(items):
    """Long tests first: at the end of a run no process waits for another's last long one."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_runtest_setup(item):
    if item.get_closest_marker("sim") is None or shutil.which("iverilog"):
        return
    message = "iverilog not found on PATH (Debian: apt-get install iverilog)"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture
def axhil(monkeypatch, capsys, tmp_path):
    """Run a command as the console script does, in an empty folder: (exit code, out, err)."""
    from axhil import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    for name in ("AXHIL_DATA", "AXHIL_WEIGHTS", "SIM"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["axhil", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def refused(axhil, tmp_path):
    """Run a command that must be refused and must write nothing; return its sentence."""

    def files():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def run(*arguments):
        before = files()
        code, out, err = axhil(*arguments)
        assert (code, out) == (2, "")
        assert re.fullmatch(r"axhil: [^\n]+\n", err), err
        assert files() == before
        return err.removeprefix("axhil: ").rstrip("\n")

    return run
