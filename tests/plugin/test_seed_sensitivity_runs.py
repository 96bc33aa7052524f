"""Seed sensitivity and null control in runs: when they are made, what is said of them, nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.blind import blind
from helpers.runs import EASY, SMALL
from pytest_seedshift.__main__ import main
from pytest_seedshift.core import shifts
from pytest_seedshift.models import catalogue

TOY = catalogue.shipped().find("toy-latent").pipeline[0]
QUICK = f"""
{EASY}
[models.quick]
pipeline = '{TOY}'
steps = 5
guidance = 1.0
classes = "toy16"
scorers = "toy"
"""
RUN = (
    "--seedshift-model=quick",
    *SMALL[1:],
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
)
NULL = "quick-arrangement:permute-+1.00"


@pytest.fixture
def quick(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(QUICK)
    return lambda *arguments: run(*RUN, *arguments)


@pytest.fixture(name="blind")
def _blind(monkeypatch):
    blind(monkeypatch)


def uses(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("sensitivity/*.json"))]


@pytest.mark.slow
def test_a_model_s_use_of_its_seed_is_measured_once_and_told_everywhere(pytester, quick, verdicts):
    result = quick("--seedshift-sensitivity=always", "--seedshift-null")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "seedshift: 48 more images for the seed sensitivity of quick (384 where it seems not to use it)",
            "seed use of quick: another seed vector changes CLIP * pixels *; other later noise nothing at all *",
            "null control of quick: top-1 drop * within ±*",
            "1 model load",
        ]
    )
    result.stdout.no_fnmatch_line("*ignores its seed vector*")
    found = verdicts()
    assert found[NULL]["null"] is True
    assert found[NULL]["verdict"] == "pass"
    assert [each["kind"] for each in found[NULL]["constraints"]] == 3 * ["null"]
    table = result.stdout.str().partition("toy-latent")[2]
    assert "arrangement" not in table.partition("cases:")[0]
    (use,) = uses(pytester.path / ".seedshift")
    assert (use["model"], use["images"]) == ("quick", 48)
    page = (pytester.path / ".seedshift/report.html").read_text()
    assert "Does it use its seed vector?" in page
    assert "nothing changes" in page
    assert "quick passes all 2 cases" in page  # the null control is no case of the model's
    written = [path.stat().st_mtime_ns for path in (pytester.path / ".seedshift/sensitivity").iterdir()]

    again = quick("--seedshift-sensitivity=always")
    again.stdout.fnmatch_lines(["seed use of quick: *"])
    again.stdout.no_fnmatch_line("*model load*")
    assert [path.stat().st_mtime_ns for path in (pytester.path / ".seedshift/sensitivity").iterdir()] == written

    (path,) = (pytester.path / ".seedshift/sensitivity").iterdir()
    path.write_text(path.read_text()[:100])
    quick().stdout.fnmatch_lines([f"warning: sensitivity/{path.name} cannot be read: not JSON: *"])
    assert f"{path.name} cannot be read" in (pytester.path / ".seedshift/report.html").read_text()
    quick("--seedshift-sensitivity=always").stdout.fnmatch_lines(["seed use of quick: another seed vector *"])
    assert json.loads(path.read_text())["distances"] == use["distances"]

    quick("--seedshift-fresh").stdout.no_fnmatch_line("seed use *")
    assert uses(pytester.path / ".seedshift") == []


@pytest.mark.usefixtures("blind")
def test_a_model_that_does_not_look_is_flagged_and_a_broken_harness_is_not_the_model_s_fault(
    pytester, quick, verdicts, monkeypatch
):
    monkeypatch.setitem(shifts._VARIANTS["arrangement"], "permute", lambda z, *_: 3 * z)
    result = quick("--seedshift-sensitivity=always", "--seedshift-null", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "error of the harness, not of quick: *drop * beyond ±*",
            "*trust no verdict of this run*at most 1 %*",
            "seed use of quick: another seed vector changes CLIP 0, pixels 0; *",
            "warning: quick ignores its seed vector: another one changes nothing in its images. *does not use *",
            "null control of quick: error of the harness, not of quick*",
        ],
        consecutive=False,
    )
    assert verdicts()[NULL]["verdict"] == "error"
    assert verdicts()[NULL]["scores"]["clip"]["mean"] >= 0
    junit = (pytester.path / "junit.xml").read_text()
    assert 'errors="1"' in junit
    assert 'failures="0"' in junit
    page = (pytester.path / ".seedshift/report.html").read_text()
    assert "quick ignores its seed vector" in page
    assert "error of the harness" in page
    assert "trust none of this" in page


@pytest.mark.slow
def test_shards_measure_a_model_once_and_merge_takes_it_over(pytester, quick, capsys):
    for number in (1, 2):
        quick(
            "--seedshift-sensitivity=always",
            "--seedshift-null",
            f"--seedshift-shard={number}/2",
            f"--seedshift-dir=part-{number}",
        ).assert_outcomes(passed=number, deselected=3 - number)
    counts = [len(uses(pytester.path / f"part-{number}")) for number in (1, 2)]
    assert sorted(counts) == [0, 1]
    assert main(["merge", "part-1", "part-2", "--output", "merged"]) == 0
    out = capsys.readouterr().out
    assert "seed use of quick: another seed vector changes" in out
    assert "null control of quick: top-1 drop" in out
    assert len(uses(pytester.path / "merged")) == 1
    assert "Does it use its seed vector?" in (pytester.path / "merged/report.html").read_text()


def test_unasked_it_is_not_measured_in_a_run_of_a_few_images_but_in_one_of_many(pytester, quick):
    quick().stdout.no_fnmatch_line("*seed sensitivity*")
    assert uses(pytester.path / ".seedshift") == []
    many = "--seedshift-images=2400"  # and the control: 4800 images, a hundred times 48
    quick(many, "--seedshift-plan").stdout.fnmatch_lines(
        ["seedshift: 48 more images for the seed sensitivity of quick (384 *)"]
    )


def test_what_cannot_be_measured_is_said_and_changes_no_verdict(pytester, quick):
    pytester.path.joinpath("one.csv").write_text("label,index\nsnail,0\n")
    pytester.path.joinpath("thresholds.toml").write_text(QUICK.replace('"toy16"', '"one.csv"'))
    result = quick("--seedshift-sensitivity=always", "--seedshift-images=4")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.fnmatch_lines(["seed use of quick: not measured: 1 labels in 8 blocks: *"])


def test_a_null_control_can_be_chosen_like_any_item_and_alone(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(QUICK)
    arguments = ("--seedshift-model=quick", *SMALL[1:], "--seedshift-null")
    result = run(f"seedshift::test_null_control[{NULL}]", *arguments)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["null control of quick: *"])
    assert "Null control" in (pytester.path / ".seedshift/report.html").read_text()
    lines = run(*arguments, "--co", "-q", "-k", "null or mean").outlines
    assert sum("::" in line for line in lines) == 7


def test_projects_with_tests_of_their_own_get_null_controls_of_the_models_that_these_name(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(QUICK)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models="quick", shifts="std", magnitudes=0.1, images=16)
        def test_mine():
            pass
        """
    )
    lines = [line for line in run("--seedshift-null", "--co", "-q").outlines if "::" in line]
    assert len(lines) == 3
    assert lines[-1] == f"seedshift::test_null_control[{NULL}]"


def test_unknown_choices_are_refused(quick):
    result = quick("--seedshift-sensitivity=sometimes")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --seedshift-sensitivity=sometimes: unknown choice 'sometimes'*always*"])


def seed_use(folder: Path) -> list[dict]:
    return json.loads((folder / "verdicts.json").read_text()).get("seed_use", [])


def test_a_bound_on_the_use_of_the_seed_measures_it_and_fails_the_session(pytester, quick, blind):
    thresholds = pytester.path.joinpath("thresholds.toml")
    thresholds.write_text(QUICK.replace("[default]\n", "[default]\nmin_sensitivity = 0.3\n", 1))
    result = quick("--seedshift-report=none", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*quick: another seed vector changes pixels 0 of what*less than min_sensitivity*"])
    assert "seed-use[quick-pixel]" in pytester.path.joinpath("junit.xml").read_text()
    (kept,) = seed_use(pytester.path / ".seedshift")
    assert kept == {
        "model": "quick",
        "key": "min_sensitivity",
        "distance": "pixel",
        "bound": 0.3,
        "measured": 0.0,
        "low": 0.0,
        "high": 0.0,
        "holds": False,
    }
    assert main(["report", ".seedshift"]) == 0
    page = (pytester.path / ".seedshift/report.html").read_text()
    assert "its use of the seed vector does not meet min_sensitivity" in page
    thresholds.write_text(QUICK.replace("[default]\n", "[default]\nmax_sensitivity = 0.3\n", 1))
    again = quick("--seedshift-report=none")
    again.assert_outcomes(passed=2)  # by what is kept
    never = quick("--seedshift-report=none", "--seedshift-sensitivity=never", "--seedshift-dir=other")
    never.assert_outcomes(passed=2, failed=1)
    never.stdout.fnmatch_lines(["*quick: max_sensitivity is set, and it was not measured: *"])
    (kept,) = seed_use(pytester.path / "other")
    assert (kept["holds"], "--seedshift-sensitivity=never" in kept["reason"]) == (None, True)


def test_merged_shards_are_held_against_a_bound_together(pytester, quick, blind, capsys):
    thresholds = pytester.path.joinpath("thresholds.toml")
    thresholds.write_text(QUICK.replace("[default]\n", "[default]\nmin_sensitivity = 0.3\n", 1))
    for number in (1, 2):
        quick("--seedshift-report=none", f"--seedshift-shard={number}/2", f"--seedshift-dir=part-{number}")
    said = [seed_use(pytester.path / f"part-{number}")[0] for number in (1, 2)]
    assert sorted(each.get("elsewhere", False) for each in said) == [False, True]
    assert main(["merge", "part-1", "part-2", "--output", "merged"]) == 1
    assert "less than min_sensitivity = 0.3 at 99 %" in capsys.readouterr().out
    assert [each["holds"] for each in seed_use(pytester.path / "merged")] == [False]
    assert "seed-use[quick-pixel]" in (pytester.path / "merged/junit.xml").read_text()
    (measured,) = (number for number, each in enumerate(said, 1) if not each.get("elsewhere"))
    for path in pytester.path.glob(f"part-{measured}/sensitivity/*"):
        path.unlink()
    assert main(["merge", "part-1", "part-2", "--output", "merged", "--json"]) == 1  # what nobody has measured
    for number in (1, 2):
        path = pytester.path / f"part-{number}/verdicts.json"
        path.write_text(path.read_text().replace("min_sensitivity", "max_sensitivity"))
    assert main(["merge", "part-1", "part-2", "--output", "again"]) == 1
    assert "max_sensitivity is set, and it was not measured" in capsys.readouterr().out


def test_what_is_lost_of_the_baseline_s_use_of_the_seed_fails_the_session(pytester, quick, request, capsys):
    thresholds = pytester.path.joinpath("thresholds.toml")
    thresholds.write_text(QUICK.replace("[default]\n", "[default]\nmax_sensitivity_regression = 0.3\n", 1))
    first = quick("--seedshift-report=none", "--seedshift-save-baseline=b.json")
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["*max_sensitivity_regression is not judged without a baseline*"])
    assert seed_use(pytester.path / ".seedshift") == []
    held = ("--seedshift-report=none", "--seedshift-baseline=b.json")
    quick(*held).assert_outcomes(passed=2)
    (same,) = seed_use(pytester.path / ".seedshift")
    assert (same["measured"], same["holds"]) == (1.0, True)
    request.getfixturevalue("blind")
    worse = quick(*held, "--seedshift-fresh")
    worse.assert_outcomes(passed=2, failed=1)
    worse.stdout.fnmatch_lines(
        ["*quick: 0 of the baseline's change of pixels by another seed vector is left, more is*"]
    )
    assert main(["merge", ".seedshift", "--output", "merged"]) == 1
    assert "more is lost than max_sensitivity_regression = 0.3" in capsys.readouterr().out
    document = json.loads(Path("b.json").read_text())
    assert document["seed_use"]["quick"]["distances"]


@pytest.mark.nightly
def test_a_model_of_which_eight_blocks_leave_it_open_is_measured_on_more_and_flagged(run):
    """One of toy-glide's first eight blocks is unlike the others, so that their interval reaches beyond the limit."""
    result = run("--seedshift-model=toy-glide", "--seedshift-magnitude=0", "--seedshift-sensitivity=always")
    result.stdout.fnmatch_lines(["warning: toy-glide ignores its seed vector: *64 blocks of two labels were measured*"])
