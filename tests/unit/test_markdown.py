"""Any text as Markdown is shown as that text: held against a reader of GitHub's dialect."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_seedshift.report import markdown

HOSTILE = (
    "<script>alert(1)</script>",
    "a | b \\| c",
    "[link](https://example.org) ![image](x.png)",
    "**bold** _i_ ~~gone~~ `code`",
    "&lt;b&gt; &amp;",
    "- a",
    "# title",
    "12. first",
    "---",
    "two\nlines\r\nthree",
    "🦉 owl",
    "\\",
    "`",
    "$x^2$",
)


class Shown(HTMLParser):
    """The text and the elements of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags = "", set()
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag, _) -> None:
        self.tags.add(tag)


def shown(source: str) -> Shown:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return Shown(reader.render(source))


def same(text: str) -> str:
    return " ".join(text.split())


def check(text: str) -> None:
    plain = markdown.line(text)
    paragraph = shown(markdown.text(text))
    assert same(paragraph.text) == same(plain)
    assert paragraph.tags <= {"p", "span"}
    table = shown(markdown.table(("one", "two"), [(markdown.text(text), markdown.code(text)), ("after", "after")]))
    assert same(table.text) == same(f"one two {plain} {plain} after after")
    assert table.tags <= {"table", "thead", "tbody", "tr", "th", "td", "code", "span"}
    part = shown(markdown.folded(text, "inside"))
    assert same(part.text) == same(f"{plain} inside")
    assert part.tags == {"details", "summary", "p"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is(text):
    assert same(markdown.line(text)) == same(text)
    check(text)


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\`*_[]|~<>&$#-+!\n")))
def test_any_text_is_shown_as_it_is(text):
    check(text)


def test_a_text_that_is_not_escaped_is_noticed():
    source = markdown.table(("one", "two"), [("a|b", "<b>x</b>"), ("after", "<b>x</b>")])
    assert "b" in shown(source).tags
    assert shown(source).text.count("x") == 1


def test_writing_from_right_to_left_does_not_turn_round_what_is_beside_it():
    assert markdown.line("fails: שלום עולם 4") == "fails: \u2068שלום עולם\u2069 4"
    assert markdown.line("\u202eevil\u2069") == "U+202EevilU+2069"


@given(st.text())
def test_a_line_is_one_line_that_opens_and_closes_its_own_directions(text):
    line = markdown.line(text)
    line.encode()
    assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in line)
    isolates = [each for each in line if unicodedata.bidirectional(each) in ("FSI", "PDI", "LRI", "RLI", "RLO", "LRO")]
    assert isolates == ["\u2068", "\u2069"] * (len(isolates) // 2)
