"""Breaking points and robustness in a run folder read back, and on the page."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from helpers import records, synthetic
from pytest_seedshift.core.cases import Case
from pytest_seedshift.plugin import github
from pytest_seedshift.reporting import card, gaps, page, publish, summary
from pytest_seedshift.reporting import model_verdict as verdicts
from pytest_seedshift.results import run, schema
from pytest_seedshift.studies.breaking_point import messages

NAME = "<b>toy & latent</b>"


def record(model: str, shift: str = "mean", sign: int = 1, **changes) -> dict:
    """A search that found 0.24."""
    score = {"mean": 0.9, "low": 0.8, "high": 0.95}
    probes = [
        {"magnitude": sign * at, "holds": at < 0.24, "clear": at < 0.24, "images": 20, "scores": {"top1": score}}
        | {"broken": "" if at < 0.24 else "top-1 0.41 < 0.60"}
        for at in (0.0, 0.1, 0.2, 0.22, 0.24, 0.3, 1.0)
    ]
    made = schema.Search(
        id=f"{model}-{shift}-breaking-{'+' if sign > 0 else '-'}",
        test=f"seedshift::test_breaking_point[{model}-{shift}-{sign}]",
        model=model,
        shift=shift,
        magnitude=float(sign),
        verdict="fail",
        reason="",
        at=sign * 0.24,
        holds_at=sign * 0.22,
        low=sign * 0.2,
        high=sign * 0.28,
        recovers=[],
        relapses=[],
        within_budget=True,
        minimum=0.3,
        probes=probes,
        images=140,
        scan=2400,
        design=48,
        certainty=0.99,
        generated=140,
        seconds=2.0,
        device="cpu",
        dtype="float32",
        scores={},
    ).model_copy(update=changes)
    return made.model_copy(update={"reason": messages.reason(made)}).built_in()


def sentence(**changes) -> str:
    return messages.finding(schema.Search.model_validate(record("toy", **changes)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "toy breaks under mean at +0.24 (top-1 0.41 < 0.60) and holds at +0.22"),
        ({"holds_at": 0.0}, "toy breaks under mean at +0.24 (top-1 0.41 < 0.60) and holds at 0"),
        ({"at": None, "holds_at": 1.0}, "toy holds under mean up to +1.00"),
        (
            {"at": None, "holds_at": -0.98, "magnitude": -0.98},
            "toy holds under mean up to -0.98, the last magnitude at which the shift has a meaning",
        ),
        (
            {"at": 0.0, "holds_at": None, "probes": []},
            "toy fails without any shift (): no magnitude was searched",
        ),
        (
            {"recovers": [0.5, 0.52], "relapses": [0.6]},
            "toy breaks under mean at +0.24 (top-1 0.41 < 0.60) and holds at +0.22; it holds again at +0.50 and +0.52 "
            "and fails again at +0.60",
        ),
        (
            {"holds_at": 0.1, "within_budget": False},
            "toy breaks under mean at +0.24 (top-1 0.41 < 0.60) and holds at +0.10; the budget of images was used up "
            "before all was looked at",
        ),
    ],
)
def test_a_finding_is_a_sentence_that_says_all(changes, said):
    assert sentence(**changes) == said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two models with cases, one of them with searches, and one more with a search alone."""
    made = synthetic.write(tmp_path_factory.mktemp("breaking"), synthetic.Plan(models=(NAME, "toy-glide")))
    document = json.loads(made.verdicts_file.read_text())
    holds = {"at": None, "holds_at": 1.0, "high": None, "verdict": "measured", "minimum": None}
    searches = [
        record(NAME),
        record(NAME, sign=-1, recovers=[-0.5], relapses=[-1.0], verdict="pass"),
        record("alone", "roll", **holds),
    ]
    records.write(made, [{**case, "generated": 1, "seconds": 1.0} for case in document["cases"]], None, searches)
    return made.path


@pytest.fixture(scope="module")
def html(folder):
    return page.make(run.load(folder))


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_page_has_a_row_a_search_with_its_anchor_and_draws_it_into_the_curves(folder, html):
    assert html.count("<tr id=") == 3
    assert 'id="&lt;b&gt;toy_&amp;_latent&lt;/b&gt;-mean-breaking-+"' in html
    assert NAME not in html
    said = text(html)
    assert "+0.24 +0.22 +0.20 to +0.28 ≥ 0.30 ✗ fails 140 at 6 magnitudes; a scan: 2400" in said
    assert "-0.24; it holds again at -0.50 and fails again at -1.00" in said
    assert "holds up to +1.00 +1.00 +0.20 to beyond +1.00 none measured only" in said
    assert "breaking points mean +0.24, -0.24" in said
    without = page.make(run.Run(folder, run.load(folder).cases, (), ()))
    assert "<tr id=" not in without
    curves = [re.search(r'<section id="curves".*?</section>', each, re.DOTALL)[0] for each in (html, without)]
    assert curves[0].count("series-0") > curves[1].count("series-0")
    assert "upright line" in text(curves[0])


def test_a_folder_of_searches_alone_has_a_page(folder, tmp_path):
    document = json.loads((folder / "verdicts.json").read_text())
    against = {"name": "base.json", "checksum": "0", "family": False}
    (tmp_path / "verdicts.json").write_text(json.dumps({**document, "cases": [], "grid": [], "baseline": against}))
    found = run.load(tmp_path)
    assert found.models == [NAME, "alone"]
    made = page.make(found)
    assert "✗ fails &lt;b&gt;toy &amp; latent&lt;/b&gt; breaks earlier than required: mean +0.24" in text(made)
    assert "alone has 1 breaking point measured, none required" in text(made)
    assert 'id="regressions"' not in made  # there is no case to hold against it
    assert made.count("<tr id=") == 3
    assert 'id="heat"' not in made


def test_the_summary_and_the_card_have_the_breaking_points(folder, tmp_path):
    found = run.load(folder)
    row = "| alone | roll | · | holds up to +1.00 |"
    made = summary.make(found, publish.LIMIT)
    assert row in made
    assert "| ✅ -0.24; it holds again at -0.50 and fails again at -1.00 | ❌ +0.24 |" in made
    assert row not in card.make(found, NAME)
    assert "| ❌ +0.24 |" in card.make(found, NAME)
    with pytest.raises(card.CardError, match="no case of alone has a verdict"):
        card.make(found, "alone")
    document = json.loads((folder / "verdicts.json").read_text())
    (tmp_path / "verdicts.json").write_text(json.dumps({**document, "cases": [], "grid": []}))
    assert row in summary.make(run.load(tmp_path), publish.LIMIT)


EARLY = "breaks earlier than required: mean +0.24; has 1 breaking point that could not be judged"
KEPT = "breaks nowhere earlier than required; has 1 breaking point measured, none required"


@pytest.mark.parametrize(
    ("found", "overall", "alone", "beside"),
    [
        (["fail", "error"], "fail", f"toy {EARLY}", f"toy passes its only case; {EARLY}"),
        (["pass", "measured"], "pass", f"toy {KEPT}", "toy passes its only case"),
        (["measured"], "measured", "toy has 1 breaking point measured, none required", "toy passes its only case"),
    ],
)
def test_a_model_s_verdict_counts_what_breaks_earlier_than_asked(found, overall, alone, beside):
    searches = [schema.Search.model_validate(record("toy", verdict=verdict)) for verdict in found]
    case = run.CaseRun(Case("toy", "mean", 0.1), "pass", "", {}, (), 0, 0, None, 0, 0.0, None, None, "")
    assert verdicts.overall([], searches) == overall
    assert verdicts.sentence("toy", [], searches) == alone
    assert verdicts.sentence("toy", [case], searches) == beside
    assert verdicts.overall([case], searches) == ("fail" if "fail" in found else "pass")


def test_an_annotation_names_the_search():
    made = github.of_record(schema.Search.model_validate({**record("toy", sign=-1), "reason": "toy breaks"}))
    assert (made.title, made.message) == ("toy, mean breaking - fails", "toy breaks")


def test_what_cannot_be_read_of_a_search_is_told(folder, tmp_path):
    document = json.loads((folder / "verdicts.json").read_text())
    document["breaking"][0]["at"] = "soon"
    document["breaking"][1] = 7
    document["grid"] = [{"id": "lost-mean-breaking-+", "kind": "breaking"}]
    (tmp_path / "verdicts.json").write_text(json.dumps(document))
    found = run.load(tmp_path)
    assert [search.model for search in found.breaking] == ["alone"]
    notes = "\n".join(found.notes)
    assert "breaking point 1 of verdicts.json cannot be read" in notes
    assert "breaking point 2 of verdicts.json cannot be read" in notes
    assert "1 of the 1 breaking points have no verdict: lost-mean-breaking-+" in notes


def test_robustness_is_computed_from_the_samples_of_the_cases(folder, html):
    found = gaps.of_run(run.load(folder))
    assert found.magnitudes == (-0.3, 0.3)
    assert found.couples[0] == (NAME, "toy-glide")
    top1 = {row.shift: row for row in found.tables[0].rows}
    broken, whole = (top1["mean"].shares[place].share for place in (0, 1))
    assert broken.value < 0.85 < whole.value
    assert top1["mean"].gaps[0].share.value == pytest.approx(broken.value - whole.value)
    assert top1["mean"].gaps[0].has_interval  # the synthetic models have whole designs
    assert top1["mean"].gaps[0].share.low < -0.6 < 0 < top1["mean"].gaps[0].share.high  # of 16 pairs
    assert not found.rough
    assert "99 % intervals" in "\n".join(gaps.lines(run.load(folder)))
    assert "Robustness" in text(html)


def test_cases_that_were_decided_early_have_no_interval(folder):
    early = tuple(dataclasses.replace(case, design=400) for case in run.load(folder).cases)
    of_early = run.Run(folder, early, (), ())
    assert gaps.of_run(of_early).rough
    rows = [line for line in gaps.lines(of_early) if line.startswith("  mean")]
    assert rows
    assert all("≈" in line and "(" not in line for line in rows)
