# SPDX-License-Identifier: Apache-2.0
"""Which multipliers may stand in a network, and what is said where one may not."""

import re

import numpy as np
import pytest

from axhil.hwsim import PAPER_MULTIPLIERS, HwsimError, golden
from axhil.study.assignments import distinct, network_assignments

HEADER = "(input {0}[{1}:0] a, b, output {0}[{2}:0] p); assign p = a * b; endmodule\n"


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Unsigned, unsigned by name, and too wide."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "u.v").write_text("module u " + HEADER.format("", 7, 15))
    (tmp_path / "mul8u_X.v").write_text("module mul8u_X " + HEADER.format("", 7, 15))
    (tmp_path / "wide.v").write_text("module wide " + HEADER.format("signed ", 16, 33))
    return tmp_path


def test_without_words_there_are_the_papers_seven_from_the_golden_tables():
    found = network_assignments(None)
    assert [one.name for one in found] == [str(one) for one in PAPER_MULTIPLIERS]
    assert [one.label for one in found] == [
        "ACC", "DR3", "DR4", "sT(3,0)", "sT(4,0)", "sT(4,4)", "sT(4,8)",
    ]  # fmt: skip
    assert [one.digest for one in found] == [golden(one).sha256 for one in PAPER_MULTIPLIERS]


def test_a_multiplier_of_several_assignments_is_made_once():
    found = network_assignments(["exact", "conv*=exact,fc*=drum(4)", "fc*=drum(4),conv1=exact"])
    assert [one.name for one in distinct(found)] == ["exact", "drum(4)"]


REFUSED = {
    "undeclared": (
        "u.v",
        r"u \(u\.v\): the Verilog does not declare .*, or u\.v\[wrap\] to put an",
    ),
    "too wide": ("wide.v", r"wide\.v: networks are quantised to .* its operands are signed 17-bit"),
}


@pytest.mark.sim
@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_operands_that_networks_do_not_have_are_one_sentence(there, text, sentence):
    with pytest.raises(HwsimError, match=sentence) as refusal:
        network_assignments([text])
    assert "\n" not in str(refusal.value)


@pytest.mark.sim
def test_an_unsigned_core_is_wrapped_on_request_and_says_so(there):
    (found,) = network_assignments(["u.v[wrap]"])
    lut = found.mapping()
    np.testing.assert_array_equal(lut.table, golden(PAPER_MULTIPLIERS[0]).table)
    (note,) = found.notes
    assert re.match(r"u\.v\[wrap\] in a sign-magnitude wrapper, as requested: simulated in", note)
