"""Breaking points in runs of pytest."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from helpers.pages import blocks
from helpers.runs import cases_of, samples_of
from pytest_seedshift.__main__ import main

# Four steps without guidance: quick, and bad enough to break early under a mean shift.
TOY = Path(__file__).parents[2] / "pytest_seedshift/models/toys/toy-latent"
MODEL = f"""
[models.quick]
pipeline = '{TOY}'
steps = 4
guidance = 2.0
classes = "toy16"
scorers = "toy"
"""
THRESHOLDS = f"""
[default]
top1 = 0.6
[shift.mean]
min_breaking_point = 0.04
[shift.std]
clip = 50.0
{MODEL}
"""
RUN = ("--seedshift-images=16", "--seedshift-batch-size=16", "--seedshift-model=quick")
GRID = (*RUN, "--seedshift-breaking-point", "--seedshift-shift=mean,std", "--seedshift-magnitude=0.1")
OWN = """
import pytest

@pytest.mark.breaking_point(shifts="mean", signs="+", min_breaking_point=1.0)
def test_never_breaks():
    pass

@pytest.mark.breaking_point(shifts="mean", signs="+", min_breaking_point=0.02)
def test_asserts_more(breaking_point):
    assert breaking_point.verdict == "pass"
    assert breaking_point.recovers == "never"

def test_asserts_itself(breaking_point):
    assert breaking_point.search.id.startswith("quick-mean-breaking-")
    assert breaking_point.verdict == "pass"
    assert 0 <= breaking_point.holds_at < breaking_point.at <= 1
    assert breaking_point.probes[0].case.is_control
"""


def verdicts_of(folder: Path) -> str:
    return (folder / "verdicts.json").read_text()


def searches_of(folder: Path) -> dict[str, dict]:
    return {record["test"]: record for record in json.loads(verdicts_of(folder))["breaking"]}


def test_of_two_searches_in_one_direction_the_worst_counts_wherever_it_is_shown(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        given = dict(models="quick", shifts="mean", signs="+", images=16, top1=0.6)

        @pytest.mark.breaking_point(min_breaking_point=0.9, **given)
        def test_bounded():
            pass

        @pytest.mark.breaking_point(**given)
        def test_measured():
            pass
        """
    )
    pytester.path.joinpath("thresholds.toml").write_text(f"[default]\ntop1 = 0.6\n{MODEL}")
    reports = ("--seedshift-report=none", "--seedshift-summary=summary.md", "--seedshift-sensitivity=never")
    result = run(*reports, "--seedshift-batch-size=16")
    result.assert_outcomes(failed=1, skipped=1)
    assert re.search(r"quick  mean .*✗", result.stdout.str())
    told = (pytester.path / "summary.md").read_text()
    assert "❌" in told
    assert "measured, none required" not in told


def test_searches_stand_beside_the_cases_and_share_their_samples(pytester, run, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)
    mean, std = (f"seedshift::test_breaking_point[quick-{shift}-breaking-+]" for shift in ("mean", "std"))

    # The searches alone.
    alone = run(*GRID, "-k", "breaking", "--junitxml=junit.xml", "--html=page.html", "--self-contained-html")
    alone.assert_outcomes(passed=1, skipped=1, deselected=3)
    alone.stdout.fnmatch_lines(
        [
            "*1/2 quick mean breaking +  breaks at +0.*  95 % interval * pass *",
            "*2/2 quick std breaking +  0: fails unshifted *measured*",
            "breaking points*",
            "2 breaking points: 1 pass, 1 measured only*",
        ]
    )
    folder = pytester.path / ".seedshift"
    record = searches_of(folder)[mean]
    assert (record["verdict"], record["minimum"]) == ("pass", 0.04)
    assert record["at"] == pytest.approx(record["holds_at"] + 0.02)
    probes = {probe["magnitude"]: probe for probe in record["probes"]}
    assert 0 < record["images"] - probes[0.0]["images"] <= record["scan"] / 5
    assert probes[0.0]["holds"]
    assert probes[record["holds_at"]]["holds"]
    assert not probes[record["at"]]["holds"]
    assert probes[record["at"]]["broken"].startswith("top-1")
    broken = searches_of(folder)[std]
    assert (broken["verdict"], broken["at"], len(broken["probes"])) == ("measured", 0.0, 1)
    assert "no magnitude was searched" in broken["reason"]
    document = json.loads(verdicts_of(folder))
    assert [(entry["id"], entry["kind"]) for entry in document["grid"]] == [
        ("quick-mean-breaking-+", "breaking"),
        ("quick-std-breaking-+", "breaking"),
    ]
    assert document["cases"] == []
    report = (folder / "report.html").read_text()
    assert 'id="quick-mean-breaking-+"' in report
    tests = {each.get("name"): each for each in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")}
    properties = {each.get("name"): each.get("value") for each in tests[mean.partition("::")[2]].iter("property")}
    assert properties["seedshift_breaking_point"] == f"+{record['at']:.2f}"
    skipped = tests[std.partition("::")[2]].find("skipped").get("message")
    assert "min_breaking_point" in skipped

    # With the cases, all of which find their samples: the control and a magnitude that was looked at.
    made = len(samples_of(folder))
    whole = run(*GRID)
    whole.assert_outcomes(passed=3, failed=1, skipped=1)
    found = cases_of(folder)
    assert found["quick-mean-+0.10"]["generated"] == 0
    assert len(samples_of(folder)) <= made + 16  # std's case is no probe's
    assert searches_of(folder)[mean] == record
    whole.stdout.fnmatch_lines(["robustness: no figure, *"])
    one = verdicts_of(folder)

    # Over a worker, and over shards that are joined, the verdicts are the same, byte for byte.
    pytester.runpytest_subprocess("-p", "no:cacheprovider", *GRID, "-n1").assert_outcomes(passed=3, failed=1, skipped=1)
    assert verdicts_of(folder) == one
    for number in (1, 2):
        shutil.copytree(folder, pytester.path / f"shard-{number}")
        run(*GRID, f"--seedshift-shard={number}/2", f"--seedshift-dir=shard-{number}")
    assert list(searches_of(pytester.path / "shard-1")) == [mean, std]
    capsys.readouterr()
    assert main(["merge", "shard-1", "shard-2", "--output", "merged"]) == 1  # a case of std fails
    assert verdicts_of(pytester.path / "merged") == one
    assert "breaking points" in capsys.readouterr().out
    joined = ElementTree.parse(pytester.path / "merged/junit.xml").getroot()[0]
    assert (joined.get("tests"), joined.get("skipped"), joined.get("failures")) == ("5", "1", "1")

    # Tests of one's own stand in for the suite's searches and assert their own bounds.
    (example,) = blocks("python", "docs/how-to/breaking-points.md")
    pytester.makepyfile(test_searches_of_mine=OWN + example)
    own = run(*GRID[:4], "--seedshift-shift=mean", "--seedshift-magnitude=0.1", "--seedshift-dir=shard-1")
    own.assert_outcomes(passed=2, failed=2)
    own.stdout.fnmatch_lines(
        [
            "quick breaks under mean at *, required: not before +1.00 (*",
            "*report: shard-1/report.html#quick-mean-breaking-+",
            "*assert () == 'never'*",
        ]
    )
    by_verdict = [each["verdict"] for each in searches_of(pytester.path / "shard-1").values()]
    assert by_verdict == ["fail", "fail", "pass", "pass"]


BAD = [
    ('(signs="up")', "signs='up': give '+', '-' or both"),
    ("(min_breaking_point=0)", "min_breaking_point = 0: give the smallest magnitude"),
    ("(magnitudes=0.3)", "unknown argument 'magnitudes'"),
    ('("mean")', "takes named arguments only: models, shifts, signs"),
    ('(shifts="maen")', "unknown shift 'maen'"),
    ('(shifts="mixed:independent=60", signs="-")', "it has no meaning at its smallest magnitude, -0.02"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD)
def test_a_mistake_in_the_marker_is_named_before_anything_is_generated(pytester, run, arguments, said):
    pytester.makepyfile(f"import pytest\n@pytest.mark.breaking_point{arguments}\ndef test_mine():\n    pass\n")
    result = run("--seedshift-model=toy-latent", "--seedshift-images=16")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str() + result.stdout.str()


def test_a_test_is_about_a_case_or_about_a_breaking_point(pytester, run):
    pytester.makepyfile("def test_mine(reliability, breaking_point):\n    pass\n")
    result = run("--seedshift-model=toy-latent")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*not both: make it two tests*"])


def test_the_ids_take_part_in_the_selection_and_the_directions_are_those_of_the_magnitudes(pytester, run):
    flags = ("--seedshift-model=toy-latent,toy-glide", "--seedshift-breaking-point", "--co", "-q")
    both = run(*flags, "-k", "breaking and mean and glide")
    both.stdout.fnmatch_lines(
        [f"seedshift::test_breaking_point?toy-glide-mean-breaking-{sign}?" for sign in ("+", "-")]
    )
    assert "2/82 tests collected" in both.stdout.str()
    one = run(*flags, "--seedshift-magnitude=-0.1", "-k", "breaking")
    assert "10/22 tests collected" in one.stdout.str()
    with_null = run(*flags, "--seedshift-magnitude=-0.1", "--seedshift-null", "-k", "breaking or null")
    assert "12/24 tests collected" in with_null.stdout.str()  # a null control of each model, and no search of its case
    with_null.stdout.no_fnmatch_line("*permute*breaking*")
    named = run(*flags[:1], "--co", "-q", "seedshift::test_breaking_point[toy-latent-std-breaking--]")
    named.stdout.fnmatch_lines(["seedshift::test_breaking_point?toy-latent-std-breaking--?"])
    named.stdout.no_fnmatch_line("*mean*")


def test_a_shift_without_any_threshold_is_an_error(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[shift.std]\ntop1 = 0.3\n[shift.none]\ntop1 = 0.3\n")
    result = run("--seedshift-model=toy-latent", "--seedshift-breaking-point", "-k", "breaking")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no threshold for toy-latent-random-breaking-+*"])


def test_a_bound_against_a_baseline_has_no_part_in_a_search_and_alone_is_an_error(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = { max_regression = 0.1 }\n")
    result = run("--seedshift-model=toy-latent", "--seedshift-breaking-point", "-k", "breaking")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*toy-latent-random-breaking-+: only max_regression is set*"])
