# SPDX-License-Identifier: Apache-2.0
"""Imports point from the study to the hardware, and importing costs and says nothing."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("hwsim", "emulation", "attacks", "study")
REPOSITORY = (*OURS, "tests", "benchmarks", "docs", "conftest", "study_samples")

# What a package may import of the others: whole packages, or single modules of them.
ALLOWED = {
    "hwsim": set(),
    "emulation": {"axhil.hwsim.lut"},
    "attacks": set(),
    "study": {"hwsim", "emulation", "attacks"},
}
# Third parties; None: any that pyproject.toml declares.
THIRD_PARTIES = {
    "hwsim": {"numpy"},
    "emulation": None,
    "attacks": {"torch"},
    "study": None,
}
# hwsim alone needs a simulator's tools: inside functions, and in benches, which only the simulator
# imports.
SIMULATOR_TOOLS = {"cocotb", "cocotb_tools", "pyverilog"}
INSIDE_THE_SIMULATOR = "_bench.py"
# What an extra brings need not be installed: inside functions alone.
EXTRAS = {"ray"}

MODULES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))


def imports(tree: ast.Module, *, module: str) -> Iterator[tuple[str, bool]]:
    """(dotted name, whether it is imported with the module and not inside a function)."""

    def visit(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    parents = module.split(".")[: -child.level]
                    base = ".".join([*parents, *filter(None, [base])])
                yield from ((f"{base}.{alias.name}", top) for alias in child.names)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from visit(child, top and not inside)

    yield from visit(tree, top=True)


def violations(source: str, *, path: str) -> list[str]:
    """What a module imports and should not."""
    package = path.partition("/")[0]
    # An __init__.py is its package; `.x` in it means a module beside it.
    module = path.removesuffix(".py").replace("/", ".")
    found = []
    for name, top in imports(ast.parse(source), module=module):
        first = name.partition(".")[0]
        if first in sys.stdlib_module_names or first == package:
            continue
        if first in REPOSITORY:
            if not any(f"{name}.".startswith(f"{allowed}.") for allowed in ALLOWED[package]):
                found.append(name)
        elif package == "hwsim" and first in SIMULATOR_TOOLS:
            if top and not path.endswith(INSIDE_THE_SIMULATOR):
                found.append(f"{name} with the module")
        elif first in EXTRAS and package == "study":
            if top:
                found.append(f"{name} with the module")
        elif THIRD_PARTIES[package] is None:
            if first in SIMULATOR_TOOLS or first not in declared():
                found.append(name)
        elif first not in THIRD_PARTIES[package]:
            found.append(name)
    return found


def declared() -> set[str]:
    """Import packages of the distributions that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in project["dependencies"]}
    return {
        package
        for package, distributions in packages_distributions().items()
        if names & {distribution.lower() for distribution in distributions}
    }


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT)) for path in MODULES])
def test_a_module_imports_only_what_its_layer_may(path):
    assert violations((ROOT / path).read_text(), path=path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("hwsim/lut.py", "import torch"),
        ("hwsim/lut.py", "import emulation"),
        ("hwsim/lut.py", "import cocotb"),
        ("hwsim/lut.py", "from pyverilog.vparser import parser"),
        ("hwsim/lut.py", "if True:\n    import cocotb_tools.runner"),
        ("hwsim/lut.py", "class A:\n    from cocotb import top"),
        ("hwsim/lut.py", "def f():\n    import torch"),
        ("emulation/data.py", "import hwsim"),
        ("emulation/data.py", "from axhil.hwsim import Lut"),
        ("emulation/data.py", "from axhil.hwsim import golden"),
        ("emulation/data.py", "from axhil.hwsim.lutx import Lut"),
        ("emulation/data.py", "import attacks"),
        ("emulation/data.py", "from ..attacks import evaluate"),
        ("emulation/native/kernel.py", "from ...hwsim import golden"),
        ("emulation/data.py", "import cocotb"),
        ("emulation/data.py", "import foolbox"),
        ("attacks/norms.py", "from axhil.hwsim.lut import Lut"),
        ("attacks/norms.py", "def f():\n    import emulation.data"),
        ("attacks/norms.py", "import scipy"),
        ("study/cli.py", "import benchmarks"),
        ("study/cli.py", "import pytest"),
    ],
)
def test_the_rule_refuses(path, source):
    assert violations(source, path=path) != []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("hwsim/lut.py", "import numpy as np\nfrom .errors import HwsimError\nimport os"),
        ("hwsim/lut.py", "def f():\n    from cocotb_tools.runner import get_runner"),
        ("hwsim/sweep_bench.py", "import cocotb"),
        ("emulation/data.py", "from axhil.hwsim.lut import Lut\nimport hwsim.lut\nimport torch"),
        ("emulation/native/kernel.py", "from ..errors import EmulationError"),
        (
            "study/cli.py",
            "from axhil.hwsim import golden\nfrom emulation.data import load\nimport rich",
        ),
    ],
)
def test_the_rule_allows(path, source):
    assert violations(source, path=path) == []


def test_the_rule_looked_at_every_package():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(OURS)
    assert len(MODULES) > 40


def test_the_verilog_stands_alone():
    sources = sorted((ROOT / "rtl").glob("*.v"))
    names = {path.stem for path in sources}
    assert {"mul_exact", "mul_drum", "mul_scaletrim", "mul_signed", "leading_one"} <= names
    for path in sources:
        text = re.sub(r"//.*", "", path.read_text())
        assert "`include" not in text
        instances = re.findall(r"^\s*(\w+)\s+#\(", text, re.MULTILINE)
        assert set(instances) - {"module"} <= names, path.name
    assert {path.suffix for path in (ROOT / "rtl").iterdir()} == {".v", ".md"}


def python(code: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that may reach nothing: no network, no other program."""
    guard = """
        import sys
        REFUSED = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system",
                   "os.posix_spawn", "os.exec", "urllib.Request")
        def refuse(event, args):
            if event in REFUSED:
                raise RuntimeError(f"{event} {args}")
        sys.addaudithook(refuse)
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(guard) + textwrap.dedent(code)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_importing_hwsim_loads_neither_torch_nor_the_simulators_tools(tmp_path):
    done = python(
        """
        import hwsim
        hwsim.golden(hwsim.parse_multiplier("drum(4)"))  # nor does reading a table
        heavy = {"torch", "cocotb", "cocotb_tools", "pyverilog", "matplotlib", "pandas", "scipy"}
        print(sorted(heavy & set(sys.modules)))
        """,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("module", [*OURS, "axhil.cli.evaluation"])
def test_importing_is_silent_reaches_for_nothing_and_gives_what_is_named(module, tmp_path):
    names = "*" if module in OURS else "evaluate_study"
    done = python(f"from {module} import {names}", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_the_guard_of_the_two_tests_above_refuses(tmp_path):
    for code in ("import socket; socket.create_connection(('127.0.0.1', 9))",
                 "import subprocess; subprocess.run(['true'])"):  # fmt: skip
        done = python(code, cwd=tmp_path)
        assert done.returncode == 1
        assert "RuntimeError" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["eval", "--help"], ["rtl", "--help"]])
def test_help_loads_no_torch(arguments, tmp_path):
    done = python(
        f"""
        sys.argv = ["axhil", *{arguments!r}]
        from axhil.cli.main import main
        try:
            main()
        finally:
            print(sorted({{"torch", "cocotb", "pandas", "matplotlib"}} & set(sys.modules)))
        """,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: axhil")
    assert done.stdout.endswith("\n[]\n")


def test_the_imported_packages_are_ours(tmp_path):
    # PyPI has an unrelated distribution that installs a top-level `emulation`.
    done = python(
        """
        import importlib
        for name in ("hwsim", "emulation", "attacks", "study"):
            print(importlib.import_module(name).__file__)
        """,
        cwd=tmp_path,
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert found == [ROOT / name / "__init__.py" for name in OURS], done.stderr
