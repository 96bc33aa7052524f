"""A case stops when its verdict stands, and the verdict is that of the whole design."""

from __future__ import annotations

import pytest

from helpers.runs import samples_of

GRID = (
    "--seedshift-model=toy-latent",
    "--seedshift-shift=mixed",
    "--seedshift-magnitude=-0.3",
    "--seedshift-images=48",
    "--seedshift-batch-size=4",
)


@pytest.fixture
def strict(pytester, run):
    """Thresholds that the control meets with ease and the shifted case misses by far."""
    pytester.path.joinpath("thresholds.toml").write_text(
        "[default]\ntop1 = 0.9\ntop5 = 0.2\n[shift.none]\ntop1 = 0.5\n"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("strict")
def test_a_verdict_takes_a_part_of_the_design_and_is_that_of_the_whole(run, verdicts):
    result = run(*GRID)
    early = verdicts()
    result.stdout.fnmatch_lines(
        ["mixed shift -0.30 breaks toy-latent: top-1 * < 0.90 (below 0.90 at 99 %, after * of 48 images,*"]
    )
    assert all(0 < case["images"] < case["design"] == 48 for case in early.values())
    result = run(*GRID, "--seedshift-exact")
    exact = verdicts()
    assert {name: case["verdict"] for name, case in exact.items()} == {
        name: case["verdict"] for name, case in early.items()
    }
    assert {case["images"] for case in exact.values()} == {48}
    # What the early run has made is not made again.
    made = sum(case["generated"] for case in early.values())
    assert sum(case["generated"] for case in exact.values()) == 96 - made


@pytest.mark.usefixtures("strict")
def test_a_case_that_fails_early_leaves_other_bounds_open(pytester, run, verdicts):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = 0.95\ntop5 = 0.8\n")
    result = run(*GRID, "-k", "mixed")
    case = verdicts()["toy-latent-mixed--0.30"]
    assert case["verdict"] == "fail"
    assert [constraint["holds"] for constraint in case["constraints"]] == [False, None]
    result.stdout.fnmatch_lines(["*top-5 * 0.80 so far*"])


@pytest.mark.usefixtures("strict")
def test_more_certainty_takes_more_images_and_only_those(pytester, run, verdicts):
    thresholds = pytester.path / "thresholds.toml"
    thresholds.write_text("[default]\ntop1 = 0.5\n")
    run(*GRID, "-k", "none", "--seedshift-batch-size=1")
    first = verdicts()["toy-latent-none-+0.00"]
    thresholds.write_text("[default]\ntop1 = 0.5\n[verdict]\ncertainty = 0.9999\n")
    result = run(*GRID, "-k", "none", "--seedshift-batch-size=1")
    second = verdicts()["toy-latent-none-+0.00"]
    result.stdout.fnmatch_lines(["seedshift: 1 case of toy-latent on cpu (float32), about * certainty 0.9999"])
    assert first["images"] < second["images"]
    assert second["certainty"] == 0.9999
    # The strip of pictures may have taken some of them before.
    assert second["generated"] <= second["images"] - first["images"]
    assert len(samples_of(pytester.path / ".seedshift")) == second["images"]


@pytest.mark.parametrize("certainty", ["0.5", "1", "1.0", "-1", "nan", '"high"', "true"])
def test_a_certainty_that_cannot_be_used(pytester, run, certainty):
    pytester.path.joinpath("thresholds.toml").write_text(f"[default]\ntop1 = 0.5\n[verdict]\ncertainty = {certainty}\n")
    result = run(*GRID)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *thresholds.toml: ?verdict? certainty = *: give a number above 0.5 and below 1*"]
    )
    assert not (pytester.path / ".seedshift").exists()
