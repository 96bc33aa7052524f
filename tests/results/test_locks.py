"""Locks of a run folder: who writes to it, what dead sessions leave, and what looking changes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_seedshift.core import locks
from pytest_seedshift.results.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    return folder


def killed(folder: RunFolder, count: int) -> None:
    """Leave what sessions leave that are killed."""
    code = (
        "import sys, os, signal; from pathlib import Path; from pytest_seedshift.results.run_folder import RunFolder\n"
    )
    code += (
        f"kept = [RunFolder(Path(sys.argv[1])).occupy() for _ in range({count})]; os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder.path)], check=False).returncode == -signal.SIGKILL


def sessions(folder: RunFolder) -> list[Path]:
    return sorted(folder.path.glob("locks/session-*.lock"))


def test_lock_files_of_killed_sessions_are_removed_by_the_next_one_and_only_those(folder):
    killed(folder, 5)
    assert len(sessions(folder)) == 5
    first = folder.occupy()
    second = folder.occupy()
    assert sessions(folder) == sorted([Path(first.lock_file), Path(second.lock_file)])
    locks.leave(first)
    assert folder.is_occupied()
    assert not folder.is_occupied(besides=second)
    locks.leave(second)
    assert sessions(folder) == []


def test_to_look_whether_a_folder_is_occupied_changes_nothing(folder):
    killed(folder, 2)
    before = [(path, path.stat().st_mtime_ns, path.stat().st_size) for path in sessions(folder)]
    for path in sessions(folder):
        path.chmod(0o400)
    assert not folder.is_occupied()
    assert [(path, path.stat().st_mtime_ns, path.stat().st_size) for path in sessions(folder)] == before


def test_what_is_no_lock_file_occupies_nothing_and_is_left(folder, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (folder.path / "locks").mkdir()
    (folder.path / "locks/session-a.lock").symlink_to(victim)
    os.mkfifo(folder.path / "locks/session-b.lock")
    (folder.path / "locks/session-c.lock").mkdir()
    assert not folder.is_occupied()
    locks.leave(folder.occupy())
    assert victim.read_text() == "kept"
    assert len(sessions(folder)) == 3


@pytest.mark.parametrize("name", ["locks", "locks/store.lock"])
def test_no_lock_is_taken_behind_a_link(folder, tmp_path, name):
    victim = tmp_path / "victim"
    if name == "locks":
        victim.mkdir()
        (victim / "store.lock").write_text("kept")
        kept = victim / "store.lock"
    else:
        (folder.path / "locks").mkdir()
        victim.write_text("kept")
        kept = victim
    (folder.path / name).symlink_to(victim)
    with pytest.raises(OSError, match="is a link"):
        folder.lock("store")
    assert kept.read_text() == "kept"
    assert not folder.is_occupied()


def test_sessions_that_begin_and_end_at_once_are_never_taken_for_dead_ones(folder):
    code = """
import sys; from pathlib import Path
from pytest_seedshift.core import locks
from pytest_seedshift.results.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
for _ in range(100):
    mine = folder.occupy()
    assert Path(mine.lock_file).exists()
    locks.leave(mine)
"""
    own = folder.occupy()
    arguments = [sys.executable, "-c", code, str(folder.path)]
    processes = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    while any(process.poll() is None for process in processes):
        assert Path(own.lock_file).exists()
        time.sleep(0.01)
    assert [process.communicate()[1] for process in processes] == [""] * 3
    assert sessions(folder) == [Path(own.lock_file)]


REFUSALS = (
    OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)),
    OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)),
    OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP)),
    OSError(errno.EACCES, os.strerror(errno.EACCES)),  # as who waits would take for another's lock
    OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)),
    NotImplementedError(),
)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: getattr(each, "strerror", None) or "not implemented")
def test_a_disk_that_keeps_no_locks_is_refused_at_once_and_in_words(folder, monkeypatch, refusal):
    def flock(*_):
        raise refusal

    monkeypatch.setattr("fcntl.flock", flock)
    for take in (folder.occupy, lambda: folder.lock("store")):
        with pytest.raises(locks.LockError, match=r"keeps no locks .* on a local disk, by --seedshift-dir") as caught:
            take()
        assert "None" not in str(caught.value)
    assert list((folder.path / locks.FOLDER).iterdir()) == []
    monkeypatch.undo()
    locks.leave(folder.occupy())  # what was refused is not remembered


def test_a_refusal_later_on_is_said_in_words_too(folder, monkeypatch):
    folder.lock("first").acquire().lock.release()

    def flock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    made = folder.lock("second")
    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(locks.LockError, match="keeps no locks"):
        made.acquire(timeout=0)


def test_another_error_of_the_file_is_none_about_locks(folder, monkeypatch):
    made = folder.lock("store")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(OSError, match="No space left") as caught:
        made.acquire(timeout=0)
    assert not isinstance(caught.value, locks.LockError)
