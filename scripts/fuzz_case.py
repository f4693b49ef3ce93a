# SPDX-License-Identifier: Apache-2.0
"""A command with the files that it reads, and what its inputs are made of."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

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
                here = Path.cwd()
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
    "", " ", "0_2", "٣", "1e5", "-0", "0.5", "+2",
)  # fmt: skip
NAMES = (
    "", " ", ".", "..", "/", "../x", "a" * 300, "=1+1", "+x", "-x", "@x", "<b>", "&amp;", "[red]",
    "\x1b[31mred", "x\ny", "x\ry", "x\ty", "\u202egnp", "\u2028", "é", "\udcff", "%s", "{}",
    "$(id)",
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


VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**11, 10**30, 0.5, 1e300, -1e300, "", "x", "\0",
    "x" * 300, "=1+1", "\x1b[31m", "a\nb", "../x", [], [1], ["x"] * 3, [[]], {}, {"x": 1},
    {"first": 0, "last": 1, "count": 10**11}, {"first": 0, "last": 1e308, "count": 3}, [0.0] * 3,
    "drum(((((", "python:os:system", "pgd(steps=99999999999999999999)", "pgd(rel_step=1e400)",
    "s99", "u8xs8", "slope:1", "(" * 2000, [1e308, 5e-324], ["exact", "drum(4)"],
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


def mutants(valid: Mapping[str, bytes], random: Random) -> Iterator[tuple[str, bytes]]:
    """Valid files by name, mutated without an end."""
    while True:
        name, data = random.choice(list(valid.items()))
        yield name, mutated(data, random)
