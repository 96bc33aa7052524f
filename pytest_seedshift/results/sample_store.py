"""Samples on disk: one SQLite file, safe under several processes of one machine, read before anything is generated.

What was written before a process died is there for the next one. Equal key, equal sample: see `models.fingerprint`.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from pytest_seedshift.results.sample_rows import (
    PLACES,
    Image,
    Pace,
    ScoreKey,
    bound,
    image_of,
    is_count,
    is_image,
    is_score,
    scores_of,
    seal_of,
)
from pytest_seedshift.results.sample_tables import (
    APPLICATION,
    FORMAT,
    FORMER_VIEW,
    TABLES,
    DamagedStoreError,
    StoreError,
    check_file,
    check_tables,
    guard,
    is_damage,
    limited,
    said,
    tables_of,
    view,
    way_out,
    which,
)

_PATIENCE = 60.0
"""Seconds for which a statement waits for other processes."""

_IMAGE_COLUMNS = "key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest, seal"
_SCORE_COLUMNS = "image, scorer, class, scores, seal"

_CHUNK = 5000
"""How many rows are taken over in one transaction."""

_MOST_VARIABLES = 500  # of one statement; SQLite's own limit was 999 for long


class Store:
    """An open store. Every method is a transaction of its own: all of it lasts, or nothing."""

    def __init__(self, path: Path, *, called: Path | None = None) -> None:
        """Open the store at `path`, and make it where there is none.

        Args:
            path: of its file.
            called: the file that an error names, of which this one is a copy; None for the file itself.

        Raises:
            StoreError: another version wrote it, it is damaged, or it cannot be opened.
        """
        self.path = path
        self._called = called or path
        self._file: tuple[int, int] | None = None
        check_file(path)
        with self._in_words():
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                guard(self._connection)
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
        rows = self._select(_IMAGE_COLUMNS, "images", keys)
        return {image.key: image for row in rows if (image := image_of(row)) is not None}

    def pictures(self, keys: Iterable[str]) -> dict[str, str | None]:
        """Of those of some images that exist, by their key, the pictures; None of one that has none."""
        rows = self._select(_IMAGE_COLUMNS, "images", keys)
        return {row[0]: row[8] for row in rows if is_image(row)}

    def scores(self, keys: Iterable[ScoreKey]) -> dict[ScoreKey, dict[str, float]]:
        """What is known of some scores, by their key: each scorer's values by their names."""
        wanted = set(keys)
        rows = self._select(_SCORE_COLUMNS, "scores", dict.fromkeys(key.image for key in wanted))
        found = {ScoreKey(*row[:3]): values for row in rows if (values := scores_of(row)) is not None}
        return {key: found[key] for key in wanted & found.keys()}

    def scores_by(
        self, scorers: Collection[str], images: Iterable[str]
    ) -> dict[tuple[str, str, int], dict[str, float]]:
        """What is known of some images by some scorers: by image, scorer and index of the class that was asked."""
        rows = self._select(_SCORE_COLUMNS, "scores", images)
        return {row[:3]: values for row in rows if row[1] in scorers and (values := scores_of(row)) is not None}

    def add(self, images: Sequence[Image], scores: Mapping[ScoreKey, Mapping[str, float]]) -> None:
        """Write images and scores; what is there already under the same key is replaced."""
        image_rows = [
            # A seal is of what will be read: SQLite makes a float of any number here, and 0.0 of -0.0.
            tuple(image._replace(magnitude=float(image.magnitude) + 0.0))
            for image in images
        ]
        score_rows = [
            (key.image, key.scorer, key.label_index, json.dumps(dict(values))) for key, values in scores.items()
        ]
        with self._transaction() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO images VALUES ({PLACES})",
                [(*map(bound, row), seal_of(row)) for row in image_rows],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)", [(*row, seal_of(row)) for row in score_rows]
            )

    def pace(self, fingerprint: str, device: str) -> Pace | None:
        """How a model ran on a device before."""
        query = "SELECT batch_size, seconds FROM paces WHERE fingerprint = ? AND device = ?"
        with self._in_words():
            row = self._connection.execute(query, (fingerprint, device)).fetchone()
        if row is None or not is_count(row[0]):
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
        return row[0] if row is not None and is_count(row[0]) else None

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
        rows = self._select("shift", "visits", images, "fingerprint = ? AND magnitude = 0 AND design = 0", (what,))
        return {row[0] for row in rows}

    def check_place(self) -> None:
        """Make sure that the file is still the one that was opened, where what was read of it before is used.

        Raises:
            StoreError: it was replaced or removed.
        """
        if self._file is not None and which(self.path) != self._file:
            raise StoreError(
                f"{self._called} was {'replaced' if self.path.exists() else 'removed'} while this run used it: what "
                "was stored there is lost to it. Run it again, and let nothing else touch the run folder meanwhile"
            )

    def take_over(self, other: Store) -> None:
        """Take over everything of another store that this one has not; samples of both stay as they are here.

        A picture that only the other has of such a sample is taken over too.

        Raises:
            StoreError: one of them cannot be used.
        """
        with limited(other._connection, other.path):
            self._take_over(other)

    def _take_over(self, other: Store) -> None:
        # Rows as they are, with the seals that they have: what is known here stays, but for a picture that it lacks.
        better = ", ".join(f"{name} = excluded.{name}" for name in _IMAGE_COLUMNS.split(", ")[1:])
        images = (
            f"INSERT INTO images VALUES ({PLACES}) ON CONFLICT (key) DO UPDATE SET {better} "
            "WHERE images.picture IS NULL AND excluded.picture IS NOT NULL"
        )
        for chunk in other._chunks(f"SELECT {_IMAGE_COLUMNS} FROM images"):
            rows = [(*map(bound, row[:-1]), row[-1]) for row in chunk if is_image(row)]
            with self._transaction() as connection:
                connection.executemany(images, rows)
        for chunk in other._chunks(f"SELECT {_SCORE_COLUMNS} FROM scores"):
            rows = [(*map(bound, row[:-1]), row[-1]) for row in chunk if is_score(row)]
            with self._transaction() as connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO scores VALUES (CAST(? AS TEXT), CAST(? AS TEXT), ?, CAST(? AS TEXT), ?)",
                    rows,
                )
        for table, columns in (("paces", 4), ("visits", 5)):
            for chunk in other._chunks(f"SELECT * FROM {table}"):
                with self._transaction() as connection:
                    connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * columns)})", chunk)

    def check(self) -> None:
        """Read all of the store.

        Raises:
            StoreError: something in it is not as it was written.
        """
        with self._in_words(), limited(self._connection, self.path):
            answer = self._connection.execute("PRAGMA quick_check").fetchone()[0]
            if answer != "ok":
                raise DamagedStoreError(f"{self._called}: damaged: {answer.splitlines()[-1]}")
            for table, is_whole in (("images", is_image), ("scores", is_score)):
                for row in self._connection.execute(f"SELECT * FROM {table}"):
                    if not is_whole(row):
                        raise DamagedStoreError(f"{self._called}: damaged: a row of {table} fails its checksum")

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
                for statement in TABLES.split(";")[:-1]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            elif application != APPLICATION:
                raise StoreError(f"{self._called} is a database, but not of seedshift: give another --seedshift-dir")
            elif version != FORMAT:
                raise StoreError(
                    f"{self._called} was written by another version of seedshift (its format is {version}, this "
                    f"version reads {FORMAT}). Start afresh with --seedshift-fresh, which keeps it aside, or give "
                    "another --seedshift-dir"
                )
            check_tables(connection, self._called)
            if view(FORMER_VIEW) in tables_of(connection):
                connection.execute("DROP VIEW samples")
                connection.execute(TABLES.split(";")[-2])

    def _chunks(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        with self._in_words():
            rows = self._connection.execute(query)
            while chunk := rows.fetchmany(_CHUNK):
                yield chunk

    def _select(
        self, columns: str, table: str, keys: Iterable[str], also: str = "TRUE", values: tuple[Any, ...] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows whose first column is one of `keys`, where `also` is so."""
        key = columns.partition(",")[0]
        wanted = list(keys)
        rows: list[tuple[Any, ...]] = []
        with self._in_words():
            for start in range(0, len(wanted), _MOST_VARIABLES):
                chunk = wanted[start : start + _MOST_VARIABLES]
                query = f"SELECT {columns} FROM {table} WHERE {key} IN ({', '.join('?' * len(chunk))}) AND {also}"
                rows += self._connection.execute(query, (*chunk, *values)).fetchall()
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
        self.check_place()
        try:
            yield
        except UnicodeDecodeError as error:  # Python cannot read SQLite's message, which quotes a name that is no text
            raise DamagedStoreError(f"{self._called}: damaged: a name in it is not text") from error
        except sqlite3.Error as error:
            if is_damage(error):
                raise DamagedStoreError(f"{self._called}: damaged: {said(error)}") from error
            # It may be gone, as its folder may be: then nothing is safe, and nothing is said.
            safe = ". Samples that were written before are safe" if self.path.exists() else ""
            raise StoreError(f"{self._called} cannot be used: {error}{safe}{way_out(error)}") from error


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
        f"{path}: its disk refuses SQLite's write-ahead log, as network disks do (journal_mode is {journal}, not wal). "
        "Workers wait for each other at every batch, and without working locks samples can get lost. Give "
        "--seedshift-dir on a local disk"
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
