"""The words of a verdict."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_seedshift.verdict import CERTAINTY, SCORES

if TYPE_CHECKING:
    from pytest_seedshift.verdict import Estimate, Finding
    from pytest_seedshift.workbench import CaseResult


def failure(result: CaseResult, pictures: str) -> str:
    """Why a case fails, for a person: the first broken bound in full, the others in short, the worst classes."""
    broken = [finding for finding in result.findings if not finding.holds]
    first = broken[0]
    others = [finding for finding in result.findings if finding is not first]
    control = result.control_mean(first.score)
    aside = [
        interval(result.scores[first.score], first.score),
        f"{len(result.samples)} images",
        *(
            [f"control {SCORES[first.score].format(control)}"]
            if control is not None and not result.case.is_control
            else []
        ),
    ]
    rest = [f"{comparison(finding)}{' ok' if finding.holds else ''}" for finding in others]
    worst = worst_classes(result)
    if worst:
        rest.append(f"worst classes: {', '.join(f'{name} {right}/{of}' for name, right, of in worst)}")
    rest.append(f"pictures: {pictures}")
    return f"{subject(result)}: {comparison(first)} ({', '.join(aside)})\n    {' · '.join(rest)}"


def success(result: CaseResult) -> str:
    """Why a case passes: its bounds."""
    return " · ".join(comparison(finding) for finding in result.findings)


def subject(result: CaseResult) -> str:
    """Who does what in a failure: the shift breaks the model, or the model fails unshifted."""
    case = result.case
    if case.is_control:
        return f"{case.model} fails without any shift"
    name, _, magnitude = case.describe().rpartition(" ")
    return f"{name} shift {magnitude} breaks {case.model}"


def comparison(finding: Finding) -> str:
    """A bound against its measurement: `top-1 0.41 < 0.60`, `top-1 drop 0.56 > 0.10`."""
    kind = SCORES[finding.score]
    measured, bound = kind.format(finding.measured), kind.format(finding.bound)
    if measured == bound and not finding.holds:  # a difference that two decimals do not show
        measured, bound = f"{finding.measured:.4g}", f"{finding.bound:.4g}"
    if finding.kind == "min":
        return f"{kind.title} {measured} {'≥' if finding.holds else '<'} {bound}"
    return f"{kind.title} drop {measured} {'≤' if finding.holds else '>'} {bound}"


def interval(estimate: Estimate, score: str) -> str:
    """`99 % interval 0.30–0.53`."""
    kind = SCORES[score]
    return f"{CERTAINTY:.0%}".replace("%", " %") + f" interval {kind.format(estimate.low)}–{kind.format(estimate.high)}"


def worst_classes(result: CaseResult, most: int = 3) -> list[tuple[str, int, int]]:
    """The classes with the lowest top-1 and at least one miss, worst first: name, how many right, of how many."""
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for sample in result.samples:
        total[sample.pair.label.name] += 1
        right[sample.pair.label.name] += int(sample.scores["top1"])
    missed = [name for name in total if right[name] < total[name]]
    missed.sort(key=lambda name: (right[name] / total[name], name))
    return [(name, right[name], total[name]) for name in missed[:most]]


def duration(seconds: float) -> str:
    """`48 s`, `1 min 44 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
