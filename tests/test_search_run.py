# SPDX-License-Identifier: Apache-2.0
"""Whole searches on LeNet-5: small, killed, side by side, and what comes out of them."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from liberty_samples import liberty
from scipy.stats import binomtest

from axhil.errors import DOCS
from axhil.hwsim.cost import cells, exact
from axhil.search import search
from axhil.study.engine.run import Machine
from axhil.study.spec import checked
from axhil.study.storage.store import CellStore
from axhil.zoo import embedded_split

WORDS = (
    "search", "lenet5", "-m", "exact,drum(3)", "--objective", "clean", "--objective", "robust",
    "--attack", "fgsm", "--eps", "0.15", "--images", "60", "--search-images", "30",
    "--rounds", "2", "--proposals", "4", "--finalists", "3", "--threads", "1",
)  # fmt: skip
LAYERS = ["conv1", "conv2", "fc1", "fc2", "fc3"]
PATIENCE = 120


def command(*options: str, folder: Path) -> list[str]:
    code = "from axhil.cli import main; main()"
    return [sys.executable, "-c", code, *WORDS, "--out", str(folder), *options]


def report(folder: Path) -> dict[str, bytes]:
    """Every file that depends on nothing but the search."""
    paths = [one for one in folder.rglob("*") if one.is_file() and "records" not in one.parts]
    kept = {".json", ".md", ".html", ".svg", ".png", ".toml"}
    found = {str(one.relative_to(folder)): one for one in paths if one.suffix in kept}
    return {name: path.read_bytes() for name, path in found.items() if name != "store.json"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(
        command("--jobs", "1", folder=folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout, json.loads((folder / "front.json").read_text())


def test_a_killed_search_goes_on_and_finds_the_same_with_other_jobs(undisturbed, tmp_path):
    records = tmp_path / "records"
    process = subprocess.Popen(
        command("--jobs", "2", folder=tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + PATIENCE
    while len(list(records.glob("*.parquet"))) < 9:  # past layers alone, in a round
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in records.glob("[!.]*.parquet")}
    assert not (tmp_path / "front.json").exists()
    done = subprocess.run(
        command("--jobs", "2", folder=tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())
    first, again = report(undisturbed[0]), report(tmp_path)
    assert {"front.json", "front.md", "front.html", "front.png", "chosen.toml"} <= first.keys()
    assert first == again


def test_every_layer_was_tried_alone(undisturbed):
    _, printed, body = undisturbed
    assert "Change of clean accuracy by a layer alone" in printed
    assert (body["layers"], body["choices"]) == (LAYERS, ["exact", "drum(3)"])
    for table in body["sensitivity"].values():
        assert np.shape(table) == (5, 2)
        assert [row[0] for row in table] == [0.0] * 5


def test_the_front_is_non_dominated_and_no_worse_than_any_uniform_network(undisturbed):
    _, _, body = undisturbed
    points = {
        one["label"]: (one["clean"]["accuracy"], one["robust"]["accuracy"])
        for one in body["points"]
    }
    assert {"ACC", "DR3"} <= points.keys()

    def dominated(label: str) -> bool:
        return any(
            other != points[label]
            and all(a >= b for a, b in zip(other, points[label], strict=True))
            for other in points.values()
        )

    assert set(body["front"]) == {label for label in points if not dominated(label)}
    best = [points[label] for label in body["front"]]
    for label in ("ACC", "DR3"):
        assert any(all(a >= b for a, b in zip(one, points[label], strict=True)) for one in best)


def test_the_tests_are_mcnemars_with_holms_correction(undisturbed):
    _, _, body = undisturbed
    flags = {
        (one["label"], each): one[each]["correct"]
        for one in body["points"]
        for each in ("clean", "robust")
    }
    raw = []
    for test in body["tests"]:
        a = flags[test["against"], test["measure"]]
        b = flags[test["point"], test["measure"]]
        gained = sum(pair == ("0", "1") for pair in zip(a, b, strict=True))
        lost = sum(pair == ("1", "0") for pair in zip(a, b, strict=True))
        assert (test["gained"], test["lost"]) == (gained, lost)
        raw.append(binomtest(gained, gained + lost).pvalue if gained + lost else 1.0)
    order = sorted(range(len(raw)), key=raw.__getitem__)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(raw) - rank) * raw[place]))
        assert body["tests"][place]["p_holm"] == pytest.approx(largest)


def test_the_search_never_saw_the_images_of_the_front(undisturbed):
    _, _, body = undisturbed
    every = embedded_split("evaluation").select(90)
    held_out, searched = (every.subset(np.arange(*part)) for part in ((0, 60), (60, 90)))
    assert body["data_sha256"] == held_out.sha256 == embedded_split("evaluation").select(60).sha256
    assert body["search_data_sha256"] == searched.sha256
    assert not set(held_out.indices) & set(searched.indices)


def test_the_chosen_assignment_is_a_file_that_other_commands_take(undisturbed, axhil, tmp_path):
    folder, _, body = undisturbed
    for label in body["front"]:
        point = next(one for one in body["points"] if one["label"] == label)
        file = folder / "assignments" / f"{label}.toml"
        layers = tomllib.loads(file.read_text())["layers"]
        assert set(layers) <= set(LAYERS)
        code, _, err = axhil("accuracy", "lenet5", "-m", file, "--images", "60", "--out", "out")
        assert code == 0, err
        record = json.loads((tmp_path / "out" / "accuracy_lenet5_mnist5k.json").read_text())
        assert record["rows"][1]["correct"] == point["clean"]["correct"]
    chosen = (folder / "chosen.toml").read_bytes()
    assert chosen == (folder / "assignments" / f"{body['chosen']}.toml").read_bytes()


def test_the_page_shows_the_assignment_of_what_is_pointed_at(undisturbed):
    folder, _, body = undisturbed
    page = (folder / "front.html").read_text()
    for point in body["points"]:
        assert f"<title>{point['label']}: clean {100 * point['clean']['accuracy']:.1f} %" in page
    assert "conv1 DR3" in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "").replace(DOCS, "")


def test_energy_is_what_the_layers_take_together(monkeypatch, tmp_path):
    monkeypatch.setattr(cells, "RECIPES", {"yosys": cells.RECIPES["yosys"]})
    monkeypatch.setattr(exact, "ADDERS", {"ripple-carry": exact.ADDERS["ripple-carry"]})
    (tmp_path / "few.lib").write_text(liberty("INV", "BUF", "NAND2", "XOR2", "AOI21"))
    spec = checked(
        {
            "name": "small",
            "networks": ("lenet5",),
            "images": 20,
            "multipliers": ("exact", "drum(3)"),
            "cost": {"liberty": str(tmp_path / "few.lib")},
            "search": {"objectives": ("clean", "energy", "area"), "images": 10, "rounds": 1},
        },
        source="here",
    )
    found = search(spec, tmp_path / "out", Machine(threads=1))
    prices = json.loads((tmp_path / "out" / "prices.json").read_text())["prices"]
    columns = dict(zip(("ACC", "DR3"), np.transpose(prices["energies"]), strict=True))
    for point in found.points:
        expected = sum(columns[label][LAYERS.index(name)] for name, label in point.layers.items())
        assert point.prices["energy"] == pytest.approx(expected)
        areas = dict(zip(("ACC", "DR3"), prices["areas"], strict=True))
        assert point.prices["area"] == sum(areas[one] for one in set(point.layers.values()))
    cheapest = min(point.prices["energy"] for point in found.points)
    assert found.front[0].prices["energy"] == cheapest
    stamp = (tmp_path / "out" / "prices.json").stat().st_mtime_ns
    again = search(spec, tmp_path / "out", Machine(threads=1))  # from the store and the file alone
    assert again.as_dict() == found.as_dict()
    assert (tmp_path / "out" / "prices.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--objective", "clean"], "two or three different objectives of clean, robust, energy"),
        (["--objective", "clean", "--objective", "speed"], "speed"),
        (["--objective", "clean", "--objective", "robust"], "expected the key eps"),
        (["--eps", "0.1"], "expected the objective robust"),
        ([], "the option --liberty FILE"),
        (["--limit", "clean"], "MEASURE=MOST"),
        (["--limit", "speed=1"], "speed"),
        (["--limit", "clean=-1"], "0 or more"),
        (["--liberty", "none.lib"], "none.lib"),
        (["-m", "exact", "--objective", "clean", "--objective", "area"], "at least two"),
        (["--address", "x:1"], "--engine ray"),
        (["--rounds", "100000"], "rounds"),
    ],
    ids=itertools.count(),
)
def test_a_search_that_makes_no_sense_is_refused_in_a_sentence(options, sentence, refused):
    assert sentence in refused("search", "lenet5", *options)


def test_a_study_is_run_and_then_searched_in_one_folder(axhil, tmp_path):
    (tmp_path / "both.toml").write_text(
        'name = "both"\nnetworks = ["lenet5"]\nimages = 20\nmultipliers = ["exact", "drum(3)"]\n'
        'attacks = ["fgsm"]\nnorms = ["linf"]\n[budgets]\nlinf = [0.0, 0.1]\n'
        '[search]\nobjectives = ["clean", "robust"]\nattack = "fgsm"\neps = 0.1\nimages = 10\n'
        "rounds = 1\n"
    )
    code, out, err = axhil("study", "run", "both.toml")
    assert code == 0, err
    assert "FGSM L∞: robust accuracy" in out and "The front: lenet5" in out
    folder = tmp_path / "out" / "both"
    assert (folder / "report.html").is_file() and (folder / "front.html").is_file()
    # What the study evaluated, the search takes from the store.
    cells = CellStore(folder).cells()
    settings = [one.settings for one in cells if one.settings.multiplier in ("exact", "drum(3)")]
    assert sorted(one.images for one in settings) == [10, 10, 20, 20]


def test_a_study_file_says_what_to_search_for(refused, tmp_path):
    (tmp_path / "none.toml").write_text('name = "x"\nnetworks = ["lenet5"]\n')
    assert "expected a section [search]" in refused("search", tmp_path / "none.toml")
    (tmp_path / "two.toml").write_text(
        'name = "x"\nnetworks = ["lenet5", "vgg19"]\n[search]\nobjectives = ["clean", "area"]\n'
    )
    assert "expected one network" in refused("search", tmp_path / "two.toml")
    (tmp_path / "key.toml").write_text('name = "x"\nnetworks = ["lenet5"]\n[search]\nround = 3\n')
    assert "unknown key search.round: did you mean rounds?" in refused(
        "search", tmp_path / "key.toml"
    )
