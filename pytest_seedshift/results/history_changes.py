"""What has changed over the versions of a history: the first version that became worse, and since when.

Versions are compared one after the other with the version that their level began with. The first of a model, and each
that has become significantly worse or better than that, begins a level. Where both have the scores of their pairs,
they are compared pair by pair, by the tests of `regression`; the k-th comparison of a model may be wrong with
probability α / (k·(k + 1)), half of it for worse and half for better, so that all comparisons of a model, however many
follow, are wrong with probability α at most. So what was said of a version stays as it is when others follow.

Where pairs are missing, a version is worse if its interval lies below that of the version that its level began with.
That has the error of two intervals, each time anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.results import history, regression
from pytest_seedshift.results.baseline import BaselineError

if TYPE_CHECKING:
    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.results.history import History, Line
    from pytest_seedshift.results.schema.records import Score


@dataclass(frozen=True, slots=True)
class Step:
    """A version at which a case's score has changed.

    Attributes:
        case: which.
        score: its name.
        line: the version with which it was found.
        since: the version from which on it is so: the same, or one before it, where what went before was too little to
            be told from chance.
        reference: the version that it is held against.
        before: the score's mean in that version.
        after: in the version with which it was found.
        worse: whether it became worse; else it became better.
        by: `pairs`, or `intervals` where the scores of pairs are missing.
        p: of the paired test; None by intervals.
        level: up to which that counts.
    """

    case: Case
    score: str
    line: Line
    since: Line
    reference: Line
    before: float
    after: float
    worse: bool
    by: Literal["pairs", "intervals"]
    p: float | None = None
    level: float | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed over a model's versions.

    Attributes:
        model: its name.
        lines: its runs, oldest first.
        steps: in the order of the versions with which they were found.
        notes: comparisons that were not possible, in words.
        anew: the runs that could not be compared with those before them, and begin a level of their own.
    """

    model: str
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    anew: tuple[Line, ...] = ()

    @property
    def first_worse(self) -> Step | None:
        """The first step at which something became worse."""
        return next((step for step in self.steps if step.worse), None)

    def open(self) -> list[Step]:
        """Steps for the worse that no later step for the better of the same case and score has followed."""
        last = {(step.case, step.score): step for step in self.steps}
        return [step for step in last.values() if step.worse]


def of_model(found: History, model: str, *, certainty: float = CERTAINTY) -> Changes:
    """What has changed over a model's versions; see the module.

    Args:
        found: the history.
        model: a model that it has.
        certainty: 1 − α.
    """
    lines = history.of_model(found, model)
    scores = _Scores(found, model)
    notes: list[str] = []
    steps: list[Step] = []
    level: list[Line] = []
    anew: list[Line] = []
    for number, line in enumerate(lines):
        if level:
            alpha = (1 - certainty) / (number * (number + 1))
            try:
                made = _compare(level[0], line, scores, alpha)
            except BaselineError as error:
                notes.append(f"{line.name} is not compared with {level[0].name}, and starts again: {error}")
                anew.append(line)
                level = []
            else:
                if made:
                    steps += [_located(step, [*level, line], scores) for step in made]
                    level = []
                scores.forget({line.id} if made else {level[0].id})
        level.append(line)
    return Changes(model, tuple(lines), tuple(steps), (*dict.fromkeys(notes), *scores.notes), tuple(anew))


class _Scores:
    """The scores of the pairs of a model's runs, read when they are asked for."""

    def __init__(self, found: History, model: str) -> None:
        self.model = model
        self.notes: list[str] = []
        self._history = found
        self._read: dict[str, Baseline | None] = {}

    def __call__(self, line: Line) -> Baseline | None:
        """Those of a run; None where it has none that can be used, of which `notes` tells."""
        if line.id not in self._read:
            try:
                self._read[line.id] = _of_model(self._history.pairs(line), self.model)
            except BaselineError as error:
                if str(error) not in self.notes:
                    self.notes.append(str(error))
                self._read[line.id] = None
        return self._read[line.id]

    def forget(self, besides: set[str]) -> None:
        """Give back the memory of all but some runs."""
        self._read = {key: each for key, each in self._read.items() if key in besides}


def _of_model(scores: Baseline | None, model: str) -> Baseline | None:
    """The part of one model."""
    if scores is None or model not in scores.models:
        return None
    return replace(
        scores,
        models={model: scores.models[model]},
        cases={case: each for case, each in scores.cases.items() if case.model == model},
    )


def _compare(reference: Line, line: Line, scores: _Scores, alpha: float) -> list[Step]:
    before, after = scores(reference), scores(line)
    if before is None or after is None:
        return list(_by_intervals(reference, line, scores.model))
    gate = regression.Gate(certainty=1 - alpha / 2, family=True)
    found = []
    for worse, sides in ((True, (before, after)), (False, (after, before))):
        for row in regression.compare(*sides, gate).rows:
            if row.regressed:
                means = (row.before, row.after) if worse else (row.after, row.before)
                p, level = row.change.p, row.change.level
                found.append(Step(row.case, row.score, line, line, reference, *means, worse, "pairs", p, level))
    return found


def _by_intervals(reference: Line, line: Line, model: str) -> Iterator[Step]:
    before = _intervals(reference, model)
    for (case, score), new in _intervals(line, model).items():
        old = before.get((case, score))
        if old is None:
            continue
        for worse, (low, high) in ((True, (new.high, old.low)), (False, (old.high, new.low))):
            if low < high:
                yield Step(case, score, line, line, reference, old.mean, new.mean, worse, "intervals")


def _intervals(line: Line, model: str) -> Mapping[tuple[Case, str], Score]:
    return {
        (Case(each.model, each.shift, each.magnitude), score): found
        for each in line.cases
        if each.model == model
        for score, found in each.scores.items()
    }


# Where a change began ---------------------------------------------------------------------------------------------


def _located(step: Step, lines: Sequence[Line], scores: _Scores) -> Step:
    """A step with the version from which on it is so: that which best divides the versions into two levels.

    Of the versions from the reference to the one with which the step was found, taken as rows of their pairs' scores,
    the two levels explain most of the squares there: least squares, for one change.
    """
    columns = []
    for line in lines:
        found = scores(line)
        samples = None if found is None else found.cases.get(step.case)
        if samples is None or step.score not in samples.scores:
            return step
        columns.append(samples.scores[step.score])
    count = min(map(len, columns))
    values = np.array([column[:count] for column in columns])
    explained = [
        at * (len(values) - at) * float(np.square(values[at:].mean(0) - values[:at].mean(0)).sum())
        for at in range(1, len(values))
    ]
    return replace(step, since=lines[1 + int(np.argmax(explained))])
