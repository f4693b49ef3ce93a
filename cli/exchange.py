# SPDX-License-Identifier: Apache-2.0
"""`axhil compare` and `axhil convert`: tables, models and other tools' files against each other."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from axhil.hwsim import Catalogued, Lut
from axhil.hwsim.files import write_atomically
from axhil.hwsim.formats import FORMATS, write_table
from axhil.hwsim.multipliers import (
    FromFile,
    Multiplier,
    Request,
    VerilogSource,
    find,
    find_pair,
)
from axhil.hwsim.multipliers.comparing.comparison import (
    Comparison,
    FigureComparison,
    compare_tables,
)
from axhil.hwsim.multipliers.comparing.exhaustive import compare_wide, is_wide
from axhil.hwsim.multipliers.comparing.opinion import Opinion, second_opinions
from axhil.hwsim.multipliers.comparing.printed import PREFIX, check_figures, read_figures
from axhil.hwsim.multipliers.comparing.proving import Equivalence, is_countable, prove_equal
from axhil.hwsim.multipliers.from_model import FromModel
from axhil.hwsim.netlist.equivalence import LIMIT
from axhil.study.errors import StudyError

from .console import Json, emit, out, progress
from .multipliers import made, say_without_yosys, verilog_options
from .output import slug
from .tables import Rtl

app = typer.Typer()

_UNKNOWN = 3
"""Exit code where nothing shows that two multipliers are equal, or that they are not."""
_MARKS: dict[bool | None, str] = {
    True: "[green]equal  [/green]",
    False: "[red]DIFFERS[/red]",
    None: "[yellow]UNKNOWN[/yellow]",
}


@app.command()
@verilog_options("x", "y", assumed=False)
def compare(
    x: Annotated[
        str,
        typer.Argument(
            help="A multiplier, a table (.npz or another tool's), Verilog, a C model, "
            "module:function, formula:MULTIPLIER, or figures:FILE."
        ),
    ],
    y: Annotated[str, typer.Argument(help="What to compare it with, likewise.")],
    *,
    request: Request,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate multipliers instead of golden tables.")
    ] = False,
    rtl: Rtl = None,
    heatmap: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="PNG of where they differ; default: out/compare_X_Y.png if they do.",
        ),
    ] = None,
    no_heatmap: Annotated[bool, typer.Option("--no-heatmap", help="Write no PNG.")] = False,
    limit: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=1e6,
            metavar="SECONDS",
            help="For a proof, where there are too many products to compute each.",
        ),
    ] = LIMIT,
    as_json: Json = False,
) -> None:
    r"""Compare two multipliers product by product. Exit code 1 if they differ, 3 if unknown.

    Beyond 32 bits of both operands together they are proved equal, or not, from their gates.

    What Verilog does not say may differ: axhil compare 'mul.v\[K=3]' 'mul.v\[K=4]'
    """
    if heatmap is not None and no_heatmap:
        raise StudyError("expected --heatmap FILE or --no-heatmap, got both")
    if heatmap is not None and heatmap.suffix.lower() != ".png":
        raise StudyError(f"--heatmap: expected a file that ends in .png, got {heatmap}")
    request = replace(request, simulate=simulate or rtl is not None, rtl=rtl)
    printed = [word for word in (x, y) if word.startswith(PREFIX)]
    if len(printed) == 2:
        raise StudyError("expected at least one table, got the printed figures of two files")
    written, opinions = None, dict[str, Opinion | None]()
    result: Comparison | Equivalence | FigureComparison
    if printed:
        multiplier = find(y if x.startswith(PREFIX) else x, request)
        result = _figures(Path(printed[0].removeprefix(PREFIX)), multiplier)
        notes, lines = multiplier.notes, [str(one) for one in result.figures]
    else:
        first, second = pair = find_pair(x, y, request, request)
        # One file name in two folders is no name for either.
        names = (x, y) if first.name == second.name else (first.name, second.name)
        result, opinions = _compared(pair, names, limit=limit)
        if heatmap is not None or not (result.equal or no_heatmap or is_wide(first)):
            written = heatmap or Path("out") / f"compare_{slug(names[0])}_{slug(names[1])}.png"
            if not isinstance(result, Comparison):
                raise StudyError(f"--heatmap: expected a table of both, got {first.operands}")
            _draw(result, first.table(), second.table(), written)
        notes = tuple(dict.fromkeys(note for one in pair for note in one.notes))
        lines = _details(result) if isinstance(result, Comparison) else []
        lines += [f"{name}: {one.sentence()}" for name, one in opinions.items() if one]
        lines += [f"heat map: {written}"] if written else []
    out.print(_MARKS[result.equal], end=" ")
    out.print(result.sentence(), soft_wrap=True, markup=False)
    for line in lines:
        out.print(f"          {line}", soft_wrap=True, markup=False)
    if as_json:
        gates = {name: one and one.as_dict() for name, one in opinions.items()}
        body = {"notes": notes, "gates": gates, "heatmap": written and str(written)}
        emit({**result.as_dict(), **body})
    if not result.equal:
        raise typer.Exit(1 if result.equal is False else _UNKNOWN)


def _compared(
    pair: tuple[Multiplier, Multiplier], names: tuple[str, str], *, limit: float
) -> tuple[Comparison | Equivalence, dict[str, Opinion | None]]:
    """The tables of two multipliers, and opinions on simulated ones; or their gates."""
    first, second = pair
    if is_wide(first):
        return _compared_wide(pair, names, limit=limit), {}
    simulated = [one for one in dict.fromkeys(pair) if _is_simulated(one)]
    with second_opinions(simulated) as opinion:
        made(pair)
        opinions = {one.name: opinion(one, one.table()) for one in simulated}
    if simulated:
        say_without_yosys()
    return compare_tables(first.table(), second.table(), names=names), opinions


def _compared_wide(
    pair: tuple[Multiplier, Multiplier], names: tuple[str, str], *, limit: float
) -> Comparison | Equivalence:
    """Without tables; models keep running while they are compared."""
    with ExitStack() as stack:
        x, y = (
            stack.enter_context(one.running()) if isinstance(one, FromModel) else one
            for one in pair
        )
        if not is_countable(x, y):
            return prove_equal(x, y, names=names, limit=limit)
        total = x.operands.product.count
        with progress("comparing", total=total, unit="products") as tick:
            return compare_wide(x, y, names=names, progress=lambda done, _: tick(done, names[0]))


def _is_simulated(multiplier: Multiplier) -> bool:
    """Whether its table is what a simulator makes of Verilog."""
    golden = isinstance(multiplier, Catalogued) and multiplier.is_golden
    return multiplier.circuit() is not None and not golden


def _figures(file: Path, multiplier: Multiplier) -> FigureComparison:
    """What a file prints about a multiplier against its table."""
    made([multiplier])
    checked = check_figures(read_figures(file), multiplier.table())
    return FigureComparison(multiplier.name, f"the header of {file.name}", checked)


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
    from axhil.report.figures.errors import difference_figure
    from axhil.report.figures.saving import png

    path.parent.mkdir(parents=True, exist_ok=True)
    names = (comparison.x, comparison.y)
    figure = difference_figure(x, y, names=names, title=comparison.sentence())
    write_atomically(path, png(figure))


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
