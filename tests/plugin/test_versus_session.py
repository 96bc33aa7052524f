"""What a run of `seedshift versus` does besides: it says how far it has come, and heeds no `[baseline]`."""

from __future__ import annotations

import json

import pytest

from helpers import painted
from pytest_seedshift.plugin import versus_run

OURS = ("-p", versus_run.__name__)
BASELINE = '[baseline]\npath = "nowhere"\nallow_missing = true\nmodels = { mine = "yours", toy-latent = "another" }\n'


@pytest.fixture
def project(pytester):
    pytester.makeconftest(painted.losing(0, 0, 5))
    pytester.path.joinpath("thresholds.toml").write_text(f"{painted.HEAD}white = 0.1\n{BASELINE}")
    return pytester


def test_it_is_held_against_no_baseline_of_the_thresholds_and_says_how_far_it_has_come(project, tmp_path):
    progress = tmp_path / "progress.json"
    done = project.runpytest(*painted.RUN, *OURS, f"{versus_run.OPTION}={progress}")
    assert done.ret == 0
    assert "nowhere" not in done.stdout.str() + done.stderr.str()
    assert "[baseline]" not in done.stdout.str()
    said = json.loads(progress.read_text())
    looked = sum(
        case["images"] for case in json.loads(project.path.joinpath(".seedshift/verdicts.json").read_text())["cases"]
    )
    assert (said["images"], said["expected"], said["cases"]) == (looked, looked, "")


def test_any_other_run_is_held_against_it_and_does_not_know_the_option(project):
    done = project.runpytest(*painted.RUN)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*?baseline?: nowhere is not there*"])
    assert project.runpytest(*painted.RUN, f"{versus_run.OPTION}=x").ret == pytest.ExitCode.USAGE_ERROR


def test_a_run_that_saves_a_baseline_of_one_model_does_not_warn_of_the_names_of_others(project):
    project.path.joinpath("thresholds.toml").write_text(
        f"{painted.HEAD}white = 0.1\n{BASELINE.replace('nowhere', 'base.json').replace('mine', 'toy-glide')}"
    )
    saving = (*painted.RUN, "--seedshift-exact", "--seedshift-save-baseline=base.json")
    done = project.runpytest(*saving)
    assert done.ret == 0
    assert "no case of this run" not in done.stdout.str()
    assert "[baseline]" not in done.stdout.str()
    path = project.path.joinpath("thresholds.toml")
    path.write_text(path.read_text().replace("toy-latent", "toy-latnet"))
    done = project.runpytest(*painted.RUN)
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*warning: *thresholds.toml: ?baseline? models: unknown model 'toy-latnet'. Did you*"])
