"""Where a search for a breaking point looks next, and what it has found. Pure numbers: steps, no model and no file.

A scan of all steps would visit the design once a step. Verdicts that are reached early make most steps cheap, but not
those beside the breaking point, and fifty of them are still many. So, in this order:

1. a coarse sweep, every 0.10, upward until a step fails;
2. bisection between that step and the last one below it that holds, down to neighbours;
3. the rest of the coarse sweep: does the model recover?
4. a few more steps where monotony would break most likely: below the breaking point where the margin to the bounds,
   interpolated between the steps that were looked at, is smallest, above it where it is largest. Where one of them
   fails below, the bisection goes on from there.

All of it is one search of `budget` images at most, a fifth of those of the scan, beside those without a shift, which
the control has as well. The coarse sweep alone always fits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

COARSE = 5
"""Steps from one probe of the coarse sweep to the next: 0.10."""

_BELOW, _ABOVE = 3, 2
"""How many more steps are looked at below and above the breaking point, to see whether monotony holds."""

_NEAR = 2
"""Steps beside the breaking point at which to look again would tell little and take many images."""

_WANDER = 0.03
"""How far the margin may wander from its interpolation, a step: it draws the checks into the gaps."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found at a step.

    `margin` is how far the worst score lies above its bound (below: negative), as a part of the score's range. `clear`
    tells whether another draw of pairs would say the same: True if all bounds surely hold, False if one is surely
    broken, None if neither.
    """

    step: int
    holds: bool
    margin: float
    images: int
    clear: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found, in steps."""

    steps: int
    probes: tuple[Probe, ...]
    """Ascending; the unshifted step 0 is the first."""
    within_budget: bool = True
    """Whether everything was looked at that should have been: the budget of images has sufficed."""

    @property
    def at(self) -> int | None:
        """The smallest step that fails, 0 if the model fails unshifted; None if no step fails."""
        return next((probe.step for probe in self.probes if not probe.holds), None)

    @property
    def holds_at(self) -> int | None:
        """The largest step below `at` that holds; None if the model fails unshifted."""
        below = [probe.step for probe in self.probes if probe.holds and (self.at is None or probe.step < self.at)]
        return max(below, default=None)

    @property
    def recovers(self) -> tuple[int, ...]:
        """The steps above the breaking point that hold: monotony is broken where there are any."""
        return tuple(
            probe.step for probe in self.probes if probe.holds and self.at is not None and probe.step > self.at
        )

    @property
    def relapses(self) -> tuple[int, ...]:
        """The steps that fail above the first of `recovers`."""
        if not self.recovers:
            return ()
        return tuple(probe.step for probe in self.probes if not probe.holds and probe.step > self.recovers[0])

    @property
    def interval(self) -> tuple[int, int | None]:
        """The largest step up to which every probe is clear of the bounds, and the smallest that is clearly broken.

        0 where no shifted step is clear, None where none is clearly broken.
        """
        low = 0
        for probe in self.probes:
            if probe.clear is not True:
                break
            low = probe.step
        return low, next((probe.step for probe in self.probes if probe.clear is False), None)

    @property
    def images(self) -> int:
        """How many images the shifted probes took; the unshifted ones are shared by all searches of a model."""
        return sum(probe.images for probe in self.probes if probe.step)

    def reaches(self, step: float) -> bool:
        """Whether the model is known to hold below a step, which need not be whole."""
        if self.holds_at is None:
            return False
        whole = self.at is None and self.holds_at == self.steps
        return whole or self.holds_at + 1 >= step - 1e-9


def budget(steps: int, design: int) -> int:
    """The most shifted images of a search: a fifth of those of a scan, but at least those of five steps."""
    return design * max(steps // 5, min(steps, 5))


def sweep(steps: int) -> list[int]:
    """The steps of the coarse sweep: every 0.10 and the last one, as many as the budget has designs at most."""
    return [*range(COARSE, COARSE * (steps // 5), COARSE), steps]


def seek(look: Callable[[int], Probe], steps: int, design: int) -> Found:
    """Search for the smallest step that fails.

    Args:
        look: what is at a step, from 0 (unshifted) to `steps`; called once a step at most.
        steps: how many there are.
        design: the most images that one look takes.
    """
    search = seeking(steps, design)
    step = next(search)
    while True:
        try:
            step = search.send(look(step))
        except StopIteration as end:
            found: Found = end.value
            return found


def seeking(steps: int, design: int) -> Generator[int, Probe, Found]:
    """The search of `seek`: it yields each step that it looks at, is sent what is there, and returns what it found."""
    origin = yield 0
    if not origin.holds:  # it breaks without a shift: there is nothing to search
        return Found(steps, (origin,))
    search = _Search(steps, design, {0: origin})
    complete = (
        (yield from search.sweep())
        and (yield from search.narrow())
        and (yield from search.rest())
        and (yield from search.check())
    )
    return Found(steps, tuple(search.seen[step] for step in sorted(search.seen)), complete)


_Phase: TypeAlias = Generator[int, Probe, bool]
"""A part of a search; it returns whether the budget has sufficed for it."""


class _Search:
    """The phases."""

    def __init__(self, steps: int, design: int, seen: dict[int, Probe]) -> None:
        self.seen = seen
        self._steps = steps
        self._design = design
        self._left = budget(steps, design)
        self._coarse = sweep(steps)

    def sweep(self) -> _Phase:
        for step in self._coarse:
            if not (yield from self._see(step)):
                return False
            if not self.seen[step].holds:
                break
        return True

    def narrow(self) -> _Phase:
        while (at := self._first()) is not None:
            low = max(step for step, probe in self.seen.items() if probe.holds and step < at)
            if at - low == 1:
                break
            if not (yield from self._see((low + at) // 2)):
                return False
        return True

    def rest(self) -> _Phase:
        for step in self._coarse:
            if not (yield from self._see(step)):
                return False
        return True

    def check(self) -> _Phase:
        for _ in range(_BELOW):
            at = self._first()
            end = self._steps if at is None else at - 1 - _NEAR
            seen = yield from self._see_extreme(range(1, end + 1), lowest=True)
            if not seen or not (yield from self.narrow()):
                return False
        at = self._first()
        above = range((self._steps if at is None else at + _NEAR) + 1, self._steps + 1)
        for _ in range(_ABOVE):
            if not (yield from self._see_extreme(above, lowest=False)):
                return False
        return True

    def _see_extreme(self, steps: Sequence[int], *, lowest: bool) -> _Phase:
        """See, of some steps that were not seen, the one whose margin is lowest, or highest, most likely."""
        unseen = [step for step in steps if step not in self.seen]
        if not unseen:
            return True
        guesses = zip(unseen, self._guess(unseen, lowest=lowest), strict=True)
        return (yield from self._see(max(guesses, key=lambda guess: (round(guess[1], 6), guess[0]))[0]))

    def _guess(self, steps: Sequence[int], *, lowest: bool) -> Iterator[float]:
        known = sorted(self.seen)
        margins = np.interp(steps, known, [self.seen[step].margin for step in known])
        for step, margin in zip(steps, margins, strict=True):
            wander = _WANDER * min(abs(step - each) for each in known)
            yield float(-margin if lowest else margin) + wander

    def _first(self) -> int | None:
        return min((step for step, probe in self.seen.items() if not probe.holds), default=None)

    def _see(self, step: int) -> _Phase:
        """See what is at a step, if the budget suffices for all images that this might take."""
        if step in self.seen:
            return True
        if self._design > self._left:
            return False
        self.seen[step] = yield step
        self._left -= self.seen[step].images
        return True
