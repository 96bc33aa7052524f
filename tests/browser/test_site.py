"""The documentation's site in a real browser: search, dark colours, a phone, links, axe-core's rules.

CI names a site that it has built, in SITE; without it the site is built here, where Sphinx is installed.
"""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from helpers.environments import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
GIVEN = os.environ.get("SITE")
THEME = "furo"  # of the extra `docs`, which the tests do without
pytestmark = pytest.mark.skipif(
    not (GIVEN or find_spec(THEME)), reason="no site: pip install -e '.[docs]', or give a built one in SITE"
)
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM")
PAGES = ("index.html", "reference/options.html", "reference/api.html", "how-to/index.html", "glossary.html")


def build(source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The build that CONTRIBUTING names."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", source, folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    if GIVEN:
        return Path(GIVEN)
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", folder)
    assert done.returncode == 0, done.stderr
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site, served) -> Iterator[str]:
    with served(site, Quiet) as address:
        yield address


def opened(browser: Browser, place: str, *, width: int = 1280, dark: bool = False) -> tuple[Page, list[str]]:
    """A page, and what goes wrong in it: errors of the console, and requests to other hosts or that fail."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    wrong: list[str] = []
    host = urlsplit(place).netloc
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("request", lambda request: wrong.append(request.url) if urlsplit(request.url).netloc != host else None)
    page.goto(place)
    return page, wrong


@in_chromium
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_a_phone_and_a_desk_in_light_and_dark_without_an_error(browser, address, name):
    for width, dark in ((1280, False), (390, True)):
        page, wrong = opened(browser, f"{address}/{name}", width=width, dark=dark)
        assert page.locator("h1").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", background)[:3]))
        assert (brightness < 200) is dark, background
        assert wrong == []
        page.close()


@in_chromium
@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("reference/api.html", 1280, False),
        ("how-to/slurm.html", 390, True),
        *(pytest.param(name, 1280, True, marks=pytest.mark.nightly) for name in (*PAGES, "search.html")),
        *(pytest.param(name, 390, False, marks=pytest.mark.nightly) for name in (*PAGES, "search.html")),
    ],
)
def test_axe_finds_no_issue(browser, address, violations, name, width, dark):
    page, _ = opened(browser, f"{address}/{name}", width=width, dark=dark)
    assert violations(page) == []
    mute = "document.querySelector('article').insertAdjacentHTML('beforeend', '<img id=mute src=\"data:,\">')"
    page.evaluate(mute)
    assert violations(page, "#mute"), "axe looks at nothing"
    page.close()


@in_chromium
def test_dark_colours_can_be_chosen(browser, address):
    page, _ = opened(browser, f"{address}/index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    seen = []
    for _ in range(3):
        page.locator(".theme-toggle:visible").first.click()
        seen.append(page.evaluate("document.body.dataset.theme"))
        if seen[-1] == "dark":
            page.wait_for_function(f"{background} !== {light!r}")
    assert sorted(seen) == ["auto", "dark", "light"]
    page.close()


@in_chromium
@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("seedshift_design_seed", "reference/options.html"),
        ("breaking point", "how-to/breaking-points.html"),
        ("CaseResult", "reference/api.html"),
        ("Slurm", "how-to/slurm.html"),
    ],
)
def test_the_search_finds(browser, address, asked, wanted):
    page, wrong = opened(browser, f"{address}/index.html")
    page.wait_for_load_state("networkidle")  # what is under way when the page is left counts as failed
    page.locator("input[name=q]").first.fill(asked)
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results .search-summary:has-text('Search finished')")  # results come one by one
    found = [each.get_attribute("href") or "" for each in page.locator("#search-results ul.search li a").all()]
    assert any(urlsplit(href).path.endswith(wanted) for href in found[:8]), found[:8]
    assert wrong == []
    page.close()


class Links(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" and value:
                self.anchors.add(value)
            if name in ("href", "src") and value and tag in ("a", "img", "link", "script"):
                self.links.add(value)


def broken(site: Path) -> list[str]:
    """The links within a site that lead nowhere."""
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or (path.name in ("search.html", "genindex.html") and link == "#"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                found.append(f"{path.relative_to(site)}: {link}")
    return found


def test_no_link_within_the_site_leads_nowhere(site):
    assert len(list(site.rglob("*.html"))) > 20
    assert broken(site.resolve()) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<p id="x"><a href="b.html#y">1</a><a href="c.html">2</a><a href="#x">3</a>')
    (tmp_path / "b.html").write_text('<p id="z"><a href="a.html#x">4</a><img src="d.png">')
    assert broken(tmp_path) == ["a.html: b.html#y", "a.html: c.html", "b.html: d.png"]


@pytest.mark.skipif(not find_spec(THEME), reason="Sphinx is not installed: pip install -e '.[docs]'")
def test_the_build_is_strict(tmp_path):
    """A link without a target, a page that nothing refers to, a name that is not documented: each is an error."""
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(ROOT / "docs/conf.py", source)
    for name in ("_static", "_templates"):
        shutil.copytree(ROOT / "docs" / name, source / name)
    good = "# A\n\n[B](b.md)\n\n```{toctree}\nb\n```\n"
    (source / "index.md").write_text(good)
    (source / "b.md").write_text("# B\n\n## Part\n\n[up](index.md), [here](#part)\n")
    assert build(source, tmp_path / "good").returncode == 0
    (source / "index.md").write_text(
        f"{good}\n[C](c.md), [there](b.md#parts), {{py:class}}`pytest_seedshift.Nothing`\n"
    )
    (source / "alone.md").write_text("# Alone\n")
    done = build(source, tmp_path / "bad")
    assert done.returncode == 1
    for said in ("c.md", "parts", "pytest_seedshift.Nothing", "alone.md"):
        assert said in done.stderr, done.stderr
