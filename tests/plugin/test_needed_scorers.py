"""What is not asked for is not needed: scorers that no bound, baseline, study or fixture asks for."""

from __future__ import annotations

import json

import pytest

from helpers.runs import ONE, cases_of, samples_of
from pytest_seedshift.__main__ import main

CONTRAST = """
from pytest_seedshift import ScoreKind

class Contrast:
    kind, fingerprint = ScoreKind("contrast", 1.0, binary=False), "contrast"
    def __init__(self, device): pass
    def check(self, labels): pass
    def score(self, images, labels): return {"contrast": (2 * images.std((1, 2, 3))).clamp(max=1)}

def pytest_seedshift_scorers(): return {"contrast": Contrast}
"""
UNHEARD = "label,index\n" + "".join(f"xq{at},{at}\n" for at in range(16))
"""Labels that no classifier has among its outputs."""
NO_CLIP, NO_VIT = '{ clip = "./not-there" }', '{ vit = "./not-there" }'


def thresholds(pytester, bounds: str, entry: str = "") -> None:
    more = f"\n[models.toy-latent]\n{entry}\n" if entry else ""
    pytester.path.joinpath("thresholds.toml").write_text(f"[default]\n{bounds}\n{more}")


@pytest.mark.parametrize(
    "entry", [f"scorers = {NO_CLIP}", f"scorers = {NO_VIT}", 'classes = "long.csv"'], ids=["clip", "vit", "labels"]
)
def test_a_bound_on_a_score_of_ones_own_needs_no_other_scorer(pytester, run, entry):
    pytester.makeconftest(CONTRAST)
    pytester.path.joinpath("long.csv").write_text(UNHEARD)
    thresholds(pytester, "contrast = 0.1", entry)
    result = run(*ONE, "--html=page.html", "--seedshift-null", "--seedshift-save-baseline=b.json")
    result.assert_outcomes(passed=3)
    folder = pytester.path / ".seedshift"
    document = json.loads((folder / "verdicts.json").read_text())
    assert {score for case in document["cases"] for score in case["scores"]} == {"contrast"}
    (model,) = document["models"].values()
    assert (model["classifier"], model["clip"], model["scorer_weights"]) == (None, None, [None, None])
    assert not any(each["right"] or each["control_right"] for case in document["cases"] for each in case["pictures"])
    for page in (folder / "report.html", pytester.path / "page.html"):
        text = page.read_text()
        assert "Top-1 was not measured: no constraint uses it" in text
        assert "CLIP" not in text
    # What such a run leaves is read as any other's is.
    for arguments in (
        ["card", ".seedshift"],
        ["merge", ".seedshift", "--output", "merged"],
        ["report", "merged"],
        ["thresholds", ".seedshift", "--in-ci"],
    ):
        assert main(arguments) == 0
    assert main(["compare", "b.json", ".seedshift"]) == 0
    run(*ONE, "--seedshift-baseline=b.json").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("bound", "entry", "scores"),
    [
        ("top1 = 0.0", f"scorers = {NO_CLIP}", {"top1", "top5"}),
        ("top5 = 0.0", f"scorers = {NO_CLIP}", {"top1", "top5"}),
        ("clip = 0.0", f"scorers = {NO_VIT}", {"clip"}),
        ("clip = { max_drop = 49.0 }", 'classes = "strange.csv"', {"clip"}),
    ],
)
def test_each_scorer_is_needed_for_its_own_scores_alone(pytester, run, bound, entry, scores):
    pytester.path.joinpath("strange.csv").write_text("label,index\nzyx,0\nxyz,1\n")
    thresholds(pytester, bound, entry)
    run(*ONE, "--seedshift-report=none").assert_outcomes(passed=2)
    for case in cases_of(pytester.path / ".seedshift").values():
        assert case["scores"].keys() == scores


@pytest.mark.parametrize("bound", ["clip = 0.0", "clip = { max_drop = 1.0 }", "contrast = 0.0\nclip = 0.0"])
def test_a_scorer_that_is_asked_for_and_is_not_there_ends_the_run_beforehand(pytester, run, bound):
    pytester.makeconftest(CONTRAST)
    thresholds(pytester, bound, f"scorers = {NO_CLIP}")
    result = run(*ONE)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*not-there*"])


@pytest.mark.parametrize("asks", ["marker", "breaking", "fixture", "sensitivity", "shift", "magnitude", "model"])
def test_whatever_asks_for_a_scorer_gets_it_or_says_that_it_is_not_there(pytester, run, asks):
    pytester.makeconftest(CONTRAST)
    tests = {
        "marker": "@pytest.mark.reliability(clip=0.0)\ndef test_it(): pass",
        "breaking": "@pytest.mark.breaking_point(clip=0.0)\ndef test_it(): pass",
        "fixture": "@pytest.mark.reliability\ndef test_it(seedshift_scorers): assert len(seedshift_scorers) == 3",
    }
    tables = {
        "shift": "[shift.mean]\nclip = 0.0",
        "magnitude": '[shift.mean."0.3"]\nclip = 0.0',
        "model": "[model.toy-latent]\nclip = 0.0",
    }
    if asks in tests:
        pytester.makepyfile(f"import pytest\n{tests[asks]}")
    thresholds(pytester, f"contrast = 0.0\n{tables.get(asks, '')}", f"scorers = {NO_CLIP}")
    more = ["--seedshift-sensitivity=always"] if asks == "sensitivity" else []
    result = run(*ONE, *more)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*not-there*"])


def test_a_later_run_that_asks_for_more_scores_what_is_kept_and_makes_the_rest(pytester, run):
    thresholds(pytester, "clip = 0.0")
    run(*ONE, "--seedshift-keep-images=all", "--seedshift-report=none").assert_outcomes(passed=2)
    folder = pytester.path / ".seedshift"
    before = {(each["shift"], each["label"]): each["scores"]["clip"] for each in samples_of(folder)}
    thresholds(pytester, "clip = 0.0\ntop1 = 0.0")
    run(*ONE, "--seedshift-keep-images=all", "--seedshift-report=none").assert_outcomes(passed=2)
    assert {case["generated"] for case in cases_of(folder).values()} == {0}
    after = samples_of(folder)
    assert all({"top1", "top5", "clip"} == each["scores"].keys() for each in after)
    assert {(each["shift"], each["label"]): each["scores"]["clip"] for each in after} == before

    # And what has all the scores serves who asks for fewer.
    thresholds(pytester, "clip = 0.0", f"scorers = {NO_VIT}")
    run(*ONE, "--seedshift-report=none").assert_outcomes(passed=2)
    cases = cases_of(folder).values()
    assert {case["generated"] for case in cases} == {0}
    assert all(case["scores"].keys() == {"clip"} for case in cases)
    assert main(["report", ".seedshift"]) == 0
    assert "does not hold the samples" not in (folder / "report.html").read_text()
