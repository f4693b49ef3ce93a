# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from axhil.emulation.products.definition import lut_conv2d, lut_matmul
from axhil.emulation.products.geometry import Geometry
from axhil.hwsim import Catalogued, golden

EXACT = golden(Catalogued.parse("exact")).table

GEOMETRIES = {
    "plain": Geometry(),
    "stride": Geometry(stride=(2, 3)),
    "padding": Geometry(padding=(1, 2)),
    "dilation": Geometry(dilation=(2, 1)),
    "groups": Geometry(groups=2),
    "depthwise": Geometry(padding=(1, 1), groups=4),
    "all": Geometry(stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2),
}


def codes(rng, *shape):
    return rng.integers(-127, 128, shape, dtype=np.int8)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_convolution_with_the_exact_table_is_conv2d(geometry):
    rng = np.random.default_rng(1)
    x, w = codes(rng, 2, 4, 9, 8), codes(rng, 8, 4 // geometry.groups, 3, 2)
    expected = F.conv2d(
        torch.from_numpy(x).double(),
        torch.from_numpy(w).double(),
        None,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        geometry.groups,
    )
    assert np.array_equal(lut_conv2d(x, w, EXACT, geometry), expected.numpy())


def test_matrix_product_with_the_exact_table_is_matmul():
    rng = np.random.default_rng(2)
    x, w = codes(rng, 5, 70), codes(rng, 6, 70)
    expected = x.astype(np.int64) @ w.astype(np.int64).T
    assert np.array_equal(lut_matmul(x, w, EXACT), expected)


def test_the_row_is_the_activation_and_the_column_the_weight():
    table = np.zeros((256, 256), np.int32)
    table[3, 256 - 5] = 1  # activation 3, weight -5
    x, w = np.array([[3, -5, 3]], np.int8), np.array([[-5, 3, 3]], np.int8)
    assert lut_matmul(x, w, table).tolist() == [[1]]


def test_zero_padding_goes_through_the_multiplier():
    table = np.zeros((256, 256), np.int32)
    table[0, 7] = 100  # a multiplier with 0 x 7 = 100
    x, w = np.ones((1, 1, 1, 1), np.int8), np.full((1, 1, 3, 3), 7, np.int8)
    assert lut_conv2d(x, w, table, Geometry(padding=(1, 1))).tolist() == [[[[800]]]]
