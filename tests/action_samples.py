# SPDX-License-Identifier: Apache-2.0
"""What a runner of GitHub Actions does with a composite action, as far as ours needs it."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
SCRIPTS = {step["name"]: step["run"] for step in ACTION["runs"]["steps"] if "run" in step}


@dataclass
class Run:
    """One run of the action in a workspace.

    Attributes:
        workspace: the user's checkout.
        temp: the runner's folder; it lives as long as the job.
        given: inputs; the others have their defaults.
        github: what the context `github` has beside the action's folder.
        env: of the runner.
        log: what the scripts printed.
        skipped: steps that were not run, by name; `uses` are none of ours.
    """

    workspace: Path
    temp: Path
    given: dict[str, str]
    github: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    log: str = ""
    skipped: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    def __post_init__(self) -> None:
        defaults = {name: one["default"] for name, one in ACTION["inputs"].items()}
        assert set(self.given) <= set(defaults)
        context = {"action_path": str(ROOT), "token": "secret", **self.github}
        self._values = {f"inputs.{name}": one for name, one in (defaults | self.given).items()}
        self._values |= {f"github.{name}": one for name, one in context.items()}

    def steps(self, *names: str) -> int:
        """Runs the named steps, or all; returns the exit code of the first that fails."""
        code = 0
        for step in ACTION["runs"]["steps"]:
            if names and step["name"] not in names:
                continue
            condition = step.get("if", "success()")
            wanted = (code == 0 or "always()" in condition) and self._holds(condition)
            if "run" not in step or not wanted:
                self.skipped.append(step["name"])
                continue
            code = self._run(step) or code
        return code

    def _run(self, step: dict[str, Any]) -> int:
        assert step["shell"] == "bash"
        script = self.temp / "script.sh"
        script.write_text(step["run"])
        files = {name: self.temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("")
        own = {key: self._filled(str(value)) for key, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env={
                **self.env,
                **{name: str(path) for name, path in files.items()},
                "RUNNER_TEMP": str(self.temp),
                "RUNNER_OS": "Linux",
                **own,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += done.stdout
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        self.outputs |= dict(line.split("=", 1) for line in lines)
        return done.returncode

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: self._value(found[1]), text)

    def _value(self, expression: str) -> str:
        """A name, a word in quotes, or the first of several that is not empty."""
        found = ""
        for one in expression.split(" || "):
            found = found or (one.strip("'") if one[0] == "'" else self._values.get(one, ""))
        return found

    def _holds(self, condition: str) -> bool:
        for clause in condition.split("&&"):
            if clause.strip() not in {"always()", "success()"}:
                left, right = (self._value(side.strip()) for side in clause.split("=="))
                if left != right:
                    return False
        return True
