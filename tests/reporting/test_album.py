"""The report's pictures: each once, small enough, and nothing that is none."""

from __future__ import annotations

import base64
import io
import random
import re

import pytest
from PIL import Image

from pytest_seedshift.reporting.page import album
from pytest_seedshift.reporting.page.album import Album


@pytest.fixture
def noise(tmp_path):
    draw = random.Random(0)
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"{number}.png")
        Image.frombytes("RGB", (200, 100), draw.randbytes(60000)).save(paths[-1])
    return paths


def sizes(filled: Album) -> list[tuple[int, int]]:
    found = re.findall(r'href="data:image/webp;base64,([^"]*)"', filled.definitions())
    return [Image.open(io.BytesIO(base64.b64decode(each))).size for each in found]


def test_a_picture_is_on_the_page_once_however_often_it_is_shown(noise):
    filled = Album()
    assert [filled.add(noise[0]), filled.add(noise[1]), filled.add(noise[0])] == ["p0", "p1", "p0"]
    assert sizes(filled) == [(160, 80), (160, 80)]


def test_many_pictures_become_smaller_until_they_fit(noise, monkeypatch):
    filled = Album()
    for path in noise:
        filled.add(path)
    large = len(filled.definitions())
    monkeypatch.setattr(album, "_MOST", large // 3)
    monkeypatch.setattr(album, "_LEAST", 0)
    assert len(filled.definitions()) < large // 2
    assert 48 <= sizes(filled)[0][0] < 160


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n and no more", None])
def test_what_is_no_picture_leaves_an_empty_field(tmp_path, noise, content):
    if content is not None:
        (tmp_path / "bad.png").write_bytes(content)
    filled = Album()
    filled.add(tmp_path / "bad.png")
    filled.add(noise[0])
    assert '<rect id="p0"' in filled.definitions()
    assert len(sizes(filled)) == 1


def test_an_album_takes_all_of_some_pictures_or_none(noise):
    filled = Album(most=3)
    assert filled.admit(noise[:2])
    assert not filled.admit(noise[1:4])
    assert filled.admit([*noise[:3], noise[2]])  # one that is new, twice
    assert filled.add(noise[4]) is None
    assert [filled.add(each) for each in noise[:3]] == ["p0", "p1", "p2"]
    assert filled.has_room(noise[:3])
    assert not filled.has_room(noise[:4])
    assert len(sizes(filled)) == 3


def test_pictures_leave_room_for_what_else_the_page_has(noise, monkeypatch):
    filled = Album()
    for path in noise:
        filled.add(path)
    large = len(filled.definitions())
    monkeypatch.setattr(album, "_LEAST", 0)
    assert len(filled.definitions(beside=album._MOST - large // 3)) < large // 2
    monkeypatch.undo()
    assert len(filled.definitions(beside=album._MOST)) == large
