"""Why a case fails, in one sentence wherever it is shown: made of findings, be they of a result or of a run folder."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tags, tails
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.scores import WITHIN
from pytest_seedshift.runner import likenesses, tag_scores
from pytest_seedshift.runner.verdict_messages import (
    change,
    comparison,
    equivalence_power,
    interval,
    minimum_detectable,
    numbers,
    probability,
    turned,
)

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.scores import Estimate, Finding
    from pytest_seedshift.runner.case_result import CaseResult


@dataclass(frozen=True, slots=True)
class Judged:
    """What the sentence of a case is made of."""

    case: Case
    findings: Sequence[Finding]
    scores: Mapping[str, Estimate]
    images: int
    design: int
    certainty: float
    control: Mapping[str, float]
    """The control's means by score; empty where they are not shown, or not known."""
    control_images: int
    """Of how many of the pairs they are."""
    worst_classes: Sequence[tuple[str, int, int]]
    """By name, how many pictures of how many are right."""
    pictures: Sequence[tuple[str, Mapping[str, float]]]
    """Where top-1 was not measured, of each picture its label or prompt's id, and its scores."""
    flat: int
    """How many pictures are of one colour."""
    tags: Mapping[str, Mapping[str, Estimate]]
    """By tag of the prompts and by score; empty where they have none."""
    kinds: Mapping[str, ScoreKind]
    """What the scores are."""

    @property
    def is_early(self) -> bool:
        """Whether the verdict stood before the whole design was visited."""
        return self.images < self.design


def judged(result: CaseResult, *, control: bool = True) -> Judged:
    """What the sentence of a result is made of; with `control`, of the control's means too."""
    right = [(sample.pair.label.name, sample.scores["top1"]) for sample in result.samples if "top1" in sample.scores]
    alike, found_by_tag = likenesses.of(result), tag_scores.of(result)
    return Judged(
        case=result.case,
        findings=result.findings,
        scores={**result.scores, **({} if alike is None else alike.scores), **by_tag(found_by_tag)},
        images=len(result.samples),
        design=result.design,
        certainty=result.certainty,
        control=result.control_means if control else {},
        control_images=len(result.control),
        worst_classes=worst_classes(right) if len(right) == len(result.samples) else [],
        pictures=[] if right else [(sample.pair.label.name, sample.scores) for sample in result.samples],
        flat=result.flat,
        tags=found_by_tag,
        kinds=result.kinds,
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure's sentence in its parts."""

    subject: str
    """Who does what: `mean shift +0.30 breaks toy-latent`."""
    bound: str
    """The first broken bound, and what that rests on."""
    rest: Sequence[str]
    """What else there is to say: the other bounds, the worst classes."""

    def text(self, *more: str) -> str:
        """The whole, with `more` behind it, such as where there is more to see."""
        return f"{self.subject}: {self.predicate(*more)}"

    def predicate(self, *more: str) -> str:
        """The whole without its subject, where that stands beside it."""
        rest = [*self.rest, *filter(None, more)]
        return self.bound + (f"\n    {' · '.join(rest)}" if rest else "")


def failure(of: Judged) -> Failure:
    """Why a case fails, for a person: the first broken bound in full, the others in short, the worst classes."""
    first = next(finding for finding in of.findings if finding.holds is False)
    others = [finding for finding in of.findings if finding is not first]
    aside = [] if first.change is None else [_change(first)]
    aside.append(ruling(first, of))
    if first.score in of.control:
        mean = first.score_kind.format(of.control[first.score])
        on = "" if of.control_images == of.images else f" on {of.control_images} of them"
        aside.append(f"control {mean}{on}")
    rest = [each for each in (own(first, of),) if each]
    rest += map(_beside, others)
    if of.flat:  # also of a few: half precision that a VAE does not bear gives some of them black
        verb = "is" if of.flat == 1 else "are"
        rest.append(f"{of.flat} of {of.images} pictures {verb} of one colour")
    clipped = {score: found.clipped for score, found in of.scores.items() if found.clipped}
    rest += [
        f"{number} {of.kinds[score].title} outside {of.kinds[score].range}, counted as that"
        for score, number in clipped.items()
    ]
    if of.worst_classes:
        rest.append(f"worst classes: {', '.join(f'{name} {right}/{total}' for name, right, total in of.worst_classes)}")
    rest += _worst_prompts(of, tags.plain(first.score)) + _worst_tags(of, tags.plain(first.score))
    said = subject(of.case)
    if first.kind == "max_regression":
        said = worse(of.case)
    elif first.kind == WITHIN:
        said = unlike(of.case, differs=first.is_beyond)
    return Failure(said, f"{comparison(first)} ({', '.join(aside)})", rest)


def _beside(finding: Finding) -> str:
    """Another bound, in short; of a tag there may be nothing to hold against it yet."""
    if math.isnan(finding.measured):
        return f"{finding.score_kind.title}: no pair looked at"
    return comparison(finding) + {True: " ok", False: "", None: " so far"}[finding.holds]


def by_tag(found: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Estimate]:
    """Estimates by tag under the names of the tags' scores."""
    return {tags.score_of(score, tag): each for tag, scores in found.items() for score, each in scores.items()}


def _worst_prompts(of: Judged, score: str, most: int = 3) -> list[str]:
    """`worst prompts: three cups 11.0, two bowls 12.5`: those below the mean of all pairs."""
    values: dict[str, list[float]] = {}
    for name, scores in of.pictures:
        if score in scores:
            values.setdefault(name, []).append(scores[score])
    means = {name: math.fsum(each) / len(each) for name, each in values.items()}
    mean = of.scores.get(score)
    low = [name for name, each in means.items() if mean is not None and each < mean.mean]
    worst = sorted(low, key=lambda name: (means[name], name))[:most]
    shown = {name: name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in worst}
    said = ", ".join(f"{shown[name]} {of.kinds[score].format(means[name])}" for name in worst)
    return [f"worst prompts: {said}"] if worst else []


_LONGEST = 40
"""Characters of a prompt that are shown."""


def _worst_tags(of: Judged, score: str, most: int = 3) -> list[str]:
    """`worst tags: counting 0.31, colours 0.55`: those below the mean of all pairs."""
    mean = of.scores.get(score)
    means = {tag: found[score].mean for tag, found in of.tags.items() if score in found}
    low = [tag for tag, each in means.items() if mean is not None and each < mean.mean]
    worst = sorted(low, key=lambda tag: (means[tag], tag))[:most]
    said = ", ".join(f"{tag} {of.kinds[score].format(means[tag])}" for tag in worst)
    return [f"worst tags: {said}"] if worst else []


def _change(finding: Finding) -> str:
    """What has become of the pairs of a finding beside a baseline."""
    assert finding.change is not None
    if finding.kind != WITHIN:
        return change(finding.change, finding.score_kind, finding.measured)
    return f"{turned(finding.change, finding.score_kind)}, {probability(finding.change.p, finding.change.level)}"


def ruling(finding: Finding, of: Judged) -> str:
    """What a broken bound rests on: `400 images`; of an early verdict the bound that made it, which is one-sided.

    `below 0.60 at 99 %, after 215 of 400 images`: it speaks of the design. The two-sided interval of the model's own
    mean is another thing, and may well hold the bound: see `own`.
    """
    seen = messages.images(of.images, of.design)
    if not of.is_early:
        return seen
    if finding.kind == WITHIN:  # only a design whose mean lies outside ends a case early
        return f"outside at {messages.percent(of.certainty)}, after {seen}"
    side = "below" if finding.kind == "min" else "above"
    return f"{side} {numbers(finding)[1]} at {messages.percent(of.certainty)}, after {seen}"


def own(finding: Finding, of: Judged) -> str:
    """Where the model's own mean lies, or its own drop: `99 % interval of the model's own mean 0.39–0.63`."""
    if finding.kind == "min":
        if finding.low is not None and finding.high is not None:  # of a tail, which is no mean of a score
            return interval(
                finding.low, finding.high, finding.score_kind, of.certainty, of=f"the model's own {_of_tail(finding)}"
            )
        estimate = of.scores.get(finding.score)
        if estimate is None:  # of a foreign file
            return f"{messages.percent(of.certainty)} interval of the model's own mean not known"
        return interval(estimate.low, estimate.high, finding.score_kind, of.certainty, of="the model's own mean")
    if finding.kind == WITHIN:
        return equivalence_power(finding)
    low, high = finding.low, finding.high
    if low is None or high is None:  # of an earlier version's result
        return f"{messages.percent(of.certainty)} interval of the model's own drop not known"
    return interval(low, high, finding.score_kind, of.certainty, of="the model's own drop")


def _of_tail(finding: Finding) -> str:
    tail = tails.of(finding.score)
    return "accuracy in that class" if tail is not None and tail.kind == tails.MIN_CLASS else "share"


def success(of: CaseResult | Judged, *, null: bool) -> str:
    """Why a case passes: its bounds; of a null control also what it would have seen."""
    said = " · ".join(comparison(finding) for finding in of.findings)
    return f"{said} · {minimum_detectable(of.findings)}" if null else said


def harness(of: Judged) -> str:
    """What a null control says whose scores have changed beyond chance."""
    changed = [finding for finding in of.findings if not finding.holds]
    rest = [finding for finding in of.findings if finding.holds]
    return (
        f"error of the harness, not of {of.case.model}: {', '.join(map(comparison, changed))}, which is "
        f"what chance gives at {messages.percent(of.certainty)} over "
        f"{messages.images(of.images, of.design)}\n"
        "    Permuted seed vectors are as likely as those that were drawn, so no score can change. The error is in the "
        "noise, the shift, the pairing, the store or the statistics: trust no verdict of this run until it is found. "
        f"A sound harness gets here in at most {messages.percent(1 - of.certainty)} of all null "
        "controls" + (f" · {' · '.join(map(comparison, rest))}" if rest else "")
    )


def decided_by_test(reason: str) -> str:
    """The reason of a case that passes though its bounds break: its test has no marker of ours."""
    return f"the test decides, and passes: {reason}"


def spoiled_by_teardown(reason: str) -> str:
    """The reason of a case that is an error though it was judged."""
    return f"its test's teardown has failed; before that: {reason}"


def subject(case: Case) -> str:
    """Who does what in a failure: the shift breaks the model, or the model fails unshifted."""
    if case.is_control:
        return f"{case.model} fails without any shift"
    return f"{case.shift} shift {format_magnitude(case.magnitude)} breaks {case.model}"


def worse(case: Case) -> str:
    """`toy-latent is worse than its baseline under mean +0.30`."""
    where = "without a shift" if case.is_control else f"under {case.describe()}"
    return f"{case.model} is worse than its baseline {where}"


def unlike(case: Case, *, differs: bool) -> str:
    """`toy-latent is not shown to be equivalent to its baseline under mean +0.30`; or that it differs from it."""
    where = "without a shift" if case.is_control else f"under {case.describe()}"
    how = "differs by more than it may from" if differs else "is not shown to be equivalent to"
    return f"{case.model} {how} its baseline {where}"


def worst_classes(pictures: Iterable[tuple[str, float]], most: int = 3) -> list[tuple[str, int, int]]:
    """The classes with the lowest top-1 and at least one miss, worst first: name, how many right, of how many.

    Args:
        pictures: of each, its label and its top-1.
        most: how many classes.
    """
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for label, top1 in pictures:
        total[label] += 1
        right[label] += int(top1)
    missed = [name for name in total if right[name] < total[name]]
    missed.sort(key=lambda name: (right[name] / total[name], name))
    return [(name, right[name], total[name]) for name in missed[:most]]
