# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints is true, and a mistake is one sentence and exit code 2."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.main import get_command

from axhil.cli.main import app
from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, Lut, Operands, error_metrics, golden
from axhil.hwsim.designs.sources import rtl_dir
from axhil.study.storage.store import CellStore

STUDIES = Path(__file__).resolve().parent.parent / "studies"
SMALL = ["--images", "3", "--eps", "0,0.2", "--attack", "fgsm", "--norm", "linf", "--threads", "1"]


@pytest.fixture(autouse=True)
def _globals_as_before(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    yield
    torch.set_num_threads(threads)


MISTAKES = {
    "illegal multiplier": (
        ["eval", "-m", "drum(9)"],
        r"drum\(9\): expected 2 <= K <= WIDTH=8, got K=9",
    ),
    "unknown multiplier": (
        ["eval", "-m", "wallace"],
        r"wallace: no such file, and no multiplier: expected exact",
    ),
    "multiplier twice": (["eval", "-m", "exact,exact"], r"each once, got exact twice"),
    "one multiplier by two names": (
        ["eval", "-m", "drum(3),drum_3"],
        r"the multiplier drum\(3\) is named twice",
    ),
    "negative eps": (["eval", "--eps", "-1"], r"--eps: expected budgets of 0 or more, got -1"),
    "eps of letters": (
        ["eval", "--eps", "abc"],
        r"--eps: expected numbers like 0,0\.1,0\.5, got 'abc'",
    ),
    "no images": (["eval", "--images", "0"], r"images: expected 1 or more, got 0"),
    "too many images": (
        ["eval", "--images", "99999"],
        r"expected a number of images from 1 to 4500.* got 99999",
    ),
    "unknown network": (
        ["eval", "alexnet"],
        r"unknown network 'alexnet': expected lenet5, resnet20, resnet50, vgg19",
    ),
    "unknown data": (["eval", "--data", "svhn"], r"unknown data set 'svhn': expected mnist5k"),
    "data that is not there": (
        ["eval", "--data", "mnist", "--data-dir", "."],
        r"no mnist under \.",
    ),
    "no such table": (["eval", "-m", "a.npz"], r"expected a file at a\.npz, but there is no such"),
    "no such folder of tables": (["eval", "--luts", "a"], r"cannot read a/exact\.npz: No such"),
    "no such weights": (["eval", "--weights", "w.safetensors"], r"no weights at w\.safetensors"),
    "network without weights": (
        ["accuracy", "resnet50"],
        r"no weights for resnet50: give --weights FILE",
    ),
    "accuracy of no images": (["accuracy", "--images", "0"], r"from 1 to 4500.* got 0"),
    "illegal constants": (
        ["rtl", "scaletrim(9,3)"],
        r"scaletrim\(9,3\): expected .*M = 0 or a power of two",
    ),
    "illegal for the width": (
        ["rtl", "drum(7)", "--width", "6"],
        r"drum\(7\): expected 2 <= K <= WIDTH=6, got K=7",
    ),
    "nothing golden to verify": (["verify", "drum(5)"], r"no golden table of drum\(5\)"),
    "table wider than memory": (
        ["convert", "exact", "exact.npz", "--width", "13", "--signed"],
        r"exact: expected operands of at most 12 bits for a complete table, got 13; take a sample",
    ),
    "wider than the Verilog of the catalogue": (
        ["lut", "exact", "--width", "17"],
        r"exact: expected 4 <= WIDTH <= 16, got WIDTH=17",
    ),
    "no such study": (["study", "run", "none.toml"], r"no study file none\.toml"),
    "study that was never run": (
        ["study", "status", "."],
        r"no study was run in \.: axhil study run",
    ),
    "nothing to compare": (["study", "diff", ".", "."], r"no results in \.: expected a folder"),
    "address without a cluster": (
        ["study", "run", str(STUDIES / "quick.toml"), "--address", "auto"],
        r"--address: for --engine ray",
    ),
    "study without its weights": (
        ["study", "run", str(STUDIES / "paper_vgg19.toml")],
        r"no weights for vgg19: give --weights FILE",
    ),
    "no recipe": (["train", "alexnet"], r"no recipe for 'alexnet': expected lenet5"),
}


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, sentence, refused):
    assert re.search(sentence, refused(*arguments))


USAGE = {
    "unknown attack": (
        ["eval", "--attack", "cw"],
        r"--attack.*'cw': expected one of .*fgsm, b",
    ),
    "unknown norm": (["eval", "--norm", "l1"], r"--norm.*expected one of linf, l2, got 'l1'"),
    "unknown threat model": (
        ["eval", "--threat-model", "x"],
        r"whitebox, transfer:float, t",
    ),
    "images of letters": (["eval", "--images", "x"], r"--images"),
    "no jobs": (["lut", "--jobs", "0"], r"--jobs"),
    "unknown option": (["eval", "--epsilon", "1"], r"No such option"),
    "unknown command": (["evaluate"], r"No such command"),
}


@pytest.mark.parametrize(("arguments", "sentence"), USAGE.values(), ids=USAGE.keys())
def test_what_the_options_do_not_offer_names_what_they_do(arguments, sentence, axhil, tmp_path):
    code, out, err = axhil(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"axhil: [^\n]+\(axhil[ \w]* --help\)\n", err), err
    assert re.search(sentence, err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["study"]], ids=" ".join)
def test_a_command_without_anything_shows_its_help(arguments, axhil):
    code, out, err = axhil(*arguments)
    assert code == 2
    assert "Usage: axhil" in out + err
    assert "Run whole studies" in out or "Run a study" in out


def every_command():
    """The words of every command, `study run` as two."""
    for name, command in get_command(app).commands.items():
        group = getattr(command, "commands", None)
        yield from ([[name, one] for one in group] if group else [[name]])


@pytest.mark.parametrize("command", list(every_command()), ids=" ".join)
def test_every_command_has_help_under_two_names(command, axhil):
    for option in ("-h", "--help"):
        code, out, err = axhil(*command, option)
        assert (code, err) == (0, "")
        assert f"Usage: axhil {' '.join(command)} " in out


def test_help_lists_every_command_once_under_its_panel(axhil):
    _, out, _ = axhil("-h")
    panels, panel = {}, ""
    for line in out.splitlines():
        if match := re.match(r"╭─ (\w+) ─", line):
            panel = match[1]
        elif match := re.match(r"│ ([a-z]+) +[A-Z]", line):
            panels.setdefault(panel, []).append(match[1])
    assert panels == {
        "Tables": ["lut", "compare", "convert", "metrics", "cost", "inspect", "rtl"],
        "Networks": ["accuracy", "eval", "plan", "search", "retrain", "train", "study"],
        "Gates": ["verify", "mutate", "faults", "cosim"],
        "About": ["info"],
    }


def test_help_shows_brackets_as_they_are_typed(axhil):
    for command in ("lut", "accuracy", "compare"):
        assert "'mul.v[K=3]'" in axhil(command, "-h")[1]


def test_the_version_is_the_packages(axhil):
    assert axhil("--version") == (0, f"axhil {version('axhil')}\n", "")


def test_the_shell_completes_commands(axhil, monkeypatch):
    for name, value in {
        "_AXHIL_COMPLETE": "complete_bash",
        "COMP_WORDS": "axhil co",
        "COMP_CWORD": "1",
    }.items():
        monkeypatch.setenv(name, value)
    _, out, _ = axhil()
    assert out.split() == ["compare", "convert", "cost", "cosim"]


def test_a_command_that_prints_a_result_prints_json(axhil):
    without = {"rtl"}  # which prints Verilog
    for command in every_command():
        assert ("--json" in axhil(*command, "-h")[1]) == (command[0] not in without), command


SMALL_JSON = {
    "accuracy": (["accuracy", "--images", 5, "-m", "exact", "--threads", 1], "rows"),
    "eval": (["eval", *SMALL, "-m", "exact"], "results"),
    "plan": (["plan", "-m", "exact", "-m", "drum(4)"], "plans"),
    "metrics": (["metrics", "exact"], "exact"),
    "compare": (["compare", "exact", "exact"], "sentence"),
    "convert": (["convert", "exact", "x.csv"], "format"),
    "info": (["info"], "python"),
}


@pytest.mark.parametrize(("arguments", "key"), SMALL_JSON.values(), ids=SMALL_JSON)
def test_json_is_one_object_and_all_that_stands_on_stdout(arguments, key, axhil):
    code, out, _ = axhil(*arguments, "--json")
    assert code == 0
    body = json.loads(out)
    assert key in body
    assert out == json.dumps(body, indent=2) + "\n"
    assert axhil(*arguments)[1] not in ("", out)  # and the next command prints again


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _directory(path):
    path.unlink()
    path.mkdir()


def _another_table_under_the_same_hash(path):
    """A valid archive whose table is not the one its manifest has the hash of."""
    import io
    import zipfile

    with zipfile.ZipFile(path) as archive:
        manifest = archive.read("manifest.json")
    table = io.BytesIO()
    np.save(table, np.zeros((256, 256), "<i4"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", manifest)
        archive.writestr("table.npy", table.getvalue())


def _newer(path):
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = {**json.loads(members["manifest.json"]), "format_version": 99}
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _other_width(path):
    Lut(np.zeros((512, 512), np.int32), *Operands.parse("s9")).save(path)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_cut, r"is damaged or no \.npz file .*write it again"),
        (_directory, r"expected a file at .*, but it is a folder"),
        (_another_table_under_the_same_hash, r"does not match the SHA-256 in its manifest"),
        (_newer, r"format version 99 is newer than this axhil reads"),
        (lambda path: path.write_bytes(b""), r"is damaged or no \.npz file"),
        (lambda path: path.write_text("hello"), r"is damaged or no \.npz file"),
        (
            _other_width,
            r"operands of 2 to 8 bits, or up to 16 with Verilog, its operands are signed 9",
        ),
    ],
    ids=["cut", "directory", "wrong hash", "newer", "empty", "text", "9 bits"],
)
def test_a_table_that_cannot_be_used_is_a_sentence(damage, sentence, refused, axhil, tmp_path):
    path = tmp_path / "mine.npz"
    golden(Catalogued.parse("drum(3)")).save(path)
    assert axhil("plan", "-m", "mine.npz")[0] == 0
    damage(path)
    # Planned rather than attacked: it is refused in the same place, and says nothing before.
    found = refused("plan", "-m", "mine.npz")
    assert re.search(sentence, found)
    assert "mine" in found or damage is _other_width
    if damage is not _other_width:
        assert refused("eval", "-m", "mine.npz") == found


@pytest.mark.parametrize("command", ["eval", "accuracy", "lut"])
def test_an_out_folder_that_is_a_file_is_a_sentence(command, refused, tmp_path):
    (tmp_path / "taken").write_text("mine")
    arguments = ["--images", "1"] if command != "lut" else []
    assert refused(command, *arguments, "--out", "taken") == "File exists: taken"
    assert "Not a directory" in refused(command, *arguments, "--out", "taken/below")
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_full_disk_is_a_sentence_and_every_file_is_whole(axhil, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root, with the right to mount")
    try:
        code, out, err = axhil(
            "eval", *SMALL, "--seed", 1, "--attack", "pgd", "--norm", "l2", "--out", disk
        )
        assert (code, out) == (2, "")
        assert re.fullmatch(
            r"axhil: (cannot write .*disk/.*: )?No space left on device.*", err.splitlines()[-1]
        )
        written = list((disk / "records").iterdir())
        assert written  # the disk filled up in the middle
        assert len(CellStore(disk).cells()) == len(written)  # each is whole
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_damaged_cell_is_a_sentence_that_says_what_to_do(axhil, tmp_path):
    arguments = ("eval", *SMALL, "-m", "exact", "--out", "o")
    assert axhil(*arguments)[0] == 0
    (path,) = (tmp_path / "o" / "records").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    code, out, err = axhil(*arguments)
    assert (code, out) == (2, "")
    assert re.search(rf"{path.name} is no finished cell of axhil .*remove it", err)
    path.unlink()
    assert axhil(*arguments)[0] == 0


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """`python -m study` in a process of its own, away from the checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "axhil", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_python_m_study_is_the_same_command(process):
    done = process("eval", "--eps", "-1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "axhil: --eps: expected budgets of 0 or more, got -1\n"
    done = process("rtl", "exact")
    assert (done.returncode, done.stderr) == (0, "")
    assert "module mul_exact (" in done.stdout


def shown(out):
    """The accuracies of the terminal's tables, by label."""
    rows = [line for line in out.splitlines() if "±" in line and "evaluations" not in line]
    return {row.split()[0]: re.findall(r"([\d.]+)±", row) for row in rows}


def test_eval_leaves_records_and_figures_and_prints_their_numbers(axhil, tmp_path):
    code, out, err = axhil("eval", *SMALL, "-m", "exact,drum(3)", "--out", "o")
    assert code == 0
    assert "lenet5 on 3 images of mnist5k, whitebox: 2 multipliers x 1 attacks" in err
    names = {path.name for path in (tmp_path / "o").iterdir()}
    files = {"report.md", "report.html", "records.csv", "study.json", "store.json"}
    assert files | {"records", "robustness.png", "robustness.svg", "tables.png"} <= names
    records = pd.read_csv(tmp_path / "o" / "records.csv", dtype={"correct": str})
    assert list(zip(records.multiplier, records.eps, strict=True)) == [
        ("exact", 0.0), ("exact", 0.2), ("drum(3)", 0.0), ("drum(3)", 0.2),
    ]  # fmt: skip
    for label in ("ACC", "DR3"):
        expected = [f"{100 * a:.1f}" for a in records[records.label == label].accuracy]
        assert shown(out)[label] == expected
    assert "FGSM L∞" in out
    assert "4 evaluations" in out
    assert out.rstrip().endswith("look at it in a browser: o/report.html")
    ET.parse(tmp_path / "o" / "robustness.svg")


def test_eval_takes_tables_from_a_folder(axhil, tmp_path):
    (tmp_path / "luts").mkdir()
    golden(Catalogued.parse("drum(3)")).save(tmp_path / "luts" / "exact.npz")
    for out, luts in (("a", []), ("b", ["--luts", "luts"])):
        assert axhil("eval", *SMALL, "-m", "exact", *luts, "--out", out)[0] == 0
    hashes = [pd.read_csv(tmp_path / out / "records.csv").lut_sha256[0] for out in "ab"]
    assert hashes == [golden(Catalogued.parse(m)).sha256 for m in ("exact", "drum(3)")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_jobs_says_how_many_cells_run_at_a_time(jobs, axhil, monkeypatch):
    from axhil.study.engine import run as study

    seen = []

    def threads(jobs, device):
        seen.append(jobs)
        raise OSError(0, "far enough")

    monkeypatch.setattr(study, "Threads", threads)
    axhil("eval", *SMALL, "--jobs", jobs)
    assert seen == [jobs]


TINY = """
name = "tiny"
networks = ["lenet5"]
images = 4
multipliers = ["exact", "drum(3)"]
attacks = ["fgsm"]
norms = ["linf"]
[budgets]
linf = [0.0, 0.2]
"""


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "out" / "tiny"


def test_a_study_runs_reports_and_compares(axhil, tiny):
    code, out, _ = axhil("study", "run", "tiny.toml", "--threads", 1)
    assert code == 0
    assert out.rstrip().endswith("look at it in a browser: out/tiny/report.html")
    table = shown(out)
    assert set(table) == {"ACC", "DR3"}
    state = json.loads(axhil("study", "status", "tiny.toml", "--json")[1])
    assert (state["lenet5 whitebox"]["done"], state["lenet5 whitebox"]["planned"]) == (4, 4)
    assert state["lenet5 whitebox"]["left"] == 0
    page = (tiny / "report.html").read_bytes()
    (tiny / "report.html").unlink()
    code, out, _ = axhil("study", "report", tiny)
    assert code == 0
    assert shown(out) == table
    assert (tiny / "report.html").read_bytes() == page
    assert (tiny / "examples.png").is_file() == ("examples.png" in (tiny / "report.md").read_text())
    code, out, _ = axhil("study", "diff", tiny, tiny)
    assert (code, out) == (0, "4 evaluations in both, 0 of them differ: 0 of 16 flags\n")


def test_status_and_report_of_half_a_study_say_so(axhil, tiny):
    assert axhil("study", "run", "tiny.toml", "--threads", 1)[0] == 0
    lost = CellStore(tiny).cells()[0]
    (path,) = (tiny / "records").glob(f"{lost.settings.key}-*")
    path.unlink()
    code, out, _ = axhil("study", "status", tiny)
    assert code == 0
    assert re.search(r"lenet5 whitebox +2 +4 +50 ", out)
    code, out, err = axhil("study", "report", tiny)
    assert code == 0
    assert "2 of 4 evaluations are finished" in err
    assert len(shown(out)) == 1
    # A run completes it; with other images it would be another study in the same folder.
    assert axhil("study", "run", "tiny.toml", "--threads", 1)[0] == 0
    assert len(CellStore(tiny).cells()) == 2


def test_other_flags_are_exit_code_1(axhil, tiny, tmp_path):
    assert axhil("study", "run", "tiny.toml", "--threads", 1)[0] == 0
    (tmp_path / "more.toml").write_text(TINY.replace("tiny", "more").replace("0.2]", "0.2, 0.3]"))
    assert axhil("study", "run", "more.toml", "--threads", 1)[0] == 0
    code, out, _ = axhil("study", "diff", tiny, tmp_path / "out" / "more")
    assert code == 1
    assert "0 evaluations in the first alone, 2 in the second alone" in out


def test_a_store_of_a_newer_format_is_a_sentence_and_stays_as_it_is(axhil, refused, tiny):
    assert axhil("study", "run", "tiny.toml", "--threads", 1)[0] == 0
    (tiny / "store.json").write_text('{"format_version": 99}')
    before = {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()}
    for command in (("run", "tiny.toml"), ("status", tiny), ("report", tiny), ("diff", tiny, tiny)):
        code, out, err = axhil("study", *command)
        assert (code, out) == (2, "")
        assert "has format version 99, this axhil reads 2 to 3" in err
    assert before == {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()}


def test_accuracy_prints_and_records_every_multiplier(axhil, tmp_path):
    code, out, _ = axhil("accuracy", "--images", 40, "-m", "exact,drum(3)", "--threads", 1)
    assert code == 0
    record = json.loads((tmp_path / "out" / "accuracy_lenet5_mnist5k.json").read_text())
    assert [row["multiplier"] for row in record["rows"]] == ["float", "exact", "drum(3)"]
    for row, name in zip(record["rows"], ("float32", "ACC", "DR3"), strict=True):
        (line,) = [line for line in out.splitlines() if line.split()[:1] == [name]]
        assert f"{100 * row['correct'].count('1') / 40:.2f}" in line.split()


def test_plan_adds_up_to_lenet5s_multiplications(axhil):
    code, out, err = axhil("plan", "-m", "drum(4)")
    assert (code, err) == (0, "")
    rows = re.findall(r"^\s+(\w+\d) +\S+ +\S+ +([\d,]+) .* drum\(4\) ", out, re.MULTILINE)
    macs = {name: int(count.replace(",", "")) for name, count in rows}
    assert macs == {
        "conv1": 24 * 24 * 6 * 25,
        "conv2": 8 * 8 * 16 * 6 * 25,
        "fc1": 256 * 120,
        "fc2": 120 * 84,
        "fc3": 84 * 10,
    }
    assert re.search(r"^\s*all\s+281,640\s*$", out, re.MULTILINE)
    assert sum(macs.values()) == 281_640


def test_plan_tells_what_would_run_on_a_device_that_is_not_there(axhil):
    code, out, _ = axhil("plan", "--multiplier", "scaletrim(4,8)", "--device", "cuda")
    assert code == 0
    assert "on cuda" in out
    assert len(re.findall(r"^ +\w+\d .* product rows ", out, re.M)) == 5
    assert out.count("not separable") == 5


def test_what_no_table_reaches_is_refused_until_it_is_allowed(
    axhil, refused, tmp_path, monkeypatch
):
    (tmp_path / "partly_axhil.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential("
        "nn.ConvTranspose2d(1, 2, 2), nn.Flatten(), nn.Linear(2 * 29 * 29, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    weights = tmp_path / "weights.pt"
    torch.save(importlib.import_module("partly_axhil").net().state_dict(), weights)
    network = ["python:partly_axhil:net", "--weights", weights]
    data = ["--data", "mnist5k", "--images", 20, "-m", "drum(3)"]
    share = 28 * 28 * 4 * 2 / (28 * 28 * 4 * 2 + 2 * 29 * 29 * 10)
    for command in (["accuracy", *network], ["eval", *network]):
        sentence = refused(*command, *data)
        assert f"{100 * share:.3g} % of the network's multiply-accumulates" in sentence
        assert "0 (ConvTranspose2d" in sentence
    code, _, err = axhil("accuracy", *network, *data, "--allow-float")
    assert code == 0, err
    (record,) = (tmp_path / "out").glob("accuracy_*.json")
    shares = [row["float_share"] for row in json.loads(record.read_text())["rows"]]
    assert shares == [1, pytest.approx(share)]
    few = ["--attack", "fgsm", "--norm", "linf", "--eps", 0.1]
    assert axhil("eval", *network, *data, *few, "--allow-float")[0] == 0


def test_plan_shows_what_stays_in_float(axhil, refused, tmp_path, monkeypatch):
    (tmp_path / "sequence_axhil.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), "
        "nn.ConvTranspose2d(4, 2, 2), nn.Flatten(), nn.Linear(2 * 31 * 31, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "1 (ConvTranspose2d" in refused("plan", "python:sequence_axhil:net")
    code, out, _ = axhil("plan", "python:sequence_axhil:net", "--allow-float")
    assert code == 0
    share = 30 * 30 * 4 * 4 * 2 / (30 * 30 * 4 * 27 + 30 * 30 * 4 * 4 * 2 + 2 * 31 * 31 * 10)
    assert re.search(r"^ *1 .* float32 +float ", out, re.M)
    assert f"; {100 * share:.3g} % of MACs in float32" in out


def test_info_says_which_versions_and_tables_there_are(axhil):
    code, out, _ = axhil("info")
    assert code == 0
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert lines["torch"].startswith(torch.__version__)
    assert lines["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert f"DR4 {golden(Catalogued.parse('drum(4)')).sha256[:8]}" in out
    assert ("Icarus Verilog" in out) == bool(shutil.which("iverilog"))
    assert re.match(r"Yosys [\d.]+ \(pyosys\), ", lines["gates"])
    installed = r"GHDL \d" if shutil.which("ghdl") else r"no ghdl, .*\(Debian: apt-get install ghdl"
    assert re.match(installed, lines["vhdl"])


def test_info_works_without_a_simulator(axhil, monkeypatch):
    from axhil.hwsim.tools.simulators import simulator_version

    simulator_version.cache_clear()
    monkeypatch.setenv("PATH", "")
    code, out, _ = axhil("info")
    assert code == 0
    assert "iverilog not found on PATH" in out


def test_metrics_as_json_are_hwsims(axhil):
    code, out, err = axhil("metrics", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        str(m): error_metrics(golden(m)).as_dict() for m in PAPER_MULTIPLIERS
    }


def test_metrics_as_a_table_are_the_same_numbers(axhil, tmp_path):
    Lut(golden(Catalogued.parse("exact")).table + 2, *Operands.parse("s8")).save(
        tmp_path / "off.npz"
    )
    code, out, _ = axhil("metrics", "off.npz", "exact")
    assert code == 0
    (off,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["off"]]
    assert off[1] == "2.00"  # MAE
    assert off[2] == "2"  # WCE
    assert off[-1] == "+2.000"  # bias


@pytest.mark.parametrize("differ", [False, True])
def test_lut_compares_with_the_golden_tables_when_asked(differ, axhil, monkeypatch, tmp_path):
    def made(multiplier, _jobs, _progress):
        table = golden(multiplier)
        if differ and multiplier.name == "drum(3)":
            values = table.table.copy()
            values[255, 1] = 7  # -1 x 1
            table = Lut(values, *Operands.parse("s8"))
        return table, ()

    monkeypatch.setattr(Catalogued, "_make", made)
    code, out, _ = axhil("lut", "exact", "drum(3)", "--check-golden", "--out", "luts")
    assert code == int(differ)
    first, second, *gates = out.splitlines()
    assert re.search(r"luts/exact\.npz  equal to golden  equal to gates \(Yosys [\d.]+\)$", first)
    assert ("1 of 65,536 entries differ" in second) == differ
    assert ("first -1 x 1 = 7, golden -1" in second) == differ
    assert [("-1 x 1 is 7 as simulated, -1 as gates" in line) for line in gates] == [True] * differ
    assert ("golden" in axhil("lut", "exact", "--out", "luts")[1]) is False  # not asked
    assert {path.name for path in (tmp_path / "luts").iterdir()} == {"exact.npz", "drum_3.npz"}


@pytest.mark.sim
def test_lut_from_verilog_equals_the_golden_tables(axhil, tmp_path):
    some = [Catalogued.parse(name) for name in ("exact", "drum(3)")]  # verify simulates all
    code, out, _ = axhil("lut", *some, "--check-golden")
    assert code == 0
    assert out.count("equal to golden") == len(some)
    for multiplier in some:
        assert Lut.load(tmp_path / "out" / "luts" / f"{multiplier.slug}.npz") == golden(multiplier)


@pytest.mark.sim
def test_verify_accepts_the_verilog_as_it_is(axhil, tmp_path):
    code, out, _ = axhil("verify")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == len(PAPER_MULTIPLIERS)
    assert all(line.startswith("equal") and "in all 65,536 entries" in line for line in lines)
    assert all("  equal to gates (Yosys " in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def _drum_with_lowest_bit(k, bit):
    """(256, 256) signed products of DRUM(K) whose lowest kept bit is `bit`, from its definition."""
    value = np.where(np.arange(256) < 128, np.arange(256), np.arange(256) - 256)
    segment = []
    for x in np.abs(value).tolist():
        cut = max(x.bit_length() - k, 0)
        kept = x >> cut
        segment.append((kept >> 1 << 1 | bit if cut else kept) << cut)
    product = np.multiply.outer(segment, segment)
    return np.multiply.outer(np.sign(value), np.sign(value)) * product


@pytest.mark.sim
def test_verify_refuses_one_changed_character_and_says_where_it_shows(axhil, tmp_path):
    shutil.copytree(rtl_dir(), tmp_path / "rtl")
    path = tmp_path / "rtl" / "mul_drum.v"
    text = path.read_text()
    changed = text.replace("kept[0] = 1'b1", "kept[0] = 1'b0")
    assert sum(a != b for a, b in zip(text, changed, strict=True)) == 1
    path.write_text(changed)

    code, out, _ = axhil("verify", "exact", "drum(3)", "drum(4)", "--rtl", "rtl")
    assert code == 1
    lines = out.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines if line.startswith("DIFFERS")] == [
        "drum(3)",
        "drum(4)",
    ]
    assert [line.split(":")[0] for line in lines if line.startswith("equal")] == ["equal   exact"]
    for k in (3, 4):
        was, now = (_drum_with_lowest_bit(k, bit) for bit in (1, 0))
        assert np.array_equal(was, golden(Catalogued.parse(f"drum({k})")).table)
        where = np.argwhere(was != now)
        at = next(i for i, line in enumerate(lines) if line.startswith(f"DIFFERS drum({k})"))
        assert f"{len(where):,} of 65,536 entries differ" in lines[at]
        values = [(i if i < 128 else i - 256, j if j < 128 else j - 256) for i, j in where[:5]]
        expected = [
            f"{a} x {b} = {now[i, j]}, golden {was[i, j]}"
            for (a, b), (i, j) in zip(values, where[:5], strict=True)
        ]
        assert f"first {expected[0]};" in lines[at]
        assert [line.strip() for line in lines[at + 1 : at + 5]] == expected[1:]


@pytest.mark.sim
def test_verify_of_a_folder_without_verilog_is_a_sentence(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert re.search(
        r"expected the Verilog of mul_\w+ at empty/mul_\w+\.v, found no such file",
        refused("verify", "--rtl", "empty"),
    )


@pytest.mark.parametrize("command", [["lut"], ["verify"], ["lut", "drum(3)", "--width", "4"]])
def test_without_a_simulator_there_is_a_sentence_with_the_remedy(command, refused, monkeypatch):
    monkeypatch.setenv("PATH", os.fspath(Path("nowhere")))
    assert refused(*command) == "iverilog not found on PATH (Debian: apt-get install iverilog)"


def test_a_study_of_several_threat_models_names_each_and_has_a_page_for_each(axhil, tiny, tmp_path):
    text = TINY.replace("attacks", 'threat_models = ["whitebox", "transfer:exact"]\nattacks')
    (tmp_path / "tiny.toml").write_text(text)
    code, out, _ = axhil("study", "run", "tiny.toml", "--threads", 1)
    assert code == 0
    assert re.search(r"^LeNet-5, white-box ─", out, re.M)
    assert re.search(r"^LeNet-5, transfer.*exact.* ─", out, re.M)
    pages = re.findall(r"browser: (\S+\.html)$", out, re.M)
    assert len(pages) == len(set(pages)) == 2
    assert all((tmp_path / page).is_file() for page in pages)
    state = json.loads(axhil("study", "status", tiny, "--json")[1])
    assert set(state) == {"lenet5 whitebox", "lenet5 transfer:exact"}
