# SPDX-License-Identifier: Apache-2.0
"""Imports point from the study to the hardware, and importing costs and says nothing."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = "axhil"

# What a package may import of the others: whole packages, or single modules of them.
ALLOWED = {
    "hwsim": set(),
    "attacks": set(),
    "emulation": {"hwsim"},
    "zoo": {"hwsim.files", "emulation"},
    "study": {"hwsim", "attacks", "emulation", "zoo"},
    "search": {"hwsim", "attacks", "emulation", "zoo", "study"},
    "report": {"hwsim", "attacks", "emulation", "zoo", "study", "search"},
    "cli": {"hwsim", "attacks", "emulation", "zoo", "study", "search", "report"},
}
OURS = tuple(ALLOWED)
# Third parties; None: any that pyproject.toml declares.
THIRD_PARTIES = {
    "hwsim": {"numpy"},
    "attacks": {"torch"},
}
# hwsim alone needs a simulator's tools: inside functions, and in benches, which only the simulator
# imports.
SIMULATOR_TOOLS = {"cocotb", "cocotb_tools", "pyverilog"}
INSIDE_THE_SIMULATOR = "_bench.py"
# What an extra brings need not be installed: inside functions alone.
EXTRAS = {"ray"}
NOT_OURS_TO_USE = ("tests", "benchmarks", "docs", "scripts", "conftest", "study_samples")

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


def dotted(path: str) -> str:
    """The module's name; an __init__.py keeps its own, so that `.x` means a module beside it."""
    return f"{HOUSE}." + path.removesuffix(".py").replace("/", ".")


def violations(source: str, *, path: str) -> list[str]:
    """What a module imports and should not."""
    package = path.partition("/")[0]
    found = []
    for name, top in imports(ast.parse(source), module=dotted(path)):
        first = name.partition(".")[0]
        if first in sys.stdlib_module_names:
            continue
        if first == HOUSE:
            inside = name.removeprefix(f"{HOUSE}.")
            allowed = {"errors", package, *ALLOWED[package]}
            if not any(f"{inside}.".startswith(f"{one}.") for one in allowed):
                found.append(name)
        elif first in OURS or first in NOT_OURS_TO_USE:
            found.append(name)  # a second name of the same module, or a program of the repository
        elif package == "hwsim" and first in SIMULATOR_TOOLS:
            if top and not path.endswith(INSIDE_THE_SIMULATOR):
                found.append(f"{name} with the module")
        elif first in EXTRAS and package == "study":
            if top:
                found.append(f"{name} with the module")
        elif package not in THIRD_PARTIES:
            if first in SIMULATOR_TOOLS or first not in declared():
                found.append(name)
        elif first not in THIRD_PARTIES[package]:
            found.append(name)
    return found


@cache  # reads what every installed distribution holds
def declared() -> set[str]:
    """Import packages of the distributions that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["networks"]]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in lines}
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
        ("hwsim/lut.py", "import hwsim.metrics"),
        ("hwsim/lut.py", "from axhil import emulation"),
        ("hwsim/lut.py", "from ..emulation import convert"),
        ("hwsim/lut.py", "import cocotb"),
        ("hwsim/lut.py", "from pyverilog.vparser import parser"),
        ("hwsim/lut.py", "if True:\n    import cocotb_tools.runner"),
        ("hwsim/lut.py", "class A:\n    from cocotb import top"),
        ("hwsim/lut.py", "def f():\n    import torch"),
        ("emulation/layers.py", "from axhil.zoo import network"),
        ("emulation/layers.py", "from ..zoo import network"),
        ("emulation/layers.py", "import axhil.attacks"),
        ("emulation/native/kernel.py", "from ...attacks import evaluate"),
        ("emulation/layers.py", "import cocotb"),
        ("emulation/layers.py", "import foolbox"),
        ("zoo/data.py", "from axhil.hwsim import golden"),
        ("zoo/data.py", "from axhil.hwsim.filesx import Lut"),
        ("attacks/norms.py", "from axhil.hwsim.lut import Lut"),
        ("attacks/norms.py", "def f():\n    import axhil.zoo.data"),
        ("attacks/norms.py", "import scipy"),
        ("study/run.py", "from axhil.report import tables"),
        ("study/run.py", "from axhil.search import search"),
        ("search/run.py", "from ..report import tables"),
        ("study/run.py", "from ..cli.console import out"),
        ("report/tables.py", "from axhil import cli"),
        ("cli/main.py", "import benchmarks"),
        ("cli/main.py", "import pytest"),
    ],
)
def test_the_rule_refuses(path, source):
    assert violations(source, path=path) != []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("hwsim/lut.py", "import numpy as np\nfrom .errors import HwsimError\nimport os"),
        ("hwsim/lut.py", "def f():\n    from cocotb_tools.runner import get_runner"),
        ("hwsim/simulation/stream_bench.py", "import cocotb"),
        ("emulation/plan.py", "from axhil.hwsim.lut import Lut\nimport torch"),
        ("emulation/native/kernel.py", "from ..errors import EmulationError"),
        ("zoo/data.py", "from axhil.hwsim.files import write_atomically"),
        ("cli/main.py", "from axhil.hwsim import golden\nfrom axhil.zoo.data import load"),
    ],
)
def test_the_rule_allows(path, source):
    assert violations(source, path=path) == []


def test_the_rule_looked_at_every_package():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(OURS)
    assert len(MODULES) > 40


def test_no_module_reaches_itself_through_its_imports():
    known = {dotted(str(path.relative_to(ROOT))).removesuffix(".__init__") for path in MODULES}
    arrows: dict[str, set[str]] = {}
    for path in MODULES:
        module = dotted(str(path.relative_to(ROOT)))
        targets = arrows.setdefault(module.removesuffix(".__init__"), set())
        for name, top in imports(ast.parse(path.read_text()), module=module):
            # `from .lut import Lut` names a module, `from . import lut` as well.
            target = name if name in known else name.rpartition(".")[0]
            if top and target in known:
                targets.add(target)
    # CycleError shows the circle.
    assert {*TopologicalSorter(arrows).static_order()} == known


@pytest.mark.parametrize("package", OURS)
def test_a_package_has_one_name(package, tmp_path):
    done = python(f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {package}", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(f"ImportError: expected: import axhil.{package}\n")


def test_the_verilog_stands_alone():
    sources = sorted((ROOT / "rtl").glob("*.v"))
    names = {path.stem for path in sources}
    assert {"mul_exact", "mul_drum", "mul_scaletrim", "mul_signed", "leading_one"} <= names
    for path in sources:
        text = re.sub(r"//.*", "", path.read_text())
        assert "`include" not in text
        instances = re.findall(r"^\s*(\w+)\s+#\(", text, re.MULTILINE)
        assert set(instances) - {"module"} <= names, path.name
    suffixes = {path.suffix for path in (ROOT / "rtl").iterdir()}
    assert suffixes == {".v", ".md", ".core", ".f"}


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
        import axhil.hwsim as hwsim
        hwsim.golden(hwsim.Catalogued.parse("drum(4)"))  # nor does reading a table
        heavy = {"torch", "cocotb", "cocotb_tools", "pyverilog", "matplotlib", "pandas", "scipy"}
        print(sorted(heavy & set(sys.modules)))
        """,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Every package imported with all that it names, one after the other in one interpreter."""
    folder = tmp_path_factory.mktemp("imported")
    done = python(
        f"""
        import importlib
        for name in {(HOUSE, *(f"{HOUSE}.{package}" for package in OURS))!r}:
            exec(f"from {{name}} import *")
            print(name, importlib.import_module(name).__file__)
        """,
        cwd=folder,
    )
    return folder, done


def test_importing_is_silent_reaches_for_nothing_and_gives_what_is_named(imported):
    folder, done = imported
    assert (done.returncode, done.stderr) == (0, "")
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == [HOUSE, *(f"{HOUSE}.{package}" for package in OURS)]
    assert list(folder.iterdir()) == []


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
    assert done.stdout.lstrip().startswith("Usage: axhil")
    assert done.stdout.endswith("\n[]\n")


def test_what_is_imported_is_this_checkout(imported):
    _, done = imported
    found = [Path(line.split()[1]).resolve() for line in done.stdout.splitlines()]
    assert found == [ROOT / name / "__init__.py" for name in (HOUSE, *OURS)], done.stderr
