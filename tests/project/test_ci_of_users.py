"""What users copy into their CI: each file is of the published schema, and the action's scripts do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from helpers.environments import ROOT
from helpers.pages import BLOCKS

ACTION = ROOT / "action.yml"
WORKFLOWS = [each for each in BLOCKS if each.language == "yaml" and re.search(r"^jobs:", each.text, re.MULTILINE)]
GITLAB = [each for each in BLOCKS if each.language == "yaml" and re.search(r"^  script:", each.text, re.MULTILINE)]


def of_schema(name: str, path: Path) -> bool:
    """Whether a file is of a schema that SchemaStore publishes, as check-jsonschema has it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{name}", path]
    more = ["--data-transform", "gitlab-ci"] if name == "gitlab-ci" else []
    return subprocess.run([*command, *more], capture_output=True, text=True).returncode == 0


def test_workflows_pipelines_and_the_action_are_of_their_schemas(tmp_path):
    assert len(WORKFLOWS) >= 3
    assert GITLAB
    assert of_schema("github-actions", ACTION)
    (tmp_path / "action.yml").write_text(ACTION.read_text().replace("using: composite", "using: composed"))
    assert not of_schema("github-actions", tmp_path / "action.yml")
    for name, blocks, good, bad in (
        ("github-workflows", WORKFLOWS, "steps:", "step:"),
        ("gitlab-ci", GITLAB, "artifacts:", "artefact:"),
    ):
        for number, block in enumerate(blocks):
            path = tmp_path / f"{name}-{number}.yml"
            path.write_text(block.text)
            assert of_schema(name, path), block
        path.write_text(blocks[-1].text.replace(good, bad))
        assert good not in blocks[-1].text or not of_schema(name, path)


def test_a_workflow_gives_the_action_inputs_that_it_has():
    inputs = yaml.safe_load(ACTION.read_text())["inputs"]
    used = [
        step
        for block in WORKFLOWS
        for job in yaml.safe_load(block.text)["jobs"].values()
        for step in job["steps"]
        if "pytest-seedshift@" in step.get("uses", "")
    ]
    assert used
    for step in used:
        assert step["with"].keys() <= inputs.keys()
        assert {name for name, each in inputs.items() if each.get("required")} <= step["with"].keys()


def script(name: str) -> str:
    (found,) = [step["run"] for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if step["name"] == name]
    return str(found)


def bash(text: str, folder: Path, path: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    scripts = f"{path}:{Path(sys.executable).parent}:/usr/bin:/bin"
    given = {"PATH": scripts, "HOME": str(folder), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(["bash", "-c", text], cwd=folder, env=given, capture_output=True, text=True)


def test_no_script_of_the_action_has_an_expression_in_it():
    """What a pull request says would be run by the shell; it is given by the environment."""
    for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.nightly
def test_a_push_keeps_scores_and_a_pull_request_is_compared_with_them(tmp_path):
    few = "--seedshift-shift=mean --seedshift-magnitude=0.3 --seedshift-images=16 --seedshift-exact"
    (tmp_path / "thresholds.toml").write_text("[default]\ntop1 = 0.0\n")
    output = {"GITHUB_OUTPUT": str(tmp_path / "output")}
    run = {"MODELS": "toy-latent", "ARGUMENTS": few, **output}
    assert bash(script("Judge"), tmp_path, SAVE="true", **run).returncode == 0
    assert (tmp_path / ".seedshift-base/scores.json").stat().st_size
    assert "base branch" not in (tmp_path / "seedshift-summary.md").read_text()
    (tmp_path / "thresholds.toml").write_text("[default]\nclip = 50.0\n")
    assert bash(script("Judge"), tmp_path, SAVE="false", **run).returncode == 0
    summary = (tmp_path / "seedshift-summary.md").read_text()
    assert "### Against the base branch" in summary
    assert "toy-latent mean +0.30" in summary
    assert re.findall(r"status=(\d)", (tmp_path / "output").read_text()) == ["0", "1"]
    for status in ("0", "1", ""):
        assert bash(script("Verdict"), tmp_path, STATUS=status).returncode == int(status or 1)


def test_the_comment_is_the_summary_and_is_written_anew(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\necho "$@" >> "$HOME/calls"\n')
    (tools / "gh").chmod(0o755)
    given = {"NUMBER": "7", "REPOSITORY": "me/models", "GH_TOKEN": "x"}
    assert bash(script("Comment"), tmp_path, str(tools), **given).returncode == 0
    assert not (tmp_path / "calls").exists()  # nothing was judged
    (tmp_path / "seedshift-summary.md").write_text("✓" * 50_000)
    done = bash(script("Comment"), tmp_path, str(tools), **given)
    assert done.returncode == 0, done.stderr
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("pr comment 7 --repo me/models --body-file seedshift-comment.md --edit-last")
    assert (tmp_path / "seedshift-comment.md").stat().st_size <= 60_000
