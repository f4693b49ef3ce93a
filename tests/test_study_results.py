# SPDX-License-Identifier: Apache-2.0
"""Results count what is finished and refuse what does not belong to them."""

import pytest
from study_samples import cell

from axhil.hwsim import Catalogued, golden
from axhil.hwsim.multipliers import Tabulated
from axhil.study.errors import StudyError
from axhil.study.results import Results


def test_evaluations_seconds_images_and_labels_are_those_of_the_cells():
    cells = (
        cell("0111", "0010", seconds=(1.0, 2.0)),
        cell("0111", "0010", "0000", budgets=(0.0, 0.5, 1.0), label="DR3", seconds=(4.0, 5.0, 8.0)),
    )
    found = Results("lenet5", "whitebox", cells, planned=6)
    assert (found.evaluations, found.finished) == (5, False)
    assert (found.seconds, found.seconds_per_evaluation) == (20.0, 4.0)
    assert (found.images, found.labels) == (4, ("ACC", "DR3"))
    assert [record.eps for record in found.records] == [0.0, 0.5, 0.0, 0.5, 1.0]
    assert Results("lenet5", "whitebox", cells, planned=5).finished


def test_before_the_first_cell_there_are_no_seconds_and_no_reference():
    found = Results("lenet5", "whitebox", (), planned=6)
    assert (found.evaluations, found.images, found.labels) == (0, 0, ())
    assert found.seconds_per_evaluation is None
    assert found.reference is None
    assert found.comparisons == ()


def test_every_point_is_compared_with_the_accurate_multipliers():
    cells = (cell("0111", "0010"), cell("0111", "1110", label="DR3", multiplier="drum(3)"))
    found = Results("lenet5", "whitebox", cells, planned=4)
    assert found.reference == "ACC"
    differences = [
        (c.record.eps, c.difference.gained, c.difference.lost) for c in found.comparisons
    ]
    assert differences == [(0.0, 0, 0), (0.5, 2, 0)]


def test_clean_is_the_point_at_eps_0_where_there_is_one():
    cells = (
        cell("0111", "0010"),
        cell("0110", "0010", label="DR3"),
        cell("0111", budgets=(0.5,), label="DR4"),
    )
    clean = Results("lenet5", "whitebox", cells, planned=9).clean
    assert {label: record.correct for label, record in clean.items()} == {
        "ACC": "0111",
        "DR3": "0110",
    }


def test_tables_that_no_cell_was_built_from_are_dropped():
    exact, drum = (
        Tabulated(name, name, golden(Catalogued.parse(name))) for name in ("exact", "drum(3)")
    )
    other = Tabulated("exact", "ACC", drum.lut)  # the name of a cell, another table
    built = cell(lut_sha256=exact.lut.sha256)
    found = Results("lenet5", "whitebox", (built,), 2, (exact, drum, other))
    assert found.tables == (exact,)


@pytest.mark.parametrize(
    ("network", "threat_model", "worst", "title", "stem"),
    [
        ("lenet5", "whitebox", False, "LeNet-5, white-box", "lenet5"),
        ("vgg19", "transfer:float", False, "VGG-19, transfer:float", "vgg19_transfer_float"),
        ("resnet50", "whitebox", True, "ResNet-50, white-box, worst iterate", "resnet50"),
        (
            "python:my.net:make/it", "whitebox", False,
            "python:my.net:make/it, white-box", "python_my.net_make_it",
        ),
    ],
)  # fmt: skip
def test_titles_are_for_people_and_stems_for_files(network, threat_model, worst, title, stem):
    one = cell(network=network, threat_model=threat_model, worst_iterate=worst)
    found = Results(network, threat_model, (one,), planned=2)
    assert (found.title, found.stem) == (title, stem)


def test_a_gradient_that_is_not_the_usual_one_is_in_the_title():
    one = cell(gradient="slope:16", worst_iterate=True)
    found = Results("lenet5", "whitebox", (one,), planned=2)
    assert found.title == "LeNet-5, white-box, gradient slope:16, worst iterate"
    assert Results("lenet5", "whitebox", (), planned=2).gradient == "float32"


@pytest.mark.parametrize(
    ("one", "planned", "match"),
    [
        (
            cell(network="vgg19"),
            2,
            "expected cells of lenet5, whitebox; got one of vgg19, whitebox",
        ),
        (cell(threat_model="transfer:float"), 2, "got one of lenet5, transfer:float"),
        (cell(), 1, "at most the 1 evaluations planned, got 2"),
    ],
    ids=["other network", "other threat model", "more than planned"],
)
def test_cells_that_do_not_belong_are_refused(one, planned, match):
    with pytest.raises(StudyError, match=match):
        Results("lenet5", "whitebox", (one,), planned)
