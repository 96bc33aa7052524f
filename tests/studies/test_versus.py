"""A base against others: what two runs on the same pairs say of likeness, faithfulness, robustness and speed."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.scores import Finding
from pytest_seedshift.reporting import versus as words
from pytest_seedshift.reporting import versus_document
from pytest_seedshift.reporting.page import versus as page
from pytest_seedshift.results.baseline import Baseline, Design, Samples, Version
from pytest_seedshift.studies import versus
from pytest_seedshift.studies.speed import Speed
from pytest_seedshift.studies.versus import Cost, Side
from pytest_seedshift.studies.versus_verdicts import Failed

LABELS = tuple(label.name for label in pairs.class_list("toy16"))
DESIGN = Design("toy16", LABELS, "A photo of a {label}", 64)


def side(model: str, control: list[float], shifted: list[float] | None = None, grey: int | None = None, **more) -> Side:
    """A model with top-1 of its pairs, without a shift and under one; its pictures are of one grey with a white dot."""
    columns = {Case(model): control} | ({} if shifted is None else {Case(model, "mean", 0.3): shifted})
    cases = {case: Samples(case, "design", True, {"top1": tuple(values)}) for case, values in columns.items()}
    pictures = {}
    for label, seed in DESIGN.places()[: len(control) if grey is not None else 0]:
        path = more["folder"] / f"{len(model)}-{label}-{seed}.png"
        image = Image.new("RGB", (16, 16), (grey, grey, grey))
        image.putpixel((3, 3), (255, 255, 255))
        image.save(path)
        pictures[Case(model), label, seed] = path
    more.pop("folder", None)
    version = Version("fingerprint", "cpu", "float32", "classifier", "clip")
    return Side(model, Baseline(model, {}, {model: version}, {"design": DESIGN}, cases, pictures), **more)


def said(base: Side, *others: Side) -> list[str]:
    return words.sentences(versus.make(base, others))


RIGHT = [1.0] * 64
FASTER = Speed(1.69, 1.61, 1.75, 8, 4)


def test_a_model_beside_itself_has_the_same_pictures_and_has_lost_nothing(tmp_path):
    base = side("base", RIGHT, [1.0, 0.0] * 32, 90, folder=tmp_path, cost=Cost(2.0))
    same = Cost(2.0, weights=2**20, disk=2**21, speed=Speed(1.01, 0.94, 1.07, 8, 4))
    found = versus.make(base, [side("base", RIGHT, [1.0, 0.0] * 32, 90, folder=tmp_path, cost=same)])
    (other,) = found.others
    assert found.shifts == (("mean", 0.3),)
    assert (other.pairs, other.least, other.verdict) == (64, (), "pass")
    (top1,) = other.scores
    assert (top1.controls, top1.change.value, top1.retained) == ((1.0, 1.0), 0.0, (0.5, 0.5))
    assert top1.robustness is not None
    assert top1.robustness.low < 0 < top1.robustness.high
    (sentence,) = words.sentences(found)
    assert sentence == (
        "base itself passes: the same pictures (64 pairs); no significant loss (top-1 at worst −0.07); "
        "neither faster nor slower beyond the spread (0.94–1.07×)."
    )
    assert "1.01" not in str(words.rows(found))


def test_what_is_lost_without_a_shift_and_what_under_one_are_told_apart():
    base = side("base", RIGHT, RIGHT)
    worse = [0.0] * 24 + [1.0] * 40
    (blind,) = said(base, side("blind", worse, worse))
    assert blind.startswith("blind passes: no pictures of the same pairs; loses top-1 (−0.38 (")
    assert "without a shift; no significant loss under shifts" in blind
    (fragile,) = said(base, side("fragile", RIGHT, worse))
    assert "no significant loss without a shift; less robust by retained top-1 (1.00 → 0.62 (" in fragile
    (better,) = said(side("base", worse, worse), side("better", RIGHT, RIGHT))
    assert "gains top-1 (+0.38 (" in better


def test_only_pairs_that_all_cases_of_both_have_are_compared():
    base = side("base", RIGHT, RIGHT)
    early = side("early", [1.0] * 40, [1.0] * 16 + [0.0] * 8)
    (other,) = versus.make(base, [early]).others
    assert other.pairs == 24
    assert other.scores[0].retained == (1.0, pytest.approx(16 / 24))
    assert "decided early, after 24 of 64 pairs" in said(base, early)[0]
    (few,) = versus.make(base, [side("few", [1.0] * 12, [0.0] * 12)]).others
    assert (few.pairs, few.scores) == (12, ())
    assert "too few pairs for figures of scores" in said(base, side("few", [1.0] * 12, [0.0] * 12))[0]
    (without,) = versus.make(base, [Side("early", Baseline("early", {}, {}, {"design": DESIGN}, {}))]).others
    assert (without.pairs, without.scores) == (0, ())
    assert "no scores on the base's pairs" in said(base, Side("early", without_cases()))[0]


def without_cases() -> Baseline:
    return Baseline("early", {}, {}, {"design": DESIGN}, {})


def test_the_pairs_that_are_least_alike_are_shown(tmp_path):
    base = side("base", RIGHT, None, 90, folder=tmp_path, cost=Cost(2.0))
    other = side("other", RIGHT, None, 40, folder=tmp_path, cost=Cost(1.0))
    found = versus.make(base, [other])
    (made,) = found.others
    assert len(made.least) == versus.MOST_CHANGED
    assert made.least[0].ssim == min(made.likeness.values["ssim"]) < 1
    assert made.least[0].before != made.least[0].after
    assert page.make(found, "command").count('<img src="data:image/webp') == 2 * versus.MOST_CHANGED
    assert words.rows(found)[1][2:4] == (f"{made.likeness.estimate('ssim').mean:.3f}", "+0.00 (−0.07 to +0.07)")


def test_why_likeness_is_not_known_is_told(tmp_path):
    base = side("base", RIGHT, None, 90, folder=tmp_path)
    for path in base.run.pictures.values():
        Image.new("RGB", (8, 8)).save(path)
    (sentence,) = said(base, side("other", RIGHT, None, 90, folder=tmp_path))
    assert "likeness is not known (other, control: pictures of 16×16 and of 8×8 pixels cannot be compared)" in sentence
    assert "no significant loss" in sentence


def test_what_is_not_known_is_left_out(tmp_path):
    found = versus.make(side("base", RIGHT), [side("other", RIGHT)])
    assert "no pictures of the same pairs" in words.sentences(found)[0]
    assert "faster" not in words.sentences(found)[0]
    assert "memory" not in words.sentences(found)[0]
    assert "<svg" not in page.make(found, "command").partition("Harm against speed")[2]
    document = json.loads(json.dumps(versus_document.document(found), allow_nan=False))
    assert (document["base"]["model"], document["others"][0]["speed"]) == ("base", None)


def test_names_are_text_wherever_they_are_shown():
    hostile = 'a|b<script>alert(1)</script>`"'
    cases = Failed(Case(hostile, "mean", 0.3), "fail", hostile), Failed(Case("other"), "error")
    found = versus.make(side("base", RIGHT), [side(hostile, RIGHT, failed=cases)])
    assert found.others[0].verdict == "error"
    assert "<script>" not in page.make(found, hostile)
    summary = words.summary(found)
    assert "<script>" not in summary
    rows = [line for line in summary.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert len(rows) == 4
    (sentence,) = words.sentences(found)
    assert sentence.startswith(f"{hostile} could not be judged: no pictures")
    assert sentence.endswith(f" Why: {hostile}-mean-+0.30: {hostile}; other-none-+0.00.")


def test_the_page_needs_nothing_else(tmp_path: Path):
    found = versus.make(side("base", RIGHT, cost=Cost(1.0)), [side("other", RIGHT, cost=Cost(0.5, speed=FASTER))])
    made = page.make(found, "seedshift versus base other")
    assert [each for each in re.findall(r'(?:src|href)="([^"]*)"', made) if not each.startswith(("data:", "#"))] == []
    assert "<svg" in made
    assert "seedshift versus base other" in made


@pytest.mark.parametrize(
    ("grey", "cost", "sentence"),
    [
        (
            91,
            Cost(weights=27, disk=100, speed=FASTER),
            "+int8 passes: same pictures to SSIM above 0.999; no significant loss (top-1 at worst −0.07); 1.7× faster "
            "(1.6–1.8); its weights take 0.27× the memory.",
        ),
        (60, Cost(speed=Speed(0.5, 0.4, 0.8, 8, 1)), "similar pictures, SSIM 0.9"),
        (5, Cost(speed=Speed(0.5, 0.4, 0.8, 8, 1)), "other pictures, SSIM 0."),
        (91, Cost(speed=Speed(0.5, 0.4, 0.8, 8, 1)), "2.0× slower (1.2–2.5)"),
        (91, Cost(speed=Speed(1.05, 1.01, 1.08, 8, 1)), "1.05× faster (1.01–1.08)"),
        (91, Cost(weights=103, speed=Speed(1.05, 1.0, 1.08, 8, 1)), "neither faster nor slower beyond the spread"),
        (91, Cost(weights=103, untimed="there is no room"), "its speed was not measured (there is no room)."),
    ],
)
def test_a_sentence_says_the_verdict_the_pictures_the_losses_and_the_cost(tmp_path, grey, cost, sentence):
    base = side("base", RIGHT, None, 90, folder=tmp_path, cost=Cost(weights=100, disk=100))
    found = versus.make(base, [side("base+int8", RIGHT, None, grey, folder=tmp_path, cost=cost)])
    (said,) = words.sentences(found)
    assert sentence in said
    assert "int8 passes: " in words.summary(found)
    (other,) = json.loads(json.dumps(versus_document.document(found), allow_nan=False))["others"]
    assert other["weights"] == (None if cost.weights is None else cost.weights / 100)
    assert (other["speed"] is None) is (cost.speed is None)


def test_what_weights_take_is_in_the_table_the_page_and_the_markdown():
    base = side("base", RIGHT, cost=Cost(1.0, weights=3 * 2**30, disk=2**31))
    found = versus.make(base, [side("base+int8", RIGHT, cost=Cost(0.5, weights=2**30, disk=2**31, speed=FASTER))])
    table = dict(zip(words.head(found), words.rows(found)[1], strict=True))
    assert (table["weights"], table["on disk"], table["images/s"]) == ("0.33×", "1.00×", "1.69× (1.61–1.75)")
    shown = (words.summary(found), page.make(found, "command"), "\n".join(words.lines(found)))
    assert all(each in text for text in shown for each in ("3.0 GiB", "2.0 GiB", "0.33×", "1.00×"))


def test_a_model_that_came_to_no_verdicts_is_in_the_table_and_the_sentences():
    found = versus.make(side("base", RIGHT), [side("other", RIGHT)], lost={"third": "its process was killed"})
    assert words.rows(found)[-1][:2] == ("third", "no verdicts")
    assert words.sentences(found)[-1] == "third came to no verdicts: its process was killed."
    assert versus_document.document(found)["lost"] == {"third": "its process was killed"}


# Where the base fails too

MIXED = Finding("top1", "min", 0.6, 0.5, False)
HALF = [1.0, 0.0] * 32


def failing(model: str, *findings: Finding, shift: str = "mean", **more) -> tuple[Failed, ...]:
    return (Failed(Case(model, shift, 0.3), reason="top-1 0.50 < 0.60 (64 images)", findings=findings, **more),)


def beside_a_base_that_fails(model: str, shifted: list[float], *findings: Finding, **more) -> versus.Other:
    base = side("base", RIGHT, HALF, failed=failing("base", MIXED))
    failed = more.pop("failed", failing(model, *findings))
    (other,) = versus.make(base, [side(model, RIGHT, shifted, failed=failed, **more)]).others
    return other


def test_a_model_that_fails_only_where_its_base_fails_too_is_as_the_base():
    base = side("base", RIGHT, HALF, failed=failing("base", MIXED))
    found = versus.make(base, [side("base+int8", RIGHT, HALF, failed=failing("base+int8", MIXED))])
    of_base, of_other = words.sentences(found)
    assert of_base == "base, the base, fails 1 case itself. Why: base-mean-+0.30: top-1 0.50 < 0.60 (64 images)."
    assert of_other.startswith("+int8 is as the base, fails only where base fails too (mean +0.30): ")
    assert "Why" not in of_other
    assert [row[1] for row in words.rows(found)] == ["base, fails 1 case", "as the base"]
    document = versus_document.document(found)
    assert (document["base"]["verdict"], list(document["base"]["failed"])) == ("fail", ["base-mean-+0.30"])
    assert document["others"][0]["verdict"] == "as_base"
    assert document["others"][0]["failed_as_base"] == ["base+int8-mean-+0.30"]
    for shown in (words.summary(found), page.make(found, "command"), "\n".join(words.lines(found))):
        assert "base, fails 1 case" in shown
        assert "as the base" in shown


UNLIKE = Finding("likeness:ssim", "min", 0.9, 0.5, False)
REGRESSED = Finding("top1", "max_regression", 0.05, 0.1, False)


@pytest.mark.parametrize(
    ("shifted", "findings", "more", "expected"),
    [
        (HALF, [MIXED], {}, "as_base"),
        ([1.0, 0.0] * 31 + [0.0] * 2, [MIXED], {}, "as_base"),
        ([0.0] * 64, [MIXED], {}, "fail"),
        (HALF, [MIXED, Finding("clip", "min", 20.0, 15.0, False)], {}, "fail"),
        (HALF, [Finding("top1", "max_drop", 0.2, 0.5, False)], {}, "fail"),
        (HALF, [MIXED, REGRESSED], {}, "fail"),
        (HALF, [MIXED, UNLIKE], {}, "fail"),
        (HALF, [MIXED, Finding("top1", "max_regression", 0.05, 0.0, None)], {}, "fail"),
        (HALF, [MIXED, Finding("top1", "max_regression", 0.05, 0.0, True)], {}, "as_base"),
        (HALF, [], {}, "fail"),
        (HALF, [MIXED], {"beside": ("all cases: a regression",)}, "fail"),
        (HALF, [], {"failed": failing("other", MIXED, shift="std")}, "fail"),
        (HALF, [], {"failed": failing("other", MIXED, status="error")}, "error"),
        (HALF, [], {"failed": failing("other", MIXED) + failing("other", MIXED, shift="std")}, "fail"),
        (HALF, [], {"failed": ()}, "pass"),
    ],
)
def test_what_the_base_does_not_explain_is_a_failure(shifted, findings, more, expected):
    assert beside_a_base_that_fails("other", shifted, *findings, **more).verdict == expected


def test_of_two_failures_that_of_its_own_is_told_with_its_reason():
    own = failing("other", MIXED, shift="std")
    base = side("base", RIGHT, HALF, failed=failing("base", MIXED))
    more = {"failed": failing("other", MIXED) + own, "beside": ("all cases: worse",)}
    _, sentence = words.sentences(versus.make(base, [side("other", RIGHT, HALF, **more)]))
    assert sentence.startswith("other fails by itself, and where base fails too (mean +0.30): ")
    assert sentence.endswith(" Why: other-std-+0.30: top-1 0.50 < 0.60 (64 images); all cases: worse.")


def test_reasons_lead_to_the_cases_in_the_reports_of_their_runs(tmp_path: Path):
    base = side("base", RIGHT, HALF, failed=failing("base", MIXED))
    others = [side("base", RIGHT, [0.0] * 64, failed=failing("base", MIXED))]
    found = versus.make(base, others)
    reports = {page.BASE: tmp_path / "runs/base/report.html", "base": tmp_path / "runs/a b/report.html"}
    made = page.make(found, "command", reports=reports, beside=tmp_path / "pages")
    links = re.findall(r'<a href="([^"]*)"', made)
    assert links == [f"../runs/{each}/report.html#base-mean-+0.30" for each in ("base", "a%20b")]


def test_pictures_of_failing_cases_are_shown_with_those_that_changed_most(tmp_path: Path):
    sides = []
    for model, grey, failed in (("base", 90, failing("base", MIXED)), ("other", 60, failing("other", MIXED))):
        one = side(model, RIGHT, HALF, grey, folder=tmp_path, failed=failed)
        pictures = {(Case(model, "mean", 0.3), *place[1:]): path for place, path in one.run.pictures.items()}
        run = dataclasses.replace(one.run, pictures={**one.run.pictures, **pictures})
        sides.append(dataclasses.replace(one, run=run))
    found = versus.make(sides[0], sides[1:])
    assert [pair.case.shift for pair in found.others[0].least] == ["none"] * 4 + ["mean"] * 2
    made = page.make(found, "command")
    assert made.count(", without a shift: SSIM") == 4
    assert made.count(", mean +0.30: SSIM") == 2
