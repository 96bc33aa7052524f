"""Samples on disk: one SQLite file, safe under several processes of one machine, read before anything is generated.

What was written before a process died is there for the next one. Equal key, equal sample: see `identity`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

FORMAT = 1
"""The version of the tables below."""

_APPLICATION = 0x73656564  # "seed": marks the file as ours, in SQLite's header
_PATIENCE = 60.0
"""Seconds for which a statement waits for other processes."""

_TABLES = """
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

_FORMER_VIEW = """
CREATE VIEW samples AS
    SELECT model, shift, magnitude, label, seed, prompt, picture, scorer, scores
    FROM images JOIN scores ON scores.image = images.key
"""
"""That of earlier versions, which did not tell versions of a model apart."""

_MOST_VARIABLES = 500  # of one statement; SQLite's own limit was 999 for long

_LONGEST = 1_000_000
"""Bytes of a row."""

_LONGEST_SCORES = 10_000
"""Characters of a sample's scores by one scorer."""

_STEPS = 100_000, 10_000_000, 2
"""How often it is looked whether reading ends: after so many of SQLite's steps. How many of them reading a store may
take: so many, and so many more for each of its bytes. It takes about a tenth of a step a byte."""

_LEAST_READ, _READ = 10_000_000, 4
"""Characters that the images of a store may have together: so many, and so many for each of its bytes."""

_SPARSE = 64
"""A file that takes so much less room on the disk than it says was not written by SQLite."""


class StoreError(Exception):
    """The store cannot be used as it is; the message says why, and what to do."""


class DamagedStoreError(StoreError):
    """The store is not as it was written."""


@dataclass(frozen=True, slots=True)
class Image:
    """A generated image as the store knows it: its key, what it is of, and its picture if it was kept.

    `picture` is a path in the run folder, `digest` the SHA-256 of the file.
    """

    key: str
    fingerprint: str
    model: str
    shift: str
    magnitude: float
    label: str
    seed: int
    prompt: str
    picture: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class ScoreKey:
    """What a scorer's values belong to: an image, a scorer's fingerprint, and the index of the class that was asked."""

    image: str
    scorer: str
    label_index: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How a model runs on a device: its batch size, and the seconds that a scored image took, if that was measured."""

    batch_size: int
    seconds: float | None = None


class Store:
    """An open store. Every method is a transaction of its own: all of it lasts, or nothing."""

    def __init__(self, path: Path) -> None:
        """Open the store at `path`, and make it where there is none.

        Raises:
            StoreError: another version wrote it, it is damaged, or it cannot be opened.
        """
        self.path = path
        self._file: tuple[int, int] | None = None
        check_file(path)
        with self._in_words():
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                _guard(self._connection)
                self._make()
                self.journal = self._write_ahead()
                # A process may die; with FULL, the machine too. Without WAL, NORMAL may damage the file then.
                self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if self.journal == 'wal' else 'FULL'}")
                self._file = which(path)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    def images(self, keys: Iterable[str]) -> dict[str, Image]:
        """Those of some images that exist, by their key."""
        rows = self._select(
            "key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest, seal", "images", keys
        )
        return {image.key: image for row in rows if (image := _image(row)) is not None}

    def scores(self, keys: Iterable[ScoreKey]) -> dict[ScoreKey, dict[str, float]]:
        """What is known of some scores, by their key: each scorer's values by their names."""
        wanted = set(keys)
        rows = self._select("image, scorer, class, scores, seal", "scores", dict.fromkeys(key.image for key in wanted))
        found = {ScoreKey(*row[:3]): values for row in rows if (values := _scores(row)) is not None}
        return {key: found[key] for key in wanted & found.keys()}

    def add(self, images: Sequence[Image], scores: Mapping[ScoreKey, Mapping[str, float]]) -> None:
        """Write images and scores; what is there already under the same key is replaced."""
        image_rows = [
            # A seal is of what will be read: SQLite makes a float of any number here, and 0.0 of -0.0.
            dataclasses.astuple(dataclasses.replace(image, magnitude=float(image.magnitude) + 0.0))
            for image in images
        ]
        score_rows = [
            (key.image, key.scorer, key.label_index, json.dumps(dict(values))) for key, values in scores.items()
        ]
        with self._transaction() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO images VALUES ({_PLACES})",
                [(*map(_bound, row), _seal(row)) for row in image_rows],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)", [(*row, _seal(row)) for row in score_rows]
            )

    def pace(self, fingerprint: str, device: str) -> Pace | None:
        """How a model ran on a device before."""
        query = "SELECT batch_size, seconds FROM paces WHERE fingerprint = ? AND device = ?"
        with self._in_words():
            row = self._connection.execute(query, (fingerprint, device)).fetchone()
        if row is None or not _is_count(row[0]):
            return None
        return Pace(*row) if row[1] is None or (isinstance(row[1], float) and 0 < row[1] < math.inf) else None

    def set_pace(self, fingerprint: str, device: str, pace: Pace) -> None:
        """Remember how a model runs on a device."""
        with self._transaction() as connection:
            row = (fingerprint, device, pace.batch_size, pace.seconds)
            connection.execute("INSERT OR REPLACE INTO paces VALUES (?, ?, ?, ?)", row)

    def visited(self, fingerprint: str, shift: str, magnitude: float, design: int) -> int | None:
        """How many images the last verdict about a case took, on a design of the same size."""
        query = "SELECT images FROM visits WHERE fingerprint = ? AND shift = ? AND magnitude = ? AND design = ?"
        with self._in_words():
            row = self._connection.execute(query, (fingerprint, shift, magnitude, design)).fetchone()
        return row[0] if row is not None and _is_count(row[0]) else None

    def set_visited(self, fingerprint: str, shift: str, magnitude: float, design: int, images: int) -> None:
        """Remember how many images a verdict took."""
        with self._transaction() as connection:
            row = (fingerprint, shift, magnitude, design, images)
            connection.execute("INSERT OR REPLACE INTO visits VALUES (?, ?, ?, ?, ?)", row)

    def mark(self, what: str, images: Iterable[str]) -> None:
        """Remember of images, by their keys, what was seen in them; a row of visits each, without a design."""
        with self._transaction() as connection:
            rows = [(what, key, 0.0, 0, 1) for key in images]
            connection.executemany("INSERT OR REPLACE INTO visits VALUES (?, ?, ?, ?, ?)", rows)

    def marked(self, what: str, images: Iterable[str]) -> set[str]:
        """Those of images in which something was seen."""
        query = "SELECT shift FROM visits WHERE fingerprint = ? AND magnitude = 0 AND design = 0"
        with self._in_words():
            found = {row[0] for row in self._connection.execute(query, (what,))}
        return found.intersection(images)

    def take_over(self, other: Store) -> None:
        """Take over everything of another store that this one has not; samples of both stay as they are here.

        A picture that only the other has of such a sample is taken over too.

        Raises:
            StoreError: one of them cannot be used.
        """
        with _limited(other._connection, other.path):
            self._take_over(other)

    def _take_over(self, other: Store) -> None:
        for chunk in other._chunks("SELECT * FROM images"):
            images = {image.key: image for row in chunk if (image := _image(row)) is not None}
            known = self.images(images)
            self.add(
                [
                    image
                    for key, image in images.items()
                    if key not in known or (known[key].picture is None and image.picture is not None)
                ],
                {},
            )
        for chunk in other._chunks("SELECT * FROM scores"):
            scores = {ScoreKey(*row[:3]): values for row in chunk if (values := _scores(row)) is not None}
            held = self.scores(scores)
            self.add([], {key: values for key, values in scores.items() if key not in held})
        for table, columns in (("paces", 4), ("visits", 5)):
            for chunk in other._chunks(f"SELECT * FROM {table}"):
                with self._transaction() as connection:
                    connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * columns)})", chunk)

    def check(self) -> None:
        """Read all of the store.

        Raises:
            StoreError: something in it is not as it was written.
        """
        with self._in_words(), _limited(self._connection, self.path):
            answer = self._connection.execute("PRAGMA quick_check").fetchone()[0]
            if answer != "ok":
                raise DamagedStoreError(f"{self.path}: damaged: {answer.splitlines()[-1]}")
            for table, read in (("images", _image), ("scores", _scores)):
                for row in self._connection.execute(f"SELECT * FROM {table}"):
                    if read(row) is None:
                        raise DamagedStoreError(f"{self.path}: damaged: a row of {table} is not as it was written")

    # -------------------------------------------------------------------------------------------------------------

    def _write_ahead(self) -> str:
        """Ask for the write-ahead log; how the store is written then, such as `wal`.

        SQLite does not wait here for a process that opens the new store at the same time: it says at once that it is
        locked. So it is asked again, for as long as other statements wait.
        """
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                answer: str = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                return answer
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(0.01)

    def _make(self) -> None:
        with self._transaction() as connection:
            application, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
            if empty and not application:
                for statement in _TABLES.split(";")[:-1]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            elif application != _APPLICATION:
                raise StoreError(f"{self.path} is a database, but not of seedshift: give another --seedshift-dir")
            elif version != FORMAT:
                raise StoreError(
                    f"{self.path} was written by another version of seedshift (its format is {version}, this version "
                    f"reads {FORMAT}). Start afresh with --seedshift-fresh, which keeps it aside, or give another "
                    "--seedshift-dir"
                )
            _check_tables(connection, self.path)
            if _view(_FORMER_VIEW) in _tables(connection):
                connection.execute("DROP VIEW samples")
                connection.execute(_TABLES.split(";")[-2])

    def _chunks(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        with self._in_words():
            rows = self._connection.execute(query)
            while chunk := rows.fetchmany(_MOST_VARIABLES):
                yield chunk

    def _select(self, columns: str, table: str, keys: Iterable[str]) -> list[tuple[Any, ...]]:
        key = columns.partition(",")[0]
        wanted = list(keys)
        rows: list[tuple[Any, ...]] = []
        with self._in_words():
            for start in range(0, len(wanted), _MOST_VARIABLES):
                chunk = wanted[start : start + _MOST_VARIABLES]
                query = f"SELECT {columns} FROM {table} WHERE {key} IN ({', '.join('?' * len(chunk))})"
                rows += self._connection.execute(query, chunk).fetchall()
        return rows

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._in_words():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite has rolled back by itself where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        if self._file is not None and which(self.path) != self._file:
            raise StoreError(
                f"{self.path} was {'replaced' if self.path.exists() else 'removed'} while this run used it: what was "
                "stored there is lost to it. Run it again, and let nothing else touch the run folder meanwhile"
            )
        try:
            yield
        except UnicodeDecodeError as error:  # Python cannot read SQLite's message, which quotes a name that is no text
            raise DamagedStoreError(f"{self.path}: damaged: a name in it is no text") from error
        except sqlite3.Error as error:
            if _is_damage(error):
                raise DamagedStoreError(f"{self.path}: damaged: {_said(error)}") from error
            # It may be gone, as its folder may be: then nothing is safe, and nothing is said.
            safe = ". Samples that were written before are safe" if self.path.exists() else ""
            raise StoreError(f"{self.path} cannot be used: {error}{safe}{_way_out(error)}") from error


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a store knows of some models; `broken` rows are not as they were written, and left out."""

    images: tuple[Image, ...]
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    """By image key and scorer: each scorer's values by their names."""
    broken: int


def read(path: Path, models: Iterable[str] | None = None, fingerprints: Iterable[str] = ()) -> Contents:
    """Read what a store holds, without changing it or leaving anything beside it.

    Args:
        path: of the file.
        models: the names of those to read of; None for all.
        fingerprints: of more to read of, whatever their names.

    Raises:
        StoreError: another version wrote it, it is damaged, or it cannot be opened.
    """
    check_file(path)
    if not path.is_file():
        raise StoreError(f"{path} is not there")
    log = path.with_name(f"{path.name}-wal")
    # SQLite would make its own files beside a database that it only reads. Where nobody writes, there is no log.
    mode = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=60)) as connection:
            _guard(connection)
            application, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if application != _APPLICATION or version != FORMAT:
                what = "no store of seedshift" if application != _APPLICATION else f"of format {version}"
                raise StoreError(f"{path} is {what}; this version reads format {FORMAT}")
            _check_tables(connection, path)
            with _limited(connection, path):
                return _contents(connection, path, models, fingerprints)
    except UnicodeDecodeError as error:  # of SQLite's message, likewise
        raise StoreError(f"{path} cannot be read: it is damaged: a name in it is no text") from error
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {_said(error)}") from error


def _contents(
    connection: sqlite3.Connection, path: Path, models: Iterable[str] | None, fingerprints: Iterable[str]
) -> Contents:
    where, wanted = _of(models, fingerprints)
    images: dict[str, Image] = {}
    scores: dict[str, dict[str, dict[str, float]]] = {}
    broken = read = 0
    most = _LEAST_READ + _READ * path.stat().st_size
    columns = "key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest, seal"
    for row in connection.execute(f"SELECT {columns} FROM images{where}", wanted):
        image = _image(row)
        read += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if read > most:  # rows of a forged file can share their bytes
            raise StoreError(f"{path} cannot be read: it is damaged: its rows are longer than the file")
        if image is None:
            broken += 1
        else:
            images[image.key] = image
    for row in connection.execute("SELECT image, scorer, class, scores, seal FROM scores"):
        if row[0] not in images:
            continue
        values = _scores(row)
        if values is None:
            broken += 1
        else:
            scores.setdefault(row[0], {})[row[1]] = values
    return Contents(tuple(images.values()), scores, broken)


def _of(models: Iterable[str] | None, fingerprints: Iterable[str]) -> tuple[str, tuple[Any, ...]]:
    """The condition on the table of images, and its values."""
    if models is None:
        return "", ()
    names, versions = tuple(models), tuple(fingerprints)
    places = (
        f"{column} IN ({', '.join(['CAST(? AS TEXT)'] * len(of))})"
        for column, of in (("model", names), ("fingerprint", versions))
    )
    return f" WHERE {' OR '.join(places)}", tuple(map(_bound, (*names, *versions)))


def prepare(path: Path, *, fresh: bool = False) -> str | None:
    """Make the store at `path` ready for a session: by one process at a time.

    A damaged store is set aside, whole, and a new one begun; with `fresh` the former store takes the place of
    `….previous.sqlite`.

    Returns:
        A warning for the user, if there is something to say.

    Raises:
        StoreError: another version wrote the store, or it cannot be opened.
    """
    if fresh and path.exists():
        _move(path, path.with_suffix(".previous.sqlite"))
    try:
        with closing(Store(path)) as store:
            store.check()
            journal = store.journal
    except DamagedStoreError as error:
        aside = _free_name(path)
        _move(path, aside)
        with closing(Store(path)):
            pass
        return f"{error}. It is set aside as {aside.name}, none of its samples is used, and a new store is begun"
    if journal == "wal":
        return None
    return (
        f"{path}: its disk refuses SQLite's write-ahead log (journal_mode is {journal} in place of wal), as network "
        "disks do: workers wait for each other at every batch, and where its locks are not kept either, samples can "
        "get lost. Give --seedshift-dir on a local disk"
    )


def _free_name(path: Path) -> Path:
    """Where a damaged store is set aside: never in the place of another."""
    moment = time.strftime("%Y%m%dT%H%M%S")
    names = (path.with_suffix(f".damaged-{moment}-{number}.sqlite") for number in count(1))
    return next(name for name in names if not name.exists())


def _move(path: Path, target: Path) -> None:
    """Move a database with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.replace(target.with_name(target.name + suffix))
        else:
            target.with_name(target.name + suffix).unlink(missing_ok=True)


# What a store may be -------------------------------------------------------------------------------------------------


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
            raise StoreError(f"{place} cannot be used: it is no ordinary file, but a folder, a pipe or a device")
        taken = getattr(found, "st_blocks", None)
        if taken is not None and found.st_size > 10_000_000 and found.st_size > taken * 512 * _SPARSE:
            size = f"{found.st_size:,} bytes long, nearly all of which was never written"
            raise StoreError(f"{place} cannot be used: it is {size}")


def _guard(connection: sqlite3.Connection) -> None:
    """Let a database do nothing by itself, and say nothing that is too long."""
    connection.text_factory = _text
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that a database has our tables and nothing else: a view in the place of one may have no end.

    Raises:
        DamagedStoreError: it has others.
    """
    found = _tables(connection)
    if _view(_FORMER_VIEW) in found:
        found = found - {_view(_FORMER_VIEW)} | {each for each in _our_tables() if each[0] == "view"}
    strange = sorted(f"{kind} {name}" for kind, name, _ in found - _our_tables())
    lacking = sorted(f"{kind} {name}" for kind, name, _ in _our_tables() - found)
    if strange or lacking:
        what = f"it has {_short(strange[0])}" if strange else f"it lacks {lacking[0]}"
        raise DamagedStoreError(f"{path}: damaged: its tables are not as seedshift makes them: {what}")


def _tables(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """What a database has, each with its statement, without spaces; SQLite's own indices have none."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master LIMIT 100").fetchall()
    return {(str(kind), str(name), " ".join(str(sql).split())) for kind, name, sql in rows}


def _view(statement: str) -> tuple[str, str, str]:
    return "view", "samples", " ".join(statement.split())


@cache
def _our_tables() -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_TABLES)
        return _tables(connection)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


@contextmanager
def _limited(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """End statements that take more steps than a store of such a size can need; see `_said`."""
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


def _is_damage(error: sqlite3.Error) -> bool:
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


def _way_out(error: sqlite3.Error) -> str:
    """What to do about errors that come of disks which do not lock files."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code not in _LOCKING and code & 0xFF not in (sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS):
        return ""
    return ". Is it on a network disk? Give --seedshift-dir on a local one"


def _said(error: sqlite3.Error) -> str:
    ended = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_INTERRUPT
    return "reading it takes far longer than its size can explain" if ended else str(error)


def which(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path, to tell it from one that takes its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


# Rows ----------------------------------------------------------------------------------------------------------------

_PLACES = ", ".join(["CAST(? AS TEXT)"] * 4 + ["?", "CAST(? AS TEXT)", "?"] + ["CAST(? AS TEXT)"] * 3 + ["?"])
"""For the values of an image: text may come as bytes, see `_bound`."""


def _image(row: Sequence[Any]) -> Image | None:
    """A row of images; None where it is not as it was written, or says what no run writes."""
    *fields, seal = row
    if seal != _seal(fields):
        return None
    key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest = fields
    texts = all(isinstance(each, str) for each in (key, fingerprint, model, shift, label, prompt))
    kept = all(each is None or isinstance(each, str) for each in (picture, digest))
    numbers = isinstance(magnitude, float) and math.isfinite(magnitude) and isinstance(seed, int)
    return Image(*fields) if texts and kept and numbers else None


def _scores(row: Sequence[Any]) -> dict[str, float] | None:
    """A row of scores: their values by their names; None likewise."""
    *fields, seal = row
    image, scorer, label_index, text = fields
    if seal != _seal(fields) or not isinstance(text, str) or len(text) > _LONGEST_SCORES:
        return None
    if not isinstance(image, str) or not isinstance(scorer, str) or not isinstance(label_index, int):
        return None
    try:
        values = json.loads(text)
        numbers = {str(name): float(value) for name, value in values.items() if type(value) in (int, float)}
    except (ValueError, AttributeError, OverflowError, RecursionError):
        return None
    return numbers if len(numbers) == len(values) and all(map(math.isfinite, numbers.values())) else None


def _bound(value: Any) -> Any:
    """A value as SQLite takes it: a name that is no UTF-8 as its bytes, which are text again when they are read."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="surrogateescape" if _is_escaped(value) else "surrogatepass")
    return value


def _is_escaped(text: str) -> bool:
    """Whether all of a text's surrogates stand for bytes, as in names of files."""
    return all("\udc80" <= each <= "\udcff" for each in text if "\ud800" <= each <= "\udfff")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _text(raw: bytes) -> str:
    """Text that is damaged is still text, which its seal will notice."""
    return raw.decode("utf-8", errors="surrogateescape")


def _seal(row: Sequence[object]) -> str:
    """A checksum of a row: SQLite notices a damaged page, but not a changed value."""
    return hashlib.sha256(repr(tuple(row)).encode("utf-8", errors="surrogateescape")).hexdigest()[:16]
