"""The report in a real browser. Needs Chromium: its path in CHROMIUM, or `chromium` on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM"),
]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def report(tmp_path_factory, warm_python):
    """A report of three cases of which one fails."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "thresholds.toml").write_text("[default]\ntop1 = 0.0\n[shift.mean]\nclip = 50.0\n")
    arguments = (
        "--seedshift-model=toy-latent --seedshift-images=16 --seedshift-exact --seedshift-shift=mean,std "
        "--seedshift-magnitude=0.3"
    )
    command = [warm_python, "-m", "pytest", *arguments.split(), "--html=report.html", "--self-contained-html"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, report):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(request.url))
    page.goto(report.as_uri())
    yield page
    page.close()


def loaded(page: Page, selector: str) -> list[bool]:
    return page.locator(selector).evaluate_all("images => images.map(image => image.naturalWidth > 0)")


def test_the_verdict_and_the_figure_are_the_first_things_on_the_page(page):
    expect(page.locator(".seedshift-verdict")).to_have_text(
        "toy-latent fails 1 of 3 cases: breaks under mean at +0.30."
    )
    figure = page.locator(".seedshift-figure")
    expect(figure).to_be_in_viewport(ratio=1)
    assert loaded(page, ".seedshift-figure") == [True]
    assert figure.bounding_box()["y"] < page.locator("#environment").bounding_box()["y"]


def test_a_failing_case_shows_its_strip_at_once_and_a_passing_one_when_opened(page):
    strips = page.locator(".seedshift-strip:visible")
    expect(strips).to_have_count(1)
    expect(strips.locator("img")).to_have_count(16)
    page.locator("#show_all_details").click()
    expect(page.locator(".seedshift-strip:visible")).to_have_count(3)
    assert all(loaded(page, ".seedshift-strip img"))


def test_columns_sort_by_their_figures(page):
    page.locator("th[data-column-type=magnitude]").click()
    expect(page.locator("td.col-magnitude").first).to_have_text("+0.00")
    page.locator("th[data-column-type=magnitude]").click()
    expect(page.locator("td.col-magnitude").first).to_have_text("+0.30")


def test_every_picture_has_a_text_for_those_who_do_not_see_it(page):
    page.locator("#show_all_details").click()
    texts = page.locator(".seedshift-strip img, .seedshift-figure").evaluate_all("images => images.map(i => i.alt)")
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_nothing_goes_wrong_on_the_page(page):
    page.locator("#show_all_details").click()
    assert page.problems == []
