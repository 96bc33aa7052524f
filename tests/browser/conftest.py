"""What tests in a real browser share."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

Serve = Callable[[Path, type[http.server.SimpleHTTPRequestHandler]], AbstractContextManager[str]]
Look = Callable[..., list[str]]


@contextmanager
def _served(folder: Path, handler: type[http.server.SimpleHTTPRequestHandler]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def served() -> Serve:
    """Serves a folder by a handler meanwhile; gives its address."""
    return _served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: its path in CHROMIUM, or on the PATH."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def fitting(browser: Browser) -> Callable[[Path, int, int], AbstractContextManager[Page]]:
    """Opens a page at a width and a height: it must ask nobody for anything, complain of nothing and be no wider."""

    @contextmanager
    def opened(file: Path, width: int, height: int) -> Iterator[Page]:
        page = browser.new_page(viewport={"width": width, "height": height})
        problems: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        yield page
        assert problems == []
        assert [each for each in requests if not each.startswith("data:")] == [file.as_uri()]
        page.close()

    return opened


@pytest.fixture(scope="session")
def violations() -> Look:
    """What in a page, or in a part of it, breaks axe-core's rules for accessibility: one text for each place."""
    package = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe-core: pip install axe-playwright-python"
    )
    axe = package.Axe()

    def found(page: Page, where: str = "html") -> list[str]:
        return [
            f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
            for each in axe.run(page, where).response["violations"]
            for node in each["nodes"]
        ]

    return found
