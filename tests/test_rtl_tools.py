# SPDX-License-Identifier: Apache-2.0
"""The Verilog in other people's flows: FuseSoC and file lists, by the tools themselves."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
RTL = ROOT / "rtl"

BENCH = """\
module bench;
  wire [15:0] p;
  mul_drum #(.WIDTH(8), .K(4)) u_mul (.a_i(8'd100), .b_i(8'd57), .p_o(p));
  initial begin #1 $display("product %0d", p); $finish; end
endmodule
"""
CORE = """\
CAPI=2:
name: user:test:bench:1.0.0
filesets:
  bench: {files: [bench.v], file_type: verilogSource, depend: ["axhil:rtl:multipliers"]}
targets:
  sim: {filesets: [bench], toplevel: bench, flow: sim, flow_options: {tool: icarus}}
"""


@pytest.mark.sim
def test_a_core_of_a_user_is_built_on_ours_by_fusesoc(tmp_path):
    (tmp_path / "bench.v").write_text(BENCH)
    (tmp_path / "bench.core").write_text(CORE)
    done = subprocess.run(
        [sys.executable, "-m", "fusesoc.main", "--cores-root", str(RTL), "--cores-root", ".",
         "run", "--target", "sim",
         "user:test:bench"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # DRUM(4) of 100 = 0b1100100 and 57 = 0b111001: (0b1101 << 3) * (0b1111 << 2) = 104 * 60.
    assert "product 6240\n" in done.stdout


def listed(name):
    """The files of a list, as it stands."""
    files = []
    for line in (RTL / name).read_text().splitlines():
        if line.startswith("-f "):
            files += listed(line.removeprefix("-f "))
        elif not line.startswith("//"):
            files.append(line)
    return files


def test_the_core_and_the_lists_name_every_file_once():
    core = yaml.safe_load((RTL / "axhil.core").read_text().removeprefix("CAPI=2:"))
    filesets = core["filesets"].values()
    every = [file for fileset in filesets for file in fileset["files"]]
    assert every == listed("mac.f")
    assert core["filesets"]["multipliers"]["files"] == listed("multipliers.f")
    assert sorted(every) == sorted(path.name for path in RTL.glob("*.v"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert core["name"] == f"axhil:rtl:multipliers:{version}"


@pytest.mark.sim
@pytest.mark.parametrize(
    ("name", "tops"), [("multipliers.f", ["mul_signed", "mul_scaletrim"]), ("mac.f", ["mac_array"])]
)  # fmt: skip  (a row each)
def test_icarus_reads_a_list_without_a_warning(name, tops, tmp_path):
    for top in tops:
        done = subprocess.run(
            ["iverilog", "-g2005", "-Wall", "-s", top, "-o", str(tmp_path / "out"), "-f", name],
            cwd=RTL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.sim
def test_axhil_reads_a_list(axhil):
    code, out, err = axhil("inspect", RTL / "multipliers.f", "--top", "mul_drum", "--json")
    assert code == 0, err
    assert re.search(r'"top": "mul_drum"', out)
