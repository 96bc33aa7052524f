"""Any text as Markdown is shown as that text: held against a reader of GitHub's dialect."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.strange_markdown import HOSTILE, shown
from pytest_seedshift.core import text as texts
from pytest_seedshift.reporting import markdown


def same(text: str) -> str:
    return " ".join(text.split())


def check(text: str) -> None:
    plain = texts.isolated(text)
    paragraph = shown(texts.markdown(text))
    assert same(paragraph.text) == same(plain)
    assert paragraph.tags <= {"p", "span"}
    table = shown(markdown.table(("one", "two"), [(texts.markdown(text), markdown.code(text)), ("after", "after")]))
    assert same(table.text) == same(f"one two {plain} {plain} after after")
    assert table.tags <= {"table", "thead", "tbody", "tr", "th", "td", "code", "span"}
    part = shown(markdown.folded(text, "inside"))
    assert same(part.text) == same(f"{plain} inside")
    assert part.tags - {"span"} == {"details", "summary", "p"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is(text):
    assert same(texts.isolated(text)) == same(text.replace("\r", "\\r").replace("\n", "\\n"))
    check(text)


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\`*_[]|~<>&$#-+!\n")))
def test_any_text_is_shown_as_it_is(text):
    check(text)


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("https://example.org", r"https?://"),
        ("see HTTP://example.org/x", r"https?://"),
        ("www.example.org", r"\bwww\."),
        ("@somebody/x", r"@(?!</span>)"),
        ("a#12", r"#(?!</span>)\w"),
        (":white_check_mark:", r":\w+:"),
        ("a$x$b", r"\$(?!</span>)"),
        ("mail@example.org", r"@(?!</span>)"),
    ],
)
def test_github_makes_no_link_mention_reference_formula_or_emoji_of_it(name, never):
    for made in (texts.markdown(name), markdown.code(name), markdown.folded(name, "inside")):
        assert not re.search(never, made, re.IGNORECASE)
        assert re.search(never, name, re.IGNORECASE)
    check(name)


def test_a_text_that_is_not_escaped_is_noticed():
    source = markdown.table(("one", "two"), [("a|b", "<b>x</b>"), ("after", "<b>x</b>")])
    assert "b" in shown(source).tags
    assert shown(source).text.count("x") == 1


def test_writing_from_right_to_left_does_not_turn_round_what_is_beside_it():
    assert texts.isolated("fails: שלום עולם 4") == "fails: \u2068שלום עולם\u2069 4"
    assert texts.isolated("می\u200cخواهم a") == "\u2068می\u200cخواهم\u2069 a"
    assert texts.isolated("\u202eevil\u2069") == "\\u202eevil\\u2069"


@given(st.text())
def test_a_line_is_one_line_that_opens_and_closes_its_own_directions(text):
    line = texts.isolated(text)
    line.encode()
    assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in line)
    isolates = [each for each in line if unicodedata.bidirectional(each) in ("FSI", "PDI", "LRI", "RLI", "RLO", "LRO")]
    assert isolates == ["\u2068", "\u2069"] * (len(isolates) // 2)


@pytest.mark.parametrize(
    "name",
    [
        "3.11",
        "2.13.0+cpu",
        "-0.05",
        "+0.30",
        "-.5",
        "toy_latent",
        "a__b",
        "évidence_position",
        "mean -> std",
        "0.41 < 0.60, p <= 0.01",
        "R & D",
        r"C:\models\owl",
        "2026-11-29",
        "12.5 first",
        "=0",
    ],
)
def test_what_would_be_shown_as_it_is_anyway_is_not_escaped(name):
    assert texts.markdown(name) == name
    check(name)


@pytest.mark.parametrize("name", ["3. x", "3.", "12) x", "123456789.", "+ x", "-", "- x", "--- ", "-:", "> x", "###"])
@pytest.mark.parametrize("behind", ["", " x", "\ty"])
def test_what_begins_a_block_at_the_start_of_a_line_is_escaped(name, behind):
    check(name + behind)
    assert shown(texts.markdown(name)).tags <= {"p"}
    assert shown(f"{texts.markdown(name)} and {texts.markdown(name)}").tags <= {"p"}


def test_the_reader_sees_a_block_where_one_begins():
    assert shown("3. x").tags == {"ol", "li"}
    assert shown("- x").tags == {"ul", "li"}
    assert shown("> x").tags == {"blockquote", "p"}


MARKUP = st.lists(
    st.sampled_from([*"\\`*_[]|~<>&$#-+=!.)(:; a1é猫", "&lt", "&#65;", "<b>", "</", "<!--", "12.", "___", "a_", "\n"])
).map("".join)


@given(MARKUP, MARKUP)
def test_two_texts_in_one_paragraph_are_both_shown_as_they_are(one, other):
    check(one)
    for between in (" ", ", ", ": ", " ("):
        paragraph = shown(f"{texts.markdown(one)}{between}{texts.markdown(other)}")
        assert same(paragraph.text) == same(f"{texts.isolated(one)}{between}{texts.isolated(other)}")
        assert paragraph.tags <= {"p", "span"}
