# SPDX-License-Identifier: Apache-2.0
"""Every word that names a multiplier means the same to every command, and in a study file."""

import dataclasses
import inspect
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from axhil.cli import multipliers
from axhil.emulation import convert
from axhil.hwsim import Lut
from axhil.hwsim.formats import write_table
from axhil.hwsim.multipliers import Request, VerilogSource
from axhil.hwsim.operands import Operand, Operands
from axhil.zoo import embedded_split, pretrained

pytestmark = pytest.mark.sim

CODES = Operand(8, signed=True).values
IMAGES = 30


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def cut(first, second):
    """(256, 256) signed products of two operands that lose so many of their lowest bits."""
    a, b = (np.sign(CODES) * (abs(CODES) >> bits << bits) for bits in (first, second))
    return np.multiply.outer(a, b)


def drum(k):
    """(256, 256) signed products of DRUM(K), from its definition."""
    segment = []
    for value in abs(CODES).tolist():
        shift = max(value.bit_length() - k, 0)
        segment.append(((value >> shift) | (shift > 0)) << shift)
    products = np.multiply.outer(np.sign(CODES) * segment, np.sign(CODES) * segment)
    return Operand(16, signed=True).value(products)  # on 16 wires


# By word, the products that it stands for: so coarse that networks err differently with each.
WORDS = {
    "mul.v[K=5]": cut(0, 5),
    "drum(2)": drum(2),
    "table.npz": cut(4, 3),
    "model.c": cut(3, 4),
    "other.h": cut(2, 5),
}
MIXED = "conv*=table.npz,fc[12]=mul.v[K=5],fc3=drum(2)"
OPTIONS = ["--wrap-signed", "--with", "cell.v"]
"""What the Verilog does not say, as options of every command."""


@pytest.fixture
def files(tmp_path):
    """The files that the words name."""
    (tmp_path / "cell.v").write_text(
        "module cell_cut #(parameter K = 0) (input [7:0] u, output [7:0] v);\n"
        "  assign v = u >> K << K;\nendmodule\n"
    )
    (tmp_path / "mul.v").write_text(
        "module mul #(parameter K = 0) (input [7:0] a, b, output [15:0] p);\n"
        "  wire [7:0] cut; cell_cut #(.K(K)) u_cut (.u(b), .v(cut));\n"
        "  assign p = a * cut;\nendmodule\n"
    )
    (tmp_path / "model.c").write_text(
        "#define CUT(x, k) ((x) / (1 << k) * (1 << k))\n"
        "int product(int a, int b) { return CUT(a, 3) * CUT(b, 4); }\n"
    )
    for name in ("table.npz", "other.h"):
        write_table(Lut(WORDS[name].astype(np.int32), *Operands.parse("s8")), tmp_path / name)
    if not shutil.which("cc"):
        pytest.skip("cc not found on PATH (Debian: apt-get install gcc)")
    return tmp_path


def correct(mapping):
    """The images that LeNet-5 built from tables gets right, a digit each, from Python alone."""
    calibration, _ = embedded_split("calibration").batch()
    images, labels = embedded_split("evaluation").select(IMAGES).batch()
    network = convert(pretrained("lenet5"), mapping, calibration=calibration)
    right = network(images).argmax(1) == labels
    return "".join("01"[flag] for flag in right.tolist())


def table(word):
    return Lut(WORDS[word].astype(np.int32), *Operands.parse("s8"))


@pytest.fixture(scope="module")
def expected():
    """Flags by the name that a record gives the word."""
    flags = {name(word): correct(table(word)) for word in WORDS}
    mixed = {"conv*": "table.npz", "fc[12]": "mul.v[K=5]", "fc3": "drum(2)"}
    flags[name(MIXED)] = correct({pattern: table(word) for pattern, word in mixed.items()})
    assert len(set(flags.values())) == len(flags)  # a mistaken word would show
    return flags


def name(word):
    """A word as records spell it, with what the options say."""
    return word.replace("[K=5]", "[K=5,wrap,with=cell.v]").replace(".npz", "")


def test_accuracy_takes_every_word_and_several_at_once(axhil, files, expected):
    code, out, _ = axhil(
        "accuracy", "lenet5", "-m", ",".join(WORDS), "-m", MIXED, *OPTIONS,
        "--images", IMAGES, "--threads", 1, "--json",
    )  # fmt: skip
    assert code == 0
    rows = json.loads(out)["rows"][1:]
    assert {row["multiplier"]: row["correct"] for row in rows} == expected


def test_tables_that_lut_wrote_give_the_same_accuracies(axhil, files, expected):
    assert axhil("lut", *WORDS, *OPTIONS, "--out", "luts")[0] == 0
    names = ["mul_K_5", "drum_2", "table", "model_c", "other_h"]
    assert {path.stem for path in (files / "luts").iterdir()} == {*names}
    for stem, products in zip(names, WORDS.values(), strict=True):
        np.testing.assert_array_equal(Lut.load(f"luts/{stem}.npz").table, products)
    words = [f"luts/{stem}.npz" for stem in names]
    code, out, _ = axhil("accuracy", "-m", ",".join(words), "--images", IMAGES, "--json")
    assert code == 0
    flags = [row["correct"] for row in json.loads(out)["rows"][1:]]
    assert flags == list(expected.values())[:-1]


def test_eval_and_a_study_file_take_every_word_and_record_what_options_say(axhil, files, expected):
    grid = ["--attack", "fgsm", "--norm", "linf", "--eps", "0", "--images", IMAGES]
    words = [part for word in (*WORDS, MIXED) for part in ("-m", word)]
    code, _, err = axhil("eval", *words, *OPTIONS, *grid, "--threads", 1, "--out", "o")
    assert code == 0, err
    spelled = ", ".join(f'"{word}"' for word in map(name, [*WORDS, MIXED])).replace(
        "table,", "table.npz,"
    )
    (files / "study.toml").write_text(
        f'name = "study"\nnetworks = ["lenet5"]\nimages = {IMAGES}\nattacks = ["fgsm"]\n'
        f'norms = ["linf"]\nmultipliers = [{spelled}]\n[budgets]\nlinf = [0.0]\n'.replace(
            '"table"', '"table.npz"'
        )
    )
    code, _, err = axhil("study", "run", "study.toml", "--threads", 1, "--out", "s")
    assert code == 0, err
    for folder in ("o", "s"):
        records = pd.read_csv(files / folder / "records.csv", dtype={"correct": str})
        assert dict(zip(records.multiplier, records.correct, strict=True)) == expected
    assert axhil("study", "diff", "o", "s")[0] == 0


def test_plan_and_cosim_take_every_word(axhil, files):
    words = [part for word in (*WORDS, MIXED) for part in ("-m", word)]
    code, out, _ = axhil("plan", *words, *OPTIONS, "--json")
    assert code == 0
    plans = {plan["multiplier"]: plan["layers"] for plan in json.loads(out)["plans"]}
    assert list(plans) == [*map(name, [*WORDS, MIXED])]
    assert [layer["multiplier"] for layer in plans[name(MIXED)]][2:] == [
        "mul", "mul", "drum(2)",
    ]  # fmt: skip
    simulated = ["-m", "mul.v[K=5]", "-m", "drum(2)", "-m", "fc1=exact,fc3=mul.v[K=5]"]
    code, out, _ = axhil("cosim", *simulated, *OPTIONS, "--images", 1, "--layers", "fc3", "--json")
    assert code == 0
    runs = json.loads(out)["runs"]
    assert [(run["products"], run["differing_logits"]) for run in runs] == [(840, 0)] * 3
    code, _, err = axhil("cosim", "-m", "model.c")
    assert (code, err) == (
        2, "axhil: model.c: expected Verilog under a network, got a table, a model or gates\n",
    )  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_compare_convert_and_metrics_take_every_word(axhil, files, word):
    options = OPTIONS if ".v" in word else []
    assert (
        axhil(
            "convert", word, "there.npz", *options, "--signed" if not options else "--wrap-signed"
        )[0]
        == 0
    )
    np.testing.assert_array_equal(Lut.load("there.npz").table, WORDS[word])
    code, out, _ = axhil("compare", word, "there.npz", *options)
    assert (code, out.splitlines()[0].split()[0]) == (0, "equal")
    code, out, _ = axhil("metrics", word, *options, "--json")
    errors = np.abs(WORDS[word] - np.multiply.outer(CODES, CODES))
    assert [one["wce"] for one in json.loads(out).values()] == [errors.max()]


def test_what_options_say_holds_for_every_verilog_file_and_brackets_win(axhil, files):
    code, out, _ = axhil(
        "metrics", "mul.v", "mul.v[K=6]", "exact", "--param", "K=5", *OPTIONS, "--json"
    )
    assert code == 0
    assert [*json.loads(out)] == [
        "mul.v[K=5,wrap,with=cell.v]", "mul.v[K=6,wrap,with=cell.v]", "exact",
    ]  # fmt: skip


def test_toml_beside_the_verilog_says_what_options_would(axhil, files, expected):
    (files / "mul.toml").write_text('wrap = true\nwith = ["cell.v"]\nparameters = { K = 5 }\n')
    code, out, _ = axhil("accuracy", "-m", "mul.v", "--images", IMAGES, "--json")
    assert code == 0
    (row,) = json.loads(out)["rows"][1:]
    assert (row["multiplier"], row["correct"]) == (name("mul.v[K=5]"), expected[name("mul.v[K=5]")])


def test_every_fact_about_verilog_is_an_option_of_every_command_that_reads_some(axhil):
    facts = {field.name for field in dataclasses.fields(VerilogSource)} - {"file"}
    # Two options for one fact: which operands, and the wrapper.
    options = {*multipliers._FACTS, "operands", "sign"}
    assert facts == options
    spelled = {multipliers._spelling(name) for name in multipliers._FACTS}
    spelled |= {"--wrap-signed", "--signed", "--operands", "--width", "--time-limit"}
    for command in (
        "lut", "inspect", "compare", "convert", "metrics", "cosim", "accuracy", "eval", "plan",
    ):  # fmt: skip
        assert spelled <= set(re.findall(r"--[a-z-]+", axhil(command, "-h")[1]))


def test_a_command_gets_its_options_as_one_value(axhil):
    received = []

    @multipliers.verilog_options("words")
    def command(words: list[str], *, request: Request) -> None:
        received.append(request)

    parameters = inspect.signature(command).parameters
    defaults = {one.name: one.default for one in parameters.values() if one.name != "words"}
    given = {"top": "m", "parameters": ["K=3", "N=0x10"], "ties": ["en=1"], "signed": False}
    command(words=["mul.v"], **{**defaults, **given})
    (request,) = received
    facts = VerilogSource(top="m", parameters={"K": 3, "N": 16}, ties={"en": 1})
    assert request.facts == facts
    assert (request.operands.signed, request.time_limit) == (False, Request().time_limit)
