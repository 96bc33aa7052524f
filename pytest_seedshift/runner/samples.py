"""The samples of one model: looked up before they are made, written as soon as they exist."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import files, tags, tails
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.core.likeness import EQUAL, PREFIX, measure_of
from pytest_seedshift.core.likeness import value as likeness_value
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
    from pytest_seedshift.runner.orders import Reference, Scores
    from pytest_seedshift.runner.references import References


MOST_KNOWN = 200_000
"""How many samples are remembered where nothing else is said; each takes about half a kilobyte."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One generated image of a case: its pair, its scores, and where its picture lies if it was kept."""

    case: Case
    pair: Pair
    scores: Mapping[str, float]
    picture: Path | None = None
    likeness: Mapping[str, float] = field(default_factory=dict)
    """To the baseline's picture, by measure (see `core.likeness`), where that is asked for; a PSNR may be infinite."""

    def value(self, score: str) -> float:
        """A score that is asked for, be it of the image or of its likeness; 0 of likeness that it does not have."""
        if measure_of(score) is not None:
            return likeness_value(self.likeness, score)
        return tails.value(score, self.scores[tags.plain(score)])

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


class Known:
    """Samples that were read or written, of the cases that were asked for last: the memory of all has a bound."""

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self._most = most
        self._by_case: dict[Hashable, dict[Pair, Sample]] = {}
        self._at_most = 0
        """Of how many samples there are no more: they are counted only where these are too many."""

    def of(self, case: Hashable) -> dict[Pair, Sample]:
        """A case's, to be added to; of whatever distinguishes cases."""
        found = self._by_case.pop(case, {})
        self._by_case[case] = found  # the last one
        return found

    def trim(self, added: int) -> None:
        """Forget those of the cases that were not asked for longest, where there are too many.

        A case that is visited asks for its control again and again, so that neither is forgotten before it ends.

        Args:
            added: how many samples there are more than at the last call.
        """
        self._at_most += added
        if self._at_most <= self._most:
            return
        number = sum(map(len, self._by_case.values()))
        for case in list(self._by_case)[:-1]:
            if number <= self._most:
                break
            number -= len(self._by_case.pop(case))
        self._at_most = number


class Samples:
    """The samples of one model under one set of scorers, in the store and in the run folder."""

    def __init__(
        self,
        store: Store,
        folder: RunFolder,
        model: str,
        scorers: Sequence[str],
        kinds: Mapping[str, ScoreKind] = SHIPPED,
        known: Known | None = None,
        references: References | None = None,
    ) -> None:
        """`model` and `scorers` are their fingerprints, `kinds` what scores these give; `known` can be of several.

        With `references` a sample that has one exists where it was compared with it.
        """
        self._references = references
        self._kinds = dict(kinds)
        self._known = Known() if known is None else known
        self.model = model
        self._store = store
        self._folder = folder
        self.scorers = tuple(scorers)

    def find(self, case: Case, pairs: Iterable[Pair], shown: Collection[Pair] = ()) -> dict[Pair, Sample]:
        """The samples that exist, by their pair, in the order given. Those of `shown` need a picture to exist.

        A sample that exists stays as it is, so each is read of the store once; what does not exist is looked for anew,
        as another process may have made it. So are pictures that are to be shown.
        """
        self._store.check_place()
        wanted, known = dict.fromkeys(pairs), self._of(case)
        with_picture = [pair for pair in shown if pair in wanted]
        for pair in with_picture:
            if pair in known and not self._is_kept(known[pair]):
                del known[pair]  # its picture may be there by now, or again
        if not known.keys() >= wanted.keys():
            read = self._read(case, [pair for pair in wanted if pair not in known])
            known |= read
            self._known.trim(len(read))
        found = {pair: known[pair] for pair in wanted if pair in known}
        for pair in with_picture:
            if pair in found and found[pair].picture is None:
                del found[pair]
        return found

    def _of(self, case: Case) -> dict[Pair, Sample]:
        """What is remembered of a case; in keys equal magnitudes may be written unlike, such as 1 and 1.0."""
        return self._known.of((self.model, self.scorers, case, repr(case.magnitude)))

    def _read(self, case: Case, pairs: Sequence[Pair]) -> dict[Pair, Sample]:
        """Those of a case's samples that the store has, with pictures or without."""
        keys = self._keys(case, pairs)
        pictures = self._store.pictures(keys)
        compared = self.compared(case, pairs)
        scores = self._store.scores_by({*self.scorers, *compared.values()}, keys)
        found = {}
        for pair, key in zip(pairs, keys, strict=True):
            likeness = scores.get((key, compared[pair], pair.label.answer)) if pair in compared else {}
            rows = [scores.get((key, scorer, pair.label.answer)) for scorer in self.scorers]
            if key in pictures and all(rows) and likeness is not None:
                merged = {name: value for row in rows if row for name, value in row.items()}
                kept = self._picture(pictures[key])
                found[pair] = Sample(case, pair, merged, kept, _restored(likeness)).checked(self._kinds)
        return found

    def compared(self, case: Case, pairs: Iterable[Pair]) -> Mapping[Pair, str]:
        """Of those pairs that are compared with the baseline's pictures, under which key, as a scorer's, that lies."""
        return {} if self._references is None else self._references.keys(case, list(pairs))

    def referenced(self, case: Case, pairs: Iterable[Pair]) -> set[Pair]:
        """Those pairs whose images are held against the baseline's pictures, for likeness or by a scorer."""
        return set() if self._references is None else set(self._references.pictured(case, pairs))

    def reference(self, case: Case, pair: Pair) -> Reference:
        """With what a pair is compared that is.

        Raises:
            CaseError: the baseline's picture cannot be read, or is not as it was kept.
        """
        assert self._references is not None
        return self._references.of(case, pair)

    def pictures(self, case: Case, pairs: Iterable[Pair]) -> dict[Pair, Picture]:
        """The pictures that exist, of samples that may lack scores: other scorers can score them anew."""
        wanted = list(pairs)
        keys = self._keys(case, wanted)
        images = self._store.images(keys)
        found = {}
        for pair, key in zip(wanted, keys, strict=True):
            image = images.get(key)
            picture = None if image is None else self._picture(image.picture)
            if image is not None and picture is not None:
                found[pair] = Picture(picture, image.digest or "")
        return found

    def write(
        self,
        case: Case,
        pairs: Sequence[Pair],
        scores: Sequence[Scores],
        pictures: Mapping[Pair, Picture],
        likeness: Sequence[Mapping[str, float]] = (),
    ) -> dict[Pair, Sample]:
        """Write samples, all or none; `scores` are those of each pair, scorer by scorer, `likeness` as in a sample.

        Scores that exist stay as they are: an image that was made again, for its picture, may differ in its last bits.
        """
        known, compared = self.find(case, pairs), self.compared(case, pairs)
        likenesses = dict(zip(pairs, likeness or ({},) * len(pairs), strict=True))
        images = []
        rows: dict[ScoreKey, dict[str, float]] = {}
        made = {}
        for pair, key, values in zip(pairs, self._keys(case, pairs), scores, strict=True):
            picture = pictures.get(pair)
            what = (case.model, case.shift, case.magnitude, pair.label.name, pair.seed, pair.prompt)
            kept = (None, None) if picture is None else (self._name(picture.path), picture.digest)
            images.append(Image(key, self.model, *what, *kept))
            likeness_there = likenesses[pair]
            if pair in known:
                merged, likeness_there = known[pair].scores, known[pair].likeness
            else:
                if pair in compared and likeness_there:
                    rows[ScoreKey(key, compared[pair], pair.label.answer)] = _stored(likeness_there)
                rows |= zip(self._score_keys(key, pair), values, strict=True)
                merged = {name: value for each in values for name, value in each.items()}
            kept_at = None if picture is None else picture.path
            made[pair] = Sample(case, pair, merged, kept_at, likeness_there).checked(self._kinds)
        self._store.add(images, rows)
        self._of(case).update(made)
        self._known.trim(len(made))
        return made

    def mark(self, what: str, case: Case, pairs: Iterable[Pair]) -> None:
        """Remember of images what was seen in them; see `broken`."""
        self._store.mark(what, self._keys(case, pairs))

    def marked(self, what: str, case: Case, pairs: Iterable[Pair]) -> set[Pair]:
        """The pairs in whose images that was seen."""
        wanted = list(pairs)
        keys = dict(zip(self._keys(case, wanted), wanted, strict=True))
        return {keys[key] for key in self._store.marked(what, keys)}

    def picture_name(self, case: Case, pair: Pair) -> str:
        """What distinguishes the picture of this image from those of the same pair by other versions of the model."""
        return fingerprint.image_key(self.model, case, pair)

    def _keys(self, case: Case, pairs: Iterable[Pair]) -> list[str]:
        return fingerprint.image_keys(self.model, case, pairs)

    def _name(self, picture: Path) -> str:
        return picture.relative_to(self._folder.path).as_posix()

    def _score_keys(self, image: str, pair: Pair) -> list[ScoreKey]:
        return [ScoreKey(image, scorer, pair.label.answer) for scorer in self.scorers]

    def _picture(self, name: str | None) -> Path | None:
        if name is None:
            return None
        path = self._folder.path / name
        return path if files.is_file(path, self._folder.path) else None

    def _is_kept(self, sample: Sample) -> bool:
        return sample.picture is not None and files.is_file(sample.picture, self._folder.path)


def _stored(likeness: Mapping[str, float]) -> dict[str, float]:
    """Likeness as the store has it, which has no infinite number: that of equal pictures is left out."""
    return {f"{PREFIX}{measure}": value for measure, value in likeness.items() if math.isfinite(value)}


def _restored(stored: Mapping[str, float]) -> dict[str, float]:
    found = {name.removeprefix(PREFIX): value for name, value in stored.items()}
    return found | {"psnr": math.inf} if found.get(EQUAL) else found
