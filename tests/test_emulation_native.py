# SPDX-License-Identifier: Apache-2.0
"""The native kernels against a NumPy oracle that knows nothing of tiles, planes or threads."""

import copy
import itertools
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axhil.emulation import native
from axhil.emulation.errors import EmulationError
from axhil.emulation.native import LutKernel, ProductKernel

pytestmark = pytest.mark.skipif(
    not native.available(),
    reason="the extension is optional; without a compiler there is nothing to compare",
)
ISAS = native.supported_isas()


def oracle(table, x, w, *, width=8, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """acc = sum over taps of table[x, w], padding included, in int64."""
    mask, (outputs, C, kh, kw) = (1 << width) - 1, w.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)).astype(int) & mask
    OH = (x.shape[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    OW = (x.shape[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    acc = np.zeros((len(x), outputs, OH, OW), np.int64)
    for m, c, i, j in itertools.product(*map(range, w.shape)):
        top, left = i * dilation[0], j * dilation[1]
        taps = x[
            :,
            m // (outputs // groups) * C + c,
            top : top + OH * stride[0] : stride[0],
            left : left + OW * stride[1] : stride[1],
        ]
        acc[:, m] += table[taps, int(w[m, c, i, j]) & mask]
    return acc  # fmt: skip


@pytest.fixture(params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("AXHIL_ISA", request.param)
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def random_table(rng, magnitude, width=8, low=None):
    size = 1 << width
    return rng.integers(-magnitude if low is None else low, magnitude, (size, size), dtype=np.int32)


def random_codes(rng, shape, *, width=8, signed=True, least=None):
    low, high = (-(1 << width - 1), 1 << width - 1) if signed else (0, 1 << width)
    values = rng.integers(low if least is None else least, high, shape)
    return values.astype(np.int8 if signed else np.uint8)


def check(table, x, w, *, threads=1, signed=True, **geometry):
    kernel = LutKernel(table, w, signed=signed, **geometry)
    expected = oracle(table, x, w, **geometry)
    np.testing.assert_array_equal(kernel.accumulate(x, threads=threads), expected)


@pytest.mark.parametrize("batch", [1, 2, 47, 48, 64, 65, 130])
@pytest.mark.parametrize("least", [0, None], ids=["non-negative", "mixed signs"])
def test_every_batch_size_gives_the_oracles_sums(isa, rng, batch, least):
    table = random_table(rng, 16384)
    x = random_codes(rng, (batch, 5, 7, 6), least=least)
    check(table, x, random_codes(rng, (9, 5, 3, 3)), padding=(1, 1))


@pytest.mark.parametrize("kernel", [(1, 1), (1, 2), (2, 2)])
def test_padded_images_of_one_pixel_give_the_oracles_sums(isa, rng, kernel):
    x = random_codes(rng, (70, 3, 1, 1))
    check(random_table(rng, 100), x, random_codes(rng, (5, 3, *kernel)), padding=(1, 2))


@pytest.mark.parametrize("width", range(2, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_every_width_and_signedness_gives_the_oracles_sums(isa, rng, width, signed):
    table = random_table(rng, 65025, width, low=None if signed else 0)
    x = random_codes(rng, (50, 3, 5, 5), width=width, signed=signed)
    w = random_codes(rng, (4, 3, 3, 2), width=width, signed=signed)
    check(table, x, w, width=width, signed=signed, padding=(2, 1))


@pytest.mark.parametrize(
    "magnitude", [1, 2, 15, 64, 127, 128, 300, 2000, 4096, 8192, 16384, 32768, 65536, 2**20, 2**24]
)
def test_every_range_of_products_gives_the_oracles_sums(isa, rng, magnitude):
    # From byte sums of many taps to the wide path.
    table = random_table(rng, magnitude)
    for least in (0, None):
        x = random_codes(rng, (64, 13, 4, 4), least=least)
        check(table, x, random_codes(rng, (6, 13, 3, 3)), padding=(1, 1))


def test_columns_of_all_ranges_in_one_channel_give_the_oracles_sums(isa, rng):
    scale = 2.0 ** rng.uniform(0, 19, 256)
    table = np.rint(rng.uniform(-1, 1, (256, 256)) * scale).astype(np.int32)
    table[:, rng.integers(0, 256, 80)] = 77
    x = random_codes(rng, (64, 40, 3, 3))
    check(table, x, random_codes(rng, (7, 40, 2, 2)))
    check(table, np.abs(x // 2), random_codes(rng, (7, 40, 2, 2)))


def test_byte_sums_at_their_limit_do_not_overflow(isa):
    # Every look-up gives the largest value its column can have, in every column span.
    for span in (1, 31, 32, 63, 127, 128, 255, 256, 1023, 4096, 8160, 16383, 16384, 32767, 65535):
        table = np.zeros((256, 256), np.int32)
        table[1:] = span
        x = np.ones((64, 300, 1, 1), np.int8)
        x[::2] = -1
        w = np.arange(2 * 300).reshape(2, 300, 1, 1).astype(np.uint8).view(np.int8)
        for codes in (x, np.abs(x)):
            assert (LutKernel(table, w).accumulate(codes) == 300 * span).all()


@pytest.mark.parametrize("way", ["listed", "dense", "windows", "by channel"])
@pytest.mark.parametrize("span", [32767, 32768, 65535])
def test_two_rows_at_their_limit_do_not_overflow(isa, rng, way, span):
    # Products are the least or the most there is; those of -128 lie beyond, where it occurs or not.
    table = rng.integers(0, 2, (256, 256)) * span
    table[128] = -span
    shape, outputs, kernel = {
        "listed": ((2, 40, 32, 32), 33, 1),
        "dense": ((2, 40, 32, 32), 33, 1),
        "windows": ((2, 3, 32, 32), 33, 3),
        "by channel": ((32, 40, 1, 1), 1025, 1),
    }[way]
    w = random_codes(rng, (outputs, shape[1], kernel, kernel))
    for least in (0, -127, -128):
        x = random_codes(rng, shape, least=least)
        if way == "listed":
            x[rng.random(shape) < 0.5] = 0
        check(table.astype(np.int32), x, w)


@pytest.mark.parametrize("K", [1, 127, 128, 129, 257, 20_000])
def test_long_sums_give_the_oracles_sums(isa, rng, K):
    table = random_table(rng, 65025, low=-16384)
    for batch, least in ((3, 0), (64, None)):
        x = random_codes(rng, (batch, K, 1, 1), least=least)
        w = random_codes(rng, (3, K, 1, 1))
        got = LutKernel(table, w).accumulate(x)
        expected = table[
            x[:, None, :, 0, 0].astype(int) & 255, w[None, :, :, 0, 0].astype(int) & 255
        ]
        np.testing.assert_array_equal(got[:, :, 0, 0], expected.sum(-1))


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("batch", [3, 64])
def test_groups_give_the_oracles_sums(isa, rng, groups, batch):
    table = random_table(rng, 16384)
    x = random_codes(rng, (batch, 6, 6, 5))
    check(table, x, random_codes(rng, (12, 6 // groups, 3, 3)), padding=(1, 1), groups=groups)


def test_more_outputs_than_a_tile_holds_give_the_oracles_sums(isa, rng):
    table = random_table(rng, 16384)
    check(table, random_codes(rng, (64, 2, 11, 7), least=0), random_codes(rng, (150, 2, 1, 1)))
    check(table, random_codes(rng, (5, 2, 31, 17)), random_codes(rng, (70, 2, 1, 1)))


# Outputs of 12 MiB and more of full batches are written past the caches, where a cache line is
# written whole: with every tile full, with a last tile of 16 positions, with a channel in one tile,
# with several channels in a line, and with 6 images more than a vector holds. Where rows (7x7) or
# the output start within a line, lines are written as usual.
@pytest.mark.parametrize(
    "shape",
    [(64, 48, 32), (64, 128, 20), (64, 768, 8), (64, 3072, 4), (64, 12288, 2), (63, 1040, 7),
     (70, 64, 28)],
)  # fmt: skip
@pytest.mark.parametrize("shift", [0, 1, 16], ids=["aligned", "4 bytes off", "a line further"])
def test_large_outputs_are_the_oracles_sums_and_nothing_beside_them_is_written(
    isa, rng, shape, shift
):
    batch, outputs, size = shape
    table = random_table(rng, 16384)
    x = random_codes(rng, (batch, 1, size, size), least=0)
    w = random_codes(rng, (outputs, 1, 1, 1))
    # One tap: sums are products. (O, N, H, W) -> (N, O, H, W)
    expected = table[:, w.ravel().view(np.uint8)].T[:, x[:, 0]].swapaxes(0, 1)
    memory = np.full(expected.size + 64, 77, np.int32)
    start = -memory.ctypes.data % 64 // 4 + shift
    out = memory[start : start + expected.size].reshape(expected.shape)
    LutKernel(table, w).accumulate(x, threads=2, out=out)
    assert np.array_equal(out, expected)
    assert (memory[:start] == 77).all()
    assert (memory[start + expected.size :] == 77).all()


def test_zero_padding_goes_through_the_multiplier(isa):
    table = np.zeros((256, 256), np.int32)
    table[0, 3] = 1000
    x = np.ones((64, 1, 1, 1), np.int8)
    w = np.full((1, 1, 3, 3), 3, np.int8)
    assert (LutKernel(table, w, padding=1).accumulate(x) == 8 * 1000).all()
    assert (LutKernel(table, w, padding=1).accumulate(x[:1]) == 8 * 1000).all()


def test_padding_of_vectors_contributes_nothing(isa):
    table = np.full((256, 256), 123, np.int32)
    table[0, 0] = 9999
    x = np.ones((1, 5, 1, 3), np.int8)
    w = np.ones((3, 5, 1, 1), np.int8)
    assert (LutKernel(table, w).accumulate(x) == 5 * 123).all()


def test_row_is_the_activation_and_column_the_weight(isa):
    table = np.zeros((256, 256), np.int32)
    table[0xFE, 0x05] = 1  # -2 as activation, 5 as weight
    x = np.full((1, 1, 1, 1), -2, np.int8)
    assert LutKernel(table, np.full((1, 1, 1, 1), 5)).accumulate(x).item() == 1
    assert LutKernel(table, np.full((1, 1, 1, 1), -2)).accumulate(-x * 5 // 2).item() == 0


def check_product(rng, x, w, *, width=8, signed=True, threads=1, factors=None, **geometry):
    size = 1 << width
    u, v = factors or (rng.integers(-128, 128, size), rng.integers(-128, 128, size))
    kernel = ProductKernel(u, v, w, width=width, signed=signed, **geometry)
    expected = oracle(np.outer(u, v), x, w, width=width, **geometry)
    np.testing.assert_array_equal(kernel.accumulate(x, threads=threads), expected)


@pytest.mark.parametrize("batch", [1, 2, 47, 48, 64, 65, 130])
@pytest.mark.parametrize("channels", [1, 3, 4, 6, 9])
def test_products_of_every_batch_size_are_the_oracles(isa, rng, batch, channels):
    x = random_codes(rng, (batch, channels, 5, 6))
    check_product(rng, x, random_codes(rng, (9, channels, 3, 2)), padding=(1, 1))


@pytest.mark.parametrize("width", range(2, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_products_of_every_width_are_the_oracles(isa, rng, width, signed):
    x = random_codes(rng, (50, 3, 3, 3), width=width, signed=signed)
    w = random_codes(rng, (4, 3, 2, 2), width=width, signed=signed)
    check_product(rng, x, w, width=width, signed=signed, padding=(2, 1))


@pytest.mark.parametrize("u", [-128, -1, 0, 127, 255])
@pytest.mark.parametrize("v", [-128, 127])
def test_products_at_their_limits_do_not_saturate(isa, u, v):
    factors = np.full(256, u), np.full(256, v)
    x, w = np.ones((64, 20_000, 1, 1), np.int8), np.ones((3, 20_000, 1, 1), np.int8)
    assert (ProductKernel(*factors, w).accumulate(x) == 20_000 * u * v).all()


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_products_with_groups_strides_and_dilation_are_the_oracles(isa, rng, groups):
    for batch in (3, 64):
        x = random_codes(rng, (batch, 12, 9, 8))
        w = random_codes(rng, (12, 12 // groups, 3, 2))
        check_product(rng, x, w, groups=groups, stride=(2, 1), dilation=(1, 3), padding=(0, 2),
                      threads=2)  # fmt: skip


def test_products_with_an_unsigned_factor_are_the_oracles(isa, rng):
    factors = rng.integers(0, 256, 256), rng.integers(-128, 128, 256)
    x, w = random_codes(rng, (64, 7, 4, 4)), random_codes(rng, (5, 7, 3, 3))
    check_product(rng, x, w, padding=(1, 1), factors=factors)


def test_both_kernels_agree_in_forward(isa, rng):
    u, v = rng.integers(-127, 128, 256), rng.integers(-127, 128, 256)
    w = random_codes(rng, (70, 10, 3, 3))
    x = rng.normal(0, 1, (70, 10, 5, 5)).astype(np.float32)
    arguments = {
        "inv_scale": 50.0,
        "qmin": -127,
        "qmax": 127,
        "relu": True,
        "threads": 2,
        "out_scale": np.full(70, 1e-3, np.float32),
        "bias": np.ones(70, np.float32),
    }
    a = LutKernel(np.outer(u, v), w, padding=1).forward(x, **arguments)
    b = ProductKernel(u, v, w, padding=1).forward(x, **arguments)
    np.testing.assert_array_equal(a, b)  # fmt: skip


def test_wrong_factors_get_a_sentence():
    good, w = np.zeros(256, int), np.zeros((1, 1, 1, 1), int)
    for u, v, sentence in [
        (good[:16], good, "u as 256 integers for width 8"),
        (good, good * 0.5, "v as 256 integers for width 8; got float64"),
        (good - 129, good, r"u in \[-128, 127\] or \[0, 255\]; got \[-129, -129\]"),
        (good, good + 128, r"v in \[-128, 127\]; got \[128, 128\]"),
    ]:
        with pytest.raises(EmulationError, match=sentence):
            ProductKernel(u, v, w)


def test_product_kernels_are_pickled_by_their_arguments(rng):
    factors = rng.integers(-9, 9, (2, 16))
    kernel = ProductKernel(*factors, random_codes(rng, (4, 2, 3, 3), width=4), width=4, padding=1)
    x = random_codes(rng, (2, 2, 5, 5), width=4)
    again = pickle.loads(pickle.dumps(kernel))
    np.testing.assert_array_equal(again.accumulate(x), kernel.accumulate(x))
    assert copy.deepcopy(kernel) is kernel


geometries = st.fixed_dictionaries(
    {
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.tuples(st.integers(0, 3), st.integers(0, 3)),
        "dilation": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "groups": st.integers(1, 3),
    }
)


@settings(max_examples=120, deadline=None)
@given(
    geometry=geometries,
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    channels=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    extra=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    batch=st.sampled_from([1, 2, 31, 48, 64, 70]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(ISAS),
)
def test_any_geometry_gives_the_oracles_sums(
    *, geometry, kernel, channels, extra, batch, threads, seed, name
):
    rng = np.random.default_rng(seed)
    groups, dilation = geometry["groups"], geometry["dilation"]
    size = [
        max(1, d * (k - 1) + 1 - 2 * p + e)
        for d, k, p, e in zip(dilation, kernel, geometry["padding"], extra, strict=True)
    ]
    x = random_codes(rng, (batch, groups * channels[0], *size))
    w = random_codes(rng, (groups * channels[1], channels[0], *kernel))
    table = random_table(rng, int(2 ** rng.uniform(1, 18)))
    before = os.environ.get("AXHIL_ISA")
    os.environ["AXHIL_ISA"] = name
    try:
        check(table, x, w, threads=threads, **geometry)
    finally:
        del os.environ["AXHIL_ISA"]
        if before is not None:
            os.environ["AXHIL_ISA"] = before  # fmt: skip


def ties(rng, shape, inv_scale):
    """Random values, exact ties, infinities, values far beyond the clamp."""
    x = rng.normal(0, 60, shape).astype(np.float32)
    flat = x.reshape(-1)
    flat[::3] = np.rint(flat[::3]) + np.float32(0.5)
    flat[::7] = rng.choice(
        np.float32(
            [
                -127.5,
                -128.5,
                126.5,
                127.5,
                0.5,
                -0.5,
                1.5,
                0.0,
                -0.0,
                1e9,
                -1e9,
                3e38,
                np.inf,
                -np.inf,
            ]
        ),
        len(flat[::7]),
    )
    with np.errstate(over="ignore"):
        return (x / np.float32(inv_scale)).astype(np.float32)  # fmt: skip


@pytest.mark.parametrize("batch", [3, 64, 70])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("qmin", "qmax"), [(-127, 127), (-128, 127), (0, 127)])
def test_forward_is_numpys_to_the_last_bit(isa, rng, *, batch, relu, qmin, qmax):
    inv_scale = np.float32(0.25)
    x = ties(rng, (batch, 3, 6, 5), inv_scale)
    w, table = random_codes(rng, (20, 3, 3, 3)), random_table(rng, 16384)
    scale = rng.uniform(1e-4, 1e-2, 20).astype(np.float32)
    bias = rng.normal(0, 30, 20).astype(np.float32)

    rounded = np.rint(x * inv_scale)
    codes = np.clip(rounded, qmin, qmax).astype(np.int8)
    acc = oracle(table, codes, w, padding=(1, 1)).astype(np.int32)
    expected = acc.astype(np.float32) * scale[:, None, None] + bias[:, None, None]
    expected = np.maximum(expected, np.float32(0)) if relu else expected

    mask = np.full(x.shape, 9, np.uint8)
    out = np.empty_like(expected)
    kernel = LutKernel(table, w, padding=(1, 1))
    got = kernel.forward(x, inv_scale=inv_scale, qmin=qmin, qmax=qmax, out_scale=scale, bias=bias,
                         relu=relu, mask=mask, out=out, threads=2)  # fmt: skip
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(mask, (rounded >= qmin) & (rounded <= qmax))


def test_torch_tensors_go_in_and_out_without_a_copy(isa, rng):
    torch = pytest.importorskip("torch")
    table, w = random_table(rng, 100), random_codes(rng, (4, 2, 1, 1))
    x, out = torch.randn(5, 2, 3, 3), torch.empty(5, 4, 3, 3)
    one, zero = torch.ones(4), torch.zeros(4)
    kernel = LutKernel(table, torch.from_numpy(w))
    arguments = {"inv_scale": 40.0, "qmin": -127, "qmax": 127, "out_scale": one, "bias": zero}
    expected = kernel.forward(x.numpy(), **arguments)
    got = kernel.forward(x, out=out, **arguments)
    assert got.ctypes.data == out.data_ptr()
    np.testing.assert_array_equal(out.numpy(), expected)
    # Not contiguous: copied, not misread.
    across = x.transpose(2, 3)
    np.testing.assert_array_equal(
        kernel.forward(across, **arguments), kernel.forward(across.contiguous(), **arguments)
    )


def test_the_result_does_not_depend_on_threads(isa, rng):
    table, w = random_table(rng, 16384), random_codes(rng, (40, 16, 3, 3))
    x = random_codes(rng, (130, 16, 8, 8))
    kernel = LutKernel(table, w, padding=1)
    one = kernel.accumulate(x, threads=1)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(kernel.accumulate(x, threads=threads), one)


def test_concurrent_calls_of_one_kernel_agree(rng):
    kernel = LutKernel(random_table(rng, 16384), random_codes(rng, (32, 16, 3, 3)), padding=1)
    batches = [random_codes(rng, (64, 16, 6, 6), least=0 if i % 2 else None) for i in range(6)]
    expected = [LutKernel(kernel.table, kernel.weight_codes, padding=1).accumulate(b)
                for b in batches]  # fmt: skip
    got = [None] * 6

    def call(i):
        got[i] = kernel.accumulate(batches[i], threads=2)

    workers = [threading.Thread(target=call, args=(i,)) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for have, want in zip(got, expected, strict=True):
        np.testing.assert_array_equal(have, want)


def test_other_python_threads_run_while_the_kernel_does(monkeypatch, rng):
    monkeypatch.setenv("AXHIL_ISA", "scalar")
    kernel = LutKernel(random_table(rng, 100), random_codes(rng, (64, 128, 3, 3)), padding=1)
    x = random_codes(rng, (64, 128, 32, 32))
    times = []

    def call():
        start = time.monotonic()
        kernel.accumulate(x)
        times.extend((start, time.monotonic()))

    worker = threading.Thread(target=call)
    worker.start()
    ticks = []
    while worker.is_alive():
        ticks.append(time.monotonic())
        time.sleep(0.001)
    worker.join()
    # Strictly inside the call, away from both ends: with the GIL held there would be none.
    start, end = times
    margin = 0.2 * (end - start)
    assert sum(start + margin < t < end - margin for t in ticks) >= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_computes_with_threads_of_its_own(rng):
    code = """
import os, numpy as np
from axhil.emulation.native import LutKernel, ProductKernel
rng = np.random.default_rng(0)
kernel = LutKernel(rng.integers(-9, 9, (256, 256)), rng.integers(-9, 9, (64, 32, 3, 3)))
x = rng.integers(-9, 9, (64, 32, 8, 8)).astype(np.int8)
expected = kernel.accumulate(x, threads=2)
child = os.fork()
if child == 0:
    os._exit(0 if (kernel.accumulate(x, threads=2) == expected).all() else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_kernels_are_pickled_by_their_arguments(isa, rng):
    kernel = LutKernel(random_table(rng, 500, 5), random_codes(rng, (4, 2, 3, 3), width=5), width=5,
                       stride=2, padding=(1, 0), dilation=2, groups=2)  # fmt: skip
    x = random_codes(rng, (2, 4, 9, 9), width=5)
    again = pickle.loads(pickle.dumps(kernel))
    np.testing.assert_array_equal(again.accumulate(x), kernel.accumulate(x))
    assert copy.deepcopy(kernel) is kernel


def run_with_isa(value):
    code = "from axhil.emulation import native; print(native.isa())"
    environment = {**os.environ, "AXHIL_ISA": value}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False,
                          capture_output=True, text=True, timeout=60)  # fmt: skip


def test_the_environment_forces_an_instruction_set():
    result = run_with_isa("scalar")
    assert (result.returncode, result.stdout.strip()) == (0, "scalar"), result.stderr


def test_an_unknown_instruction_set_gets_a_sentence_naming_the_known():
    result = run_with_isa("sse9")
    assert result.returncode != 0
    assert "avx512vbmi, avx2, neon, scalar; got 'sse9'" in result.stderr


def test_an_instruction_set_this_cpu_lacks_gets_a_sentence(monkeypatch):
    monkeypatch.setattr("axhil.emulation.native.extension.supported_isas", lambda: ("scalar",))
    monkeypatch.setenv("AXHIL_ISA", "avx2")
    with pytest.raises(EmulationError, match=r"AXHIL_ISA=avx2 is not supported here.*scalar"):
        native.isa()


def test_without_the_extension_the_reason_is_kept_and_a_kernel_says_it(monkeypatch):
    monkeypatch.setattr("axhil.emulation.native.extension._native", None)
    monkeypatch.setattr("axhil.emulation.native.extension._REASON", "nothing was compiled")
    assert not native.available()
    assert native.unavailable_reason() == "nothing was compiled"
    with pytest.raises(EmulationError, match="nothing was compiled; install axhil where a C"):
        LutKernel(np.zeros((256, 256), int), np.zeros((1, 1, 1, 1), int))


TABLE = np.zeros((256, 256), np.int32)
WEIGHTS = np.zeros((4, 2, 3, 3), np.int8)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((TABLE[:5], WEIGHTS), {}, r"a table of \(256, 256\) integers for width 8"),
        ((TABLE * 0.5, WEIGHTS), {}, "integers for width 8; got float64"),
        ((TABLE, WEIGHTS[0]), {}, r"\(O, C // groups, kh, kw\) array of integers"),
        ((TABLE, WEIGHTS * 1.0), {}, "array of integers; got float64"),
        ((TABLE, WEIGHTS[:0]), {}, "non-empty"),
        ((TABLE, WEIGHTS.astype(int) + 200), {}, r"weight codes in \[-128, 127\]"),
        ((TABLE[:16, :16], WEIGHTS + 8), {"width": 4}, r"weight codes in \[-8, 7\]"),
        ((TABLE, WEIGHTS), {"width": 9}, "a width of 2 to 8 bits; got 9"),
        ((TABLE, WEIGHTS), {"groups": 3}, "groups to divide the 4 output channels; got 3"),
        ((TABLE, WEIGHTS), {"stride": 0}, "stride as two integers of at least 1"),
        ((TABLE, WEIGHTS), {"padding": (-1, 0)}, "padding as two integers of at least 0"),
        ((TABLE, WEIGHTS), {"dilation": (1, 1, 1)}, "dilation as two integers"),
        ((TABLE + 2**27, WEIGHTS), {}, r"sums of 18 products to fit int32.*2\*\*31"),
    ],
)
def test_a_wrong_construction_gets_a_sentence(arguments, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        LutKernel(*arguments, **options)


def test_a_wrong_call_gets_a_sentence():
    kernel = LutKernel(TABLE, WEIGHTS)
    x = np.zeros((1, 2, 5, 5), np.int8)
    for codes, sentence in [
        (x.astype(np.int32), "codes of dtype int8; got int32"),
        (x[0], "codes of shape"),
        (x[:, :1], r"an input of shape \(N, 2, H, W\)"),
        (x[..., :2], "at least the kernel's extent; got 5x2"),
        ([[1]], "numpy array or a CPU tensor; got list"),
    ]:
        with pytest.raises(EmulationError, match=sentence):
            kernel.accumulate(codes)
    with pytest.raises(EmulationError, match="threads to be an integer of at least 1; got 0"):
        kernel.accumulate(x, threads=0)
    with pytest.raises(EmulationError, match=r"out of shape \(1, 4, 3, 3\)"):
        kernel.accumulate(x, out=np.empty((1, 4, 3, 4), np.int32))
    with pytest.raises(EmulationError, match="out to be C-contiguous"):
        kernel.accumulate(x, out=np.empty((1, 4, 3, 6), np.int32)[..., ::2])

    good = {"inv_scale": 1.0, "qmin": -127, "qmax": 127,
            "out_scale": np.ones(4, np.float32), "bias": np.zeros(4, np.float32)}  # fmt: skip
    floats = x.astype(np.float32)
    for change, sentence in [
        ({"qmin": -129}, "-128 <= qmin <= qmax <= 127; got qmin=-129"),
        ({"bias": np.zeros(3, np.float32)}, r"bias of shape \(4\); got \(3,\)"),
        ({"out_scale": np.ones(4)}, "out_scale of dtype float32; got float64"),
        ({"mask": np.zeros((1, 2, 5, 4), np.uint8)}, "mask of shape"),
    ]:
        with pytest.raises(EmulationError, match=sentence):
            kernel.forward(floats, **{**good, **change})
    with pytest.raises(EmulationError, match="x of dtype float32; got int8"):
        kernel.forward(x, **good)


def test_the_benchmarks_baseline_computes_the_same_sums(rng):
    table = random_table(rng, 16384)
    x, w = (rng.integers(0, 256, s, dtype=np.uint8) for s in ((30, 300), (7, 30)))
    expected = table[x[None], w[:, :, None]].sum(1)
    np.testing.assert_array_equal(native.gather_baseline(table, x, w), expected)
