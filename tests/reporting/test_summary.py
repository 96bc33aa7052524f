"""A run's summary in Markdown, and where it goes."""

from __future__ import annotations

import dataclasses

import pytest

from helpers import records, synthetic
from helpers.strange_markdown import HOSTILE, shown
from pytest_seedshift.reporting import card, publish, summary
from pytest_seedshift.reporting import page as report
from pytest_seedshift.reporting.page import heat
from pytest_seedshift.results import run as runs
from pytest_seedshift.runner import marks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("run"), synthetic.Plan(pictures=0))


@pytest.fixture(scope="module")
def run(folder) -> runs.Run:
    return runs.load(folder.path)


def test_it_says_the_verdicts_first_and_shows_what_fails_and_by_how_much(run):
    made = summary.make(run, publish.LIMIT, "out/report.html")
    lines = made.splitlines()
    assert lines[0] == "## Robustness of toy-latent and toy-glide"
    assert "❌ **toy-latent fails 1 of 5 cases: breaks under mean at +0.30.**" in lines[2]
    assert "✅ **toy-glide passes all 5 cases.**" in lines[3]
    assert "required: top-1 ≥ 0.60 · top-5 ≥ 0.80 · CLIP ≥ 20.0; certainty 99 %" in lines[2]
    page = shown(made)
    assert page.text.count("❌ 0.") == 1
    assert "out/report.html" in page.text
    for told in (run.facts[0].command, run.facts[0].models[0].fingerprint, run.facts[0].versions["torch"]):
        assert told in page.text


def test_names_and_reasons_are_shown_as_text(tmp_path):
    model = 'mo|del/<img src=x onerror=1> "🦉" `$x$`'
    plan = synthetic.Plan(models=(model, "שלום"), labels=HOSTILE, pictures=0, command=("--x=<script>|a",))
    run = runs.load(synthetic.write(tmp_path / "run", plan).path)
    page = shown(summary.make(run, publish.LIMIT, "<i>|report.html"))
    assert page.text.count(f"Robustness of {model} and \u2068שלום\u2069") == 1
    assert f"{model} fails 1 of 5 cases" in page.text
    assert f"{model} mean +0.30" in page.text
    assert "--x=<script>|a" in page.text
    assert "<i>|report.html" in page.text
    assert not page.tags & {"img", "script", "i"}


def test_what_is_missing_is_said(tmp_path):
    folder = synthetic.write(tmp_path / "run", synthetic.Plan(pictures=0))
    document = folder.read_document()
    *cases, lost = document["cases"]
    grid = [{name: case[name] for name in ("id", "test")} for case in document["cases"]]
    records.write(folder, cases, {"grid": grid})
    page = shown(summary.make(runs.load(folder.path), publish.LIMIT))
    assert f"1 of the 10 cases of the grid have no verdict: {lost['id']}" in page.text
    model = lost["model"]
    whole = [{name: case[name] for name in ("id", "test", "model", "shift", "magnitude")} for case in (*cases, lost)]
    document["cases"] = [case for case in document["cases"] if case["model"] != model or case["shift"] == "none"]
    records.write(folder, document["cases"], {"grid": whole})
    stopped = runs.load(folder.path)
    made = shown(summary.make(stopped, publish.LIMIT))
    said = f"{model}: 1 of 5 cases judged, it passes; 4 have no verdict."
    assert f"⚠️ {said}" in made.text
    assert f"4 of the 10 cases of the grid have no verdict: {model} mean " in made.text
    assert [said in each for each in card.make(stopped, model).splitlines() if "judged" in each] == [True]
    assert '<article class="card unfinished"' in report.make(stopped)
    folder.verdicts_file.unlink()
    page = shown(summary.make(runs.load(folder.path), publish.LIMIT))
    assert "toy-latent has no verdict" in page.text
    assert "verdicts.json is not there" in page.text


def test_it_keeps_within_its_bounds_and_the_verdicts_longest(run):
    whole = summary.make(run, publish.LIMIT)
    size = len(whole.encode())
    assert summary.make(run, size) == whole
    for most in (size - 1, size // 2, 1000):
        made = summary.make(run, most)
        assert len(made.encode()) <= most
        assert "toy-glide passes all 5 cases" in made
        assert "Shortened" in made
        assert made.count("<details>") == made.count("</details>")
    assert summary.make(run, 100) == ""


def test_a_thousand_failing_cases_with_long_reasons_fit(run):
    case = next(case for case in run.cases if case.failed)
    many = [dataclasses.replace(case, reason="x|<" * 10_000) for _ in range(1000)]
    made = summary.make(dataclasses.replace(run, cases=tuple(many)), publish.LIMIT)
    assert len(made.encode()) < 400_000
    assert "and 900 more that do not pass" in made


def test_it_is_put_behind_what_a_step_has_said_already_and_never_makes_that_too_long(run, tmp_path):
    step, file = tmp_path / "step.md", tmp_path / "new/summary.md"
    step.write_text("# Before\n")
    environ = {"GITHUB_STEP_SUMMARY": str(step)}
    whole = summary.make(run, publish.LIMIT)
    assert publish.publish(run, publish.Target(file), environ=environ) == []
    assert step.read_text() == f"# Before\n\n\n{whole}"
    assert file.read_text() == whole
    assert publish.publish(run, publish.Target(file), environ={}) == []  # another time is not behind the first
    assert file.read_text() == whole

    step.write_text("x" * (publish.LIMIT - 2000))
    assert publish.publish(run, publish.Target(), environ=environ) == []
    assert publish.LIMIT - 2000 < step.stat().st_size <= publish.LIMIT
    step.write_text("x" * (publish.LIMIT - 10))
    (warning,) = publish.publish(run, publish.Target(), environ=environ)
    assert "no room left" in warning
    assert step.stat().st_size == publish.LIMIT - 10


def test_a_step_s_summary_that_is_named_as_the_file_is_written_once_and_none_writes_nothing(run, tmp_path):
    step = tmp_path / "step.md"
    environ = {"GITHUB_STEP_SUMMARY": str(step)}
    publish.publish(run, publish.target("none"), environ=environ)
    assert not step.exists()
    step.write_text("# Before\n")
    publish.publish(run, publish.target(step), environ=environ)
    assert step.read_text().count("## Robustness") == 1
    assert step.read_text().startswith("# Before\n")


def test_what_is_beyond_a_bound_but_open_and_what_fails_elsewhere_have_marks_of_their_own(run):
    (case,) = (each for each in run.cases if each.failed)
    still_open = dataclasses.replace(case, findings=[dataclasses.replace(each, holds=None) for each in case.findings])
    elsewhere = dataclasses.replace(case, findings=[dataclasses.replace(each, holds=True) for each in case.findings])
    for changed, mark in ((still_open, marks.OPEN), (elsewhere, marks.ELSEWHERE)):
        table = summary.scores([changed])
        assert f"{mark} |" in table or f"{mark}|" in table
        assert table.count(marks.LEGENDS[mark]) == 1
        page = heat.build(dataclasses.replace(run, cases=(changed,)), None)
        assert f'<span aria-hidden="true">{mark}</span>' in page.html
        assert page.html.count(marks.LEGENDS[mark]) == 1
    assert not any(marks.LEGENDS[mark] in summary.scores(run.cases) for mark in (marks.OPEN, marks.ELSEWHERE))
