"""What the seed vector explains of each label's pictures, in a run folder: `labels.json`.

It is measured of the control's pictures that the run has kept, where it has kept enough of several labels, and stays
as long as these do:

    {"version": 1, "models": [{"model": "toy-latent", "of": "<hash of the pictures>", "certainty": 0.99,
      "labels": {"owl": {"pictures": 25, "position": {"value": 0.4, "low": 0.2, "high": 0.7}, …}}}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files, files
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.stats.seed_shares import Share
from pytest_seedshift.core.stats.seed_variance import QUANTITIES

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.results.run_folder import RunFolder

FILE_NAME = "labels.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class LabelShares:
    """What the seed vector explains of a model's pictures, label by label.

    Attributes:
        model: its name.
        of: a hash of the pictures.
        certainty: of a quantity's intervals, over all labels together.
        pictures: by label, how many there are.
        shares: by label and quantity.
    """

    model: str
    of: str
    certainty: float
    pictures: Mapping[str, int]
    shares: Mapping[str, Mapping[str, Share]]


def read(path: Path) -> dict[str, LabelShares]:
    """What a run folder has of it, by model; nothing where it has none, or one that is not as it was written."""
    try:
        document = files.read_json(path / FILE_NAME, within=path)
        with files.foreign(path / FILE_NAME):
            if document["version"] != VERSION:
                return {}
            return {each.model: each for each in map(_read, document["models"])}
    except files.FileError:
        return {}


def write(folder: RunFolder, found: Iterable[LabelShares]) -> None:
    """Write it.

    Raises:
        OSError: the file cannot be written.
    """
    models = [
        {
            "model": each.model,
            "of": each.of,
            "certainty": each.certainty,
            "labels": {
                label: {
                    "pictures": each.pictures[label],
                    **{name: {"value": one.value, "low": one.low, "high": one.high} for name, one in shares.items()},
                }
                for label, shares in each.shares.items()
            },
        }
        for each in found
    ]
    text = json.dumps({"version": VERSION, "models": models}, indent=1, ensure_ascii=False) + "\n"
    atomic_files.write(folder.path / FILE_NAME, text, within=folder.path)


def _read(entry: Mapping[str, Any]) -> LabelShares:
    shares = {
        str(label): {name: _share(each[name]) for name in QUANTITIES if name in each}
        for label, each in entry["labels"].items()
    }
    pictures = {str(label): int(each["pictures"]) for label, each in entry["labels"].items()}
    return LabelShares(str(entry["model"]), str(entry["of"]), float(entry["certainty"]), pictures, shares)


def _share(entry: Mapping[str, Any]) -> Share:
    found = Share(*(float(entry[name]) for name in ("value", "low", "high")))
    if not 0 <= found.low <= found.value <= found.high <= 1:
        raise DataError("a share that cannot be")
    return found
