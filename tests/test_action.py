# SPDX-License-Identifier: Apache-2.0
"""The action for GitHub, its steps run as a runner runs them, in a repository of a user."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from action_samples import ACTION, SCRIPTS, Run
from gate_samples import WRONG, make_repository
from vcdvcd import VCDVCD

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.sim, pytest.mark.slow]


@pytest.fixture(scope="module")
def runner(wheel, tmp_path_factory):
    """Where the step Install has run, and its environment: ours has the dependencies already."""
    folder = tmp_path_factory.mktemp("runner")
    tools = [str(Path(shutil.which(name)).parent) for name in ("iverilog", "bash")]
    env = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), *tools]),
        "HOME": str(folder),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "AXHIL_CACHE": str(folder / "cache"),
    }
    run = Run(folder, folder, {"requirement": str(wheel)}, env=env)
    assert run.steps("Install") == 0, run.log
    return folder, env


@pytest.fixture
def repository(tmp_path):
    make_repository(tmp_path)
    return tmp_path


def test_one_changed_character_fails_with_a_junit_file_and_a_waveform(repository, runner):
    temp, env = runner
    report = repository / "axhil-report"

    def run(**given):
        return Run(repository, temp, {"options": "--unsigned", **given}, env=env)

    fine = run()
    assert fine.steps("Compare", "Comment", "Keep the report") == 0, fine.log
    assert fine.outputs == {"verdict": "0"}
    assert "every product is the same" in fine.summary
    assert fine.skipped == ["Comment", "Keep the report"]
    assert {path.name for path in report.iterdir()} == {
        *("comparison.md", "comparison.txt", "junit.xml"),
    }
    suite = ElementTree.parse(report / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")

    (repository / "rtl" / "mul.v").write_text(WRONG)
    broken = run()
    assert broken.steps("Compare", "Keep the report") == 1
    assert broken.outputs == {"verdict": "1"}
    assert "### Multipliers: **changed" in broken.summary
    assert "    DIFFERS mul and mul.v" in broken.summary
    suite = ElementTree.parse(report / "junit.xml").getroot()[0]
    assert [one.get("name") for one in suite] == ["mul"]
    assert "products differ" in suite[0].find("failure").get("message")
    # a << 1 is no longer a << 0: the first product that differs is 1 x 1.
    wave = VCDVCD(str(report / "mismatch_mul.vcd"))
    (products,) = (one for one in wave.signals if one.endswith(".product[7:0]"))
    end = int(re.search(r"to (\d+) ns", broken.summary)[1])
    assert int(wave[products][end - 1], 2) == 2
    assert int(wave[products.replace("product", "expected")][end - 1], 2) == 1
    assert any(".dut." in one for one in wave.signals)
    assert (report / "heatmap_mul.png").is_file()


def test_names_and_inputs_are_never_run_nor_obeyed(repository, runner):
    temp, env = runner
    touch = "$(touch pwned)`touch pwned`;touch pwned"
    shutil.move(repository / "tables", repository / touch)
    (repository / touch / "::error::x.npz").write_text("no table")
    given = {"tables": touch, "options": "--unsigned $(touch${IFS}pwned)", "report": "-r ; x"}
    run = Run(repository, temp, given, env=env)
    assert run.steps("Compare") == 2
    plain = Run(repository, temp, {**given, "options": "--unsigned"}, env=env)
    assert plain.steps("Compare") == 2
    assert not (repository / "pwned").exists()
    assert (repository / "-r ; x" / "junit.xml").is_file()
    # Between the two words the runner obeys nothing.
    start, text, end = re.fullmatch(
        r"::stop-commands::(\w{32})\n(.*)::(\w{32})::\n", plain.log, re.S
    ).groups()
    assert start == end
    assert "::error::x" in text
    assert start not in text


def test_no_script_has_an_input_in_its_text():
    assert set(SCRIPTS) == {"Install", "Compare", "Comment"}
    assert not [name for name, script in SCRIPTS.items() if "${{" in script]


def test_what_runs_beside_our_scripts_is_named_by_its_commit():
    files = [ROOT / "action.yml", *(ROOT / ".github" / "workflows").glob("*.yml")]
    uses = [one for path in files for one in re.findall(r"uses: (.*)", path.read_text())]
    assert len(uses) >= 9
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v[\d.]+", one) for one in uses), uses


def test_a_comment_is_made_where_the_token_may_and_nowhere_else(tmp_path, runner):
    temp, env = runner
    own, fork = ({"repository": "o/r", "event.pull_request.head.repo.full_name": one}
                 for one in ("o/r", "fork/r"))  # fmt: skip
    for given, github, skipped in (
        ({"comment": "true"}, own, []),
        ({"comment": "true"}, fork, ["Comment"]),
        ({}, own, ["Comment"]),
    ):
        # Without a report there is nothing to post, so no network is needed either.
        run = Run(tmp_path, temp, given, github=github, env=env)
        assert run.steps("Comment") == 0, run.log
        assert run.skipped == skipped


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-actions", ["action.yml"]),
        ("vendor.github-workflows", sorted((ROOT / ".github" / "workflows").glob("*.yml"))),
    ],
    ids=["action", "workflows"],
)
def test_the_files_are_what_github_reads(schema, files):
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_workflow_of_the_documents_is_one_and_may_no_more_than_comment():
    text = (ROOT / "docs" / "ci.md").read_text()
    (shown,) = re.findall(r"```yaml\n(name: .*?)```", text, re.S)
    workflow = yaml.safe_load(shown)
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert set(workflow[True]) == {"pull_request"}  # `on` is YAML's word for true
    (job,) = workflow["jobs"].values()
    (step,) = (one for one in job["steps"] if one["uses"].startswith("axhil/axhil@"))
    assert set(step["with"]) <= set(ACTION["inputs"])
