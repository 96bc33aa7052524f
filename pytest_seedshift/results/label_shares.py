"""What the seed vector explains of each label's pictures, in a run folder: `labels.json`.

It is measured of the control's pictures that the run has kept, where it has kept enough of several labels, and stays
as long as these do:

    {"version": 1, "models": [{"model": "toy-latent", "of": "<hash of the pictures>", "certainty": 0.99,
      "labels": {"owl": {"pictures": 25, "position": {"value": 0.4, "low": 0.2, "high": 0.7}, …}}}]}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files, files
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.stats.seed_shares import Share
from pytest_seedshift.core.stats.seed_variance import LEAST_PICTURES, QUANTITIES

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.results.data import CaseRun, Run
    from pytest_seedshift.results.run_folder import RunFolder

FILE_NAME = "labels.json"
VERSION = 1

MOST = 2000
"""Pictures of a model that are looked at: each takes some milliseconds to be read."""


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


@dataclass(frozen=True, slots=True)
class Kept:
    """Pictures of a model's control that shares can be measured of.

    Attributes:
        by_label: of at least two labels that have enough of them, the pictures as paths with their checksums.
    """

    by_label: Mapping[str, list[tuple[Path, str]]]

    @property
    def of(self) -> str:
        """A hash of them."""
        rows = [f"{label} {digest or path.name}" for label, each in self.by_label.items() for path, digest in each]
        return hashlib.sha256("\n".join(rows).encode(errors="surrogatepass")).hexdigest()[:32]


def kept(control: CaseRun) -> Kept | None:
    """The pictures that a run has kept of a control; None where they are too few for any label's share."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for sample in control.samples[:MOST]:
        if sample.picture is not None:
            found.setdefault(sample.label, []).append((sample.picture, sample.digest))
    enough = {label: each for label, each in found.items() if len(each) >= LEAST_PICTURES}
    return Kept(enough) if len(enough) >= 2 else None


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


def take_over(sources: Iterable[Path], into: RunFolder, run: Run, notes: list[str]) -> None:
    """Take over what other run folders have, as far as it is of the pictures that are here.

    A model's control is one run's, so its shares are as if one run had made all. Of other pictures they would be
    another's.

    Args:
        sources: the folders.
        into: the folder of what was joined; what it has had before is replaced.
        run: what it holds now.
        notes: gets what is left out.

    Raises:
        OSError: the file cannot be written.
    """
    known: dict[str, list[LabelShares]] = {}
    for path in sources:
        for model, each in read(path).items():
            known.setdefault(model, []).append(each)
    found = []
    for model in run.models:
        control = run.control(model)
        here = None if control is None else kept(control)
        same = [each for each in known.get(model, ()) if here is not None and each.of == here.of]
        found += same[:1]
        if model in known and not same:
            notes.append(
                f"warning: {model}: what the seed vector explains label by label is left out: {FILE_NAME} of the runs "
                "is not of the pictures that are here"
            )
    if found:
        write(into, found)
    else:
        (into.path / FILE_NAME).unlink(missing_ok=True)


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
