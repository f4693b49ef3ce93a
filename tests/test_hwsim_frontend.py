# SPDX-License-Identifier: Apache-2.0
"""Anybody's multiplier: what is recognised, what is measured, and that the products are right."""

import json

import numpy as np
import pytest
from netlist_samples import numbered_netlist

from axhil.hwsim import HwsimError
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.multipliers.comparing.sampling import classes, corners, draw, sample
from axhil.hwsim.multipliers.tabulating.tabulation import simulate_pairs, tabulate, with_signs
from axhil.hwsim.multipliers.tabulating.visits import sweep_order
from axhil.hwsim.operands import Asked, Operand, Operands
from axhil.hwsim.verilog.circuit import read_circuit, short_names
from axhil.hwsim.verilog.ports import Interface, Port
from axhil.hwsim.verilog.reading.safety import check_tasks, memories
from axhil.hwsim.verilog.roles import Control, recognise
from axhil.hwsim.verilog.scalarize import scalarized


def values(width, *, signed):
    patterns = np.arange(2**width)
    return (
        np.where(patterns >= 2 ** (width - 1), patterns - 2**width, patterns)
        if signed
        else patterns
    )


def exact(width, *, signed):
    return np.multiply.outer(values(width, signed=signed), values(width, signed=signed))


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# --- roles ---------------------------------------------------------------------------------------


def interface(*ports):
    """`a8` is an input of 8 bits, `>p16` an output, `a8s` is signed."""
    found = []
    for port in ports:
        name, bits = port.lstrip(">").split(":")
        found.append(
            Port(name, "output" if port[0] == ">" else "input", int(bits.rstrip("s")), "s" in bits)
        )
    return Interface(tuple(found), {})


ROLES = {
    "plain": (["a:8", "b:8", ">p:16"], ("a", "b", "p")),
    "library": (["A:8", "B:8", ">O:16"], ("A", "B", "O")),
    "suffixes": (["b_i:8", "a_i:8", ">p_o:16"], ("a_i", "b_i", "p_o")),
    "prefixes": (["i_a:4", "i_b:4", ">o_z:8"], ("i_a", "i_b", "o_z")),
    "place": (["left:8", "right:8", ">answer:17"], ("left", "right", "answer")),
    "x and y": (["Y:8", "X:8", ">R:16"], ("X", "Y", "R")),
    "more outputs": (["a:4", "b:4", ">carry:1", ">sum:8"], ("a", "b", "sum")),
    "product by name": (["a:4", "b:4", ">debug:8", ">prod:8"], ("a", "b", "prod")),
}


@pytest.mark.parametrize(("ports", "expected"), ROLES.values(), ids=ROLES)
def test_operands_and_product_are_recognised(ports, expected):
    found = recognise(interface(*ports), where="m")
    assert (found.activation, found.weight, found.product) == expected


def test_the_weight_port_is_the_column_and_can_be_named():
    found = recognise(interface("a:8", "b:8", ">p:16"), where="m", weight="a")
    assert (found.activation, found.weight) == ("b", "a")
    with pytest.raises(HwsimError, match=r"^m: expected the weight port to be a or b, got p$"):
        recognise(interface("a:8", "b:8", ">p:16"), where="m", weight="p")


CONTROLS = {
    "clk rst en": ("clk", Control("rst", 1), Control("en", 1)),
    "clk_i rst_ni en_i": ("clk_i", Control("rst_ni", 0), Control("en_i", 1)),
    "CLK RESETN CE": ("CLK", Control("RESETN", 0), Control("CE", 1)),
    "clock areset_n enable_n": ("clock", Control("areset_n", 0), Control("enable_n", 0)),
    "i_clk i_rst_n i_valid": ("i_clk", Control("i_rst_n", 0), Control("i_valid", 1)),
    "aclk nrst clk_en": ("aclk", Control("nrst", 0), Control("clk_en", 1)),
}


@pytest.mark.parametrize(("names", "expected"), CONTROLS.items(), ids=CONTROLS)
def test_clock_reset_and_enable_are_recognised_and_told(names, expected):
    clock, reset, enable = names.split()
    ports = interface(f"{clock}:1", f"{reset}:1", f"{enable}:1", "a:8", "b:8", ">p:16")
    found = recognise(ports, where="m")
    assert (found.clock, found.reset, found.enables) == (expected[0], expected[1], (expected[2],))
    assert all(any(name in note for note in found.notes) for name in (clock, reset, enable))


NO_ROLES = {
    "three operands": (["a:8", "b:8", "c:8", ">p:16"], {}, r"two operands, got a\[8\], b\[8\], c"),
    "one operand": (["a:8", ">p:16"], {}, r"two operands, got a\[8\]; if a holds both, say"),
    "unequal and narrow": (["a:8", "b:4", ">p:11"], {}, r"product of 12 bits, got p of 11: a nar"),
    "narrow": (["a:8", "b:8", ">p:15"], {}, r"product of 16 bits, got p of 15: a narrower output"),
    "no output": (["a:8", "b:8"], {}, r"one output as the product, got none; name it with --p"),
    "two outputs": (["a:8", "b:8", ">p:16", ">r:16"], {}, r"got p\[16\], r\[16\]; name it with"),
    "unknown input": (["a:8", "b:8", "mode:1", ">p:16"], {}, r"hold it with --tie mode=VALUE$"),
    "no such port": (["a:8", "b:8", ">p:16"], {"a": "x"}, r"expected a port, got x; it has a, b"),
    "one port twice": (["a:8", "b:8", ">p:16"], {"a": "a", "b": "a"}, r"expected two operands"),
    "output as operand": (["a:8", "b:8", ">p:16"], {"a": "p"}, r"an input as an operand, got p"),
    "input as product": (["a:8", "b:8", ">p:16"], {"p": "a"}, r"output as the product, got a"),
    "too large a tie": (["a:8", "b:8", "m:2", ">p:16"], {"ties": {"m": 4}}, r"a value for .*got 4"),
    "one bit": (
        ["a:1", "b:1", ">p:2"],
        {"a": "a", "b": "b"},
        r"operands of 2\.\.32 bits, got a of 1",
    ),
}


@pytest.mark.parametrize(("ports", "options", "sentence"), NO_ROLES.values(), ids=NO_ROLES)
def test_ports_of_no_multiplier_are_one_sentence(ports, options, sentence):
    with pytest.raises(HwsimError, match=rf"^m: [^\n]*{sentence}"):
        recognise(interface(*ports), where="m", **options)


def test_an_inout_is_refused():
    ports = (Port("a", "input", 8), Port("b", "input", 8), Port("p", "inout", 16))
    with pytest.raises(HwsimError, match="expected inputs and outputs, got inout p"):
        recognise(Interface(ports, {}), where="m")


def test_ties_make_a_third_input_harmless():
    found = recognise(
        interface("a:8", "b:8", "k:8", ">p:16"), where="m", a="a", b="b", ties={"k": 3}
    )
    assert found.ties == {"k": 3}


# --- what a design may ask for -------------------------------------------------------------------


@pytest.mark.parametrize(
    "task", ["$system", "$fopen", "$fwrite", "$writememh", "$dumpfile", "$random", "$unheard_of"]
)
def test_tasks_that_act_outside_are_refused(task):
    with pytest.raises(HwsimError, match=rf"^m: \{task} is refused before anything runs"):
        check_tasks(f'module m; initial {task}("x"); endmodule', where="m")


def test_comments_strings_and_escaped_names_are_no_tasks():
    check_tasks(
        '// $system "\n/* $system\n " */ module m; wire \\$system , \\a/b ; '
        'initial $display("$system // /* \\" axhil_"); (* keep = "$system" *) '
        "assign p = $signed(a) >>> $clog2(8); always @(*) x = y; endmodule\n`resetall",
        where="m",
    )


# What one reader takes for a comment, a string or nothing, and another runs.
TWO_READINGS = {
    "a name like a comment": (
        r'wire \x/* ; initial $system("id"); wire \y*/ ;',
        r"the escaped name \\x/\* is",
    ),
    "a name like the rest of the line": (
        r'wire \x// ; initial $system("id");',
        r"\\x// is refused",
    ),
    "a name with a quote": (r'wire \x" ; initial $system("id"); wire \y" ;', r'\\x" is refused'),
    "a name that goes on behind a vertical tab": (
        'wire \\x\v/* ; initial $system("id"); wire \\y*/ ;',
        "the escaped name .* is refused",
    ),
    "a name like a macro": (r"wire \x`y ;", r"\\x`y is refused"),
    "a string in three quotes": (
        'initial $display(""" " """); initial $system(1); // """',
        "expected a string or a comment to end",
    ),
    "a string without an end": ('initial $display("x); $system("id");', "expected a string or a"),
    "a comment without an end": ('/* initial $system("id");', "expected a string or a comment"),
    "a task behind a number": ('initial #8\'h ff$system("id");', r"\$system is refused before"),
    "a task behind a time": ('initial #1ns$fopen("id");', r"\$fopen is refused before"),
    "a directive": ("`systemc_header\nsystem(0);", "`systemc_header is refused"),
    "C from Verilog": ('import "DPI-C" function int system(string s);', r"\(DPI\) are refused"),
    "C of Verilator": ('initial $c("system(0);");', r"\$c is refused before anything runs"),
    "the module around it": ("initial force axhil_stream.a = 0;", "got axhil_stream; rename it"),
    "its escaped name": (r"initial force \axhil_live .a = 0;", "got axhil_live; rename it"),
    "the time": ("assign p = a * b + $time;", r"\$time is refused outside what is printed"),
    "the real time": ("initial t = $realtime;", r"\$realtime is refused outside"),
}


@pytest.mark.parametrize(("body", "sentence"), TWO_READINGS.values(), ids=TWO_READINGS)
def test_what_could_be_read_in_two_ways_or_reaches_out_is_refused(body, sentence):
    with pytest.raises(HwsimError, match=rf"^m: [^\n]*{sentence}"):
        check_tasks(f"module m; {body} endmodule", where="m")


def test_the_time_may_be_printed():
    check_tasks('always @(p) $display("%t: %d", $time, p); initial $timeformat(-9);', where="m")


@pytest.mark.sim
def test_the_text_that_is_judged_is_the_text_that_is_simulated(tmp_path, monkeypatch):
    """Two files of one name, and a macro that simulations define: one text everywhere."""
    source = write(
        tmp_path,
        "src/mine.v",
        '`include "which.vh"\nmodule mine(input [3:0] a, b, output [7:0] p);\n'
        "assign p = `PRODUCT(a, b); // a\n`ifdef COCOTB_SIM\n`EXTRA\n`endif\nendmodule\n",
    )
    swapped = "`define PRODUCT(x, y) (x) * {{1'b0, y[2:0]}}\n`define EXTRA {}\n"
    write(tmp_path, "src/which.vh", swapped.format('initial $system("touch marker");'))
    good = write(tmp_path, "alt/which.vh", "`define PRODUCT(x, y) (x) * (y)\n`define EXTRA\n")
    unsigned = Asked(signed=False)
    # In the current folder too, where preprocessors look first.
    monkeypatch.chdir(good.parent)
    with pytest.raises(HwsimError, match=r"^mine\.v: \$system is refused before anything runs"):
        read_circuit([source], asked=unsigned)
    circuit = read_circuit([source], asked=unsigned, includes=[good.parent])
    assert "//" not in circuit.text and "`" not in circuit.text.replace("`line 1 ", "")
    source.write_text("not read again")
    np.testing.assert_array_equal(tabulate(circuit).table, exact(4, signed=False))


@pytest.mark.sim
@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.vh", "link.vh"])
def test_an_included_file_from_elsewhere_is_refused_and_not_shown(name, tmp_path):
    write(tmp_path, "secret.vh", "the secret\n")
    source = write(tmp_path, "src/mine.v", f'`include "{name}"\nmodule mine; endmodule\n')
    (tmp_path / "src" / "link.vh").symlink_to(tmp_path / "secret.vh")
    with pytest.raises(HwsimError, match=r"^mine\.v: expected included files beside the") as error:
        read_circuit([source])
    assert "the secret" not in str(error.value)


def test_memories_are_found_beside_the_verilog_and_nowhere_else(tmp_path):
    table = write(tmp_path, "data/t.hex", "00")
    (tmp_path / "data" / "link.hex").symlink_to("/etc/hostname")
    text = 'initial $readmemh  ("data/t.hex", m); initial $display("$readmemh(gone)");'
    renamed, files = memories(text, folders=[tmp_path], where="m")
    ((name, path),) = files.items()
    assert path == table
    assert renamed == text.replace("data/t.hex", name)
    for name, sentence in (
        ("gone.hex", r"m: \$readmemb needs gone\.hex, found no such file in"),
        ("../t.hex", "expected .* a file beside the Verilog or below it"),
        ("/etc/passwd", "expected .* a file beside the Verilog or below it"),
        (r"\057etc/passwd", "expected .* a file beside the Verilog or below it"),
        ("link.hex", "of link.hex is refused: it is a link out of"),
    ):
        with pytest.raises(HwsimError, match=sentence):
            memories(f'$readmemb("{name}", m)', folders=[tmp_path / "data"], where="m")
    with pytest.raises(HwsimError, match="file name in quotes, got FILE"):
        memories("$readmemh(FILE, m)", folders=[tmp_path], where="m")
    with pytest.raises(HwsimError, match=r"file name in quotes, got \{"):
        memories('$readmemh({"t", ".hex"}, m)', folders=[tmp_path / "data"], where="m")


@pytest.mark.sim
def test_a_memory_is_the_file_whatever_it_is_called(tmp_path):
    """A memory under the name of a file of the simulation takes its place nowhere."""
    table = "".join(f"{a * b:02x}\n" for a in range(4) for b in range(4))
    for name in ("axhil_stream.v", "stream_bench.py", "operands.bin"):
        write(tmp_path, name, table)
        source = write(
            tmp_path,
            "mine.v",
            "module mine(input [1:0] a, b, output [3:0] p); reg [7:0] rom [0:15];\n"
            f'initial $readmemh("{name}", rom); assign p = rom[{{a, b}}][3:0]; endmodule\n',
        )
        lut = tabulate(read_circuit([source], asked=Asked(signed=False)))
        np.testing.assert_array_equal(lut.table, exact(2, signed=False))


# --- wide vectors --------------------------------------------------------------------------------

VECTOR = "module m(a, p); input a; output p; wire [63:0] N; wire N_1; {} endmodule"


def test_a_vector_of_single_wires_is_taken_apart():
    text, found = scalarized(VECTOR.format("assign N[ 63 ]=a; cell u(.N(N[0]), .x(N[63]));"))
    assert found == ("m.N",)
    # N_1 is taken, so the new wires have another prefix.
    assert "wire N__0, N__63;" in text
    assert "assign N__63=a; cell u(.N(N__0), .x(N__63));" in text


@pytest.mark.parametrize(
    "body",
    [
        "assign N = 0; assign p = N[0];",
        "assign p = N[i];",
        "assign p = N[3:2];",
        "assign p = N[64];",
        "assign p = |N; assign N[0] = a;",
        "assign N_1 = a;",
        "assign p = N[0] & u.N[1];",
    ],
)
def test_a_vector_with_another_use_stays_as_it_is(body):
    text = VECTOR.format(body)
    assert scalarized(text) == (text, ())


# --- whole files ---------------------------------------------------------------------------------

SHAPES = {
    "unsigned": {"name": "mul8u_9T", "signed": False, "product": "O", "wires": "vector"},
    "signed": {"name": "mul8s_9T", "signed": True, "product": "Z", "wires": "sig"},
}


@pytest.mark.sim
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_published_netlist_goes_through_as_it_is(tmp_path, shape):
    path = write(tmp_path, f"{shape['name']}.v", numbered_netlist(**shape))
    circuit = read_circuit([path], asked=Asked(signed=shape["signed"]))
    assert (circuit.top, circuit.signed_from) == (shape["name"], "option")
    lut = tabulate(circuit)
    np.testing.assert_array_equal(lut.table, exact(8, signed=shape["signed"]))
    manifest = lut.manifest
    assert manifest["operands"] == {"A": "activation", "B": "weight"}
    assert (manifest["product"], manifest.get("latency")) == (shape["product"], None)
    assert list(manifest["sources"]) == [path.name]
    assert manifest.get("vectors_taken_apart", []) == (
        [f"{shape['name']}.N"] if shape["wires"] == "vector" else []
    )
    assert str(tmp_path) not in json.dumps(manifest)


@pytest.mark.sim
def test_a_folder_of_includes_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "mine.v").write_text("module mine(input [3:0] a, b, output [7:0] p); endmodule\n")
    with pytest.raises(HwsimError, match=r"^expected a folder of included files at .*inc, but"):
        read_circuit([tmp_path / "mine.v"], includes=[tmp_path / "inc"])


@pytest.mark.sim
def test_several_files_includes_parameters_ties_and_memories(tmp_path):
    # Row and column differ, and so do the values of everything that is given.
    folder = tmp_path / "my verilog"
    top = write(
        folder,
        "mine.v",
        '`include "size.vh"\nmodule mine #(parameter K = 1, parameter S = "no")\n'
        "(input [`SIZE-1:0] a, b, input [1:0] mode, output [2*`SIZE-1:0] p);\n"
        "wire [`SIZE-1:0] q; look u (.x(b), .y(q));\n"
        'assign p = a * K + 16 * q * (mode == 2) * (S == "yes"); endmodule\n',
    )
    part = write(
        folder,
        "look.v",
        "module look(input [2:0] x, output [2:0] y); reg [2:0] m [0:7];\n"
        'initial $readmemh("t.hex", m); assign y = m[x]; endmodule\n',
    )
    write(folder, "t.hex", "0 1 2 3 0 0 0 0")
    write(tmp_path, "inc/size.vh", "`define SIZE 3\n")
    circuit = read_circuit(
        [top, part],
        a="a",
        b="b",
        weight="a",
        asked=Asked(signed=False),
        parameters={"K": 2, "S": "yes"},
        includes=[tmp_path / "inc"],
        ties={"mode": 2},
    )
    lut = tabulate(circuit)
    row, column = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    np.testing.assert_array_equal(lut.table, (2 * column + 16 * np.where(row < 4, row, 0)) % 64)
    assert lut.manifest["operands"] == {"b": "activation", "a": "weight"}
    assert lut.manifest["parameters"] == {"K": 2, "S": "yes"}
    assert lut.manifest["ties"] == {"mode": 2}
    assert set(lut.manifest["sources"]) == {"mine.v", "look.v", "size.vh", "t.hex"}


PIPELINE = """
module pipe #(parameter DEPTH = 3, parameter HOLD = 0)
  (input clk, input rst_n, input en_n, input [3:0] a, input [3:0] b, output [7:0] p, output busy);
  reg [7:0] stage [0:DEPTH]; reg [1:0] count; integer i;
  assign p = DEPTH == 0 ? a * b : stage[DEPTH]; assign busy = 1'b0;
  always @(posedge clk)
    if (!rst_n) count <= 0;
    else if (!en_n) begin
      count <= count + 1;
      if (HOLD == 0 || count == 0) stage[1] <= a * b;
      for (i = 2; i <= DEPTH; i = i + 1) stage[i] <= stage[i-1];
    end
endmodule
"""


@pytest.mark.sim
@pytest.mark.parametrize("depth", [0, 3, 64])
def test_latency_is_measured(tmp_path, depth):
    path = write(tmp_path, "pipe.v", PIPELINE)
    circuit = read_circuit([path], asked=Asked(signed=False), parameters={"DEPTH": depth})
    lut = tabulate(circuit)
    assert lut.manifest.get("latency", 0) == depth
    assert lut.manifest["reset"] == {"name": "rst_n", "active": 0}
    assert lut.manifest["enables"] == [{"name": "en_n", "active": 0}]
    np.testing.assert_array_equal(lut.table, exact(4, signed=False))


@pytest.mark.sim
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"DEPTH": 66},
            "0 and 1 only on the product after 64 cycles with the same operands, got X",
        ),
        ({"DEPTH": 1, "HOLD": 1}, "expected one new operand pair a cycle"),
    ],
    ids=["too late", "busy"],
)
def test_what_is_no_pipeline_is_one_sentence(tmp_path, parameters, sentence):
    path = write(tmp_path, "pipe.v", PIPELINE)
    with pytest.raises(HwsimError, match=sentence):
        tabulate(read_circuit([path], asked=Asked(signed=False), parameters=parameters))


@pytest.mark.sim
def test_a_wrapped_core_multiplies_signs_and_magnitudes(tmp_path):
    # The core adds 1 to every product but 0, so that a lost sign or delay cannot hide.
    text = PIPELINE.replace("a * b", "(a * b + (a != 0 && b != 0))")
    path = write(tmp_path, "pipe.v", text)
    circuit = read_circuit([path], asked=Asked(signed=False), parameters={"DEPTH": 2})
    lut = tabulate(with_signs(circuit))
    products = exact(4, signed=True)
    np.testing.assert_array_equal(lut.table, products + np.sign(products))
    assert lut.operands.code == "s4"
    assert lut.manifest["wrapper"] == "sign-magnitude"
    assert lut.manifest["latency"] == 2
    assert "module axhil_sign_magnitude" in lut.manifest["wrapper_verilog"]


HEADERS = {
    "in the header": "(input signed [2:0] A, B, output signed [5:0] O);",
    "as nets": "(input wire signed [2:0] A, B, output wire signed [5:0] O);",
    "by a parameter": "#(parameter W = 3) (input signed [W-1:0] A, B, output signed [2*W-1:0] O);",
    "in the body": "(A, B, O); input signed [2:0] A, B; output signed [5:0] O;",
    "in the body, one by one": (
        "(A, B, O); input signed [2:0] A; input signed [2:0] B; output signed [5:0] O;"
    ),
    "in the body, as nets": (
        "(A, B, O); input [2:0] A, B; output [5:0] O; wire signed [2:0] A, B; wire signed [5:0] O;"
    ),
}


@pytest.mark.sim
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_an_operand_inherits_the_kind_of_the_one_before_it(tmp_path, header):
    path = write(tmp_path, "m.v", f"module m {header} assign O = A * B; endmodule")
    circuit = read_circuit([path])
    assert (circuit.operands.code, circuit.signed_from) == ("s3", "declared")
    np.testing.assert_array_equal(tabulate(circuit).table, exact(3, signed=True))


SYSTEMVERILOG = """
module sv #(parameter int W = 4, localparam int P = 2 * W)
  (input logic signed [W-1:0] a_i, b_i, output logic signed [P-1:0] p_o);
  function automatic logic signed [P-1:0] times(input logic signed [W-1:0] x, y);
    return x * y;
  endfunction
  always_comb p_o = times(a_i, b_i);
endmodule
"""


@pytest.mark.sim
def test_systemverilog_is_read_as_icarus_elaborates_it(tmp_path):
    circuit = read_circuit([write(tmp_path, "sv.sv", SYSTEMVERILOG)], parameters={"W": 3})
    assert (circuit.operands.code, circuit.signed_from) == ("s3", "declared")
    assert circuit.interface.parameters == {"W": 3}
    np.testing.assert_array_equal(tabulate(circuit).table, exact(3, signed=True))


@pytest.mark.sim
def test_a_free_running_output_is_no_pipeline(tmp_path):
    text = (
        "module run(input clk, input [3:0] a, b, output reg [7:0] p); initial p = 0;\n"
        "always @(posedge clk) p <= p + a * b + 1; endmodule"
    )
    path = write(tmp_path, "run.v", text)
    with pytest.raises(HwsimError, match="but it goes on changing: an accumulator"):
        tabulate(read_circuit([path], asked=Asked(signed=False)))


@pytest.mark.sim
def test_a_product_that_depends_on_earlier_operands_is_refused(tmp_path):
    text = (
        "module keep(input [3:0] a, b, output reg [7:0] p); initial p = 0;\n"
        "always @* if (a[0]) p = a * b; endmodule"
    )
    path = write(tmp_path, "keep.v", text)
    sentence = r"for a=\d*[02468], b=\d+: it depends on earlier operands: p in keep keeps its value"
    with pytest.raises(HwsimError, match=sentence):
        tabulate(read_circuit([path], asked=Asked(signed=False)))


@pytest.mark.sim
def test_a_file_alone_is_a_table(tmp_path):
    text = "module m(input signed [1:0] a, b, output signed [3:0] p); assign p = a * b; endmodule"
    path = write(tmp_path, "m.v", text)
    found = find(str(path), Request(Asked(width=2)))
    np.testing.assert_array_equal(found.table().table, exact(2, signed=True))
    with pytest.raises(HwsimError, match=r"m \(m\.v\): expected operands of 8 bits, got a of 2$"):
        find(str(path), Request(Asked(width=8))).table()


SIGNS = {
    "declared": ("m", "signed ", None, ("s8", "declared")),
    "option": ("m", "", True, ("s8", "option")),
    "name, signed": ("mul8s_1A", "", None, ("s8", "name")),
    "name, unsigned": ("mul8u_1A", "", None, ("u8", "name")),
    "word over name": ("mul8u_1A", "", True, ("s8", "option")),
}


@pytest.mark.sim
@pytest.mark.parametrize(("top", "declared", "word", "expected"), SIGNS.values(), ids=SIGNS)
def test_who_says_that_operands_are_signed_is_kept(tmp_path, top, declared, word, expected):
    text = f"module {top}(input {declared}[7:0] a, b, output [15:0] p); endmodule"
    circuit = read_circuit([write(tmp_path, "m.v", text)], asked=Asked(signed=word))
    assert (circuit.operands.code, circuit.signed_from) == expected
    assert any("from the name" in note for note in circuit.notes) == (expected[1] == "name")


@pytest.mark.sim
def test_contradictory_signs_are_refused(tmp_path):
    text = "module m(a, b, p); input signed [3:0] a; input [3:0] b; output [7:0] p;{} endmodule"
    for word in (Asked(signed=False), Asked(operands=Operands.parse("u4"))):
        with pytest.raises(HwsimError, match=r"m \(m\.v\): a is declared signed, got (--uns|u4$)"):
            read_circuit([write(tmp_path, "m.v", text.format(""))], asked=word)
    both = write(tmp_path, "both.v", text.format(" wire signed [3:0] b;"))
    assert read_circuit([both]).signed_from == "declared"
    with pytest.raises(HwsimError, match="a is declared signed, got --unsigned"):
        read_circuit([both], asked=Asked(signed=False))


def test_equal_file_names_are_told_apart_without_a_path_of_the_machine(tmp_path):
    paths = [write(tmp_path, f"{folder}/m.v", "") for folder in ("x", "y")]
    assert short_names(paths) == ["x/m.v", "y/m.v"]
    assert short_names(paths[:1]) == ["m.v"]


@pytest.mark.parametrize(
    ("code", "rows", "columns"), [("u4", 16, 16), ("u6xs2", 64, 4), ("s1xs4", 2, 16)]
)
def test_a_sweep_has_every_pair_once_and_changes_one_bit_at_a_time(code, rows, columns):
    a, b = sweep_order(Operands.parse(code))
    pairs = a << 4 | b
    assert sorted(pairs.tolist()) == [a << 4 | b for a in range(rows) for b in range(columns)]
    assert {int(step).bit_count() for step in pairs[1:] ^ pairs[:-1]} == {1}


# --- samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [False, True])
def test_every_operand_is_in_one_magnitude_class(signed):
    low, size = classes(Operand(5, signed))
    found = np.concatenate([np.arange(one, one + n) for one, n in zip(low, size, strict=True)])
    assert sorted(found) == sorted(values(5, signed=signed))


def test_draws_fall_into_their_strata_and_weights_are_shares():
    operands = Operands.parse("s6xu9")
    a, b, stratum, weight = draw(operands, draws=4000, seed=1)
    columns = len(classes(operands.weight)[0])
    places = (stratum // columns, stratum % columns)
    for operand, kind, which in zip((a, b), operands, places, strict=True):
        low, size = classes(kind)
        assert (low[which] <= operand).all()
        assert (operand < low[which] + size[which]).all()
    assert weight.sum() == pytest.approx(1)
    assert np.bincount(stratum, minlength=len(weight)).min() >= 2


def test_corners_hold_the_extremes_and_every_leading_one():
    a, b = corners(Operands.parse("s16xu4"))
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    assert {(-32768, 15), (32767, 0), (0, 8), (256, 1), (-256, 9)} <= pairs
    assert (max(a), min(b), max(b)) == (32767, 0, 15)


@pytest.mark.sim
def test_a_sample_estimates_what_all_products_show(tmp_path):
    # The product's low byte is cut off: the exact mean error is known from all pairs.
    text = (
        "module cut(input [10:0] a, b, output [21:0] p); wire [21:0] q = a * b;"
        " assign p = {q[21:8], 8'b0}; endmodule"
    )
    circuit = read_circuit([write(tmp_path, "cut.v", text)], asked=Asked(signed=False))
    found = sample(circuit, draws=20_000)
    error = exact(11, signed=False) % 256
    assert abs(found.mae.value - error.mean()) < 2 * found.mae.margin
    assert abs(found.ep.value - (error != 0).mean()) < 2 * found.ep.margin
    assert found.bias.value == -found.mae.value
    assert found.mae.margin < 0.03 * found.mae.value
    assert found.wce <= error.max()
    assert found.wce == found.worst[0] * found.worst[1] % 256
    assert found.as_dict()["kind"] == "sample"
    assert "table" not in found.as_dict()


@pytest.mark.sim
def test_32_bits_are_driven_and_read_in_full(tmp_path):
    text = "module w(input [31:0] a, b, output [63:0] p); assign p = a * b; endmodule"
    circuit = read_circuit([write(tmp_path, "w.v", text)], asked=Asked(signed=False))
    a = np.array([2**32 - 1, 2**31, 3], np.int64)
    b = np.array([2**32 - 1, 2**32 - 1, 5], np.int64)
    found = simulate_pairs(circuit, a, b).values
    assert [int(value) for value in found] == [
        int(x) * int(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]
    with pytest.raises(HwsimError, match="at most 12 bits for a complete table, got 32"):
        tabulate(circuit)
