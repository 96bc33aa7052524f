"""A text for each place where it is shown: nothing in it can be more than text there, and nothing readable is lost."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given

from helpers.strange_text import HOSTILE, starts_a_command, unseen
from pytest_seedshift.core import text

READABLE = (
    "toy-latent",
    "模型-猫",
    "نموذج القط",
    "می‌خواهم",
    "क्‍ष",
    "דגם",
    "модель",
    "プ葛\U000e0100",
    "👨‍👩‍👧 ❤️‍🔥 1️⃣ 🏳️‍🌈 👍🏽",
    "é e\u0301 ß ﬁ Å",
    "a\u00a0b\u3000c",
    "\u06dd\u0600",
    "≥ → ✗ · – …",
    'C:\\models\\"x" & <y>',
)


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("place", [text.lines, text.terminal, text.line, text.html, text.xml, text.plot, text.workflow])
def test_what_can_be_read_is_shown_as_it_is_in_every_script(name, place):
    assert place(name) == name


@given(HOSTILE)
def test_a_terminal_is_given_no_sequences_and_a_log_no_commands(name):
    assert not unseen(text.lines(name)) - {"\n", "\t"}
    assert not starts_a_command(text.lines(name))
    shown = text.terminal(f"seedshift: {name} fails\n    because of {name}")
    assert not unseen(shown) - {"\n", "\t"}
    assert not starts_a_command(shown)
    assert all(line.startswith("  ") for line in shown.split("\n")[1:])
    assert not unseen(text.line(name))
    shown.encode()
    shown = text.indented(f"{name} fails\n{name}")
    assert not unseen(shown) - {"\n", "\t"}
    assert not starts_a_command(shown)
    assert all(line.startswith("  ") for line in shown.split("\n")[1:])


def test_the_checks_see_what_they_look_for():
    for each in ("::error::x", "a\n  ::error::x", "a\r::x", "a ##[error]x", "a ##vso[x]"):
        assert starts_a_command(each)
        assert not starts_a_command(text.lines(each))
    assert not starts_a_command("tests/a.py::test ## [x]")
    assert unseen("a\x1b\x9b\u202e\ud800\u2028\u200bé猫") == set("\x1b\x9b\u202e\ud800\u2028\u200b")


@given(HOSTILE)
def test_nothing_readable_is_lost(name):
    """What stands for what is not shown is told by what Python makes of it."""
    back = re.sub(
        r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[tnr])",
        lambda match: match[0].encode().decode("unicode_escape"),
        text.line(name),
    )
    assert back == name or "\\" in name


def test_every_character_that_is_not_seen_is_shown():
    seen = set(map(chr, [*range(0x600, 0x606), 0x6DD, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]))  # numbers stand on them
    for number in range(0x110000):
        each = chr(number)
        if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") and each not in seen:
            assert re.fullmatch(r"a\\(x..|u....|U........|[tnr])b", text.line(f"a{each}b")), hex(number)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\u200db", r"a\u200db"),
        ("a\u200cb", r"a\u200cb"),
        ("猫\u200d", r"猫\u200d"),
        ("👨\u200d\u200d👩", r"👨\u200d\u200d👩"),
        ("a\ufe0f", r"a\ufe0f"),
        ("☺\ufe0f\ufe0f\ufe01", "☺\ufe0f" + r"\ufe0f\ufe01"),  # what is written in selectors that nobody sees
        ("🏴\U000e0067\U000e007f", r"🏴\U000e0067\U000e007f"),
        ("\ufe0f", r"\ufe0f"),
    ],
)
def test_joiners_and_selectors_are_left_only_where_they_are_a_part_of_what_is_seen(name, shown):
    assert text.line(name) == shown


@given(HOSTILE, HOSTILE)
def test_a_workflow_command_ends_where_it_ends(name, message):
    command = f"::error title={text.workflow_property(name)},file=a::{text.workflow(message)}"
    assert len(re.split(r"\r\n|\r|\n", command)) == 1
    assert not unseen(command) - {"\t"}
    properties, _, shown = command.removeprefix("::error ").partition("::")
    title, file = (each.partition("=")[2] for each in properties.split(","))
    assert file == "a"
    plain = {"%3A": ":", "%2C": ",", "%0A": "\n", "%25": "%"}
    assert re.sub("%..", lambda match: plain[match[0]], title) == text.line(name)
    assert re.sub("%..", lambda match: plain[match[0]], shown) == text.xml(message)


@given(HOSTILE)
def test_xml_holds_any_text(name):
    element = ElementTree.Element("a", name=text.xml(name))
    element.text = text.xml(name)
    read = ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
    assert (read.text or "", read.get("name")) == (text.xml(name), text.xml(name))


def test_without_it_xml_is_broken():
    element = ElementTree.Element("a")
    element.text = "\x1b"
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))


@given(HOSTILE)
def test_a_label_of_a_figure_is_short_and_on_one_line(name):
    assert not unseen(text.plot(name * 2000))
    assert len(text.plot(name * 2000)) <= 83


@pytest.mark.parametrize("value", [None, 3, 0.5, [1]])
def test_a_page_s_numbers_stay_numbers(value):
    assert text.html(value) is value


def test_a_long_name_takes_no_time_and_is_not_cut():
    name = ("猫\x1b::##[" * 2000) + "\n" * 10_000
    for place in (text.lines, text.terminal, text.line, text.workflow, text.xml, text.html):
        assert len(str(place(name))) >= len(name)
