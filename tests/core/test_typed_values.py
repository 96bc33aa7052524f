"""Names and paths as people type them."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import typed_values


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("out/lr=0.1,steps=20/ckpt", "a,b", "c"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sd21, sdxl ,", ["sd21", "sdxl", ""]),
        ("./out/lr=0.1,steps=20/ckpt", ["./out/lr=0.1,steps=20/ckpt"]),
        ("sd21,./out/lr=0.1,steps=20/ckpt+ddim+steps=20,c", ["sd21", "./out/lr=0.1,steps=20/ckpt+ddim+steps=20", "c"]),
        ("a,b", ["a,b"]),
        ("a,b+ddim,a,c", ["a,b+ddim", "a", "c"]),
        ("c,c+ddim", ["c", "c+ddim"]),
        ("./out/lr=0.1,steps=30/ckpt", ["./out/lr=0.1", "steps=30/ckpt"]),
        ("x" * 5000 + ",y\0", ["x" * 5000, "y\0"]),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_path_with_a_comma_is_whole_where_it_exists(text, expected):
    assert typed_values.names(text) == expected


def test_a_path_in_a_home_folder_too(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert typed_values.names("~/a,b,c") == ["~/a,b", "c"]


@given(st.lists(st.text(st.characters(exclude_characters=","), min_size=1).map(str.strip).filter(bool), max_size=5))
def test_names_come_back_in_their_order(names):
    assert typed_values.split([",".join(names)]) == list(dict.fromkeys(names))


def test_a_home_that_is_not_known_is_no_traceback(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it answers where nobody knows a home
    assert typed_values.expand("~/mine") == Path("~/mine")
    monkeypatch.undo()
    assert typed_values.expand("~nobody-of-that-name/mine") == Path("~nobody-of-that-name/mine")
    monkeypatch.setenv("HOME", "/home/me")
    assert typed_values.expand("~/mine") == Path("/home/me/mine")


@given(st.floats(allow_nan=False))
def test_numbers_are_read_as_they_are_written(value):
    assert typed_values.number(repr(value)) == value
    assert typed_values.number(f" {value:+.17g} ") == value


@pytest.mark.parametrize("text", ["", " ", "0_3", "1_000", "٣", "0,3", "0x2", "３", "one", "1e", "--1"])
def test_what_only_a_program_takes_for_a_number_is_none(text):
    assert math.isnan(typed_values.number(text))
    assert typed_values.whole(text) is None


@given(st.integers())
def test_whole_numbers_likewise(value):
    assert typed_values.whole(str(value)) == value
    assert typed_values.whole(f"{value}.5") is None
