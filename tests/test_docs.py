# SPDX-License-Identifier: Apache-2.0
"""What the documents say is what the project does."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_python_example_of_the_readme_runs_as_printed(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 6
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    clean, robust = map(float, done.stdout.strip("()\n").split(","))
    assert 0 <= robust <= clean <= 1
    assert clean >= 0.9


def test_the_python_example_of_faults_runs_as_printed(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "faults.md").read_text(), re.S)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("592 p_o[15] sa1 33024\n", "")
    assert (tmp_path / "worst.npz").is_file()


def test_costs_beside_errors_are_printed_as_shown(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from axhil.cli.main import app

    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "cost.md").read_text()
    ((words, shown),) = re.findall(r"```console\n\$ axhil (metrics [^\n]*)\n(.*?)```", text, re.S)
    done = CliRunner().invoke(app, shlex.split(words), env={"COLUMNS": "200"})
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    for line in shown.rstrip().splitlines():
        assert line in lines


def test_the_results_page_is_what_the_records_say():
    check = [sys.executable, str(ROOT / "scripts" / "build_results.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run scripts/build_results.py\n{done.stderr}"


def test_the_commands_and_folders_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.M)) <= targets
    from typer.main import get_command

    from axhil.cli.main import app

    assert set(re.findall(r"`axhil ([a-z]+)", README)) <= set(get_command(app).commands)
    (section,) = re.findall(r"## Where things are\n(.*?)\n## ", README, re.S)
    folders = re.findall(r"`([a-z]+)/`", section)
    assert len(folders) == 14
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_the_screen_that_the_readme_shows_is_the_one_on_record():
    (shown,) = re.findall(r"## What it prints\n\n```\n(.*?)```", README, re.S)
    assert shown.strip("\n") in (ROOT / "docs" / "records" / "eval.txt").read_text()


def test_what_is_said_of_gates_is_on_record():
    text = (ROOT / "docs" / "gates.md").read_text()
    printed = (ROOT / "docs" / "records" / "gates.txt").read_text()
    blocks = re.findall(r"```\n(lenet5[ ,].*?)```", text, re.S)
    assert len(blocks) == 3
    assert all(block in printed for block in blocks)
    record = json.loads((ROOT / "docs" / "records" / "gates.json").read_text())
    rows = re.findall(r"^\| `(.+)` \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) % \| ([\d.]*)", text, re.M)
    assert rows == [
        (one["multiplier"], f"{one['gates']:,}", f"{one['cpu_seconds']:.1f}", shown, published)
        for one, (*_, shown, published) in zip(record["exhaustive"], rows, strict=True)
    ]
    for one, (*_, shown, published) in zip(record["exhaustive"], rows, strict=True):
        assert (one["equal"], one["products"]) == (True, 2**32)
        assert shown == f"{100 * one['mre']:.2f}"
        assert published in {"", shown}
    cosim = record["cosim"]
    assert cosim["gates"]["equal"]
    assert f"{cosim['ratio_per_cpu_second']:,} times as many" in text


def test_pictures_and_pages_that_documents_link_to_exist():
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_example_of_faults_is_the_one_on_record():
    path = ROOT / "docs" / "records" / "faults_drum4_lenet5.json"
    (body,) = json.loads(path.read_text())["multipliers"]
    text = (ROOT / "docs" / "faults.md").read_text()
    effects = [(one, sum(map(len, one["classes"]))) for one in body["effects"]]
    for number, noun in (
        (body["gates"], "gates"),
        (body["faults"], "faults"),
        (body["classes"], "classes"),
        (len(effects), "tables"),
        (body["harmless"], "are harmless"),
    ):
        assert re.search(rf"{number}\s+{noun}", text), (number, noun)
    before = round(1000 * body["fault_free"]["accuracy"])
    lost = [before - round(1000 * one["accuracy"]) for one, count in effects for _ in range(count)]
    bars = {
        label: int(count)
        for label, count in re.findall(r"^ (\S.*?\S) +(\d+) +[\d.]+  ", text, re.M)
    }
    assert sum(bars.values()) == len(lost) == body["faults"]
    assert bars["gained"] == sum(one < 0 for one in lost)
    assert bars["unchanged"] == lost.count(0)
    assert bars["1 to 2 points"] == sum(10 < one <= 20 for one in lost)
    assert bars["more than 50 points"] == sum(one > 500 for one in lost)
    losing = sum(one > 10 for one in lost)
    assert losing == body["losing"][0]["faults"]
    assert f"{losing} ({100 * losing / len(lost):.1f} %) lose more than a point" in text


def test_what_is_said_of_searches_is_on_record():
    text = (ROOT / "docs" / "search.md").read_text()
    printed = [path.read_text() for path in (ROOT / "docs" / "records").glob("search_*.txt")]
    blocks = [one.strip("\n") for one in text.split("```")[1::2] if " vs exact " in one]
    assert len(blocks) == len(printed)
    assert all(any(block in one for one in printed) for block in blocks)
