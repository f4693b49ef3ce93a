# SPDX-License-Identifier: Apache-2.0
"""Every path against the definition, on tables no multiplier would have."""

import numpy as np
import pytest
import torch

from axhil.emulation import native
from axhil.emulation.definition import lut_conv2d
from axhil.emulation.factorise import Term, factorise
from axhil.emulation.geometry import Geometry
from axhil.emulation.paths import (
    DefinitionPath,
    FactorisedPath,
    GatherPath,
    product_kernel,
    table_kernel,
)
from axhil.emulation.rowsums import RowSumPath
from axhil.hwsim import Catalogued, Lut, golden

PATHS = [DefinitionPath, GatherPath, RowSumPath, *([table_kernel] if native.available() else [])]

GEOMETRIES = {
    "1x1": ((1, 1), Geometry()),
    "1x1 grouped": ((1, 1), Geometry(groups=2)),
    "3x3": ((3, 3), Geometry()),
    "padding": ((3, 3), Geometry(padding=(1, 1))),
    "1x1 padding": ((1, 1), Geometry(padding=(1, 0))),
    "stride": ((2, 3), Geometry(stride=(2, 3), padding=(0, 1))),
    "dilation": ((3, 2), Geometry(dilation=(2, 3), padding=(2, 1))),
    "groups": ((3, 3), Geometry(padding=(1, 1), groups=2)),
    "depthwise": ((3, 3), Geometry(padding=(1, 2), groups=4)),
}


def random_table(seed):
    """Full rank, asymmetric, with lut[0, 0] and lut[0, w] other than 0."""
    table = np.random.default_rng(seed).integers(-(2**15), 2**15, (256, 256))
    assert table[0, 0] != 0
    return Lut(table, width=8, signed=True)


def separable_table(seed):
    rng = np.random.default_rng(seed)
    u, v = rng.integers(-99, 100, 256), rng.integers(-99, 100, 256)
    u[0], v[0] = 5, -3
    return Lut(np.outer(u, v), width=8, signed=True)


def operands(kernel, geometry, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(-127, 128, (3, 4, 9, 8), dtype=np.int8)
    w = rng.integers(-127, 128, (8, 4 // geometry.groups, *kernel), dtype=np.int8)
    return x, w


@pytest.mark.parametrize(("kernel", "geometry"), GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("path", PATHS)
def test_a_path_equals_the_definition_on_a_random_table(path, kernel, geometry):
    lut = random_table(3)
    x, w = operands(kernel, geometry)
    acc = path(lut, torch.from_numpy(w), geometry).accumulate(torch.from_numpy(x).float())
    assert acc.dtype == torch.int32
    assert np.array_equal(acc.numpy(), lut_conv2d(x, w, lut.table, geometry))


@pytest.mark.parametrize(("kernel", "geometry"), GEOMETRIES.values(), ids=GEOMETRIES)
def test_the_factorised_path_equals_the_definition_on_a_separable_table(kernel, geometry):
    lut = separable_table(4)
    x, w = operands(kernel, geometry)
    path = FactorisedPath(factorise(lut.table), torch.from_numpy(w), geometry, width=8)
    acc = path.accumulate(torch.from_numpy(x).float())
    assert np.array_equal(acc.numpy(), lut_conv2d(x, w, lut.table, geometry))


@pytest.mark.skipif(not native.available(), reason="the native kernel is not built")
@pytest.mark.parametrize(("kernel", "geometry"), GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("name", ["exact", "drum(3)", "random"])
def test_the_product_kernel_equals_the_definition_on_a_separable_table(name, kernel, geometry):
    lut = separable_table(8) if name == "random" else golden(Catalogued.parse(name))
    (term,) = factorise(lut.table)
    x, w = operands(kernel, geometry)
    path = product_kernel(term, torch.from_numpy(w), geometry, width=8)
    acc = path.accumulate(torch.from_numpy(x).float())
    assert np.array_equal(acc.numpy(), lut_conv2d(x, w, lut.table, geometry))


def test_factors_beyond_8_bits_have_no_product_kernel():
    _, w = operands((1, 1), Geometry())
    term = Term(np.arange(256), np.ones(256, np.int64))
    assert product_kernel(term, torch.from_numpy(w), Geometry(), width=8) is None


def test_row_sums_stay_exact_when_a_sum_would_leave_float32():
    table = np.full((256, 256), 2**20 + 1)
    lut = Lut(table, width=8, signed=True)
    x = np.ones((2, 50, 1, 1), np.int8)
    w = np.ones((3, 50, 1, 1), np.int8)
    path = RowSumPath(lut, torch.from_numpy(w), Geometry())
    acc = path.accumulate(torch.from_numpy(x).float())
    assert (acc == 50 * (2**20 + 1)).all()


@pytest.mark.parametrize("windows", [1, 40])
def test_row_sums_of_a_layer_too_large_to_keep_are_made_or_gathered(windows):
    lut = random_table(9)
    rng = np.random.default_rng(9)
    x = rng.integers(-127, 128, (windows, 600, 6, 6), dtype=np.int8)
    w = rng.integers(-127, 128, (128, 600, 1, 1), dtype=np.int8)
    path = RowSumPath(lut, torch.from_numpy(w), Geometry())
    assert not path._keeps
    part = torch.from_numpy(x).float()
    acc = path.accumulate(part)
    gathered = GatherPath(lut, torch.from_numpy(w), Geometry()).accumulate(part[:1])
    assert torch.equal(acc[:1], gathered)


def test_two_separable_terms_are_summed():
    first, second = separable_table(5).table, separable_table(6).table
    lut = Lut(first + second, width=8, signed=True)
    # Given rather than searched: the search need not find every sum of two terms.
    terms = factorise(first) + factorise(second)
    x, w = operands((3, 3), Geometry())
    path = FactorisedPath(terms, torch.from_numpy(w), Geometry(), width=8)
    acc = path.accumulate(torch.from_numpy(x).float())
    assert np.array_equal(acc.numpy(), lut_conv2d(x, w, lut.table, Geometry()))


def test_above_the_float32_bound_the_factorised_path_stays_exact():
    lut = golden(Catalogued.parse("exact"))
    x = np.full((1, 2001, 1, 1), 127, np.int8)
    x[0, 0] = 1  # an odd sum, which float32 could not hold: 2000 * 127^2 + 127 > 2^24
    w = np.full((1, 2001, 1, 1), 127, np.int8)
    path = FactorisedPath(factorise(lut.table), torch.from_numpy(w), Geometry(), width=8)
    assert path.bound >= 2**24
    assert path.accumulate(torch.from_numpy(x).float()).item() == 2000 * 127**2 + 127


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_lowered_float32_precision_does_not_reach_the_products(precision):
    lut = golden(Catalogued.parse("exact"))
    geometry = Geometry(padding=(1, 1))
    x, w = operands((3, 3), geometry)
    path = FactorisedPath(factorise(lut.table), torch.from_numpy(w), geometry, width=8)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        acc = path.accumulate(torch.from_numpy(x).float())
    finally:
        torch.set_float32_matmul_precision(before)
    assert np.array_equal(acc.numpy(), lut_conv2d(x, w, lut.table, geometry))
