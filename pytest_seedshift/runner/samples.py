"""The samples of one model: looked up before they are made, written as soon as they exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import files
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.core.scores import outside
from pytest_seedshift.models import fingerprint
from pytest_seedshift.results.run_folder import Picture
from pytest_seedshift.results.sample_rows import Image, ScoreKey

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.sample_store import Store
    from pytest_seedshift.runner.orders import Scores


@dataclass(frozen=True, slots=True)
class Sample:
    """One generated image of a case: its pair, its scores, and where its picture lies if it was kept."""

    case: Case
    pair: Pair
    scores: Mapping[str, float]
    picture: Path | None = None

    def checked(self, kinds: Mapping[str, ScoreKind]) -> Sample:
        """The sample, whether it was made now or is of the store: all its scores of these kinds are in their range.

        Raises:
            CaseError: one is not.
        """
        for name, value in self.scores.items():
            wrong = outside(name, kinds[name], value) if name in kinds else None
            if wrong is not None:
                raise CaseError(f"{self.case.model}, {self.case.describe()}: the score {name} of {self.pair} {wrong}")
        return self


class Samples:
    """The samples of one model under one set of scorers, in the store and in the run folder."""

    def __init__(
        self,
        store: Store,
        folder: RunFolder,
        model: str,
        scorers: Sequence[str],
        kinds: Mapping[str, ScoreKind] = SHIPPED,
    ) -> None:
        """`model` and `scorers` are their fingerprints, `kinds` what scores these give."""
        self._kinds = kinds
        self.model = model
        self._store = store
        self._folder = folder
        self.scorers = tuple(scorers)

    def find(self, case: Case, pairs: Iterable[Pair], shown: Collection[Pair] = ()) -> dict[Pair, Sample]:
        """The samples that exist, by their pair, in the order given. Those of `shown` need a picture to exist."""
        keys = {pair: self._key(case, pair) for pair in pairs}
        images = self._store.images(keys.values())
        scores = self._store.scores(key for pair, image in keys.items() for key in self._score_keys(image, pair))
        found = {}
        for pair, key in keys.items():
            rows = [scores.get(score) for score in self._score_keys(key, pair)]
            picture = self._picture(images.get(key))
            if key in images and all(rows) and (picture is not None or pair not in shown):
                merged = {name: value for row in rows if row for name, value in row.items()}
                found[pair] = Sample(case, pair, merged, picture).checked(self._kinds)
        return found

    def pictures(self, case: Case, pairs: Iterable[Pair]) -> dict[Pair, Picture]:
        """The pictures that exist, of samples that may lack scores: other scorers can score them anew."""
        keys = {pair: self._key(case, pair) for pair in pairs}
        images = self._store.images(keys.values())
        found = {}
        for pair, key in keys.items():
            image = images.get(key)
            picture = self._picture(image)
            if image is not None and picture is not None:
                found[pair] = Picture(picture, image.digest or "")
        return found

    def write(
        self, case: Case, pairs: Sequence[Pair], scores: Sequence[Scores], pictures: Mapping[Pair, Picture]
    ) -> dict[Pair, Sample]:
        """Write samples, all or none; `scores` are those of each pair, scorer by scorer.

        Scores that exist stay as they are: an image that was made again, for its picture, may differ in its last bits.
        """
        known = self.find(case, pairs)
        images = []
        rows: dict[ScoreKey, dict[str, float]] = {}
        made = {}
        for pair, values in zip(pairs, scores, strict=True):
            key, picture = self._key(case, pair), pictures.get(pair)
            what = (case.model, case.shift, case.magnitude, pair.label.name, pair.seed, pair.prompt)
            kept = (None, None) if picture is None else (self._name(picture.path), picture.digest)
            images.append(Image(key, self.model, *what, *kept))
            if pair in known:
                merged = known[pair].scores
            else:
                rows |= zip(self._score_keys(key, pair), values, strict=True)
                merged = {name: value for each in values for name, value in each.items()}
            kept_at = None if picture is None else picture.path
            made[pair] = Sample(case, pair, merged, kept_at).checked(self._kinds)
        self._store.add(images, rows)
        return made

    def mark(self, what: str, case: Case, pairs: Iterable[Pair]) -> None:
        """Remember of images what was seen in them; see `broken`."""
        self._store.mark(what, [self._key(case, pair) for pair in pairs])

    def marked(self, what: str, case: Case, pairs: Iterable[Pair]) -> set[Pair]:
        """The pairs in whose images that was seen."""
        keys = {self._key(case, pair): pair for pair in pairs}
        return {keys[key] for key in self._store.marked(what, keys)}

    def picture_name(self, case: Case, pair: Pair) -> str:
        """What distinguishes the picture of this image from those of the same pair by other versions of the model."""
        return self._key(case, pair)

    def _key(self, case: Case, pair: Pair) -> str:
        return fingerprint.image_key(self.model, case, pair)

    def _name(self, picture: Path) -> str:
        return picture.relative_to(self._folder.path).as_posix()

    def _score_keys(self, image: str, pair: Pair) -> list[ScoreKey]:
        return [ScoreKey(image, scorer, pair.label.index) for scorer in self.scorers]

    def _picture(self, image: Image | None) -> Path | None:
        if image is None or image.picture is None:
            return None
        path = self._folder.path / image.picture
        return path if files.is_file(path, self._folder.path) else None
