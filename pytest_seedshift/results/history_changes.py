"""What has changed over the versions of a history: the first version that became worse, and since when.

Versions are compared one after the other with the version that their level began with. The first of a model, and each
that has become significantly worse or better than that, begins a level. Where both have the scores of their pairs,
they are compared pair by pair, by the tests of `regression`; the k-th comparison of a model may be wrong with
probability α / (k·(k + 1)), half of it for worse and half for better, so that all comparisons of a model, however many
follow, are wrong with probability α at most. So what was said of a version stays as it is when others follow.

What was lost is held against the newest version: `Loss`. It is back where that version is not significantly below the
level before the loss, and is significantly above the version that had lost it. The first of these is tested at α; the
second at α / (m·(m + 1)) in the m-th version after that, so that what has not moved is called back with probability α
at most, however many versions follow.

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


State = Literal["worse", "back", "undecided"]


@dataclass(frozen=True, slots=True)
class Loss:
    """What has become of a score of a case that was worse.

    Attributes:
        step: its last step.
        before: the version whose level it has lost.
        level: the score's mean in that version.
        newest: the newest version that has the case.
        now: the mean in that.
        state: `worse`; `back` at the level before, or `undecided`: neither below that level nor above the version that
            had lost it, beyond chance, or not comparable.
        since: the version from which on it is back; None where it is not.
        p: of the newest version being below that level; None where it is not compared, or by intervals.
        p_above: of it being above the version that had lost it, likewise.
    """

    step: Step
    before: Line
    level: float
    newest: Line
    now: float
    state: State
    since: Line | None = None
    p: float | None = None
    p_above: float | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed over a model's versions.

    Attributes:
        model: its name.
        lines: its runs, oldest first.
        steps: in the order of the versions with which they were found.
        notes: comparisons that were not possible, in words.
        anew: the runs that could not be compared with those before them, and begin a level of their own.
        losses: what has become of each score that was worse.
    """

    model: str
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    anew: tuple[Line, ...] = ()
    losses: tuple[Loss, ...] = ()

    @property
    def first_worse(self) -> Step | None:
        """The first step at which something became worse."""
        return next((step for step in self.steps if step.worse), None)

    def open(self) -> list[Loss]:
        """What was lost and is not known to be back."""
        return [each for each in self.losses if each.state != "back"]


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
    losses = tuple(_losses(lines, steps, scores, 1 - certainty))
    return Changes(model, tuple(lines), tuple(steps), (*dict.fromkeys(notes), *scores.notes), tuple(anew), losses)


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


# What has become of a loss ----------------------------------------------------------------------------------------


def _losses(lines: Sequence[Line], steps: Sequence[Step], scores: _Scores, alpha: float) -> Iterator[Loss]:
    """Of each score that has become worse and not gained all of it, where the newest version stands."""
    pending: dict[tuple[Case, str], tuple[Step, Step]] = {}
    """By case and score, the step with which the level was lost, and the last one."""
    for step in steps:
        key = step.case, step.score
        lost = pending[key][0] if key in pending else step
        if step.worse or (key in pending and step.after < lost.before):
            pending[key] = lost, step
        else:
            pending.pop(key, None)
    for lost, last in pending.values():
        yield _loss(lost, last, lines, scores, alpha)


def _loss(lost: Step, last: Step, lines: Sequence[Line], scores: _Scores, alpha: float) -> Loss:
    key = last.case, last.score
    having = [line for line in lines if key in _intervals(line, scores.model)]
    newest = having[-1]
    found = Loss(last, lost.reference, lost.before, newest, _intervals(newest, scores.model)[key].mean, "worse")
    if newest.id == last.line.id and last.worse:
        return found
    try:
        p = _p(newest, lost.reference, key, scores)
        above = _p(last.line, newest, key, scores) if last.worse else 0.0
    except BaselineError:
        return replace(found, state="undecided")
    after = having[having.index(last.line) :]
    number = len(after) - 1
    if p is not None and above is not None:
        found = replace(found, p=p, p_above=above if last.worse else None)
    # Of intervals it is known whether they lie apart, and no more.
    is_below = _lies_below(newest, lost.reference, key, scores) if p is None else p <= alpha
    is_above = (
        _lies_below(last.line, newest, key, scores)
        if above is None
        else not last.worse or above <= alpha / (number * (number + 1))
    )
    if is_below:
        return found
    if not is_above:
        return replace(found, state="undecided")
    up = Step(*key, newest, newest, last.line, last.after, found.now, False, "pairs")
    since = _located(up, after, scores).since if last.worse else last.since
    return replace(found, state="back", since=since)


def _p(low: Line, high: Line, key: tuple[Case, str], scores: _Scores) -> float | None:
    """How probable it is that a version is so far below another by chance; None where pairs are missing.

    Raises:
        BaselineError: they cannot be compared.
    """
    case, score = key
    before, after = scores(high), scores(low)
    if before is None or after is None or case not in before.cases or case not in after.cases:
        return None
    one = replace(after, cases={case: after.cases[case]})
    rows = regression.compare(before, one, regression.Gate(partial=True)).rows
    row = next((row for row in rows if row.score == score), None)
    return None if row is None else row.change.p if row.drop > 0 else 1.0


def _lies_below(low: Line, high: Line, key: tuple[Case, str], scores: _Scores) -> bool:
    """Whether the interval of a version lies below that of another."""
    below, above = (_intervals(line, scores.model).get(key) for line in (low, high))
    return below is not None and above is not None and below.high < above.low
