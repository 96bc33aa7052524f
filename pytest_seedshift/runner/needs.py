"""What a case on its way waits for, and what it is given: more samples of its own pairs, or of its control's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pytest_seedshift.runner.case_result import Progress
from pytest_seedshift.runner.work import NONE, Work

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.stats.course import Course
    from pytest_seedshift.core.stats.null_control import NullCourse, NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.runner.case_result import Part
    from pytest_seedshift.runner.samples import Sample

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Need:
    """Samples that have to exist before a case can go on: those of the first pairs of a design, in its order.

    Attributes:
        case: whose samples; of a case that is compared with its control, they may be the control's.
        design: all pairs that may be asked for, in the order in which they are looked at.
        seen: how many of the first ones are known already.
        until: how many have to be known; None where any more will do.
        outlook: where the verdict is expected; None where `until` says all.
        shown: the pairs of the design whose samples need a picture.
    """

    case: Case
    design: Sequence[Pair]
    seen: int
    until: int | None
    outlook: Outlook | None
    shown: frozenset[Pair]

    @property
    def likely(self) -> int:
        """How many of the first pairs will be needed in all, as far as one can guess; more than `seen`."""
        if self.outlook is None:
            assert self.until is not None
            return self.until
        forecast = self.outlook.course.forecast()
        return min(forecast.images, forecast.at_best)

    def certain(self) -> int:
        """How many of the first pairs will be needed in all, whatever is seen in them; it is computed now."""
        if self.outlook is None:
            assert self.until is not None
            return self.until
        return max(self.outlook.course.soonest(), self.seen + 1)

    def wished(self, least: float) -> list[float]:
        """How likely each pair after those seen is to be needed, as far as that is `least` or more; falling."""
        if self.outlook is None:
            assert self.until is not None
            return [1.0] * (self.until - self.seen)
        chances = self.outlook.course.chances()
        return chances.among(self.seen, max(chances.needed(least), self.seen + 1))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a test makes of the samples so far, on its course; `values` are theirs, by score."""

    test: SequentialTest | NullTest
    course: Course | NullCourse
    values: Mapping[str, Sequence[float]]
    part: Part | None = None

    def progress(self, case: Case, generated: int) -> Progress:
        """How far the case has come, for which so many images were generated."""
        leading = self.course.forecast().leading
        at = case, self.course.seen, generated, self.course.about(), self.test.size
        return Progress(*at, leading, tuple(self.values[leading.score]), self.test.certainty, self.part)


@dataclass(frozen=True, slots=True)
class Supply:
    """What a need was met with: the samples behind those that were seen, and what was generated for them.

    Attributes:
        samples: in the design's order.
        work: what was generated.
        waited: whether the control was judged since the case began, so that its pictures are to be looked at again.
    """

    samples: Sequence[Sample]
    work: Work = NONE
    waited: bool = False


Steps: TypeAlias = Generator[Need, Supply, _Result]
"""A case on its way: it yields what it needs, is sent what there is of it, and returns its result in the end."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A job that will be asked for.

    Attributes:
        key: by which it is asked for.
        model: the model's name.
        begin: what makes its steps.
        is_control: whether it judges the model's control.
    """

    key: str
    model: str
    begin: Callable[[], Steps[Any]]
    is_control: bool = False
