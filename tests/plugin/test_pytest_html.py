"""What pytest-html's file holds. How it looks and works is looked at in a browser, in tests/browser."""

from __future__ import annotations

import html
import json
import re

import pytest

from helpers.runs import EASY, IMPOSSIBLE, ONE


def rows(text: str) -> dict[str, dict]:
    blob = re.search(r'data-jsonblob="([^"]*)"', text)
    assert blob
    return {name: tests[-1] for name, tests in json.loads(html.unescape(blob[1]))["tests"].items()}


@pytest.fixture
def page(pytester, run) -> str:
    pytester.path.joinpath("thresholds.toml").write_text(f"{EASY}[shift.mean]\nclip = 50.0\n")
    pytester.makepyfile(
        "import pytest\n@pytest.mark.reliability\ndef test_mine():\n    pass\ndef test_plain():\n    pass\n"
    )
    run(*ONE, "--html=report.html", "--self-contained-html").assert_outcomes(passed=2, failed=1)
    return (pytester.path / "report.html").read_text()


def test_columns_carry_the_case_and_its_scores_with_intervals(page):
    header = re.findall(r'<th class="sortable" data-column-type="(\w+)"', page)
    assert header == ["result", "testId", "model", "shift", "magnitude", "top1", "top5", "clip", "images", "duration"]
    cells = next(row["resultsTableRow"] for name, row in rows(page).items() if "mean-+0.30" in name)
    assert '<td class="col-shift">mean</td>' in cells
    assert '<td class="col-magnitude">+0.30</td>' in cells
    (clip,) = [cell for cell in cells if "col-clip" in cell]
    assert re.fullmatch(
        r'<td class="col-clip"><span class="seedshift-broken">[\d.]+</span> '
        r'<span class="seedshift-interval">[\d.]+–[\d.]+</span></td>',
        clip,
    )


def test_other_tests_have_empty_columns(page):
    cells = next(row["resultsTableRow"] for name, row in rows(page).items() if "test_plain" in name)
    assert '<td class="col-clip"></td>' in cells


def test_a_case_shows_its_pictures_beside_the_control_s(page):
    (row,) = [row for name, row in rows(page).items() if "mean-+0.30" in name]
    (strip,) = [extra["content"] for extra in row["extras"] if "seedshift-strip" in extra["content"]]
    assert strip.count("data:image/webp;base64,") == 16
    (control,) = [row for name, row in rows(page).items() if "none-+0.00" in name]
    (strip,) = [extra["content"] for extra in control["extras"] if "seedshift-strip" in extra["content"]]
    assert strip.count("data:image/webp;base64,") == 8


def test_the_summary_says_the_verdict_and_has_the_figure(page):
    assert "toy-latent fails 1 of 2 cases: breaks under mean at +0.30." in page
    assert page.count("data:image/svg+xml;base64,") == 1


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.findall(r'(?:src|href)="(?!data:|https://pypi|\.seedshift/report\.html")[^"#{]', page)


def test_without_cases_the_page_is_pytest_html_s_own(pytester):
    pytester.makepyfile("def test_plain():\n    pass\n")
    pytester.runpytest_inprocess("--html=report.html", "--self-contained-html").assert_outcomes(passed=1)
    text = (pytester.path / "report.html").read_text()
    assert "seedshift-" not in text.replace("seedshift-0", "")
    assert 'data-column-type="clip"' not in text


def test_a_case_that_could_not_be_judged_has_a_row_and_no_figure(pytester, run, monkeypatch):
    from pytest_seedshift.core.cases import CaseError
    from pytest_seedshift.runner.sample_service import SampleService

    def refuse(*_: object, **__: object) -> None:
        raise CaseError("<b>no</b> memory left")

    monkeypatch.setattr(SampleService, "find", refuse)
    run(*ONE, "--html=report.html", "--self-contained-html").assert_outcomes(errors=2)
    text = (pytester.path / "report.html").read_text()
    assert len(rows(text)) == 2
    assert "<b>no</b>" not in html.unescape(text)
    assert "seedshift-figure" not in text


def test_a_session_that_ends_early_says_of_how_many_cases_there_is_no_verdict(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(IMPOSSIBLE)
    run(*ONE, "-x", "--html=report.html", "--self-contained-html").assert_outcomes(failed=1)
    said = "toy-latent fails without any shift (1 of 2 cases fail); 1 case had no verdict when the run ended."
    for file in ("report.html", ".seedshift/report.html"):
        assert said.removesuffix(".") in (pytester.path / file).read_text(), file
