# SPDX-License-Identifier: Apache-2.0
"""`axhil compare` and `axhil convert`: tables, models and other tools' files against each other."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axhil.study.errors import StudyError

from . import sides
from .console import notice, out

if TYPE_CHECKING:
    from axhil.hwsim import Lut
    from axhil.hwsim.multipliers import Multiplier
    from axhil.hwsim.multipliers.comparison import Comparison, FigureComparison
    from axhil.hwsim.operands import Asked

Width = Annotated[int | None, typer.Option(help="Operand bits, where nothing else tells.")]
Signed = Annotated[
    bool | None,
    typer.Option("--signed/--unsigned", help="Operand type, where nothing else tells."),
]
Function = Annotated[
    str | None, typer.Option(help="Function of a C model, where it has several of two integers.")
]
TimeLimit = Annotated[
    float,
    typer.Option(
        min=0.1, help="Seconds that a C or Python model may take, or Verilog without progress."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("compare")(_compare)
    app.command("convert")(_convert)


def _compare(
    x: Annotated[
        str,
        typer.Argument(
            help="A multiplier, a table (.npz or another tool's), Verilog, a C model, "
            "module:function, or figures:FILE."
        ),
    ],
    y: Annotated[str, typer.Argument(help="What to compare it with, likewise.")],
    width: Width = None,
    signed: Signed = None,
    function: Function = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate multipliers instead of golden tables.")
    ] = False,
    rtl: Annotated[
        Path | None, typer.Option(help="Another Verilog folder for multipliers; simulates them.")
    ] = None,
    heatmap: Annotated[
        Path | None,
        typer.Option(help="PNG of where they differ; default: out/compare_X_Y.png if they do."),
    ] = None,
    no_heatmap: Annotated[bool, typer.Option("--no-heatmap", help="Write no PNG.")] = False,
    time_limit: TimeLimit = 60.0,
    more: sides.With = None,
    top: sides.Top = None,
    a: sides.PortA = None,
    b: sides.PortB = None,
    p: sides.PortP = None,
    weight_port: sides.WeightPort = None,
    param: sides.Param = None,
    include: sides.Include = None,
    tie: sides.Tie = None,
    wrap_signed: sides.WrapSigned = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Compare two multipliers product by product. Exit code 1 if they differ.

    Options about Verilog, from --with on, hold for each side that is Verilog. A value behind x: or
    y: holds for that side alone: axhil compare mul.v mul.v --param x:K=3 --param y:K=4
    """
    from axhil.hwsim.multipliers import Request, find, find_pair, make_tables
    from axhil.hwsim.multipliers.comparison import compare_tables
    from axhil.hwsim.multipliers.printed import PREFIX

    if heatmap is not None and no_heatmap:
        raise StudyError("expected --heatmap FILE or --no-heatmap, got both")
    if heatmap is not None and heatmap.suffix.lower() != ".png":
        raise StudyError(f"--heatmap: expected a file that ends in .png, got {heatmap}")
    request = Request(
        _asked(width, signed), function=function, simulate=simulate, rtl=rtl, time_limit=time_limit
    )
    given = sides.Given(
        more=more,
        top=top,
        a=a,
        b=b,
        p=p,
        weight_port=weight_port,
        param=param,
        include=include,
        tie=tie,
        wrap_signed=wrap_signed,
    )
    facts = sides.two_sides(x, y, given, signed=signed)
    requests = [replace(request, facts=one) for one in facts]
    printed = [word for word in (x, y) if word.startswith(PREFIX)]
    if len(printed) == 2:
        raise StudyError("expected at least one table, got the printed figures of two files")
    written = None
    if printed:
        side = int(x.startswith(PREFIX))
        figures, notes = _figures(printed[0], find((x, y)[side], requests[side]))
        body, equal = figures.as_dict(), figures.equal
        lines = [] if as_json else [str(one) for one in figures.figures]
        sentence = figures.sentence()
    else:
        pair = find_pair(x, y, *requests)
        make_tables([*dict.fromkeys(pair)])
        first_lut, second_lut = (one.table() for one in pair)
        notes = tuple(dict.fromkeys(note for one in pair for note in one.notes))
        # One file name in two folders is no name for either.
        names = (x, y) if pair[0].name == pair[1].name else (pair[0].name, pair[1].name)
        tables = compare_tables(first_lut, second_lut, names=names)
        if heatmap is not None or not (tables.equal or no_heatmap):
            written = heatmap or Path("out") / f"compare_{_slug(names[0])}_{_slug(names[1])}.png"
            _draw(tables, first_lut, second_lut, written)
        body, equal, sentence = tables.as_dict(), tables.equal, tables.sentence()
        lines = _details(tables)
    if as_json:
        body |= {"notes": list(notes), "heatmap": None if written is None else str(written)}
        typer.echo(json.dumps(body, indent=2))
    else:
        for note in notes:
            notice(note)
        mark = "[green]equal  [/green]" if equal else "[red]DIFFERS[/red]"
        out.print(mark, end=" ")
        out.print(sentence, soft_wrap=True, markup=False)
        for line in [*lines, *([f"heat map: {written}"] if written else [])]:
            out.print(f"          {line}", soft_wrap=True, markup=False)
    if not equal:
        raise typer.Exit(1)


def _figures(word: str, multiplier: Multiplier) -> tuple[FigureComparison, tuple[str, ...]]:
    """What a file prints about a multiplier against its table, and the table's notes."""
    from axhil.hwsim.multipliers.comparison import FigureComparison
    from axhil.hwsim.multipliers.printed import PREFIX, check_figures, read_figures

    file = Path(word.removeprefix(PREFIX))
    checked = check_figures(read_figures(file), multiplier.table())
    found = FigureComparison(multiplier.name, f"the header of {file.name}", checked)
    return found, multiplier.notes


def _details(comparison: Comparison) -> list[str]:
    if comparison.worst is None:
        return []
    lines = [f"worst: {comparison.cell(comparison.worst)}"]
    lines += [f"first: {comparison.cell(one)}" for one in comparison.first]
    if len(comparison.quadrants) > 1:
        parts = [f"{q.name} {q.count:,} of {q.total:,}" for q in comparison.quadrants]
        lines.append(f"by signs: {', '.join(parts)}")
    return lines


def _draw(comparison: Comparison, x: Lut, y: Lut, path: Path) -> None:
    from axhil.hwsim.files import write_atomically
    from axhil.report.figures.errors import difference_figure
    from axhil.report.figures.saving import png

    path.parent.mkdir(parents=True, exist_ok=True)
    names = (comparison.x, comparison.y)
    figure = difference_figure(x, y, names=names, title=comparison.sentence())
    write_atomically(path, png(figure))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", Path(text).name).strip("_") or "table"


def _convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A table of any format, a multiplier or a model.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
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
    width: Width = None,
    signed: Signed = None,
    swap: Annotated[
        bool, typer.Option("--swap", help="Exchange the two operands, so that row = weight.")
    ] = False,
    function: Function = None,
    time_limit: TimeLimit = 60.0,
    more: sides.With = None,
    top: sides.Top = None,
    a: sides.PortA = None,
    b: sides.PortB = None,
    p: sides.PortP = None,
    weight_port: sides.WeightPort = None,
    param: sides.Param = None,
    include: sides.Include = None,
    tie: sides.Tie = None,
    wrap_signed: sides.WrapSigned = False,
) -> None:
    """Convert a table between axhil's and other tools' formats; nothing is rounded or cut."""
    from axhil.hwsim.formats import (
        FORMATS,
        write_table,
    )
    from axhil.hwsim.multipliers import FromFile, Request, find
    from axhil.hwsim.multipliers.printed import PREFIX

    asked = _asked(width, signed)
    given = sides.Given(
        more=more,
        top=top,
        a=a,
        b=b,
        p=p,
        weight_port=weight_port,
        param=param,
        include=include,
        tie=tie,
        wrap_signed=wrap_signed,
    )
    name = source if read_as is None else f"{source} as {read_as}"
    if source.startswith(PREFIX):
        raise StudyError(f"expected a table to convert, got printed {source}")
    in_verilog = read_as is None and sides.is_verilog(source)
    facts = sides.one_side(name, given, in_verilog=in_verilog, signed=signed)
    request = Request(asked, facts, function=function, time_limit=time_limit)
    multiplier = (
        find(source, request)
        if read_as is None
        else FromFile(Path(source), form=read_as, requested=asked)
    )
    lut = multiplier.table()
    if swap:
        lut = _swapped(lut)
    name = write_table(lut, target, form=write_as)
    for note in multiplier.notes:
        notice(note)
    exchanged = ", operands exchanged" if swap else ""
    out.print(
        f"{source} ({lut.operands}{exchanged}) -> {target} ({name}), table sha256 "
        f"{lut.sha256[:12]}",
        soft_wrap=True,
        markup=False,
    )
    if name in FORMATS:
        form = FORMATS[name]
        out.print(f"  order: {form.order}", soft_wrap=True, markup=False)
        out.print(f"  roles: {form.roles}", soft_wrap=True, markup=False)


def _asked(width: int | None, signed: bool | None) -> Asked:
    """The user's word; operands have 8 bits where neither it nor anything else says."""
    from axhil.hwsim.operands import Asked, Operands

    return Asked(width, signed, default=None if signed is None else Operands.both(8, signed))


def _swapped(lut: Lut) -> Lut:
    from axhil.hwsim import Lut as Table

    # What the manifest says of the hardware no longer holds of the exchanged table.
    manifest = {"top": f"{lut.name} swapped", "swapped_from": lut.sha256}
    return Table(lut.table.T, lut.weight, lut.activation, manifest)
