# SPDX-License-Identifier: Apache-2.0
"""The table's container: what it accepts, what it writes, what it refuses to read."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axhil import hwsim
from axhil.hwsim import HwsimError, Lut, Operands


def random_lut(code="s4", *, seed=0, manifest=None):
    rng = np.random.default_rng(seed)
    operands = Operands.parse(code)
    table = rng.integers(-(2**31), 2**31, operands.shape)
    return Lut(table, *operands, manifest=manifest or {})


CODES = st.from_regex(r"[su][1-6](x[su][1-6])?", fullmatch=True)


@given(CODES, st.integers(0, 2**32), st.text())
def test_a_table_survives_the_disk(tmp_path_factory, code, seed, note):
    path = tmp_path_factory.mktemp("lut") / "table.npz"
    lut = random_lut(code, seed=seed, manifest={"note": note})
    lut.save(path)
    back = Lut.load(path)
    assert back == lut
    assert back.table.dtype == np.int32
    assert back.manifest["note"] == note
    assert hash(back) == hash(lut)
    assert back.operands.code == lut.operands.code


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("u4", {"format_version": 1, "width": 4, "signed": False}),
        ("s4", {"format_version": 1, "width": 4, "signed": True}),
        ("u4xs4", {"format_version": 2, "activation": "u4", "weight": "s4"}),
        ("s4xs2", {"format_version": 2, "activation": "s4", "weight": "s2"}),
    ],
)
def test_only_operands_that_differ_need_the_second_format(tmp_path, code, says):
    path = tmp_path / "table.npz"
    # What another table's manifest said of its operands is not carried along.
    stale = {"width": 9, "signed": 1, "activation": "u9", "weight": "u9", "note": "kept"}
    random_lut(code, manifest=stale).save(path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    del manifest["table_sha256"]
    assert manifest == {**says, "note": "kept"}


def test_the_second_format_is_read_where_the_first_would_do(tmp_path):
    path = tmp_path / "table.npz"
    lut = random_lut("u4")
    lut.save(path)
    rewritten(path, format_version=2, activation="u4", weight="u4")
    assert Lut.load(path) == lut


def test_every_golden_table_is_written_as_it_lies_there(tmp_path):
    paths = sorted((Path(hwsim.__file__).parent / "golden").glob("*.npz"))
    assert len(paths) == 7
    for path in paths:
        Lut.load(path).save(tmp_path / path.name)
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_rows_are_the_first_operand_by_bit_pattern():
    lut = Lut(np.zeros((16, 8), np.int32), *Operands.parse("s4xu3"))
    assert lut.activation.values.tolist() == [*range(8), *range(-8, 0)]
    assert lut.weight.values.tolist() == list(range(8))


def test_the_hash_is_that_of_little_endian_int32_in_c_order():
    lut = random_lut()
    data = b"".join(int(v).to_bytes(4, "little", signed=True) for row in lut.table for v in row)
    assert lut.sha256 == hashlib.sha256(data).hexdigest()
    fortran = Lut(np.asfortranarray(lut.table), *Operands.parse("s4"))
    assert fortran.sha256 == lut.sha256


def test_a_table_is_read_only_and_its_own():
    given_table = np.zeros((16, 16), np.int32)
    lut = Lut(given_table, *Operands.parse("s4"))
    given_table[0, 0] = 1
    assert lut.table[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        lut.table[0, 0] = 1


def test_equality_is_by_table_and_operands():
    lut = random_lut(manifest={"multiplier": "one"})
    assert lut == Lut(lut.table, *Operands.parse("s4"), manifest={"multiplier": "other"})
    for other in ("u4", "u4xs4", "s4xu4"):
        assert lut != Lut(lut.table, *Operands.parse(other))
        assert hash(lut) != hash(Lut(lut.table, *Operands.parse(other)))
    # The same bytes in another shape, or of another mixture, are another table also by the hash
    # that records keep.
    codes = ("s4", "u4xs4", "s4xu4", "s3xs5", "s5xs3")
    bytes_alike = [lut.table.reshape(Operands.parse(code).shape) for code in codes]
    pairs = zip(bytes_alike, codes, strict=True)
    assert len({Lut(table, *Operands.parse(code)).sha256 for table, code in pairs}) == len(codes)
    changed = lut.table.copy()
    changed[3, 7] ^= 1
    assert lut != Lut(changed, *Operands.parse("s4"))


def test_a_name_is_the_multiplier_else_the_top():
    assert random_lut(manifest={"multiplier": "drum(4)", "top": "mul_signed"}).name == "drum(4)"
    assert random_lut(manifest={"top": "mine"}).name == "mine"
    assert random_lut().name == "lut"


BAD_TABLES = [
    (
        np.zeros((16, 15), int),
        "s4",
        r"shape \(16, 16\) for signed 4-bit operands, got \(16, 15\)",
    ),
    (np.zeros((16, 16), int), "s5", r"expected a table of shape \(32, 32\)"),
    (
        np.zeros((8, 16), int),
        "u4xs3",
        r"shape \(16, 8\) for unsigned 4-bit x signed 3-bit operands, got \(8, 16\)",
    ),
    (np.zeros((16, 16)), "s4", "expected a table of integers, got float64"),
    (np.full((16, 16), 2**31), "s4", "fit 32-bit signed integers"),
    (np.zeros((2, 2), int), "s1xu13", r"operands of 1..12 bits, got 13"),
]


@pytest.mark.parametrize(("table", "code", "sentence"), BAD_TABLES)
def test_a_wrong_table_is_refused(table, code, sentence):
    with pytest.raises(HwsimError, match=sentence):
        Lut(table, *Operands.parse(code))


def test_the_bytes_on_disk_depend_on_nothing_else(tmp_path, monkeypatch):
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    random_lut(manifest={"a": 1, "b": 2}).save(one)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    random_lut(manifest={"b": 2, "a": 1}).save(other)
    assert one.read_bytes() == other.read_bytes()
    Lut.load(one).save(one)
    assert one.read_bytes() == other.read_bytes()


def test_numpy_and_unzip_read_the_file(tmp_path):
    path = tmp_path / "table.npz"
    lut = random_lut()
    lut.save(path)
    with np.load(path) as archive:
        np.testing.assert_array_equal(archive["table"], lut.table)
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("manifest.json"))["table_sha256"] == lut.sha256


def test_a_file_cut_anywhere_is_refused_by_name(tmp_path):
    path = tmp_path / "cut.npz"
    random_lut().save(path)
    data = path.read_bytes()
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(HwsimError, match=r"cut\.npz"):
            Lut.load(path)


def test_no_flipped_byte_changes_what_is_read(tmp_path):
    path = tmp_path / "flipped.npz"
    lut = random_lut(manifest={"multiplier": "drum(4)"})
    lut.save(path)
    data = path.read_bytes()
    refused = 0
    for position in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        path.write_bytes(flipped)
        # A flip in a date or an attribute of the zip is harmless; all others must be noticed.
        try:
            back = Lut.load(path)
        except HwsimError as error:
            assert "flipped.npz" in str(error)
            refused += 1
        else:
            assert back == lut
            assert back.name == lut.name
    assert refused > 0.8 * len(range(0, len(data), 7))


def rewritten(path, **changes):
    """The table at `path` with another manifest, everything else in order."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json")) | changes
        table = archive.read("table.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("table.npy", table)


WRONG_MANIFESTS = [
    ({"format_version": 3}, "format version 3 is newer than this axhil reads"),
    ({"format_version": 2}, "activation and weight such as u8 and s4 .* got None and None"),
    ({"format_version": 2, "activation": "s4", "weight": "s5"}, r"shape \(16, 32\)"),
    ({"format_version": 2, "activation": "s4", "weight": "u4"}, "does not match the SHA-256"),
    ({"format_version": 2, "activation": "u60", "weight": "s4"}, "1..12 bits, got 60"),
    ({"format_version": 2, "activation": "u4", "weight": 4}, "got 'u4' and 4"),
    ({"format_version": 0}, "expected a format_version"),
    ({"format_version": None}, "expected a format_version"),
    ({"table_sha256": "0" * 64}, "does not match the SHA-256 in its manifest"),
    ({"width": 5}, r"expected a table of shape \(32, 32\)"),
    ({"width": 3}, r"shape \(8, 8\)"),
    ({"width": 100}, "expected a width of 1..12"),
    ({"width": "4"}, "expected a width of 1..12"),
    ({"signed": 1}, "signed true or false"),
]


@pytest.mark.parametrize(("changes", "sentence"), WRONG_MANIFESTS)
def test_a_manifest_that_is_wrong_is_refused(tmp_path, changes, sentence):
    path = tmp_path / "wrong.npz"
    random_lut().save(path)
    rewritten(path, **changes)
    with pytest.raises(HwsimError, match=rf"wrong\.npz.*{sentence}"):
        Lut.load(path)


def write_members(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_dot_", "."), data)


def npy(array):
    data = io.BytesIO()
    np.save(data, array, allow_pickle=True)
    return data.getvalue()


GOOD = json.dumps({"format_version": 1, "width": 1, "signed": False})
WRONG_MEMBERS = [
    ({}, "no manifest.json in it"),
    ({"manifest_dot_json": GOOD}, "no table.npy in it"),
    ({"manifest_dot_json": "{"}, "is not JSON"),
    ({"manifest_dot_json": "[1]"}, "to hold an object"),
    ({"manifest_dot_json": b"\xff\xfe"}, "is not JSON"),
    ({"manifest_dot_json": GOOD, "table_dot_npy": b"no array"}, "is no NumPy array"),
    ({"manifest_dot_json": GOOD, "table_dot_npy": npy(np.zeros((2, 2)))}, "got <f8"),
    (
        {"manifest_dot_json": GOOD, "table_dot_npy": npy(np.array([None]))},
        "expected an array of integers",
    ),
    ({"manifest_dot_json": GOOD, "table_dot_npy": bytes(10**6)}, "expected at most"),
]


@pytest.mark.parametrize(("members", "sentence"), WRONG_MEMBERS)
def test_another_zip_is_refused(tmp_path, members, sentence):
    path = tmp_path / "other.npz"
    write_members(path, **members)
    with pytest.raises(HwsimError, match=rf"other\.npz.*{sentence}"):
        Lut.load(path)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(HwsimError, match=r"cannot read .*nothing\.npz: No such file"):
        Lut.load(tmp_path / "nothing.npz")
    with pytest.raises(HwsimError, match="but it is a folder"):
        Lut.load(tmp_path)
    with pytest.raises(HwsimError, match=r"cannot write .*no/table\.npz"):
        random_lut().save(tmp_path / "no" / "table.npz")


def test_saving_leaves_nothing_beside_the_table_and_follows_the_umask(tmp_path):
    path = tmp_path / "table.npz"
    old = os.umask(0o027)
    try:
        random_lut().save(path)
    finally:
        os.umask(old)
    assert [p.name for p in tmp_path.iterdir()] == ["table.npz"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_kill_9_while_saving_leaves_the_old_table_or_the_new(tmp_path):
    path = tmp_path / "table.npz"
    script = (
        "import sys, numpy as np; from axhil.hwsim import Lut, Operands\n"
        "luts = [Lut(np.full((256, 256), i), *Operands.parse('s8')) for i in range(2)]\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for lut in luts: lut.save(sys.argv[1])\n"
    )
    for delay in (0.0, 0.003, 0.01, 0.02, 0.05):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
        if path.exists():
            assert Lut.load(path).table[0, 0] in (0, 1)
    assert path.exists()
