# SPDX-License-Identifier: Apache-2.0
"""The Verilog as text: clean for the compiler, readable by pyverilog, parameters guarded."""

import re
import subprocess

import pytest

from axhil.hwsim import Catalogued, Operand
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.verilog.reading.elaboration import elaborate

FILES = sorted(rtl_dir().glob("*.v"))
MODULES = [path.stem for path in FILES]
DESIGNS = [name for name in MODULES if name.startswith("mul_")]


def icarus(tmp_path, top, *options, standard="-g2012", parameters=None):
    """Compiles one top with -Wall; returns the completed process and the compiled file."""
    output = tmp_path / "out.vvp"
    given = [f"-P{top}.{name}={value}" for name, value in (parameters or {}).items()]
    command = ["iverilog", standard, "-Wall", *options, *given, "-s", top, "-o", output, *FILES]
    return subprocess.run(command, capture_output=True, text=True, check=False), output


def test_the_modules_are_there():
    assert MODULES == [
        "leading_one",
        "mac",
        "mac_array",
        "mul_drum",
        "mul_exact",
        "mul_scaletrim",
        "mul_signed",
    ]


@pytest.mark.sim
@pytest.mark.parametrize("standard", ["-g2005", "-g2012"])
@pytest.mark.parametrize("width", [4, 8, 16])
@pytest.mark.parametrize("module", MODULES)
def test_icarus_has_no_warning(tmp_path, module, width, standard):
    result, _ = icarus(tmp_path, module, standard=standard, parameters={"WIDTH": width})
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.sim
@pytest.mark.parametrize("standard", ["-g2005", "-g2012"])
@pytest.mark.parametrize("core", ["exact", "drum", "scaletrim"])
def test_icarus_has_no_warning_for_any_wrapped_core(tmp_path, core, standard):
    parameters = {"CORE": f'"{core}"'}
    result, _ = icarus(tmp_path, "mul_signed", standard=standard, parameters=parameters)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_each_file_holds_one_module_of_its_name_and_the_agreed_frame(path):
    text = path.read_text()
    assert text.startswith("// SPDX-License-Identifier: Apache-2.0\n")
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [path.stem]
    assert "`default_nettype none\n" in text
    assert text.endswith("`default_nettype wire\n")
    assert "`timescale" not in text
    assert "\t" not in text
    assert max(map(len, text.splitlines())) <= 100


def interface(module, parameters):
    """A module as Icarus elaborates it with all that it may use."""
    text = "".join(path.read_text() for path in FILES)
    return elaborate(text, [module], parameters=parameters, name=module)[module]


@pytest.mark.sim
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("spelling", ["exact", "drum(5)", "scaletrim(3,4)"])
def test_the_three_ports_are_elaborated(spelling, signed):
    circuit = Catalogued.parse(spelling, operand=Operand(11, signed)).circuit()
    ports = interface(circuit.top, circuit.parameters).ports
    assert ports == circuit.interface.ports
    assert {p.name: (p.direction, p.width) for p in ports} == {
        "a_i": ("input", 11),
        "b_i": ("input", 11),
        "p_o": ("output", 22),
    }


@pytest.mark.sim
def test_the_helper_is_elaborated():
    found = interface("leading_one", {"WIDTH": 9}).ports
    ports = {p.name: (p.direction, p.width) for p in found}
    assert ports == {"x_i": ("input", 9), "pos_o": ("output", 4)}


ILLEGAL = [
    ("leading_one", {"WIDTH": 3}, "leading_one: expected 4 <= WIDTH <= 16, got WIDTH=3"),
    ("mul_exact", {"WIDTH": 17}, "mul_exact: expected 4 <= WIDTH <= 16, got WIDTH=17"),
    ("mul_drum", {"WIDTH": 17}, "mul_drum: expected 4 <= WIDTH <= 16, got WIDTH=17"),
    ("mul_drum", {"K": 9}, "mul_drum: expected 2 <= K <= WIDTH=8, got K=9"),
    ("mul_drum", {"K": 1}, "mul_drum: expected 2 <= K <= WIDTH=8, got K=1"),
    ("mul_drum", {"K": -1}, "mul_drum: expected 2 <= K <= WIDTH=8, got K=-1"),
    ("mul_scaletrim", {"WIDTH": 3}, "mul_scaletrim: expected 4 <= WIDTH <= 16, got WIDTH=3"),
    ("mul_scaletrim", {"H": 8}, "mul_scaletrim: expected 1 <= H < WIDTH=8, got H=8"),
    ("mul_scaletrim", {"H": 0}, "mul_scaletrim: expected 1 <= H < WIDTH=8, got H=0"),
    (
        "mul_scaletrim",
        {"M": 3},
        "mul_scaletrim: expected M = 0 or a power of two, 2 <= M <= 2^(H+1)=32, got M=3",
    ),
    (
        "mul_scaletrim",
        {"M": 64},
        "mul_scaletrim: expected M = 0 or a power of two, 2 <= M <= 2^(H+1)=32, got M=64",
    ),
    (
        "mul_scaletrim",
        {"M": 1},
        "mul_scaletrim: expected M = 0 or a power of two, 2 <= M <= 2^(H+1)=32, got M=1",
    ),
    ("mul_scaletrim", {"DEE": 2}, "mul_scaletrim: expected -16 <= DEE <= 1, got DEE=2"),
    ("mul_signed", {"WIDTH": 20}, "mul_signed: expected 4 <= WIDTH <= 16, got WIDTH=20"),
    (
        "mul_signed",
        {"CORE": '"other"'},
        "mul_signed: expected CORE = exact, drum or scaletrim, got CORE=other",
    ),
    (
        "mul_signed",
        {"CORE": '"drum"', "K": 9},
        "mul_drum: expected 2 <= K <= WIDTH=8, got K=9",
    ),
]


@pytest.mark.sim
@pytest.mark.parametrize(("top", "parameters", "sentence"), ILLEGAL)
def test_an_illegal_parameter_stops_the_simulation(tmp_path, top, parameters, sentence):
    compiled, output = icarus(tmp_path, top, parameters=parameters)
    assert compiled.returncode == 0, compiled.stderr
    ran = subprocess.run(["vvp", "-n", output], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert re.search(r"^FATAL: \S+: " + re.escape(sentence) + "$", ran.stdout, re.MULTILINE)
