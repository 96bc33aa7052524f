"""A model that is broken without any shift, seen before a shift is blamed for it.

Three things are looked at, all of them of the control, in the order of the design:

* Each of its first `FIRST` pictures is of one colour: nothing is drawn. Not said where every one of them is recognised,
  as pictures of classes that are colours are.
* Each of these is the same picture, whatever the label and the noise.
* Its accuracy is that of guessing. Guessing among C classes is right in 1/C of all pictures (top-5: in 5/C). Over a
  fixed number of pictures, the first `LEAST` of the design or as many more as it takes to distinguish a model half-way
  between guessing and perfect (Cohen's κ of 0.5) from guessing in 99 of 100 cases, neither top-1 nor top-5 is above it
  by an exact binomial test at 5 %, and what is required is ruled out, at 95 % where a case has failed by its own test
  and at 99 % before that. Nothing is said where it would take more than `MOST` pictures or more than the design has,
  or where what is required lies so near to guessing that it is not ruled out.

With --seedshift-keep-going the last of these is said of the control alone, and other cases are judged all the same.

A shift under which a sound model draws pictures of one colour is another matter: it breaks the model, and the case's
failure says how.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pytest_seedshift.core import score_kinds
from pytest_seedshift.core.cases import UnusableModelError
from pytest_seedshift.runner import flat_images
from pytest_seedshift.scorers import declared

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.stats.course import Judgement
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.runner.samples import Sample
    from pytest_seedshift.runner.workbench import Workbench

FIRST = 8
"""How many pictures of the control, at least, are looked at before anything is said."""

LEAST, MOST = 16, 64
"""How many of them are looked at, at least and at most, to know whether the control is at chance."""

_LEVEL, _POWER, _CERTAIN, _FAILED = 0.05, 0.99, 0.01, 0.05
"""Of the test against guessing: its level, and its power where κ is 0.5; up to which probability what is asked is ruled
out before a verdict, and after a case has failed."""


_GUESSES = {"top1": 1, "top5": 5}


# What is seen ------------------------------------------------------------------------------------------------------


def guessing(score: str, classes: int) -> float:
    """The accuracy of who guesses among so many classes, in (0, 1]."""
    return min(1.0, _GUESSES[score] / classes)


def needed(score: str, classes: int) -> int | None:
    """How many pictures distinguish a κ of 0.5 from guessing; None where `MOST` do not."""
    return _needed(guessing(score, classes))


@cache
def _needed(chance: float) -> int | None:
    from scipy.stats import binom

    better = (1 + chance) / 2
    for images in range(LEAST, MOST + 1):
        right = int(binom.isf(_LEVEL, images, chance)) + 1  # the fewest that are above guessing
        if binom.cdf(right - 1, images, better) <= 1 - _POWER:
            return images
    return None


def is_at_chance(values: Mapping[str, Sequence[float]], classes: int) -> bool:
    """Whether no accuracy is above guessing; `values` are 0 or 1 for each picture, by score."""
    from scipy.stats import binom

    return all(
        binom.sf(math.fsum(each) - 1, len(each), guessing(score, classes)) > _LEVEL for score, each in values.items()
    )


def rules_out(values: Sequence[float], asked: float, probability: float) -> bool:
    """Whether so few right pictures, or fewer, come of an accuracy of what is asked with a probability of at most…"""
    from scipy.stats import binom

    return bool(binom.cdf(math.fsum(values), len(values), asked) <= probability)


# Of a case ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a model is broken."""

    what: str
    advice: str
    """What follows, and what is to be done: where the control itself is reported."""


class Watch:
    """Looks at the control on a case's way to a verdict."""

    def __init__(self, bench: Workbench, case: Case, design: Sequence[Pair], test: SequentialTest | NullTest) -> None:
        """Watch over a case on its design."""
        self._bench, self._test = bench, test
        self._case, self._design = case, design
        self._samples = bench.samples(self._case.model)
        self._classes = bench.catalogue.find(self._case.model).prompt_set.classes
        self._asked = {
            each.score: (each.minimum, images)
            for each in test.constraints
            if each.score in _GUESSES
            and each.minimum is not None
            and (images := needed(each.score, self._classes)) is not None
            and images <= len(self._design)
        }
        """By accuracy, the least that is asked, and how many pictures distinguish it from guessing."""

    @property
    def first(self) -> int:
        """How many of the control's pictures are looked at before the case's own are made.

        Its first pictures are made where a run makes some of them anyway: they stand beside the case's.
        """
        makes = self._bench.service.shown(self._design) or self._test.compares
        return min(FIRST, len(self._design)) if makes and not self._case.is_control else 0

    def look(self) -> None:
        """Look at those pictures of the control that exist.

        Raises:
            UnusableModelError: the model is broken.
        """
        seen = self._seen()
        if len(seen) < min(FIRST, len(self._design)):
            return
        if any(each.score in score_kinds.BUILT_IN or declared.of(each.score) for each in self._test.constraints):
            first = seen[:FIRST]  # however many there are: what is said is always the same
            right = _accuracies(first).get("top1", [])
            if not right or min(right) < 1:
                self._refuse_if(self._drawn_nothing(first))
        for score in self._asked:
            self._refuse_if(self._at_chance(seen, score, failed=False))

    def end(self, judgement: Judgement) -> None:
        """Before a case fails, make sure that the shift, or the bounds, are to blame for it.

        As many pictures of the control are looked at as it takes to know, those of `reach`.

        Raises:
            UnusableModelError: the model is broken.
        """
        if not self.reach(judgement):
            return
        self.look()
        seen = self._seen()
        if self._case.is_control:
            self._refuse_if(self._same(seen[:FIRST]))
        for score in self._broken(judgement):
            self._refuse_if(self._at_chance(seen, score, failed=True))

    def reach(self, judgement: Judgement) -> int:
        """How many of the control's first pictures `end` looks at; 0 where it has nothing to look for."""
        if not any(each.kind == "min" and each.holds is False for each in judgement.findings):
            return 0
        known = (self._asked[score][1] for score in self._broken(judgement))
        return max([min(FIRST, len(self._design)), *known])

    def _broken(self, judgement: Judgement) -> list[str]:
        """The accuracies whose minimum is broken, as far as pictures can distinguish them from guessing."""
        broken = {each.score for each in judgement.findings if each.kind == "min" and each.holds is False}
        return [score for score in self._asked if score in broken]

    def _seen(self) -> list[Sample]:
        """The control's samples of the first pairs of the design, up to the first one that does not exist."""
        pairs = self._design[:MOST]
        found = self._samples.find(self._case.control, pairs)
        lacking = next((row for row, pair in enumerate(pairs) if pair not in found), len(pairs))
        return [found[pair] for pair in pairs[:lacking]]

    def _drawn_nothing(self, first: Sequence[Sample]) -> _Reason | None:
        if len(self._marked(flat_images.FLAT, first)) == len(first):
            return _Reason(
                f"the first {len(first)} pictures of its control are of one colour each",
                "It draws nothing, so no shift is to blame. Half precision that a VAE does not bear gives black "
                "pictures (try --seedshift-dtype=float32 or bfloat16), as do weights that are not those of its "
                "configuration",
            )
        return self._same(first)

    def _same(self, first: Sequence[Sample]) -> _Reason | None:
        labels = len({sample.pair.label for sample in first})
        if labels < 2 or len(self._marked(flat_images.SAME, first)) < len(first):
            return None
        return _Reason(
            f"the first {len(first)} pictures of its control, of {labels} labels, are the same picture",
            "Neither the prompt nor the noise has an effect, so no shift is to blame. Look at what it makes of the "
            "prompt's embeddings, and of its initial noise",
        )

    def _at_chance(self, seen: Sequence[Sample], score: str, *, failed: bool) -> _Reason | None:
        if self._bench.keep_going and not self._case.is_control:
            return None
        asked, images = self._asked[score]
        values = _accuracies(seen[:images])
        if len(values.get(score, ())) < images or not is_at_chance(values, self._classes):
            return None
        pair, mark = [seen[0].pair], f"at chance where {score} {asked} is asked"
        failed = failed or bool(self._samples.marked(mark, self._case.control, pair))
        if not rules_out(values[score], asked, _FAILED if failed else _CERTAIN):
            return None
        self._samples.mark(mark, self._case.control, pair)
        kind, mean = score_kinds.BUILT_IN[score], math.fsum(values[score]) / images
        return _Reason(
            f"its control is at the level of chance: {kind.title} {kind.format(mean)} over the first {images} "
            f"pictures, {kind.format(guessing(score, self._classes))} by guessing among {self._classes} classes, "
            f"{kind.format(asked)} required (exact binomial test, level {_LEVEL:g})",
            "It does not draw what its prompts ask for, so no shift is to blame. "
            "Usual causes: a wrong prediction type (see prediction_type of its scheduler), guidance, steps or weights; "
            "a classifier or class list that does not fit. --seedshift-keep-going judges its other cases all the same",
        )

    def _marked(self, what: str, seen: Sequence[Sample]) -> set[Pair]:
        return self._samples.marked(what, self._case.control, [each.pair for each in seen])

    def _refuse_if(self, reason: _Reason | None) -> None:
        if reason is None:
            return
        case, control = self._case, self._case.control
        self._bench.pool.report_broken(case.model)
        if case.is_control:
            raise UnusableModelError(f"{case.model} is broken without any shift: {reason.what}. {reason.advice}")
        raise UnusableModelError(
            f"{case.model} is broken without any shift, so nothing is generated for {case.describe()}: {reason.what}. "
            f"See {control.id}"
        )


def _accuracies(seen: Sequence[Sample]) -> dict[str, list[float]]:
    return {name: [each.scores[name] for each in seen] for name in _GUESSES if seen and name in seen[0].scores}
