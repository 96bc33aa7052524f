"""Bounds of a distribution's tail: the worst label, and groups of several pictures of one label; see `core.tails`.

A group's value is known with its last picture, whatever the others show. Which pairs make a group depends on their seed
indices alone, and not on the order in which they are visited. So groups are completed in a random order, and a bound on
their mean is decided by the same bets as any other, see `sequential`.

The worst of many labels is another matter. Each has few pictures, and the lowest of their means lies low by chance. So
such a bound breaks only where a label's own accuracy, over all pictures of it that there could be, is shown to be below
the bound: by the exact binomial test of all of its pictures, at the level that is shared by all labels (Bonferroni). It
is a test of fixed size, and it ends early where no pictures to come could change what it says (curtailed sampling: the
same verdict, of fewer pictures). That it holds means that no label is shown to be below, and no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core import tags, tails
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.stats import betting
from pytest_seedshift.core.stats.bounds import Bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.scores import Constraint, Finding

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class WorstLabel(Bound):
    """That no label's own accuracy is below a bound; its goodness is 1 of a picture that is right, else 0.

    Attributes:
        labels: of each label, which of the values are its own, ascending.
        level: the error over all labels together.
    """

    labels: tuple[Places, ...] = field(repr=False, compare=False)
    level: float

    def settled(self) -> betting.Decision:
        """What no values to come can change any more, and after how many of those seen it was so."""
        seen, first, last, is_open = self.goodness.size, self.size + 1, 1, False
        for own, most in zip(self.labels, self._most, strict=True):
            if most < 0:
                continue  # whatever its pictures show, it is within chance
            here = own[: int(np.searchsorted(own, seen))]
            is_right = self.goodness[here] > 0.5
            right, wrong = here[is_right], here[~is_right]
            if wrong.size >= own.size - most:
                first = min(first, int(wrong[own.size - most - 1]) + 1)
            elif right.size > most:
                last = max(last, int(right[most]) + 1)
            else:
                is_open = True
        if first <= self.size:
            return betting.Decision(first, False)
        return betting.UNDECIDED if is_open else betting.Decision(last, True)

    @property
    def supposed(self) -> float:
        """That all is right: half-way to the best would be no value of a picture."""
        return 1.0

    @property
    def can_break(self) -> bool:
        """Whether any values could break it."""
        return any(most >= 0 for most in self._most)

    def holds(self, size: int) -> bool:
        """Whether it holds on all values of a design."""
        return all(right > most for (right, _, _), most in zip(self._counts(size), self._most, strict=True))

    def measured(self, images: int) -> float:
        """The lowest of the labels' means over the first images; NaN of none."""
        return min((right / seen for right, seen, _ in self._counts(images) if seen), default=math.nan)

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say: of a broken bound, of the label that is shown to be below it."""
        found = Bound.finding(self, images, holds)
        worst = self._worst(images, by_chance=holds is False)
        if worst is None:
            return found
        right, seen, size = self._counts(images)[worst]
        p = min(1.0, self._p(right + size - seen, size) * len(self.labels))  # at most, whatever is to come
        return replace(found, measured=right / seen, p=p, level=self.level)

    def with_interval(self, finding: Finding, images: int, certainty: float) -> Finding:
        """With the interval of that label's own accuracy, which holds over all labels and at every stop."""
        worst = self._worst(images, by_chance=finding.holds is False)
        if worst is None:
            return finding
        own = self.labels[worst]
        values = self.goodness[own[: int(np.searchsorted(own, images))]]
        low, high = betting.interval(values, 1 - (1 - certainty) / len(self.labels))
        return replace(finding, low=min(low, finding.measured), high=max(high, finding.measured))

    def _worst(self, images: int, *, by_chance: bool) -> int | None:
        """Which label is the lowest, or the least by chance so low; None where none was seen."""
        counts = self._counts(images)
        means = [
            (self._p(right + size - seen, size) if by_chance else 0.0, right / seen, -seen, place)
            for place, (right, seen, size) in enumerate(counts)
            if seen
        ]
        return min(means)[-1] if means else None

    def _counts(self, images: int) -> list[tuple[int, int, int]]:
        """Of each label how many of the first images are right, how many there are, and how many in all."""
        seen = min(images, self.goodness.size)
        parts = [(own[: int(np.searchsorted(own, seen))], own.size) for own in self.labels]
        return [(int((self.goodness[own] > 0.5).sum()), own.size, size) for own, size in parts]

    @property
    def _most(self) -> list[int]:
        each = self.level / len(self.labels)
        return [_most_right(own.size, self.bound, each) for own in self.labels]

    def _p(self, right: int, size: int) -> float:
        from scipy.stats import binom

        return float(binom.cdf(right, size, self.bound))


@lru_cache(maxsize=1024)
def _most_right(size: int, least: float, level: float) -> int:
    """Of so many pictures, how many may be right at most where the test says that too few are; −1: it never does."""
    from scipy.stats import binom

    below = binom.cdf(np.arange(size + 1), size, least) <= level
    return int(below.sum()) - 1


@dataclass(frozen=True, slots=True)
class Grouped:
    """The groups of a score of `any_of` or `all_of`, and the values of the pictures seen so far.

    Attributes:
        members: of each group its places in the design, in the order in which groups are completed.
        any_of: whether one right picture is enough.
        seen: room for the value of each picture of the design.
    """

    members: Places
    any_of: bool
    seen: Floats

    @property
    def places(self) -> Places:
        """After which place of the design each group is complete, ascending."""
        return np.asarray(self.members.max(axis=1), dtype=np.intp)

    def add(self, values: Floats, start: int) -> Floats:
        """Of further values, which begin at a place: those of the groups that they complete."""
        self.seen[start : start + values.size] = values
        first, last = np.searchsorted(self.places, [start, start + values.size])
        right = self.seen[self.members[first:last]] > 0.5
        return np.asarray(right.any(axis=1) if self.any_of else right.all(axis=1), dtype=np.float64)


def grouped(constraint: Constraint, labels: Sequence[Sequence[int]], size: int) -> Grouped:
    """The groups of a constraint of `any_of` or `all_of`.

    Args:
        constraint: of a score of them.
        labels: of each label its places in the design, in the order of their seed indices; each group has so many that
            follow each other, and what is left over of a label is in none.
        size: of the design.
    """
    tail = tails.of(constraint.score)
    assert tail is not None
    k = int(tail.value)
    found = [each[start : start + k] for each in labels for start in range(0, len(each) - k + 1, k)]
    members = np.array(found, dtype=np.intp)
    return Grouped(members[np.argsort(members.max(axis=1))], tail.kind == tails.ANY_OF, np.zeros(size))


def labels_of(
    score: str, by_label: Mapping[str, tuple[int, ...]], by_tag: Mapping[str, tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """The labels that a score of a tail is of: all, or those of its tag; of each its places in the design."""
    tag = tags.tag_of(score)
    if tag is None:
        return list(by_label.values())
    own = set(by_tag[tag])
    return [places for places in by_label.values() if places and places[0] in own]


def check(constraint: Constraint, labels: Sequence[Sequence[int]], level: float) -> None:
    """Make sure that a design can say something about a bound of a tail.

    Raises:
        InvalidValueError: it has too few pictures of a label; the message says how many it takes.
    """
    tail, title = tails.of(constraint.score), constraint.score_kind.title
    assert tail is not None
    assert constraint.minimum is not None
    if tail.kind == tails.AT_LEAST:
        return
    if not labels:
        raise InvalidValueError(f"{title}: it is not known which pairs of the design are of which label")
    fewest, number = min(map(len, labels)), len(labels)
    if tail.is_of_groups and fewest < tail.value:
        raise InvalidValueError(
            f"{title}: the design has only {fewest} images of a class. Give at least {tail.value:g} of each class "
            f"({tail.value * number:g} in all), or a smaller k"
        )
    if tail.kind == tails.MIN_CLASS and _most_right(fewest, constraint.minimum, level / number) < 0:
        p = (1 - constraint.minimum) ** fewest
        needed = math.ceil(math.log(level / number) / math.log1p(-constraint.minimum))
        raise InvalidValueError(
            f"{title} ≥ {constraint.minimum:g} could never break with {fewest} images of a class. If all of them are "
            f"wrong, p is {p:.2g}; over {number} classes it must be at most {level / number:.1g}. Give at least "
            f"{needed} images of each class ({needed * number} in all), or a higher bound"
        )
