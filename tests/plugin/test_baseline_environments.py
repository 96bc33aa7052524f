"""One path for all machines: a folder of baselines by environment, and the first baseline made where none is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.runs import PAGELESS, cases_of
from pytest_seedshift.results import baseline_sources
from pytest_seedshift.results.baseline import checksum

GATE = "[default]\ntop1 = { max_regression = 0.1 }\n[baseline]\npath = 'bases'\n[likeness]\nssim = 0.95\n"
SAVE = "--seedshift-baseline-if-missing=save"
EARLY = tuple(each for each in PAGELESS if each != "--seedshift-exact")
PLAN = ("--seedshift-plan", "--seedshift-images-per-second=10")


def moved(folder: Path, **environment: str) -> None:
    """Let the only baseline of a folder be one of another environment, called `other`."""
    (file,) = folder.glob("*/baseline.json")
    document = json.loads(file.read_text())
    document["libraries"]["torch"] = environment.pop("torch", document["libraries"]["torch"])
    document["environment"] |= environment
    file.write_text(json.dumps(document | {"checksum": checksum(document)}))
    file.parent.rename(folder / "other")


def refused(result: pytest.RunResult, *says: str) -> None:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{each}*" for each in says])


def test_the_first_run_of_a_machine_saves_and_passes_and_the_next_compares(pytester, run):
    path = pytester.path / "bases"
    pytester.path.joinpath("thresholds.toml").write_text(GATE)
    refused(run(*EARLY, "--seedshift-baseline-if-missing=sav"), "baseline-if-missing=sav*error, save")
    refused(run(*EARLY), "bases is not there*--seedshift-baseline-if-missing=save")
    first = run(*EARLY, SAVE)
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(
        [
            "*bases/cpu-float32-torch-*is not there yet: this run has no baseline to compare with, looks at all pairs*",
            "*baseline: bases/cpu-float32-torch-*2 cases, 32 of 32 pairs with their pictures*",
            "*no baseline to compare with: no max_regression*",
        ]
    )
    (saved,) = path.iterdir()
    made = baseline_sources.load(saved)
    assert made.environment == {"device": "cpu", "hardware": "", "dtype": "float32"}
    assert all(each.exact for each in made.cases.values())
    before = saved.joinpath("baseline.json").read_bytes()

    again = run(*EARLY, SAVE)
    again.assert_outcomes(passed=2)
    again.stdout.fnmatch_lines([f"*against *{saved.name}: 2 cases*no regression*"])
    assert cases_of(pytester.path / ".seedshift")["toy-latent-mean-+0.30"]["likeness"]["scores"]
    assert [each.name for each in path.iterdir()] == [saved.name]
    assert saved.joinpath("baseline.json").read_bytes() == before

    moved(path, torch="1.0")
    told = run(*EARLY, SAVE, *PLAN)
    told.stdout.fnmatch_lines(["*no baseline of these libraries: the nearest is other (torch 1.0 → *"])
    moved(path, device="cuda", hardware="NVIDIA A10", dtype="float16")
    refused(run(*EARLY), "has no baseline of cpu, float32, torch *The nearest is bases/other (device cuda → cpu")
    other = run(*EARLY, SAVE, *PLAN)
    other.stdout.fnmatch_lines(["*bases/cpu-float32-torch-*is not there yet*"])
    refused(run(*EARLY, SAVE, "--seedshift-keep-images=none"), "keeps all pairs' pictures, and*none keeps none")
    refused(run(*EARLY, SAVE, "--seedshift-save-baseline=else.json"), "leave one of them out")
    named = run(*EARLY, "--seedshift-baseline=bases/other", *PLAN)  # outright, whatever it is of
    assert named.ret == 0


def test_a_run_that_fails_or_is_a_part_is_no_first_baseline(pytester, run):
    path = pytester.path / "bases"
    pytester.path.joinpath("thresholds.toml").write_text(GATE.replace("max_regression = 0.1", "min = 1.0"))
    result = run(*PAGELESS, SAVE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*no baseline is saved to bases/cpu-*failed, and later runs would be compared*"])
    assert not path.exists()
    pytester.path.joinpath("thresholds.toml").write_text(GATE)
    part = run(*PAGELESS, SAVE, "-k", "none")
    part.assert_outcomes(passed=1, deselected=1)
    part.stdout.fnmatch_lines(["*no baseline is saved to bases/cpu-*lacks toy-latent-mean*run all of them at once"])
    assert not path.exists()
    refused(run(*PAGELESS, SAVE, "--seedshift-thresholds=none.toml"), "none.toml")
    pytester.path.joinpath("easy.toml").write_text("[default]\ntop1 = 0.0\n")
    refused(run(*PAGELESS, SAVE, "--seedshift-thresholds=easy.toml"), "has no effect without --seedshift-baseline=PATH")


@pytest.mark.nightly
def test_a_folder_is_refreshed_by_its_own_path_and_a_file_of_scores_is_made_too(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = { max_regression = 0.1 }\n")
    run(*PAGELESS, SAVE, "--seedshift-baseline=base.json").assert_outcomes(passed=2)
    run(*PAGELESS, SAVE, "--seedshift-baseline=base.json").stdout.fnmatch_lines(["*against base.json*no regression*"])
    run(*PAGELESS, SAVE, "--seedshift-baseline=bases").assert_outcomes(passed=2)
    (saved,) = pytester.path.joinpath("bases").iterdir()
    stray = saved / "pictures" / f"{'0' * 64}.png"
    stray.write_bytes(b"of an earlier baseline")
    run(*PAGELESS, "--seedshift-save-baseline=bases").assert_outcomes(passed=2)
    assert not stray.exists()
    assert [each.name for each in pytester.path.joinpath("bases").iterdir()] == [saved.name]
    moved(pytester.path / "bases", device="cuda", hardware="NVIDIA A10")
    run(*PAGELESS, "--seedshift-save-baseline=bases").assert_outcomes(passed=2)
    assert len(list(pytester.path.joinpath("bases").iterdir())) == 2
