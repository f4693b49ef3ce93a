# SPDX-License-Identifier: Apache-2.0
"""What products have of a growing pixel, against DRUM's segments by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from study_samples import cell

from axhil.hwsim import Catalogued, golden
from axhil.hwsim.multipliers import Assignment
from axhil.report.figures.staircase import (
    FINE,
    fine_curves,
    first_inputs,
    staircase_figure,
    steps_of,
    taken_for,
)
from axhil.study.storage.records import records_of
from axhil.study.subject import load_subject


@pytest.fixture(scope="module")
def prepared():
    return load_subject("lenet5").prepared


def segment(code):
    """DRUM(3): three bits from the leading one, the last of them 1."""
    shift = max(code.bit_length() - 3, 0)
    return code if shift == 0 else (code >> shift | 1) << shift


def test_codes_are_taken_for_their_segments():
    exact, drum = (taken_for(golden(Catalogued.parse(one))) for one in ("exact", "drum(3)"))
    codes = np.arange(128)
    np.testing.assert_allclose(exact[:128], codes)
    np.testing.assert_allclose(exact[128:], np.arange(-128, 0))
    expected = np.array([segment(int(code)) for code in codes], dtype=float)
    # The other operand's segments add one factor that all codes share.
    np.testing.assert_allclose(drum[1:128] / drum[1], expected[1:])
    assert drum[1] == pytest.approx(1.0, abs=0.02)


def test_a_growing_pixel_stays_on_plateaus_of_the_multiplier(prepared):
    eps = torch.linspace(0.0, 0.3, 3001)
    inputs = first_inputs(prepared, eps[:, None, None, None].expand(-1, 1, 28, 28))
    exact, drum = (
        steps_of(prepared, golden(Catalogued.parse(one)), inputs) for one in ("exact", "drum(3)")
    )
    layer = next(iter(prepared.traces))
    scale = float(prepared.quantised(layer).activation.scale)
    assert np.abs(exact - inputs.numpy() + float(inputs[0])).max() <= scale / 2 + 1e-6
    assert len(np.unique(exact)) == 1 + round(0.3 / scale)
    # Of codes 0 to 38: 0 to 7, then four a power of two.
    assert len(np.unique(drum)) == len({segment(code) for code in range(round(0.3 / scale) + 1)})
    assert np.all(np.diff(drum) >= 0)


def test_fine_curves_in_linf_are_drawn_over_their_steps(prepared):
    budgets = tuple(round(0.01 * step, 2) for step in range(FINE + 1))
    flags = ["1111"] * 12 + ["1100"] * (FINE + 1 - 12)
    words = {"ACC": "exact", "DR3": "conv1=drum(3)", "float": "conv1=float"}
    cells = [cell(*flags, label=label, budgets=budgets, attack="adaptive") for label in words]
    records = fine_curves(records_of(cells))
    assert len(records) == 3 * len(budgets)
    coarse = [cell("11", "10", budgets=(0.0, 0.1))]
    l2 = [cell(*flags, budgets=budgets, norm="l2")]
    assert fine_curves(records_of(coarse + l2)) == []
    multipliers = [replace(Assignment.parse(one), alias=label) for label, one in words.items()]
    images = torch.zeros(2, 1, 28, 28)
    figure = staircase_figure(records, prepared, multipliers, images, title="t")
    top, bottom = figure.axes
    assert len(top.lines) == 3
    assert len(bottom.lines) == 2  # a layer in float has no steps
    assert bottom.get_ylabel().startswith("change of a pixel of 0\n")
    assert top.get_xlim() == (0, 0.2)
