# SPDX-License-Identifier: Apache-2.0
"""The report's files: all there, named as said, whole, and the same each time."""

import os
import re
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib.figure import Figure
from study_samples import cell

from axhil.hwsim import Catalogued, HwsimError, golden
from axhil.hwsim.multipliers import Tabulated
from axhil.report.files import Picture, write_report
from axhil.study.errors import StudyError
from axhil.study.results import Results

LUTS = {name: golden(Catalogued.parse(name)) for name in ("exact", "drum(3)")}
TABLES = tuple(Tabulated(name, name, lut) for name, lut in LUTS.items())


def results(network="lenet5", threat_model="whitebox", planned=4):
    cells = tuple(
        cell(
            "0111",
            "0010",
            label=name,
            multiplier=name,
            lut_sha256=lut.sha256,
            network=network,
            threat_model=threat_model,
        )
        for name, lut in LUTS.items()
    )
    return Results(network, threat_model, cells, planned, TABLES)


def picture(stem="examples", caption="some examples"):
    figure = Figure()
    figure.subplots().plot([0, 1], [1, 0])
    return Picture(stem, caption, figure)


def names(paths):
    return [path.name for path in paths]


def test_one_network_gives_plain_names_and_the_page_last(tmp_path):
    paths = write_report([results()], tmp_path / "new", title="a title", pictures=[picture()])
    assert names(paths) == [
        "records.csv",
        "robustness.png",
        "robustness.svg",
        "examples.png",
        "examples.svg",
        "tables.png",
        "tables.svg",
        "report.md",
        "report.html",
    ]
    assert sorted(names((tmp_path / "new").iterdir())) == sorted(names(paths))
    assert all(path.stat().st_size > 100 for path in paths)


def test_several_carry_network_and_threat_model_in_their_names(tmp_path):
    several = [results(), results(threat_model="transfer:float"), results(network="vgg19")]
    found = names(write_report(several, tmp_path, title="t"))
    assert [name for name in found if name.endswith(".html")] == found[-3:] == [
        "report_lenet5.html",
        "report_lenet5_transfer_float.html",
        "report_vgg19.html",
    ]  # fmt: skip
    assert "robustness_lenet5_transfer_float.png" in found
    frame = pd.read_csv(tmp_path / "records.csv", dtype={"correct": str})
    assert len(frame) == 3 * 2 * 2
    assert sorted(set(frame["network"])) == ["lenet5", "vgg19"]
    assert set(frame["correct"]) == {"0111", "0010"}


def test_what_is_not_begun_has_no_files_yet_but_the_names_are_those_of_the_end(tmp_path):
    found = names(
        write_report([results(), Results("vgg19", "whitebox", (), 9)], tmp_path, title="t")
    )
    assert found[-1] == "report_lenet5.html"
    assert not [name for name in found if "vgg19" in name]
    assert "Nothing is finished of 9" in (tmp_path / "report.md").read_text()


def test_every_picture_of_the_markdown_is_beside_it(tmp_path):
    write_report([results(), results(network="vgg19")], tmp_path, title="t", pictures=[picture()])
    text = (tmp_path / "report.md").read_text()
    shown = re.findall(r"!\[.*?\]\(<(.*?)>\)", text)
    assert shown == [
        "robustness_lenet5.png", "robustness_vgg19.png", "examples.png", "tables.png",
    ]  # fmt: skip
    assert all((tmp_path / name).is_file() for name in shown)
    assert text.startswith("# t\n")


def test_the_same_results_give_the_same_bytes_and_others_do_not(tmp_path):
    one, two = (
        write_report([results()], tmp_path / name, title="t", pictures=[picture()])
        for name in ("one", "two")
    )
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
    fewer = replace(results(), cells=results().cells[:1])
    other = {path.name: path for path in write_report([fewer], tmp_path / "three", title="t")}
    for name in ("records.csv", "robustness.png", "report.md", "report.html"):
        assert other[name].read_bytes() != (tmp_path / "one" / name).read_bytes()


def test_without_tables_there_is_no_error_map(tmp_path):
    bare = replace(results(), tables=())
    assert "tables.png" not in names(write_report([bare], tmp_path, title="t"))


@pytest.mark.parametrize(
    ("some", "pictures", "match"),
    [
        ([], [], "at least one finished cell to report on, got none"),
        ([Results("vgg19", "whitebox", (), 9)], [], "at least one finished cell"),
        ([results(), results()], [], "got robustness_lenet5 twice"),
        ([results()], [picture("tables")], "got tables twice"),
        ([results()], [picture("Robustness")], "names, got robustness twice"),
        ([results()], [picture("a"), picture("b")], "different captions"),
    ],
    ids=["none", "none finished", "twice", "tables", "robustness", "caption"],
)
def test_what_cannot_be_reported_is_refused_before_a_file_is_written(
    tmp_path, some, pictures, match
):
    with pytest.raises(StudyError, match=match):
        write_report(some, tmp_path / "new", title="t", pictures=pictures)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_every_file_as_it_was(tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in write_report([results()], tmp_path, title="t")}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(HwsimError, match="No space left"):
            write_report([results(planned=9)], tmp_path, title="other")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
