"""The page of a run's seed indices in a real browser."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from helpers import synthetic
from pytest_seedshift.core.stats.seed_effects import SeedEffect
from pytest_seedshift.reporting.page import seeds as page_of
from pytest_seedshift.results import run as runs
from pytest_seedshift.results.data import Sample
from pytest_seedshift.results.seeds import Seeds, VectorFacts

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM")
def test_the_page_shows_the_worst_indices_with_pictures_and_vectors_on_desk_and_phone(tmp_path, fitting):
    plan = synthetic.Plan(models=("a <b>model</b>",), shifts=("mean",), images=32, pictures=32)
    run = runs.load(synthetic.write(tmp_path / "run", plan).path)
    effects = tuple(SeedEffect(seed, 8, 0.5, -0.4 + 0.1 * seed, 1e-4 if seed == 0 else 1.0) for seed in range(4))
    lost = Sample("owl", 0, {"top1": 0.0}, lost=True)
    samples = [(case.case.describe(), each) for case in run.cases for each in case.samples if each.seed == 0]
    facts = VectorFacts(8, 1.5, 0.01, 1.5, -0.2, 5.1)
    found = Seeds(
        run.models[0],
        "top1",
        tuple(case.id for case in run.cases),
        (),
        8,
        0.99,
        effects,
        effects[:1],
        {},
        {0: facts},
        {0: (*samples, ("control", lost))},
    )
    file = tmp_path / "seeds.html"
    file.write_text(page_of.make(found, run, "seedshift seeds run"))
    for width, height in ((1280, 900), (390, 844)):
        with fitting(file, width, height) as page:
            bars = [each.bounding_box()["width"] for each in page.locator(".bar .effect").all()]
            assert bars == sorted(bars, reverse=True)
            assert np.ptp(bars) > 20
            page.get_by_role("link", name="0", exact=True).click()
            index = page.locator("#index-0")
            assert index.locator(".shot svg").count() == len(samples)
            assert index.locator(".shot svg").first.bounding_box()["width"] > 40
            assert index.get_by_text("excess kurtosis").is_visible()
            assert index.get_by_text("missing").is_visible()
