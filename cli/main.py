# SPDX-License-Identifier: Apache-2.0
"""The command `axhil`. Each command parses, calls one function of the packages, and prints.

Heavy imports stand inside the commands: `axhil --help` answers before torch would be loaded.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from axhil.errors import AxhilError

from . import cosim as cli_cosim
from . import design
from . import exchange as cli_exchange
from . import mutate as cli_mutate
from . import network as cli_network
from . import options as opt
from . import study as cli_study
from .console import err, notice, out, progress
from .output import results_folder

NETWORKS_EXTRA = (
    *("torch", "torchvision", "mlxtend", "pandas", "pyarrow"),
    *("pydantic", "PIL", "scipy", "safetensors", "jinja2"),
)
"""What the extra `networks` installs: gates on tables need none of it."""

app = typer.Typer(
    help="From Verilog to adversarial robustness: approximate multipliers, hardware in the loop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Multipliers, e.g. exact 'drum(4)' 'scaletrim(4,8)'; default: seven."),
]
Designs = Annotated[
    list[str] | None,
    typer.Argument(
        help="Multipliers, e.g. 'drum(4)', default: seven; or Verilog files of one design."
    ),
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Simulators at a time; default: all cores.")]


@app.command()
def lut(
    multipliers: Designs = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the tables.")] = Path(
        "out/luts"
    ),
    width: Annotated[int | None, typer.Option(help="Operand bits, 4 to 12; default: 8.")] = None,
    signed: Annotated[
        bool | None,
        typer.Option("--signed/--unsigned", help="Operand type; default: signed, or as declared."),
    ] = None,
    jobs: Jobs = None,
    check_golden: Annotated[
        bool, typer.Option(help="Compare with the golden tables; differ: exit code 1.")
    ] = False,
    top: design.Top = None,
    a: design.PortA = None,
    b: design.PortB = None,
    p: design.PortP = None,
    weight_port: design.WeightPort = None,
    param: design.Param = None,
    include: design.Include = None,
    tie: design.Tie = None,
    wrap_signed: design.WrapSigned = False,
    sample: design.SampleSize = None,
    time_limit: design.TimeLimit = 60.0,
) -> None:
    """Simulate RTL exhaustively and write its table: our multipliers, Verilog files, any word."""
    from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued, Operand, compare, extract, golden
    from axhil.hwsim.multipliers.find import Origin, origin_of
    from axhil.hwsim.tools.simulators import chosen

    files = design.FileOptions(
        top=top,
        a=a,
        b=b,
        p=p,
        weight_port=weight_port,
        param=param,
        include=include,
        tie=tie,
        signed=signed,
        wrap_signed=wrap_signed,
        sample=sample,
        time_limit=time_limit,
        jobs=jobs,
    )
    if any(design.is_file_argument(text) for text in multipliers or ()):
        catalogue = {"--width": width is not None, "--check-golden": check_golden}
        unused = [option for option, given in catalogue.items() if given]
        design.extract_file(multipliers or [], files, out_dir=out_dir, unused=unused)
        return
    if files.given():
        raise AxhilError(f"{files.given()[0]}: for Verilog files, e.g. axhil lut path/to/mul.v")
    words = multipliers or [str(one) for one in PAPER_MULTIPLIERS]
    others = [word for word in words if origin_of(word) is not Origin.catalogue]
    design.write_tables(others, out_dir=out_dir, width=width, signed=signed, jobs=jobs)
    operand = Operand(8 if width is None else width, signed is not False)
    wanted = [Catalogued.parse(word, operand=operand) for word in words if word not in others]
    if not wanted:
        return
    total = len(wanted)
    chosen()
    with (
        results_folder(out_dir),
        progress("simulating", total=total, unit="tables") as tick,
    ):
        tables = extract(
            wanted,
            jobs=jobs,
            progress=lambda m, done, _total: tick(done, f"simulated {m}"),
        )
    differ = False
    for multiplier, table in tables.items():
        path = out_dir / f"{multiplier.slug}.npz"
        table.save(path)
        verdict = ""
        if check_golden:
            report = compare(golden(multiplier), table)
            differ |= not report.equal
            verdict = "  equal to golden" if report.equal else f"  {report.sentence()}"
        out.print(
            f"{multiplier.label:8} {table.table.size:,} products  sha256 {table.sha256[:12]}  "
            f"{path}{verdict}",
            soft_wrap=True,
        )
    if differ:
        raise typer.Exit(1)


@app.command()
def verify(
    multipliers: Names = None,
    jobs: Jobs = None,
    rtl: Annotated[Path | None, typer.Option(help="Another Verilog folder.")] = None,
) -> None:
    """Simulate the RTL again and compare with the golden tables. Exit code 1 if any differs."""
    from axhil.hwsim import PAPER_MULTIPLIERS, Catalogued
    from axhil.hwsim import verify as verify_tables

    wanted = [Catalogued.parse(m, rtl=rtl) for m in multipliers or map(str, PAPER_MULTIPLIERS)]
    with progress("simulating", total=len(wanted), unit="tables") as tick:
        reports = verify_tables(
            wanted,
            jobs=jobs,
            progress=lambda m, done, _total: tick(done, f"simulated {m}"),
        )
    for report in reports:
        mark = "[green]equal  [/green]" if report.equal else "[red]DIFFERS[/red]"
        out.print(f"{mark} {report.sentence()}", soft_wrap=True)
        for difference in report.first[1:]:
            out.print(f"          {difference}", soft_wrap=True)
    if not all(report.equal for report in reports):
        raise typer.Exit(1)


@app.command()
def metrics(
    multipliers: Names = None,
    luts: opt.Luts = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Error metrics of multipliers or of table files (MAE, WCE, MRE, ...)."""
    import json

    from axhil.hwsim import PAPER_MULTIPLIERS, error_metrics
    from axhil.hwsim.multipliers import NETWORKS, find, make_tables
    from axhil.report.measurements import errors
    from axhil.report.terminal import terminal_table

    request = replace(NETWORKS, luts=luts)
    wanted = [find(text, request) for text in multipliers or map(str, PAPER_MULTIPLIERS)]
    with progress("making tables", total=len(wanted), unit="tables") as tick:
        make_tables(wanted, progress=lambda made, _, name: tick(made, f"made {name}"))
    for note in dict.fromkeys(note for one in wanted for note in one.notes):
        notice(note)
    if as_json:
        body = {one.name: error_metrics(one.table()).as_dict() for one in wanted}
        typer.echo(json.dumps(body, indent=2))
    else:
        out.print(terminal_table(errors(wanted)))


@app.command()
def rtl(
    multiplier: Annotated[str, typer.Argument(help="E.g. exact, 'drum(4)', 'scaletrim(4,8)'.")],
    width: Annotated[int, typer.Option(help="Operand bits, 4 to 16.")] = 8,
    signed: Annotated[
        bool, typer.Option("--signed/--unsigned", help="Inside a sign-magnitude wrapper.")
    ] = False,
    folder: Annotated[Path | None, typer.Option("--rtl", help="Another Verilog folder.")] = None,
) -> None:
    """Print a multiplier as one stand-alone Verilog file, its constants in place."""
    from axhil.hwsim import Catalogued, Operand, standalone

    wanted = Catalogued.parse(multiplier, operand=Operand(width, signed), rtl=folder)
    typer.echo(standalone(wanted), nl=False)


cli_network.register(app)


@app.command()
def info() -> None:
    """Versions, simulator, processor, where tables and weights come from."""
    from .information import information

    for key, value in information().items():
        out.print(f"[bold]{key:14}[/bold] {value}", soft_wrap=True)


cli_cosim.register(app)
app.add_typer(cli_study.app, name="study")
design.register(app)
cli_exchange.register(app)
cli_mutate.register(app)


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    # A notice is a sentence, without the line of code that gave it.
    warnings.formatwarning = lambda message, *_: f"axhil: {message}\n"
    try:
        # Not on its own: its complaints would take four lines.
        sys.exit(app(prog_name="axhil", standalone_mode=False) or 0)
    except AxhilError as error:
        _fail(str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{where}")
    except ModuleNotFoundError as error:
        if error.name not in NETWORKS_EXTRA:
            raise
        _fail(
            f"this command needs {error.name}, found no such package: pip install 'axhil[networks]'"
        )
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _usage(error)


def _usage(error: Exception) -> None:
    """A mistake in the options, or a call without any that shows the help.

    Told by what it offers: typer carries a copy of click in some versions, uses it in others.
    """
    sentence = getattr(error, "format_message", str)()
    command = getattr(getattr(error, "ctx", None), "command_path", "axhil")
    if "\n" in sentence:
        typer.echo(sentence, err=True)
        sys.exit(2)
    _fail(f"{sentence.replace('Value error, ', '').rstrip('.')} ({command} --help)")


def _fail(sentence: str) -> None:
    err.print("axhil:", style="red", end=" ")
    err.print(sentence, soft_wrap=True, markup=False)
    sys.exit(2)
