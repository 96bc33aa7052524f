"""What a store holds, read at once: it is not changed, and nothing is left beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_seedshift.results.sample_rows import Image, bound, is_image, scores_of
from pytest_seedshift.results.sample_tables import (
    APPLICATION,
    FORMAT,
    StoreError,
    check_file,
    check_tables,
    guard,
    limited,
    said,
)

_LEAST_READ, _READ = 10_000_000, 4
"""Characters that the images of a store may have together: so many, and so many for each of its bytes."""


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
            guard(connection)
            application, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if application != APPLICATION or version != FORMAT:
                what = "no store of seedshift" if application != APPLICATION else f"of format {version}"
                raise StoreError(f"{path} is {what}; this version reads format {FORMAT}")
            check_tables(connection, path)
            with limited(connection, path):
                return _contents(connection, path, models, fingerprints)
    except UnicodeDecodeError as error:  # of SQLite's message, likewise
        raise StoreError(f"{path} cannot be read: it is damaged: a name in it is not text") from error
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {said(error)}") from error


def _contents(
    connection: sqlite3.Connection, path: Path, models: Iterable[str] | None, fingerprints: Iterable[str]
) -> Contents:
    where, wanted = _of(models, fingerprints)
    images: dict[str, Image] = {}
    scores: dict[str, dict[str, dict[str, float]]] = {}
    broken = read = 0
    most = _LEAST_READ + _READ * path.stat().st_size
    columns = "key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest, seal"
    shared: dict[str, str] = {}
    for row in connection.execute(f"SELECT {columns} FROM images{where}", wanted):
        read += sum(len(value) for value in row if value.__class__ is str or value.__class__ is bytes)
        if read > most:  # rows of a forged file can share their bytes
            raise StoreError(f"{path} cannot be read: it is damaged: its rows are longer than the file")
        if not is_image(row):
            broken += 1
            continue
        key, *texts, magnitude, label, seed, prompt, picture, digest, _ = row
        # What samples have in common is in memory once.
        fingerprint, model, shift, label, prompt = (shared.setdefault(each, each) for each in (*texts, label, prompt))
        images[key] = Image(key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest)
    for row in connection.execute("SELECT image, scorer, class, scores, seal FROM scores"):
        image = images.get(row[0])
        if image is None:
            continue
        values = scores_of(row)
        if values is None:
            broken += 1
        else:
            scores.setdefault(image.key, {})[shared.setdefault(row[1], row[1])] = values
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
    return f" WHERE {' OR '.join(places)}", tuple(map(bound, (*names, *versions)))
