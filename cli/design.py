# SPDX-License-Identifier: Apache-2.0
"""`axhil inspect`, and what `axhil lut` does with somebody's Verilog files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axhil.study.errors import StudyError

from .console import notice, out, progress
from .output import results_folder

if TYPE_CHECKING:
    from axhil.hwsim.multipliers import FromVerilog, VerilogSource
    from axhil.hwsim.multipliers.sampling import Sample
    from axhil.hwsim.multipliers.source import Sign
    from axhil.hwsim.verilog.circuit import Circuit

_SUFFIXES = (".v", ".sv", ".vh", ".svh")

Top = Annotated[
    str | None, typer.Option(help="Top module of Verilog files; default: the uninstantiated one.")
]
PortA = Annotated[str | None, typer.Option("--a", help="First operand port of Verilog files.")]
PortB = Annotated[str | None, typer.Option("--b", help="Second operand port.")]
PortP = Annotated[str | None, typer.Option("--p", help="Product port.")]
WeightPort = Annotated[
    str | None, typer.Option(help="The operand port that is the weight, the table's column.")
]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="Verilog parameter of the top; repeatable."),
]
Include = Annotated[
    list[Path] | None, typer.Option("--include", "-I", help="Folder of included files; repeatable.")
]
Tie = Annotated[
    list[str] | None,
    typer.Option("--tie", metavar="PORT=VALUE", help="Hold another input; repeatable."),
]
WrapSigned = Annotated[
    bool,
    typer.Option("--wrap-signed", help="Put an unsigned core into a sign-magnitude wrapper."),
]
SampleSize = Annotated[
    int | None,
    typer.Option(
        "--sample", min=1, help="Simulate so many operand pairs instead of all; no table then."
    ),
]
TimeLimit = Annotated[
    float, typer.Option(min=0.1, help="Seconds without progress before a simulation is ended.")
]


@dataclass(frozen=True)
class FileOptions:
    """What a command was told about Verilog files; the fields are its options.

    `unused` has those that only multipliers of the catalogue have, by their spelling.
    """

    top: str | None = None
    a: str | None = None
    b: str | None = None
    p: str | None = None
    weight_port: str | None = None
    param: list[str] | None = None
    include: list[Path] | None = None
    tie: list[str] | None = None
    signed: bool | None = None
    wrap_signed: bool = False
    sample: int | None = None
    time_limit: float = 60.0
    jobs: int | None = None

    def facts(self, more: Sequence[Path] = ()) -> VerilogSource:
        """What they say about Verilog.

        Args:
            more: further files of the design.

        Raises:
            StudyError: they contradict each other.
            HwsimError: a malformed one.
        """
        from axhil.hwsim.multipliers import VerilogSource
        from axhil.hwsim.multipliers.source import setting, tie

        if self.wrap_signed and self.signed:
            raise StudyError("--wrap-signed: expected an unsigned core, got --signed too")
        sign: Sign | None = None
        if self.signed is not None:
            sign = "signed" if self.signed else "unsigned"
        return VerilogSource(
            more=tuple(more),
            top=self.top,
            a=self.a,
            b=self.b,
            p=self.p,
            weight=self.weight_port,
            parameters=dict(setting(text, where="--param") for text in self.param or ()),
            sign="wrap" if self.wrap_signed else sign,
            ties=dict(tie(text, where="--tie") for text in self.tie or ()),
            includes=tuple(self.include or ()),
        )

    def given(self) -> list[str]:
        """Spellings of the options that only Verilog files have, where they were given."""
        return [
            f"--{name.replace('_', '-')}"
            for name, default in vars(FileOptions()).items()
            if name not in {"signed", "jobs"} and getattr(self, name) != default
        ]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("inspect")(_inspect)


def is_file_argument(text: str) -> bool:
    """Whether an argument of `axhil lut` is one of the Verilog files of a design."""
    return text.lower().endswith(_SUFFIXES)


def extract_file(
    arguments: Sequence[str], options: FileOptions, *, out_dir: Path, unused: Sequence[str] = ()
) -> None:
    """Tabulate the multiplier in Verilog files, or sample one that is too wide for a table.

    Args:
        arguments: files of one design, in compilation order.
        options: what was said about them.
        out_dir: folder for `<top>.npz`, or for `<top>.sample.json`.
        unused: options that were given and mean nothing for files.

    Raises:
        StudyError: names among the files, or options that contradict each other.
        HwsimError: as `read_circuit`, `tabulate` and `sample`.
    """
    from axhil.hwsim.operands import MAX_BITS
    from axhil.hwsim.tools.simulators import chosen

    names = [text for text in arguments if not is_file_argument(text)]
    if names:
        raise StudyError(f"expected Verilog files alone or multipliers alone, got {names[0]} too")
    if unused:
        raise StudyError(f"{unused[0]}: for multipliers of the catalogue, not for Verilog files")
    circuit = read_files([Path(text) for text in arguments], options).circuit()
    chosen()  # a simulator that is missing should leave no folder behind
    with results_folder(out_dir):
        if options.sample is None and max(circuit.operands.bits) <= MAX_BITS:
            _write_table(circuit, options, out_dir)
        else:
            _write_sample(circuit, options, out_dir)
    for note in circuit.notes:
        notice(f"{circuit.multiplier}: {note}")


def write_tables(
    words: Sequence[str],
    *,
    out_dir: Path,
    width: int | None,
    signed: bool | None,
    jobs: int | None,
) -> None:
    """Write the table of each word that is neither Verilog files nor of the catalogue.

    Raises:
        HwsimError: as `find` and `make_tables`.
    """
    from axhil.hwsim.multipliers import Request, find, make_tables
    from axhil.hwsim.operands import Asked, Operands

    request = Request(
        Asked(width, signed, default=Operands.both(8, signed is not False)), cache=False
    )
    found = [find(word, request) for word in words]
    if not found:
        return
    with (
        results_folder(out_dir),
        progress("making tables", total=len(found), unit="tables") as tick,
    ):
        make_tables(found, jobs=jobs, progress=lambda made, _, name: tick(made, f"made {name}"))
    for one in found:
        table = one.table()
        path = out_dir / f"{re.sub(r'[^A-Za-z0-9]+', '_', one.name).strip('_')}.npz"
        table.save(path)
        for note in one.notes:
            notice(note)
        out.print(
            f"{one.label:8} {table.table.size:,} products  sha256 {table.sha256[:12]}  {path}",
            soft_wrap=True,
        )


def read_files(files: Sequence[Path], options: FileOptions) -> FromVerilog:
    """The multiplier in Verilog files of one design; never from the cache.

    Raises:
        StudyError: options that contradict each other.
        HwsimError: as `find`; options that are malformed.
    """
    from axhil.hwsim.multipliers import FromVerilog, Request, find

    request = Request(facts=options.facts(files[1:]), time_limit=options.time_limit, cache=False)
    found = find(str(files[0]), request)
    assert isinstance(found, FromVerilog)
    return found


def _write_table(circuit: Circuit, options: FileOptions, out_dir: Path) -> None:
    from axhil.hwsim.multipliers.tabulation import tabulate

    with progress("simulating", total=circuit.operands.product.count, unit="products") as tick:
        table = tabulate(
            circuit,
            jobs=options.jobs,
            limit=options.time_limit,
            progress=lambda done, _total: tick(done, f"simulating {circuit.multiplier}"),
        )
    path = out_dir / f"{circuit.multiplier}.npz"
    table.save(path)
    found = table.manifest["metrics"]
    out.print(_description(circuit, table.manifest), soft_wrap=True)
    out.print(
        f"{circuit.multiplier}  {table.table.size:,} products  sha256 {table.sha256[:12]}  {path}",
        soft_wrap=True,
    )
    out.print(
        f"MAE {found['mae']:.6g}  WCE {found['wce']:,}  EP {100 * found['ep']:.4g} %  "
        f"MRE {100 * found['mre']:.4g} %  bias {found['bias']:.6g}",
        soft_wrap=True,
    )


def _write_sample(circuit: Circuit, options: FileOptions, out_dir: Path) -> None:
    from axhil.hwsim.files import write_atomically
    from axhil.hwsim.multipliers.sampling import DRAWS, sample

    draws = options.sample or DRAWS
    with progress("simulating", total=draws, unit="products") as tick:
        found = sample(
            circuit,
            draws=draws,
            jobs=options.jobs,
            limit=options.time_limit,
            progress=lambda done, _total: tick(min(done, draws), f"sampling {circuit.multiplier}"),
        )
    path = out_dir / f"{circuit.multiplier}.sample.json"
    write_atomically(path, (json.dumps(found.as_dict(), indent=2) + "\n").encode())
    out.print(_description(circuit, found.manifest), soft_wrap=True)
    out.print(_sentence(circuit.multiplier, found), soft_wrap=True)
    out.print(f"record: {path}", soft_wrap=True)


def _sentence(top: str, found: Sample) -> str:
    a, b = found.worst
    return (
        f"{top}: SAMPLE of {found.count:,} of {found.population:,} operand pairs and "
        f"{found.corners:,} corners, no complete table; estimates with 95 % margins: "
        f"MAE {found.mae}, MRE {found.mre}, EP {found.ep}, bias {found.bias}; "
        f"WCE at least {found.wce:,}, at {a:,} x {b:,}"
    )


def _description(circuit: Circuit, manifest: Mapping[str, Any]) -> str:
    roles = (circuit.core or circuit).roles
    signs = ("signed" if signed else "unsigned" for signed in circuit.operands.signs)
    kind = " x ".join(dict.fromkeys(signs))
    a_bits, b_bits = circuit.operands.bits
    where = {
        "declared": "declared",
        "option": "as told",
        "name": "from its name",
        "wrapper": "sign-magnitude wrapper",
    }
    sign = f"{kind} ({where[circuit.signed_from]})"
    timing = (
        "combinational"
        if roles.clock is None
        else f"latency {manifest.get('latency', 0)} cycles of {roles.clock}"
    )
    return (
        f"{circuit.name}: {a_bits} x {b_bits} bits, {sign}, "
        f"{roles.activation} = activation (row), {roles.weight} = weight (column), "
        f"{roles.product} = product of {roles.product_bits} bits, {timing}"
    )


def _inspect(
    files: Annotated[list[Path], typer.Argument(help="Verilog files of one design.")],
    top: Top = None,
    param: Param = None,
    include: Include = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Show what pyverilog sees in a design: hierarchy, logic from input to output bits, flaws."""
    from axhil.hwsim.multipliers.source import setting
    from axhil.hwsim.netlist.inspection import inspect

    from .design_text import design_text

    report = inspect(
        files,
        top=top,
        parameters=dict(setting(text, where="--param") for text in param or ()),
        includes=include or (),
    )
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        for part in design_text(report):
            out.print(part)
