"""Derived models wherever a model is named: ids, -k, thresholds, store, pictures, report, shards, merging."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.runs import EASY, cases_of, samples_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.results import run as run_folders

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

PLAIN, NOISY = "toy-latent+steps=2+ddim", "toy-latent+steps=2+ancestral"
ARGUMENTS = (
    f"--seedshift-model={PLAIN},{NOISY}",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-images=16",
    "--seedshift-batch-size=16",
    "--seedshift-exact",
)
# The changes in another order than on the command line; and of the base model a bound that nothing keeps.
THRESHOLDS = """
[default]
top1 = 0.0
[model.toy-latent]
clip = 50.0
[model."toy-latent+ancestral+steps=2"]
clip = 49.0
"""
CASE = f"{NOISY}-mean-+0.30"


def test_derived_models_are_models_everywhere(pytester, run):
    """One run in two shards, joined: each of its sides is looked at here, since a run is what costs."""
    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)
    noisy = run(*ARGUMENTS, "--seedshift-shard=1/2", "--seedshift-dir=one")  # in the order of their names
    plain = run(*ARGUMENTS, "--seedshift-shard=2/2", "--seedshift-dir=two")
    noisy.assert_outcomes(failed=2, deselected=2)
    plain.assert_outcomes(passed=2, deselected=2)
    plain.stdout.fnmatch_lines(
        [
            f"seedshift: warning: *thresholds.toml: ?model.toy-latent? does not speak of {PLAIN}, which is another "
            f'model: its own table is ?model."{PLAIN}"?',
        ]
    )
    noisy.stdout.no_fnmatch_line(f"*does not speak of {NOISY}*")
    noisy.stdout.fnmatch_lines(
        [f"mean shift +0.30 breaks {NOISY}: CLIP * < 49.0 *", f"*report: one/report.html#{CASE}"]
    )
    assert main(["merge", "one", "two", "--output", "all"]) == pytest.ExitCode.TESTS_FAILED
    assert {name: case["verdict"] for name, case in cases_of(pytester.path / "all").items()} == {
        f"{PLAIN}-none-+0.00": "pass",
        f"{PLAIN}-mean-+0.30": "pass",
        f"{NOISY}-none-+0.00": "fail",
        CASE: "fail",
    }
    page = (pytester.path / "all/report.html").read_text()
    assert f'id="{CASE}"' in page
    assert f'href="#{CASE}"' in page
    assert (pytester.path / "all/pictures" / CASE).is_dir()


def test_models_that_are_the_same_share_their_samples(pytester, run):
    names = ("toy-latent+steps=1+ddim", "toy-latent+ddim+steps=1")
    arguments = (*ARGUMENTS[3:], "--seedshift-magnitude=0")
    for name in names:
        run(*arguments, f"--seedshift-model={name}").assert_outcomes(passed=1)
    assert len(samples_of(pytester.path / ".seedshift")) == 16
    # The report finds the samples of a version by whatever name they were made.
    (case,) = run_folders.load(pytester.path / ".seedshift").cases
    assert (case.case.model, case.complete, len(case.samples)) == (names[1], True, 16)


def test_k_and_node_ids_select_derived_models(run):
    result = run(*ARGUMENTS, "--co", "-q", "-k", "toy-latent+steps and ancestral and mean")
    result.stdout.fnmatch_lines(["*1/4 tests collected*"])
    result = run(*ARGUMENTS, "--co", "-q", f"seedshift::test_reliability[{CASE}]")
    assert [line for line in result.outlines if "::" in line] == [f"seedshift::test_reliability[{CASE}]"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("toy-latent+clpi", "toy-latent+clpi: unknown change of a model 'clpi'. Did you mean 'clip'? Known: *"),
        ("toy-latent+ddim+ancestral", "*'ddim' and 'ancestral' contradict each other: leave one of them out"),
        ("toy-latent+steps=0", "toy-latent+steps=0: 'steps=0': give a whole number of at least 1*"),
        ("toy-latent+guidance=abc", "toy-latent+guidance=abc: 'guidance=abc': give a number of at least 0*"),
        ("toy-glide+zsnr", "toy-glide+zsnr: +zsnr: GlideDDPMScheduler takes the schedule and the steps*"),
        ("toy-latent+steps=1001", "toy-latent+steps=1001: steps=1001: the model was trained with 1000 steps*"),
    ],
)
def test_a_derivation_that_cannot_be_is_said_before_anything_is_generated(pytester, run, model, message):
    result = run(f"--seedshift-model={model}", *ARGUMENTS[1:])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert not samples_of_any(pytester.path / ".seedshift")


def samples_of_any(folder: Path) -> list:
    return samples_of(folder) if (folder / "samples.sqlite").exists() else []


def test_two_tables_for_one_derived_model_are_an_error(pytester, run):
    text = '[model."toy-latent+ddim+steps=2"]\ntop1 = 0.5\n[model."toy-latent+steps=2+ddim"]\ntop1 = 0.6\n'
    pytester.path.joinpath("thresholds.toml").write_text(EASY + text)
    result = run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *two tables for the model toy-latent+ddim+steps=2"])
