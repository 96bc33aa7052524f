"""The words of a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tails
from pytest_seedshift.core.scores import NULL, WITHIN

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.scores import Change, Estimate, Finding
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.results.regression import Pool
    from pytest_seedshift.results.schema import Record, Score
    from pytest_seedshift.runner.case_result import Progress

_NOTHING = 0.5
"""The p-value of bets from which on they have seen next to nothing: they have at most doubled their stake."""


def minimum_detectable(findings: Sequence[Finding]) -> str:
    """`minimum detectable change at 90 % power (at 50 %): top-1 0.052 (0.033), …`."""

    def detectable(finding: Finding) -> str:
        title = finding.score_kind.title
        if finding.least is None or finding.least_90 is None:
            return f"{title} none (too few pairs)"
        return f"{title} {finding.least_90:.2g} ({finding.least:.2g})"

    return f"minimum detectable change at 90 % power (at 50 %): {', '.join(map(detectable, findings))}"


def change(of: Change, kind: ScoreKind, drop: float) -> str:
    """`26 pairs of 400 turned wrong and 2 right, p 4e-06`, of a drop of the mean."""
    return f"{turned(of, kind)}, {beyond(of, kind, drop)}"


def turned(of: Change, kind: ScoreKind) -> str:
    """`26 pairs of 400 turned wrong and 2 right`."""
    from pytest_seedshift.core.stats import paired  # numpy, which collecting does without

    down, up = ("wrong", "right") if kind.binary else ("lower", "higher")
    least = "" if kind.binary else f" by more than {paired.unseen(kind):g}"
    lost = messages.count(of.lost, "pair")
    return f"{lost} of {of.pairs} turned {down} and {of.won} {up}{least}"


def beyond(of: Change | Pool, kind: ScoreKind, drop: float) -> str:
    """How a drop stands against chance: its p-value, or that there are too few pairs for one that says something."""
    if not too_few(of, drop):
        return probability(of.p, of.level)
    if of.least is None:
        return "underpowered: no drop is detectable"
    if of.least <= drop:  # of a case that stopped: its whole design might have shown it
        return "underpowered: too few pairs"
    return f"underpowered: minimum detectable drop {of.least:.{3 if kind.top <= 1 else 1}f}"


def too_few(of: Change | Pool, drop: float) -> bool:
    """Whether a p-value says how few pairs there are, and nothing of a drop that is larger than what it is about.

    Either no drop at all could have been found, or bets, of which most have lost on so few pairs, have seen next to
    nothing in it.
    """
    if drop <= of.allowed + 1e-9 or of.p <= of.level:
        return False
    return of.least is None or (of.test == "bets" and of.p >= _NOTHING)


def probability(p: float, level: float | None = None) -> str:
    """`p 0.21`, `p 4e-06`; with the significance level, `p 4e-06, level 0.01`."""
    return f"p {p:.2g}" if level is None else f"p {p:.2g}, level {level:.2g}"


def comparison(finding: Finding, *, beside: str = "") -> str:
    """A bound against its measurement: `top-1 0.41 < 0.60`, `top-1 drop 0.56 > 0.10`.

    Of a minimum, `beside` stands beside what was measured.
    """
    kind = finding.score_kind
    measured, bound = numbers(finding)
    if finding.kind == NULL:
        size, most = messages.apart(abs(finding.measured), finding.bound, "{:.2f}".format)
        signed = f"{'-' if finding.measured < 0 else '+'}{size}"
        if finding.holds is None:
            return f"{kind.title} drop {signed}"
        return f"{kind.title} drop {signed} {'within' if finding.holds else 'beyond'} ±{most}"
    if finding.kind == "min":
        below = finding.is_beyond if finding.holds is None or finding.p is not None else not finding.holds
        return f"{kind.title} {measured}{beside} {'<' if below else '≥'} {bound}{_by_chance(finding, below)}"
    above = finding.is_beyond if finding.holds is None else not finding.holds
    if finding.kind == WITHIN:
        return equivalence(finding)
    if finding.kind == "max_regression":
        within = finding.holds is True and finding.is_beyond and finding.change is not None
        said = f"{kind.title} drop {measured} {'>' if above or within else '≤'} {bound} against the baseline"
        by_chance = (
            f", not significant ({beyond(finding.change, kind, finding.measured)})" if within and finding.change else ""
        )
        return said + by_chance
    if finding.p is not None:
        above = finding.is_beyond
    return f"{kind.title} drop {measured} {'>' if above else '≤'} {bound}{_by_chance(finding, above)}"


def equivalence(finding: Finding) -> str:
    """Of a bound on both sides, what is shown: `CLIP drop -0.011 within ±0.060 of the baseline (own -0.04 to 0.02)`."""
    places = max(3, 1 - math.floor(math.log10(finding.bound)))

    def shown(value: float) -> str:
        return f"{value:.{places}f}"

    how = {True: "within", None: "so far, of"}.get(finding.holds, "not shown to be within")
    drop, bound = shown(finding.measured), shown(finding.bound)
    if finding.is_beyond:
        how = "outside" if finding.holds is False else how
        size, bound = messages.apart(abs(finding.measured), finding.bound, shown)
        drop = f"-{size}" if finding.measured < 0 else size
    said = f"{finding.score_kind.title} drop {drop} {how} ±{bound} of the baseline"
    if finding.low is None or finding.high is None:
        return said
    return f"{said} (the model's own {shown(finding.low)} to {shown(finding.high)})"


def equivalence_power(finding: Finding) -> str:
    """What could have been seen: `on this many pairs with such a spread no bound below ±0.042 can be shown`."""
    if finding.half_width is None:
        return ""
    return f"on this many pairs with such a spread no bound below ±{finding.half_width:.3g} can be shown"


def required(kind: str, of: ScoreKind, least: float, most: float | None = None) -> str:
    """What a bound asks: `≥ 0.60`, `within ±0.002 of the baseline`; of several, from the least to the most."""
    more = most is not None and most != least
    if kind == WITHIN:
        span = f"±{least:.3g}" + (f" to ±{most:.3g}" if more else "") + " of the baseline"
    else:
        span = of.format(least) + (f" to {of.format(most)}" if more and most is not None else "")
    return f"{asked_as(kind)} {span}" + (", by case" if more else "")


def _by_chance(finding: Finding, broken: bool) -> str:
    """Of a bound that holds though the mean is beyond it, why: the certainty is that of the whole grid."""
    if not (broken and finding.holds and finding.p is not None):
        return ""
    return f", not significant ({probability(finding.p, finding.level)})"


def numbers(finding: Finding) -> tuple[str, str]:
    """What was measured, and the bound, with as many digits as it takes to see that it breaks."""
    shown = finding.score_kind.format
    if finding.is_beyond:  # a difference that two decimals may not show
        return messages.apart(finding.measured, finding.bound, shown)
    return shown(finding.measured), shown(finding.bound)


def mean(found: Estimate | Score, kind: ScoreKind, *, early: bool) -> str:
    """A score's mean as it stands in tables: `0.98`; `≈0.98` where it is early and so leans towards its verdict."""
    return f"{'≈' if early else ''}{kind.format(found.mean)}"


def early(looked: Sequence[tuple[int, int]]) -> str:
    """What ≈ says of early means, of each of which are given the images that were looked at and those of its design."""
    seen, designs = (messages.span([each[place] for each in looked]) for place in (0, 1))
    return (
        f"an early mean, as the verdict needed only {seen} of {designs} images. It leans towards the verdict, more so "
        "with fewer images, and is no estimate of the model. A run with --seedshift-exact gives the means."
    )


def asked_as(kind: str) -> str:
    """What a kind of bound asks, in front of its value: `≥`, `drop ≤`."""
    return {"min": "≥", "max_regression": "drop against the baseline ≤", WITHIN: "within"}.get(kind, "drop ≤")


def interval(low: float, high: float, kind: ScoreKind, certainty: float, *, of: str) -> str:
    """`99 % interval of the model's own mean 0.30–0.53`; `-0.02 to 0.53` where it begins below 0."""
    to = " to " if low < 0 else "–"
    return f"{messages.percent(certainty)} interval of {of} {kind.format(low)}{to}{kind.format(high)}"


def progress(at: Progress, pace: float | None, left: float | None) -> str:
    """How long the run still takes, how far a case has come, what it waits for, and how fast.

    `about 5 s left · toy-latent mean +0.30: 74 of 400 images, about 214 expected · top-1 0.41 (0.30–0.53) < 0.60 · 41
    images/s`. What matters most stands in front: a terminal of 80 columns cuts the rest.
    """
    from pytest_seedshift.core.stats.sequential import estimate

    soon = "" if left is None else f"about {messages.duration(left)} left · "
    parts = [f"  {soon}{at.case.model} {at.case.describe()}: {at.images} of {at.design} images"]
    if at.expected < at.design:
        parts[0] += f", about {at.expected} expected"
    if at.images:
        beside = ""
        if at.leading.kind == "min" and tails.of(at.leading.score) is None:
            kind = at.leading.score_kind
            found = estimate(kind, at.values, certainty=at.certainty, stopped=True)
            beside = f" ({kind.format(found.low)}–{kind.format(found.high)})"
        parts.append(comparison(at.leading, beside=beside))
    return " · ".join([*parts, *_pace(pace, None)])


def progress_of_all(
    in_work: Sequence[Mapping[str, Any]], ended: int, cases: int, pace: float | None, left: float | None
) -> str:
    """`5 of 31 cases · in work: toy-latent mean +0.30 (74/214), … · 70 images/s · about 20 s left`."""
    now = ", ".join(f"{each['case']} ({each['images']}/{each['expected']})" for each in in_work)
    done = f"  {ended} of {cases} cases" if cases else f"  {messages.count(ended, 'case')}"
    return " · ".join([done, *_pace(pace, left), *([f"in work: {now}"] if now else [])])


def _pace(pace: float | None, left: float | None) -> list[str]:
    parts = []
    if pace is not None:
        parts.append(messages.rate(pace))
    if left is not None:
        parts.append(f"about {messages.duration(left)} left")
    return parts


def figures(record: Record, kinds: Mapping[str, ScoreKind]) -> str:
    """The scores of a record, as far as they are known: `top-1 0.98  top-5 1.00  CLIP 46.2`."""
    known = ((kinds[score], found) for score, found in record.scores.items() if score in kinds)
    return "  ".join(f"{kind.title} {kind.format(found.mean)}" for kind, found in known)


def robustness_of(models: Sequence[str]) -> str:
    """`Robustness of toy-latent and toy-glide`: what a report of models is called."""
    *others, last = models
    return f"Robustness of {', '.join(others)} and {last}" if others else f"Robustness of {last}"


def kept(samples: str) -> str:
    """What becomes of a run's samples where it ends before its end; `samples` is where they lie, empty: nowhere."""
    if not samples:
        return "The samples of this run are lost: its store was removed while it ran"
    return f"Samples that were finished are kept in {samples}; the next run goes on from them"


def death(case: Subject, worker: str, cause: str, samples: str) -> str:
    """Why there is no verdict about a case whose worker has died."""
    how = f" ({cause})" if cause else ""
    return (
        f"worker {worker} died{how} while it had {case.model}, {case.describe()} in work: no verdict. {kept(samples)}"
    )


def poisoned(case: Subject, error: BaseException, samples: str) -> str:
    """Why a process ends after a CUDA error."""
    return (
        f"{case.model}, {case.describe()}: no verdict, because of a CUDA error: {messages.first_line(error)}. "
        f"After it nothing that this process does on the GPU works, so it ends. {kept(samples)}. "
        "CUDA_LAUNCH_BLOCKING=1 shows where such an error comes from"
    )
