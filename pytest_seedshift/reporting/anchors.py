"""The page's addresses: `report.html#toy-latent-mean-+0.30` is a case."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import quote

from pytest_seedshift.core import messages, text


def anchor(case_id: str) -> str:
    """The anchor of a case: its id. HTML allows no spaces in it, and nothing in it is unseen."""
    return text.line(re.sub(r"\s", "_", case_id))


def link(page: Path, case_id: str) -> str:
    """Where a case is described, for the terminal: relative to the working directory where the page lies in it.

    >>> link(Path("report.html"), "toy-latent-mean-+0.30")
    'report.html#toy-latent-mean-+0.30'
    """
    return f"{messages.relative(str(page))}{fragment(case_id)}"


def fragment(case_id: str) -> str:
    """What leads to a case within its page: `#toy-latent-mean-+0.30`."""
    return f"#{quote(anchor(case_id), safe='+:=,/', errors='replace')}"


def slug(name: str) -> str:
    """A short name of a model for attributes and classes: texts that differ get names that differ."""
    return hashlib.sha256(name.encode("utf-8", errors="surrogatepass")).hexdigest()[:8]
