"""The robustness report where a host forbids all styles, scripts and pictures, as servers of CI artifacts do."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from helpers import synthetic
from pytest_seedshift.reporting import html
from pytest_seedshift.reporting import page as report
from pytest_seedshift.reporting.page import beside
from pytest_seedshift.reporting.page.unstyled import with_attributes

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it or give its path in CHROMIUM")

BLACK = """
() => [...document.querySelectorAll('.panels path, .key path')].filter(path => !path.closest('defs, clipPath')).filter(
  path => getComputedStyle(path).fill === 'rgb(0, 0, 0)' && +getComputedStyle(path).fillOpacity > 0.5
    && path.getBoundingClientRect().width * path.getBoundingClientRect().height > 400
).length
"""
"""How many shapes of some size are filled with black."""


class Strict(http.server.SimpleHTTPRequestHandler):
    policy = "default-src 'none'"

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The report, and the same without what `with_attributes` adds."""
    run = synthetic.write(tmp_path_factory.mktemp("run"))
    made = report.write(run.path)
    bare = re.sub(r' (fill|stroke)[a-z-]*="[^"]*"', "", made.read_text())
    made.with_name("bare.html").write_text(bare)
    return made.parent


@pytest.fixture(scope="module")
def address(folder, served) -> Iterator[str]:
    with served(folder, Strict) as address:
        yield address


@in_chromium
def test_the_page_can_be_read_without_styles_scripts_and_pictures(browser, address, folder):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/report.html")
    assert page.locator(".unstyled").is_visible()  # the policy is in force, and the page says so
    assert page.evaluate(BLACK) == 0
    assert page.locator(".panels path").first.bounding_box()["width"] < 400
    assert page.locator("#curves, .panels").first.is_visible()
    page.goto(f"{address}/bare.html")
    assert page.evaluate(BLACK) > 0  # what is looked for can be found
    page.goto((folder / "report.html").as_uri())
    assert not page.locator(".unstyled").is_visible()
    page.close()


class Jenkins(Strict):
    """What lies in archives is served by it under a policy of its own."""

    policy = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self';"


LOOK = """
() => [...document.querySelectorAll('body, h1, h2, .panels path, table, td, .cell')].slice(0, 400).map(each => {
  const style = getComputedStyle(each)
  const fonts = [style.fontSize, style.fontWeight, style.fontFamily]
  return [each.tagName, style.color, style.backgroundColor, style.fill, style.display, ...fonts].join(' ')
})
"""
"""How the page's parts look."""


@in_chromium
def test_with_its_parts_beside_it_the_page_looks_as_it_does_by_itself_on_jenkins(browser, folder, tmp_path):
    page = (folder / "report.html").read_text()
    beside.write(page, tmp_path / "report.html")
    assert len(list((tmp_path / "report-files").iterdir())) > 5
    assert "data:image" not in (tmp_path / "report.html").read_text()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Jenkins, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    looks = []
    size = {"width": 1280, "height": 900}
    for where in ((folder / "report.html").as_uri(), f"http://127.0.0.1:{server.server_port}/report.html"):
        opened = browser.new_page(viewport=size, java_script_enabled=False)
        opened.goto(where)
        assert not opened.locator(".unstyled").is_visible()
        looks.append(opened.evaluate(LOOK))
        opened.close()
    assert len(looks[0]) > 20
    assert looks[0] == looks[1]
    whole = browser.new_page(viewport=size)
    wrong: list[str] = []
    whole.on("pageerror", lambda error: wrong.append(str(error)))
    whole.goto((tmp_path / "report.html").as_uri())  # without a policy of the host the script runs as well
    assert not whole.locator(".unstyled").is_visible()
    assert wrong == []
    whole.close()
    server.shutdown()
    server.server_close()


def test_what_a_style_says_is_said_by_attributes_too():
    made = with_attributes(
        '<svg viewBox="0 0 36 14.4"><path d="M 0 0" style="fill: none; stroke: var(--series-0); stroke-width: 2.4"/>'
        "<text style=\"font-size: 10px; font-family: 'A', serif; text-anchor: end; fill: var(--ink-soft)\">a</text>"
        "</svg>"
    )
    assert made.startswith('<svg width="36" height="14.4" viewBox="0 0 36 14.4">')
    assert ' fill="none" stroke="#0072b2" stroke-width="2.4"/>' in made
    assert ' font-size="10px" text-anchor="end" fill="currentColor">a' in made
    assert made.count("style=") == 2
    assert with_attributes("<svg><g/></svg>") == "<svg><g/></svg>"


def test_the_colours_are_those_of_the_page():
    css = html.style()
    for index, colour in re.findall(r"--series-(\d): (#[0-9a-f]{6});", css.partition("@media")[0]):
        assert with_attributes(f'<a style="fill: var(--series-{index})"/>').endswith(f'fill="{colour}"/>')
