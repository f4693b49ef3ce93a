# SPDX-License-Identifier: Apache-2.0
"""Tables, C and Python models and printed figures against each other.

The published circuit here is mul8s_1L2H of EvoApproxLib, which is (a & ~1) * (b & ~1); its figures
are those of its header comment.
"""

import os
import re
import shutil
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from axhil.hwsim import Catalogued, HwsimError, Lut, Operands, error_metrics, golden
from axhil.hwsim.formats import write_table
from axhil.hwsim.models.cmodel import c_model_table, find_function
from axhil.hwsim.models.pymodel import python_model_table
from axhil.hwsim.multipliers import Request, find, find_pair
from axhil.hwsim.multipliers.comparing.comparison import compare_tables
from axhil.hwsim.multipliers.comparing.printed import check_figures, read_figures
from axhil.hwsim.operands import Asked, UnknownOperandsError

SIGNED = np.r_[0:128, -128:0]
PUBLISHED = """\
/***
* a library, distributed under a licence
***/
// MAE% = 0.081 %
// MAE = 53 
// WCE% = 0.39 %
// WCE = 255 
// WCRE% = 300.00 %
// EP% = 74.61 %
// MRE% = 4.41 %
// MSE = 5462 
// PDK45_PWR = 0.301 mW
"""  # noqa: W291  (as it is printed, blanks at the ends included)


def circuit():
    """The table of mul8s_1L2H."""
    return Lut(np.multiply.outer(SIGNED & ~1, SIGNED & ~1), *Operands.parse("s8"))


def shipped_header():
    """The table that AdaPT's and TransAxx's converters make of it.

    For two negative operands they call the circuit with both magnitudes, as bit patterns.
    """
    values = circuit().table.copy()
    magnitudes = np.r_[-128, 127:0:-1]  # 128..1 in 8 bits, for the operands -128..-1
    values[128:, 128:] = np.multiply.outer(magnitudes & ~1, magnitudes & ~1)
    return Lut(values, *Operands.parse("s8"))


def changed(lut, cells):
    values = lut.table.copy()
    for a, b, product in cells:
        values[a % 256, b % 256] = product
    return Lut(values, *lut.operands)


@pytest.fixture
def c_file(tmp_path):
    """Write a C model."""
    if not shutil.which("cc"):
        message = "cc not found on PATH (Debian: apt-get install gcc)"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)

    def write(body, name="model.c"):
        path = tmp_path / name
        path.write_text("#include <stdint.h>\n" + textwrap.dedent(body))
        return path

    return write


@pytest.fixture
def py_file(tmp_path):
    def write(body, name="model.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(body))
        return path

    return write


# Tables.


def test_a_table_equals_itself():
    report = compare_tables(circuit(), circuit(), names=("x", "y"))
    assert (report.equal, report.count, report.worst, report.first) == (True, 0, None, ())
    assert report.sentence() == "x and y are equal in all 65,536 products of signed 8-bit operands"


def test_a_wrong_negative_quadrant_is_reported_as_exactly_that():
    report = compare_tables(circuit(), shipped_header(), names=("rtl", "header"))
    assert report.sentence() == (
        "rtl and header differ: only the negative x negative quadrant differs: 12,414 of its "
        "16,384 products"
    )
    assert {q.name: (q.count, q.total) for q in report.quadrants} == {
        "non-negative x non-negative": (0, 16384),
        "non-negative x negative": (0, 16384),
        "negative x non-negative": (0, 16384),
        "negative x negative": (12414, 16384),
    }


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        (1, 1, "non-negative x non-negative"),
        (0, -1, "non-negative x negative"),
        (-1, 0, "negative x non-negative"),
        (-128, -128, "negative x negative"),
    ],
)
def test_one_wrong_product_is_found_in_its_quadrant(a, b, name):
    report = compare_tables(circuit(), changed(circuit(), [(a, b, 4711)]), names=("x", "y"))
    expected = (a & ~1) * (b & ~1)
    assert f"only the {name} quadrant differs: 1 of" in report.sentence()
    assert report.cell(report.worst) == f"{a} x {b} = {expected} in x, 4711 in y"
    assert report.first == (report.worst,)


def test_differences_in_two_quadrants_are_counted_and_the_worst_is_named():
    other = changed(circuit(), [(2, 2, 5), (-2, 2, 100), (4, 4, 15)])
    report = compare_tables(circuit(), other, names=("x", "y"))
    assert report.sentence() == "x and y differ: 3 of 65,536 products differ"
    assert report.cell(report.worst) == "-2 x 2 = -4 in x, 100 in y"
    assert [(d.a, d.b) for d in report.first] == [(2, 2), (4, 4), (-2, 2)]


def test_swapped_operands_are_told_apart_from_different_products():
    lopsided = changed(circuit(), [(3, 5, 1), (-7, 9, 2)])
    mirrored = Lut(lopsided.table.T, *Operands.parse("s8"))
    report = compare_tables(lopsided, mirrored, names=("x", "y"))
    assert (report.equal, report.swapped, report.count) == (False, True, 4)
    assert "equal only after swapping the operands" in report.sentence()
    nearly = changed(mirrored, [(0, 0, 1)])
    report = compare_tables(lopsided, nearly, names=("x", "y"))
    assert not report.swapped
    assert "5 of 65,536 products differ (1 after swapping the operands)" in report.sentence()


def test_a_table_read_in_the_wrong_index_order_is_recognised():
    shuffled = Lut(np.roll(circuit().table, 128, axis=(0, 1)), *Operands.parse("s8"))
    report = compare_tables(circuit(), shuffled, names=("x", "y"))
    assert report.reordered
    assert "equal only after reordering" in report.sentence()


def test_an_unsigned_table_has_no_quadrants_to_name():
    zero = Lut(np.zeros((4, 4), np.int32), *Operands.parse("u2"))
    one = Lut(np.eye(4, dtype=np.int32), *Operands.parse("u2"))
    report = compare_tables(zero, one, names=("x", "y"))
    assert report.sentence() == "x and y differ: 4 of 16 products differ"


def test_mixed_operands_are_never_swapped_but_can_be_in_the_wrong_order():
    operands = Operands.parse("u3xs3")
    products = np.array([[a * b for b in [*range(4), *range(-4, 0)]] for a in range(8)])
    x = Lut(products, *operands)
    mirrored = compare_tables(x, Lut(products.T, *operands), names=("x", "y"))
    assert (mirrored.equal, mirrored.swapped, mirrored.count_swapped) == (False, False, None)
    assert [quadrant.name for quadrant in mirrored.quadrants] == [
        "non-negative x non-negative",
        "non-negative x negative",
    ]
    shuffled = compare_tables(x, Lut(np.roll(products, 4, axis=1), *operands), names=("x", "y"))
    assert shuffled.reordered
    assert shuffled.as_dict()["operands"] == "u3xs3"


@pytest.mark.parametrize("code", ["u8", "s4", "u8xs8", "s8xs4"])
def test_tables_of_different_operands_are_not_compared(code):
    other = Operands.parse(code)
    y = Lut(np.zeros(other.shape, np.int32), *other)
    with pytest.raises(HwsimError, match=f"y of {other}: no products correspond"):
        compare_tables(circuit(), y, names=("x", "y"))


# Printed figures.


def test_published_figures_are_those_of_the_circuit(tmp_path):
    path = tmp_path / "mul8s_1L2H.v"
    path.write_text(PUBLISHED)
    figures = read_figures(path)
    labels = ["MAE%", "MAE", "WCE%", "WCE", "WCRE%", "EP%", "MRE%", "MSE"]
    assert [f.label for f in figures] == labels
    assert all(one.agrees for one in check_figures(figures, circuit()))


def test_the_shipped_table_does_not_have_the_published_figures(tmp_path):
    path = tmp_path / "mul8s_1L2H.v"
    path.write_text(PUBLISHED)
    checked = check_figures(read_figures(path), shipped_header())
    assert not any(one.agrees for one in checked if one.figure.name in {"MAE", "WCE", "MSE"})


@pytest.mark.parametrize("printed", ["MAE = 52", "MAE = 54", "EP% = 74.62 %", "MRE% = 4.42 %"])
def test_a_figure_off_by_one_printed_digit_differs(tmp_path, printed):
    path = tmp_path / "m.v"
    path.write_text(f"// {printed}\n")
    (one,) = check_figures(read_figures(path), circuit())
    assert not one.agrees


@pytest.mark.parametrize(
    "line",
    [
        "// MSE = 5462",
        "// MSE = 54.62e2",
        "// MSE = 5461",  # cut instead of rounded
        " * MSE: 5461.75",
        "INFO: Mean square error: 5461.75",
        "INFO: Mean error distance: 53.334",
        "INFO: Normalized mean error distance: 0.000813812",
        "INFO: Error rate: 0.746094",
        "# MRED = 0.0441",
    ],
)
def test_figures_are_read_as_tools_print_them(tmp_path, line):
    path = tmp_path / "m.txt"
    path.write_text(f"{line}\n")
    (one,) = check_figures(read_figures(path), circuit())
    assert one.agrees


def test_figures_that_nobody_printed_are_a_refusal(tmp_path):
    path = tmp_path / "m.v"
    path.write_text("// AREA = 4\nmodule MAE; endmodule\n// MAE = small\n")
    with pytest.raises(HwsimError, match="found none"):
        read_figures(path)


# C models.

SIGNED_BODIES = {
    "uint16_t from uint8_t": "uint16_t mul(uint8_t A, uint8_t B) { return (int8_t)A * (int8_t)B; }",
    "zero-extended in 64 bits": "uint64_t mul(uint64_t a, uint64_t b)"
    "{ return (uint16_t)((int8_t)a * (int8_t)b); }",
    "sign-extended in 64 bits": "uint64_t mul(const uint64_t a, const uint64_t b)"
    "{ return (int64_t)(int8_t)a * (int8_t)b; }",
    "sign-extended in 32 bits": "uint32_t mul(uint8_t a, uint8_t b)"
    "{ return (int8_t)a * (int8_t)b; }",
    "int8_t to int16_t": "int16_t mul(int8_t a, int8_t b) { return a * b; }",
    "int": "static inline int mul(int a, int b) { return a * b; }",
    "pattern in an int": "int mul(int8_t a, int8_t b) { return (a * b) & 0xffff; }",
    "typedef": "typedef signed char operand; typedef short product;\n"
    "product mul(operand a, operand b) { return a * b; }",
}


@pytest.mark.parametrize("body", SIGNED_BODIES.values(), ids=SIGNED_BODIES)
def test_signed_products_are_read_from_any_integer_type(c_file, body):
    lut, _ = c_model_table(c_file(body), asked=Asked(8, signed=True))
    assert lut == golden(Catalogued.parse("exact"))


UNSIGNED_BODIES = {
    "uint16_t": "uint16_t mul(uint8_t a, uint8_t b) { return a * b; }",
    "uint64_t": "uint64_t mul(uint64_t a, uint64_t b) { return a * b; }",
    "int": "int mul(int a, int b) { return a * b; }",
    "wrapped in int16_t": "int16_t mul(uint8_t a, uint8_t b) { return a * b; }",
}


@pytest.mark.parametrize("body", UNSIGNED_BODIES.values(), ids=UNSIGNED_BODIES)
def test_unsigned_products_are_read_from_any_integer_type(c_file, body):
    lut, _ = c_model_table(c_file(body), asked=Asked(8, signed=False))
    values = np.arange(256)
    assert np.array_equal(lut.table, np.multiply.outer(values, values))


def test_the_first_argument_is_the_row(c_file):
    lut, _ = c_model_table(c_file("int f(int a, int b) { return 100 * a + b; }"), asked=Asked(4, 1))
    assert lut.table[3, 15] == 300 - 1
    assert lut.table[15, 3] == -100 + 3


def test_a_first_parameter_called_b_is_told(c_file):
    body = "uint16_t mul8u_x(const uint8_t B, const uint8_t A) { return B * A; }"
    _, notes = c_model_table(c_file(body), asked=Asked(8, signed=False))
    assert notes == ("the first parameter of mul8u_x is called B",)


def test_a_sign_taken_from_the_name_is_told(c_file):
    body = "uint16_t mul8s_x(uint8_t A, uint8_t B) { return (int8_t)A * (int8_t)B; }"
    lut, (note,) = c_model_table(c_file(body))
    assert lut == golden(Catalogued.parse("exact"))
    assert "operands taken as signed from the name mul8s_x" in note


def test_a_model_that_does_not_tell_its_operands_asks(c_file):
    with pytest.raises(UnknownOperandsError, match="add --signed or --unsigned"):
        c_model_table(c_file("int mul(int a, int b) { return a * b; }"))


def test_the_function_of_two_integers_is_found_among_others(c_file):
    path = c_file(
        """
        // int fake(int a, int b) { return 0; }
        #define F(a, b) { a; b; }
        static int leading(int x) { if (x) { return 1; } return 0; }
        static const char *text = "int g(int a, int b) {";
        double scale(double a, double b) { return a * b; }
        void sink(int a, int b) { (void)a; (void)b; }
        int *place(int a, int b) { return 0; }
        int sum(int *a, int b) { return b; }
        extern const int mul(const int a,
                             const int b)
        {
            return leading(1) * a * b;
        }
        int main(int argc, char **argv) { return 1; }
        """
    )
    assert find_function(path).name == "mul"
    lut, _ = c_model_table(path, asked=Asked(4, signed=True))
    assert lut.table[15, 15] == 1


def test_among_several_functions_the_files_own_or_the_named_one_is_taken(c_file):
    body = "int one(int a, int b) { return 1; } int two(int a, int b) { return 2; }"
    assert find_function(c_file(body, "two.c")).name == "two"
    path = c_file(body)
    with pytest.raises(HwsimError, match=r"found one, two; say which: .*model\.c:one"):
        find_function(path)
    lut, _ = c_model_table(path, asked=Asked(2, 0), function="two")
    assert (lut.table == 2).all()
    with pytest.raises(HwsimError, match="no function three of two integers: it has one, two"):
        find_function(path, "three")


def test_a_model_includes_what_stands_beside_it(c_file):
    c_file("static int half(int x) { return x / 2; }", "half.h")
    path = c_file('#include "half.h"\nint mul(int a, int b) { return half(a) * b; }')
    assert c_model_table(path, asked=Asked(4, 0))[0].table[6, 5] == 15


C_MISTAKES = {
    "syntax": (
        "int mul(int a, int b) { return a * ; }",
        r"does not compile: .*model\.c:2:\d+: err",
    ),
    "undefined": (
        "int g(int); int mul(int a, int b) { return g(a); }",
        "does not compile: .*undefined reference to `g'",
    ),
    "crash": (
        "int mul(int a, int b) { return *(int *)(intptr_t)(b & 0); }",
        r"crashed \(SIGSEGV\)",
    ),
    "crash late": (
        "int mul(int a, int b) { if (a == -5) __builtin_trap(); return 0; }",
        r"crashed \(SIG\w+\), the first operand being -5 or shortly after",
    ),
    "exit": ("#include <stdlib.h>\nint mul(int a, int b) { exit(0); }", "ended the program"),
    "exit code": ("#include <stdlib.h>\nint mul(int a, int b) { exit(7); }", "exit code 7"),
    "hang": ("int mul(int a, int b) { volatile int x = 1; while (x) {} return 0; }", "more than 1"),
    "too large": ("int64_t mul(int a, int b) { return 1LL << 40; }", "returned 1099511627776"),
    "narrow": ("int mul(int8_t a, int8_t b) { return 0; }", "int8_t a of mul cannot hold unsigned"),
    "none": ("int table[4] = {1, 2, 3, 4};", "found none"),
    "float": ("float mul(float a, float b) { return a * b; }", "found none"),
}


@pytest.mark.parametrize(("body", "match"), C_MISTAKES.values(), ids=C_MISTAKES)
def test_a_bad_c_model_is_one_sentence(c_file, body, match):
    path = c_file(body)
    asked = Asked(8, signed="narrow" not in match and "cannot hold" not in match)
    began = time.monotonic()
    with pytest.raises(HwsimError, match=match) as refusal:
        c_model_table(path, asked=asked, time_limit=1)
    assert time.monotonic() - began < 20
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_without_a_compiler_the_sentence_says_what_to_install(c_file, monkeypatch, tmp_path):
    path = c_file("int mul(int a, int b) { return a * b; }")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(HwsimError, match="apt-get install gcc"):
        c_model_table(path, asked=Asked(4, 0))


# Python models.

PY_BODIES = {
    "arrays": "def mul(a, b):\n    return a * b",
    "scalars": "def mul(a, b):\n    return 0 if a == 0 else a * b",
    "floats": "import numpy as np\ndef mul(a, b):\n    return np.floor(a * 1.0 * b)",
    "arrays only": "def mul(a, b):\n    return a.astype('i4') * b.astype('i4')",
    # Works on arrays, and means something else there.
    "misleading": "def mul(a, b):\n    return a * b if isinstance(a, int) else a + b",
    "changes its arguments": "def mul(a, b):\n    a *= b\n    return a",
    "prints": "print('hello')\ndef mul(a, b):\n    print(a)\n    return a * b",
}


@pytest.mark.parametrize("body", PY_BODIES.values(), ids=PY_BODIES)
def test_a_python_model_is_called_for_every_pair(py_file, body):
    path = py_file(body)
    lut = python_model_table(f"{path}:mul", asked=Asked(4, signed=True))
    values = np.r_[0:8, -8:0]
    assert np.array_equal(lut.table, np.multiply.outer(values, values))


def test_a_module_is_found_in_the_working_directory(py_file, tmp_path, monkeypatch):
    py_file("def f(a, b):\n    return 100 * a + b", "somebodys.py")
    monkeypatch.chdir(tmp_path)
    assert python_model_table("somebodys:f", asked=Asked(4, signed=False)).table[3, 15] == 315


PY_MISTAKES = {
    "no module": ("no_such_module:f", "", "cannot import it: ModuleNotFoundError"),
    "no file": ("nowhere.py:f", "", "no such file nowhere.py"),
    "no function": ("model.py:g", "", "there is no function g"),
    "does not parse": ("model.py:mul", "def mul(a, b) return", "cannot import it: SyntaxError"),
    "raises": (
        "model.py:mul",
        "def mul(a, b):\n    raise ValueError(b)",
        "0 x 0 raises ValueError: 0",
    ),
    "text": ("model.py:mul", "def mul(a, b):\n    return 'x'", "0 x 0 is 'x', expected a 32-bit"),
    "fractions": ("model.py:mul", "def mul(a, b):\n    return a / 2", "1 x 0 is 0.5"),
    "large": ("model.py:mul", "def mul(a, b):\n    return 2**31", "is 2147483648"),
    "exits": ("model.py:mul", "import sys\nsys.exit(0)", "ended Python"),
    "dies": ("model.py:mul", "import os\nos.abort()", "ended Python"),
    "hangs": ("model.py:mul", "while True:\n    pass", "took more than"),
}


@pytest.mark.parametrize("mistake", PY_MISTAKES)
def test_a_bad_python_model_is_one_sentence(py_file, tmp_path, monkeypatch, mistake):
    spec, body, match = PY_MISTAKES[mistake]
    py_file(body)
    monkeypatch.chdir(tmp_path)
    limit = 1.5 if "more than" in match else 30
    with pytest.raises(HwsimError, match=match) as refusal:
        python_model_table(spec, asked=Asked(4, signed=False), time_limit=limit)
    assert "\n" not in str(refusal.value)


# Any two.


def test_a_side_that_does_not_tell_its_operands_takes_those_of_the_other(c_file, tmp_path):
    model = str(c_file("int mul(int a, int b) { return a * b; }"))
    header = tmp_path / "exact.h"
    write_table(golden(Catalogued.parse("exact")), header)
    for x, y in ((model, str(header)), (str(header), model), (model, "exact")):
        first, second = find_pair(x, y, Request(), Request())
        assert compare_tables(first.table(), second.table(), names=("x", "y")).equal
        assert [first.name, second.name] == [Path(x).name, Path(y).name]


def test_two_models_without_a_word_on_operands_ask(py_file):
    path = py_file("def mul(a, b):\n    return a * b")
    with pytest.raises(UnknownOperandsError, match="add --signed or --unsigned"):
        find_pair(f"{path}:mul", f"{path}:mul", Request(), Request())


@pytest.mark.sim
def test_a_multiplier_is_simulated_for_the_operands_of_the_other_side(py_file):
    path = py_file("def mul(a, b):\n    return a * b")
    request = Request(Asked(4, signed=False))
    first, second = find_pair("exact", f"{path}:mul", request, request)
    assert first.table() == second.table()
    assert "simulator" in first.table().manifest


@pytest.mark.sim
def test_a_multiplier_is_simulated_again_on_request():
    drum = find("drum(4)", Request(simulate=True))
    assert drum.table() == golden(Catalogued.parse("drum(4)"))
    assert re.fullmatch(r"drum\(4\): simulated in [\d.]+ s", *drum.notes)


def test_metrics_of_a_c_model_are_those_of_the_hardware(c_file):
    body = """
    static int kept(int x) {
        int top = 31 - __builtin_clz(x | 1), s = top < 4 ? 0 : top - 3;
        return s ? ((x >> s) | 1) << s : x;
    }
    int16_t drum(int8_t a, int8_t b) {
        int p = kept(a < 0 ? -a : a) * kept(b < 0 ? -b : b);
        return (a < 0) != (b < 0) ? -p : p;
    }
    """
    lut, _ = c_model_table(c_file(body), function="drum")
    assert lut == golden(Catalogued.parse("drum(4)"))
    assert error_metrics(lut).as_dict() == golden(Catalogued.parse("drum(4)")).manifest["metrics"]
