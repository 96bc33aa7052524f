"""How like shifted pictures are to the control's of the same pairs, in a run folder: `shifted.json`.

It says how far a shift moves a picture within one run, and nothing of any baseline. It is measured of pictures that the
run has kept, and stays as long as these do:

    {"version": 1, "cases": [{"model": "toy-latent", "shift": "mean", "magnitude": 0.3, "of": "<hash of the pictures>",
      "pairs": 8, "scores": {"ssim": 0.41, "psnr": 14.2, "embedding": 0.83}}]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files, files, likeness
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.results.run_folder import RunFolder

FILE_NAME = "shifted.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Shifted:
    """How like a case's pictures are to the control's.

    Attributes:
        case: a shifted one.
        of: a hash of the pictures that were compared.
        pairs: how many.
        scores: by measure of likeness (see `core.likeness`), the mean; of a PSNR no more than 60 dB counts.
    """

    case: Case
    of: str
    pairs: int
    scores: Mapping[str, float]


def read(path: Path) -> dict[Case, Shifted]:
    """What a run folder has of it, by case; nothing where it has none, or one that is not as it was written."""
    try:
        document = files.read_json(path / FILE_NAME, within=path)
        with files.foreign(path / FILE_NAME):
            if document["version"] != VERSION:
                return {}
            return {each.case: each for each in map(_read, document["cases"])}
    except files.FileError:
        return {}


def write(folder: RunFolder, found: Iterable[Shifted]) -> None:
    """Write it.

    Raises:
        OSError: the file cannot be written.
    """
    cases = [asdict(each.case) | {key: value for key, value in asdict(each).items() if key != "case"} for each in found]
    text = json.dumps({"version": VERSION, "cases": cases}, indent=1, ensure_ascii=False) + "\n"
    atomic_files.write(folder.path / FILE_NAME, text, within=folder.path)


def _read(entry: Mapping[str, Any]) -> Shifted:
    scores = {name: float(entry["scores"][name]) for name in likeness.MEASURES if name in entry["scores"]}
    pairs, at = int(entry["pairs"]), float(entry["magnitude"])
    kinds = likeness.MEASURES
    if pairs < 1 or not math.isfinite(at) or not all(-1 <= value <= kinds[name].top for name, value in scores.items()):
        raise DataError("a number that cannot be")
    return Shifted(Case(str(entry["model"]), str(entry["shift"]), at), str(entry["of"]), pairs, scores)
