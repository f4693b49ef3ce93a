# SPDX-License-Identifier: Apache-2.0
"""What the documents say is what the project does."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import check_links  # noqa: E402  (a script)
import console  # noqa: E402  (likewise)

README = (ROOT / "README.md").read_text()
CITATION = (ROOT / "CITATION.cff").read_text()
PAGES = console.pages()
PACKAGES = ("axhil", "hwsim", "emulation", "attacks", "zoo", "study", "search", "report", "cli")
SOURCE = "".join(path.read_text() for one in PACKAGES for path in (ROOT / one).glob("**/*.py"))


def test_the_make_targets_of_the_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        named = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.M))
        assert named <= targets, page


def test_every_folder_of_the_architecture_page_exists():
    text = (ROOT / "docs" / "architecture.md").read_text()
    (table,) = re.findall(r"\| folder \| answers.*?\n\n", text, re.S)
    folders = re.findall(r"^\| `(\w+)/`", table, re.M)
    assert len(folders) == 9
    assert all((ROOT / folder).is_dir() for folder in folders)


def commands(page):
    """Words of each axhil command of a page's shell and console blocks."""
    for block in console.blocks(page):
        lines = block.body.replace("\\\n", " ").splitlines()
        if block.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        elif block.language != "sh":
            continue
        for line in lines:
            for part in re.split(r"[;|]|&&", re.sub(r"\s#.*", "", line)):
                found = re.match(r"(?:\w+=\S+ )*axhil (.*)", part.strip())
                if found:
                    yield shlex.split(re.sub(r"[12]?>.*", "", found[1]))


def test_every_command_and_option_that_a_document_shows_exists():
    from typer.main import get_command

    from axhil.cli.main import app

    shown = [(page, words) for page in PAGES for words in commands(page)]
    assert len(shown) > 80
    for page, words in shown:
        command, rest = get_command(app), list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        assert not hasattr(command, "commands") or rest[:1] == ["--install-completion"], (
            page,
            words,
        )
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        options = {word.partition("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)}
        assert options <= known | {"-h", "--help", "--install-completion"}, (page, words)


def test_every_block_of_every_page_is_run_or_on_record():
    """Text is a picture, a printed result of the program above it, or a usage line."""
    for page in PAGES:
        for block in console.blocks(page):
            assert block.language, f"{page}: a block without a language:\n{block.body}"
            if block.language == "console" and not block.record:
                assert list(block.steps), f"{page}: a console without a command:\n{block.body}"
        assert console.unrecorded(page) == []


@pytest.mark.sim
@pytest.mark.slow
def test_every_command_prints_what_its_page_shows():
    run = [sys.executable, str(ROOT / "scripts" / "console.py")]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run scripts/console.py --write PAGE\n{done.stderr}"


def test_a_page_that_shows_another_output_is_noticed():
    shown = "equal   x and y\n...\nexit code ...\n"
    assert console.agrees(shown, "equal   x and y  \nmore\nmore\nexit code 0\n")
    assert not console.agrees(shown, "equal   x and z\nmore\nexit code 0\n")
    assert not console.agrees(shown, "equal   x and y\nexit code 0\nand then some\n")
    assert not console.agrees("", "a line\n")


@pytest.mark.parametrize(
    "script", ["build_results", "build_reference", "build_leaderboard", "build_notebooks"]
)
def test_written_pages_are_what_records_and_code_say(script):
    check = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run scripts/{script}.py\n{done.stderr}"


def test_the_site_builds_strictly_and_has_no_dead_link(tmp_path):
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for folder in ("axhil", "scripts"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    build = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site"
    assert list(check_links.dead_links(site)) == []
    assert len(list(site.rglob("*.html"))) >= len(PAGES) - 1
    assert "pattern" in (site / "reference" / "python" / "axhil.hwsim.html").read_text()


def test_dead_links_of_a_site_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        "<a href='b.html#there'></a><a href='b.html#nowhere'></a><a href='c.html'></a>"
        f"<img src='no.png'><a href='{check_links.FORGE}blob/main/README.md'></a>"
        f"<a href='{check_links.FORGE}blob/main/NOWHERE.md'></a><a href='https://arxiv.org'></a>"
    )
    (tmp_path / "b.html").write_text("<h2 id='there'></h2>")
    assert list(check_links.dead_links(tmp_path)) == [
        "a.html: b.html#nowhere: no such section",
        "a.html: c.html: no such file",
        "a.html: no.png: no such file",
        f"a.html: {check_links.FORGE}blob/main/NOWHERE.md: no such file in the repository",
    ]


def test_every_code_of_a_message_has_its_section_and_every_section_its_message():
    from typing import get_args

    from axhil import errors
    from axhil.attacks import checks
    from axhil.hwsim.multipliers.tabulating import findings

    text = (ROOT / "docs" / "messages.md").read_text()
    bases = set(re.findall(r"class (\w+)\(AxhilError\)", SOURCE))
    derived = re.findall(rf"class ([A-Z]\w+)\((?:{'|'.join(bases)})\)", SOURCE)
    assert {"HwsimError", "SearchError"} <= bases
    assert "NewerError" in derived
    assert all(f"`{name}`" in text for name in (*bases, *derived))
    codes = [*get_args(checks.WarningCode), *get_args(findings.WarningCode)]
    codes += re.findall(r'^    code = "(.+)"', SOURCE, re.M)
    codes += re.findall(r"""\baddress\(['"](.+?)['"]\)""", SOURCE)
    assert len(codes) == len(set(codes)) > 15
    assert sorted(re.findall(r"^### (.*)$", text, re.M)) == sorted(codes)
    page = re.fullmatch(rf"{check_links.FORGE}blob/main/(.*)#x", errors.address("x"))
    assert (ROOT / page[1]).samefile(ROOT / "docs" / "messages.md")


def test_every_label_is_defined_where_a_reader_meets_it():
    from axhil.hwsim import PAPER_MULTIPLIERS

    for page in (README, (ROOT / "docs" / "glossary.md").read_text()):
        table = "".join(line for line in page.splitlines() if line.startswith("|"))
        for one in PAPER_MULTIPLIERS:
            family = one.label.partition("(")[0]
            assert f"| {family}" in table or f", {one.label}" in table, one.label


def test_a_page_that_uses_a_label_links_to_the_glossary():
    labels = re.compile(r"\b(?:ACC|DR\d|MAE|WCE|MRE|LUT|PGD|FGSM|white-box)\b|\bsT\(")
    for page in (*PAGES, *(ROOT / "docs" / "notebooks").glob("*.md")):
        if "reference" not in page.parts and page.name not in {"glossary.md", "architecture.md"}:
            text = page.read_text()
            assert not labels.search(text) or "glossary.md" in text, page


def test_every_column_of_a_table_has_a_heading():
    for page in PAGES:
        rows = re.findall(r"^(\|.*\|)\n\|[ :|-]+\|$", page.read_text(), re.M)
        assert not [row for row in rows if re.search(r"\|\s*\|", row)], page


def test_the_readme_stays_short_and_names_the_paper():
    assert len(README.splitlines()) < 200
    for page in (README, (ROOT / "docs" / "index.md").read_text(), CITATION):
        assert "2404.11665" in page


def test_the_version_is_one():
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (newest, *_) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    (cited,) = re.findall(r"^version: (\S+)", CITATION, re.M)
    assert version == newest == cited


def test_what_is_said_of_gates_is_on_record():
    text = (ROOT / "docs" / "gates.md").read_text()
    printed = (ROOT / "docs" / "records" / "gates.txt").read_text()
    blocks = re.findall(r"```text\n(lenet5[ ,].*?)```", text, re.S)
    assert len(blocks) == 3
    assert all(block in printed for block in blocks)
    record = json.loads((ROOT / "docs" / "records" / "gates.json").read_text())
    rows = re.findall(r"^\| `(.+)` \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) % \| ([\d.]*)", text, re.M)
    assert rows == [
        (one["multiplier"], f"{one['gates']:,}", f"{one['cpu_seconds']:.1f}", shown, published)
        for one, (*_, shown, published) in zip(record["exhaustive"], rows, strict=True)
    ]
    for one, (*_, shown, published) in zip(record["exhaustive"], rows, strict=True):
        assert (one["equal"], one["products"]) == (True, 2**32)
        assert shown == f"{100 * one['mre']:.2f}"
        assert published in {"", shown}
    cosim = record["cosim"]
    assert cosim["gates"]["equal"]
    assert f"{cosim['ratio_per_cpu_second']:,} times as many" in text


def test_pictures_and_pages_that_documents_link_to_exist():
    rooted = (
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
    )
    for document in (*rooted, *(ROOT / "docs").glob("**/*.md")):
        for target in re.findall(r"\]\(<?([^)#:\s>]+)>?(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_example_of_faults_is_the_one_on_record():
    path = ROOT / "docs" / "records" / "faults_drum4_lenet5.json"
    (body,) = json.loads(path.read_text())["multipliers"]
    text = (ROOT / "docs" / "faults.md").read_text()
    effects = [(one, sum(map(len, one["classes"]))) for one in body["effects"]]
    for number, noun in (
        (body["gates"], "gates"),
        (body["faults"], "faults"),
        (body["classes"], "classes"),
        (len(effects), "tables"),
        (body["harmless"], "are harmless"),
    ):
        assert re.search(rf"{number}\s+{noun}", text), (number, noun)
    before = round(1000 * body["fault_free"]["accuracy"])
    lost = [before - round(1000 * one["accuracy"]) for one, count in effects for _ in range(count)]
    bars = {
        label: int(count)
        for label, count in re.findall(r"^ (\S.*?\S) +(\d+) +[\d.]+  ", text, re.M)
    }
    assert sum(bars.values()) == len(lost) == body["faults"]
    assert bars["gained"] == sum(one < 0 for one in lost)
    assert bars["unchanged"] == lost.count(0)
    assert bars["1 to 2 points"] == sum(10 < one <= 20 for one in lost)
    assert bars["more than 50 points"] == sum(one > 500 for one in lost)
    losing = sum(one > 10 for one in lost)
    assert losing == body["losing"][0]["faults"]
    assert f"{losing} ({100 * losing / len(lost):.1f} %) lose more than a point" in text
