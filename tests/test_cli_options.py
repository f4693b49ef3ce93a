# SPDX-License-Identifier: Apache-2.0
"""The command line's choices are the packages' choices, and budgets are read as written."""

from enum import StrEnum
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil.attacks import PRESETS, Norm
from axhil.cli import options
from axhil.emulation.batchnorm import BatchNorm
from axhil.emulation.calibrate import Calibration
from axhil.emulation.convert import Settings
from axhil.emulation.quantize import Granularity
from axhil.study.errors import StudyError
from axhil.study.experiment import THREAT_MODELS

budgets = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=12)


@given(budgets)
def test_budgets_come_back_ascending_without_repeats(values):
    assert options.parse_budgets(",".join(map(repr, values))) == tuple(sorted({*values}))


@given(budgets, st.sampled_from([" , ", ",,", ", ", " ,"]))
def test_spaces_and_empty_items_do_not_matter(values, separator):
    loose = f" {separator.join(map(repr, values))},"
    assert options.parse_budgets(loose) == options.parse_budgets(",".join(map(repr, values)))


def test_minus_zero_is_zero_so_that_it_hashes_like_it():
    (zero,) = options.parse_budgets("-0.0, 0")
    assert str(zero) == "0.0"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("-1", "--eps: expected budgets of 0 or more, got -1$"),
        ("0,0.1,-0.5", "--eps: expected budgets of 0 or more, got -0.5$"),
        ("inf", "--eps: expected budgets of 0 or more, got inf$"),
        ("1e400", "--eps: expected budgets of 0 or more, got 1e400$"),
        ("nan", "--eps: expected budgets of 0 or more, got nan$"),
        ("abc", "--eps: expected numbers like 0,0.1,0.5, got 'abc'$"),
        ("0;0.1", "--eps: expected numbers like 0,0.1,0.5, got '0;0.1'$"),
        ("", "--eps: expected at least one budget"),
        (" , ", "--eps: expected at least one budget"),
    ],
)
def test_what_is_no_budget_gets_a_sentence(text, sentence):
    with pytest.raises(StudyError, match=sentence):
        options.parse_budgets(text)


@given(st.text(max_size=20))
def test_any_other_text_is_budgets_or_a_sentence(text):
    try:
        found = options.parse_budgets(text)
    except StudyError as error:
        assert str(error).startswith("--eps: expected")
    else:
        assert found == tuple(sorted(set(found)))
        assert all(0 <= eps < float("inf") for eps in found)


CHOICES = [
    (options.AttackName, PRESETS),
    (options.NormName, [norm.value for norm in Norm]),
    (options.ThreatModel, THREAT_MODELS),
    (options.Granularity, get_args(Granularity)),
    (options.Activations, get_args(Calibration)),
    (options.BatchNormChoice, get_args(BatchNorm)),
]


@pytest.mark.parametrize(("choice", "accepted"), CHOICES)
def test_the_choices_of_the_command_line_are_those_of_the_packages(choice, accepted):
    assert issubclass(choice, StrEnum)
    assert {member.value for member in choice} == set(accepted)
    assert len(accepted) >= 2


def test_every_choice_is_compared_with_its_package():
    enums = {v for v in vars(options).values() if isinstance(v, type) and issubclass(v, StrEnum)}
    # torch has no list of devices to compare with.
    assert enums - {StrEnum, options.Device} == {choice for choice, _ in CHOICES}


def test_the_command_lines_defaults_are_the_packages_defaults():
    import inspect

    from axhil.cli import network as cli_network

    for command in (cli_network.accuracy, cli_network.evaluate):
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(command).parameters.items()
        }
        assert Settings() == Settings(
            defaults["weight_scales"].value,
            defaults["activation_range"].value,
            defaults["batch_norm"].value,
        )


def test_no_choice_means_all_of_them_in_the_order_of_the_paper():
    assert options.names(None, options.AttackName) == ("fgsm", "bim", "pgd")
    assert options.names([], options.NormName) == ("linf", "l2")
    assert options.names([options.AttackName.pgd], options.AttackName) == ("pgd",)


def test_cuda_without_a_device_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert options.check_device(options.Device.cpu) == "cpu"
    with pytest.raises(StudyError, match="--device cuda: this machine has no usable CUDA device"):
        options.check_device(options.Device.cuda)
