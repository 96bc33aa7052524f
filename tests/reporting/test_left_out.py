"""A page of a run that has kept more pictures than a page has: which ones it shows, and that it says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from helpers import synthetic
from pytest_seedshift.reporting import page
from pytest_seedshift.reporting.page import album
from pytest_seedshift.results import run as runs

if TYPE_CHECKING:
    from pytest_seedshift.results.run import Run

PLAN = synthetic.Plan(magnitudes=(-0.3, -0.1, 0.1, 0.3), pictures=10, images=32, side=128)
CASES = re.compile(r'<details class="case (\w+)" id="([^"]*)"([^>]*)>(.*?)</details>', re.DOTALL)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.load(synthetic.write(tmp_path_factory.mktemp("left") / "run", PLAN).path)


def shown(text: str) -> set[str]:
    return set(re.findall(r'<use href="#(p\d+)"', text))


@pytest.mark.parametrize("most", [0, 1, 7, 16, 17, 24, 40, 60, 100, 200, 10_000])
def test_failing_cases_come_first_and_what_is_left_out_is_said(run, most):
    """Of a page that has at most so many, each that it defines is shown, and none that it shows is not defined."""
    made = page.make(run, pictures=most)
    defined = set(re.findall(r'<(?:image|rect) id="(p\d+)"', made))
    assert shown(made) == defined
    assert len(defined) <= most
    cases = {place: (status, "data-left-out" in more, shown(body)) for status, place, more, body in CASES.findall(made)}
    assert len(cases) == len(run.cases)
    left = [place for place, (_, out, _) in cases.items() if out]
    assert all(out != bool(names) for _, out, names in cases.values())
    failing_left = [place for place in left if cases[place][0] == "fail"]
    if failing_left:  # then no other has any
        assert all(out for status, out, _ in cases.values() if status != "fail")
    said = re.search(r"The pictures of (\d+) cases? are left out of it(, of failing ones too)?", made)
    assert (0 if said is None else int(said[1])) == len(left)
    assert said is None or (said[2] is not None) == bool(failing_left)
    assert made.count("Its pictures are left out of this page") == len(left)


def test_a_page_with_room_has_all_and_says_nothing(run):
    made = page.make(run)
    assert "left out" not in made.partition("<script>")[0]
    assert made == page.make(run, pictures=10_000)
    kept = sum(1 for case in run.cases for sample in case.samples if sample.picture is not None)
    assert len(re.findall(r'<image id="p\d+"', made)) <= kept


def test_growth_takes_the_room_that_failing_cases_leave(run):
    """A label of each model in turn: none stands without some of its pictures."""
    failing = page.make(run, pictures=60)
    growth = failing.partition('<section id="growth"')[2].partition("</section>")[0]
    assert "left out, as this page has no room for more pictures" in growth
    assert growth.count("<option") >= 1
    assert "not kept" not in growth
    assert "shot none" not in growth.replace('shot none"><span class="hidden">no picture', "")


def test_the_page_stays_within_its_size(run, monkeypatch):
    whole = page.make(run)
    pictures = sum(map(len, re.findall(r'href="(data:image[^"]*)"', whole)))
    monkeypatch.setattr(album, "_LEAST", 0)
    monkeypatch.setattr(album, "_TRIED", 4)
    monkeypatch.setattr(album, "_MOST", len(whole) - pictures // 3)
    assert len(page.make(run)) < len(whole) - pictures // 4
