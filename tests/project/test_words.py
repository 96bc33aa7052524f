"""Messages and pages stay readable: no sentence of a message is long, and no dialect comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import words

ROOT = Path(__file__).parents[2]

LONG_MESSAGES: frozenset[str] = frozenset()
"""Beginnings of the sentences of messages that may be longer. Give a reason with each."""

LONG_ON_PAGES = 20
"""How many sentences of README.md and docs are longer, names in code set aside. Shorten one before you add one."""


@pytest.fixture(scope="module")
def texts():
    return words.found(ROOT)


def test_no_sentence_of_a_message_is_long(texts):
    long = [
        f"{path.relative_to(ROOT)}: {count} words: {sentence}"
        for count, path, sentence in words.by_length(texts["messages"])
        if count > words.MOST and not any(sentence.startswith(each) for each in LONG_MESSAGES)
    ]
    assert not long, "\n".join(long)


def test_sentences_of_pages_do_not_become_longer(texts):
    found = words.by_length(texts["pages"])
    long = [each for each in found if sum("CODE" not in word for word in each[2].split()) > words.MOST]
    assert len(long) <= LONG_ON_PAGES, "\n".join(f"{path.relative_to(ROOT)}: {said}" for _, path, said in long)


@pytest.mark.parametrize("kind", ["messages", "pages"])
def test_no_dialect_comes_back(texts, kind):
    places = words.dialect(texts[kind])
    assert not places, "\n".join(
        f"{path.relative_to(ROOT)}: {said!r}, better {better!r}" for path, said, better in places
    )


def test_what_is_long_or_dialect_is_found():
    """A sentence ends at a point, a paragraph or a line of a message. A value is one word."""
    long = " ".join(["Word"] * (words.MOST + 1))
    said = f"It is {{x}} here. {long}.\\n    One page is to come."
    source = f'"""{long}"""\nsay(f"{said}")\nTABLE = "CREATE TABLE {long}"\n'
    found = [("m.py", text) for text in words.messages(source)]
    assert [count for count, _, _ in words.by_length(found)] == [words.MOST + 1, 5, 4]
    assert [said for _, said, _ in words.dialect(found)] == ["is to come"]
    template = f"<style>{long}</style><p>Short {{% if a %}}one{{% endif %}} of {{{{ value }}}}.</p><td>{long}</td>"
    assert [count for count, _, _ in words.by_length([("t", words.page_text(template))])] == [words.MOST + 1, 4]
