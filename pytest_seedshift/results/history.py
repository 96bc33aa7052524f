"""A history: what each run found, a line a run in a file that only grows, in a folder of the user's.

`history.jsonl` may lie in git, where it merges by union, or in a folder that several machines share: whoever writes
holds a lock on it, adds one line in one write, and begins a line of its own behind one that was cut off. Beside it
lie the scores of each run's pairs (`pairs/`), in the form of a baseline, by which two versions are compared pair by
pair. Where these are gone, a line still has means and intervals.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pytest_seedshift.core import files, locks
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.results import baseline_sources
from pytest_seedshift.results.baseline import Baseline, BaselineError
from pytest_seedshift.results.schema.base import Form, Images, Number, read
from pytest_seedshift.results.schema.records import Score, TagScores  # noqa: TC001  # pydantic reads them

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Estimate
    from pytest_seedshift.results.data import CaseRun, Run

FILE_NAME = "history.jsonl"

PAIRS = "pairs"
"""The folder beside it with the scores of each run's pairs."""

WHAT = "a run in the history of pytest-seedshift"

MOST_BYTES = 512_000_000
"""Of the file: a run of thirty cases is some 8 kB."""

_LONGEST_NAME = 200


class HistoryError(DataError):
    """A history that cannot be read or written; the message says why, and what to do."""


class CaseLine(Form):
    """What a run found of a case."""

    model: str
    shift: str
    magnitude: Number
    verdict: str
    images: Images
    early: bool = False
    scores: dict[str, Score]
    """By score, its mean and its interval."""
    tags: dict[str, TagScores] | None = None
    """By tag of the prompts, where they have any."""


class Line(Form):
    """A run: what `history.jsonl` has in a line."""

    what: Literal["a run in the history of pytest-seedshift"]
    version: Literal[1]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Of what it found: a run that is added again has the same."""
    time: str
    """When it was added, as ISO 8601 in UTC."""
    name: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
    """What its version is called."""
    models: dict[str, str]
    """By model, its fingerprint."""
    pairs: Annotated[str, Field(pattern=r"^pairs/[0-9a-f]{16}\.json$")] | None
    """The file with the scores of its pairs, beside the history."""
    scores: dict[str, str] = Field(default_factory=dict)
    """By score, its title."""
    cases: list[CaseLine]


@dataclass(frozen=True)
class History:
    """A history that was read.

    Attributes:
        folder: where it lies.
        lines: its runs, oldest first.
        notes: what could not be read, in words.
    """

    folder: Path
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    @property
    def models(self) -> list[str]:
        """The names of all models, in the order in which they come."""
        return list(dict.fromkeys(model for line in self.lines for model in line.models))

    def pairs(self, line: Line) -> Baseline | None:
        """The scores of a run's pairs; None where it has none, or where they are gone.

        Raises:
            BaselineError: they are there and cannot be used.
        """
        if line.pairs is None:
            return None
        path = self.folder / line.pairs
        if not path.exists():
            return None
        return baseline_sources.load(path, f"{line.name} ({line.pairs})", within=self.folder)


def file_of(place: Path) -> Path:
    """The file of a history that the user names by its folder or by itself."""
    return place if place.name == FILE_NAME else place / FILE_NAME


def load(place: Path) -> History:
    """Read a history.

    Args:
        place: its folder, or its file.

    Raises:
        HistoryError: there is none, or nothing of it can be read.
    """
    path = file_of(place)
    try:
        content = files.read_bytes(path, most=MOST_BYTES)
    except files.MissingFileError:
        raise HistoryError(
            f"{path} is not there: add runs to it, by seedshift history {path.parent} --add RUN, or by "
            f"--seedshift-history={path.parent} when they are made"
        ) from None
    except files.FileError as error:
        raise HistoryError(f"{path} {error.reason}") from None
    found: dict[str, Line] = {}
    notes = []
    for number, text in enumerate(_texts(content), 1):
        if not text.strip():
            continue
        try:
            line = _parse(text)
        except DataError as error:
            notes.append(f"{path}, line {number} is left out: {error}")
            continue
        found.setdefault(line.id, line)  # two branches of git may have the same run
    if not found:
        raise HistoryError(f"{path} holds no run that can be read{f': {notes[0]}' if notes else ''}")
    lines = sorted(found.values(), key=lambda line: datetime.fromisoformat(line.time))
    return History(path.parent, tuple(lines), tuple(notes))


def _texts(content: bytes) -> list[str]:
    """The lines of a file, which an editor may have saved with a byte order mark."""
    return content.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")


def _parse(text: str) -> Line:
    try:
        document = files.parse_json(text, "the line")
    except files.FileError:
        raise DataError("it is cut off, or no JSON") from None
    if not isinstance(document, dict) or document.get("what") != WHAT:
        raise DataError("it is not a run of a history")
    if document.get("version") != 1:
        raise DataError(
            f"its format is {document.get('version')!r}, this version of seedshift reads 1: upgrade pytest-seedshift"
        )
    line = read(Line, document)
    try:
        is_moment = datetime.fromisoformat(line.time).tzinfo is not None
    except ValueError:  # of fromisoformat
        is_moment = False
    if not is_moment:  # versions are in the order of their times
        raise DataError(f"its time is {line.time[:40]!r}, and not such as 2026-11-30T13:01:36+00:00")
    return line


def line_of(run: Run, scores: Baseline | None, name: str, time: datetime) -> Line:
    """What a history has of a run.

    Args:
        run: that has verdicts.
        scores: those of its pairs; None where the run folder does not have them.
        name: what its version is called.
        time: when it is added, in UTC.

    Raises:
        HistoryError: it has no verdict, or its name is none.
    """
    judged = [case for case in run.cases if not case.null and case.verdict in ("pass", "fail")]
    if not judged:
        raise HistoryError(f"{run.path} has no case with a verdict: there is nothing to keep")
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise HistoryError(f"the name {name!r}: give 1 to {_LONGEST_NAME} letters that can be printed")
    prints = {model.name: model.fingerprint for each in run.facts for model in each.models}
    models = dict.fromkeys(case.case.model for case in judged)
    cases = [
        {
            "model": case.case.model,
            "shift": case.case.shift,
            "magnitude": case.case.magnitude,
            "verdict": case.verdict,
            "images": case.images,
            "early": case.early,
            "scores": _scores(case.scores),
            **({"tags": tags} if (tags := _tags(case)) else {}),
        }
        for case in judged
    ]
    found = {
        "name": name,
        "models": {model: prints.get(model) or "" for model in models},
        "scores": {score: kind.title for score, kind in run.kinds.items() if any(score in c.scores for c in judged)},
        "cases": cases,
    }
    of_pairs = "" if scores is None else scores.checksum
    key = hashlib.sha256(json.dumps([found, of_pairs], sort_keys=True).encode()).hexdigest()[:16]
    pairs = None if scores is None else f"{PAIRS}/{key}.json"
    when = time.isoformat(timespec="seconds")
    return read(Line, {"what": WHAT, "version": 1, "id": key, "time": when, "pairs": pairs, **found})


def _scores(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {score: {"mean": each.mean, "low": each.low, "high": each.high} for score, each in found.items()}


def _tags(case: CaseRun) -> dict[str, Any]:
    return {tag: {"pairs": each.pairs, "scores": _scores(each.scores)} for tag, each in case.tags.items() if each.pairs}


def append(place: Path, line: Line, scores: Baseline | None) -> bool:
    """Add a run, safe against others that do the same, and against ending at any moment.

    Args:
        place: the history's folder, which is made where it is not there, or its file.
        line: as `line_of` makes it.
        scores: those of its pairs, where the line names a file of them.

    Returns:
        Whether it was added: a run that is there already is not added again.

    Raises:
        HistoryError: what is there is no history.
        LockError: the disk keeps no locks.
        OSError: nothing can be written.
    """
    path = file_of(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    if scores is not None and line.pairs is not None:  # before the line that names it
        scores.write(path.parent / line.pairs)
    text = json.dumps(line.built_in(), ensure_ascii=False, separators=(",", ":"))
    with locks.held_file(path) as file:
        file.seek(0)
        content = file.read(MOST_BYTES + 1) or b""
        if line.id in _ids(content, path):
            return False
        cut = content[-1:] not in (b"", b"\n")
        data = f"{chr(10) if cut else ''}{text}\n".encode()
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file.fileno())
    return True


def _ids(content: bytes, path: Path) -> set[str]:
    """The runs that a file has; to one that is none of ours nothing may be added."""
    if len(content) > MOST_BYTES:
        raise HistoryError(f"{path} has more than {MOST_BYTES} bytes: begin another history")
    found = set()
    for each in _texts(content):
        try:
            found.add(_parse(each).id)
        except DataError:
            continue
    if content.strip() and not found and WHAT.encode() not in content:
        raise HistoryError(f"{path} is there and is not a history: give another folder")
    return found


def titles(lines: Iterable[Line]) -> Mapping[str, str]:
    """By score, its title, the newest run's."""
    return {score: title for line in lines for score, title in line.scores.items()}


def of_model(history: History, model: str) -> Sequence[Line]:
    """The runs that have a model, oldest first."""
    return [line for line in history.lines if model in line.models]


def scores_of(run: Run) -> Baseline | None:
    """The scores of a run's pairs; None where its folder does not have them all."""
    try:
        return baseline_sources.of_run(run)
    except BaselineError:
        return None


def version_name(folder: Path) -> str:
    """What a version is called where nobody says: git's commit of where it lies, else the time.

    Args:
        folder: of the run, or any in the same checkout.
    """
    words = ["git", "-C", str(folder.resolve()), "describe", "--always", "--dirty", "--tags"]
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        if found and found.isprintable():
            return found[:_LONGEST_NAME]
    return datetime.now(UTC).isoformat(timespec="seconds")
