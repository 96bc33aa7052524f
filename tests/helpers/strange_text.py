"""Texts that are more than text somewhere, and what would read them so."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import strategies as st

PIECES = (
    "\n::warning::x",
    "::add-mask::a",
    "##[error]x",
    "##vso[task.complete result=Succeeded;]",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\r\x1b[K",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u2028",
    "\x85",
    "\ud800",
    "\udcff",
    "\ufeff",
    "\U000e0041",
    "]]>",
    "|",
    "\n\n## heading",
    "<img src=x onerror=alert(1)>",
    "$x^$",
    "`",
    "[a](https://example.org)",
    "https://example.org",
    "www.example.org",
    "@somebody",
    "#1",
    ":tada:",
    "- ",
    " ",
    "\t",
)
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=6).map("".join)


def starts_a_command(shown: str) -> bool:
    """Whether a runner would read a command: after blanks at a line's start, or, as of old, anywhere."""
    return any(line.strip().startswith("::") or re.search(r"##\w*\[", line) for line in re.split(r"\r\n|\r|\n", shown))


def unseen(shown: str) -> set[str]:
    """The characters that move the cursor, hide something or turn the line round."""
    joiners = set("\u200c\u200d")  # are shown only where they belong to letters and emoji, see below
    marks = {each for each in shown if "ARABIC" in unicodedata.name(each, "") or "KAITHI" in unicodedata.name(each, "")}
    return {each for each in shown if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - joiners - marks
