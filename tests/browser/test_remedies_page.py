"""The page of remedies in a real browser."""

from __future__ import annotations

import os
import shutil

import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.scores import Estimate
from pytest_seedshift.reporting.page import remedies
from pytest_seedshift.studies.remedies.candidates import Candidate
from pytest_seedshift.studies.remedies.findings import Remedies, Treated, Tried
from pytest_seedshift.studies.sampler_ablation.effects import Mean

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
MODEL = "a <b>model</b>"
CASES = tuple(Case(MODEL, shift, 0.3) for shift in ("mean", "mixed", "random"))


def treated(case: Case, mean: float) -> Treated:
    found = Estimate(mean, mean - 0.2, min(mean + 0.2, 1.0))
    return Treated(case, mean > 0.6, 80, {"top1": found}, {"top1": mean})


def tried(change: str, *means: float) -> Tried:
    cases = tuple(treated(case, mean) for case, mean in zip(CASES, means, strict=True))
    return Tried(Candidate((change,), f"{MODEL}+{change}"), True, cases, {"top1": Mean(0.01, -0.02, 0.03)}, 200, 1.0)


FOUND = Remedies(
    MODEL,
    tuple(treated(case, 0.4) for case in CASES),
    {"top1": Estimate(0.97, 0.9, 1.0)},
    (
        tried("repair=moments", 0.95, 0.93, 0.9),
        tried("repair=spectrum", 0.4, 0.9, 0.3),
        Tried(Candidate(("zsnr",), f"{MODEL}+zsnr")),
        Tried(Candidate(("steps=20",), f"{MODEL}+steps=20"), error="it came to nothing"),
    ),
    {"+guidance=1.5": "it has none"},
    images=900,
    crossing=10_000,
    seconds=1.0,
)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM")
def test_the_page_draws_each_measured_case_and_marks_what_it_recommends_on_desk_and_phone(tmp_path, fitting):
    file = tmp_path / "remedies.html"
    file.write_text(remedies.make(FOUND, "seedshift remedies x"))
    for width, height in ((1280, 900), (390, 844)):
        with fitting(file, width, height) as page:
            bars = page.locator(".remedies .bar")
            assert bars.count() == 3 * 3
            drawn = [bar.locator(".interval").bounding_box() for bar in bars.all()]
            assert all(box["width"] > 20 for box in drawn)
            row = page.locator(".remedies tr.best")
            assert row.locator("th").inner_text() == "+repair=moments"
            others = page.locator(".remedies tbody tr:not(.best)").first
            colours = [each.evaluate("each => getComputedStyle(each).backgroundColor") for each in (row, others)]
            assert colours[0] != colours[1]
            page.locator(".scroll").evaluate("each => each.scrollLeft = 400")
            assert row.locator("th").bounding_box()["x"] >= 0  # what a row is about stays in sight
            assert page.get_by_text("+steps=20: it came to nothing").is_visible()
