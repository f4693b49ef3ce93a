# SPDX-License-Identifier: Apache-2.0
"""Inputs for `fuzz` that people type: names, numbers, TOML, Verilog; and what is no file at all."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from fuzz_case import NAMES, NUMBERS, SPECIAL, VALUES, Case, Special, mutated
from fuzz_folders import result_files

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
SYSTEMVERILOG = b"""package kinds; typedef logic [3:0] half_t; endpackage
module mul #(parameter int unsigned K = 3) (input kinds::half_t a, b, output logic [7:0] p);
  always_comb begin p = K - 3; foreach (a[i]) if (a[i]) p += 8'(b) << i; end
endmodule
"""
VHDL = b"""library ieee; use ieee.std_logic_1164.all; use ieee.numeric_std.all;
entity mul is generic (K : natural := 3);
  port (a, b : in unsigned(3 downto 0); p : out unsigned(7 downto 0)); end;
architecture rtl of mul is signal x : unsigned(7 downto 0) := x"00"; -- exact
begin x <= a * b; p <= x + (K - 3); end;
"""


def toml_of(value: Any, *, top: bool = False) -> str:
    if isinstance(value, dict):
        pairs = [f"{json.dumps(str(key))} = {toml_of(one)}" for key, one in value.items()]
        return "\n".join(pairs) + "\n" if top else "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    return '""' if value is None else json.dumps(value)


def _changed(body: Mapping[str, Any], random: Random) -> dict[str, Any]:
    changed = {**body, random.choice([*body]): random.choice(VALUES)}
    inner = [key for key in changed if isinstance(changed[key], dict) and changed[key]]
    if inner and random.random() < 0.3:
        key = random.choice(inner)
        changed[key] = {**changed[key], random.choice([*changed[key]]): random.choice(VALUES)}
    if random.random() < 0.1:
        changed[random.choice(NAMES)] = 1
    return changed


def toml(random: Random) -> Iterator[Case]:
    """Study files and files of facts about Verilog."""
    texts = ("[" * 100000, "a=" + "[" * 100000, "a." * 50000 + "b=1", "a=" + "9" * 5000,
    "a=" + "{a=" * 9999,
             "\ufeffname='x'", "a=1\0", "a=1\r", 'a="\\ud800"', "a=1e999", "a=99-99-99",
             "[a]\n[a]")  # fmt: skip
    while True:
        study = random.random() < 0.6
        kind = random.random()
        valid = STUDY if study else FACTS
        if kind < 0.6:
            data = toml_of(_changed(valid, random), top=True).encode("utf-8", "replace")
        elif kind < 0.9:
            data = mutated(toml_of(valid, top=True).encode(), random)
        else:
            data = random.choice(texts).encode()
        if study:
            command = random.choice(
                (("study", "run", "in/s.toml", "--out", "out/s"), ("study", "status", "in/s.toml"))
            )
            yield Case("toml", command, {"s.toml": data})
        else:
            command = random.choice(
                (
                    ("lut", "in/mul.toml", "--out", "out"),
                    ("lut", "in/mul.v", "--out", "out"),
                    ("inspect", "in/mul.toml"),
                )
            )
            yield Case("toml", command, {"mul.toml": data, "mul.v": VERILOG})


def words(random: Random) -> Iterator[Case]:
    """Names of multipliers, networks, attacks, data sets and files."""
    shapes = (
        ("metrics", "{}"), ("plan", "lenet5", "-m", "{}"), ("compare", "exact", "{}"),
        ("convert", "exact", "out/{}.csv"), ("convert", "{}", "out/x.csv"), ("rtl", "{}"),
        ("plan", "{}"), ("accuracy", "{}", "-m", "exact"), ("inspect", "{}"), ("verify", "{}"),
        ("compare", "in/mul.v", "exact", "--unsigned", "--junit", "out/{}.xml"),
        ("compare", "{}", "in", "--wave", "out/{}.vcd"),
        ("accuracy", "lenet5", "-m", "exact", "--data", "{}"), ("study", "run", "{}"),
        ("study", "status", "{}"), ("study", "report", "{}"), ("mutate", "{}"), ("train", "{}"),
        ("retrain", "{}", "-m", "exact"), ("retrain", "lenet5", "-m", "{}"),
        ("eval", "lenet5", "-m", "exact", "--attack", "{}", "--eps", "0", "--images", "1"),
        ("eval", "lenet5", "-m", "exact", "--gradient", "{}", "--eps", "0", "--images", "1"),
        ("eval", "lenet5", "-m", "exact", "--eps", "{}", "--images", "1", "--attack", "fgsm"),
        ("search", "{}", "-m", "exact"), ("search", "lenet5", "-m", "exact", "-m", "{}"),
        ("search", "lenet5", "--objective", "{}"), ("search", "lenet5", "--limit", "{}"),
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
              "pgd(rel_step=nan)", "slope:99999", "0:" + "9" * 5000, "1:99999999999999999999",
              "9" * 5000)  # fmt: skip
    while True:
        shape, word = random.choice(shapes), random.choice((*NAMES, *python))
        if random.random() < 0.2:
            base = random.choice(("drum(4)", "scaletrim(4,8)", "mul.v[K=3,top=x]", "pgd(steps=3)"))
            word = (
                mutated(base.encode(), random)
                .replace(b"\0", b"")
                .decode("utf-8", "surrogateescape")
            )
        yield Case("words", tuple(one.replace("{}", word) for one in shape), {"mul.v": VERILOG})


def verilog(random: Random) -> Iterator[Case]:
    """Verilog, SystemVerilog, VHDL and C sources, mutated."""
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
            name, text = random.choice(
                (("mul.v", VERILOG), ("mul.sv", SYSTEMVERILOG), ("mul.vhd", VHDL))
            )
            command = (command[0], f"in/{name}", *command[2:])
            yield Case("verilog", command, {name: mutated(text, random)})


MEMORY = b"""module m(input [3:0] a, input [3:0] b, output [7:0] p);
  reg [7:0] t[0:255];
  initial $readmemh("mem.hex", t);
  assign p = t[{a, b}];
endmodule
"""


def special(random: Random) -> Iterator[Case]:
    """What is no file, as every input of every command."""
    study = ("--out", "out")
    places: list[tuple[str, tuple[str, ...]]] = [
        *((f"x{end}", ("metrics", f"in/x{end}")) for end in
          (".npz", ".csv", ".npy", ".hex", ".h", ".txt", ".bin", ".v", ".sv", ".vhd", ".toml",
          ".c")),
        ("x.py", ("metrics", "in/x.py:f")), ("x.v", ("metrics", "in/mul.v", "--with", "in/x.v")),
        ("x.v", ("inspect", "in/x.v")), ("x.v", ("mutate", "in/x.v")), ("x.v", ("compare",
         "figures:in/x.v", "exact")),
        ("mul.toml", ("lut", "in/mul.v", *study)), ("x.h", ("convert", "in/x.h", "out/x.npz")),
        ("x.npz", ("compare", "in/x.npz", "exact")), ("exact.npz", ("metrics", "exact", "--luts",
         "in")),
        ("x", ("convert", "in/x", "out/x.npz", "--from", "npz")), ("rtl/mul_exact.v", ("lut",
         "exact", "--rtl", "in/rtl", *study)),
        ("x.pt", ("plan", "lenet5", "--weights", "in/x.pt")), ("x.safetensors", ("plan", "lenet5",
         "--weights", "in/x.safetensors")),
        ("s.toml", ("study", "run", "in/s.toml", *study)), ("s.toml", ("study", "status",
         "in/s.toml")),
        ("s/study.json", ("study", "status", "in/s")), ("s/store.json", ("study", "status",
         "in/s")),
        ("x.json", ("study", "report", "in/s", "--cost", "in/x.json")),
        ("s/store.json", ("study", "diff", "in/s", "in/all.parquet")), ("x.parquet", ("study",
         "diff", "in/x.parquet", "in/s")),
        ("s/records/0-0.parquet", ("study", "diff", "in/s", "in/s")), ("s/records", ("study",
         "diff", "in/s", "in/s")),
        ("set/test/a/x.png", ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir",
         "in")),
        ("set/test/a", ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir", "in")),
        ("set/test", ("accuracy", "lenet5", "-m", "exact", "--data", "set", "--data-dir", "in")),
        ("MNIST/raw/t10k-images-idx3-ubyte", ("accuracy", "lenet5", "-m", "exact", "--data",
         "mnist", "--data-dir", "in")),
        ("cifar-10-batches-py/data_batch_1", ("accuracy", "resnet50", "-m", "exact", "--data",
         "cifar10", "--data-dir", "in")),
        ("inc", ("lut", "in/mul.v", "-I", "in/inc", *study)), ("o", ("lut", "in/mul.v", "--out",
         "in/o")),
        ("../out/x.csv", ("convert", "exact", "out/x.csv")), ("mem.hex", ("lut", "in/memory.v",
         *study)),
    ]  # fmt: skip
    every = [(name, command, kind) for name, command in places for kind in SPECIAL]
    random.shuffle(every)
    for name, command, kind in itertools.cycle(every):
        files: dict[str, bytes | Special] = {
            "mul.v": VERILOG,
            "memory.v": MEMORY,
            **result_files(),
            "s.toml": toml_of(STUDY, top=True).encode(),
        }
        for other in [one for one in files if one.startswith(f"{name}/")]:
            del files[other]
        if command[0] == "accuracy" and "MNIST" in name:
            files |= {
                f"MNIST/raw/{n}": b"x"
                for n in (
                    "t10k-labels-idx1-ubyte",
                    "train-images-idx3-ubyte",
                    "train-labels-idx1-ubyte",
                )
            }
        yield Case("special", command, {**files, name: Special(kind)})


def numbers(random: Random) -> Iterator[Case]:
    """Every option that takes a number, in a command that is right without it."""
    from typer.main import get_command

    from axhil.cli.main import app

    bases = {
        "lut": ("lut", "in/mul.v", "--out", "out"), "metrics": ("metrics", "exact"),
        "cost": ("cost", "exact", "--width", "4"), "faults": ("faults", "exact", "--width", "4"),
        "compare": ("compare", "exact", "exact"), "convert": ("convert", "exact", "out/x.csv"),
        "inspect": ("inspect", "exact"), "rtl": ("rtl", "exact"), "plan": ("plan", "lenet5"),
        "accuracy": ("accuracy", "lenet5", "-m", "exact", "--images", "2"),
        "eval": ("eval", "lenet5", "-m", "exact", "--attack", "fgsm", "--norm", "linf", "--eps",
        "0", "--images", "1"),
        "search": ("search", "lenet5", "-m", "exact,drum(3)", "--objective", "clean", "--objective",
        "robust", "--attack", "fgsm", "--eps", "0.1", "--images", "2", "--search-images", "2",
        "--rounds", "1", "--out", "out"),
        "train": ("train", "lenet5"), "retrain": ("retrain", "lenet5", "-m", "exact"),
        "verify": ("verify", "exact"), "mutate": ("mutate",
        "in/mul.v"),
        "cosim": ("cosim", "lenet5", "--images", "1", "--layers", "fc3"), "info": ("info",),
        "study run": ("study", "run", "in/s.toml", "--out", "out"), "study diff": ("study", "diff",
        "in/s", "in/s"),
        "study status": ("study", "status", "in/s"), "study report": ("study", "report", "in/s"),
        "study export": ("study", "export", "in/s", "out/x.parquet"),
    }  # fmt: skip
    commands: Any = get_command(app)
    places = []
    for name in commands.commands:
        command = commands.commands[name]
        for title, one in (
            {f"{name} {k}": v for k, v in command.commands.items()}
            if hasattr(command, "commands")
            else {name: command}
        ).items():
            places += [
                (bases[title], parameter.opts[0])
                for parameter in one.params
                if parameter.param_type_name == "option" and _is_number(parameter)
            ]
    every = list(itertools.product(places, NUMBERS))
    random.shuffle(every)
    for (base, option), value in itertools.cycle(every):
        yield Case(
            "numbers",
            (*base, f"{option}={value}"),
            {"mul.v": VERILOG, **result_files(), "s.toml": toml_of(STUDY, top=True).encode()},
        )


def _is_number(parameter: Any) -> bool:
    described = getattr(parameter, "type_descriptor", None)  # typer's own; of click in older ones
    kind = str(described.annotation) if described else parameter.type.name
    return "int" in kind or "float" in kind
