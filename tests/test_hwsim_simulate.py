# SPDX-License-Identifier: Apache-2.0
"""The simulator's side: what is driven, what is refused, and that nothing leaks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from axhil.hwsim.simulate import simulate, simulator_version

from axhil.hwsim import Catalogued, Design, HwsimError, extract_design
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.verilog.ports import read_interface


def design(tmp_path, body, *, width=4, signed=False, parameters=None, header=None):
    """A module `mine` with the given body."""
    ports = header or (
        f"(input wire [{width - 1}:0] a_i, input wire [{width - 1}:0] b_i,\n"
        f" output wire [{2 * width - 1}:0] p_o)"
    )
    path = tmp_path / "mine.v"
    path.write_text(f"module mine {ports};\n{body}\nendmodule\n")
    return Design("mine", "mine", parameters or {}, (path,), width=width, signed=signed)


@pytest.mark.sim
def test_rows_are_the_first_port_and_columns_the_second(tmp_path):
    lut = extract_design(design(tmp_path, "assign p_o = {a_i, b_i};"))
    a, b = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    np.testing.assert_array_equal(lut.table, 16 * a + b)
    assert lut.manifest["operands"] == {"a_i": "activation", "b_i": "weight"}


@pytest.mark.sim
def test_signed_operands_and_products_are_twos_complement(tmp_path):
    lut = extract_design(design(tmp_path, "assign p_o = {{4{a_i[3]}}, a_i};", signed=True))
    np.testing.assert_array_equal(lut.table[:, 0], [*range(8), *range(-8, 0)])


UNKNOWN = [
    ("X", "assign p_o = (a_i == 4'd9 && b_i == 4'd14) ? 8'bx : 8'd0;", "XXXXXXXX"),
    ("Z", "assign p_o = (a_i == 4'd9 && b_i == 4'd14) ? 8'b1z : 8'd0;", "ZZZZZZZ1|0000001Z"),
]


@pytest.mark.sim
@pytest.mark.parametrize(("_name", "body", "shown"), UNKNOWN, ids=["X", "Z"])
@pytest.mark.parametrize(("signed", "pair"), [(False, "a_i=9, b_i=14"), (True, "a_i=-7, b_i=-2")])
def test_x_and_z_are_errors_that_name_the_operands(tmp_path, _name, body, shown, signed, pair):
    sentence = rf"^mine: expected 0 and 1 only on p_o, got ({shown}) for {pair}$"
    with pytest.raises(HwsimError, match=sentence):
        extract_design(design(tmp_path, body, signed=signed))


@pytest.mark.sim
def test_an_undriven_output_bit_is_named_at_the_first_pair(tmp_path):
    with pytest.raises(HwsimError, match=r"got Z0000000 for a_i=0, b_i=0$"):
        extract_design(design(tmp_path, "assign p_o[6:0] = a_i * b_i;"))


WRONG_PORTS = [
    (
        "(input wire [4:0] a_i, input wire [3:0] b_i, output wire [7:0] p_o)",
        "expected input a_i of 4 bits, got input a_i of 5 bits",
    ),
    (
        "(input wire [3:0] a_i, input wire b_i, output wire [7:0] p_o)",
        "expected input b_i of 4 bits, got input b_i of 1 bits",
    ),
    (
        "(input wire [3:0] a_i, input wire [3:0] b_i, output wire [6:0] p_o)",
        "expected output p_o of 8 bits, got output p_o of 7 bits",
    ),
    (
        "(output wire [3:0] a_i, input wire [3:0] b_i, output wire [7:0] p_o)",
        "expected input a_i of 4 bits, got output a_i of 4 bits",
    ),
    (
        "(input wire [3:0] A, input wire [3:0] b_i, output wire [7:0] p_o)",
        "expected input a_i of 4 bits, got ports A, b_i, p_o",
    ),
    (
        "(input wire clk_i, input wire [3:0] a_i, input wire [3:0] b_i, output wire [7:0] p_o)",
        "expected only a_i, b_i, p_o, also got clk_i",
    ),
]


@pytest.mark.sim
@pytest.mark.parametrize(("header", "sentence"), WRONG_PORTS)
def test_wrong_ports_are_refused_before_simulating(tmp_path, header, sentence):
    with pytest.raises(HwsimError, match=rf"^mine \(.*mine\.v\): {sentence}$"):
        simulate([design(tmp_path, "", header=header)], [0], [0])


@pytest.mark.sim
def test_a_parameter_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(HwsimError, match="no parameter K; it has none"):
        simulate([design(tmp_path, "assign p_o = 0;", parameters={"K": 3})], [0], [0])


def test_ports_declared_in_the_body_are_read_too(tmp_path):
    body = """
      parameter W = 3'd4;
      localparam P = (W > 2) ? 2*W : $clog2(W);
      input [W-1:0] a_i, b_i;
      output [P-1:0] p_o;
      assign p_o = a_i * b_i;
    """
    found = read_interface(design(tmp_path, body, header="(a_i, b_i, p_o)", parameters={"W": 5}))
    assert [str(port) for port in found.ports] == [
        "input a_i of 5 bits",
        "input b_i of 5 bits",
        "output p_o of 10 bits",
    ]
    assert found.parameters == {"W": 5}


@pytest.mark.sim
def test_verilog_with_an_error_is_one_sentence_with_the_compilers_line(tmp_path):
    with pytest.raises(HwsimError, match=r"does not compile: .*mine\.v:3: syntax error$") as top:
        simulate([design(tmp_path, "assign p_o == 1;")], [0], [0])
    assert "\n" not in str(top.value)
    with pytest.raises(HwsimError, match=r"does not compile: .*Unknown module type: other$"):
        simulate([design(tmp_path, "other u (.a(a_i));")], [0], [0])


@pytest.mark.sim
def test_a_fatal_of_the_verilog_is_the_message(tmp_path):
    body = 'assign p_o = 0; initial $fatal(1, "mine: expected better");'
    sentence = "^mine: the Verilog stopped the simulation: mine: expected better$"
    with pytest.raises(HwsimError, match=sentence):
        simulate([design(tmp_path, body)], [0], [0])


@pytest.mark.sim
@pytest.mark.parametrize("task", ["$finish", "$stop"])
def test_a_simulation_that_ends_itself_is_an_error(tmp_path, task):
    body = f"assign p_o = 0; initial begin #9; {task}; end"
    with pytest.raises(HwsimError, match=r"^mine: the simulation failed; its log ends: "):
        simulate([design(tmp_path, body)], range(16), range(16))


@pytest.mark.sim
def test_verilog_that_compiles_but_is_beyond_pyverilog_is_refused(tmp_path):
    body = "function automatic [7:0] f(input [3:0] x); f = x; endfunction assign p_o = f(a_i);"
    with pytest.raises(HwsimError, match=r"pyverilog, which reads Verilog-2001, cannot read .*:3"):
        simulate([design(tmp_path, body)], [0], [0])


@pytest.mark.sim
@pytest.mark.parametrize("batch", [1, 3, 7, 256])
def test_the_batch_size_changes_nothing(tmp_path, batch):
    a, b = np.arange(14) % 16, 15 - np.arange(14)
    mine = design(tmp_path, "assign p_o = {a_i, b_i};")
    assert simulate([mine], a, b, batch=batch).tolist() == [(16 * a + b).tolist()]


@pytest.mark.sim
def test_an_edited_source_and_another_parameter_are_simulated_anew(tmp_path):
    body = "parameter ADD = 0;\nassign p_o = a_i + ADD;"
    first = design(tmp_path, body)
    assert simulate([first], [1], [1]).item() == 1
    assert simulate([design(tmp_path, body, parameters={"ADD": 2})], [1], [1]).item() == 3
    times = (first.sources[0].stat().st_atime, first.sources[0].stat().st_mtime)
    edited = design(tmp_path, body.replace("+", "-"), parameters={"ADD": 1})
    os.utime(edited.sources[0], times)
    assert simulate([edited], [1], [1]).item() == 0


@pytest.mark.sim
def test_nothing_is_written_where_it_stands_or_where_the_verilog_is(tmp_path, monkeypatch, capfd):
    scratch, cwd = tmp_path / "scratch", tmp_path / "cwd"
    scratch.mkdir()
    cwd.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(cwd)
    before = sorted(rtl_dir().iterdir())
    extract_design(Design.of(Catalogued.parse("drum(2)"), width=4, signed=True))
    assert list(cwd.iterdir()) == list(scratch.iterdir()) == []
    assert sorted(rtl_dir().iterdir()) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.sim
def test_the_folders_may_have_spaces_in_their_names(tmp_path):
    folder = tmp_path / "my verilog, v2"
    shutil.copytree(rtl_dir(), folder)
    spaced = Design.of(Catalogued.parse("drum(2)"), width=4, signed=True, rtl=folder)
    assert simulate([spaced], [3], [-2]).item() == -6


@pytest.mark.sim
def test_two_processes_at_once_do_not_meet(tmp_path):
    script = (
        "import sys; from axhil.hwsim import Design, extract_design, Catalogued as p\n"
        "print(extract_design(Design.of(p(sys.argv[1]), width=5, signed=False)).sha256)"
    )
    spellings = ["drum(2)", "drum(3)", "drum(2)", "scaletrim(2,4)"]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, spelling], stdout=subprocess.PIPE, cwd=tmp_path
        )
        for spelling in spellings
    ]
    hashes = [process.communicate()[0].decode().strip() for process in running]
    assert hashes[0] == hashes[2]
    assert len(set(hashes)) == 3
    assert all(len(h) == 64 for h in hashes)
    assert not list(tmp_path.iterdir())


def test_without_icarus_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    sentence = r"^iverilog not found on PATH \(Debian: apt-get install iverilog\)$"
    with pytest.raises(HwsimError, match=sentence):
        simulate([design(tmp_path, "assign p_o = 0;")], [0], [0])


@pytest.mark.sim
def test_the_simulators_version_is_a_version():
    assert simulator_version().split()[0].replace(".", "").isdigit()


def test_a_missing_module_or_file_is_refused(tmp_path):
    mine = design(tmp_path, "")
    other = Design("other", "other", {}, mine.sources, width=4, signed=False)
    with pytest.raises(HwsimError, match=r"expected a module other, found none in .*mine\.v"):
        read_interface(other)
    with pytest.raises(HwsimError, match=r"expected the Verilog of mul_drum at .*mul_drum\.v"):
        Design.of(Catalogued.parse("drum(3)"), width=8, signed=False, rtl=tmp_path)
    gone = Design("gone", "gone", {}, (Path(tmp_path, "gone.v"),), width=4, signed=False)
    with pytest.raises(HwsimError, match=r"cannot read .*gone\.v"):
        read_interface(gone)
