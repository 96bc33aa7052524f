"""A part of the grid for each of several machines."""

from __future__ import annotations

import json

import pytest

from helpers import records
from helpers.runs import SMALL
from pytest_seedshift.results.run_folder import RunFolder

GRID = (*SMALL, "--seedshift-shift=mean,std", "--seedshift-magnitude=-0.1,0.1,0.2")


def collected(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_shards_are_parts_of_the_grid_and_the_rest_is_deselected(run):
    whole = collected(run(*GRID, "--co", "-q"))
    parts = []
    for number in (1, 2, 3):
        result = run(*GRID, "--co", "-q", f"--seedshift-shard={number}/3")
        parts.append(collected(result))
        result.stdout.fnmatch_lines([f"{len(parts[-1])}/7 tests collected ({7 - len(parts[-1])} deselected)*"])
    assert sorted(test for part in parts for test in part) == sorted(whole)
    assert sorted(map(len, parts)) == [2, 2, 3]


def test_the_split_is_of_what_other_options_have_left(run):
    parts = [collected(run(*GRID, "--co", "-q", "-kstd", f"--seedshift-shard={number}/3")) for number in (1, 2, 3)]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert all("std" in part[0] for part in parts)


def test_tests_that_judge_no_case_run_in_every_shard(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(shifts="mean", magnitudes=[0.1, 0.2, 0.3])
        def test_mine():
            pass

        def test_other():
            pass
        """
    )
    for number in (1, 2):
        ids = collected(run(*SMALL, "--co", "-q", f"--seedshift-shard={number}/2"))
        assert len(ids) == 3
        assert ids[-1].endswith("test_other")


def test_a_shard_may_come_from_the_ini_file(pytester, run):
    pytester.path.joinpath("pytest.ini").write_text("[pytest]\nseedshift_shard = 1/7\n")
    assert len(collected(run(*GRID, "--co", "-q"))) == 1


def test_a_shard_says_what_it_is_and_its_verdicts_name_the_whole_grid(pytester, run):
    result = run(*GRID, "--seedshift-shard=7/7")
    result.assert_outcomes(passed=1, deselected=6)
    result.stdout.fnmatch_lines(["seedshift: shard 7/7, by count: 1 of 7 cases"])
    document = json.loads((pytester.path / ".seedshift/verdicts.json").read_text())
    assert len(document["grid"]) == 7
    assert len(document["cases"]) == 1
    assert (document["shard"]["number"], document["shard"]["of"], document["shard"]["by"]) == (7, 7, "count")


def test_shards_are_balanced_by_an_earlier_run(pytester, run):
    run(*GRID, "-kmean", "--seedshift-dir=earlier")
    earlier = RunFolder(pytester.path / "earlier")
    cases = earlier.read_document()["cases"]
    for case in cases:
        case.update(images=300 if case["magnitude"] == 0.1 else 1, seconds=1.0, generated=1)
    records.write(earlier, cases)
    sizes = [
        len(collected(run(*GRID, "--co", "-q", "-kmean", f"--seedshift-shard={k}/2", "--seedshift-shard-by=earlier")))
        for k in (1, 2)
    ]
    assert sizes == [1, 2]


@pytest.mark.parametrize("shard", ["5/4", "0/4", "2/x", "1/0", "4"])
def test_no_such_shard_is_a_usage_error(run, shard):
    result = run(*GRID, f"--seedshift-shard={shard}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --seedshift-shard={shard}: *"])


def test_more_shards_than_cases_are_a_usage_error(run):
    result = run(*GRID, "--seedshift-shard=1/8")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --seedshift-shard=1/8: 8 shards for 7 cases: *at most 7"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such folder"),
        ("", "its verdicts.json is damaged"),
        ('{"version": 2, "cases": []}', "its verdicts.json has the format 2, this version reads 1: upgrade*"),
        ('{"version": 1, "cases": []}', "it has a verdict about none of the cases of this run"),
    ],
)
def test_an_earlier_run_that_tells_no_costs_is_a_usage_error(pytester, run, content, reason):
    if content is not None:
        pytester.mkdir("earlier").joinpath("verdicts.json").write_text(content)
    result = run(*GRID, "--seedshift-shard=1/2", "--seedshift-shard-by=earlier")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --seedshift-shard-by=*earlier: {reason}*"])


@pytest.mark.slow
def test_workers_run_the_cases_of_the_shard_only(pytester, run, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    result = pytester.runpytest_subprocess(*GRID, "-n2", "--seedshift-shard=1/3")
    result.assert_outcomes(passed=2)
    document = json.loads((pytester.path / ".seedshift/verdicts.json").read_text())
    assert len(document["grid"]) == 7
    assert len(document["cases"]) == 2
    assert document["shard"]["number"] == 1
    result.stdout.fnmatch_lines(["seedshift: shard 1/3, by count: 2 of 7 cases"])
    too_many = pytester.runpytest_subprocess(*GRID, "-n2", "--seedshift-shard=1/8")
    too_many.assert_outcomes(errors=7)
    too_many.stdout.fnmatch_lines(["--seedshift-shard=1/8: 8 shards for 7 cases: *"])
    too_many.stdout.no_fnmatch_line("*INTERNALERROR*")
