"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_seedshift.core import atomic_files


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "file.json"
    atomic_files.write(path, b"old")
    with path.open("rb") as reader:
        atomic_files.write(path, "new\r\nLöwe\n")
        assert reader.read() == b"old"
    assert path.read_bytes() == "new\r\nLöwe\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "file.json"
    atomic_files.write(path, "old")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"):
        atomic_files.write(folder, "a file in the place of a folder")
    assert path.read_text() == "old"
    assert set(tmp_path.iterdir()) == {path, folder}


def test_a_name_as_long_as_it_may_be_is_written(tmp_path):
    path = tmp_path / ("ä" * 127 + "x")
    atomic_files.check_writable(path, "--out")
    atomic_files.write(path, "a")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("parents", [True, False])
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (".", "is a folder"),
        ("..", "is a folder"),
        ("/", "is a folder"),
        ("folder", "is a folder"),
        ("folder/..", "is a folder"),
        ("link-to-folder", "is a folder"),
        ("fifo", "is a pipe, a device or a socket"),
        ("/dev/null", "is a pipe, a device or a socket"),
        ("/dev/full", "is a pipe, a device or a socket"),
        ("x" * 256, "has a name that is too long"),
        ("ä" * 128, "has a name that is too long"),
        ("a\0b", "holds a character that no path can have"),
        ("a\ud800", "holds a character that no path can have"),
        ("/proc/x", "cannot be written"),
        ("loop", "cannot be written"),
        ("file/x", "file is a file, not a folder|cannot be written: Not a directory"),
    ],
)
def test_what_cannot_be_written_is_said_beforehand(tmp_path, monkeypatch, given, reason, parents):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("kept")
    Path("link-to-folder").symlink_to("folder")
    Path("loop").symlink_to("loop")
    os.mkfifo("fifo")
    before = sorted(Path().rglob("*"))
    with pytest.raises(atomic_files.UnwritableError, match=rf"^--out .*: .*(?:{reason})"):
        atomic_files.check_writable(Path(given), "--out", parents=parents)
    assert sorted(Path().rglob("*")) == before
    assert Path("file").read_text() == "kept"


@pytest.mark.parametrize("given", ["missing/x", "missing/" * 3 + "x"])
def test_a_folder_that_is_missing_is_said_where_it_will_not_be_made(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        atomic_files.UnwritableError, match=f"^--out {given}: there is no folder {Path(given).parent}; make it"
    ):
        atomic_files.check_writable(Path(given), "--out")
    atomic_files.check_writable(Path(given), "--out", parents=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["missing/" + "x" * 256, "x" * 256 + "/x", "missing/" + "x" * 256 + "/x"])
def test_names_below_folders_to_make_are_looked_at(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(atomic_files.UnwritableError, match="has a name that is too long"):
        atomic_files.check_writable(Path(given), "--out", parents=True)


@pytest.mark.parametrize(
    "given", ["new", "old", "a b", "-x", "名前", "a\nb", "\udcff", "link", "dangling", "folder/new"]
)
def test_what_can_be_written_is_left_as_it_is(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("old").write_text("kept")
    Path("link").symlink_to("old")
    Path("dangling").symlink_to("nowhere")
    before = sorted(Path().rglob("*"))
    atomic_files.check_writable(Path(given), "--out")
    assert sorted(Path().rglob("*")) == before
    assert Path("old").read_text() == "kept"
    atomic_files.write(Path(given), "new")
    assert Path(given).read_text() == "new"


def test_a_link_in_the_place_of_a_folder_to_make(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    for place in ("link/x", "link/folder/x"):
        with pytest.raises(atomic_files.UnwritableError, match="link is a link that leads nowhere"):
            atomic_files.check_writable(tmp_path / place, "--out", parents=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is writable to root")
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(atomic_files.UnwritableError, match="cannot be written: Permission denied"):
        atomic_files.check_writable(tmp_path / "x", "--out")
