"""Locks between processes that work in one run folder. One that dies, however it dies, lets its locks go.

Not every disk keeps locks: network file systems may refuse them, each with an error of its own. There two runs would
take each other's samples for their own, or wait for ever, so such a disk is refused, in words, before anything is
locked: see `LockError`.
"""

from __future__ import annotations

import errno
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files
from pytest_seedshift.core.errors import HarnessError

if TYPE_CHECKING:
    from filelock import BaseFileLock

FOLDER = "locks"
"""Where they lie in a run folder."""

_SESSION = "session"


class LockError(HarnessError, OSError):
    """A disk that keeps no locks; `strerror` says so, and what to do, and `filename` where."""

    def __init__(self, refused: BaseException, path: Path) -> None:
        said = getattr(refused, "strerror", None) or str(refused) or type(refused).__name__
        super().__init__(
            getattr(refused, "errno", None) or errno.ENOLCK,
            f"its disk keeps no locks between processes (flock: {said}), as network disks may not: give a run folder "
            "on a local disk, by --seedshift-dir, --dir or --output",
            str(path),
        )

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def lock(folder: Path, name: str) -> BaseFileLock:
    """A lock in a run folder, by a name that a file can have.

    Raises:
        LockError: its disk keeps no locks. `acquire` of what is returned raises it too.
        OSError: the run folder cannot be written to, or has a link in the place of the lock.
    """
    path = folder / FOLDER / f"{name}.lock"
    atomic_files.refuse_link(path.parent)
    path.parent.mkdir(exist_ok=True)
    atomic_files.refuse_link(path)
    _try(str(path.parent.resolve()))
    return _kind()(path)


@cache
def _kind() -> type[BaseFileLock]:
    """The class of our locks: `filelock`'s, whose refusals are said in words."""
    from filelock import FileLock

    class Lock(FileLock):
        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            with _in_words(Path(self.lock_file)):
                return super().acquire(*args, **kwargs)

    return Lock


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except NotImplementedError as error:
        raise LockError(error, path) from error
    except OSError as error:  # of which one about the file, such as a disk that is full, is none about locks
        if isinstance(error, (LockError, TimeoutError)) or error.errno not in _REFUSALS:
            raise
        raise LockError(error, path) from error


_REFUSALS = frozenset(
    {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EBADF, errno.EIO, errno.ENOTTY}
)
"""What calls that lock a file answer where its disk keeps no locks."""


def occupy(folder: Path) -> BaseFileLock:
    """Tell others that a session writes to a run folder, until `leave`; what dead sessions have left is removed."""
    for path in _sessions(folder):
        _remove_if_free(path)
    while True:
        made = lock(folder, f"{_SESSION}-{uuid.uuid4().hex}")
        made.acquire()
        if Path(made.lock_file).exists():  # else another one took it for a dead session's just before it was acquired
            return made
        made.release()


def leave(lock: BaseFileLock) -> None:
    """Let others know that a session writes no more."""
    with suppress(OSError):
        if sys.platform != "win32":  # while it is held: who waits for it must not get a lock that is no file any more
            Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
    with suppress(OSError):
        Path(lock.lock_file).unlink(missing_ok=True)


def is_occupied(folder: Path, *, besides: BaseFileLock | None = None) -> bool:
    """Whether a session still writes to a run folder. One that died does not; nothing is changed there.

    Args:
        folder: the run folder.
        besides: the lock of the session that asks.

    Raises:
        OSError: that cannot be seen.
    """
    own = None if besides is None else Path(besides.lock_file).name
    return any(_is_held(path) for path in _sessions(folder) if path.name != own)


def _sessions(folder: Path) -> Iterator[Path]:
    """The lock files of sessions; what is a link is none."""
    place = folder / FOLDER
    if place.is_symlink():
        return
    for path in sorted(place.glob(f"{_SESSION}-*.lock")):
        if path.is_file() and not path.is_symlink():
            yield path


@contextmanager
def held_file(path: Path) -> Iterator[FileIO]:
    """Open a file to read it and to add to its end, made where it is not there, and keep others from that meanwhile.

    No second file is left behind: the lock is on the file itself, but for Windows, where it is beside it.

    Raises:
        LockError: its disk keeps no locks.
        OSError: it cannot be opened, or is a link.
    """
    atomic_files.refuse_link(path)
    with ExitStack() as stack:
        if sys.platform == "win32":
            stack.enter_context(_kind()(path.with_name(f".{path.name}.lock")))
        opened = stack.enter_context(FileIO(path, "a+", opener=_opener))
        if sys.platform != "win32":
            with _in_words(path):
                fcntl.flock(opened, fcntl.LOCK_EX)
        yield opened


@contextmanager
def held_folder(path: Path) -> Iterator[None]:
    """Keep others that ask so from a folder meanwhile; it is made where it is not there.

    No file is left in it: the lock is on the folder itself, but for Windows, where it is beside it.

    Raises:
        LockError: its disk keeps no locks.
        OSError: it cannot be made or opened.
    """
    path.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        with _kind()(path.with_name(f".{path.name}.lock")):
            yield
    else:
        opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _in_words(path):
                fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o644)


if sys.platform == "win32":

    def _try(folder: str) -> None:
        """Windows has locks on every disk, or says so at once."""

    def _is_held(path: Path) -> bool:
        from filelock import FileLock, Timeout

        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True

    def _remove_if_free(path: Path) -> None:
        if not _is_held(path):
            with suppress(OSError):
                path.unlink(missing_ok=True)

else:
    import fcntl

    def _open(path: Path, mode: int) -> int | None:
        try:
            return os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def _take(opened: int, kind: int) -> bool:
        """Lock an open file, as `filelock` does; False where another process holds it."""
        try:
            fcntl.flock(opened, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True

    @cache
    def _try(folder: str) -> None:
        """Make sure that a disk keeps locks, with a file that nobody else can hold: any refusal is the disk's.

        Raises:
            LockError: it keeps none.
            OSError: the folder cannot be written to.
        """
        path = Path(folder, f"try-{uuid.uuid4().hex}.lock")
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(opened, fcntl.LOCK_UN)
        except (OSError, NotImplementedError) as error:
            raise LockError(error, path.parent) from error
        finally:
            os.close(opened)
            with suppress(OSError):
                path.unlink()

    def _is_held(path: Path) -> bool:
        opened = _open(path, os.O_RDONLY)
        if opened is None:
            return False
        try:
            with _in_words(path):
                return not _take(opened, fcntl.LOCK_SH)
        finally:
            os.close(opened)

    def _remove_if_free(path: Path) -> None:
        with suppress(OSError):
            opened = _open(path, os.O_RDWR)
            if opened is None:
                return
            try:
                if _take(opened, fcntl.LOCK_EX):
                    path.unlink(missing_ok=True)
            finally:
                os.close(opened)
