"""Seed sensitivities in the run folder, one file for each version of a model: measured once, read by every report.

`sensitivity/<model>-<key>.json`, with the distances themselves, so that intervals can be had at any certainty. A file
without distances says why there are none; the next run tries again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files, files
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import seed_variance
from pytest_seedshift.core.stats.seed_shares import KINDS, Distances, Sensitivity, Share, Squares
from pytest_seedshift.core.stats.seed_variance import QUANTITIES

if TYPE_CHECKING:
    from pytest_seedshift.results.run_folder import RunFolder

VERSION = 1

_PARTS = ("label", "vector", "both")


@dataclass(frozen=True, slots=True)
class SeedUse:
    """What is known of how much a version of a model looks at its seed vector.

    Attributes:
        model: its name.
        fingerprint: its version's.
        embedder: the fingerprint of the scorer that embedded its images.
        design: see `studies.sensitivity.fingerprint`.
        sensitivity: None where it could not be measured.
        reason: why not.
    """

    model: str
    fingerprint: str
    embedder: str
    design: str
    sensitivity: Sensitivity | None = field(default=None, compare=False)
    reason: str = field(default="", compare=False)

    def path(self, folder: RunFolder) -> Path:
        """Where it is kept."""
        key = json.dumps([self.fingerprint, self.embedder, self.design])
        return folder.sensitivity_file(self.model, hashlib.sha256(key.encode()).hexdigest()[:12])

    def is_measured(self, folder: RunFolder) -> bool:
        """Whether the folder has it."""
        return self.kept(folder) is not None

    def kept(self, folder: RunFolder, certainty: float = CERTAINTY) -> Sensitivity | None:
        """What the folder has of it, with intervals of a certainty; None where it has nothing."""
        try:
            return _read(folder, self.path(folder), certainty).sensitivity
        except files.FileError:
            return None

    def write(self, folder: RunFolder) -> None:
        """Keep it, whole or not at all.

        Raises:
            OSError: the folder cannot be written to.
        """
        path = self.path(folder)
        atomic_files.make_folder(path.parent, folder.path)
        text = json.dumps(self.document(), indent=1, ensure_ascii=False) + "\n"
        atomic_files.write(path, text, within=folder.path)

    def document(self) -> dict[str, Any]:
        """What the file says, in built-in types."""
        found = self.sensitivity
        return {
            "version": VERSION,
            **{name: getattr(self, name) for name in ("model", "fingerprint", "embedder", "design", "reason")},
            "images": 0 if found is None else found.images,
            "seconds": 0.0 if found is None else round(found.seconds, 3),
            "distances": {}
            if found is None
            else {
                kind: {name: list(getattr(each, name)) for name in ("vector", "later", "label")}
                for kind, each in found.distances.items()
            },
            **({} if found is None or not found.variance else {"variance": _variance(found)}),
        }


def read(
    folder: RunFolder, versions: Mapping[str, Sequence[str]], notes: list[str], *, certainty: float = CERTAINTY
) -> dict[str, SeedUse]:
    """What a run folder knows of some models.

    Args:
        folder: of the run.
        versions: the fingerprints of each model's versions that the run is about; empty where they are not known.
        notes: gets what cannot be read.
        certainty: of the intervals.

    Returns:
        By model. Where several files speak of it, what was measured stands above what was not.
    """
    found: dict[str, SeedUse] = {}
    for each in of_all(folder, notes, certainty=certainty):
        known = versions.get(each.model)
        if known is None or (known and each.fingerprint not in known):
            continue
        if each.model not in found or found[each.model].sensitivity is None:
            found[each.model] = each
    return {model: found[model] for model in versions if model in found}


def of_all(folder: RunFolder, notes: list[str], *, certainty: float = CERTAINTY) -> list[SeedUse]:
    """All that a run folder holds; see `read`."""
    found = []
    for path in sorted(folder.path.glob(f"{folder.SENSITIVITY}/*.json")):
        try:
            found.append(_read(folder, path, certainty))
        except files.FileError as error:
            notes.append(f"{folder.SENSITIVITY}/{path.name} {error.reason}")
    return found


def _read(folder: RunFolder, path: Path, certainty: float = CERTAINTY) -> SeedUse:
    document = files.read_json(path, within=folder.path)
    with files.foreign(path):
        return parse(document, certainty)


def parse(document: Mapping[str, Any], certainty: float = CERTAINTY) -> SeedUse:
    """What `SeedUse.document` makes, read again; with intervals of a certainty.

    Raises:
        DataError: its distances do not belong together, or another version wrote it. What else is wrong with it raises
            what Python raises there.
    """
    if document["version"] != VERSION:
        raise DataError(f"its version is {document['version']!r}, this version of seedshift reads {VERSION}")
    model, version, embedder, design = (str(document[name]) for name in ("model", "fingerprint", "embedder", "design"))
    if not document["distances"]:
        return SeedUse(model, version, embedder, design, None, str(document["reason"]))
    distances = {kind: _distances(document["distances"][kind]) for kind in KINDS}
    variance = {name: _squares(document["variance"][name]) for name in QUANTITIES} if "variance" in document else {}
    images, seconds = int(document["images"]), float(document["seconds"])
    measured = Sensitivity(model, distances, images, seconds, certainty, variance)
    return SeedUse(model, version, embedder, design, measured)


def _variance(found: Sensitivity) -> dict[str, Any]:
    """By quantity the squares of each block, with the share that the seed vector explains; of all the share alone."""
    shares = {name: seed_variance.explained(each, found.certainty) for name, each in found.variance.items()}
    made: dict[str, Any] = {
        name: {**{part: list(getattr(each, part)) for part in _PARTS}, "explained": _share(shares[name])}
        for name, each in found.variance.items()
    }
    return {**made, "all": {"explained": _share(seed_variance.overall(found.variance, found.certainty))}}


def _share(share: Share | None) -> dict[str, float] | None:
    return None if share is None else {"value": share.value, "low": share.low, "high": share.high}


def _squares(entry: Mapping[str, Any]) -> Squares:
    columns = {name: tuple(map(float, entry[name])) for name in _PARTS}
    sizes = {len(column) for column in columns.values()}
    if len(sizes) != 1 or min(sizes) < 2:
        raise DataError("its squares do not belong together")
    if not all(math.isfinite(value) and value >= 0 for column in columns.values() for value in column):
        raise DataError("a square is not a finite number of at least 0")
    return Squares(**columns)


def _distances(entry: Mapping[str, Any]) -> Distances:
    columns = {name: tuple(map(float, entry[name])) for name in ("vector", "later", "label")}
    sizes = {len(column) for column in columns.values()}
    if len(sizes) != 1 or min(sizes) < 2 or not sum(columns["label"]):
        raise DataError("its distances do not belong together")
    if not all(math.isfinite(value) and value >= 0 for column in columns.values() for value in column):
        raise DataError("a distance is not a finite number of at least 0")
    return Distances(**columns)
