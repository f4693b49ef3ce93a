# SPDX-License-Identifier: Apache-2.0
"""Words, numbers and names that no command is made for: one sentence, and no name is obeyed."""

import csv
import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from study_samples import cell

from axhil.hwsim import Lut, Operands
from axhil.report.figures.curves import robustness_figure
from axhil.report.figures.saving import png, svg
from axhil.report.html.page import report_page
from axhil.report.markdown import report_markdown
from axhil.study.results import Results
from axhil.study.storage.cells import CellSettings, read_settings
from axhil.study.storage.records import records_of, write_records
from axhil.study.storage.store import CellStore

HUGE = "9" * 5000
WORDS = {
    "open brackets": (
        ["metrics", "drum" + "(" * 5000],
        "cannot read multiplier .*: expected exact",
    ),
    "nested brackets": (
        ["metrics", "drum(" * 3000 + ")" * 3000],
        "cannot read multiplier .*: expected exact",
    ),
    "square brackets": (["metrics", "[" * 5000], "no such file, and no multiplier"),
    "an open attack": (["eval", "--attack", "pgd("], "expected an attack like pgd"),
    "steps": (["eval", "--attack", f"pgd(steps={HUGE})"], "expected a whole number"),
    "endless steps": (["eval", "--attack", "pgd(steps=100000000000)"], "expected steps below 2"),
    "an endless length": (
        ["eval", "--attack", "pgd(rel_step=1e999)"],
        "expected a finite rel_step",
    ),
    "an endless budget": (["eval", "--eps", "1e999"], "expected budgets of 0 or more"),
    "a long parameter": (["metrics", f"x.v[K={HUGE}]"], "expected a file at x.v|1,000 characters"),
    "a long tie": (["metrics", f"x.v[tie.en={HUGE}]"], "at most 1,000 characters"),
    "a long option": (["lut", "x.v", "--param", f"K={HUGE}"], "at most 1,000 characters"),
    "a program as a network": (["plan", "python:os:system"], "raised TypeError"),
    "another as a network": (["plan", "python:os:getcwd"], "returned str"),
    "half a character": (
        ["metrics", "a\udcff.npz"],
        r"expected words in UTF-8, got 'a\\udcff.npz'",
    ),
    "a long name": (["study", "run", "x" * 5000], "cannot read .*too long"),
}
NUMBERS = ("1" + "0" * 11, str(2**63), str(2**64), "1" + "0" * 30, HUGE, "nan", "inf", "-1", "")
COUNTS = {
    "threads": (["plan", "lenet5"], "--threads"),
    "jobs": (["lut", "exact"], "--jobs"),
    "instances": (["cosim", "lenet5"], "--instances"),
    "a sample": (["lut", "exact"], "--sample"),
    "epochs": (["train", "lenet5"], "--epochs"),
    "a seed": (["train", "lenet5"], "--seed"),
    "a time limit": (["metrics", "exact"], "--time-limit"),
    "a width": (["rtl", "exact"], "--width"),
    "rows": (["eval", "lenet5", "-m", "nothing"], "--batch"),
    "images": (["eval", "lenet5", "-m", "nothing"], "--images"),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_word_beyond_every_reader_is_one_sentence(refused, case):
    arguments, sentence = WORDS[case]
    said = refused(*arguments)
    assert re.search(sentence, said), said[:300]
    assert len(said) < 2100


@pytest.mark.parametrize("case", COUNTS)
def test_a_number_beyond_every_machine_is_one_sentence(refused, case):
    arguments, option = COUNTS[case]
    if option in {"--threads"}:
        arguments = ["accuracy", "lenet5", "-m", "nothing"]
    for number in NUMBERS:
        assert len(refused(*arguments, f"{option}={number}")) < 2100


ESCAPE = "\x1b]0;owned\x07\x1b[31m"
NAMES = (ESCAPE, "=1+1", "+1", "-1", "@x", "[red]x[/red]", "<script>alert(1)</script>", "a|b`c")


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_is_shown_and_not_obeyed(axhil, tmp_path, name):
    file = re.sub("/", "_", name) + ".npz"
    pair = Operands.parse("s8")
    values = np.outer(pair.activation.values, pair.weight.values)
    Lut(values, *pair, {"multiplier": name, "top": name}).save(tmp_path / file)
    for arguments in (
        ["metrics", f"./{file}"],
        ["compare", f"./{file}", "exact"],
        ["lut", f"./{file}"],
        ["convert", f"./{file}", f"./{file}.csv"],
        ["metrics", f"./{file}x.npz"],
    ):
        _, out, err = axhil(*arguments)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", out + err)
        if name != ESCAPE:
            assert file.removesuffix(".npz").split("|")[0] in out + err
    written = {one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*") if one.is_file()}
    tables = {one for one in written if one.startswith("out/")}
    assert written - tables == {file, f"{file}.csv"}
    assert all(re.fullmatch(r"out/luts/\w+\.npz", one) for one in tables)


def results(name):
    cells = [cell(label="ACC"), cell(label=name, multiplier=name, data=name, warnings=(name,))]
    return Results("lenet5", "whitebox", tuple(cells), planned=4)


HOSTILE = [
    *NAMES,
    "$\\frac{$",
    "$x",
    "_hidden",
    "a\nb\n# c",
    "![x](y)",
    "</table>",
    "&lt;",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_report_carries_any_name_as_text(tmp_path, name):
    one = results(name)
    drawing = svg(robustness_figure(records_of(one.cells), title=name))
    assert png(robustness_figure(records_of(one.cells), title=name)).startswith(b"\x89PNG")
    texts = [drawing, report_page(one), report_markdown([one], title=name)]
    for text in texts:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", text)
    page, document = texts[1:]
    assert "<script>alert" not in page
    assert "<script>alert" not in re.sub(r"`[^`]*`|(?m:^    .*$)", "", document)
    assert page.count("</table>") == page.count("<table")
    assert not re.search(r"(?m)^# c", document)
    if name == "_hidden":
        assert "_hidden" in drawing


@pytest.mark.parametrize("name", HOSTILE)
def test_no_cell_of_the_records_is_a_formula(tmp_path, name):
    path = write_records(results(name).cells, tmp_path / "records.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    assert len(rows) == 4
    for row in rows:
        for text in row.values():
            assert text[:1] not in ("=", "+", "-", "@", "\t", "\r") or re.fullmatch(
                r"-?[\d.e-]+", text
            )


SETTINGS = cell().settings.written()
WRONG = {
    "a text for a number": {"images": "4"},
    "a number for a text": {"multiplier": 3},
    "no images": {"images": 0},
    "half an image": {"images": 4.5},
    "beyond 64 bits of a budget": {"budgets": [1e400]},
    "no number for a budget": {"budgets": [float("nan")]},
    "a text for budgets": {"budgets": "01"},
    "a list for quantisation": {"quantisation": ["x"]},
    "a text for true": {"worst_iterate": "yes"},
    "an unknown norm": {"norm": "l7"},
    "nothing": {"seed": None},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_record_of_other_types_is_no_record(change):
    assert isinstance(read_settings(SETTINGS, version=3), CellSettings)
    with pytest.raises((ValueError, TypeError)):
        read_settings({**SETTINGS, **change}, version=3)


def test_records_that_claim_more_than_there_is_are_one_sentence(tmp_path, refused, monkeypatch):
    store = CellStore(tmp_path / "s")
    store.put(cell())
    (path,) = store.records.iterdir()
    whole = path.read_bytes()
    table = pq.read_table(path)
    many = pa.table({"x": pa.array(np.zeros(1 << 20, np.int8))})
    for content in (
        b"", b"PAR1", whole[:-9],
        whole[:40] + bytes(40) + whole[80:], b"PAR1" + bytes(99) + b"PAR1",
    ):  # fmt: skip
        path.write_bytes(content)
        assert path.name in refused("study", "diff", "s", "s")
    pq.write_table(many.replace_schema_metadata(table.schema.metadata), path)
    assert path.name in refused("study", "diff", "s", "s")
    monkeypatch.setattr("axhil.study.storage.store._MOST_VALUES", 1000)
    assert "it claims 1,048,576 values, expected at most 1,000" in refused(
        "study", "diff", "s", "s"
    )


def test_a_plan_of_any_json_is_one_sentence(tmp_path, refused):
    folder = tmp_path / "s"
    folder.mkdir()
    part = {"network": "lenet5", "threat_model": "whitebox", "cells": [SETTINGS]}
    body = {"format_version": 3, "study": {"name": "s", "networks": ["lenet5"]}, "parts": [part]}
    for change in (
        {"format_version": "3"}, {"format_version": 10**30}, {"study": []},
        {"study": {"name": "s"}}, {"parts": [{**part, "more": 1}]},
        {"parts": 3}, {"parts": [[]]}, {"parts": [{**part, "network": 3}]},
        {"parts": [{**part, "cells": [{**SETTINGS, "norm": "x"}]}]},
    ):  # fmt: skip
        (folder / "study.json").write_text(json.dumps({**body, **change}))
        assert "study.json" in refused("study", "status", "s")
    for text in ("", "[" * 200_000, "null", "3", '"x"', "9" * 5000):
        (folder / "study.json").write_text(text)
        assert "study.json" in refused("study", "status", "s")


STUDIES = {
    "10^11 budgets": "budgets.linf = { first = 0, last = 1, count = 100000000000 }",
    "10^30 images": f"images = {10**30}",
    "a seed of 65 bits": f"seed = {2**64}",
    "a batch of 2^63": f"batch = {2**63}",
    "a budget beyond every float": "budgets.linf = [1e999]",
    "endless steps": 'attacks = ["pgd(steps=100000000000)"]',
    "a zero in a name": r'multipliers = ["a\u0000b.npz"]',
    "a zero in a path": 'weights = { lenet5 = "a\\u0000b" }',
    "brackets": f'multipliers = ["{"drum(" * 3000}"]',
}


@pytest.mark.parametrize("line", STUDIES.values(), ids=STUDIES)
def test_a_study_beyond_every_machine_is_one_sentence(refused, tmp_path, line):
    (tmp_path / "s.toml").write_text(f'name = "s"\nnetworks = ["lenet5"]\n{line}\n')
    sentence = refused("study", "run", "s.toml", "--out", "out")
    assert "s.toml" in sentence or sentence.startswith("cannot read")


def test_out_of_memory_is_a_sentence(refused, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("axhil.cli.tables.listed", full)
    assert "expected more memory than there is" in refused("metrics", "exact")
