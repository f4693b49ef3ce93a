# SPDX-License-Identifier: Apache-2.0
"""`axhil compare`: multipliers, tables, models and other tools' files against each other."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from axhil.errors import AxhilError
from axhil.hwsim import Lut
from axhil.hwsim.files import write_atomically
from axhil.hwsim.multipliers import Multiplier, Request, find
from axhil.hwsim.multipliers.comparing.comparison import Comparison, FigureComparison
from axhil.hwsim.multipliers.comparing.exhaustive import is_wide
from axhil.hwsim.multipliers.comparing.pair import Pair, namesakes
from axhil.hwsim.multipliers.comparing.printed import PREFIX, check_figures, read_figures
from axhil.hwsim.multipliers.comparing.proving import Equivalence
from axhil.hwsim.netlist.equivalence import LIMIT
from axhil.study.errors import StudyError

from .console import Json, emit, out, progress
from .multipliers import made, say_without_yosys, verilog_options
from .output import slug
from .tables import Rtl
from .verdicts import JUnit, Verdicts, Wave, one_of, require_suffix, verdicts

app = typer.Typer()

_MARKS: dict[bool | None, tuple[str, int]] = {
    True: ("[green]equal  [/green]", 0),
    False: ("[red]DIFFERS[/red]", 1),
    None: ("[yellow]UNKNOWN[/yellow]", 3),
}
"""How a verdict looks, and its exit code; 3 where nothing shows that two are equal, or are not."""


@dataclass(frozen=True)
class _Finding:
    """What there is to say about two multipliers."""

    equal: bool | None
    sentence: str
    lines: list[str]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class _Wanted:
    """What is requested beside the verdict."""

    limit: float
    heatmap: Path | None
    no_heatmap: bool
    wave: Path | None
    several: bool = False

    def of(self, name: str) -> "_Wanted":
        """The same for one of several."""
        heatmap, wave = (path and one_of(path, name) for path in (self.heatmap, self.wave))
        return replace(self, heatmap=heatmap, wave=wave, several=True)


@app.command()
@verilog_options("x", "y", assumed=False)
def compare(
    x: Annotated[
        str,
        typer.Argument(
            help="A multiplier, a table (.npz or another tool's), Verilog, a C model, "
            "module:function, formula:MULTIPLIER, figures:FILE, or a folder."
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
    wave: Wave = None,
    junit: JUnit = None,
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

    Of two folders, each file of the first is compared with its namesake in the second. Beyond 32
    bits of both operands together two are proved equal, or not, from their gates.

    What Verilog does not say may differ: axhil compare 'mul.v\[K=3]' 'mul.v\[K=4]'
    """
    if heatmap is not None and no_heatmap:
        raise StudyError("expected --heatmap FILE or --no-heatmap, got both")
    require_suffix("--heatmap", heatmap, ".png")
    require_suffix("--wave", wave, ".vcd")
    request = replace(request, simulate=simulate or rtl is not None, rtl=rtl)
    wanted = _Wanted(limit, heatmap, no_heatmap, wave)
    folders = [Path(word).is_dir() for word in (x, y)]
    if folders.count(True) == 1:
        raise StudyError(f"expected two folders or none, got {x} and {y}")
    with verdicts(junit, command="compare") as found:
        if all(folders):
            code = _compare_folders(Path(x), Path(y), request, wanted, found, as_json=as_json)
        else:
            finding = _judged(x, y, request, wanted, found, name=f"{x} and {y}")
            _show(finding)
            if as_json:
                emit(finding.body)
            code = _MARKS[finding.equal][1]
    if code:
        raise typer.Exit(code)


def _compare_folders(
    x: Path, y: Path, request: Request, wanted: _Wanted, found: Verdicts, *, as_json: bool
) -> int:
    """Each file with its namesake; what cannot be compared keeps no other from it."""
    bodies, codes = dict[str, Mapping[str, Any]](), set[int]()
    for name, words in namesakes(x, y).items():
        try:
            finding = _judged(*words, request, wanted.of(name), found, name=name)
            _show(finding)
            bodies[name] = finding.body
            codes.add(_MARKS[finding.equal][1])
        except AxhilError as error:
            found.add(name, "error", str(error))
            out.print("[red]ERROR  [/red]", end=" ")
            out.print(f"{name}: {error}", soft_wrap=True, markup=False)
            bodies[name] = {"equal": None, "error": str(error)}
            codes.add(2)
    if as_json:
        emit({"equal": codes == {0}, "multipliers": bodies})
    return next(code for code in (2, 1, 3, 0) if code in codes)


def _judged(
    x: str, y: str, request: Request, wanted: _Wanted, found: Verdicts, *, name: str
) -> _Finding:
    """Compares two words, and adds the verdict."""
    began = time.monotonic()
    printed = [word for word in (x, y) if word.startswith(PREFIX)]
    if len(printed) == 2:
        raise StudyError("expected at least one table, got the printed figures of two files")
    if printed:
        if wanted.wave is not None:
            raise StudyError("--wave: expected two multipliers, got printed figures")
        multiplier = find(y if x.startswith(PREFIX) else x, request)
        figures = _figures(Path(printed[0].removeprefix(PREFIX)), multiplier)
        for one in figures.figures:
            found.add(
                f"{figures.x}: {one.figure.label}", "passed" if one.agrees else "failure", str(one)
            )
        body: dict[str, Any] = {
            "notes": multiplier.notes,
            "gates": {},
            "heatmap": None,
            "wave": None,
        }
        lines = [str(one) for one in figures.figures]
        return _Finding(figures.equal, figures.sentence(), lines, {**figures.as_dict(), **body})
    finding = _compared(Pair.find(x, y, request), request, wanted)
    found.add(
        name,
        "passed" if finding.equal else "failure",
        finding.sentence,
        "\n".join(finding.lines),
        seconds=time.monotonic() - began,
    )
    return finding


def _compared(pair: Pair, request: Request, wanted: _Wanted) -> _Finding:
    if wanted.wave is not None:
        pair.require_verilog()
    if is_wide(pair.x):
        total = pair.x.operands.product.count
        with progress("comparing", total=total, unit="products") as tick:
            compared = pair.compare(
                limit=wanted.limit, progress=lambda done, _: tick(done, pair.names[0])
            )
    else:
        compared = pair.compare(make=made)
    if compared.opinions:
        say_without_yosys()
    result = compared.result
    lines = _details(result) if isinstance(result, Comparison) else []
    lines += [f"{name}: {one.sentence()}" for name, one in compared.opinions.items() if one]
    heatmap = _heatmap(pair, result, wanted)
    lines += [f"heat map: {heatmap}"] if heatmap else []
    wave = wanted.wave if compared.differences else None
    if wave is not None:
        waveform, place = compared.waveform(limit=request.time_limit)
        lines.append(waveform.write(wave, place))
    gates = {name: one and one.as_dict() for name, one in compared.opinions.items()}
    files = {"heatmap": heatmap and str(heatmap), "wave": wave and str(wave)}
    body = {**result.as_dict(), "notes": pair.notes, "gates": gates, **files}
    return _Finding(result.equal, result.sentence(), lines, body)


def _show(finding: _Finding) -> None:
    out.print(_MARKS[finding.equal][0], end=" ")
    out.print(finding.sentence, soft_wrap=True, markup=False)
    for line in finding.lines:
        out.print(f"          {line}", soft_wrap=True, markup=False)


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


def _heatmap(pair: Pair, result: Comparison | Equivalence, wanted: _Wanted) -> Path | None:
    """Where they differ, drawn if they do, or if that is requested for these two."""
    nothing = result.equal or wanted.no_heatmap or is_wide(pair.x)
    if nothing and (wanted.heatmap is None or wanted.several):
        return None
    first, second = map(slug, pair.names)
    path = wanted.heatmap or Path("out") / f"compare_{first}_{second}.png"
    if not isinstance(result, Comparison):
        raise StudyError(f"--heatmap: expected a table of both, got {pair.x.operands}")
    _draw(result, pair.x.table(), pair.y.table(), path)
    return path


def _draw(comparison: Comparison, x: Lut, y: Lut, path: Path) -> None:
    from axhil.report.figures.errors import difference_figure
    from axhil.report.figures.saving import png

    path.parent.mkdir(parents=True, exist_ok=True)
    names = (comparison.x, comparison.y)
    figure = difference_figure(x, y, names=names, title=comparison.sentence())
    write_atomically(path, png(figure))
