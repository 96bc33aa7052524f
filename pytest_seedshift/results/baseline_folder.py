"""A baseline with its pictures: a folder with `baseline.json`, and each picture as a PNG named by its checksum.

The file is that of a baseline of scores, and lists the checksums of each case's pictures, pair by pair; its own
checksum covers these. Pictures that several pairs share lie there once. So do embeddings: see `baseline_embeddings`.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import atomic_files, files, locks
from pytest_seedshift.core.messages import count, some
from pytest_seedshift.results import baseline_embeddings
from pytest_seedshift.results.baseline import WHAT, BaselineError
from pytest_seedshift.results.folder_mark import MARK

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results.baseline import Baseline

FILE_NAME = "baseline.json"

PICTURES = "pictures"

_HEAD = 400
"""Bytes at the beginning of a file that tell whether it is a baseline."""

_OURS = re.compile(rf"[0-9a-f]{{64}}(\.png|{re.escape(baseline_embeddings.SUFFIX)})")
"""How files are called that lie there by their checksum."""


def is_one(path: Path) -> bool:
    """Whether a folder with a baseline lies at a path."""
    return file_of(path).is_file()


def those_in(folder: Path) -> list[Path]:
    """The baselines in a folder of baselines, folders and files, by name; none of a baseline or a run folder.

    What a save that was cut short has left there has a name that begins with a point, or no file yet.
    """
    if not folder.is_dir() or is_one(folder) or any((folder / name).exists() for name in (MARK, "verdicts.json")):
        return []
    try:
        found = sorted(folder.iterdir())
    except OSError:  # whoever reads it says so
        return []
    return [path for path in found if path.name[0] != "." and (is_one(path) or _is_file(path))]


def _is_file(path: Path) -> bool:
    """Whether a file of scores lies at a path, by its beginning."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return WHAT.encode() in file.read(_HEAD)
    except OSError:
        return False


def file_of(folder: Path) -> Path:
    """The file in a folder that has the scores, and lists the pictures."""
    return folder / FILE_NAME


def picture_of(folder: Path, digest: str) -> Path:
    """Where a picture lies, by its SHA-256."""
    return folder / PICTURES / f"{digest}.png"


def embeddings_of(folder: Path, digest: str) -> Path:
    """Where embeddings lie, by the SHA-256 of their file."""
    return folder / baseline_embeddings.FOLDER / f"{digest}{baseline_embeddings.SUFFIX}"


def check_free(path: Path, option: str) -> None:
    """Make sure that a baseline can be saved to a folder: it is not there, is empty, or has one.

    Raises:
        BaselineError: something else is in it.
    """
    if path.is_dir() and not is_one(path) and not all(map(_is_left, path.iterdir())):
        raise BaselineError(
            f"{option} {path}: the folder has other files and no baseline. Give a new or empty folder for scores and "
            "pictures, or a file that ends in .json for scores alone"
        )


def _is_left(path: Path) -> bool:
    """Whether this is what a save that was cut short has left, or a file that is hidden."""
    if path.name in (PICTURES, baseline_embeddings.FOLDER) and path.is_dir():
        return all(_OURS.match(each.name) for each in path.iterdir())
    return path.name[0] == "."


def save_new(made: Baseline, folder: Path, embeddings: Mapping[str, Mapping[str, bytes]] | None = None) -> int | None:
    """Save to a folder that is not there yet: it comes whole or not at all, and the first of several writers stays.

    Returns:
        How many bytes it has; None where another writer was first.

    Raises:
        BaselineError: see `save`.
        OSError: likewise.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as place:
        size = save(made, Path(place) / folder.name, embeddings)
        try:
            (Path(place) / folder.name).rename(folder)
        except OSError:
            if folder.exists():  # and is not empty, or the system would have put this one in its place
                return None
            raise
    return size


def save(made: Baseline, folder: Path, embeddings: Mapping[str, Mapping[str, bytes]] | None = None) -> int:
    """Write a baseline with the pictures of all of its pairs; the file that lists them comes last.

    Files of an earlier baseline in the same folder that this one does not list are removed. Of several writers each
    waits for the one before, so that none removes what another is about to list.

    Args:
        made: the baseline.
        folder: where it goes.
        embeddings: by the fingerprint of a scorer, those of the pictures; see `baseline_embeddings.packed`.

    Returns:
        How many bytes it has.

    Raises:
        BaselineError: a picture is not there any more, or not as it was kept.
        OSError: it cannot be written, or its disk keeps no locks.
    """
    with locks.held_folder(folder):
        return _save(made, folder, embeddings or {})


def _save(made: Baseline, folder: Path, embeddings: Mapping[str, Mapping[str, bytes]]) -> int:
    size, kept = 0, set()
    for place, path in listed(made).items():
        target = picture_of(folder, made.digests[place])
        if target not in kept:
            size += _put(target, read(path, made.digests[place]))
            kept.add(target)
    known = {}
    for scorer, found in embeddings.items():
        content = baseline_embeddings.packed(scorer, found)
        digest = hashlib.sha256(content).hexdigest()
        target = embeddings_of(folder, digest)
        size += _put(target, content)
        kept.add(target)
        known[scorer] = target, digest
    text = replace(made, embeddings=known).text(pictures=True)
    atomic_files.write(file_of(folder), text)
    for path in _all(folder):
        if path not in kept:
            path.unlink()
    return size + len(text.encode())


def listed(made: Baseline) -> dict[tuple[Case, str, int], Path]:
    """The pictures of all pairs of a baseline, by case, label and seed index.

    Raises:
        BaselineError: one is not there any more.
    """
    return {place: made.pictures[place] for case in made.cases for place in _places(made, case)}


def _put(target: Path, content: bytes) -> int:
    """Write a file that is named by its checksum, unless it is there; how many bytes it has."""
    if not target.is_file() or target.stat().st_size != len(content):
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(target, content)
    return len(content)


def _all(folder: Path) -> Iterator[Path]:
    """The files in a baseline's folder that are named by their checksums."""
    for part in (folder / PICTURES, folder / baseline_embeddings.FOLDER):
        of_part: Iterable[Path] = list(part.iterdir()) if part.is_dir() else ()
        yield from (path for path in of_part if _OURS.fullmatch(path.name))


def read(path: Path, digest: str) -> bytes:
    """A picture's file, which is as it was kept.

    Args:
        path: of the file.
        digest: its SHA-256; empty where that is not known.

    Raises:
        BaselineError: it is not there, cannot be read, or is another one.
    """
    try:
        content = files.read_bytes(path)
    except files.FileError as error:
        raise BaselineError(f"the picture {error}: restore it, or save the baseline again") from None
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise BaselineError(
            f"{path} is not the picture that was kept there: it was edited, or is cut off. Restore it, or save the "
            "baseline again"
        )
    return content


def _places(made: Baseline, case: Case) -> list[tuple[Case, str, int]]:
    """The pairs of a case, all of which have a picture."""
    samples = made.cases[case]
    places = [(case, *place) for place in made.designs[samples.design].places()[: samples.pairs]]
    lacking = [f"{label} (seed {seed})" for _, label, seed in places if not made.digests.get((case, label, seed))]
    lacking += [f"{each[1]} (seed {each[2]})" for each in places if each in made.digests and each not in made.pictures]
    if lacking:
        raise BaselineError(
            f"{made.name}: {count(len(lacking), 'picture')} of {case.id} are not in the run folder: {some(lacking)}. "
            "Run it again, which makes them"
        )
    return places
