# SPDX-License-Identifier: Apache-2.0
"""The hook for pre-commit, installed and run by pre-commit itself in a repository of a user."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from gate_samples import WRONG, make_repository
from vcdvcd import VCDVCD
from wheel_samples import tracked

pytestmark = [pytest.mark.sim, pytest.mark.slow]

CONFIG = """\
repos:
  - repo: {source}
    rev: {revision}
    hooks:
      - id: axhil-compare
        args: [tables, rtl, --unsigned, --junit, out/junit.xml, --wave, out/mismatch.vcd]
      - id: axhil-compare
        alias: installed
        language: system
        args: [tables, rtl, --unsigned]
"""


def git(folder, *words):
    own = ["-c", "user.name=user", "-c", "user.email=user@example.com", "-c", "gc.auto=0"]
    done = subprocess.run(
        ["git", *own, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with a multiplier, its table, and the hook of this checkout as it is now."""
    source, user = tmp_path / "axhil", tmp_path / "user"
    source.mkdir()
    tracked(source)
    make_repository(user)
    git(source, "init", "--quiet")
    git(source, "add", "--all", "--force")
    git(source, "commit", "--quiet", "--no-verify", "--message", "as it is")
    revision = git(source, "rev-parse", "HEAD")
    (user / ".pre-commit-config.yaml").write_text(CONFIG.format(source=source, revision=revision))
    git(user, "init", "--quiet")
    git(user, "add", "--all")
    return user


def committed(repository, *hook):
    """Runs the hooks on what is staged, as `git commit` does."""
    scripts = str(Path(sys.executable).parent)
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", *hook],
        cwd=repository,
        env={
            **os.environ,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "PRE_COMMIT_HOME": str(repository.parent / "home"),
            "CXX": "none",  # the kernels take longest to compile, and no comparison needs them
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_changed_multiplier_is_not_committed_until_its_table_is(repository):
    done = committed(repository, "axhil-compare")
    if not os.environ.get("CI") and "Could not find a version" in done.stdout:
        pytest.skip("no registry of packages can be reached, from which pre-commit installs")
    assert done.returncode == 0, done.stdout + done.stderr
    (repository / "rtl" / "mul.v").write_text(WRONG)
    git(repository, "add", "--all")
    done = committed(repository)
    assert done.returncode == 1
    assert done.stdout.count("DIFFERS mul and mul.v[unsigned] differ: 210 of 256 products") == 2
    assert done.stdout.count("Failed") == 2
    suite = ElementTree.parse(repository / "out" / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    wave = VCDVCD(str(repository / "out" / "mismatch_mul.vcd"))
    assert {one for one in wave.signals if one.endswith("dut.a[3:0]")}
    # What does not touch a multiplier is committed as ever.
    git(repository, "rm", "--quiet", "--cached", "-r", "rtl", "tables")
    (repository / "notes.md").write_text("none\n")
    git(repository, "add", "notes.md")
    git(repository, "commit", "--quiet", "--no-verify", "--message", "notes")
    (repository / "notes.md").write_text("some\n")
    git(repository, "add", "notes.md")
    done = committed(repository)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Skipped") == 2
