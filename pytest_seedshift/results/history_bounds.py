"""Thresholds from a history: each bound so low that another version, like those of its runs, meets all of them.

How far below the runs a bound lies says `margins.of_versions`. It rests on the runs of the level that a case is at: a
case's score that became better, or worse and better again, counts from there on, and one that is worse than it was is
left out: a bound below it would let the regression stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.messages import count, some
from pytest_seedshift.core.scores import CERTAINTY, AvailableScores
from pytest_seedshift.core.stats import margins
from pytest_seedshift.results import calibration, history_changes
from pytest_seedshift.results.proposal import Proposal
from pytest_seedshift.results.thresholds_text import CalibrationError, ThresholdsText

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.history import History, Line
    from pytest_seedshift.results.history_changes import Changes, Step

LEAST_RUNS = 8
"""With fewer, one bound lies three spreads and more below the mean, and the least departure from a normal counts."""


@dataclass(frozen=True, slots=True)
class Level:
    """The runs that a bound rests on, oldest first."""

    names: tuple[str, ...]
    means: tuple[float, ...]
    images: int
    """Of each run's design."""
    arm: float
    """Half of the newest run's interval."""


@dataclass(frozen=True, slots=True)
class OfHistory(Proposal):
    """What a history proposes: another version meets all bounds."""

    runs: tuple[int, int]
    """The fewest and the most runs that a bound rests on."""

    @property
    def summary(self) -> list[str]:
        """What is to be said of it, in lines."""
        least, most = self.runs
        of = count(most, "run") if least == most else f"{least} to {most} runs"
        lines = [f"{self.bounds} bounds of {self.cases} cases by {of} of the history"]
        if self.bounds:
            lines.append(
                f"another version like these meets them all with a probability of at least {self.certainty:.4g}, if "
                "versions' means are normally distributed"
            )
        return [*lines, *self._beside, *(f"left out: {each}" for each in self.unmeasured)]


@dataclass(slots=True)
class _Found:
    levels: dict[Case, dict[str, Level]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def check(runs: int, place: str) -> None:
    """Make sure that a history can have enough runs, before any is made for it.

    Raises:
        CalibrationError: it cannot; the message says how many there are.
    """
    if runs < LEAST_RUNS:
        raise CalibrationError(
            f"{place} has {count(runs, 'run')}, this one included, and bounds by a history need {LEAST_RUNS} of a "
            "case: how much versions vary is not known of fewer. Add runs (--seedshift-history), or leave "
            "--seedshift-from-history away, for the bounds of this run alone"
        )


def propose(
    text: str,
    source: str,
    history: History,
    *,
    certainty: float = CERTAINTY,
    check_model: Callable[[str], object] = str,
    scores: AvailableScores = AvailableScores(),  # noqa: B008  # immutable
) -> OfHistory:
    """Lay bounds by a history into the text of a thresholds file.

    Args:
        text: of the file as it is.
        source: its name, for errors.
        history: of one or more models.
        certainty: that another version meets all bounds, above 0.5 and below 1.
        check_model: see `thresholds_parser.load`.
        scores: those that the file may ask for.

    Raises:
        CalibrationError: the text is no thresholds file, no case has enough runs, or a table has a form that no bound
            can be written into.
    """
    found = _found(history, certainty, scores.kinds)
    if not found.levels:
        raise CalibrationError(
            f"{history.folder}: no case has {LEAST_RUNS} whole runs of one level, which bounds by a history need: "
            f"{some(found.left_out) or 'it has no score that is known'}"
        )
    sheet = ThresholdsText(text, source, check_model, scores)
    free, kept = sheet.free(found.levels)
    number = sum(map(len, free.values()))
    bounds = {
        case: {score: _bound(scores.kinds[score], each, number, certainty) for score, each in levels.items()}
        for case, levels in free.items()
    }
    laid = sheet.laid(bounds)
    runs = [len(each.means) for levels in found.levels.values() for each in levels.values()]
    left_out = tuple(found.left_out)
    return OfHistory(
        laid, number, len(free), tuple(kept), left_out, certainty, sheet.looser(bounds), (min(runs), max(runs))
    )


def _bound(kind: ScoreKind, level: Level, bounds: int, certainty: float) -> tuple[float, str]:
    """A minimum, and what the comment behind it says."""
    # What the change of one picture amounts to: of an accuracy 1/N, else about a deviation over N.
    least = max(level.arm / math.sqrt(level.images), kind.span / level.images if kind.binary else 0.0)
    low = margins.of_versions(level.means, bounds=bounds, certainty=certainty, least=least)
    span = f"{kind.format(min(level.means))} to {kind.format(max(level.means))}"
    said = f"{span} in {len(level.means)} runs, {level.names[0]} to {level.names[-1]}"
    return calibration.bound(kind, low, 0.0), said


def _found(history: History, certainty: float, kinds: Mapping[str, ScoreKind]) -> _Found:
    found = _Found()
    for model in history.models:
        changes = history_changes.of_model(history, model, certainty=certainty)
        worse = {(loss.step.case, loss.step.score): loss.step for loss in changes.open()}
        for case, score in _measured(changes.lines, model):
            name = f"{score} of {model} {case.describe()}"
            if score not in kinds:
                found.left_out.append(f"{name}: a history does not say what that score is")
            elif (step := worse.get((case, score))) is not None:
                found.left_out.append(f"{name}: worse since {step.since.name}, and not known to be back")
            else:
                _take(found, changes, case, score, name)
    return found


def _take(found: _Found, changes: Changes, case: Case, score: str, name: str) -> None:
    begin = _begin(changes, case, score)
    runs = list(_runs(changes.lines[begin:], case, score))
    since = f" since {changes.lines[begin].name}" if begin else ""
    if len(runs) < LEAST_RUNS:
        found.left_out.append(f"{name}: {count(len(runs), 'whole run')} of one design{since}")
        return
    names, means, images, arms = zip(*runs, strict=True)
    found.levels.setdefault(case, {})[score] = Level(names, means, images[-1], arms[-1])


def _begin(changes: Changes, case: Case, score: str) -> int:
    """The place of the run that the level of a case's score begins with."""
    places = {line.id: place for place, line in enumerate(changes.lines)}
    steps: Sequence[Step] = [step for step in changes.steps if (step.case, step.score) == (case, score)]
    back = [each.since for each in changes.losses if (each.step.case, each.step.score) == (case, score) and each.since]
    return max([0, *(places[line.id] for line in (*(step.since for step in steps), *back, *changes.anew))])


def _measured(lines: Sequence[Line], model: str) -> list[tuple[Case, str]]:
    """The cases and scores of a model's newest run that has them, in its order."""
    return list(
        dict.fromkeys(
            (Case(model, each.shift, each.magnitude), score)
            for line in reversed(lines)
            for each in line.cases
            if each.model == model
            for score in each.scores
        )
    )


def _runs(lines: Sequence[Line], case: Case, score: str) -> Iterator[tuple[str, float, int, float]]:
    """Of a case's whole runs on the newest one's number of pairs: name, mean, images, half of the interval."""
    rows = [
        (line.name, each)
        for line in lines
        for each in line.cases
        if (each.model, each.shift, each.magnitude) == (case.model, case.shift, case.magnitude)
        if not each.early and score in each.scores
    ]
    for name, each in rows:
        if each.images == rows[-1][1].images:
            one = each.scores[score]
            yield name, one.mean, each.images, (one.high - one.low) / 2
