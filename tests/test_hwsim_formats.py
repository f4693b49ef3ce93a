# SPDX-License-Identifier: Apache-2.0
"""Other tools' tables: every product lands where the tool looks it up, and comes back from there.

The oracles are the tools' own index expressions, a C compiler, Icarus, NumPy and csv.
"""

import csv
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axhil.hwsim import Catalogued, HwsimError, Lut, Operands, golden
from axhil.hwsim.formats import FORMATS, format_names, read_table, write_table
from axhil.hwsim.operands import Asked, UnknownOperandsError

ROOT = Path(__file__).resolve().parent.parent
SIGNED, UNSIGNED = Operands.both(8, True), Operands.both(8, False)
SUFFIX = {
    "npz": ".npz",
    "adapt": ".h",
    "transaxx": ".h",
    "tfapprox": ".bin",
    "approxtorch": ".txt",
    "appmult": ".txt",
    "npy": ".npy",
    "hex": ".hex",
    "csv": ".csv",
}
# Each format with every kind of operands that it takes.
TAKES = [
    (name, Operands.parse(code))
    for name, codes in {
        "npz": "s8 u8 u8xs8 s8xs4 u3xs5",
        "adapt": "s8",
        "transaxx": "s8 s4",
        "tfapprox": "u8",
        "approxtorch": "s8 u8 s4",
        "appmult": "u8 u6",
        "npy": "s8 u8 s5 u8xs8 s4xu6",
        "hex": "s8 u8 s3 u8xs8 s8xu3 s3xs6",
        "csv": "s8 u8 s3 s3xu4 u8xs4",
    }.items()
    for code in codes.split()
]
IDS = [f"{name} {operands.code}" for name, operands in TAKES]


def table(operands, *, seed=0):
    """Products as a multiplier of them may give, different for every operand pair."""
    product = operands.product
    values = np.random.default_rng(seed).integers(0, 1 << sum(operands.bits), operands.shape)
    return Lut((values + product.minimum).astype(np.int32), *operands)


def one_cell(operands, a, b, product):
    """All zero but the product of the operand values a and b."""
    values = np.zeros(operands.shape, np.int32)
    values[a % len(values), b % len(values[0])] = product
    return Lut(values, *operands)


def written(tmp_path, lut, name):
    path = tmp_path / f"table{SUFFIX[name]}"
    write_table(lut, path, form=name)
    return path


@pytest.fixture
def compiler():
    if shutil.which("cc"):
        return "cc"
    message = "cc not found on PATH (Debian: apt-get install gcc)"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def test_every_format_is_round_tripped_here():
    assert {name for name, _ in TAKES} == set(format_names()) == {"npz", *FORMATS}


@pytest.mark.parametrize(("name", "operands"), TAKES, ids=IDS)
def test_a_table_comes_back_as_it_was_written(tmp_path, name, operands):
    lut = table(operands)
    path = written(tmp_path, lut, name)
    assert read_table(path, form=name, asked=Asked(operands=operands)) == lut


@pytest.mark.parametrize(("name", "operands"), TAKES, ids=IDS)
def test_writing_what_was_read_gives_the_same_bytes(tmp_path, name, operands):
    path = written(tmp_path, table(operands), name)
    again = tmp_path / f"again{SUFFIX[name]}"
    lut = read_table(path, form=name, asked=Asked(operands=operands))
    write_table(lut if name != "npz" else Lut.load(path), again, form=name)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["adapt", "transaxx", "appmult", "tfapprox", "approxtorch", "csv"])
def test_a_format_is_recognised_without_being_named(tmp_path, name):
    lut = table(UNSIGNED if name in {"appmult", "tfapprox"} else SIGNED)
    read = read_table(written(tmp_path, lut, name))
    assert read == lut
    assert read.manifest["imported"]["format"] == name
    assert read.name == "table"


def test_an_imported_table_tells_its_file_and_metrics(tmp_path):
    lut = golden(Catalogued.parse("drum(4)"))
    path = written(tmp_path, lut, "adapt")
    manifest = read_table(path).manifest
    assert manifest["imported"]["file"] == path.name
    assert re.fullmatch("[0-9a-f]{64}", manifest["imported"]["sha256"])
    assert manifest["metrics"] == lut.manifest["metrics"]


# One product among zeros, found where the tool itself would look it up.


@pytest.mark.parametrize("name", ["adapt", "transaxx"])
def test_a_header_holds_a_product_where_c_finds_it(tmp_path, compiler, name):
    path = written(tmp_path, one_cell(SIGNED, -3, 5, -77), name)
    program = tmp_path / "main.c"
    program.write_text(
        f'#define __device__\n#include "{path}"\n#include <stdio.h>\n'
        "int main(void) { int8_t a = -3, b = 5; int n = 0;\n"
        "for (int i = 0; i < 256; i++) for (int j = 0; j < 256; j++) n += lut[i][j] != 0;\n"
        'printf("%d %d %d\\n", lut[(uint8_t)a][(uint8_t)b], n, (int)sizeof lut[0][0]); }\n'
    )
    subprocess.run([compiler, "-o", tmp_path / "main", program], check=True)
    said = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout
    assert said == "-77 1 2\n"


def test_tfapprox_holds_a_product_at_activation_times_256_plus_weight(tmp_path):
    data = written(tmp_path, one_cell(UNSIGNED, 200, 5, 999), "tfapprox").read_bytes()
    assert len(data) == 131072
    assert struct.unpack_from("<H", data, 2 * ((200 << 8) | 5)) == (999,)
    assert sum(data) == sum(struct.pack("<H", 999))


def test_approxtorch_finds_a_product_at_its_own_index(tmp_path):
    path = written(tmp_path, one_cell(SIGNED, -3, 5, -77), "approxtorch")
    flat = np.loadtxt(path, dtype=np.int32).reshape(256 * 256)
    assert flat[256 * -3 + 5 + 32896] == -77
    assert np.count_nonzero(flat) == 1


def test_unsigned_approxtorch_starts_at_zero(tmp_path):
    path = written(tmp_path, one_cell(UNSIGNED, 2, 250, 500), "approxtorch")
    assert np.loadtxt(path, dtype=np.int32)[2, 250] == 500


def test_appmult_has_a_line_of_activation_weight_product(tmp_path):
    path = written(tmp_path, one_cell(UNSIGNED, 200, 5, 999), "appmult")
    title, *lines = path.read_text().splitlines()
    assert title == "LUT for approximate multiplier:"
    assert [line for line in lines if not line.endswith(" 0")] == ["200 5 999"]
    assert len(lines) == 65536


def test_npy_is_indexed_by_bit_patterns(tmp_path):
    array = np.load(written(tmp_path, one_cell(SIGNED, -3, 5, -77), "npy"))
    assert array[253, 5] == -77
    assert np.count_nonzero(array) == 1


def test_csv_is_labelled_by_operand_values(tmp_path):
    path = written(tmp_path, one_cell(SIGNED, -3, 5, -77), "csv")
    with path.open(newline="") as file:
        rows = {row["a\\b"]: row for row in csv.DictReader(file)}
    assert rows["-3"]["5"] == "-77"
    assert list(rows) == [str(a) for a in range(-128, 128)]


@pytest.mark.sim
def test_readmemh_finds_a_product_at_the_operands_side_by_side(tmp_path):
    path = written(tmp_path, one_cell(SIGNED, -3, 5, -77), "hex")
    bench = tmp_path / "bench.v"
    bench.write_text(
        "module bench; reg [15:0] mem [0:65535]; reg signed [7:0] a, b; integer i, n;\n"
        f'initial begin $readmemh("{path}", mem); a = -3; b = 5; n = 0;\n'
        "for (i = 0; i < 65536; i = i + 1) n = n + (mem[i] !== 16'd0);\n"
        '$display("%0d %0d", $signed(mem[{a, b}]), n); end endmodule\n'
    )
    subprocess.run(["iverilog", "-o", tmp_path / "bench", bench], check=True)
    said = subprocess.run(["vvp", tmp_path / "bench"], check=True, capture_output=True, text=True)
    assert said.stdout == "-77 1\n"


@given(a=st.integers(-128, 127), b=st.integers(-128, 127), product=st.integers(1, 32767))
@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("name", ["adapt", "approxtorch", "hex", "csv"])
def test_any_single_product_keeps_its_operands(tmp_path_factory, name, a, b, product):
    lut = one_cell(SIGNED, a, b, product)
    read = read_table(written(tmp_path_factory.mktemp("cell"), lut, name))
    assert int(read.table[a % 256, b % 256]) == product
    assert np.count_nonzero(read.table) == 1


# What the tools' own files look like beyond what we write.


def test_a_header_as_adapts_converter_writes_it_is_read(tmp_path):
    values = np.multiply.outer(*2 * [np.r_[0:128, -128:0]])
    body = "".join(
        "{" + ", ".join(map(str, row)) + ("}," if i < 255 else "") + ("\n" if i < 255 else "")
        for i, row in enumerate(values)
    )
    path = tmp_path / "mul8s_acc.h"
    path.write_text(
        f"#include <stdint.h>\n\n/* {{1, 2}} */ const int16_t lut [256][256] = {{{body}}}}};\n"
    )
    assert read_table(path) == golden(Catalogued.parse("exact"))


@pytest.mark.parametrize(
    ("declaration", "rows", "signed"),
    [
        (
            "static const unsigned short t[4][4]",
            "{0,1,2,3},{0x10,1u,2UL,3},{0,0,0,0},{1,1,1,1,},",
            False,
        ),
        ("const int32_t lut[4][4]", "0,1,2,3,16,1,2,3,0,0,0,0,1,1,1,1", True),
        ("const uint8_t lut [4] [4]", "{0,1,2,3},{020,1,2,3},{0,0,0,0},{1,1,1,1}", False),
    ],
    ids=["unsigned short", "flat", "octal"],
)  # fmt: skip  (one case a line)
def test_headers_in_other_c_spellings_are_read(tmp_path, declaration, rows, signed):
    path = tmp_path / "t.h"
    path.write_text(f"#pragma once\n{declaration} = {{ {rows} }}; // end\n")
    lut = read_table(path)
    assert lut.table.tolist() == [[0, 1, 2, 3], [16, 1, 2, 3], [0, 0, 0, 0], [1, 1, 1, 1]]
    assert lut.operands == Operands.both(2, signed)


def test_products_of_a_header_with_signed_elements_may_be_unsigned(tmp_path):
    path = written(tmp_path, table(SIGNED), "adapt")
    assert read_table(path, asked=Asked(signed=False)).operands == UNSIGNED


def test_a_product_beyond_16_bits_makes_the_header_32_bits_wide(tmp_path):
    path = written(tmp_path, one_cell(SIGNED, -128, -128, 32768), "adapt")
    assert "const int32_t lut [256][256]" in path.read_text()
    assert read_table(path).table[128, 128] == 32768


def test_appmult_skips_what_stands_above_and_the_gradients_below(tmp_path):
    lut = table(Operands.both(4, False))
    path = written(tmp_path, lut, "appmult")
    path.write_text(
        "Warning: Constant-0 drivers\n$false\nINFO: Error rate: 0.98\n"
        + path.read_text()
        + "LUT for the gradient of the approximate multiplier w.r.t. the first operand:\n0 0 7\n"
    )
    assert read_table(path) == lut


def test_a_csv_of_rows_is_read_in_any_order(tmp_path):
    lut = table(Operands.both(3, True))
    path = tmp_path / "t.csv"
    rows = [f"{a}, {b}, {lut.table[a % 8, b % 8]}" for a in range(3, -5, -1) for b in range(-4, 4)]
    path.write_text("\n".join(["a,b,product", *rows]))
    assert read_table(path) == lut


def test_readmemh_addresses_and_underscores_are_understood(tmp_path):
    path = tmp_path / "t.mem"
    path.write_text("/* 1 bit */ @2 0 0_1 // the last\n@0\n0 2")
    lut = read_table(path, asked=Asked(signed=False))
    assert lut.table.tolist() == [[0, 2], [0, 1]]


def test_the_user_or_the_other_table_tells_the_sign_where_the_file_does_not(tmp_path):
    path = written(tmp_path, table(SIGNED), "npy")
    with pytest.raises(UnknownOperandsError, match="add --signed or --unsigned"):
        read_table(path)
    assert read_table(path, asked=Asked(signed=True)).operands == SIGNED
    assert read_table(path, asked=Asked(default=SIGNED)).operands == SIGNED


# Refusals: one sentence, nothing written.


def unwritable(name, lut, match):
    return pytest.param(name, lut, match, id=f"{name} {match[:30]}")


@pytest.mark.parametrize(
    ("name", "lut", "match"),
    [
        unwritable("tfapprox", table(SIGNED), "unsigned 8-bit tables only"),
        unwritable("tfapprox", one_cell(UNSIGNED, 7, 9, 70000), "7 x 9 = 70000, and 1 product"),
        unwritable("tfapprox", one_cell(UNSIGNED, 7, 9, -1), "7 x 9 = -1"),
        unwritable("tfapprox", table(Operands.both(7, False)), "unsigned 8-bit tables only"),
        unwritable("adapt", table(UNSIGNED), "only signed 8-bit tables fit"),
        unwritable("adapt", table(Operands.both(6, True)), "only signed 8-bit tables fit"),
        unwritable("transaxx", table(UNSIGNED), "only signed tables"),
        unwritable("appmult", table(SIGNED), "unsigned tables of 4, 6, 7 or 8 bits"),
        unwritable("appmult", one_cell(UNSIGNED, 1, 1, 65536), "1 x 1 = 65536"),
        unwritable("approxtorch", table(Operands.both(6, True)), "takes 4-bit and 8-bit tables"),
        unwritable("hex", one_cell(SIGNED, 1, -1, 32768), "1 x -1 = 32768"),
        unwritable("hex", one_cell(UNSIGNED, 1, 1, -1), "1 x 1 = -1"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, name, lut, match):
    with pytest.raises(HwsimError, match=match):
        write_table(lut, tmp_path / f"t{SUFFIX[name]}", form=name)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "t.bin"
    path.write_bytes(b"old")
    with pytest.raises(HwsimError):
        write_table(table(SIGNED), path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("suffix", [".txt", ".xyz", ""])
def test_a_suffix_that_tells_no_format_is_refused(tmp_path, suffix):
    with pytest.raises(HwsimError, match="--to"):
        write_table(table(SIGNED), tmp_path / f"t{suffix}")


HEADER = "const int16_t lut [2][2] = "
BROKEN = {
    "binary cut": (".bin", b"\0" * 131071, "expected 131,072 bytes"),
    "binary too long": (".bin", b"\0" * 131073, "got 131,073"),
    "header without array": (".h", b"int f(void);", "found none"),
    "header with two arrays": (
        ".h",
        b"int a[2][2]={0,0,0,0}; int b[2][2]={0,0,0,0};",
        "found 2",
    ),
    "header not square": (".h", b"int lut[2][4]={0,0,0,0,0,0,0,0};", r"square array, got lut\[2\]"),
    "header odd": (".h", b"int lut[3][3]={0,0,0,0,0,0,0,0,0};", "a power of two"),
    "header short of a row": (".h", f"{HEADER}{{{{0,1}}}};".encode(), "expected 2 rows, got 1"),
    "header short of an entry": (".h", f"{HEADER}{{{{0,1}},{{1}}}};".encode(), "row 1 has 1 ent"),
    "header flat and short": (".h", f"{HEADER}{{0,1,2}};".encode(), "expected 4 entries, got 3"),
    "header cut": (".h", f"{HEADER}{{{{0,1}},{{1,".encode(), "closing brace"),
    "header with text": (".h", f"{HEADER}{{{{0,1}},{{1,x}}}};".encode(), "row 1, got 'x'"),
    "header with a bad octal": (".h", f"{HEADER}{{{{0,1}},{{1,09}}}};".encode(), "got '09'"),
    "header with junk between rows": (".h", f"{HEADER}{{{{0,1}} z {{1,2}}}};".encode(), "got 'z'"),
    "header entry too large": (
        ".h",
        f"{HEADER}{{{{0,1}},{{1,40000}}}};".encode(),
        "40000 does not",
    ),
    "matrix with a word": (".txt", b"0 1\n0 one\n", "line 2, got 'one'"),
    "matrix with a float": (".txt", b"0 1\n0 1.5\n", "line 2, got '1.5'"),
    "matrix ragged": (".txt", b"0 1\n0\n", "row 1 has 1 entries"),
    "matrix empty": (".txt", b"", "a power of two"),
    "matrix binary": (".txt", b"\xff\xfe\x00", "it is UTF-16: save it as UTF-8"),
    "matrix beyond 32 bits": (".txt", b"0 1\n0 4294967296\n", "32-bit"),
    "matrix beyond 64 bits": (".txt", b"0 1\n0 99999999999999999999\n", "line 2"),
    "lines with a pair missing": (
        ".txt",
        b"LUT for approximate multiplier:\n0 0 0\n0 1 0\n1 0 0\n",
        "each of 4 operand pairs",
    ),
    "lines with a pair twice": (
        ".txt",
        b"LUT for approximate multiplier:\n0 0 0\n0 0 1\n",
        "stand twice",
    ),
    "lines with two numbers": (".txt", b"LUT for approximate multiplier:\n0 0\n", "line 2"),
    "lines with a negative": (".txt", b"LUT for approximate multiplier:\n-1 0 0\n", "unsigned op"),
    "npy cut": (".npy", b"\x93NUMPY\x01\x00", "cut"),
    "npy of something else": (".npy", b"hello", "no NumPy array"),
    "hex cut": (".hex", b"// axhil: unsigned 1-bit operands\n0 0 0", "got 3 words"),
    "hex with x": (".hex", b"0 0 0 xx", "hexadecimal words, got 'xx'"),
    "hex too wide": (".hex", b"// axhil: unsigned 1-bit operands\n0 0 0 f", "the word f"),
    "hex empty": (".hex", b"// nothing", "got 0 words"),
    "csv empty": (".csv", b"\n", "empty"),
    "csv with a hole": (".csv", b"a\\b,0,1\n0,0,0\n1,0\n", "line 3 has 1 products"),
    "csv with a wrong label": (".csv", b"a\\b,0,1\n0,0,0\n2,0,0\n", "none of 1 x 0"),
    "csv with a label twice": (".csv", b"a\\b,0,0\n0,0,0\n1,0,0\n", "stand twice"),
    "csv row short": (".csv", b"a,b,p\n0,0\n", "three cells in line 2"),
    "csv with text": (".csv", b"a,b,p\n0,0,z\n", "line 2, got 'z'"),
}


@pytest.mark.parametrize(("suffix", "data", "match"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path, suffix, data, match):
    path = tmp_path / f"table{suffix}"
    path.write_bytes(data)
    with pytest.raises(HwsimError, match=match) as refusal:
        read_table(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_header_with_65535_entries_is_refused(tmp_path):
    path = written(tmp_path, table(SIGNED), "adapt")
    path.write_text(re.sub(r", -?\d+\}\};", "}};", path.read_text()))
    with pytest.raises(HwsimError, match="row 255 has 255 entries, expected 256"):
        read_table(path)


@pytest.mark.parametrize(("name", "operands"), TAKES, ids=IDS)
def test_a_cut_file_never_gives_a_table(tmp_path, name, operands):
    path = written(tmp_path, table(operands), name)
    data = path.read_bytes()
    for keep in (len(data) // 2, len(data) // 256, 3):
        path.write_bytes(data[:keep])
        with pytest.raises(HwsimError):
            read_table(path, form=name, asked=Asked(operands=operands))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(HwsimError, match="No such file"):
        read_table(tmp_path / "t.h")
    (tmp_path / "folder.h").mkdir()
    with pytest.raises(HwsimError, match="it is a folder"):
        read_table(tmp_path / "folder.h")


@pytest.mark.parametrize("name", ["tfapprox", "npz", "csv"])
def test_a_word_that_contradicts_the_file_is_refused(tmp_path, name):
    path = written(tmp_path, table(UNSIGNED), name)
    with pytest.raises(HwsimError, match="unsigned operands, but --signed was given"):
        read_table(path, asked=Asked(signed=True))
    with pytest.raises(HwsimError, match="8-bit operands, but --width 4 was given"):
        read_table(path, asked=Asked(width=4, signed=False))


def test_an_unknown_format_lists_the_known_ones(tmp_path):
    path = written(tmp_path, table(SIGNED), "csv")
    with pytest.raises(HwsimError, match="expected one of npz, transaxx, appmult"):
        read_table(path, form="excel")


def test_the_page_on_formats_names_each_with_its_order_and_roles():
    page = (ROOT / "docs" / "formats.md").read_text()
    for form in FORMATS.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{form.name}` "))
        for suffix in form.suffixes:
            assert f"`{suffix}`" in row
        assert form.roles in row
