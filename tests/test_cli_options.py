# SPDX-License-Identifier: Apache-2.0
"""The command line's choices are the packages' choices, and budgets are read as written."""

import re
from typing import get_args

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from axhil.attacks import Norm, attack_names
from axhil.cli import options
from axhil.emulation import Settings
from axhil.emulation.products.accumulator import Overflow
from axhil.emulation.quantise.batchnorm import BatchNorm
from axhil.emulation.quantise.calibrate import Calibration
from axhil.emulation.quantise.quantize import Granularity
from axhil.study.engine.run import EngineName
from axhil.study.errors import StudyError
from axhil.study.storage.cells import ThreatModel

budgets = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=12)


@given(budgets)
def test_budgets_come_back_ascending_without_repeats(values):
    assert options.parse_budgets([",".join(map(repr, values))]) == tuple(sorted({*values}))


@given(budgets, st.sampled_from([" , ", ",,", ", ", " ,"]))
def test_spaces_and_empty_items_do_not_matter(values, separator):
    loose = f" {separator.join(map(repr, values))},"
    assert options.parse_budgets([loose]) == options.parse_budgets([",".join(map(repr, values))])


def test_minus_zero_is_zero_so_that_it_hashes_like_it():
    (zero,) = options.parse_budgets(["-0.0", "0"])
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
        options.parse_budgets([text])


@given(st.text(max_size=20))
def test_any_other_text_is_budgets_or_a_sentence(text):
    try:
        found = options.parse_budgets([text])
    except StudyError as error:
        assert str(error).startswith("--eps: expected")
    else:
        assert found == tuple(sorted(set(found)))
        assert all(0 <= eps < float("inf") for eps in found)


CHOICES = {
    "norm": (options.Norms, [norm.value for norm in Norm]),
    "threat model": (options.ThreatModelOption, get_args(ThreatModel)),
    "weight scales": (options.WeightScales, get_args(Granularity)),
    "activation range": (options.ActivationRange, get_args(Calibration)),
    "batch norm": (options.BatchNormOption, get_args(BatchNorm)),
    "overflow": (options.OverflowOption, get_args(Overflow)),
    "engine": (options.EngineOption, get_args(EngineName)),
}


@pytest.mark.parametrize(("option", "accepted"), CHOICES.values(), ids=CHOICES)
def test_the_choices_of_the_command_line_are_those_of_the_packages(option, accepted):
    (found,) = option.__metadata__
    assert [found.parser(one) for one in accepted] == list(accepted)
    assert len(accepted) >= 2
    with pytest.raises(typer.BadParameter, match=f"expected one of {', '.join(accepted)}, got 'x'"):
        found.parser("x")


@pytest.mark.parametrize(("option", "accepted"), CHOICES.values(), ids=CHOICES)
def test_the_help_of_an_option_lists_its_choices(option, accepted):
    (found,) = option.__metadata__
    for one in accepted:
        assert re.search(rf"(?<![\w:]){one}(?!\w)", found.help), found.help


def test_the_help_lists_the_attacks():
    (found,) = options.Attacks.__metadata__
    assert set(attack_names()) <= set(re.findall(r"\w+", found.help))


def test_the_command_lines_defaults_are_the_packages_defaults():
    import inspect

    from axhil.cli import network as cli_network

    for command in (cli_network.accuracy, cli_network.evaluate):
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(command).parameters.items()
        }
        assert Settings() == Settings(
            defaults["weight_scales"],
            defaults["activation_range"],
            defaults["batch_norm"],
            defaults["bias_correction"],
        )


def test_cuda_without_a_device_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert options.check_device(options.Device.cpu) == "cpu"
    with pytest.raises(StudyError, match="--device cuda: this machine has no usable CUDA device"):
        options.check_device(options.Device.cuda)
