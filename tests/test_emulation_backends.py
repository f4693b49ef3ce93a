# SPDX-License-Identifier: Apache-2.0
"""Every backend against the definition, on tables no multiplier would have."""

import numpy as np
import pytest
import torch

from axhil.emulation import EmulationError, backends, native
from axhil.emulation.backends import BACKENDS, Computation, choose
from axhil.emulation.products.accumulator import Accumulator
from axhil.emulation.products.arithmetic import ExactArithmetic, ExternalArithmetic, TableArithmetic
from axhil.emulation.products.definition import lut_conv2d
from axhil.emulation.products.external import External
from axhil.emulation.products.factorise import Term
from axhil.emulation.products.geometry import Geometry
from axhil.emulation.quantise.quantize import Quantizer
from axhil.hwsim import Catalogued, Lut, golden
from axhil.hwsim.multipliers import find
from axhil.hwsim.multipliers.by_gates import computed
from axhil.hwsim.operands import Operands

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ONE = torch.ones(())
S8 = Operands.parse("s8")

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
# Operands and the code of 0.0.
KINDS = {
    "s8": ("s8", 0),
    "u8xs8": ("u8xs8", 0),
    "u8xs8 with a zero point": ("u8xs8", 77),
    "s8xs4": ("s8xs4", 0),
    "s4": ("s4", 0),
    "u8xs4 with a zero point": ("u8xs4", 255),
    "u4xs8": ("u4xs8", 0),
    "u4xs4 with a zero point": ("u4xs4", 3),
    "u4xs4": ("u4xs4", 0),
}


def random_table(seed, operands=S8):
    """Full rank, asymmetric, with lut[0, 0] and lut[0, w] other than 0."""
    table = np.random.default_rng(seed).integers(-(2**15), 2**15, operands.shape)
    assert table[0, 0] != 0
    return Lut(table, *operands)


def separable_table(seed, operands=S8):
    rng = np.random.default_rng(seed)
    u, v = (rng.integers(-99, 100, size) for size in operands.shape)
    u[0], v[0] = 5, -3
    return Lut(np.outer(u, v), *operands)


def computation(lut, geometry=None, zero_point=0):
    quantizer = Quantizer(lut.activation, ONE, zero_point)
    return Computation(TableArithmetic(lut), quantizer, geometry or Geometry())


def operands_of(what, kernel, seed=0, channels=4, outputs=8):
    """Activation and weight codes, the extremes among them."""
    rng = np.random.default_rng(seed)
    codes, largest = what.activation.codes, what.arithmetic.weight.maximum
    x = rng.integers(codes.start, codes.stop, (3, channels, 9, 8))
    x[0, 0, 0, :2] = codes[0], codes[-1]
    w = rng.integers(-largest, largest + 1, (outputs, channels // what.geometry.groups, *kernel))
    return x.astype(np.int16), w.astype(np.int8)


def accumulated(name, what, x, w):
    backend = BACKENDS[name](what, torch.from_numpy(w))
    steps = torch.from_numpy(x).float() - what.activation.zero_point
    acc = backend.accumulate(steps)
    assert acc.dtype == torch.int32
    return acc.numpy()


def able(what):
    names = [name for name, one in BACKENDS.items() if one.refusal(what, CPU) is None]
    assert {"definition", "gather"} <= set(names)
    return names


@pytest.mark.parametrize("separable", [False, True], ids=["random", "separable"])
@pytest.mark.parametrize(("kernel", "geometry"), GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize(("code", "zero"), KINDS.values(), ids=KINDS)
def test_every_backend_equals_the_definition(code, zero, kernel, geometry, separable):
    operands = Operands.parse(code)
    lut = (separable_table if separable else random_table)(3, operands)
    what = computation(lut, geometry, zero)
    x, w = operands_of(what, kernel)
    expected = lut_conv2d(x, w, lut.table, geometry, padding_code=zero)
    names = able(what)
    assert ("row sums" in names) == (geometry.groups == 1)
    assert {"factorised", "product kernel"} <= set(names) or not separable
    for name in names:
        np.testing.assert_array_equal(accumulated(name, what, x, w), expected, err_msg=name)


# Few channels take rows of windows, many take lists; 40 outputs fill one row and begin another.
@pytest.mark.parametrize(("channels", "outputs"), [(4, 8), (24, 40)])
@pytest.mark.parametrize(("kernel", "geometry"), GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize(("code", "zero"), KINDS.values(), ids=KINDS)
@pytest.mark.skipif(not native.available(), reason="the extension is optional")
def test_on_every_instruction_set_the_kernels_equal_the_definition(
    monkeypatch, *, code, zero, kernel, geometry, channels, outputs
):
    operands = Operands.parse(code)
    for name, table in (("table kernel", random_table), ("product kernel", separable_table)):
        lut = table(3, operands)
        what = computation(lut, geometry, zero)
        x, w = operands_of(what, kernel, channels=channels, outputs=outputs)
        expected = lut_conv2d(x, w, lut.table, geometry, padding_code=zero)
        for isa in native.supported_isas():
            monkeypatch.setenv("AXHIL_ISA", isa)
            np.testing.assert_array_equal(accumulated(name, what, x, w), expected, err_msg=isa)


@pytest.mark.parametrize(("code", "zero"), KINDS.values(), ids=KINDS)
def test_from_float_to_float_every_backend_rounds_alike(code, zero):
    lut, geometry = random_table(4, Operands.parse(code)), Geometry(padding=(1, 1))
    quantizer = Quantizer(lut.activation, torch.tensor(0.037), zero)
    what = Computation(TableArithmetic(lut), quantizer, geometry)
    _, w = operands_of(what, (3, 3))
    rng = np.random.default_rng(5)
    x = torch.from_numpy(rng.normal(0, 4, (2, 4, 7, 6)).astype(np.float32))
    scale = torch.from_numpy(rng.uniform(0.01, 1, 8).astype(np.float32))
    bias = torch.from_numpy(rng.normal(size=8).astype(np.float32))
    correction = -zero * torch.from_numpy(w).flatten(1).sum(1, dtype=torch.int32) if zero else None
    codes = quantizer.encode(x)
    inside = (codes > quantizer.codes[0]) & (codes < quantizer.codes[-1])
    assert inside.any()
    assert not inside.all()
    acc = lut_conv2d(codes.numpy().astype(int), w, lut.table, geometry, padding_code=zero)
    acc -= zero * w.reshape(8, -1).sum(1, dtype=int)[:, None, None]
    expected = acc.astype(np.float32) * scale.numpy()[:, None, None] + bias.numpy()[:, None, None]
    for name in able(what):
        backend = BACKENDS[name](what, torch.from_numpy(w))
        y = backend.run(x, out_scale=scale, bias=bias, correction=correction)
        # Another layout would change the order in which a pooling after it adds.
        assert y.is_contiguous(), name
        np.testing.assert_array_equal(y.numpy(), expected, err_msg=name)


@pytest.mark.parametrize("name", sorted(n for n, one in BACKENDS.items() if one.only_on is None))
def test_a_backend_takes_other_weights(name):
    lut, geometry = separable_table(7), Geometry(padding=(1, 1))
    arithmetic = TableArithmetic(lut)
    if name == "accumulator":
        arithmetic = TableArithmetic(lut, Accumulator(32))
    if name == "external":
        table = lut.table
        arithmetic = ExternalArithmetic(
            External("mine", lambda a, b: table[a.astype(int) & 255, b.astype(int) & 255])
        )
    if name == "gates":
        lut = golden(Catalogued.parse("drum(3)"))
        arithmetic = ExternalArithmetic(External.of(computed(find("gates:drum(3)"))))
    what = Computation(arithmetic, Quantizer(lut.activation, ONE), geometry)
    (x, first), (_, second) = (operands_of(what, (3, 3), seed) for seed in (1, 2))
    backend = BACKENDS[name](what, torch.from_numpy(first))
    backend.update(torch.from_numpy(second))
    acc = backend.accumulate(torch.from_numpy(x).float())
    np.testing.assert_array_equal(acc, lut_conv2d(x, second, lut.table, geometry))
    assert not np.array_equal(acc, lut_conv2d(x, first, lut.table, geometry))


@pytest.mark.skipif(not native.available(), reason="the native kernel is not built")
@pytest.mark.parametrize("name", ["exact", "drum(3)"])
def test_tables_of_one_product_take_the_product_kernel(name):
    lut = golden(Catalogued.parse(name))
    what = computation(lut, Geometry(padding=(1, 1)))
    x, w = operands_of(what, (3, 3))
    choice = choose(what, torch.from_numpy(w), CPU)
    assert choice.backend.name == "product kernel"
    assert choice.reason == "1 separable term, 8-bit factors"
    expected = lut_conv2d(x, w, lut.table, what.geometry)
    np.testing.assert_array_equal(accumulated("product kernel", what, x, w), expected)


def test_exact_arithmetic_is_the_exact_table():
    what = Computation(ExactArithmetic(), Quantizer(S8.activation, ONE), Geometry(padding=(1, 1)))
    lut = golden(Catalogued.parse("exact"))
    np.testing.assert_array_equal(what.table, lut.table)
    x, w = operands_of(what, (3, 3))
    expected = lut_conv2d(x, w, lut.table, what.geometry)
    for name in able(what):
        np.testing.assert_array_equal(accumulated(name, what, x, w), expected, err_msg=name)


def test_factors_beyond_8_bits_have_no_product_kernel():
    values = S8.weight.values
    lut = Lut(np.outer(300 * np.arange(256), values), *S8)
    refusal = BACKENDS["product kernel"].supports(computation(lut), CPU)
    assert refusal in ("factors beyond 8 bits", native.NOT_BUILT)


def test_row_sums_stay_exact_when_a_sum_would_leave_float32():
    what = computation(Lut(np.full((256, 256), 2**20 + 1), *S8))
    x, w = np.ones((2, 50, 1, 1), np.int8), np.ones((3, 50, 1, 1), np.int8)
    assert (accumulated("row sums", what, x, w) == 50 * (2**20 + 1)).all()
    large = computation(Lut(np.full((256, 256), 2**24), *S8))
    assert BACKENDS["row sums"].supports(large, CPU) == "products beyond 2**24"


@pytest.mark.parametrize("windows", [1, 40])
def test_row_sums_of_a_layer_too_large_to_keep_are_made_or_gathered(windows):
    what = computation(random_table(9))
    rng = np.random.default_rng(9)
    x = rng.integers(-127, 128, (windows, 600, 6, 6), dtype=np.int8)
    w = torch.from_numpy(rng.integers(-127, 128, (128, 600, 1, 1), dtype=np.int8))
    backend = BACKENDS["row sums"](what, w)
    assert not backend.keeps
    part = torch.from_numpy(x).float()
    gathered = BACKENDS["gather"](what, w).accumulate(part[:1])
    assert torch.equal(backend.accumulate(part)[:1], gathered)


def test_two_separable_terms_are_summed(monkeypatch):
    first, second = separable_table(5), separable_table(6)
    lut = Lut(first.table + second.table, *S8)
    what = computation(lut)
    # Given rather than searched: the search need not find every sum of two terms.
    terms = computation(first).terms + computation(second).terms
    monkeypatch.setitem(vars(what), "terms", terms)
    x, w = operands_of(what, (3, 3))
    expected = lut_conv2d(x, w, lut.table, Geometry())
    np.testing.assert_array_equal(accumulated("factorised", what, x, w), expected)
    assert BACKENDS["factorised"].why(what, torch.from_numpy(w)).startswith("2 separable terms; ")


def test_above_the_float32_bound_the_factorised_path_stays_exact():
    what = computation(golden(Catalogued.parse("exact")))
    x = np.full((1, 2001, 1, 1), 127, np.int8)
    x[0, 0] = 1  # an odd sum, which float32 could not hold: 2000 * 127^2 + 127 > 2^24
    w = np.full((1, 2001, 1, 1), 127, np.int8)
    why = BACKENDS["factorised"].why(what, torch.from_numpy(w))
    assert why == f"1 separable term; float64: sum |u||v| <= {2001 * 127**2:,}"
    assert accumulated("factorised", what, x, w).item() == 2000 * 127**2 + 127


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_lowered_float32_precision_does_not_reach_the_products(precision):
    what = computation(golden(Catalogued.parse("exact")), Geometry(padding=(1, 1)))
    x, w = operands_of(what, (3, 3))
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        acc = accumulated("factorised", what, x, w)
    finally:
        torch.set_float32_matmul_precision(before)
    np.testing.assert_array_equal(acc, lut_conv2d(x, w, what.table, what.geometry))


def test_the_choice_knows_the_device_without_having_it():
    w = torch.zeros(8, 4, 3, 3, dtype=torch.int8)
    random, grouped = computation(random_table(1)), Geometry(groups=2)
    if native.available():
        choice = choose(random, w, CPU)
        assert (choice.backend.name, choice.reason) == ("table kernel", "not separable")
    choice = choose(random, w, CUDA)
    assert (choice.backend.name, choice.reason) == ("product rows", "not separable")
    # The names of a GPU's backends are no reasons on the CPU, nor theirs that it has none.
    wide = Lut(random_table(1).table * 2, *S8)
    choice = choose(computation(wide), w, CUDA)
    assert choice.backend.name == "row sums"
    assert choice.reason == "not separable; products of more than 16 bits"
    choice = choose(computation(wide, grouped), w[:, :2], CUDA)
    assert choice.backend.name == "gather"
    assert choice.reason == "not separable; products of more than 16 bits; several groups"
    drum = computation(golden(Catalogued.parse("drum(4)")))
    assert choose(drum, w, CUDA).backend.name == "tensor cores"
    twice = Lut(2 * golden(Catalogued.parse("exact")).table, *S8)
    assert choose(computation(twice), w, CUDA).reason.startswith("1 separable term; float32")
    with pytest.raises(
        EmulationError, match=r"'table kernel' cannot compute lut on cuda: only on cpu"
    ):
        choose(random, w, CUDA, "table kernel")
    with pytest.raises(EmulationError, match=r"unknown backend 'native': expected auto, accumul"):
        choose(random, w, CPU, "native")


def test_without_the_native_kernel_the_portable_path_is_taken_and_a_warning_given(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(native, "unavailable_reason", lambda: "no compiler")
    backends.choice._warn_once.cache_clear()
    w = torch.zeros(8, 4, 3, 3, dtype=torch.int8)
    with pytest.warns(backends.PortableWarning, match="no compiler"):
        choice = choose(computation(random_table(1)), w, CPU)
    assert choice.backend.name == "row sums"
    assert choice.reason == "the native kernel is not built; not separable"
    choice = choose(computation(separable_table(1)), w, CPU)
    assert choice.backend.name == "factorised"


MINE = '''
from axhil.emulation.backends import BACKENDS, Backend, backend

@backend
class Mine(BACKENDS["gather"]):
    """Free of charge, where there is one group."""

    name = "mine"

    @classmethod
    def supports(cls, computation, device):
        return computation.refusal or ("groups" if computation.geometry.groups > 1 else None)

    @classmethod
    def cost(cls, computation):
        return 0.0
'''


def test_a_backend_is_one_new_file(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    try:
        backends.discover()
        what = computation(random_table(2), Geometry(padding=(1, 1)))
        x, w = operands_of(what, (3, 3))
        assert choose(what, torch.from_numpy(w), CPU).backend.name == "mine"
        expected = lut_conv2d(x, w, what.table, what.geometry)
        np.testing.assert_array_equal(accumulated("mine", what, x, w), expected)
        grouped = computation(random_table(2), Geometry(groups=2))
        assert choose(grouped, torch.from_numpy(w[:, :2]), CPU).backend.name != "mine"
    finally:
        BACKENDS.pop("mine", None)


def test_a_term_is_rolled_with_its_table():
    lut = separable_table(3, Operands.parse("u8xs8"))
    what = computation(lut, zero_point=100)
    (term,) = what.terms
    assert isinstance(term, Term)
    np.testing.assert_array_equal(np.outer(term.u, term.v), what.table)
    np.testing.assert_array_equal(what.table[-30 & 255], lut.table[70])
