# SPDX-License-Identifier: Apache-2.0
"""Write docs/reference from the code: commands, study file, records, Python names.

python scripts/build_reference.py           write it
python scripts/build_reference.py --check   exit 1 if it is not what the code says
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typer.main import get_command

from axhil.cli.main import COMMANDS, app
from axhil.emulation import Settings
from axhil.study import spec
from axhil.study.storage import cells, store

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
PACKAGES = {
    "axhil": "What most programs need; each name is loaded at its first use.",
    "axhil.hwsim": "Multipliers, their tables, simulation and gates. Imports neither torch nor cocotb.",
    "axhil.hwsim.multipliers": "What names a multiplier, and multipliers by layer.",
    "axhil.hwsim.cost": "What multipliers cost: transistors, area, delay, energy.",
    "axhil.hwsim.faults": "Stuck-at faults of a multiplier's gates.",
    "axhil.emulation": "Networks built from tables.",
    "axhil.zoo": "Networks, weights and data.",
    "axhil.attacks": "Attacks on any `nn.Module` that maps images in [0, 1] to logits.",
    "axhil.study": "Experiments, their records and statistics.",
    "axhil.search": "Which multiplier in which layer: assignments searched for.",
}
_HEADER = "<!-- Written by scripts/build_reference.py: edit the code or the script. -->"


def documented(kind: type) -> Mapping[str, str]:
    """What the docstring of a class says of each attribute."""
    text = inspect.cleandoc(kind.__doc__ or "")
    _, _, section = text.partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |^\S|\Z)", section, re.M | re.S)
    return {name: " ".join(said.split()) for name, said in found}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _words(text: str) -> str:
    """Help of typer as Markdown: Rich's escapes undone, angle brackets and stars kept."""
    parts = re.split(r"(`[^`]*`)", _cell(text.replace("\\[", "[")))
    parts[::2] = [one.replace("<", "&lt;").replace("*", "\\*") for one in parts[::2]]
    return "".join(parts)


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    body = [" | ".join(row) for row in (headings, ("---",) * len(headings), *rows)]
    return "\n".join(f"| {row} |" for row in body)


def _value(parameter: Any) -> str:
    """What an option takes, as its help names it."""
    if parameter.is_bool_flag:
        return ""
    kind = parameter.type_descriptor.annotation
    choices = getattr(kind, "__args__", ()) if getattr(kind, "__origin__", None) is not list else ()
    if choices and all(isinstance(choice, str) for choice in choices):
        return "\\|".join(choices)
    return parameter.metavar or {int: "NUMBER", float: "NUMBER"}.get(kind, "TEXT")


def _options(command: Any) -> Iterator[tuple[str, ...]]:
    for parameter in command.params:
        if parameter.name == "help" or not parameter.opts[0].startswith("-"):
            continue
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        said = [_words(parameter.help or "")]
        if parameter.default not in (None, False, True) and not parameter.multiple:
            said.append(f"Default: `{parameter.default}`.")
        if parameter.envvar:
            said.append(f"Environment: `{parameter.envvar}`.")
        yield names, _value(parameter), " ".join(said)


def _command(name: str, command: Any, level: str) -> str:
    arguments = [one for one in command.params if not one.opts[0].startswith("-")]
    usage = " ".join(["axhil", name, "[OPTIONS]", *(_argument(one) for one in arguments)])
    parts = [f"{level} axhil {name}", _words_of_help(command.help or ""), f"```text\n{usage}\n```"]
    if arguments:
        rows = (
            (f"`{one.metavar or one.name}`", _words(getattr(one, "help", "") or ""))
            for one in arguments
        )
        parts.append(_table(("argument", "meaning"), rows))
    if options := list(_options(command)):
        parts.append(_table(("option", "value", "meaning"), iter(options)))
    return "\n\n".join(parts)


def _words_of_help(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join(_words(" ".join(one.split())) for one in paragraphs).replace("\\|", "|")


def _argument(argument: Any) -> str:
    word = (argument.metavar or argument.name).strip("{}").upper()
    return word if argument.required else f"[{word}]{'...' if argument.nargs == -1 else ''}"


def commands() -> str:
    """Every command with its arguments and options."""
    group: Any = get_command(app)
    parts = [
        "# Command line",
        _HEADER,
        "The same as `axhil COMMAND --help`. Exit codes: 0 fine, 1 something differs, 2 a mistake in the "
        "input, explained in one sentence, 3 not decided. Results go to stdout, progress and notes to "
        "stderr; with `--json` stdout has one JSON object and nothing else. "
        "`axhil --install-completion` installs completion for your shell.",
    ]
    for panel, names in COMMANDS.items():
        parts.append(f"## {panel}")
        for name in names:
            command = group.commands[name]
            parts.append(_command(name, command, "###"))
            for child, one in getattr(command, "commands", {}).items():
                parts.append(_command(f"{name} {child}", one, "####"))
    return "\n\n".join(parts) + "\n"


def _schema_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a key may be, from its JSON schema."""
    if "$ref" in schema:
        return f"section `[{schema['$ref'].rsplit('/', 1)[-1].lower()}]`"
    if "enum" in schema:
        return " \\| ".join(f"`{one}`" for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(
            _schema_type(one, definitions) for one in schema["anyOf"] if one.get("type") != "null"
        )
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_schema_type(schema.get('items', {}), definitions)}"
    if kind == "object":
        return "section"
    named = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
    }
    limits = ""
    if "minimum" in schema:
        limits = f", {schema['minimum']:g} or more"
    return f"{named.get(str(kind), 'text')}{limits}"


def _default(field: Any) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if isinstance(value, BaseModel) or value in (None, "", {}, ()):
        return ""
    shown = list(value) if isinstance(value, tuple) else value
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`".replace("'", '"')


def _section(kind: Any) -> str:
    schema = kind.model_json_schema()
    definitions = schema.get("$defs", {})
    said = documented(kind)
    rows = (
        (
            f"`{name}`",
            _schema_type(schema["properties"][name], definitions),
            _default(field),
            _words(said.get(name, "")),
        )
        for name, field in kind.model_fields.items()
    )
    return _table(("key", "value", "default", "meaning"), rows)


def study_file() -> str:
    """Every key of a study file."""
    return (
        "\n\n".join(
            [
                "# Study file",
                _HEADER,
                "TOML. A key that does not exist, or a value that is not allowed, is refused in one sentence "
                "before anything runs. [Studies](../study.md#the-file) has an example and explains what the "
                "keys are for.",
                "## At the top",
                _section(spec.StudySpec),
                "## `[budgets]`",
                "For each norm, `linf` or `l2`, a list of eps, or a range:",
                _section(spec.Range),
                "## `[quantisation]`",
                _section(_with_docs(spec.Quantisation)),
                "## `[cost]`",
                _section(spec.Cost),
                "## `[search]`",
                "What `axhil search FILE` looks for; [Search](../search.md) says how.",
                _section(spec.Search),
            ]
        )
        + "\n"
    )


def _with_docs(kind: Any) -> Any:
    """The model whose keys another class documents."""
    said = "\n".join(f"    {key}: {value}" for key, value in documented(Settings).items())
    kind.__doc__ = f"Quantisation.\n\nAttributes:\n{said}\n"
    return kind


_RESULTS = {
    "label": "short name of the multiplier",
    "eps": "the budget",
    "accuracy": "share of all images that are still classified correctly, 0 to 1",
    "accuracy_low": "lower end of its Wilson 95 % interval",
    "accuracy_high": "upper end",
    "correct": "a flag per image, in the order of the data set: what paired tests compare",
    "zero_gradient": "share of the images without a usable gradient, 0 to 1",
    "warnings": "reasons to doubt the number, each with its code in front",
    "seconds": "wall time, an equal part of what was computed together",
    "broken_by": "of a suite only: for each image the attack that broke it first, or empty",
    "axhil": "version",
    "torch": "version",
    "python": "version",
    "device": "processor or GPU",
    "threads": "of the CPU",
}


def records() -> str:
    """Every column of the store."""
    said = documented(cells.CellSettings)
    settings = (
        (
            f"`{one.name}`",
            "" if one.default is MISSING else "only where it is not at its default",
            _words(said[one.name]),
        )
        for one in fields(cells.CellSettings)
        if one.name not in ("budgets", "quantisation")
    )
    columns = [*store._RESULTS, store._SUITE, *store._ENVIRONMENT]
    assert {name for name, _ in columns} == set(_RESULTS)
    results = (
        (f"`{name}`", f"`{kind}`".replace("list<element: ", "list<"), _RESULTS[name])
        for name, kind in columns
    )
    return (
        "\n\n".join(
            [
                "# Columns of the records",
                _HEADER,
                "`out/<name>/records/` is one Parquet data set, `records.csv` the same for a spreadsheet: a row "
                "for each multiplier, attack, norm and budget. `pandas.read_parquet` reads the folder; "
                "[Studies](../study.md#the-store) shows how.",
                "## What was run",
                "The first columns are all that a result depends on. Their hash names the cell, so that a "
                "changed setting is a new cell and never overwrites another.",
                _table(("column", "written", "meaning"), settings),
                "`quantisation_weights`, `quantisation_activations` and `quantisation_batch_norm` are the "
                "settings of the quantisation: [the section](study-file.md#quantisation) of the study file.",
                "## What came out, and where",
                _table(("column", "type", "meaning"), results),
                "## What the multiplier costs",
                "`records.csv` and exports of a study with a section `[cost]` have `cost_area`, `cost_delay`, "
                "`cost_energy`, `cost_transistors` and more, and `cost_image_*` for the energy of an image: "
                "the library's unit of area, ns, pJ a product, nJ an image.",
            ]
        )
        + "\n"
    )


def python(package: str) -> str:
    """The public names of a package, for mkdocstrings to print."""
    module = importlib.import_module(package)
    inside = [one for one in PACKAGES if one.startswith(f"{package}.")]
    elsewhere = {name for one in inside for name in importlib.import_module(one).__all__}
    parts = [f"# {package}", _HEADER, PACKAGES[package]]
    linked, printed = [], []
    for name in sorted(getattr(module, "__all__", ()), key=str.lower):
        value = getattr(module, name)
        defined = inspect.isclass(value) or inspect.isfunction(value)
        home = value.__module__ if defined else package  # a constant does not know its module
        if name == "__version__":
            continue
        if (name in elsewhere or package == "axhil") and name != "AxhilError":
            linked.append(f"* [`{name}`][{home}.{name}]")
        else:
            printed.append(f"::: {home}.{name}")
    return "\n\n".join([*parts, *filter(None, ["\n".join(linked)]), *printed]) + "\n"


def pages() -> dict[Path, str]:
    """Every page with its text."""
    return {
        REFERENCE / "commands.md": commands(),
        REFERENCE / "study-file.md": study_file(),
        REFERENCE / "records.md": records(),
        **{REFERENCE / "python" / f"{one}.md": python(one) for one in PACKAGES},
    }


def main() -> None:
    """Write the pages, or compare them."""
    check = sys.argv[1:] == ["--check"]
    for path, text in pages().items():
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            sys.exit(f"{path.name} is not what the code says: run scripts/build_reference.py")


if __name__ == "__main__":
    main()
