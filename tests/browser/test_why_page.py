"""The page of a crossed experiment in a real browser."""

from __future__ import annotations

import os
import shutil

import pytest

from helpers import planted
from helpers.studies import by_ddim, study, study_of
from pytest_seedshift.reporting.page import why

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM")
def test_the_page_fits_desk_and_phone_asks_nobody_and_draws_its_bars_and_its_picture(tmp_path, fitting):
    file, apart = tmp_path / "why.html", tmp_path / "apart.html"
    file.write_text(why.make(study(by_ddim, models=("toy-latent", "a model with a long name/" * 4)), "why"))
    crossed, traits = planted.design("guidance", "sampler,steps")
    found = study_of(crossed, lambda arm: planted.CAUSES["guidance"][1](traits[arm.name]))
    apart.write_text(why.make(found, "seedshift why one other --factors sampler,steps"))
    for width, height in ((1280, 900), (390, 844)):
        with fitting(file, width, height) as page:
            drawn = [line.bounding_box() for line in page.locator(".bar .interval").all()]
            assert len(drawn) == 2 * 8 + 2 * 3
            assert max(box["width"] for box in drawn if box) > 20
        with fitting(apart, width, height) as page:
            places = [
                page.get_by_role("heading", name=name, exact=True).bounding_box()
                for name in ("What differs", "Effects")
            ]
            assert places[0]["y"] < places[1]["y"]
            figures = [each.bounding_box() for each in page.locator(".panels figure svg").all()]
            assert len(figures) == 2 * 2  # of both scores, by sampler and by steps
            assert all(box["width"] > 150 and box["height"] > 100 for box in figures)
            assert page.locator(".apart .open").all_inner_texts() == ["not crossed"] * 2
