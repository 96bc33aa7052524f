"""The baseline's pictures, with which a run's are compared: which pairs have one, and under which key likeness lies.

Likeness is kept with the scores of an image, under a key made of the baseline's picture itself. So a run that is asked
again makes nothing anew, and another baseline never gets the likeness to this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.results import baseline_embeddings, baseline_folder
from pytest_seedshift.results.baseline import BaselineError
from pytest_seedshift.runner.orders import Reference

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.regression_gate import Against

_METHOD = "likeness 1"
"""How it is measured; another number where values change."""


@dataclass(frozen=True, slots=True)
class References:
    """The pictures of a baseline, as far as anything is asked of the likeness to them.

    Attributes:
        against: the baseline; None where there is none.
        asked: by case, the measures that are asked for; see `core.likeness`.
        embedder: the fingerprint of the network whose embeddings are compared, of a model its CLIP, and with a source
            the DINOv2 there.
        models: by measure that needs one, the source of its network.
    """

    against: Against | None
    asked: Callable[[Case], frozenset[str]]
    embedder: Callable[..., str]
    models: Mapping[str, str] = field(default_factory=dict)
    beside: Callable[[str], Mapping[str, str]] = lambda _: {}
    """By model, which of its scores are measured beside what: see `ScorerPool.beside`."""

    def pictured(self, case: Case, pairs: Iterable[Pair]) -> Mapping[Pair, str]:
        """Of those pairs that are held against the baseline's pictures, the digests of these."""
        if self.against is None or not (self.asked(case) or "baseline" in self.beside(case.model).values()):
            return {}
        other, digests = self.against.other(case), self.against.baseline.digests
        if other is None:
            return {}
        return {
            pair: digest
            for pair in pairs
            if pair.noise is None and (digest := digests.get((other, pair.label.name, pair.seed)))
        }

    def fingerprints(self, model: str, scorers: Mapping[str, str]) -> tuple[str, ...]:
        """The fingerprints of a model's scorers, by score, where those beside a baseline know which that is."""
        beside = self.beside(model)
        return tuple(
            _key(self._all, each) if beside.get(score) == "baseline" else each for score, each in scorers.items()
        )

    @property
    def _all(self) -> str:
        """A hash of all pictures of the baseline."""
        digests = {} if self.against is None else self.against.baseline.digests
        listed = sorted(f"{case.id} {label} {seed} {digest}" for (case, label, seed), digest in digests.items())
        return hashlib.sha256("\n".join(listed).encode()).hexdigest()

    def keys(self, case: Case, pairs: list[Pair]) -> Mapping[Pair, str]:
        """Of those pairs whose pictures are to be compared, under which key, in the place of a scorer's, that lies."""
        if not (measures := self.asked(case)) or not (found := self.pictured(case, pairs)):
            return {}
        by = self.embedder(case.model) if "embedding" in measures else ""
        for measure in sorted(measures & self.models.keys()):
            by += f" {measure} {self.embedder(case.model, self.models[measure])}"
        return {pair: _key(digest, by) for pair, digest in found.items()}

    def of(self, case: Case, pair: Pair) -> Reference:
        """The baseline's picture of a pair that is held against it.

        Raises:
            CaseError: it cannot be read, or is not as it was kept.
        """
        assert self.against is not None
        baseline, other = self.against.baseline, self.against.other(case)
        assert other is not None
        place = other, pair.label.name, pair.seed
        try:
            content = baseline_folder.read(baseline.pictures[place], baseline.digests[place])
        except BaselineError as error:
            raise CaseError(f"{case.model}, {case.describe()}: {baseline.name}: {error}") from None
        asked = self.asked(case)
        if not asked:
            return Reference(content, alike=False)
        dinov2 = self.models["dinov2"] if "dinov2" in asked else ""
        if "embedding" not in asked:
            return Reference(content, dinov2=dinov2)
        kept = baseline_embeddings.of(baseline, self.embedder(case.model))
        return Reference(content, True, kept.get(baseline.digests[place], b""), dinov2)

    def check_embeddings(self, cases: Iterable[Case]) -> None:
        """Make sure that the embeddings are as they were kept with which pictures of some cases are to be compared.

        Raises:
            BaselineError: they are not.
        """
        for model in dict.fromkeys(case.model for case in cases if "embedding" in self.asked(case)):
            if self.against is not None:
                baseline_embeddings.of(self.against.baseline, self.embedder(model))


def _key(digest: str, embedder: str) -> str:
    return "likeness-" + hashlib.sha256(f"{_METHOD} {digest} {embedder}".encode()).hexdigest()[:32]
