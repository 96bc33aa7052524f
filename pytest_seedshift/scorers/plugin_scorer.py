"""Scorers of the user's own, by a factory: see `plugin.hookspecs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core import fingerprint, registry, tensors, user_code
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.scores import SLACK
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.scorers.base import PairScorer, Scorer


CONTROL, BASELINE = "control", "baseline"
"""Beside what a `PairScorer` may score an image."""


def beside_of(score: str) -> str:
    """Beside what a score of the user's own is measured: "control" or "baseline"; empty of one of an image alone.

    Raises:
        ExtensionError: its scorer cannot be imported, or says something else.
    """
    found = registry.current().scorers.find(score)
    if found is None:
        return ""
    factory = found.factory()
    with user_code.calling(f"{found}: its factory's beside", factory, error=registry.ExtensionError):
        beside = getattr(factory, "beside", None)
    if beside not in (None, CONTROL, BASELINE):
        raise registry.ExtensionError(
            f"{found}: its factory has beside = {beside!r}: give 'control' or 'baseline', or leave it out where each "
            "image is scored alone"
        )
    return beside or ""


class OwnScorer:
    """A `Scorer` or a `PairScorer` of the user's own, held to giving its one score."""

    def __init__(
        self,
        extension: registry.Extension,
        scorer: Scorer | PairScorer,
        kind: ScoreKind | None = None,
        beside: str = "",
    ) -> None:
        """Wrap what the factory has made; `kind` is what its score is, `beside` as `beside_of` says."""
        self._kind = kind
        self.beside = beside
        self._owner = str(extension)
        self._score = extension.name
        self._scorer = scorer
        self.given = scorer.fingerprint
        """The fingerprint that it gives itself; it does not depend on any library's version."""
        self.fingerprint = fingerprint.of_own("scorer", scorer.fingerprint, extension.name)

    @classmethod
    def load(cls, score: str, device: str, kind: ScoreKind | None = None) -> OwnScorer:
        """Make the scorer of a score.

        Raises:
            ExtensionError: there is none, or its factory raises or makes no `Scorer`.
        """
        found = registry.current().scorers.find(score)
        if found is None:
            raise registry.ExtensionError(f"there is no scorer of the score {score!r}")
        beside = beside_of(score)
        what, method = ("PairScorer", "score_pairs()") if beside else ("Scorer", "score()")
        return cls(found, found.make(device, needs=("fingerprint", "check()", method), what=what), kind, beside)

    def check(self, labels: Sequence[Label]) -> None:
        """See `Scorer.check`.

        Raises:
            ModelError: in place of whatever it raises.
        """
        try:
            with user_code.calling(f"{self._owner}: check", getattr(self._scorer, "check", None), passes=_is_said):
                self._scorer.check(labels)
        except ValueError as error:  # what it is to raise, so that its message stands as it is
            raise ModelError(str(error)) from error

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `Scorer.score`. What rounding has put outside of the declared range is put back.

        Raises:
            ModelError: the scorer raises something, or what it gives is not one value an image of its score.
        """
        return self._called("score", labels, images)

    @torch.inference_mode()
    def score_pairs(self, images: Tensor, others: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `PairScorer.score_pairs`; else as `score`.

        Raises:
            ModelError: see `score`.
        """
        return self._called("score_pairs", labels, images, others)

    def _called(self, method: str, labels: Sequence[Label], *images: Tensor) -> dict[str, Tensor]:
        function = getattr(self._scorer, method, None)
        with user_code.calling(f"{self._owner}: {method}", function, passes=devices.is_of_the_machine):
            given = [each.clone() for each in images]  # so that what it changes is nobody else's
            found = getattr(self._scorer, method)(*given, labels)
        wanted = f"give {{{self._score!r}: a tensor of shape ({len(labels)},)}}"
        if not isinstance(found, dict) or list(found) != [self._score]:
            said = f"the scores {', '.join(map(str, found))}" if isinstance(found, dict) else repr(found)
            raise ModelError(f"{self._owner} gave {said}: {wanted}")
        who = f"{self._owner} gave {{}} as its score"
        values = tensors.taken(found[self._score], who, wanted, (len(labels),), whole=True).float()
        if self._kind is not None:
            ends = values.clamp(self._kind.low, self._kind.top)
            values = torch.where((values - ends).abs() <= SLACK * self._kind.span, ends, values)
        return {self._score: values}


def _is_said(error: BaseException) -> bool:
    """Whether it is what a scorer is to raise over labels that it cannot score."""
    return isinstance(error, (ModelError, ValueError))
