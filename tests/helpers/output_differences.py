"""What differs between two sets of outputs, by the keys of what they say and not by their lines."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree


def differences(before: Mapping[str, str], now: Mapping[str, str], near: float = 0.0) -> list[str]:
    """What differs in the outputs, by their keys; empty where they are the same.

    Args:
        before: outputs by name.
        now: those that they are held against.
        near: numbers are the same that differ by no more than this part of the larger one, or of 1.
    """
    told = []
    for name in sorted({*before, *now}):
        if name not in now or name not in before:
            told.append(f"{name}: {'is no longer made' if name not in now else 'is new'}")
            continue
        if before[name] == now[name]:
            continue
        old, new = (list(flat(name, each[name])) for each in (before, now))
        if near:
            new = _with_near_numbers(old, new, near)
            if old == new:
                continue
        lines = [
            line
            for line in difflib.unified_diff(old, new, n=0, lineterm="")
            if not line.startswith(("---", "+++", "@@"))
        ]
        told += [f"{name}: {line}" for line in lines or ["differs in its white space or in the order of attributes"]]
    return told


_DECIMAL = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


def _with_near_numbers(old: list[str], new: list[str], near: float) -> list[str]:
    """Lines with the numbers of the old ones where these differ by next to nothing."""
    made = list(new)
    matcher = difflib.SequenceMatcher(None, *([_DECIMAL.sub("#", line) for line in each] for each in (old, new)), False)
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            before, after = old[block.a + offset], new[block.b + offset]
            pairs = zip(_DECIMAL.findall(before), _DECIMAL.findall(after), strict=True)
            if all(math.isclose(float(one), float(other), rel_tol=near, abs_tol=near) for one, other in pairs):
                made[block.b + offset] = before
    return made


def flat(name: str, text: str) -> Iterator[str]:
    """An output as lines of a key and its value."""
    reader: Callable[[str], Iterator[str]] = {
        ".json": _flat_json_text,
        ".xml": lambda text: _flat_xml(ElementTree.fromstring(text), ""),
        ".html": _flat_html,
    }.get(Path(name).suffix, lambda text: iter(text.splitlines()))
    return reader(text)


def _flat_json_text(text: str) -> Iterator[str]:
    return _flat_json(json.loads(text), "")


def _flat_json(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _flat_json(each, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            name = f"{number}"
            if isinstance(each, dict):
                names = ("test", "id", "name", "score", "kind")
                name = " ".join([str(each[part]) for part in names if part in each][:2]) or name
            yield from _flat_json(each, f"{key}[{name}]")
    else:
        yield f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _flat_xml(element: ElementTree.Element, key: str) -> Iterator[str]:
    name = element.get("name")
    key = f"{key}/{element.tag}" + (f"[{name}]" if name else "")
    for attribute, value in element.attrib.items():
        yield f"{key}@{attribute} = {value}"
    for line in (element.text or "").strip().splitlines():
        yield f"{key} = {line}"
    for each in element:
        yield from _flat_xml(each, key)


class _Flat(HTMLParser):
    """Lines of a page: the way to an element, from the last one with an id, and its attributes or text."""

    VOID = frozenset(("area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"))

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._way: list[str] = []

    @property
    def _key(self) -> str:
        last = max((number for number, each in enumerate(self._way) if "#" in each), default=0)
        return "/".join(self._way[last:])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._way.append(f"{tag}#{given['id']}" if given.get("id") else tag)
        self.lines += [f"{self._key}@{name} = {value}" for name, value in attrs] or [self._key]
        if tag in self.VOID:
            self._way.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._way and self._way.pop().partition("#")[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.lines += [f"{self._key} = {line.strip()}" for line in data.splitlines() if line.strip()]


def _flat_html(text: str) -> Iterator[str]:
    page = _Flat()
    page.feed(text)
    page.close()
    return iter(page.lines)
