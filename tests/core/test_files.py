"""Files that somebody else may have made: a sentence or what they hold, soon and in little memory."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import socket
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_seedshift.core import files, toml_documents
from pytest_seedshift.core.checkpoints import headers
from pytest_seedshift.core.files import FileError, MissingFileError

LITTLE = 50_000_000
"""Bytes of memory that reading a small hostile file may take."""


def put(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def said(path: Path, *, reader=files.read_json, **how: object) -> str:
    with pytest.raises(FileError) as caught:
        reader(path, **how)
    assert caught.value.path == path
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400
    return message.removeprefix(f"{path}: ")


# What is no ordinary file ------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_can_be_told_from_others(tmp_path):
    for path in (tmp_path / "none", put(tmp_path / "file", "") / "below"):
        with pytest.raises(MissingFileError, match="No such file"):
            files.read_bytes(path)
    with pytest.raises(FileError):
        files.read_bytes(tmp_path / ("a" * 5000))


@pytest.mark.parametrize("within", [False, True])
def test_pipes_devices_sockets_and_folders_are_not_read(tmp_path, within):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "socket"))
        for name, words in (("pipe", "a pipe"), ("socket", "a socket"), ("folder", "Is a directory")):
            assert words in said(tmp_path / name, within=tmp_path if within else None)
            assert not files.is_file(tmp_path / name)
    assert "a device" in said(Path("/dev/zero"))


def test_links_are_followed_but_not_within_a_folder(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    other.mkdir()
    put(other / "secret.json", "[1]")
    (run / "link.json").symlink_to(other / "secret.json")
    (run / "folder").symlink_to(other)
    (run / "here.json").symlink_to(put(run / "inside.json", "[2]"))
    (tmp_path / "run-by-link").symlink_to(run)
    assert files.read_json(run / "link.json") == [1]
    assert "is a link" in said(run / "link.json", within=run)
    assert "it lies in folder, which is a link" in said(run / "folder" / "secret.json", within=run)
    assert "is a link" in said(run / "here.json", within=run)
    said(run / ".." / "other" / "secret.json", within=run)
    said(other / "secret.json", within=run)
    assert files.read_json(tmp_path / "run-by-link" / "inside.json", within=tmp_path / "run-by-link") == [2]
    assert files.is_file(run / "link.json")
    assert not files.is_file(run / "link.json", run)
    assert files.is_folder(run / "folder")
    assert not files.is_folder(run / "folder", run)


def test_what_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    tracemalloc.start()
    assert "is larger than 64 MB" in said(tmp_path / "sparse")
    assert "is larger than 9 bytes" in said(put(tmp_path / "small", "0123456789"), most=9)
    assert tracemalloc.get_traced_memory()[1] < LITTLE
    tracemalloc.stop()
    assert files.read_bytes(tmp_path / "small", most=10) == b"0123456789"


# JSON --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff", "not a text in UTF-8"),
        ("[" * 100_000, "nested"),
        ('{"a":' * 100_000, "nested"),
        ("[" * 66 + "]" * 66, "nested deeper than 64"),
        ("1e999", "1e999"),
        ("-1E+999", "-1E+999"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("1" * 400, "400 digits"),
        ("1" * 5000, "5000 digits"),
        (str(2**63), "19 digits"),
        ("[" + "1," * 5_000_000 + "1]", "more than 4,000,000 values"),
    ],
)
def test_json_that_nobody_writes_is_told_in_a_sentence(tmp_path, text, words):
    assert words in said(put(tmp_path / "x.json", text))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html>\n<title>502 Bad Gateway</title>", "not JSON, but a web page"),
        (b"\xef\xbb\xbf \r\n<HTML lang=de>", "not JSON, but a web page"),
        (b"Entry not found", "not JSON, but an error that a server answered with"),
        (gzip.compress(b"{}"), "not a text in UTF-8, but a file packed by gzip"),
        (pickle.dumps({}), "not a text in UTF-8, but a pickle"),
        ('{"label": 1}'.encode("utf-16"), "in UTF-16, as PowerShell and some editors write it: save it as UTF-8"),
        (b"[ht", "not JSON: "),
    ],
    ids=["page", "page with a mark", "not found", "gzip", "pickle", "UTF-16", "unknown"],
)
def test_what_came_in_place_of_a_file_is_called_what_it_is(tmp_path, content, words):
    assert words in said(put(tmp_path / "x.json", content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html></html>", "but a web page, as servers answer with one: get it again"),
        (b'{"error":"Repository not found"}', "but an error that a server answered with: get it again"),
        (b"PK\x03\x04" + bytes(99), "but a zip archive, as torch.save makes it around a pickle"),
        (pickle.dumps([0] * 99), "but a pickle"),
        (gzip.compress(bytes(999)), "but a file packed by gzip"),
        (b"GGUF" + b"\xff" * 99, "but a file of GGUF"),
        (b"nothing known" * 9, "or is cut short: get it again"),
    ],
    ids=["page", "error", "zip", "pickle", "gzip", "gguf", "unknown"],
)
def test_so_is_what_came_in_place_of_weights(tmp_path, content, words):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert words in str(headers.why_not(tmp_path / "model.safetensors"))


def test_json_that_is_read(tmp_path):
    document = {"a": [1, -(2**63), 2**63 - 1, 0.5, 1e300, None, True, "e1000 1234567890123456789012345"], "é\ud800": {}}
    path = put(tmp_path / "x.json", json.dumps(document))
    assert files.read_json(path) == document
    assert files.read_json(put(path, "[NaN]"))[0] != 0
    assert files.read_json(put(path, "[Infinity, 1e999]"), finite=False) == [float("inf")] * 2
    deep: list = []
    for _ in range(files.MOST_LEVELS - 1):
        deep = [deep]
    assert files.read_json(put(path, json.dumps(deep))) == deep


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e300, 1e300) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_all_that_json_can_say_is_read_as_it_was_written(document):
    assert files.parse_json(json.dumps(document), "x") == document


def test_small_json_takes_little_memory(tmp_path):
    path = put(tmp_path / "x.json", "[" + "[]," * 400_000 + "[]]")
    tracemalloc.start()
    said(path, values=100_000)
    assert tracemalloc.get_traced_memory()[1] < LITTLE
    tracemalloc.stop()


# The net -----------------------------------------------------------------------------------------------------------


def raisers():
    import csv
    import sqlite3

    from safetensors import SafetensorError

    yield from (KeyError("x"), IndexError("x"), TypeError("a\nb"), AttributeError("x"), ValueError("x" * 10_000))
    yield from (OverflowError("x"), ZeroDivisionError("x"), RecursionError("x"), MemoryError(), EOFError())
    yield from (OSError(5, "Input/output error"), zlib.error("x"), csv.Error("x"), sqlite3.DatabaseError("x"))
    yield from (
        struct.error("x"),
        SyntaxError("broken PNG file"),
        SafetensorError("x"),
        AssertionError(),
        StopIteration(),
    )
    yield UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    yield UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")


@pytest.mark.parametrize("error", list(raisers()), ids=lambda error: type(error).__name__)
def test_whatever_a_library_raises_over_a_file_names_the_file(tmp_path, error):
    def read(path):
        with files.foreign(path):
            raise error

    assert said(tmp_path / "x", reader=read)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_the_net_lets_pass_what_is_not_about_the_file(tmp_path, error):
    with pytest.raises(error), files.foreign(tmp_path):
        raise error


def test_an_error_from_within_keeps_its_own_file(tmp_path):
    with pytest.raises(FileError, match="inner: cannot be read: No such file"), files.foreign(tmp_path / "outer"):
        files.read_bytes(tmp_path / "inner")


def test_errors_travel_between_processes(tmp_path):
    for error in (FileError(tmp_path, "is bad"), MissingFileError(tmp_path)):
        there = pickle.loads(pickle.dumps(error))
        assert (type(there), str(there)) == (type(error), str(error))


# What is packed ----------------------------------------------------------------------------------------------------


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b"\0" * 10**6) for _ in range(megabytes)) + packer.flush()


def test_a_small_file_that_unpacks_to_a_large_one_is_not_unpacked():
    packed = bomb(300)
    assert len(packed) < 1_000_000
    tracemalloc.start()
    with pytest.raises(FileError, match="larger than 5 MB when unpacked"):
        files.gunzip(packed, "x.gz", 5_000_000)
    assert tracemalloc.get_traced_memory()[1] < LITTLE
    tracemalloc.stop()


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_what_is_packed_is_unpacked_as_gzip_does(parts):
    content = b"".join(map(gzip.compress, parts))
    assert files.gunzip(content, "x.gz", 5000) == gzip.decompress(content)


PACKED = gzip.compress(b"abc" * 100, mtime=0)
"""Without the time of day, which would give each worker of pytest-xdist other tests."""


@pytest.mark.parametrize("content", [b"no gzip", PACKED[:-9], PACKED + b"more"], ids=["none", "cut off", "more"])
def test_what_is_not_packed_as_it_should_be_is_told(content):
    with pytest.raises(FileError, match=r"x\.gz: cannot be read: "):
        files.gunzip(content, "x.gz", 5000)


# Pictures ----------------------------------------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    """A PNG of one colour, made without decoding it: a bomb where it is large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" * (width + 1)) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_is_decoded_if_it_is_not_too_large(tmp_path):
    assert files.open_picture(png(60, 40), "x.png").size == (60, 40)
    tracemalloc.start()
    for width, height in ((13300, 13300), (2**31 - 1, 2**31 - 1)):
        content = png(9, 9)[:16] + struct.pack(">II", width, height) + png(9, 9)[24:]
        with pytest.raises(FileError, match=rf"{width} × {height} pixels, which is too large"):
            files.open_picture(content, "x.png")
    assert tracemalloc.get_traced_memory()[1] < LITTLE
    tracemalloc.stop()


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", png(60, 40)[:-20], png(60, 40)[:60], b"GIF89a" * 9])
def test_what_is_no_picture_is_told(content):
    with pytest.raises(FileError, match=r"x\.png: cannot be read: "):
        files.open_picture(content, "x.png")


def test_other_formats_are_not_tried(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png", format="BMP")
    with pytest.raises(FileError, match="it is no PNG"):
        files.open_picture((tmp_path / "x.png").read_bytes(), "x.png")


# TOML --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("x = " + "[" * depth + "]" * depth for depth in (66, 200, 100_000)),
        *("x = " + "{a = " * depth + "1" + "}" * depth for depth in (66, 200, 100_000)),
        *("x = " + "[" * 100_000, "[a" + ".b" * 100 + "]", "x = " + "1" * 5000, "x = 1\nx = 2", "\0", "x ="),
    ],
    ids=lambda text: f"{text[:6]} {len(text)}",
)
def test_toml_that_nobody_writes_is_told_in_a_sentence(text):
    with pytest.raises(toml_documents.DocumentError, match=r"^mine\.toml: not valid TOML: [^\n]*$"):
        toml_documents.parse(text, "mine.toml")
