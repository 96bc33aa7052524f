"""Files written whole or not at all."""

from __future__ import annotations

import pytest

from pytest_seedshift import whole


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "file.json"
    whole.write(path, b"old")
    with path.open("rb") as reader:
        whole.write(path, "new\r\nLöwe\n")
        assert reader.read() == b"old"
    assert path.read_bytes() == "new\r\nLöwe\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "file.json"
    whole.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        whole.write(path, "\ud800")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"):
        whole.write(folder, "a file in the place of a folder")
    assert path.read_text() == "old"
    assert set(tmp_path.iterdir()) == {path, folder}
