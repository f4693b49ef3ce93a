# SPDX-License-Identifier: Apache-2.0
"""Error maps show the errors, at the operands that make them, on one scale."""

import numpy as np
import pytest

from axhil.hwsim import Lut, Operands
from axhil.hwsim.multipliers import Tabulated, find
from axhil.report.figures.errors import tables_figure
from axhil.report.figures.saving import save_figure


def named(label, changes=(), *, width=4, signed=True):
    """An exact table but for {(activation, weight): product}."""
    side = 2**width
    values = np.arange(side)
    if signed:
        values[side // 2 :] -= side
    table = np.multiply.outer(values, values)
    for (activation, weight), product in dict(changes).items():
        table[activation, weight] = product  # negative operands count from the end
    return Tabulated(label, label, Lut(table, *Operands.both(width, signed)))


def panels(figure):
    return [panel for panel in figure.axes if panel.images and panel.get_title()]


def test_an_error_stands_at_its_operands_and_everything_else_is_blank():
    figure = tables_figure([named("X", {(3, -2): 0, (-8, 7): -60})])
    (panel,) = panels(figure)
    (image,) = panel.images
    data = image.get_array()
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-8.5, 7.5, -8.5, 7.5)
    assert image.origin == "lower"
    # Rows are activations upwards from -8, columns weights rightwards from -8.
    assert data[3 + 8, -2 + 8] == 6
    assert data[-8 + 8, 7 + 8] == -4
    assert data.count() == 2
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("weight", "activation")


def test_unsigned_operands_start_at_0():
    figure = tables_figure([named("X", {(15, 1): 16}, signed=False)])
    (image,) = panels(figure)[0].images
    assert image.get_extent() == [-0.5, 15.5, -0.5, 15.5]
    assert image.get_array()[15, 1] == 1


def test_all_tables_share_a_symmetric_scale_that_holds_the_largest_error():
    figure = tables_figure(
        [find(name) for name in ("exact", "drum(3)", "drum(4)", "scaletrim(4,8)")]
    )
    norms = [panel.images[0].norm for panel in panels(figure)]
    largest = max(np.abs(panel.images[0].get_array()).max() for panel in panels(figure))
    # DRUM(3) takes 128 for 160: its worst is -128 x -128, 25,600 for 16,384.
    assert {(norm.vmin, norm.vmax) for norm in norms} == {(-largest, largest)}
    assert largest == 9216


def test_titles_name_each_table_with_its_mean_and_worst_error():
    figure = tables_figure([named("X", {(2, 2): 5, (1, 1): 3}), named("Y", {(2, -2): -4 - 7})])
    titles = [panel.get_title() for panel in panels(figure)]
    # Of 16 x 16 products 31 are 0. X: 1/4 and 2/1, Y: 7/4, each over the other 225.
    assert titles == [
        f"X: MRE {100 * 2.25 / 225:.2f} %, WCE 2",
        f"Y: MRE {100 * 1.75 / 225:.2f} %, WCE 7",
    ]


def test_tables_without_errors_are_named_and_not_drawn():
    figure = tables_figure([named("ACC"), named("X", {(1, 1): 2})])
    assert [panel.get_title()[:2] for panel in panels(figure)] == ["X:"]
    assert figure.get_supxlabel() == "ACC: no errors"
    alone = tables_figure([named("ACC")])
    assert [text.get_text() for text in panels(alone)[0].texts] == ["no errors"]


def test_the_one_error_of_a_wide_table_is_not_lost():
    wide = named("X", {(1000, 1001): 0}, width=10, signed=False)
    data = panels(tables_figure([wide]))[0].images[0].get_array()
    assert data.shape == (512, 512)
    assert data[500, 500] == -1000 * 1001
    assert data.count() == 1


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 3))])
def test_panels_stand_three_across(count, shape):
    tables = [named(f"X{i}", {(1, 1): 2 + i}) for i in range(count)]
    figure = tables_figure(tables)
    assert len(panels(figure)) == count
    assert figure.axes[0].get_gridspec().get_geometry() == shape


def test_the_same_tables_give_the_same_bytes(tmp_path):
    tables = [named("X", {(1, 1): 2}), named("Y", {(1, 2): 9})]
    one, two = (
        [path.read_bytes() for path in save_figure(tables_figure(tables), tmp_path / name)]
        for name in ("one", "two")
    )
    assert one == two
    other = save_figure(tables_figure(tables[:1]), tmp_path / "other")
    assert other[0].read_bytes() != one[0]
