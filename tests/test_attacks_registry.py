# SPDX-License-Identifier: Apache-2.0
"""One spelling for an attack, there and back; and a new attack is one new file."""

import doctest
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil import attacks
from axhil.attacks import (
    AttackError,
    Norm,
    apgd,
    attack_names,
    attack_title,
    bim,
    canonical,
    fgsm,
    parse_attack,
    pgd,
    register,
    registry,
    spell,
)

NAMES = {"fgsm", "bim", "pgd", "apgd", "fab", "square", "autoattack", "adaptive"}

SPELLINGS = {
    "fgsm": fgsm(),
    "bim": bim(),
    "pgd": pgd(),
    "pgd(steps=100)": pgd(steps=100),
    "bim(rel_step=1)": bim(rel_step=1.0),
    "pgd(rel_step=0.1,random_start=false)": pgd(rel_step=0.1, random_start=False),
    "pgd(loss=margin)": pgd(loss="margin"),
    "pgd(loss=margin,restarts=10)": pgd(loss="margin", restarts=10),
    "apgd": apgd(),
    "apgd(loss=targeted_dlr)": apgd(loss="targeted_dlr"),
}


@pytest.mark.parametrize(("text", "attack"), SPELLINGS.items())
def test_a_canonical_spelling_is_the_attacks_name_and_means_it(text, attack):
    assert attack.name == text == canonical(text)
    assert parse_attack(text, "linf") == attack


@pytest.mark.parametrize(
    "text",
    [
        "apgd(loss=targeted_dlr)",
        "pgd(loss=margin,restarts=10)",
        "fab(steps=20,targets=3)",
        "square(queries=1000)",
    ],
)
def test_attacks_that_look_for_any_way_in_are_spelt_so(text):
    assert parse_attack(text, "l2").name == text == canonical(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (" pgd ( ) ", "pgd"),
        ("fgsm()", "fgsm"),
        ("pgd(steps=50,rel_step=0.1,random_start=false)", "pgd(rel_step=0.1,random_start=false)"),
        ("pgd(random_start=false, steps=7)", "pgd(steps=7,random_start=false)"),
        ("bim(rel_step=0.20)", "bim"),
        ("bim(rel_step=2e-1)", "bim"),
        ("bim(rel_step=1.0)", "bim(rel_step=1)"),
    ],
)
def test_order_spaces_defaults_and_digits_do_not_make_another_attack(text, same):
    assert canonical(text) == same


@given(st.integers(1, 10**6), st.floats(1e-12, 1e12), st.booleans())
def test_any_settings_are_read_as_they_were_printed(steps, rel_step, random_start):
    attack = pgd("l2", steps=steps, rel_step=rel_step, random_start=random_start)
    assert parse_attack(attack.name, "l2") == attack


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cw", "^unknown attack 'cw': expected one of .*fgsm, bim, pgd, "),
        ("", "^expected an attack like pgd or pgd\\(steps=100\\), got ''$"),
        ("pgd(steps=1", "^expected an attack like pgd or"),
        ("pgd(stps=1)", "^pgd: unknown argument 'stps': expected steps, rel_step, random_start, "),
        ("fgsm(steps=1)", "^fgsm: unknown argument 'steps': it takes none$"),
        ("pgd(steps)", "^pgd: expected arguments like steps=100, each once, got 'steps'$"),
        ("pgd(steps=1,steps=2)", "^pgd: expected arguments like steps=100, each once, got 'ste"),
        ("pgd(steps=1.5)", "^pgd: steps: expected a whole number, got '1.5'$"),
        ("pgd(rel_step=long)", "^pgd: rel_step: expected a number, got 'long'$"),
        ("pgd(random_start=no)", "^pgd: random_start: expected true or false, got 'no'$"),
        ("pgd(steps=0)", "^expected steps as a whole number of at least 1, got 0$"),
        ("pgd(rel_step=nan)", "^expected a finite rel_step above 0, got nan$"),
    ],
)
def test_what_is_no_attack_gets_a_sentence(text, sentence):
    with pytest.raises(AttackError, match=sentence):
        parse_attack(text)


@pytest.mark.parametrize(
    ("text", "norm", "title"),
    [
        ("fgsm", "linf", "FGSM L∞"),
        ("fgsm", "l2", "FGM L2"),
        ("pgd(steps=100)", Norm.L2, "PGD L2 (steps=100)"),
        ("elsewhere(x=1)", "linf", "elsewhere(x=1) L∞"),
    ],
)
def test_each_attack_has_a_title_for_each_norm_and_a_foreign_one_its_spelling(text, norm, title):
    assert attack_title(text, norm) == title


@pytest.fixture
def _own_register(monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))


def test_a_module_in_the_folder_is_an_attack(_own_register, monkeypatch, tmp_path):
    (tmp_path / "corner.py").write_text(
        "from .registry import register, spell\n"
        "@register('corner', title={'linf': 'Corner'})\n"
        "class Corner:\n"
        "    steps, needs_gradient = 1, False\n"
        "    def __init__(self, norm, *, dark=True, mode='all'):\n"
        "        self.norm, self.name = norm, spell('corner', dark=dark, mode=mode)\n"
    )
    monkeypatch.setattr(attacks, "__path__", [*attacks.__path__, str(tmp_path)])
    try:
        assert set(attack_names()) == {*NAMES, "corner"}
        attack = parse_attack("corner(mode=half, dark=false)", "linf")
        assert attack.name == "corner(dark=false,mode=half)"
        assert attack_title(attack.name, "linf") == "Corner L∞ (dark=false,mode=half)"
        assert attack_title("corner", "l2") == "corner L2"
    finally:
        sys.modules.pop(f"{attacks.__name__}.corner", None)


@pytest.mark.parametrize("name", ["pgd", "no word"])
def test_a_name_is_a_word_and_given_once(name, _own_register):
    with pytest.raises(AttackError, match=f"cannot register the attack '{name}': expected a word"):
        register(name, title="X")(lambda norm: None)


def test_an_argument_without_a_default_cannot_be_left_out(_own_register):
    with pytest.raises(AttackError, match="'x': expected a default of depth that is true or fal"):
        register("x", title="X")(lambda norm, depth: None)


def test_printing_knows_the_arguments():
    with pytest.raises(AttackError, match="fgsm: unknown argument 'steps'"):
        spell("fgsm", steps=1)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(registry).failed == 0
    assert doctest.testmod(registry).attempted == 3
