"""The run folder: where samples, pictures and verdicts lie."""

from __future__ import annotations

import hashlib
import io
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift import costs, whole

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from torch import Tensor

    from pytest_seedshift.cases import Case
    from pytest_seedshift.pairs import Pair

VERDICTS_VERSION = 1

_SESSION = "session"


class VerdictsError(ValueError):
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
        """The store of samples; see `store.Store`."""
        return self.path / "samples.sqlite"

    @property
    def verdicts_file(self) -> Path:
        """See `write_verdicts`."""
        return self.path / "verdicts.json"

    @property
    def trajectories_folder(self) -> Path:
        """Where trajectories lie; see `trajectories.files`."""
        return self.path / "trajectories"

    @property
    def states_folder(self) -> Path:
        """Where the control's states lie in full, as long as a session compares trajectories with them."""
        return self.trajectories_folder / "states"

    SENSITIVITY = "sensitivity"
    """Where seed sensitivities lie; see `seeduse`."""

    def sensitivity_file(self, model: str, key: str) -> Path:
        """The file of a model's seed sensitivity; `key` tells versions of the model apart."""
        return self.path / self.SENSITIVITY / f"{_file_name(model)}-{key}.json"

    def prepare(self) -> None:
        """Make the folder and keep it out of version control.

        Raises:
            OSError: the folder cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / ".gitignore").write_text("*\n", encoding="utf-8")

    def lock(self, name: str) -> BaseFileLock:
        """A lock between processes. One that dies, however it dies, lets it go.

        Locks of a process are not nested, so that no two processes can wait for each other.
        """
        from filelock import FileLock

        path = self.path / "locks" / f"{_file_name(name)}.lock"
        path.parent.mkdir(exist_ok=True)
        return FileLock(path)

    def occupy(self) -> BaseFileLock:
        """Tell others that a session writes to the folder, until the lock that is returned is released."""
        lock = self.lock(f"{_SESSION}-{uuid.uuid4().hex}")
        lock.acquire()
        return lock

    def is_occupied(self) -> bool:
        """Whether a session still writes to the folder. One that died does not.

        Raises:
            OSError: that cannot be seen.
        """
        from filelock import FileLock, Timeout

        for path in self.path.glob(f"locks/{_SESSION}-*.lock"):
            try:
                with FileLock(path, timeout=0):
                    pass
            except Timeout:
                return True
            path.unlink(missing_ok=True)
        return False

    def picture_folder(self, case: Case) -> Path:
        """Where the pictures of a case lie."""
        return self.path / "pictures" / _file_name(case.id)

    def baseline_picture(self, case: Case, label: str, seed: int) -> Path:
        """Where a copy of a baseline's picture lies, beside those of the case that is held against it."""
        return self.picture_folder(case) / f"baseline-{_file_name(label)}-{seed}.png"

    def save_picture(self, case: Case, pair: Pair, key: str, image: Tensor) -> Picture:
        """Save an image, float (3, height, width) in [0, 1], as PNG, whole or not at all.

        `key` is the image's: pictures of one case by another version of its model are other pictures.
        """
        from torchvision.transforms.v2.functional import to_pil_image

        path = self.picture_folder(case) / f"{_file_name(pair.label.name)}-{pair.seed}-{key[:8]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        to_pil_image(image.mul(255).round().byte().cpu()).save(buffer, format="PNG")
        whole.write(path, buffer.getvalue())
        return Picture(path, _digest(buffer.getvalue()))

    def load_picture(self, picture: Picture) -> Tensor | None:
        """A saved picture, float32 (3, height, width) in [0, 1]; None where it is not as it was saved."""
        from PIL import Image
        from torchvision.transforms.v2.functional import pil_to_tensor

        try:
            content = picture.path.read_bytes()
        except OSError:
            return None
        if _digest(content) != picture.digest:
            return None
        with Image.open(io.BytesIO(content)) as opened:
            image: Tensor = pil_to_tensor(opened).float().div(255)
        return image

    def write_verdicts(self, cases: Sequence[Mapping[str, Any]], about: Mapping[str, Any] | None = None) -> None:
        """Write verdicts.json, whole or not at all: `{"version": 1, …, "cases": [...]}`, a stable public format.

        What the cases cost goes into a file beside it, see `costs`.

        Args:
            cases: their records, see `report.records`.
            about: what they are a part of, see `report.manifest`.

        Raises:
            OSError: one of them cannot be written.
        """
        document = {"version": VERDICTS_VERSION, **(about or {}), "cases": [costs.without(case) for case in cases]}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        costs.write(self.path, cases)
        whole.write(self.verdicts_file, text + "\n")

    def read_document(self, notes: list[str] | None = None) -> dict[str, Any]:
        """All of verdicts.json, each case with what it cost; where that cannot be known, `notes` are told why.

        Raises:
            VerdictsError: it is not there, or is none that this version reads.
        """
        if not self.path.is_dir():
            raise VerdictsError("no such folder" if not self.path.exists() else "not a folder, so no run folder")
        name = self.verdicts_file.name
        try:
            document = json.loads(self.verdicts_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise VerdictsError(f"it has no {name}: no run has ended there") from None
        except OSError as error:
            raise VerdictsError(f"its {name} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise VerdictsError(f"its {name} is damaged: {error}") from None
        version = document.get("version") if isinstance(document, dict) else None
        if not isinstance(version, int) or not _are_records(document.get("cases")):
            raise VerdictsError(f"its {name} is none of seedshift's")
        if version != VERDICTS_VERSION:
            raise VerdictsError(
                f"its {name} has the format {version}, this version reads {VERDICTS_VERSION}: "
                f"{'upgrade pytest-seedshift' if version > VERDICTS_VERSION else 'run it anew'}"
            )
        cost = costs.read(self.path, [] if notes is None else notes)
        return {
            **document,
            "cases": [{**case, **cost.get(str(case.get("test")), costs.UNKNOWN)} for case in document["cases"]],
        }


def _are_records(cases: object) -> bool:
    return isinstance(cases, list) and all(isinstance(case, dict) for case in cases)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _file_name(text: str) -> str:
    """A name that every file system takes; texts that differ get names that differ."""
    # Of a long text, such as a path, the end tells most. 45 letters are at most 180 of the 255 bytes a name may have.
    plain = re.sub(r"[^\w.+=-]+", "_", text)[-45:]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
