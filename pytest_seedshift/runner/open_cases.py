"""A case that is open while others are: what it waits for, and how likely it is to need which images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_seedshift.runner.needs import Supply
from pytest_seedshift.runner.work import NONE, Work

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.needs import Need, Steps
    from pytest_seedshift.runner.reach import Reach
    from pytest_seedshift.runner.samples import Sample

IsThere: TypeAlias = "Callable[[Case, Pair], bool]"
"""Whether an image need not be made, or cannot."""

_HELD = 0.9
"""How likely it is that a model whose control is not judged yet is sound, so that its other cases need their images."""


class OpenCase:
    """A job on its way: a case, or a search of which one case is looked at."""

    def __init__(
        self, place: int, steps: Steps[Any], reach: Reach, *, is_control: bool = False, is_held: bool = False
    ) -> None:
        """Begin.

        Args:
            place: that in pytest's order; what comes first is made first.
            steps: the job.
            reach: how far ahead images are made for it.
            is_control: whether it judges the control.
            is_held: whether it waits for the control's verdict, so that it looks at none of its own samples yet.
        """
        self.place = place
        self.is_control = is_control
        self.is_held = is_held
        self._waited = False
        """Whether the control was judged since it went on last."""
        self._reach = reach
        self._known = 0
        """How many of the first pairs of what it needs are there."""
        self._wished: list[float] | None = None
        self._first = 0
        """The first of these that may not be there."""
        self._steps = steps
        self._result: Any = None
        self._error: Exception | None = None
        self.work = NONE
        """What was generated for it."""
        self.model = ""
        """That of the case that it has needed samples of last."""
        self.need: Need | None = None
        self._go_on(lambda: next(steps))

    # How far it has come ----------------------------------------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Whether it has a result, or an error."""
        return self.need is None

    def result(self) -> Any:
        """What came of it.

        Raises:
            Exception: it cannot be judged; see `needs.Steps`.
        """
        assert self.has_ended
        if self._error is not None:
            raise self._error
        return self._result

    def fail(self, error: Exception) -> None:
        """What it waits for will not come."""
        self._go_on(lambda: self._steps.throw(error))

    def close(self) -> None:
        """It is not wanted any more."""
        self._steps.close()
        self.need = None

    def supply(self, samples: Mapping[Pair, Sample], failed: Collection[Pair], work: Work) -> bool:
        """Go on with the samples that there are of what it needs; whether there were enough.

        Args:
            samples: by pair, those of the case that it needs.
            failed: the pairs that cannot be made.
            work: what was generated for it since it was supplied last.
        """
        need = self.need
        assert need is not None
        end = max(self._known, need.seen)
        while end < len(need.design) and need.design[end] in samples:
            end += 1
        self._known = end
        if need.until is not None:
            end = min(end, need.until)
            enough = end == need.until
        else:
            is_last = self._reach.takes_less and end < len(need.design) and need.design[end] in failed
            enough = not self.is_held and end > need.seen and (end >= self.certain or is_last)
        if not enough:
            return False
        self.work += work
        given = Supply([samples[pair] for pair in need.design[need.seen : end]], work, self._waited)
        self._waited = False
        self._go_on(lambda: self._steps.send(given))
        return True

    def _go_on(self, step: Callable[[], Need]) -> None:
        try:
            self.need = step()
            self.certain, self.model = self._reach.certain(self.need), self.need.case.model
            self._known, self._wished, self._first = 0, None, 0
        except StopIteration as end:
            self._result, self.need = end.value, None
        except Exception as error:  # it is the job's, and is raised when that is asked for
            self._error, self.need = error, None

    # What it would have made ------------------------------------------------------------------------------------------

    @property
    def horizon(self) -> int:
        """Up to which pair of the design it wishes for any."""
        need = self.need
        assert need is not None
        return need.seen + len(self._wishes)

    def lacking(self, is_there: IsThere) -> int:
        """How many images it wishes for, but for the first ones that need not be made."""
        need = self.need
        assert need is not None
        while self._first < len(self._wishes) and is_there(need.case, need.design[need.seen + self._first]):
            self._first += 1
        return len(self._wishes) - self._first

    def wishes(self, *, sure: bool) -> Iterator[tuple[float, Pair]]:
        """The pairs that it wishes for, with how likely it is to need each: the sure ones, or the others.

        The most likely first; some may be there.
        """
        need = self.need
        assert need is not None
        number = 0 if self.is_held else min(self.certain - need.seen, len(self._wishes))
        places = range(self._first, number) if sure else range(max(self._first, number), len(self._wishes))
        for place in places:
            yield self._wishes[place], need.design[need.seen + place]

    @property
    def _wishes(self) -> list[float]:
        """How likely it is to need each pair after those that it had seen when it went on last."""
        if self._wished is None:
            assert self.need is not None
            self._wished = self._reach.wished(self.need, self.certain, _HELD if self.is_held else 1.0)
        return self._wished

    def fill_up(self, size: int) -> None:
        """Wish for what fills its last batch, where nothing else does; all batches have that size."""
        need = self.need
        assert need is not None
        further = self._reach.filled(need, self.horizon, size) - self.horizon
        self._wishes.extend([1.0] * further)

    def release(self) -> None:
        """The control's verdict stands: it may look at its own samples."""
        self.is_held = False
        self._waited = True
        self._known, self._wished, self._first = 0, None, 0
