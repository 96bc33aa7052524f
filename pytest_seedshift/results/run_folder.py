"""The run folder: where samples, pictures and verdicts lie."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_seedshift.core import atomic_files, files, locks
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.results import costs, folder_mark, pictures

if TYPE_CHECKING:
    import numpy as np
    from filelock import BaseFileLock
    from numpy.typing import NDArray

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.results.schema import Form, Head, Record, Search, SeedUse

VERDICTS_VERSION = 1

_PARTIAL = r"(\.[0-9]+\.partial)?"
_TRAJECTORY = r".+-[^-.]{1,8}"
_STATES = re.compile(rf"{_TRAJECTORY}\.safetensors{_PARTIAL}")
_STEP = re.compile(rf"[0-9]+-[0-9]+\.png{_PARTIAL}")
_SENSITIVITY = re.compile(rf".+-[0-9a-f]{{12}}\.json{_PARTIAL}")
"""The names of what is removed again: of trajectories and states, of pictures of a trajectory, of sensitivities."""


MERGED = "merged.json"
"""The file that says that a folder was merged of other runs."""


_Form = TypeVar("_Form", bound="Form")


class VerdictsError(DataError):
    """A folder's verdicts.json cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A saved picture, and the SHA-256 of its file."""

    path: Path
    digest: str


class RunFolder:
    """The folder that a run writes to; see `prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def samples_file(self) -> Path:
        """The store of samples; see `sample_store.Store`."""
        return self.path / "samples.sqlite"

    @property
    def verdicts_file(self) -> Path:
        """See `write_verdicts`."""
        return self.path / "verdicts.json"

    @property
    def trajectories_folder(self) -> Path:
        """Where trajectories lie; see `studies.trajectories.files`."""
        return self.path / "trajectories"

    @property
    def states_folder(self) -> Path:
        """Where the control's states lie in full, as long as a session compares trajectories with them."""
        return self.trajectories_folder / "states"

    SENSITIVITY = "sensitivity"
    """Where seed sensitivities lie; see `sensitivity_files`."""

    def sensitivity_file(self, model: str, key: str) -> Path:
        """The file of a model's seed sensitivity; `key` distinguishes versions of the model."""
        return self.path / self.SENSITIVITY / f"{file_name(model)}-{key}.json"

    SETTINGS = "settings"
    """Where it is kept what models were run with; see `run_settings`."""

    def settings_file(self, fingerprint: str) -> Path:
        """The file of what a model was run with, by the model's fingerprint."""
        return self.path / self.SETTINGS / f"{file_name(fingerprint)}.json"

    def check(self) -> None:
        """Make sure that the folder may be taken: it is not there, is empty, or a run has made it.

        Raises:
            mark.FolderError: it may not; the message says why, and what to do.
            OSError: what is there cannot be seen.
        """
        folder_mark.check(self.path)

    def prepare(self) -> None:
        """Make the folder and keep it out of version control.

        Raises:
            mark.FolderError: see `check`.
            OSError: the folder cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.check()
        folder_mark.put(self.path)

    def lock(self, name: str) -> BaseFileLock:
        """A lock between processes. One that dies, however it dies, lets it go.

        Locks of a process are not nested, so that no two processes can wait for each other.
        """
        return locks.lock(self.path, file_name(name))

    def occupy(self) -> BaseFileLock:
        """Tell others that a session writes to the folder, until the lock that is returned is let go: `locks.leave`."""
        return locks.occupy(self.path)

    def is_occupied(self, *, besides: BaseFileLock | None = None) -> bool:
        """Whether a session still writes to the folder, besides the one that has a lock. One that died does not.

        Raises:
            OSError: that cannot be seen.
        """
        return locks.is_occupied(self.path, besides=besides)

    def forget_states(self) -> None:
        """Remove the control's states, as far as that is possible; what others have put there stays."""
        if not self.trajectories_folder.is_symlink():
            _remove(self.states_folder, _STATES)

    def forget_measurements(self) -> None:
        """Remove trajectories and seed sensitivities that were measured before; what others have put there stays.

        Raises:
            OSError: they cannot be removed.
        """
        folder = self.trajectories_folder
        self.forget_states()
        if folder.is_dir() and not folder.is_symlink():
            for path in list(folder.iterdir()):
                if re.fullmatch(_TRAJECTORY, path.name):
                    _remove(path, _STEP)
        _remove(folder, _STATES)
        _remove(self.path / self.SENSITIVITY, _SENSITIVITY)

    def picture_folder(self, case: Case) -> Path:
        """Where the pictures of a case lie."""
        return self.path / "pictures" / file_name(case.id)

    def baseline_picture(self, case: Case, label: str, seed: int) -> Path:
        """Where a copy of a baseline's picture lies, beside those of the case that is held against it."""
        return self.picture_folder(case) / f"baseline-{file_name(label)}-{seed}.png"

    def save_picture(self, case: Case, pair: Pair, key: str, content: bytes) -> Picture:
        """Save a PNG file, whole or not at all; see `pictures.packed`.

        `key` is the image's: pictures of one case by another version of its model are other pictures.
        """
        path = self.picture_folder(case) / f"{file_name(pair.label.name)}-{pair.seed}-{key[:8]}.png"
        atomic_files.make_folder(path.parent, self.path)
        atomic_files.write(path, content)
        return Picture(path, _digest(content))

    def read_picture(self, picture: Picture) -> bytes | None:
        """A saved picture, a PNG file; None where it is not as it was saved."""
        try:
            content = files.read_bytes(picture.path, within=self.path)
        except files.FileError:
            return None
        return content if _digest(content) == picture.digest else None

    def load_picture(self, picture: Picture) -> NDArray[np.float32] | None:
        """A saved picture, float32 (3, height, width) in [0, 1]; None where it is not as it was saved."""
        content = self.read_picture(picture)
        try:
            return None if content is None else pictures.unpacked(content, picture.path)
        except files.FileError:
            return None

    def write_verdicts(
        self,
        cases: Sequence[Record],
        about: Head | None = None,
        breaking: Sequence[Search] = (),
        seed_use: Sequence[SeedUse] = (),
    ) -> None:
        """Write verdicts.json, whole or not at all: `{"version": 1, …, "cases": [...]}`, a stable public format.

        What the cases cost goes into a file beside it, see `costs`.

        Args:
            cases: their records.
            about: what they are a part of; None where that is not known yet.
            breaking: the records of searches for breaking points; a list of its own, "breaking".
            seed_use: the bounds on the use of the seed vector, likewise.

        Raises:
            OSError: one of them cannot be written.
        """
        without = set(costs.UNKNOWN)
        document: dict[str, Any] = {"version": VERDICTS_VERSION, **({} if about is None else about.built_in())}
        document["cases"] = [case.model_dump(exclude_unset=True, exclude=without) for case in cases]
        if breaking:
            document["breaking"] = [record.model_dump(exclude_unset=True, exclude=without) for record in breaking]
        if seed_use:
            document["seed_use"] = [each.model_dump(exclude_unset=True) for each in seed_use]
        text = json.dumps(document, indent=1, ensure_ascii=False)
        costs.write(self.path, [*cases, *breaking])
        atomic_files.write(self.verdicts_file, text + "\n")

    def has_verdicts(self) -> bool:
        """Whether there is a verdicts.json, whatever is in it."""
        return files.is_file(self.verdicts_file, self.path)

    def read(self, form: type[_Form]) -> _Form:
        """verdicts.json as a form of `schema` has it.

        Raises:
            VerdictsError: it is not there, or not of that form.
        """
        from pytest_seedshift.results import schema

        document = self.read_document()
        try:
            return schema.read(form, document)
        except DataError as error:
            raise VerdictsError(f"its {self.verdicts_file.name} is damaged: {error}") from None

    def read_document(self, notes: list[str] | None = None) -> dict[str, Any]:
        """All of verdicts.json, of whatever form its parts are, each case with what it cost.

        Where that cannot be known, `notes` get the reason.

        Raises:
            VerdictsError: it is not there, or is none that this version reads.
        """
        if not self.path.is_dir():
            raise VerdictsError("no such folder" if not self.path.exists() else "not a folder, so no run folder")
        name = self.verdicts_file.name
        try:
            document = files.read_json(self.verdicts_file, within=self.path)
        except files.MissingFileError:
            raise VerdictsError(f"it has no {name}: no run has ended there") from None
        except files.FileError as error:
            how = "cannot be read" if isinstance(error.__cause__, OSError) else "is damaged"
            raise VerdictsError(f"its {name} {how}: {error.what}") from None
        version = document.get("version") if isinstance(document, dict) else None
        if not isinstance(version, int) or not _are_records(document.get("cases")):
            raise VerdictsError(f"its {name} was not written by seedshift")
        if version != VERDICTS_VERSION:
            raise VerdictsError(
                f"its {name} has the format {version}, this version reads {VERDICTS_VERSION}: "
                f"{'upgrade pytest-seedshift' if version > VERDICTS_VERSION else 'run it again'}"
            )
        if not _are_records(document.get("breaking", [])):
            raise VerdictsError(f"its {name} is damaged: breaking: not a list of records")
        cost = costs.read(self.path, [] if notes is None else notes)
        with_costs = {
            key: [{**record, **cost.get(str(record.get("test")), costs.UNKNOWN)} for record in document[key]]
            for key in ("cases", "breaking")
            if key in document
        }
        return {**document, **with_costs}


def _are_records(cases: object) -> bool:
    return isinstance(cases, list) and all(isinstance(case, dict) for case in cases)


def _remove(folder: Path, names: re.Pattern[str]) -> None:
    """Remove the files of a folder that have such names, and the folder where it is empty then."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if names.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_name(text: str) -> str:
    """A name that every file system takes; texts that differ get names that differ."""
    # Of a long text, such as a path, the end tells most. 45 letters are at most 180 of the 255 bytes a name may have.
    plain = re.sub(r"[^\w.+=-]+", "_", text)[-45:]
    try:
        os.fsencode(plain)
    except UnicodeEncodeError:  # in a locale whose file names are ASCII
        plain = re.sub(r"[^\w.+=-]+", "_", text, flags=re.ASCII)[-45:]
    # A name need not be UTF-8.
    return plain if plain == text else f"{plain}-{_digest(text.encode(errors='backslashreplace'))[:6]}"
