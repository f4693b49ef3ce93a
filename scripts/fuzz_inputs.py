# SPDX-License-Identifier: Apache-2.0
"""Inputs for `fuzz`: what each reader takes, broken byte by byte or by meaning."""

from __future__ import annotations

import io
import itertools
import json
import os
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

SPECIAL = ("fifo", "socket", "folder", "zero", "null", "sparse", "proc", "mem", "loop", "dangling")
"""Kinds of what is no file to read, by what `Special` makes of them."""


@dataclass(frozen=True)
class Special:
    """Something else than a file, made where an input should be."""

    kind: str

    def make(self, path: Path) -> None:
        links = {
            "zero": "/dev/zero", "null": "/dev/null", "proc": "/proc/self/maps",
            "mem": "/proc/kcore", "loop": path.name, "dangling": "nowhere",
        }  # fmt: skip
        if self.kind == "fifo":
            os.mkfifo(path)
        elif self.kind == "folder":
            path.mkdir()
        elif self.kind == "socket":
            with socket.socket(socket.AF_UNIX) as one:
                here = os.getcwd()
                os.chdir(path.parent)  # a socket's path is short
                try:
                    one.bind(path.name)
                finally:
                    os.chdir(here)
        elif self.kind == "sparse":
            path.touch()
            os.truncate(path, 1 << 40)
        else:
            path.symlink_to(links[self.kind])


@dataclass(frozen=True)
class Case:
    """One command with the files that it reads."""

    reader: str
    arguments: tuple[str, ...]
    files: Mapping[str, bytes | Special] = field(default_factory=dict)

    def __str__(self) -> str:
        kinds = [one.kind for one in self.files.values() if isinstance(one, Special)]
        words = " ".join(word if len(word) < 60 else f"{word[:60]}..." for word in self.arguments)
        return f"[{self.reader}] {words!r} {' '.join(kinds)}".rstrip()

    def place(self, folder: Path) -> None:
        """Puts the files where the command, run in this folder, finds them."""
        for name, content in self.files.items():
            path = folder / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Special):
                content.make(path)
            else:
                path.write_bytes(content)


NUMBERS = (
    "0", "-1", "1", str(2**31), str(2**32), str(2**53), str(2**63 - 1), str(2**63), str(2**64),
    "1" + "0" * 11, "1" + "0" * 30, "9" * 5000, "nan", "inf", "-inf", "1e400", "1e-400", "0x10",
    "", " ", "1_0", "٣", "1e5", "-0", "0.5", "+7",
)  # fmt: skip
NAMES = (
    "", " ", ".", "..", "/", "../x", "a" * 300, "=1+1", "+x", "-x", "@x", "<b>", "&amp;", "[red]",
    "\x1b[31mred", "x\ny", "x\ry", "x\ty", "\u202egnp", "\u2028", "é", "\udcff", "%s", "{}", "$(id)",
    "`id`", "'", '"', "|", "a,b", "a=b", "a:b", "(" * 3000, "[" * 3000, "drum(" * 3000, "drum(((((",
    "drum()", "drum(4", "drum(4))", "drum(99999999999999999999)", "drum(-1)", "drum_4_4",
    "scaletrim(4,8,)", "exact(1)", "exact[K=3]", "mul.v", "mul.v[", "mul.v[K=" + "9" * 5000 + "]",
    "mul.v[tie.x=" + "9" * 5000 + "]", "mul.v[with=]", "m.toml[top=x]", "*=drum(4)", "conv*=", "=x",
    "conv1=exact,conv1=exact", "[!=exact", "python:os:system", "os:system", "x.npz", "a.c:", ":f",
    "x.py:f", ".npz", ".v", ".c", ".toml", "figures:", "figures:x", "nosuch:f", "é.npz", "x.npz[a]",
)  # fmt: skip
TOKENS = (
    b"\0", b"\0" * 64, b"\xff" * 8, b"\xef\xbb\xbf", b"\xff\xfe", b"\x80", b"[" * 3000,
    b"{" * 3000, b"(" * 3000, b"9" * 5000, b"-1", b"-", b"1e400", b"nan", b"inf", b"true", b"null",
    str(2**31).encode(), str(2**63).encode(), str(2**64).encode(), b"1" + b"0" * 30,
    b"\x1b[31m", b"\r\n", b"\n", b"\n" * 3000, b" " * 3000, b"/*" * 3000, b"//", b'"', b"'", b",",
    b"=", b";", b"@", b"#", b"\\", b"\\ud800", b"\\u0000", b"../../x", b"=1+1", b"<script>",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"PK\x01\x02", b"PK\x05\x06",
)  # fmt: skip


def mutated(data: bytes, random: Random) -> bytes:
    """The same bytes with one to four things done to them."""
    body = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(body) + 1)
        length = min(random.choice((1, 1, 2, 4, 8, 64, 1024)), len(body) - at)
        other = random.randrange(len(body) + 1)
        match random.randrange(7):
            case 0 if at < len(body):
                body[at] ^= 1 << random.randrange(8)
            case 1:
                del body[at : at + length]
            case 2:
                body[at:at] = random.choice(TOKENS)
            case 3:
                body[at : at + length] = random.choice(TOKENS)
            case 4:
                del body[at:]
            case 5:
                body[at:at] = body[other : other + random.choice((1, 8, 64, 1024))]
            case _:
                for place in range(at, at + length):
                    body[place] = random.randrange(256)
    return bytes(body)


def headed(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """A `.npy` file with any header."""
    text = header.encode("latin1") + b"\n"
    size = struct.pack("<H", len(text)) if version == b"\1\0" else struct.pack("<I", len(text))
    return b"\x93NUMPY" + version + size + text + data


def lying_arrays() -> list[bytes]:
    """`.npy` files whose headers claim what is not there."""
    shapes = (
        "(2199023255552,)", "(4096, 4096)", "(1048576, 4194304)", "(-1, 16)", "(16, -16)", "()",
        "(16,)", "(0, 0)", "(9223372036854775808,)", "(99999999999999999999999,)", "(16.0, 16)",
        "(2147483648, 2147483648, 4)", "(True, 256)", "'x'", "(" * 500, "(16, 16)" + " " * 12000,
    )  # fmt: skip
    kinds = ("'<i4'", "'|O'", "'<f8'", "'|V0'", "'<U0'", "'<i4', (2147483647,)", "[('a', '<i4')]",
             "'<M8[s]'", "'x'", "3")  # fmt: skip
    pairs = [(shape, "'<i4'") for shape in shapes] + [("(16, 16)", kind) for kind in kinds]
    pairs += [("(1152921504606846976,)", "'|V0'"), ("(1152921504606846976,)", "('<i4', (0,))")]
    template = "{{'descr': {}, 'fortran_order': False, 'shape': {}, }}"
    texts = [template.format(kind, shape) for shape, kind in pairs] + ["", "{}", "__import__('os')"]
    return [headed(text, bytes(64), version) for text in texts for version in (b"\1\0", b"\2\0")]


@cache
def _tables() -> dict[str, bytes]:
    """A valid table of every format, of 4 bits where it can be."""
    from axhil.hwsim import Lut, Operands
    from axhil.hwsim.formats import FORMATS

    found = {}
    for name, code in {
        "adapt": "s8", "transaxx": "s4", "tfapprox": "u8", "approxtorch": "s4", "appmult": "u4",
        "npy": "s4", "hex": "u4", "csv": "s4",
    }.items():  # fmt: skip
        operands = Operands.parse(code)
        a, b = operands.activation.values, operands.weight.values
        form = FORMATS[name]
        found[f"{name}{form.suffixes[0]}"] = form.write(Lut(np.outer(a, b), *operands))
    pair = Operands.parse("s8")
    exact = Lut(np.outer(pair.activation.values, pair.weight.values), *pair, {"top": "mul"})
    found["table.npz"] = exact._to_bytes()
    return found


def tables(random: Random) -> Iterator[Case]:
    """Tables of all formats, and `.npz` and `.npy` files that lie."""
    arrays = lying_arrays()
    manifest = json.loads(zipfile.ZipFile(io.BytesIO(_tables()["table.npz"])).read("manifest.json"))
    while True:
        name, data = random.choice(list(_tables().items()))
        kind = random.randrange(6)
        if kind == 0:
            name, data = "x.npy", random.choice(arrays)
        elif kind == 1:
            name, body = "x.npz", dict(manifest)
            body[random.choice([*body])] = random.choice(_VALUES)
            text = random.choice((json.dumps(body), "[" * 100000, '{"a":' * 50000, "9" * 5000))
            data = _zipped({"manifest.json": text.encode(), "table.npy": random.choice(arrays)})
        else:
            data = mutated(data, random)
        path = f"in/{name}"
        command = random.choice(
            (("metrics", path), ("metrics", path, "--signed"), ("compare", path, "exact"),
             ("compare", "exact", f"figures:{path}"), ("convert", path, "out/x.csv"),
             ("convert", path, "out/x.npz", "--from", random.choice(_FORMS)),
             ("plan", "lenet5", "-m", path), ("lut", path, "--out", "out"))
        )  # fmt: skip
        yield Case("tables", command, {name: data})


_FORMS = ("npz", "adapt", "transaxx", "tfapprox", "approxtorch", "appmult", "npy", "hex", "csv")
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**11, 10**30, 0.5, 1e300, -1e300, "", "x", "\0",
    "x" * 300, "=1+1", "\x1b[31m", "a\nb", "../x", [], [1], ["x"] * 3, [[]], {}, {"x": 1},
    {"first": 0, "last": 1, "count": 10**11}, {"first": 0, "last": 1e308, "count": 3}, [0.0] * 3,
    "drum(((((", "python:os:system", "pgd(steps=99999999999999999999)", "pgd(rel_step=1e400)",
    "s99", "u8xs8", "slope:1", "(" * 2000, [1e308, 5e-324], ["exact", "drum(4)"],
)  # fmt: skip


def _zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@cache
def _weights() -> dict[str, bytes]:
    import torch
    from safetensors.torch import save

    from axhil.zoo.networks import network

    torch.manual_seed(0)
    state = {k: v.detach() for k, v in network("lenet5").build().state_dict().items()}
    bias = state["conv1.bias"]
    hostile: dict[str, Any] = {
        "plain": state,
        "nested": {"state_dict": state, "epoch": 3},
        "half": {k: v.half() for k, v in state.items()},
        "meta": {k: v.to("meta") for k, v in state.items()},
        "sparse": {k: v.to_sparse() for k, v in state.items()},
        "complex": {k: v.to(torch.complex64) for k, v in state.items()},
        "bool": {k: v.bool() for k, v in state.items()},
        "nan": {k: v * float("nan") for k, v in state.items()},
        "inf": {k: v + float("inf") for k, v in state.items()},
        "huge": {**state, "conv1.bias": torch.zeros(1).expand(2**40)},
        "scalar": torch.tensor(3.0),
        "list": [state],
        "numbers": {1: bias, 2: bias},
        "missing": {k: v for k, v in state.items() if k != "fc3.bias"},
        "none": {k: None for k in state},
        "empty": {},
        "more": {**state, "\x1b[31m": bias, "=1+1": bias},
        "shapes": {k: v[:1] for k, v in state.items()},
        "int8": {k: (v * 100).to(torch.int8) for k, v in state.items()},
        "quantised": {k: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8) for k, v in state.items()},
        "nest": {"nest": torch.nested.nested_tensor([bias, bias[:1]])},
    }  # fmt: skip
    found = {}
    for name, value in hostile.items():
        buffer = io.BytesIO()
        torch.save(value, buffer)
        found[f"{name}.pt"] = buffer.getvalue()
    buffer = io.BytesIO()
    torch.save(state, buffer, _use_new_zipfile_serialization=False)
    found["legacy.pth"] = buffer.getvalue()
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), buffer)
    found["script.pt"] = buffer.getvalue()
    found["plain.safetensors"] = save(state)
    return found


def _lying_safetensors() -> list[bytes]:
    sizes = (0, 1, 8, 100, 2**31, 2**40, 2**63, 2**64 - 1)
    bodies = [struct.pack("<Q", size) + b"{}" + bytes(32) for size in sizes]
    for shape, offsets, kind in (
        ([2**40], [0, 2**42], "F32"), ([2**62, 4], [0, 0], "F32"), ([0], [0, 0], "F32"),
        ([-1], [0, 4], "F32"), ([1], [4, 0], "F32"), ([1], [0, 4], "X9"), ([1], [0, 2**64], "F32"),
        ([1] * 5000, [0, 4], "F32"), ("x", "y", 3), ([1.5], [0, 4], "F32"), ([4], [0, 4], "F4"),
    ):  # fmt: skip
        head = json.dumps({"conv1.bias": {"dtype": kind, "shape": shape, "data_offsets": offsets}})
        bodies.append(struct.pack("<Q", len(head)) + head.encode() + bytes(4))
    for text in ("[" * 100000, '{"a":' * 100000, '{"a":{"dtype"' * 9, "null", '{"__metadata__":3}'):
        bodies.append(struct.pack("<Q", len(text)) + text.encode())
    return bodies


def weights(random: Random) -> Iterator[Case]:
    """Weights files: of every kind that torch writes, mutated, and headers that lie."""
    valid, lying = _weights(), _lying_safetensors()
    first = [*valid.items(), *((f"x{n}.safetensors", data) for n, data in enumerate(lying))]
    foreign = [b"", b"\x80\x02.", b"\x80\x04\x95", b"cos\nsystem\n(S'id'\ntR.", b"PK\x05\x06", b"\0" * 99]
    first += [(f"f{n}.{end}", data) for n, data in enumerate(foreign) for end in ("pt", "safetensors")]
    for name, data in itertools.chain(first, _mutants(valid, random)):
        path = f"in/{name}"
        command = random.choice(
            (("plan", "lenet5", "--weights", path),
             ("accuracy", "lenet5", "-m", "exact", "--images", "2", "--weights", path))
        )  # fmt: skip
        yield Case("weights", command, {name: data})


def _mutants(valid: Mapping[str, bytes], random: Random) -> Iterator[tuple[str, bytes]]:
    while True:
        name, data = random.choice(list(valid.items()))
        yield name, mutated(data, random)


STUDY: dict[str, Any] = {
    "name": "s", "title": "t", "networks": ["lenet5"], "images": 2, "multipliers": ["exact"],
    "attacks": ["fgsm"], "norms": ["linf"], "budgets": {"linf": [0.0]}, "seed": 0, "batch": 4,
    "threat_models": ["whitebox"], "worst_iterate": False, "gradient": "float32",
    "weights": {}, "data": "mnist5k", "allow_float": False,
    "quantisation": {"weights": "tensor", "activations": "max", "batch_norm": "keep"},
}  # fmt: skip
FACTS: dict[str, Any] = {
    "verilog": "mul.v", "top": "mul", "a": "a", "b": "b", "p": "p", "weight": "b",
    "parameters": {"K": 3}, "operands": "u4", "signed": False, "wrap": False, "ties": {"en": 1},
    "with": [], "include": [],
}  # fmt: skip
VERILOG = b"""// a multiplier of 4 bits
module mul #(parameter K = 3) (input [3:0] a, input [3:0] b, output [7:0] p);
  /* exact */ wire [7:0] x;
  assign x = a * b;
  assign p = x + (K - 3);
endmodule
"""


def _toml(value: Any, *, top: bool = False) -> str:
    if isinstance(value, dict):
        pairs = [f"{json.dumps(str(key))} = {_toml(one)}" for key, one in value.items()]
        return "\n".join(pairs) + "\n" if top else "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return '""' if value is None else json.dumps(value)


def _changed(body: Mapping[str, Any], random: Random) -> dict[str, Any]:
    changed = {**body, random.choice([*body]): random.choice(_VALUES)}
    inner = [key for key in changed if isinstance(changed[key], dict) and changed[key]]
    if inner and random.random() < 0.3:
        key = random.choice(inner)
        changed[key] = {**changed[key], random.choice([*changed[key]]): random.choice(_VALUES)}
    if random.random() < 0.1:
        changed[random.choice(NAMES)] = 1
    return changed


def toml(random: Random) -> Iterator[Case]:
    """Study files and files of facts about Verilog."""
    texts = ("[" * 100000, "a=" + "[" * 100000, "a." * 50000 + "b=1", "a=" + "9" * 5000, "a=" + "{a=" * 9999,
             "\ufeffname='x'", "a=1\0", "a=1\r", 'a="\\ud800"', "a=1e999", "a=99-99-99", "[a]\n[a]")  # fmt: skip
    while True:
        study = random.random() < 0.6
        kind = random.random()
        valid = STUDY if study else FACTS
        if kind < 0.6:
            data = _toml(_changed(valid, random), top=True).encode("utf-8", "replace")
        elif kind < 0.9:
            data = mutated(_toml(valid, top=True).encode(), random)
        else:
            data = random.choice(texts).encode()
        if study:
            command = random.choice((("study", "run", "in/s.toml", "--out", "out/s"), ("study", "status", "in/s.toml")))
            yield Case("toml", command, {"s.toml": data})
        else:
            command = random.choice((("lut", "in/mul.toml", "--out", "out"), ("lut", "in/mul.v", "--out", "out"), ("inspect", "in/mul.toml")))
            yield Case("toml", command, {"mul.toml": data, "mul.v": VERILOG})


def words(random: Random) -> Iterator[Case]:
    """Names of multipliers, networks, attacks, data sets and files."""
    shapes = (
        ("metrics", "{}"), ("plan", "lenet5", "-m", "{}"), ("compare", "exact", "{}"),
        ("convert", "exact", "out/{}.csv"), ("convert", "{}", "out/x.csv"), ("rtl", "{}"),
        ("plan", "{}"), ("accuracy", "{}", "-m", "exact"), ("inspect", "{}"), ("verify", "{}"),
        ("accuracy", "lenet5", "-m", "exact", "--data", "{}"), ("study", "run", "{}"),
        ("study", "status", "{}"), ("study", "report", "{}"), ("mutate", "{}"), ("train", "{}"),
        ("eval", "lenet5", "-m", "exact", "--attack", "{}", "--eps", "0", "--images", "1"),
        ("eval", "lenet5", "-m", "exact", "--gradient", "{}", "--eps", "0", "--images", "1"),
        ("eval", "lenet5", "-m", "exact", "--eps", "{}", "--images", "1", "--attack", "fgsm"),
        ("lut", "{}", "--out", "out"), ("lut", "in/mul.v", "--param", "{}", "--out", "out"),
        ("lut", "in/mul.v", "--tie", "{}", "--out", "out"), ("lut", "in/mul.v", "--top", "{}"),
        ("lut", "in/mul.v", "--operands", "{}", "--out", "out"), ("lut", "in/mul.v", "--a", "{}"),
        ("cosim", "lenet5", "--layers", "{}", "--images", "1"), ("{}",), ("lut", "--{}"),
        ("cosim", "lenet5", "--trace", "out/x", "--trace-window", "{}"), ("study", "{}"),
    )  # fmt: skip
    python = ("python:os:abort_", "python:.x:y", "python::", "python:sys:exit", "python:os:getcwd",
              "python:torch.nn:Identity", "python:torch.nn:Linear", "torchvision:", "torchvision:x",
              "torchvision:resnet18", "python:this_is_no:module", "python:math:pi", "python:a/b:c",
              "pgd(", "pgd(steps=)", "pgd(steps=" + "9" * 5000 + ")", "pgd(steps=1e9)", "pgd(x=1)",
              "pgd(rel_step=nan)", "slope:99999", "0:" + "9" * 5000, "1:99999999999999999999", "9" * 5000)  # fmt: skip
    while True:
        shape, word = random.choice(shapes), random.choice((*NAMES, *python))
        if random.random() < 0.2:
            base = random.choice(("drum(4)", "scaletrim(4,8)", "mul.v[K=3,top=x]", "pgd(steps=3)"))
            word = mutated(base.encode(), random).replace(b"\0", b"").decode("utf-8", "surrogateescape")
        yield Case("words", tuple(one.replace("{}", word) for one in shape), {"mul.v": VERILOG})


def verilog(random: Random) -> Iterator[Case]:
    """Verilog and C sources, mutated."""
    model = b"#include <stdint.h>\nstatic int16_t mul(int8_t a, int8_t b) { return a * b; }\n"
    while True:
        kind = random.randrange(6)
        if kind == 0:
            yield Case("verilog", ("metrics", "in/m.c"), {"m.c": mutated(model, random)})
        elif kind == 1:
            data = mutated(b"// MAE = 53\n// EP% = 74.61 %\n" + VERILOG, random)
            yield Case("verilog", ("compare", "figures:in/mul.v", "exact"), {"mul.v": data})
        else:
            command = (("lut", "in/mul.v", "--out", "out"), ("inspect", "in/mul.v"))[kind % 2]
            yield Case("verilog", command, {"mul.v": mutated(VERILOG, random)})


@cache
def _pictures() -> dict[str, bytes]:
    from PIL import Image

    gradient = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28).astype(np.uint8)
    found = {}
    for name, form, mode in (
        ("a.png", "PNG", "L"), ("a.jpg", "JPEG", "L"), ("a.webp", "WEBP", "RGB"), ("b.png", "PNG", "P"),
        ("c.png", "PNG", "RGBA"), ("b.jpg", "JPEG", "CMYK"), ("eps.png", "EPS", "L"), ("tiff.png", "TIFF", "L"),
        ("gif.png", "GIF", "L"), ("bmp.jpg", "BMP", "L"), ("ppm.png", "PPM", "L"), ("psd.jpg", "ICO", "RGBA"),
        ("d.png", "PNG", "1"), ("e.png", "PNG", "I;16"), ("pdf.png", "PDF", "L"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        image = Image.fromarray(gradient)
        image = Image.fromarray(gradient.astype(np.uint16)) if mode == "I;16" else image.convert(mode)
        image.save(buffer, form)
        found[name] = buffer.getvalue()
    found["svg.png"], found["empty.png"] = b"<svg/>", b""
    for side, name in ((2**31 - 1, "huge.png"), (9000, "bomb.png"), (5000, "large.png")):
        data = bytearray(found["a.png"])
        data[16:24] = struct.pack(">II", side, side)
        import zlib

        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        found[name] = bytes(data)
    return found


def images(random: Random) -> Iterator[Case]:
    """Folders of images."""
    command = ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir", "in")
    valid = _pictures()
    for name, data in itertools.chain(valid.items(), _mutants(valid, random)):
        inside = {f"set/test/c{n}/{name}": data for n in range(2)}
        if random.random() < 0.5:
            inside["set/test/c0/a.png"] = valid["a.png"]
        if random.random() < 0.1:
            inside = {f"set/test/c{n}/a.png": valid["a.png"] for n in range(12)}
        yield Case("images", command, inside)


@cache
def _records() -> dict[str, bytes]:
    import tempfile
    from dataclasses import replace

    from axhil.study.spec import StudySpec
    from axhil.study.storage.cells import Cell, CellSettings
    from axhil.study.storage.store import CellStore, write_cells

    settings = CellSettings(
        network="lenet5", weights_sha256="w" * 64, calibration="mnist5k[500]",
        quantisation={"weights": "tensor", "activations": "max", "batch_norm": "keep"},
        layers="all", data="mnist5k", data_sha256="d" * 64, images=4, multiplier="exact",
        lut_sha256="e" * 64, attack="fgsm", norm="linf", budgets=(0.0, 0.5),
        threat_model="whitebox", worst_iterate=False, gradient="float32", seed=0, batch=512,
    )  # fmt: skip
    environment = {"axhil": "1", "torch": "2", "device": "cpu", "threads": 1}
    cells = [
        Cell(replace(settings, multiplier=name), name, ("0111", "0010"), 0.0, (), (1.0, 1.0), environment)
        for name in ("exact", "drum(4)")
    ]
    body = StudySpec(name="s", networks=("lenet5",)).model_dump(mode="json")
    parts = [{"network": "lenet5", "threat_model": "whitebox", "cells": [one.settings.written() for one in cells]}]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = CellStore(folder / "s")
        for cell in cells:
            store.put(cell)
        write_cells(cells, folder / "all.parquet")
        found = {f"s/{path.relative_to(store.folder)}": path.read_bytes() for path in store.folder.rglob("*.*")}
        found["all.parquet"] = (folder / "all.parquet").read_bytes()
    found["s/study.json"] = json.dumps({"format_version": 3, "study": body, "parts": parts}).encode()
    return found


def records(random: Random) -> Iterator[Case]:
    """Folders of results: Parquet, the study's plan, the store's mark."""
    valid = _records()
    while True:
        name = random.choice([*valid])
        files = {**valid, name: mutated(valid[name], random)}
        if name.endswith(".json") and random.random() < 0.7:
            body = json.loads(valid[name])
            place: Any = body
            while isinstance(place, dict | list) and place:
                keys: Sequence[Any] = [*place] if isinstance(place, dict) else range(len(place))
                key = random.choice(keys)
                if random.random() < 0.3 or not isinstance(place[key], dict | list) or not place[key]:
                    place[key] = random.choice((*_VALUES, *NAMES))
                    break
                place = place[key]
            files[name] = json.dumps(body).encode()
        command = random.choice(
            (("study", "status", "in/s"), ("study", "diff", "in/s", "in/all.parquet"),
             ("study", "diff", "in/all.parquet", "in/all.parquet"), ("study", "export", "in/s", "out/x.parquet"))
        )  # fmt: skip
        yield Case("records", command, files)


def special(random: Random) -> Iterator[Case]:
    """What is no file, as every input of every command."""
    study = ("--out", "out")
    places: list[tuple[str, tuple[str, ...]]] = [
        *((f"x{end}", ("metrics", f"in/x{end}")) for end in
          (".npz", ".csv", ".npy", ".hex", ".h", ".txt", ".bin", ".v", ".sv", ".toml", ".c")),
        ("x.py", ("metrics", "in/x.py:f")), ("x.v", ("metrics", "in/mul.v", "--with", "in/x.v")),
        ("x.v", ("inspect", "in/x.v")), ("x.v", ("mutate", "in/x.v")), ("x.v", ("compare", "figures:in/x.v", "exact")),
        ("mul.toml", ("lut", "in/mul.v", *study)), ("x.h", ("convert", "in/x.h", "out/x.npz")),
        ("x.npz", ("compare", "in/x.npz", "exact")), ("exact.npz", ("metrics", "exact", "--luts", "in")),
        ("x", ("convert", "in/x", "out/x.npz", "--from", "npz")), ("rtl/mul_exact.v", ("lut", "exact", "--rtl", "in/rtl", *study)),
        ("x.pt", ("plan", "lenet5", "--weights", "in/x.pt")), ("x.safetensors", ("plan", "lenet5", "--weights", "in/x.safetensors")),
        ("s.toml", ("study", "run", "in/s.toml", *study)), ("s.toml", ("study", "status", "in/s.toml")),
        ("s/study.json", ("study", "status", "in/s")), ("s/store.json", ("study", "status", "in/s")),
        ("s/store.json", ("study", "diff", "in/s", "in/all.parquet")), ("x.parquet", ("study", "diff", "in/x.parquet", "in/s")),
        ("s/records/0-0.parquet", ("study", "diff", "in/s", "in/s")), ("s/records", ("study", "diff", "in/s", "in/s")),
        ("set/test/a/x.png", ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir", "in")),
        ("set/test/a", ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir", "in")),
        ("set/test", ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir", "in")),
        ("MNIST/raw/t10k-images-idx3-ubyte", ("accuracy", "lenet5", "-m", "exact", "--data", "mnist", "--data-dir", "in")),
        ("cifar-10-batches-py/data_batch_1", ("accuracy", "resnet50", "-m", "exact", "--data", "cifar10", "--data-dir", "in")),
        ("inc", ("lut", "in/mul.v", "-I", "in/inc", *study)), ("o", ("lut", "in/mul.v", "--out", "in/o")),
        ("../out/x.csv", ("convert", "exact", "out/x.csv")), ("mem.hex", ("lut", "in/memory.v", *study)),
    ]  # fmt: skip
    memory = b"module m(input [3:0] a, input [3:0] b, output [7:0] p);\nreg [7:0] t[0:255];\ninitial $readmemh(\"mem.hex\", t);\nassign p = t[{a, b}];\nendmodule\n"
    every = [(name, command, kind) for name, command in places for kind in SPECIAL]
    random.shuffle(every)
    for name, command, kind in itertools.cycle(every):
        files: dict[str, bytes | Special] = {"mul.v": VERILOG, "memory.v": memory, **_records(), "s.toml": _toml(STUDY, top=True).encode()}
        for other in [one for one in files if one.startswith(f"{name}/")]:
            del files[other]
        if command[0] == "accuracy" and "MNIST" in name:
            files |= {f"MNIST/raw/{n}": b"x" for n in ("t10k-labels-idx1-ubyte", "train-images-idx3-ubyte", "train-labels-idx1-ubyte")}
        yield Case("special", command, {**files, name: Special(kind)})


def numbers(random: Random) -> Iterator[Case]:
    """Every option that takes a number, in a command that is right without it."""
    from typer.main import get_command

    from axhil.cli.main import app

    bases = {
        "lut": ("lut", "in/mul.v", "--out", "out"), "metrics": ("metrics", "exact"),
        "compare": ("compare", "exact", "exact"), "convert": ("convert", "exact", "out/x.csv"),
        "inspect": ("inspect", "exact"), "rtl": ("rtl", "exact"), "plan": ("plan", "lenet5"),
        "accuracy": ("accuracy", "lenet5", "-m", "exact", "--images", "2"),
        "eval": ("eval", "lenet5", "-m", "exact", "--attack", "fgsm", "--norm", "linf", "--eps", "0", "--images", "1"),
        "train": ("train", "lenet5"), "verify": ("verify", "exact"), "mutate": ("mutate", "in/mul.v"),
        "cosim": ("cosim", "lenet5", "--images", "1", "--layers", "fc3"), "info": ("info",),
        "study run": ("study", "run", "in/s.toml", "--out", "out"), "study diff": ("study", "diff", "in/s", "in/s"),
        "study status": ("study", "status", "in/s"), "study report": ("study", "report", "in/s"),
        "study export": ("study", "export", "in/s", "out/x.parquet"),
    }  # fmt: skip
    commands: Any = get_command(app)
    places = []
    for name in commands.commands:
        command = commands.commands[name]
        for title, one in ({f"{name} {k}": v for k, v in command.commands.items()} if hasattr(command, "commands") else {name: command}).items():
            places += [
                (bases[title], parameter.opts[0])
                for parameter in one.params
                if parameter.param_type_name == "option" and _is_number(parameter)
            ]
    every = list(itertools.product(places, NUMBERS))
    random.shuffle(every)
    for (base, option), value in itertools.cycle(every):
        yield Case("numbers", (*base, f"{option}={value}"), {"mul.v": VERILOG, **_records(), "s.toml": _toml(STUDY, top=True).encode()})


def _is_number(parameter: Any) -> bool:
    described = getattr(parameter, "type_descriptor", None)  # typer's own; of click in older ones
    kind = str(described.annotation) if described else parameter.type.name
    return "int" in kind or "float" in kind


READERS: dict[str, Callable[[Random], Iterator[Case]]] = {
    one.__name__: one
    for one in (tables, weights, toml, words, verilog, images, records, special, numbers)
}
"""Generators by what they are about; endless."""


def inputs(count: int, seed: int, readers: Sequence[str] | None = None) -> Iterator[Case]:
    """So many inputs, of each reader in turn; the same for the same seed."""
    running = [READERS[name](Random(f"{seed} {name}")) for name in readers or READERS]
    return itertools.islice(itertools.chain.from_iterable(zip(*running, strict=True)), count)
