"""The scorers of models: each loaded once, when it is first needed, and shared by all models that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.models import needed_scorers
from pytest_seedshift.scorers import declared, fingerprint

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.scorers.base import Embedder, Scorer
    from pytest_seedshift.scorers.declared_scorer import DeclaredScorer
    from pytest_seedshift.scorers.plugin_scorer import OwnScorer


class ScorerPool:
    """Loads scorers and holds them."""

    def __init__(
        self,
        catalogue: Catalogue,
        device: str,
        needs: needed_scorers.Scorers = needed_scorers.every,
        kinds: ScoreRegistry = SHIPPED,
    ) -> None:
        """`needs` says which of the shipped scorers a model's samples are scored by; `kinds` has the user's scores."""
        self.kinds = kinds
        self._catalogue = catalogue
        self._device = device
        self._needs = needs
        self._shipped: dict[str, Scorer] = {}
        self._embedders: dict[str, Embedder] = {}
        self._own: dict[str, OwnScorer | DeclaredScorer] = {}
        self._checked: set[str] = set()

    def of_model(self, model: str) -> tuple[Scorer, ...]:
        """The scorers that a model's samples are scored by, shared with every other model that has the same.

        Raises:
            CaseError: one cannot be loaded.
        """
        found = *(self.shipped(model, each) for each in self._needed(model)), *map(self._loaded, self.own_of(model))
        if model not in self._checked:
            for scorer in found:
                try:
                    scorer.check(self._catalogue.find(model).prompt_set.worded)
                except SeedshiftError as error:
                    raise UnusableModelError(f"{model} cannot be judged: {error}") from error
                except Exception as error:  # of a library over a strange classifier
                    whose = f"the scorer {getattr(scorer, 'name', '')} cannot be asked for its classes"
                    raise UnusableModelError(f"{model} cannot be judged: {whose}: {_said(error)}") from error
            self._checked.add(model)
        return found

    def shipped(self, model: str, which: str) -> Scorer:
        """One of a model's shipped scorers (see `needed_scorers`), whether its samples are scored by it or not.

        Raises:
            CaseError: it cannot be loaded.
        """
        from pytest_seedshift.scorers import clip
        from pytest_seedshift.scorers.classifier import Classifier

        source: str = getattr(self._catalogue.find(model), which)
        if source not in self._shipped:
            load = clip.load if which == needed_scorers.CLIP else Classifier.load
            try:
                self._shipped[source] = load(source, self._device)
            except Exception as error:  # of strange settings libraries, and what looks at them, raise anything
                raise UnusableModelError(f"the scorer {source} of {model} cannot be loaded: {_said(error)}") from error
        return self._shipped[source]

    def embedder(self, model: str, source: str = "") -> Embedder:
        """The network whose embeddings say how unlike two images of a model are: its CLIP, or DINOv2 of a source.

        Raises:
            CaseError: it cannot be loaded.
        """
        from pytest_seedshift.scorers.base import Embedder

        if source:
            return self._dinov2(source)
        found = self.shipped(model, needed_scorers.CLIP)
        assert isinstance(found, Embedder)
        return found

    def _dinov2(self, source: str) -> Embedder:
        if source not in self._embedders:
            from pytest_seedshift.scorers.dinov2 import Dinov2

            try:
                self._embedders[source] = Dinov2.load(source, self._device)
            except Exception as error:  # as of every network that is given
                raise UnusableModelError(f"[likeness.models] {source} cannot be loaded: {_said(error)}") from error
        return self._embedders[source]

    def fingerprint_of_embedder(self, model: str, source: str = "") -> str:
        """The fingerprint of `embedder`, which is not loaded.

        Raises:
            SeedshiftError: weights that cannot be had or read.
        """
        if source:
            return fingerprint.of_dinov2(source)
        return fingerprint.of_clip(self._catalogue.find(model).clip)

    def own_of(self, model: str) -> list[str]:
        """The scores that a model's samples have from a scorer of their own, in their order."""
        wanted = self._needs(model)
        return [score for score in self.kinds.own if needed_scorers.is_needed(score, wanted)]

    def beside(self, model: str) -> dict[str, str]:
        """Of the scores that a model's samples have beside another image, beside which: "control" or "baseline".

        Raises:
            ExtensionError: a scorer of the user's own cannot be imported.
        """
        from pytest_seedshift.scorers.plugin_scorer import beside_of

        found = {score: beside_of(score) for score in self.own_of(model) if declared.of(score) is None}
        return {score: each for score, each in found.items() if each}

    def own(self, score: str) -> OwnScorer | DeclaredScorer:
        """The scorer of a score that has one of its own: the user's, or one that is declared, which is not loaded.

        Raises:
            CaseError: it cannot be made.
        """
        from pytest_seedshift.scorers.plugin_scorer import OwnScorer

        if score not in self._own:
            named = declared.of(score)
            try:
                self._own[score] = (
                    OwnScorer.load(score, self._device, self.kinds.get(score))
                    if named is None
                    else declared.Factory(named)(self._device)
                )
            except SeedshiftError as error:
                raise CaseError(str(error)) from error
        return self._own[score]

    def _loaded(self, score: str) -> OwnScorer | DeclaredScorer:
        """The scorer of such a score, with its weights.

        Raises:
            CaseError: it cannot be made, or its weights cannot be loaded.
        """
        found, named = self.own(score), declared.of(score)
        if named is not None:
            from pytest_seedshift.scorers.declared_scorer import DeclaredScorer

            assert isinstance(found, DeclaredScorer)
            try:
                found.load()
            except Exception as error:  # as of the shipped ones
                raise UnusableModelError(
                    f"the scorer {score} ({named.source}) cannot be loaded: {_said(error)}"
                ) from error
        return found

    def fingerprints(self, model: str) -> dict[str, str]:
        """The fingerprints of what a model's samples are scored by: of shipped scorers, then by score of one's own.

        Raises:
            CaseError: a scorer of the user's own that cannot be made.
            SeedshiftError: weights that cannot be had or read.
        """
        entry = self._catalogue.find(model)
        of = {needed_scorers.CLASSIFIER: fingerprint.of_classifier, needed_scorers.CLIP: fingerprint.of_clip}
        found = {each: of[each](getattr(entry, each)) for each in self._needed(model)}
        return found | {score: self.own(score).fingerprint for score in self.own_of(model)}

    def measures(self, model: str) -> dict[str, ScoreKind]:
        """The scores that a model's samples have, by name."""
        shipped = {score for each in self._needed(model) for score in needed_scorers.SCORES[each]}
        return {name: kind for name, kind in self.kinds.items() if name in {*shipped, *self.own_of(model)}}

    def entry(self, model: str) -> Entry:
        """A model's entry, without the sources of scorers that are not needed."""
        return needed_scorers.without_others(self._catalogue.find(model), self._needs(model))

    def _needed(self, model: str) -> list[str]:
        """Which of the shipped scorers a model's samples are scored by, in their order."""
        wanted = self._needs(model)
        return [each for each in needed_scorers.SCORES if each in wanted]


def _said(error: Exception) -> str:
    """What an error says; of those that were not meant for a user, with their class."""
    meant = isinstance(error, (SeedshiftError, OSError))
    return str(error) if meant else f"{type(error).__name__}: {' '.join(str(error).split())}"
