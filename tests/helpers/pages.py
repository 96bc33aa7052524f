"""The README and the pages of the documentation, as tests of what they say read them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from helpers.environments import ROOT

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
}
"""The text of each page, by its path."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: its path.
        language: what stands behind the fence; directives of the site's generator are no blocks.
        text: its lines, without the fences.
    """

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text[:60]!r}"


BLOCKS = [
    Block(page, language, text)
    for page, whole in PAGES.items()
    for language, text in re.findall(r"^```([^\n]*)\n(.*?)^```$", whole, re.DOTALL | re.MULTILINE)
    if not language.startswith("{")
]


def blocks(language: str, *pages: str) -> list[str]:
    """The blocks of a language, on some pages in the order in which they are given, else on all."""
    found = [each for each in BLOCKS if each.language == language and (not pages or each.page in pages)]
    return [each.text for each in sorted(found, key=lambda each: pages.index(each.page) if pages else 0)]
