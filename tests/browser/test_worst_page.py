"""The page of the worst seeds in a real browser."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import torch

from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.reporting.page import worst
from pytest_seedshift.studies.worst import typical
from pytest_seedshift.studies.worst.findings import Found, Seed, Worst

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def seed(score: float, right: float) -> Seed:
    return Seed(score, score, right, np.full((32, 32, 3), int(5 * score), dtype=np.uint8))


PAIRS = tuple(
    Found(
        f"a <i>label</i> {k}",
        k,
        seed(33, 1.0),
        seed(27 - k / 4, 1.0),
        seed(20 - k / 2, 0.25),
        torch.zeros(3, 8, 8),
        "norm / √n",
        0.6,
        80.0,
        3,
    )
    for k in range(14)
)
FOUND = Worst(
    "a <b>model</b>", "clip", BUILT_IN["clip"], 64, 8, 0.99, typical.find((3, 8, 8), draws=200), PAIRS, 2384, False
)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM")
def test_the_page_shows_the_pictures_of_each_pair_and_draws_its_scores_on_desk_and_phone(tmp_path, fitting):
    file = tmp_path / "worst.html"
    file.write_text(worst.make(FOUND, "seedshift worst x"))
    for width, height in ((1280, 900), (390, 844)):
        with fitting(file, width, height) as page:
            assert page.locator(".strip .shot svg").count() == 3 * 12
            assert page.locator(".strip .shot.wrong").count() == 12
            assert page.locator(".strip .shot svg").first.bounding_box()["width"] > 40
            assert page.get_by_text("and 2 pairs more").is_visible()
            rows = page.locator(".scores tbody tr")
            assert rows.count() == 14
            found, null = (rows.first.locator(f".bar .mark-{each}").bounding_box()["x"] for each in ("found", "null"))
            assert found < null - 10
            assert page.get_by_text("a lower bound on how bad a seed can be").is_visible()
            page.locator(".scores").locator("xpath=..").evaluate("each => each.scrollLeft = 400")
            assert rows.first.locator("th").bounding_box()["x"] >= 0  # whose scores they are stays in sight
