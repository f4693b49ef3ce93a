# SPDX-License-Identifier: Apache-2.0
"""From a circuit to its table: what is driven, what is refused, and that nothing leaks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from axhil.hwsim import Catalogued, Circuit, HwsimError, Operand, tabulate
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.multipliers.tabulating.tabulation import simulate_pairs
from axhil.hwsim.tools.simulators import simulator_version
from axhil.hwsim.verilog.reading.elaboration import elaborate


def simulate(mine, a, b):
    """Products of a few pairs."""
    a, b = (np.atleast_1d(np.asarray(x, np.int64)) for x in (a, b))
    return simulate_pairs(mine, a, b).values


def circuit(tmp_path, body, *, width=4, signed=False, parameters=None, header=None):
    """A module `mine` with the given body."""
    ports = header or (
        f"(input wire [{width - 1}:0] a_i, input wire [{width - 1}:0] b_i,\n"
        f" output wire [{2 * width - 1}:0] p_o)"
    )
    path = tmp_path / "mine.v"
    path.write_text(f"module mine {ports};\n{body}\nendmodule\n")
    return Circuit.of("mine", "mine", [path], Operand(width, signed), parameters=parameters)


@pytest.mark.sim
def test_rows_are_the_first_port_and_columns_the_second(tmp_path):
    lut = tabulate(circuit(tmp_path, "assign p_o = {a_i, b_i};"))
    a, b = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    np.testing.assert_array_equal(lut.table, 16 * a + b)
    assert lut.manifest["operands"] == {"a_i": "activation", "b_i": "weight"}


@pytest.mark.sim
def test_signed_operands_and_products_are_twos_complement(tmp_path):
    lut = tabulate(circuit(tmp_path, "assign p_o = {{4{a_i[3]}}, a_i};", signed=True))
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
        tabulate(circuit(tmp_path, body, signed=signed))


@pytest.mark.sim
def test_an_undriven_output_bit_is_named_at_the_first_pair(tmp_path):
    with pytest.raises(HwsimError, match=r"got Z0000000 for a_i=0, b_i=0: nothing drives p_o.7.$"):
        tabulate(circuit(tmp_path, "assign p_o[6:0] = a_i * b_i;"))


WRONG_PORTS = [
    (
        "(input wire [4:0] a_i, input wire [3:0] b_i, output wire [7:0] p_o)",
        "expected a_i of 4 bits as its Verilog was read, got 5 bits once elaborated",
    ),
    (
        "(input wire [3:0] a_i, input wire b_i, output wire [7:0] p_o)",
        "expected b_i of 4 bits as its Verilog was read, got 1 bits once elaborated",
    ),
    (
        "(input wire [3:0] a_i, input wire [3:0] b_i, output wire [6:0] p_o)",
        "expected p_o of 8 bits as its Verilog was read, got 7 bits once elaborated",
    ),
    (
        "(input wire [3:0] A, input wire [3:0] b_i, output wire [7:0] p_o)",
        "the Verilog does not compile: .*port .*a_i.* is not a port",
    ),
]


@pytest.mark.sim
@pytest.mark.parametrize(("header", "sentence"), WRONG_PORTS)
def test_wrong_ports_are_refused(tmp_path, header, sentence):
    with pytest.raises(HwsimError, match=rf"^mine: {sentence}"):
        simulate(circuit(tmp_path, "", header=header), 0, 0)


@pytest.mark.sim
def test_a_port_that_nothing_drives_is_an_unknown_product(tmp_path):
    header = "(input wire en, input wire [3:0] a_i, input wire [3:0] b_i, output wire [7:0] p_o)"
    with pytest.raises(HwsimError, match=r"^mine: expected 0 and 1 only on p_o, got [0X]{8} for"):
        simulate(circuit(tmp_path, "assign p_o = en ? a_i : b_i;", header=header), 3, 4)


@pytest.mark.sim
def test_a_parameter_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(HwsimError, match=r"^mine: the Verilog has no parameter K$"):
        simulate(circuit(tmp_path, "assign p_o = 0;", parameters={"K": 3}), 0, 0)


@pytest.mark.sim
def test_a_parameter_that_a_part_of_the_design_lacks_is_its_own_affair(tmp_path):
    part = "part #(.K(3)) u (.x(a_i), .y(p_o)); endmodule\n"
    part += "module part (input [3:0] x, output [7:0] y); assign y = x;"
    assert simulate(circuit(tmp_path, part), 9, 1) == 9


@pytest.mark.sim
def test_ports_declared_in_the_body_are_read_too():
    body = """
      parameter W = 3'd4;
      localparam P = (W > 2) ? 2*W : $clog2(W);
      input [W-1:0] a_i, b_i;
      output [P-1:0] p_o;
      assign p_o = a_i * b_i;
    """
    text = f"module mine (a_i, b_i, p_o); {body} endmodule"
    found = elaborate(text, ["mine"], parameters={"W": 5}, name="mine.v")["mine"]
    assert [str(port) for port in found.ports] == [
        "input a_i of 5 bits",
        "input b_i of 5 bits",
        "output p_o of 10 bits",
    ]
    assert found.parameters == {"W": 5}


@pytest.mark.sim
def test_verilog_with_an_error_is_one_sentence_with_the_compilers_line(tmp_path):
    with pytest.raises(HwsimError, match=r"does not compile: .*mine\.v:3: syntax error$") as top:
        simulate(circuit(tmp_path, "assign p_o == 1;"), 0, 0)
    assert "\n" not in str(top.value)
    with pytest.raises(HwsimError, match=r"does not compile: .*Unknown module type: other$"):
        simulate(circuit(tmp_path, "other u (.a(a_i));"), 0, 0)


@pytest.mark.sim
def test_a_fatal_of_the_verilog_is_the_message(tmp_path):
    body = 'assign p_o = 0; initial $fatal(1, "mine: expected better");'
    sentence = "^mine: the Verilog stopped the simulation: mine: expected better$"
    with pytest.raises(HwsimError, match=sentence):
        simulate(circuit(tmp_path, body), 0, 0)


@pytest.mark.sim
@pytest.mark.parametrize("task", ["$finish", "$stop"])
def test_a_simulation_that_ends_itself_is_an_error(tmp_path, task):
    body = f"assign p_o = 0; initial begin #9; {task}; end"
    sentence = rf"^mine: expected the design to wait for operands, but mine\.v:3 calls \{task}"
    with pytest.raises(HwsimError, match=sentence):
        simulate(circuit(tmp_path, body), range(16), range(16))


@pytest.mark.sim
def test_an_edited_source_and_another_parameter_are_simulated_anew(tmp_path):
    body = "parameter ADD = 0;\nassign p_o = a_i + ADD;"
    first = circuit(tmp_path, body)
    assert simulate(first, 1, 1) == 1
    assert simulate(circuit(tmp_path, body, parameters={"ADD": 2}), 1, 1) == 3
    times = (first.sources[0].stat().st_atime, first.sources[0].stat().st_mtime)
    edited = circuit(tmp_path, body.replace("+", "-"), parameters={"ADD": 1})
    os.utime(edited.sources[0], times)
    assert simulate(edited, 1, 1) == 0


@pytest.mark.sim
def test_nothing_is_written_where_it_stands_or_where_the_verilog_is(tmp_path, monkeypatch, capfd):
    scratch, cwd = tmp_path / "scratch", tmp_path / "cwd"
    scratch.mkdir()
    cwd.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(cwd)
    before = sorted(rtl_dir().iterdir())
    Catalogued("drum", (2,), Operand(4, signed=True)).table()
    assert list(cwd.iterdir()) == list(scratch.iterdir()) == []
    assert sorted(rtl_dir().iterdir()) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.sim
def test_the_folders_may_have_spaces_in_their_names(tmp_path):
    folder = tmp_path / "my verilog, v2"
    shutil.copytree(rtl_dir(), folder)
    spaced = Catalogued("drum", (2,), Operand(4, signed=True), rtl=folder).circuit()
    assert simulate(spaced, 3, 14) == -6


@pytest.mark.sim
def test_two_processes_at_once_do_not_meet(tmp_path):
    script = (
        "import sys; from axhil.hwsim import Catalogued, Operand\n"
        "print(Catalogued.parse(sys.argv[1], operand=Operand(5, False)).table().sha256)"
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
        simulate(circuit(tmp_path, "assign p_o = 0;"), 0, 0)


@pytest.mark.sim
def test_the_simulators_version_is_a_version():
    assert simulator_version().split()[0].replace(".", "").isdigit()


def test_a_missing_file_is_refused(tmp_path):
    gone = Circuit.of("gone", "gone", [Path(tmp_path, "gone.v")], Operand(4, signed=False))
    with pytest.raises(HwsimError, match=r"cannot read .*gone\.v"):
        tabulate(gone)
