"""GitHub's Markdown: what is made of texts, which `text.markdown` has made harmless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_seedshift.core import text


def code(value: object) -> str:
    """Any text in the letters of a typewriter; backticks would not keep a backslash before `|` away."""
    return f"<code>{text.markdown(value)}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """A table of cells that are Markdown already; with `numbers` all columns but the first are on the right."""
    rule = ["---", *["--:" if numbers else "---"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def folded(title: str, body: str) -> str:
    """A part that opens when its title, any text, is clicked; `body` is Markdown."""
    return f"<details><summary>{text.markdown_html(title)}</summary>\n\n{body}\n\n</details>"
