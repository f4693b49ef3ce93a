# SPDX-License-Identifier: Apache-2.0
"""Clean accuracy of the shipped LeNet-5 on the embedded images, and its record."""

import json

import pytest
import torch

from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, golden
from axhil.report.measurements import accuracy
from axhil.study.accuracy import measure, write_accuracy
from axhil.study.assignments import network_assignments
from axhil.study.statistics import proportion
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def subject():
    return load_subject("lenet5")


@pytest.fixture(scope="module")
def images():
    return embedded_split("evaluation")


@pytest.fixture(scope="module")
def rows(subject, images):
    return measure(subject, images, network_assignments(None), batch=250)


def test_the_shipped_network_is_as_accurate_as_it_is_said_to_be(rows, images):
    assert len(images) == 4500
    assert rows[0].name == "float"
    assert rows[0].accuracy.value >= 0.989


def test_exact_int8_is_within_0_3_points_of_float(rows):
    by_name = {row.name: row for row in rows}
    assert abs(by_name["exact"].accuracy.value - by_name["float"].accuracy.value) <= 0.003
    # And it is the same network: image by image, not only on average.
    differ = sum(
        a != b for a, b in zip(by_name["exact"].correct, by_name["float"].correct, strict=True)
    )
    assert differ <= 0.003 * len(by_name["float"].correct)


@pytest.mark.parametrize("name", [str(m) for m in PAPER_MULTIPLIERS[1:]])
def test_every_approximate_multiplier_is_within_2_points_and_not_the_exact_one(name, rows):
    by_name = {row.name: row for row in rows}
    assert abs(by_name[name].accuracy.value - by_name["float"].accuracy.value) <= 0.02
    assert by_name[name].correct != by_name["exact"].correct
    assert by_name[name].lut_sha256 == golden(Catalogued.parse(name)).sha256


def test_the_flags_are_those_of_the_network_itself(subject, images, rows):
    x, y = images.batch(slice(0, 600))
    networks = {
        "float": subject.float_model,
        "drum(3)": subject.prepared.emulate(golden(Catalogued.parse("drum(3)"))),
    }
    for row in rows:
        if row.name in networks:
            with torch.no_grad():
                right = (networks[row.name](x).argmax(1) == y).tolist()
            assert row.correct[:600] == "".join("1" if flag else "0" for flag in right)
            assert row.accuracy == proportion(row.correct.count("1"), len(images))


def test_the_batch_does_not_change_an_integer_network(subject, images, rows):
    few = images.select(90)
    for batch in (1, 7, 90):
        again = measure(subject, few, network_assignments(["drum(3)"]), batch=batch)[1]
        (whole,) = (row for row in rows if row.name == "drum(3)")
        positions = [list(images.indices).index(index) for index in few.indices]
        assert again.correct == "".join(whole.correct[position] for position in positions)


def test_progress_counts_every_image_once_per_network(subject, images):
    seen = []
    few = images.select(25)
    measure(
        subject,
        few,
        network_assignments(["exact", "drum(3)"]),
        batch=10,
        progress=lambda *told: seen.append(told),
    )
    assert seen == [
        (10, 75, "float"), (20, 75, "float"), (25, 75, "float"),
        (35, 75, "ACC"), (45, 75, "ACC"), (50, 75, "ACC"),
        (60, 75, "DR3"), (70, 75, "DR3"), (75, 75, "DR3"),
    ]  # fmt: skip


def test_the_record_says_what_was_measured_on_what(subject, images, rows, tmp_path):
    path = tmp_path / "new" / "accuracy.json"
    write_accuracy(path, subject, images, rows, batch=250, device="cpu")
    record = json.loads(path.read_text())
    assert record["network"] == "lenet5"
    assert record["weights_sha256"] == subject.weights_sha256
    assert record["calibration"] == "mnist5k[500]"
    assert record["quantisation"] == {
        "weights": "tensor",
        "activations": "percentile",
        "batch_norm": "keep",
    }
    assert record["layers"] == "all"
    assert (record["data"], record["images"]) == (images.name, 4500)
    assert record["data_sha256"] == images.sha256
    assert record["batch"] == 250
    assert record["torch"] == torch.__version__
    assert record["device"].startswith("cpu")
    assert [row["multiplier"] for row in record["rows"]] == [row.name for row in rows]
    for written, row in zip(record["rows"], rows, strict=True):
        share = written["correct"].count("1") / 4500
        assert written["accuracy"] == share == row.accuracy.value
        assert written["accuracy_low"] < share < written["accuracy_high"]
        assert written["lut_sha256"] == row.lut_sha256
        assert written["float_share"] == (row.name == "float")


def test_the_calibration_images_are_not_among_those_evaluated(images):
    calibration = embedded_split("calibration")
    assert len(calibration) == 500
    assert not set(calibration.indices.tolist()) & set(images.indices.tolist())
    evaluated = {image.tobytes() for image in images.pixels}
    assert not any(image.tobytes() in evaluated for image in calibration.pixels)


def test_the_table_on_screen_shows_percent_and_the_difference_to_float(rows):
    columns = zip(*accuracy(rows, title="a title").rows, strict=True)
    names, shares, _, differences, *_ = ([entry.text for entry in column] for column in columns)
    assert names[0] == "float32"
    assert shares == [f"{100 * row.correct.count('1') / 4500:.2f}" for row in rows]
    assert differences[0] == ""
    drum = [row.name for row in rows].index("drum(3)")
    points = (rows[drum].correct.count("1") - rows[0].correct.count("1")) / 45
    assert float(differences[drum]) == pytest.approx(points, abs=0.006)
