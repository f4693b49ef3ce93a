# SPDX-License-Identifier: Apache-2.0
"""Every word that names a multiplier, read in one place."""

import os
import pickle
import shutil
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import axhil.hwsim.formats
from axhil.hwsim import Catalogued, HwsimError, Lut, golden, read_circuit, tabulate
from axhil.hwsim.formats import read_table, registry, write_table
from axhil.hwsim.models.cmodel import c_model_table
from axhil.hwsim.models.pymodel import python_model_table
from axhil.hwsim.multipliers import NETWORKS, Request, VerilogSource, find, make_tables
from axhil.hwsim.multipliers.find import Origin, located, origin_of
from axhil.hwsim.operands import Asked, Operand, Operands

S8 = Operand(8, signed=True)
DRUM = golden(Catalogued.parse("drum(4)"))


def verilog(body="assign p = a * b;", *, width=3, signed="signed ", name="mul", header=""):
    return (
        f"module {name} {header} (input {signed}[{width - 1}:0] a, b, "
        f"output {signed}[{2 * width - 1}:0] p);\n{body}\nendmodule\n"
    )


@pytest.fixture
def there(tmp_path, monkeypatch):
    """An empty working directory, with no table in the cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AXHIL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def compiler():
    if not shutil.which("cc"):
        message = "cc not found on PATH (Debian: apt-get install gcc)"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


WORDS = {
    "exact": (Origin.catalogue, "exact", "ACC"),
    "drum(5)": (Origin.catalogue, "drum(5)", "DR5"),
    " drum_5 ": (Origin.catalogue, "drum(5)", "DR5"),
    "scaletrim(4, 8)": (Origin.catalogue, "scaletrim(4,8)", "sT(4,8)"),
    "sub/mul.v": (Origin.verilog, "mul.v", "mul"),
    "mul.sv": (Origin.verilog, "mul.sv", "mul"),
    "mul.v[signed, K=0x3]": (Origin.verilog, "mul.v[K=3,signed]", "mul K=3"),
    "mul.v[top=mul8]": (Origin.verilog, "mul.v[top=mul8]", "mul8"),
    "facts.toml": (Origin.verilog, "mul.v[K=4]", "mul K=4"),
    "facts.toml[K=5]": (Origin.verilog, "mul.v[K=5]", "mul K=5"),
    "sub/mul.npz": (Origin.table, "mul", "mul"),
    "mul8s_1L2H.h": (Origin.table, "mul8s_1L2H.h", "mul8s_1L2H"),
    "model.c": (Origin.c_model, "model.c", "model"),
    "sub/model.c:drum": (Origin.c_model, "model.c:drum", "drum"),
    "sub/model.py:f": (Origin.python_model, "model.py:f", "f"),
    "pack.age:f": (Origin.python_model, "pack.age:f", "f"),
}


@pytest.mark.parametrize(("text", "expected"), WORDS.items(), ids=WORDS)
def test_a_word_has_an_origin_a_canonical_name_and_a_label(there, text, expected):
    (there / "sub").mkdir()
    for name in ("mul.v", "mul.sv", "mul.npz", "mul8s_1L2H.h", "model.c", "model.py"):
        (there / name).write_text("")
        (there / "sub" / name).write_text("")
    (there / "facts.toml").write_text('verilog = "mul.v"\nparameters = { K = 4 }\n')
    found = find(text)
    assert (origin_of(text), found.name, found.label) == expected


@given(st.sampled_from(["", " "]), st.integers(2, 8), st.sampled_from(["drum({})", "drum_{}"]))
def test_the_canonical_name_of_the_catalogue_finds_the_same(space, k, spelling):
    found = find(space + spelling.format(k) + space)
    assert find(found.name) == found


def exact(width, *, signed=True):
    values = Operand(width, signed).values
    return np.multiply.outer(values, values)


@pytest.mark.sim
def test_verilog_gives_the_table_of_its_circuit(there):
    (there / "mul.v").write_text(verilog("assign p = a * b - K;", header="#(parameter K = 0)"))
    found = find("mul.v[K=2]")
    expected = tabulate(read_circuit([there / "mul.v"], parameters={"K": 2}))
    assert found.operands == (Operand(3, signed=True),) * 2
    assert found.table() == expected
    assert found.table().manifest == expected.manifest
    assert found.circuit().top == "mul"
    np.testing.assert_array_equal(found.table().table, exact(3) - 2)


@pytest.mark.sim
def test_another_word_of_the_catalogue_gives_the_table_of_its_verilog(there):
    drum = find("drum(3)", Request(Asked(4, signed=False)))
    assert drum.operands == (Operand(4, signed=False),) * 2
    reference = find("drum(3)", Request(Asked(4, signed=False), simulate=True))
    assert drum.table() == reference.table()
    assert "simulated in" in reference.notes[0]


def test_the_catalogue_takes_golden_tables(there, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find("drum(4)").table() == DRUM
    with pytest.raises(HwsimError, match="iverilog not found on PATH"):
        find("drum(5)").table()


def test_a_folder_of_tables_replaces_the_golden_ones(there):
    lut = Lut(np.full((256, 256), -1), *Operands.parse("s8"))
    lut.save(there / "drum_3.npz")
    found = find("drum(3)", Request(luts=there))
    assert (found.name, found.label, found.table()) == ("drum(3)", "DR3", lut)
    with pytest.raises(HwsimError, match=r"cannot read .*exact\.npz: No such file"):
        find("exact", Request(luts=there))


@pytest.mark.parametrize("name", ["t.npz", "t.h", "t.csv", "t.npy", "t.hex"])
def test_a_file_gives_the_table_that_its_format_reads(there, name):
    write_table(DRUM, there / name)
    found = find(name, NETWORKS)
    assert found.table() == read_table(there / name, asked=Asked(signed=True)) == DRUM
    assert (found.operands, found.circuit()) == ((S8, S8), None)


def test_models_give_the_tables_that_they_always_gave(there):
    compiler()
    (there / "m.c").write_text(
        "int f(int a, int b) { return a * b + 1; }\nint g(int a) { return a; }"
    )
    (there / "m.py").write_text("def f(a, b):\n    return a * b + 1\n")
    asked = Asked(4, signed=True)
    for word in ("m.c", "m.c:f", "m.py:f"):
        np.testing.assert_array_equal(find(word, Request(asked)).table().table, exact(4) + 1)
    assert find("m.c", Request(asked)).table() == c_model_table(there / "m.c", asked=asked)[0]
    assert find("m.py:f", Request(asked)).table() == python_model_table("m.py:f", asked=asked)


def test_operands_that_only_the_default_tells_are_a_note(there):
    (there / "m.py").write_text("def f(a, b):\n    return a * b\n")
    found = find("m.py:f", NETWORKS)
    assert found.notes == ()
    assert found.operands == (S8, S8)
    (note,) = found.notes
    assert note.startswith("m.py:f: taken as of signed 8-bit operands")
    told = find("m.py:f", Request(Asked(8, signed=True)))
    assert told.table() == found.table()
    assert told.notes == ()


@pytest.mark.sim
def test_brackets_win_over_options_and_options_over_the_file_beside(there):
    text = verilog("assign p = A * 64 + B * 8 + C;", width=5, header="#(parameter A=0, B=0, C=0)")
    (there / "mul.v").write_text(text)
    (there / "mul.toml").write_text("[parameters]\nA = 1\nB = 1\nC = 1\n")
    facts = VerilogSource(parameters={"B": 2, "C": 2})
    found = find("mul.v[C=3]", Request(facts=facts))
    assert found.name == "mul.v[A=1,B=2,C=3]"
    assert found.table().table[0, 0] == 64 + 16 + 3
    assert find("mul.v").name == "mul.v[A=1,B=1,C=1]"


@pytest.mark.sim
def test_an_unsigned_core_is_wrapped_on_request_alone(there):
    (there / "mul.v").write_text(verilog("assign p = a * b;", signed=""))
    with pytest.raises(HwsimError, match=r"does not declare its operands signed.*mul\.v\[wrap\]"):
        find("mul.v", NETWORKS).table()
    plain, wrapped = find("mul.v[unsigned]"), find("mul.v[wrap]")
    np.testing.assert_array_equal(plain.table().table, exact(3, signed=False))
    np.testing.assert_array_equal(wrapped.table().table, exact(3))
    assert wrapped.operands == (Operand(3, signed=True),) * 2
    assert "in a sign-magnitude wrapper, as requested" in wrapped.notes[-1]


@pytest.mark.sim
def test_a_multiplier_travels_with_its_table(there):
    (there / "mul.v").write_text(verilog())
    found = find("mul.v")
    found.table()
    (there / "mul.v").unlink()
    shutil.rmtree(there / "cache")
    arrived = pickle.loads(pickle.dumps(found))
    assert arrived == found
    assert arrived.table() == found.table()


def test_several_tables_are_made_and_counted(there):
    for name in ("a.npz", "b.npz"):
        DRUM.save(there / name)
    told = []
    found = [find("a.npz"), find("b.npz"), find("exact")]
    make_tables(found, jobs=2, progress=lambda *what: told.append(what))
    assert [made for made, _, _ in told] == [1, 2, 3]
    assert {name for _, _, name in told} == {"a", "b", "exact"}
    (there / "broken.npz").write_text("")
    with pytest.raises(HwsimError, match=r"broken\.npz is damaged"):
        make_tables([find("a.npz"), find("broken.npz")])


REFUSED = {
    "no multiplier": (
        "wallace",
        r"wallace: no such file, and no multiplier: expected exact, drum",
    ),
    "near miss": ("drun(4)", r"drun\(4\): no such file, .* did you mean drum\?"),
    "illegal": ("drum(9)", r"drum\(9\): expected 2 <= K <= WIDTH=8, got K=9"),
    "malformed": ("drum(x)", r"cannot read multiplier 'drum\(x\)'"),
    "no such table": (
        "mull.npz",
        r"at mull\.npz, but there is no such file; did you mean mul\.npz\?",
    ),
    "no such Verilog": ("gone.v[K=3]", r"expected a file at gone\.v, but there is no such file$"),
    "no such model": ("gone.c", r"expected a file at gone\.c"),
    "no such Python": ("gone.py:f", r"expected a file at gone\.py"),
    "no such facts": ("gone.toml", r"expected a file at gone\.toml"),
    "folder": ("folder.h", r"expected a file at folder\.h, but it is a folder"),
    "unknown suffix": (
        "readme.md",
        r"readme\.md: expected a file that ends in one of \.v, .*\.npz",
    ),
    "facts of a table": (
        "mul.npz[K=3]",
        r"expected Verilog \(\.v, \.sv, \.vhd, \.vhdl, \.f, .*\) or a TOML file before",
    ),
    "facts alone": ("lone.toml", r"lone\.toml: expected the key verilog"),
    "no function": ("mul.py:", r"expected a function behind the colon"),
    "nothing": ("", r"no such file, and no multiplier"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_one_sentence_with_a_way_out(there, text, sentence):
    for name in ("mul.npz", "readme.md", "mul.py"):
        (there / name).write_text("")
    (there / "lone.toml").write_text("top = 'm'\n")
    (there / "folder.h").mkdir()
    with pytest.raises(HwsimError, match=sentence) as refusal:
        find(text)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("drum_4", "drum_4"),
        ("t/mul.npz", "d/t/mul.npz"),
        ("/t/mul.npz", "/t/mul.npz"),
        ("mul.v[K=3,with=c.v,include=i]", "d/mul.v[K=3,with=d/c.v,include=d/i]"),
        ("mul.toml", "d/mul.toml"),
        ("gates:drum_4", "gates:drum_4"),
        ("gates:mul.v[with=c.v]", "gates:d/mul.v[with=d/c.v]"),
        ("m.c:f", "d/m.c:f"),
        ("m.py:f", "d/m.py:f"),
        ("pack.age:f", "pack.age:f"),
    ],
)
def test_a_word_of_a_study_file_names_files_beside_it(there, text, expected):
    assert located(text, there.__class__("d")) == expected


def test_a_new_format_is_a_file_of_its_own(there, monkeypatch):
    (there / "tripled.py").write_text(
        "import numpy as np\n"
        "from axhil.hwsim.formats.format import Format\n"
        "from axhil.hwsim.lut import Lut\n"
        "from axhil.hwsim.operands import Operands\n"
        "TRIPLED = Format(\n"
        "    'tripled', ('.tri',), order='row', encoding='3 p', roles='row = activation',\n"
        "    source='here',\n"
        "    read=lambda data, asked: Lut(\n"
        "        np.frombuffer(data, '<i4').reshape(16, 16) // 3, *Operands.parse('s4')),\n"
        "    write=lambda lut: (3 * lut.table).astype('<i4').tobytes(),\n"
        ")\n"
    )
    monkeypatch.setattr(
        axhil.hwsim.formats, "__path__", [*axhil.hwsim.formats.__path__, str(there)]
    )
    monkeypatch.setattr(registry, "FORMATS", dict(registry.FORMATS))
    monkeypatch.delitem(sys.modules, "axhil.hwsim.formats.tripled", raising=False)
    registry.discover()
    lut = Lut(exact(4), *Operands.parse("s4"))
    assert write_table(lut, there / "mul.tri") == "tripled"
    assert find("mul.tri").table() == lut
    assert ".tri" in registry.table_suffixes()


def test_a_request_for_networks_is_for_signed_8_bit_operands():
    assert NETWORKS.operands.default == Operands.both(8, signed=True)
    assert find("drum(4)", NETWORKS).operands == (S8, S8)
