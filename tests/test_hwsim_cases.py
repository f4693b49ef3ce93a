# SPDX-License-Identifier: Apache-2.0
"""Verilog files that were made to break one thing each: every one has its right outcome.

They lie in the folder that AXHIL_CASES names; the first comment of each says the outcome.
"""

import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from axhil.hwsim import HwsimError
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.operands import Asked
from axhil.hwsim.tools.pool import together

CASES = os.environ.get("AXHIL_CASES")

pytestmark = [
    pytest.mark.sim,
    pytest.mark.slow,
    pytest.mark.skipif(CASES is None, reason="AXHIL_CASES names no folder of cases"),
]


def exact(a, b):
    return a * b


def leading_ones(a, b):
    lengths = [np.array([int(x).bit_length() for x in side.ravel()]) for side in (a, b)]
    exponent = lengths[0].reshape(a.shape) + lengths[1].reshape(b.shape) - 2
    return np.where((a > 0) & (b > 0), 1 << np.maximum(exponent, 0), 0)


# (product of the operands' values, what a note has to say); None for a note: there is none.
TABLES = {
    "t04_bit_ports.sv": (lambda a, b: 65535 - a * b, None),
    "t04d_bit_ports10.sv": (lambda a, b: 1048575 - a * b, None),
    "t06_comb_function.sv": (exact, None),
    "t07_open_input.v": (lambda a, b: (a & ~15) * (b & ~15), r"nothing drives u_core\.mode"),
    "t08_inertial_1500.v": (exact, None),
    "t09_transport_1500.v": (exact, None),
    "t101_strict_width.v": (lambda a, b: (a * b * 257 >> 8) & 0xFFFF, None),
    "t106_same_twice.v": (exact, None),
    "t108_file_stem.v": (exact, None),
    "t10_mixed_sign.v": (exact, "a is taken as unsigned"),
    "t111_init_ten.sv": (lambda a, b: a * b + 1, None),
    "t112_bench_first.v": (exact, "passed over as a test bench"),
    "t114_sign_and.v[signed]": (None, "sign of negative x positive, .* products is wrong"),
    "t115_delay_cell.v": (exact, None),
    "t116_port_sign.sv": (exact, None),
    "t117_clock_enable_gate.v": (exact, "clken, an enable by its name, is held at 1"),
    "t11_ansi_localparam.v": (exact, None),
    "t12_udp.v": (exact, None),
    "t13_func_auto.v": (leading_ones, "never changes"),
    "t103_inside.sv": (exact, r"with slang, .*cannot read it \(t103_inside\.sv:3: "),
    "t15_two_dim.v": (exact, None),
    "t16_int_array.v": (exact, None),
    "t18_gate_delay.v": (exact, None),
    "t19_gen_if_for.v": (exact, None),
    "t216_no_newline_a.v[with={t216_no_newline_b.v}]": (exact, None),
    "t22_initial_out.v": (exact, None),
    "t23_file_name.v": (exact, None),
    "t24_param_expr.v": (exact, None),
    "t24_param_expr.v[LOG=2]": (exact, None),
    "t25_include.v": (exact, None),
    "t25b_needs_define.v[define.WIDTH=8]": (exact, None),
    "t26_windows.v": (exact, None),
    "t26b_latin1.v": (exact, None),
    "t27_tops.v[top=t27_exact]": (exact, None),
    "t27b_with_bench.v": (exact, "passed over as a test bench"),
    "t29_names.v": (exact, "the products are the same either way"),
    "t30_wide_product.v": (exact, None),
    "t31_narrow_product.v[product_shift=8]": (lambda a, b: a * b & ~0xFF, "without its lower 8"),
    "t32_8x4.v": (exact, None),
    "t33_enable_valid.v": (exact, "valid_in, an enable by its name"),
    "t34_reset_level.v": (exact, "rst, a reset by its name, is held at 1"),
    "t36_ps.v": (exact, None),
    "t37_us.v": (exact, None),
    "t38_carry_chain.v": (exact, None),
    "t40_display.v": (exact, None),
    "t42_readmem.v": (exact, None),
    "t51_undriven_inside.v": (lambda a, b: (a << 1 & 0xFF) * b, "nothing drives sel"),
    "t54_signed_hint.v": (None, r"although the Verilog computes with \$signed"),
    "t54_signed_hint.v[signed]": (exact, None),
    "t57_packed_2d.sv": (exact, None),
    "t59_unpacked_param.sv": (exact, "with slang, .*Icarus Verilog cannot read it"),
    "t60_typedef_pkg.sv": (exact, None),
    "t66_negedge.v": (exact, None),
    "t69_late_wire.v": (exact, "used before it is declared"),
    "t70_attributes.v": (exact, None),
    "t71_xilin_style.v": (exact, "outputs left open: pp1, pp2, r1"),
    "t73_case_names.v[tie.a=0]": (exact, None),
    "t75_valid_gate.v": (exact, "valid, an enable by its name, is held at 1"),
    "t80_comment_end.v": (exact, None),
    "t81_macro_name.v": (exact, None),
    "t82_vlog95_tasks.v": (exact, None),
    "t87_wor.v": (exact, None),
    "t89_two_files_a.v[with={t89_two_files_b.v}]": (exact, None),
    "t91_param_required.sv[N=8]": (exact, None),
    "t92_zero_default.v[N=8,K=4]": (exact, None),
    "t97_escape_path.v": (exact, None),
    "t98_upper_half.v": (lambda a, b: a * b & 0xFF, r"p\[15:8\] never changes"),
    # The second file of another one is a multiplier of its own.
    "t216_no_newline_b.v": (exact, None),
    "t89_two_files_b.v": (exact, None),
    "t94/src/t94_include_order.v": (None, None),
}
KEEPS = "expected one product for each operand pair, got .*: it depends on earlier operands"
REFUSED = {
    "t01_latch_else.v": KEEPS,
    "t02_latch_one_pair.v": KEEPS,
    "t05_const_star.v": r"expected 0 and 1 only on p, got .*X.*t05_const_star\.v:6",
    "t102_interface.sv": r"t102_interface\.sv:3: .*interface port 'io'; write a module around it",
    "t104_bad_syntax.v": r"t104_bad_syntax\.v:4: syntax error .*expected ;",
    "t105_empty.v": "expected a Verilog module, found none",
    "t110_case_hold.v": KEEPS,
    "t113_seq_edge.v": "expected a product that follows its operands",
    "t116_port_sign.sv[unsigned]": "x is declared signed",
    "t118_wide_only.v": "name it with --p",
    "t20_tristate.v": "got ZZZZZZZZZZZZZZZZ for a=0",
    "t216_no_newline_a.v": "expected a module t216_core, .*--with FILE",
    "t21_loop.v": "a combinational loop that never settles",
    "t21b_display_flood.v": "a combinational loop that never settles",
    "t25b_needs_define.v": "the macro WIDTH .*-D WIDTH=VALUE",
    "t27_tops.v": "got t27_exact and t27_trunc, .*--top",
    "t31_narrow_product.v": "say --product-shift 8",
    "t39_random.v": r"\$random is refused before anything runs",
    "t39b_time.v": r"\$time is refused",
    "t42b_readmem_param.v": "expected .readmemh of a file name in quotes",
    "t43_fopen.v": r"\$fopen is refused before anything runs",
    "t44_system.v": r"\$system is refused before anything runs",
    "t45_fopen_escaped.v": "the escaped name .* is refused",
    "t45_system_escaped.v": "the escaped name .* is refused",
    "t46_system_cocotb.v": r"\$system is refused before anything runs",
    "t47_paste.v": r"\$system is refused before anything runs",
    "t48_readmem_abs.v": "expected .readmemh of a file beside the Verilog",
    "t49_include_abs.v": "expected included files beside the Verilog",
    "t50_one_x.v": "got 000000000000000X for a=200, b=200",
    "t52_seq_start.v": "expected a product that follows its operands",
    "t55_missing_bits.v": r"got Z000000000000000 .*nothing drives p\[15\]",
    "t56_incomplete_list.v": KEEPS,
    "t61_bit_blasted.v": "they are single wires here: write a module around them",
    "t63_inout.v": "expected inputs and outputs, got inout p",
    "t64_missing_cell.v": "expected a module t64_fa, .*--with FILE",
    "t65_deep_pipe.v": "64 cycles .* is the longest latency",
    "t67_mac.v": "it goes on changing: an accumulator",
    "t73_case_names.v": "hold it with --tie a=VALUE",
    "t76_mode_enable.v": "expected --tie for en_approx, which changes the products",
    "t78_huge_32.v": "12 bits",  # as a table; `axhil lut` samples it
    "t79_ternary_x.v": "nothing writes mode",
    "t85_force.v": "expected no name that begins with axhil_",
    "t89_two_files_a.v": "expected a module t89_core",
    "t90_glitch_memory.v": f"{KEEPS}: .* waits for an edge",
    "t91_param_required.sv": "parameter N has no default",
    "t92_zero_default.v": "t92_set_N_and_K",
    "t95/src/t95_cwd_include.v": r"\$fopen is refused before anything runs",
    "t96_zero_skip.v": KEEPS,
}


def word(text):
    name, bracket, facts = text.partition("[")
    folder = Path(CASES) / "rtl"
    return f"{folder / name}{bracket}" + re.sub(r"\{(.*?)\}", rf"{folder}/\1", facts)


def outcome(text):
    """The table and notes of a file, or the sentence that refuses it."""
    sentence = "The Verilog does not declare its operands signed"
    for signed in (None, False):  # as a user would answer who is asked
        if "does not declare its operands signed" not in sentence:
            break
        try:
            multiplier = find(word(text), Request(Asked(signed=signed), time_limit=10))
            return multiplier.table(jobs=1), multiplier.notes
        except HwsimError as error:
            sentence = str(error)
    return sentence, ()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    wrong = tmp_path_factory.mktemp("cwd")
    (wrong / "t95_defs.vh").write_text("`define T95_MUL(x, y) ((x) * (y))\n")
    before = Path.cwd()
    os.chdir(wrong)
    try:
        yield together({text: partial(outcome, text) for text in (*TABLES, *REFUSED)})
    finally:
        os.chdir(before)


def test_every_file_has_an_outcome_here():
    folder = Path(CASES) / "rtl"
    files = {
        str(path.relative_to(folder))
        for pattern in ("*.v", "*.sv", "*/src/*.v")
        for path in folder.glob(pattern)
    }
    assert files == {text.partition("[")[0] for text in (*TABLES, *REFUSED)}


def test_every_file_has_its_right_outcome(outcomes):
    faults = []
    for text, (product, note) in TABLES.items():
        lut, notes = outcomes[text]
        if isinstance(lut, str):
            faults.append(f"{text}: {lut}")
            continue
        x, y = lut.activation.values[:, None], lut.weight.values[None, :]
        if product is not None and not np.array_equal(lut.table, product(x, y)):
            faults.append(f"{text}: another table")
        odd = [one for one in notes if not re.search(r"bits, (un)?signed|simulated in", one)]
        if note is None and any("warning" in one for one in odd):
            faults.append(f"{text}: {odd}")
        if note is not None and not any(re.search(note, one) for one in notes):
            faults.append(f"{text}: {notes}")
    for text, sentence in REFUSED.items():
        got, _ = outcomes[text]
        if not isinstance(got, str) or "\n" in got or not re.search(sentence, got):
            faults.append(f"{text}: {got}")
    assert faults == []
    assert not list(Path("/tmp").glob("axhil_case_*"))
