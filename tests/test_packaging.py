# SPDX-License-Identifier: Apache-2.0
"""The wheel works where there is no checkout: built from tracked files, in an environment apart."""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pandas as pd
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
OURS = ("hwsim", "emulation", "attacks", "zoo", "study", "search", "report", "cli")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A virtual environment with the wheel in it, and our dependencies from this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    target = Path(sysconfig.get_path("purelib", "venv", paths))
    # A plain line of a .pth file adds a folder, and the .pth files in that folder are not looked
    # at: so the editable installation of this checkout stays out.
    (target / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [*pip, "--python", str(python), "install", "--quiet", "--no-deps", "--no-index",
         "--ignore-installed", str(wheel)],
        check=True,
    )  # fmt: skip
    return folder / "venv"


@pytest.fixture
def axhil(installed, tmp_path):
    """The installed console script, in an empty folder, with nothing of the environment's PATH."""

    def run(*arguments, path=None):
        kept = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
        return subprocess.run(
            [str(installed / "bin" / "axhil"), *arguments],
            cwd=tmp_path,
            env={**kept, "PATH": path or str(installed / "bin")},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


def test_the_wheel_carries_verilog_tables_and_weights(names):
    verilog = {f"axhil/hwsim/rtl/{path.name}" for path in (ROOT / "rtl").glob("*.v")}
    tables = {
        f"axhil/hwsim/golden/{path.name}" for path in (ROOT / "hwsim" / "golden").glob("*.npz")
    }
    assert len(verilog) >= 5
    assert len(tables) >= 7
    assert verilog | tables <= names
    assert {
        "axhil/zoo/pretrained/lenet5_mnist.safetensors",
        "axhil/zoo/pretrained/lenet5_mnist.json",
        "axhil/zoo/pretrained/resnet20_cifar10.safetensors",
        "axhil/zoo/pretrained/resnet20_cifar10.json",
        "axhil/py.typed",
    } <= names
    templates = ROOT / "report" / "html" / "templates"
    assert {f"axhil/{path.relative_to(ROOT)}" for path in templates.iterdir()} <= names


def test_the_wheel_carries_every_module_once_and_nothing_beside_the_package(wheel, names):
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    modules = {
        str(path.relative_to(ROOT)) for package in OURS for path in (ROOT / package).rglob("*.py")
    }
    if listed.returncode == 0:
        modules &= set(listed.stdout.splitlines())
    assert {f"axhil/{module}" for module in modules} <= names
    with zipfile.ZipFile(wheel) as archive:
        assert len(archive.namelist()) == len(names)
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"axhil"}
    rooms = {name.split("/")[1] for name in names if name.count("/") > 1 and "axhil/" in name}
    assert rooms == set(OURS)
    unwanted = (".cpp", ".hpp", ".pyc", "pyproject.toml", ".sh", "CMakeLists.txt", "conftest.py")
    assert [name for name in names if name.endswith(unwanted) or "test_" in name] == []


def test_the_wheel_says_what_it_is(wheel):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        fields = email.message_from_bytes(archive.read(metadata))
        entries = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    assert (fields["Name"], fields["Version"]) == ("axhil", project["version"])
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["Requires-Python"] == ">=3.11"
    required = [line for line in fields.get_all("Requires-Dist") if "extra ==" not in line]
    assert len(required) == len(project["dependencies"])
    assert "axhil = axhil.cli:main" in entries.replace("axhil=", "axhil = ")


def test_the_kernel_is_in_the_wheel_where_it_can_be_built(names):
    if not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no C++ compiler: the wheel has no native kernel")
    assert [name for name in names if name.startswith("axhil/emulation/native/_kernel")]


def test_what_is_imported_is_the_wheels(installed, tmp_path):
    code = (
        "import importlib, json\n"
        "from axhil.hwsim.designs.sources import rtl_dir\n"
        "from axhil.zoo.weights import SHIPPED\n"
        f"found = [importlib.import_module('axhil.' + n).__file__ for n in {OURS!r}]\n"
        "print(json.dumps([*found, str(rtl_dir()), str(SHIPPED['lenet5'])]))\n"
    )
    done = subprocess.run(
        [str(installed / "bin" / "python"), "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(OURS) + 2
    assert all(Path(path).is_relative_to(installed) for path in found), found
    assert all(Path(path).exists() for path in found)


EVAL = (
    "lenet5",
    "-m",
    "exact",
    "--attack",
    "fgsm",
    "--norm",
    "linf",
    "--eps",
    "0",
    "--images",
    "10",
)


def project_of_a_user(folder):
    """Somebody's repository whose packages are called as our folders are."""
    for name in OURS:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"OWNER = 'the user of {name}'\n")
    (folder / "study" / "__init__.py").unlink()
    (folder / "study").rmdir()
    (folder / "study.py").write_text("OWNER = 'the user of study'\n")
    (folder / "mine.py").write_text(
        "import importlib\n"
        f"for name in {OURS!r}:\n"
        "    ours = importlib.import_module('axhil.' + name)\n"
        "    theirs = importlib.import_module(name)\n"
        "    assert theirs.OWNER == f'the user of {name}', theirs\n"
        "    assert not hasattr(ours, 'OWNER'), ours\n"
        "from axhil.hwsim import Catalogued\n"
        "print(Catalogued('exact').table().table[3, 5])\n"
    )


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_a_user_may_have_packages_of_the_names_of_our_folders(kind, installed, tmp_path):
    project_of_a_user(tmp_path)
    # This environment holds the editable installation, if the tests run as `make test` runs them.
    python = installed / "bin" / "python" if kind == "wheel" else Path(sys.executable)
    console = python.parent / "axhil"
    for command in (
        [str(python), "mine.py"],
        [str(python), "-c", "import mine"],
        # The whole way once: what is imported is the same either way.
        [str(console), *(["eval", *EVAL] if kind == "wheel" else ["metrics", "exact"])],
        [str(python), "-m", "axhil", "metrics", "exact"],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "15" in done.stdout or "ACC" in done.stdout
    assert (tmp_path / "out" / "report.html").is_file() == (kind == "wheel")


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory):
    """As `pip install axhil` leaves a machine: nothing of the extras can be imported."""
    folder = tmp_path_factory.mktemp("core")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    target = Path(sysconfig.get_path("purelib", "venv", paths))
    for needed in closure("axhil"):
        for file in needed.files or ():
            top = file.parts[0]
            if top != ".." and not (target / top).exists():
                (target / top).symlink_to(needed.locate_file(top))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--python", str(folder / "venv" / "bin" / "python"), "install", "--quiet",
         "--no-deps", "--no-index", str(wheel)],
        check=True,
    )  # fmt: skip
    return folder / "venv" / "bin"


def closure(name):
    """The distributions that a plain `pip install` of a distribution brings with it."""
    found, waiting = {}, [name]
    while waiting:
        for line in distribution(waiting.pop()).requires or ():
            requirement = Requirement(line)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and requirement.name not in found:
                found[requirement.name] = distribution(requirement.name)
                waiting.append(requirement.name)
    return list(found.values())


@pytest.mark.sim
def test_gates_on_tables_need_no_torch(core, tmp_path):
    simulator = os.path.dirname(shutil.which("iverilog"))  # noqa: PTH120  (which returns str)
    path = os.pathsep.join([str(core), simulator, "/usr/bin", "/bin"])

    def axhil(*arguments):
        return subprocess.run(
            [str(core / "axhil"), *arguments], cwd=tmp_path, capture_output=True, text=True,
            check=False, timeout=300, env={"PATH": path, "HOME": str(tmp_path)},
        )  # fmt: skip

    missing = subprocess.run(
        [str(core / "python"), "-c", "import torch"], capture_output=True, check=False
    )
    assert missing.returncode == 1
    for command in (
        ["lut", "drum(4)", "--out", "luts"],
        ["verify", "drum(4)"],
        ["metrics", "drum(4)"],
        ["compare", "drum(4)", "luts/drum_4.npz"],
        ["convert", "luts/drum_4.npz", "drum_4.csv"],
        ["inspect", str(ROOT / "rtl" / "mul_exact.v"), "--unsigned"],
        ["info"],
        ["--help"],
    ):
        done = axhil(*command)
        assert done.returncode == 0, (command, done.stderr)
    for command in (
        ["accuracy", "lenet5"],
        ["eval"],
        ["plan", "lenet5"],
        ["study", "run", "quick"],
    ):
        done = axhil(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(
            r"axhil: this command needs \w+, found no such package: "
            r"pip install 'axhil\[networks\]'\n",
            done.stderr,
        ), done.stderr


def test_eval_works_from_the_wheel_without_icarus(axhil, tmp_path):
    done = axhil("eval", "--images", "20", "--eps", "0,0.1", "-m", "exact,drum(3)")
    assert done.returncode == 0, done.stderr
    assert "BIM L∞" in done.stdout
    records = pd.read_parquet(tmp_path / "out" / "records")
    assert len(records) == 2 * 3 * 2 * 2
    assert set(records.images) == {20}
    assert records[records.eps == 0].accuracy.min() >= 0.9
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "report.md", "records.csv", "robustness.png", "examples.png"} <= names


def test_the_studies_come_with_the_wheel(axhil):
    done = axhil("study", "status", "quick")
    assert done.returncode == 2
    assert done.stderr == "axhil: no study was run in out/quick: axhil study run FILE\n"


def test_lut_from_the_wheel_without_icarus_says_so(axhil, tmp_path):
    done = axhil("lut")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "axhil: iverilog not found on PATH (Debian: apt-get install iverilog)\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sim
def test_verify_works_from_the_wheel_with_icarus(axhil, installed, tmp_path):
    simulator = os.path.dirname(shutil.which("iverilog"))  # noqa: PTH120  (which returns str)
    path = os.pathsep.join([str(installed / "bin"), simulator, "/usr/bin", "/bin"])
    done = axhil("verify", "exact", "drum(3)", path=path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal to the golden table in all 65,536 entries") == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sim
def test_the_fixture_for_pytest_comes_with_the_wheel(installed, tmp_path):
    (tmp_path / "mul.v").write_text(
        "module mul(input [3:0] a, b, output [7:0] p); assign p = a * b; endmodule\n"
    )
    (tmp_path / "test_mul.py").write_text(
        "import axhil\n"
        f"def test_wheel(): assert axhil.__file__.startswith({str(installed)!r})\n"
        "def test_equal(axhil): axhil.compare('mul.v[unsigned]', 'exact')\n"
        "def test_different(axhil): axhil.compare('mul.v[unsigned]', 'drum(3)')\n"
    )
    done = subprocess.run(
        [str(installed / "bin" / "python"), "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    # DRUM(3) keeps three bits of 8 = 0b1000 from the leading one, the lowest of them 1: 0b1010.
    assert "1 x 8: expected 10 of drum(3), got 8 of mul.v[unsigned]" in done.stdout


def test_the_kernels_of_the_wheel_run_with_every_instruction_set(installed, tmp_path):
    script = [str(installed / "bin" / "python"), str(ROOT / "scripts" / "check_wheel.py")]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("scalar: equal to NumPy\n")


@pytest.mark.skipif(sys.platform != "linux", reason="auditwheel reads ELF files")
def test_the_wheel_needs_nothing_that_a_linux_does_not_have(wheel):
    show = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    done = subprocess.run(show, capture_output=True, text=True, check=False)
    assert re.search(r'platform tag: "manylinux_2_\d+_\w+"', done.stdout), done.stderr
    assert "The following external shared libraries are required" not in done.stdout


@pytest.mark.parametrize(
    ("platform", "machines"), [("linux", "x86_64 aarch64"), ("macos", "x86_64 arm64")]
)  # fmt: skip  (a row each)
def test_a_release_has_wheels_for_every_platform(platform, machines):
    listed = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers",
              "--platform", platform, "--archs", machines.replace(" ", ",")]  # fmt: skip
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    system = "manylinux" if platform == "linux" else "macosx"
    assert sorted(done.stdout.split()) == sorted(
        f"cp3{minor}-{system}_{machine}"
        for minor in (11, 12, 13)
        for machine in machines.split()
    )  # fmt: skip
