# SPDX-License-Identifier: Apache-2.0
"""`axhil convert`: tables and models to the formats of other tools."""

from pathlib import Path
from typing import Annotated

import typer

from axhil.hwsim import Lut
from axhil.hwsim.formats import FORMATS, write_table
from axhil.hwsim.multipliers import FromFile, Request, VerilogSource, find
from axhil.hwsim.multipliers.comparing.printed import PREFIX
from axhil.study.errors import StudyError

from .console import Json, emit, out
from .multipliers import made, verilog_options

app = typer.Typer()


@app.command()
@verilog_options("source", assumed=False)
def convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A table of any format, a multiplier or a model.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    *,
    request: Request,
    read_as: Annotated[
        str | None, typer.Option("--from", help="Format of IN; default: by its suffix.")
    ] = None,
    write_as: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="Format of OUT: npz, adapt, transaxx, tfapprox, approxtorch, appmult, npy, hex, "
            "csv; default: by its suffix.",
        ),
    ] = None,
    swap: Annotated[
        bool, typer.Option("--swap", help="Exchange the two operands, so that row = weight.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Convert a table between axhil's and other tools' formats; nothing is rounded or cut."""
    if source.startswith(PREFIX):
        raise StudyError(f"expected a table to convert, got printed {source}")
    if read_as is None:
        multiplier = find(source, request)
    elif request.facts != VerilogSource():
        raise StudyError(f"--from {read_as}: expected no options about Verilog with it")
    else:
        multiplier = FromFile(Path(source), form=read_as, requested=request.operands)
    made([multiplier])
    lut = multiplier.table()
    if swap:
        # What the manifest says of the hardware no longer holds of the exchanged table.
        manifest = {"top": f"{lut.name} swapped", "swapped_from": lut.sha256}
        lut = Lut(lut.table.T, lut.weight, lut.activation, manifest)
    name = write_table(lut, target, form=write_as)
    exchanged = ", operands exchanged" if swap else ""
    out.print(
        f"{source} ({lut.operands}{exchanged}) -> {target} ({name}), table sha256 "
        f"{lut.sha256[:12]}",
        soft_wrap=True,
        markup=False,
    )
    form = FORMATS.get(name)
    about = {} if form is None else {"order": form.order, "roles": form.roles}
    for key, sentence in about.items():
        out.print(f"  {key}: {sentence}", soft_wrap=True, markup=False)
    if as_json:
        body = {"source": source, "target": str(target), "format": name, "sha256": lut.sha256}
        emit({**body, "operands": lut.operands.code, "swapped": swap, **about})
