"""A store as a file of SQLite: its tables, and whether a file is one that seedshift has made."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from pytest_seedshift.core.errors import DataError
from pytest_seedshift.results.sample_rows import text_of

FORMAT = 1
"""The version of the tables below."""

APPLICATION = 0x73656564  # "seed": marks the file as ours, in SQLite's header

TABLES = """
CREATE TABLE images (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL, model TEXT NOT NULL, shift TEXT NOT NULL, magnitude REAL NOT NULL,
    label TEXT NOT NULL, seed INTEGER NOT NULL, prompt TEXT NOT NULL,
    picture TEXT, digest TEXT, seal TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE scores (
    image TEXT NOT NULL, scorer TEXT NOT NULL, class INTEGER NOT NULL,
    scores TEXT NOT NULL, seal TEXT NOT NULL,
    PRIMARY KEY (image, scorer, class)
) WITHOUT ROWID;
CREATE TABLE paces (
    fingerprint TEXT NOT NULL, device TEXT NOT NULL, batch_size INTEGER NOT NULL, seconds REAL,
    PRIMARY KEY (fingerprint, device)
) WITHOUT ROWID;
CREATE TABLE visits (
    fingerprint TEXT NOT NULL, shift TEXT NOT NULL, magnitude REAL NOT NULL, design INTEGER NOT NULL,
    images INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, shift, magnitude, design)
) WITHOUT ROWID;
CREATE VIEW samples AS
    SELECT model, shift, magnitude, label, seed, prompt, picture, scorer, scores, fingerprint
    FROM images JOIN scores ON scores.image = images.key;
"""

FORMER_VIEW = """
CREATE VIEW samples AS
    SELECT model, shift, magnitude, label, seed, prompt, picture, scorer, scores
    FROM images JOIN scores ON scores.image = images.key
"""
"""That of earlier versions, which did not distinguish versions of a model."""

_LONGEST = 1_000_000
"""Bytes of a row."""

_STEPS = 100_000, 10_000_000, 2
"""How often it is looked whether reading ends: after so many of SQLite's steps. How many of them reading a store may
take: so many, and so many more for each of its bytes. It takes about a tenth of a step a byte."""

_SPARSE = 64
"""A file that takes so much less room on the disk than it says was not written by SQLite."""


class StoreError(DataError):
    """The store cannot be used as it is; the message says why, and what to do."""


class DamagedStoreError(StoreError):
    """The store is not as it was written."""


def check_file(path: Path) -> None:
    """Make sure that SQLite opens an ordinary file or makes one, and waits for no pipe and follows no link.

    Raises:
        StoreError: it would not.
    """
    if str(path) == ":memory:":
        return
    for place in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        try:
            found = place.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"{place} cannot be read: {error.strerror}") from None
        if stat.S_ISLNK(found.st_mode):
            raise StoreError(f"{place} cannot be used: it is a link, and links in a run folder are not followed")
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{place} cannot be used: it is not an ordinary file, but a folder, a pipe or a device")
        taken = getattr(found, "st_blocks", None)
        if taken is not None and found.st_size > 10_000_000 and found.st_size > taken * 512 * _SPARSE:
            size = f"{found.st_size:,} bytes long, nearly all of which was never written"
            raise StoreError(f"{place} cannot be used: it is {size}")


def guard(connection: sqlite3.Connection) -> None:
    """Let a database do nothing by itself, and say nothing that is too long."""
    connection.text_factory = text_of
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that a database has our tables and nothing else: a view in the place of one may have no end.

    Raises:
        DamagedStoreError: it has others.
    """
    found = tables_of(connection)
    if view(FORMER_VIEW) in found:
        found = found - {view(FORMER_VIEW)} | {each for each in _our_tables() if each[0] == "view"}
    strange = sorted(f"{kind} {name}" for kind, name, _ in found - _our_tables())
    lacking = sorted(f"{kind} {name}" for kind, name, _ in _our_tables() - found)
    if strange or lacking:
        what = f"it has {_short(strange[0])}" if strange else f"it lacks {lacking[0]}"
        raise DamagedStoreError(f"{path}: damaged: its tables are not as seedshift makes them: {what}")


def tables_of(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """What a database has, each with its statement, without spaces; SQLite's own indices have none."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master LIMIT 100").fetchall()
    return {(str(kind), str(name), " ".join(str(sql).split())) for kind, name, sql in rows}


def view(statement: str) -> tuple[str, str, str]:
    """The view of samples as `tables_of` gives it."""
    return "view", "samples", " ".join(statement.split())


@cache
def _our_tables() -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        return tables_of(connection)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


@contextmanager
def limited(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """End statements that take more steps than a store of such a size can need; see `said`."""
    every, first, more = _STEPS
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    left = (first + more * size) // every

    def end() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(end, every)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged."""
    damage = sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_TOOBIG
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in damage


_LOCKING = frozenset(
    {
        sqlite3.SQLITE_IOERR_LOCK,
        sqlite3.SQLITE_IOERR_UNLOCK,
        sqlite3.SQLITE_IOERR_RDLOCK,
        sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMLOCK,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)
"""What SQLite answers where a file cannot be locked, or memory not be shared."""


def way_out(error: sqlite3.Error) -> str:
    """What to do about errors that come of disks which do not lock files."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code not in _LOCKING and code & 0xFF not in (sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS):
        return ""
    return ". Is it on a network disk? Give --seedshift-dir on a local one"


def said(error: sqlite3.Error) -> str:
    """What an error of SQLite says; see `limited`."""
    ended = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_INTERRUPT
    return "reading it takes far longer than its size can explain" if ended else str(error)


def which(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path, to distinguish it from one that takes its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
