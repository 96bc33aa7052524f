"""GitHub's Markdown: any text as text, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_MARKS = re.compile(r"([\\`*_\[\]|~])")
_STARTS = re.compile(r"^(?:[-+#=]|\d+(?=[.)]))")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\\s]+")
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LETTER = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
_RIGHT_TO_LEFT = re.compile(f"{_LETTER}+(?: {_LETTER}+)*")


def line(value: object) -> str:
    """A text on one line that does not turn the text around it round.

    Runs of blanks and control characters are one blank; characters that set the direction of writing are named, and
    words that are written from right to left stand in an isolate (Unicode Annex 9), as in HTML's `<bdi>`.
    """
    plain = _CONTROLS.sub(" ", str(value)).strip()
    plain = _DIRECTIONS.sub(lambda match: f"U+{ord(match[0]):04X}", plain)
    plain = plain.encode("utf-8", errors="replace").decode()  # half of a surrogate pair, as of a strange file name
    return _RIGHT_TO_LEFT.sub("\u2068\\g<0>\u2069", plain)


def text(value: object) -> str:
    r"""A text as Markdown that shows it, in a paragraph, an entry of a list or a cell.

    >>> text("<b> | *x*")
    '&lt;b&gt; \\| \\*x\\*'
    """
    made = _MARKS.sub(r"\\\1", escape(line(value), quote=False))
    made = _STARTS.sub(lambda match: f"&#{ord(match[0][0])};{match[0][1:]}", made)
    return made.replace("$", "<span>$</span>")  # GitHub reads $…$ as a formula even behind a backslash


def code(value: object) -> str:
    """The same in the letters of a typewriter; backticks would not keep a backslash before `|` away."""
    return f"<code>{text(value)}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """A table of cells that are Markdown already; with `numbers` all columns but the first are on the right."""
    rule = ["---", *["--:" if numbers else "---"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def folded(title: str, body: str) -> str:
    """A part that opens when its title, any text, is clicked; `body` is Markdown."""
    return f"<details><summary>{escape(line(title), quote=False)}</summary>\n\n{body}\n\n</details>"
