# SPDX-License-Identifier: Apache-2.0
"""The fixture `axhil` in a user's own tests: run by a pytest of its own, inside this one."""

import re
import subprocess
import sys

import pytest

import axhil.hwsim.multipliers.comparing.pair  # noqa: F401  (numpy loads once in a process)

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.sim

EXACT = "module mul(input [3:0] a, b, output [7:0] p); assign p = a * b; endmodule\n"
WRONG = EXACT.replace("a * b", "a * b + (a == 9 && b == 3)")
USE = """
def test_mul(axhil):
    axhil.compare("mul.v", "mul.csv", signed=False)
"""


@pytest.fixture
def project(pytester):
    """A folder with a test, a multiplier and its table; the test lies below where pytest runs."""
    folder = pytester.mkdir("gates")
    (folder / "test_mul.py").write_text(USE)
    (folder / "mul.v").write_text(EXACT)
    rows = [",".join(str(a * b) for b in range(16)) for a in range(16)]
    (folder / "mul.csv").write_text("\n".join(rows) + "\n")
    return folder


def run(pytester, *arguments):
    return pytester.runpytest("-p", "axhil.fixture", "-p", "no:randomly", *arguments)


def test_an_equal_multiplier_passes_and_a_changed_one_is_shown_with_its_mismatch(pytester, project):
    run(pytester).assert_outcomes(passed=1)
    (project / "mul.v").write_text(WRONG)
    done = run(pytester, "--axhil-wave", "waves", "--junitxml", "junit.xml")
    done.assert_outcomes(failed=1)
    text = done.stdout.str()
    assert re.search(r'^> +axhil.compare\("mul.v", "mul.csv", signed=False\)$', text, re.M)
    assert "differ: 1 of 256 products differ" in text
    assert "9 x 3: expected 27 of mul.csv, got 28 of mul.v" in text
    assert "fixture.py" not in text  # nothing of ours in the traceback
    (wave,) = (pytester.path / "waves").iterdir()
    assert f"waveform: waves/{wave.name}" in text
    assert "9 x 3" in (pytester.path / "junit.xml").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ('"no.v", "mul.csv"', "expected a file at"),
        ('"mul.v", "mul.csv"', "say mul.v[signed]"),
        ('"mul.csv", "mul.csv[K=3]"', "before the brackets"),
    ],
    ids=["a missing file", "operands without a sign", "brackets behind a table"],
)
def test_what_cannot_be_compared_is_a_failure_in_one_sentence(pytester, project, words, sentence):
    (project / "test_mul.py").write_text(f"def test_mul(axhil): axhil.compare({words})\n")
    done = run(pytester)
    done.assert_outcomes(failed=1)
    assert sentence in done.stdout.str()
    assert "HwsimError" not in done.stdout.str()


def test_pytest_without_the_fixture_loads_nothing_of_axhil_but_its_name(tmp_path):
    (tmp_path / "test_none.py").write_text(
        "import sys\n"
        "def test_none():\n"
        "    ours = {one for one in sys.modules if one.partition('.')[0] == 'axhil'}\n"
        "    assert ours == {'axhil', 'axhil.errors', 'axhil.fixture'}\n"
        "    assert not {'numpy', 'torch', 'cocotb', 'typer', 'rich'} & {*sys.modules}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "axhil.fixture", "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
