# SPDX-License-Identifier: Apache-2.0
"""Inputs for `fuzz` that are files of bytes: tables, weights."""

from __future__ import annotations

import io
import itertools
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any

import numpy as np
from fuzz_case import VALUES, Case, mutants, mutated


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
            body[random.choice([*body])] = random.choice(VALUES)
            text = random.choice((json.dumps(body), "[" * 100000, '{"a":' * 50000, "9" * 5000))
            data = _zipped({"manifest.json": text.encode(), "table.npy": random.choice(arrays)})
        else:
            data = mutated(data, random)
        path = f"in/{name}"
        command = random.choice(
            (("metrics", path), ("metrics", path, "--signed"), ("compare", path, "exact"),
             ("compare", "exact", f"figures:{path}"), ("convert", path, "out/x.csv"),
             ("convert", path, "out/x.npz", "--from", random.choice(_FORMATS)),
             ("plan", "lenet5", "-m", path), ("lut", path, "--out", "out"))
        )  # fmt: skip
        yield Case("tables", command, {name: data})


_FORMATS = ("npz", "adapt", "transaxx", "tfapprox", "approxtorch", "appmult", "npy", "hex", "csv")


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
        "none": dict.fromkeys(state),
        "empty": {},
        "more": {**state, "\x1b[31m": bias, "=1+1": bias},
        "shapes": {k: v[:1] for k, v in state.items()},
        "int8": {k: (v * 100).to(torch.int8) for k, v in state.items()},
        "quantised": {k: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8) for k,
        v in state.items()},
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
    foreign = [
        b"",
        b"\x80\x02.",
        b"\x80\x04\x95",
        b"cos\nsystem\n(S'id'\ntR.",
        b"PK\x05\x06",
        b"\0" * 99,
    ]
    first += [
        (f"f{n}.{end}", data) for n, data in enumerate(foreign) for end in ("pt", "safetensors")
    ]
    for name, data in itertools.chain(first, mutants(valid, random)):
        path = f"in/{name}"
        command = random.choice(
            (("plan", "lenet5", "--weights", path),
             ("accuracy", "lenet5", "-m", "exact", "--images", "2", "--weights", path))
        )  # fmt: skip
        yield Case("weights", command, {name: data})
