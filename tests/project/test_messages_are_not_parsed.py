"""Messages are made, shown and never read: no decision is taken by a message's text, and no sentence is cut up.

What is looked at are the names by which messages go in this package, and the functions that make them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.environments import ROOT

PACKAGE = ROOT / "pytest_seedshift"
LAYERS = ("results", "runner", "studies", "reporting", "plugin", "cli")

MESSAGES = {
    "reason",
    "sentence",
    "message",
    "finding",
    "describe",
    "point",
    "monotony",
    "comparison",
    "failure",
    "ruling",
}
"""Attributes, variables and functions that are messages, or make them."""

MODULES = {"messages", "verdict_messages", "failures", "reasons", "words_of", "told"}
"""Modules that make messages of whatever they are given."""

OF_OTHERS = {
    "plugin/outcomes.py": "pytest says in words alone why a test was skipped",
    "reporting/plots.py": "matplotlib warns in words alone of letters that its font lacks",
}
"""By module, why it reads the words of a library."""

CUTS = {
    *("partition", "rpartition", "startswith", "endswith", "removeprefix", "removesuffix", "replace", "find", "index"),
    *("rsplit", "count", "rfind", "match", "search", "fullmatch", "sub", "findall", "finditer"),
}
"""Methods that look at what a text says. Lines may be told apart: that is layout."""


def is_message(node: ast.AST) -> bool:
    """Whether an expression is a message by its name, or what a function of messages has made."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value in MESSAGES
    if isinstance(node, ast.Call):
        made = node.func
        by = isinstance(made, ast.Attribute) and isinstance(made.value, ast.Name) and made.value.id in MODULES
        of_text = isinstance(made, ast.Name) and made.id == "str" and len(node.args) == 1
        return by or (of_text and is_message(node.args[0])) or is_message(made)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.lstrip("_") in MESSAGES


def parsed(source: str) -> Iterator[int]:
    """The lines of a module in which a message's text is looked at."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CUTS:
            if is_message(node.func.value) or any(map(is_message, node.args)):
                yield node.lineno
        elif isinstance(node, ast.Compare) and any(map(is_message, node.comparators)):
            yield from (node.lineno for each in node.ops if isinstance(each, (ast.In, ast.NotIn)))


def modules() -> list[Path]:
    return [path for layer in LAYERS for path in sorted((PACKAGE / layer).rglob("*.py"))]


def test_no_message_is_parsed():
    found = {path.relative_to(PACKAGE).as_posix(): list(parsed(path.read_text())) for path in modules()}
    assert {path for path, lines in found.items() if lines} == set(OF_OTHERS)
    assert all(len(lines) == 1 for path, lines in found.items() if path in OF_OTHERS)


@pytest.mark.parametrize(
    "source",
    [
        're.sub(r" · (pictures|report): .*", "", case.reason)',
        "reason.removeprefix('x')",
        "record['reason'].partition('\\n')",
        "str(record['reason']).startswith('it has')",
        "'it has' in case.reason",
        "monotony(record).replace('; it', ';')",
        "case.describe().rpartition(' ')",
        "messages.count(2, 'pass').replace('passs', 'passes')",
        "verdict_messages.comparison(each).partition(' ')",
        "if 'x' not in message: pass",
    ],
)
def test_what_is_parsed_is_found(source):
    assert list(parsed(source)) == [1]


@pytest.mark.parametrize(
    "source", ["reason.splitlines()", "reason in reasons", "path.replace('a', 'b')", "f'{reason}'"]
)
def test_what_is_shown_is_not(source):
    assert not list(parsed(source))
