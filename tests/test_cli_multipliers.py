# SPDX-License-Identifier: Apache-2.0
"""Whatever names a multiplier stands wherever a multiplier can: Verilog, words, tables, models."""

import json
import os
import shutil
import sys
import warnings

import numpy as np
import pytest

from axhil import cli
from axhil.hwsim import Catalogued, Lut, Operands, golden, read_circuit, tabulate
from axhil.hwsim.formats import write_table
from axhil.study.store import CellStore
from axhil.study.subject import load_subject
from axhil.zoo import embedded_split

DRUM = golden(Catalogued.parse("drum(3)"))
VERILOG = (
    "module mul #(parameter K = 0) (input signed [7:0] a, b, output signed [15:0] p);\n"
    "  assign p = (a * b) >>> K <<< K;\nendmodule\n"
)
C = "int16_t cut(int8_t a, int8_t b) { return a * b >> 9 << 9; }\n"

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file of every kind, each with a table of its own."""
    if not shutil.which("cc"):
        message = "cc not found on PATH (Debian: apt-get install gcc)"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    place = tmp_path_factory.mktemp("kinds")
    (place / "mul.v").write_text(VERILOG)
    (place / "facts.toml").write_text('verilog = "mul.v"\nparameters = { K = 8 }\n')
    (place / "model.c").write_text(f"#include <stdint.h>\n{C}")
    (place / "model.py").write_text("def f(a, b):\n    return a * b // 1024 * 1024\n")
    DRUM.save(place / "table.npz")
    write_table(golden(Catalogued.parse("scaletrim(3,0)")), place / "header.h")
    return place


def expected(folder):
    """The table of each word the long way: (word, name in records, table)."""
    a = np.array([*range(128), *range(-128, 0)])
    exact = np.multiply.outer(a, a)

    def cut(bits):
        return Lut(exact >> bits << bits, *Operands.parse("s8"))

    simulated = tabulate(read_circuit([folder / "mul.v"], parameters={"K": 10}))
    assert simulated == cut(10)
    return [
        (f"{folder}/mul.v[K=10]", "mul.v[K=10]", simulated),
        (f"{folder}/facts.toml", "mul.v[K=8]", cut(8)),
        ("drum(5)", "drum(5)", Lut(Catalogued.parse("drum(5)").reference_table(), 8, True)),
        (f"{folder}/table.npz", "table", DRUM),
        (f"{folder}/header.h", "header.h", golden(Catalogued.parse("scaletrim(3,0)"))),
        (f"{folder}/model.c", "model.c", cut(9)),
        (f"{folder}/model.py:f", "model.py:f", cut(10)),
    ]


@pytest.fixture
def axhil(monkeypatch, capsys, tmp_path):
    """Run a command as the console script does, in an empty folder: (exit code, out, err)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["axhil", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return run


def each(words):
    return [part for word in words for part in ("-m", word)]


def test_accuracy_takes_every_word_and_is_what_the_long_way_says(axhil, folder, tmp_path):
    kinds = expected(folder)
    mixed = "conv*=drum(4),fc*=exact"
    words = [*(word for word, _, _ in kinds), mixed]
    code, out, err = axhil("accuracy", "lenet5", *each(words), "--images", 50)
    assert code == 0, err
    rows = json.loads((tmp_path / "out/accuracy_lenet5_mnist5k.json").read_text())["rows"]
    assert [row["multiplier"] for row in rows] == ["float", *(n for _, n, _ in kinds), mixed]

    subject, images = load_subject("lenet5"), embedded_split("evaluation").select(50)
    pixels, labels = images.batch()

    def flags(mapping):
        right = subject.prepared.emulate(mapping)(pixels).argmax(1) == labels
        return "".join("1" if one else "0" for one in right.tolist())

    for row, (_, _, lut) in zip(rows[1:], kinds, strict=False):
        assert (row["lut_sha256"], row["correct"]) == (lut.sha256, flags(lut)), row["multiplier"]
    tables = {name: golden(Catalogued.parse(name)) for name in ("drum(4)", "exact")}
    by_layer = {"conv*": tables["drum(4)"], "fc*": tables["exact"]}
    assert rows[-1]["correct"] == flags(by_layer)
    # What was assumed or simulated is said; equal labels were told apart by names.
    assert "mul.v[K=10]: " in err
    assert "model.py:f: taken as of signed 8-bit operands" in err
    assert "conv*=DR4, fc*=ACC" in out


def test_eval_and_a_study_file_take_every_word(axhil, folder, tmp_path):
    kinds = expected(folder)
    mixed = "conv*=drum(4),fc*=exact"
    words = [*(word for word, _, _ in kinds), mixed]
    small = ["--images", 3, "--attack", "fgsm", "--norm", "linf", "--eps", "0,0.2", "--jobs", 1]
    code, _, err = axhil("eval", *each(words), *small)
    assert code == 0, err
    cells = {c.settings.multiplier: c for c in CellStore(tmp_path / "out").cells()}
    assert set(cells) == {*(name for _, name, _ in kinds), mixed}
    for _, name, lut in kinds:
        assert cells[name].settings.lut_sha256 == lut.sha256

    # The same from a file beside the others, whatever folder one is in: nothing is left to compute.
    beside = [word.replace(f"{folder}/", "") for word in words]
    (folder / "study.toml").write_text(
        f'name = "s"\nnetworks = ["lenet5"]\nimages = 3\nmultipliers = {json.dumps(beside)}\n'
        'attacks = ["fgsm"]\nnorms = ["linf"]\n[budgets]\nlinf = [0.0, 0.2]\n'
    )
    code, _, err = axhil("study", "run", folder / "study.toml", "--out", "out", "--jobs", 1)
    assert code == 0, err
    assert {c.settings.key for c in CellStore(tmp_path / "out").cells()} == {
        c.settings.key for c in cells.values()
    }
    report = (tmp_path / "out" / "report.md").read_text()
    assert r"conv\*=DR4, fc\*=ACC" in report


@pytest.mark.parametrize("number", range(7))
def test_plan_compare_convert_metrics_and_lut_take_every_word(axhil, folder, number, tmp_path):
    word, name, lut = expected(folder)[number]
    code, out, err = axhil("plan", "lenet5", "-m", word)
    assert code == 0, err
    assert f"lenet5 with {name}" in " ".join(out.split())
    code, out, err = axhil("convert", word, "there.npz", *(["--signed"] if ".py" in word else []))
    assert code == 0, err
    assert Lut.load(tmp_path / "there.npz") == lut
    code, out, err = axhil("compare", word, "there.npz")
    assert code == 0, err
    assert "are equal in all 65,536 products" in out
    code, out, err = axhil("metrics", word, "--json")
    assert code == 0, err
    assert [*json.loads(out)] == [name]
    if name != "mul.v[K=8]":  # its name of a file is that of K=10
        code, out, err = axhil("lut", word, "--out", "luts")
        assert code == 0, err
        (path,) = (tmp_path / "luts").iterdir()
        assert Lut.load(path) == lut
        assert "from the cache" not in err


def test_a_plan_shows_what_each_layer_has(axhil):
    code, out, err = axhil("plan", "lenet5", "-m", "conv*=drum(4),fc3=float")
    assert code == 0, err
    rows = {line.split()[0]: line for line in out.splitlines() if line.split()[:1]}
    assert "drum(4)" in rows["conv1"]
    assert "exact" in rows["fc1"]


REFUSED = {
    "unsigned": (
        ["accuracy", "-m", "u.v[unsigned]"],
        r"u.v[unsigned]: networks are quantised to signed 8-bit codes, its operands are unsigned "
        r"8-bit; put the unsigned core into a sign-magnitude wrapper: u.v[wrap]",
    ),
    "undeclared": (["eval", "-m", "u.v"], "u (u.v): the Verilog does not declare its operands"),
    "narrow": (["plan", "-m", "n.v"], "n.v: networks are quantised to signed 8-bit codes, its"),
    "no layer": (["accuracy", "-m", "convv=exact"], "the pattern 'convv' matches no layer"),
    "several to plan": (["plan", "-m", "exact,drum(3)"], "expected one multiplier"),
    "twice": (["eval", "-m", "exact", "-m", "exact"], "expected each once, got exact twice"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_sentence_and_exit_code_2(axhil, tmp_path, arguments, sentence):
    module = "module {} (input {}[{}:0] a, b, output {}[{}:0] p); assign p = a * b; endmodule\n"
    (tmp_path / "u.v").write_text(module.format("u", "", 7, "", 15))
    (tmp_path / "n.v").write_text(module.format("n", "signed ", 3, "signed ", 7))
    code, out, err = axhil(*arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("axhil: ")
    assert sentence in line


def test_an_unsigned_core_is_wrapped_on_request(axhil, tmp_path):
    (tmp_path / "u.v").write_text(
        "module u (input [7:0] a, b, output [15:0] p); assign p = a * b; endmodule\n"
    )
    code, _, err = axhil("accuracy", "lenet5", "-m", "u.v[wrap],exact", "--images", 20)
    assert code == 0
    assert "u.v[wrap] in a sign-magnitude wrapper, as requested: simulated in" in err
    rows = json.loads((tmp_path / "out/accuracy_lenet5_mnist5k.json").read_text())["rows"]
    assert rows[1]["lut_sha256"] == rows[2]["lut_sha256"]
