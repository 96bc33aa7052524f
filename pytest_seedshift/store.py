"""The run folder: samples as JSON lines, pictures, verdicts.json."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.cases import Case
    from pytest_seedshift.pairs import Pair

VERDICTS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One generated image of a case: its pair, its scores, and where its picture lies if it was kept."""

    case: Case
    pair: Pair
    scores: Mapping[str, float]
    picture: Path | None = None


class RunFolder:
    """The folder that a run writes to; see `prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def samples_file(self) -> Path:
        """One JSON object a line and sample, appended as soon as the sample exists."""
        return self.path / "samples.jsonl"

    @property
    def verdicts_file(self) -> Path:
        """See `write_verdicts`."""
        return self.path / "verdicts.json"

    def prepare(self, *, keep_samples: bool = False) -> None:
        """Make the folder, keep it out of version control, and start with no samples unless they are to be kept.

        Raises:
            OSError: the folder cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / ".gitignore").write_text("*\n", encoding="utf-8")
        with self.samples_file.open("ab" if keep_samples else "wb"):
            pass

    def append(self, samples: Iterable[Sample], fingerprints: Mapping[str, str]) -> None:
        """Append samples. One write a batch, so that processes that share the folder do not cut each other's lines."""
        lines = (
            json.dumps(
                {
                    "case": sample.case.id,
                    "model": sample.case.model,
                    "shift": sample.case.shift,
                    "magnitude": sample.case.magnitude,
                    "label": sample.pair.label.name,
                    "seed": sample.pair.seed,
                    "prompt": sample.pair.prompt,
                    "scores": dict(sample.scores),
                    "picture": None if sample.picture is None else sample.picture.relative_to(self.path).as_posix(),
                    "fingerprints": dict(fingerprints),
                },
                ensure_ascii=False,
            )
            for sample in samples
        )
        with self.samples_file.open("ab", buffering=0) as file:
            file.write("".join(f"{line}\n" for line in lines).encode())

    def picture_folder(self, case: Case) -> Path:
        """Where the pictures of a case lie."""
        return self.path / "pictures" / _file_name(case.id)

    def shown(self, path: Path) -> str:
        """A path as people like to read it: relative to the working directory where it lies below it."""
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)

    def save_picture(self, case: Case, pair: Pair, image: Tensor) -> Path:
        """Save an image, float (3, height, width) in [0, 1], as PNG."""
        from torchvision.transforms.v2.functional import to_pil_image

        path = self.picture_folder(case) / f"{_file_name(pair.label.name)}-{pair.seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        to_pil_image(image.clamp(0, 1).mul(255).round().byte().cpu()).save(path)
        return path

    def write_verdicts(self, cases: Sequence[Mapping[str, Any]]) -> None:
        """Write verdicts.json, whole or not at all: `{"version": 1, "cases": [...]}`, a stable public format."""
        text = json.dumps({"version": VERDICTS_VERSION, "cases": list(cases)}, indent=1, ensure_ascii=False)
        partial = self.verdicts_file.with_suffix(f".{os.getpid()}.partial")
        try:
            partial.write_text(text + "\n", encoding="utf-8")
            partial.replace(self.verdicts_file)
        finally:
            partial.unlink(missing_ok=True)

    def read_verdicts(self) -> list[dict[str, Any]]:
        """The cases of the run before, or nothing where there are none that can be read."""
        try:
            document = json.loads(self.verdicts_file.read_text(encoding="utf-8"))
            return list(document["cases"]) if document["version"] == VERDICTS_VERSION else []
        except (OSError, ValueError, KeyError, TypeError):
            return []


def _file_name(text: str) -> str:
    """A name that every file system takes; texts that differ get names that differ."""
    # Of a long text, such as a path, the end tells most. 60 letters are at most 240 of the 255 bytes a name may have.
    plain = re.sub(r"[^\w.+=-]+", "_", text)[-60:]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
