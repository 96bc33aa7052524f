"""The words of a comparison, for the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.core.messages import some
from pytest_seedshift.core.stats import detectable_drop
from pytest_seedshift.core.stats.paired import TESTS
from pytest_seedshift.results import losses, run_settings
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.results.regression import Comparison, Pool, Row

_NAMED = 5
_SIGNED = 4
"""How many sentences of what is lost the terminal has."""

_MARK = "  REGRESSION"
_NO_CASE = ", though each of its cases passes"
_STEPPED = " by Holm's step: its own test has passed"


def lines(comparison: Comparison) -> list[str]:
    """What a comparison shows: how much has changed, what has become worse, and what it could not see."""
    rows = comparison.rows
    shown = [summary(comparison)]
    shown += [_row(row) for row in rows if row.regressed]
    shown += [_pool(pool) for pool in comparison.pools if pool.regressed or (pool.shift is None and _moved(pool))]
    shown += [f"  {each}" for each in equivalent(comparison)]
    shown += [f"  {each}" for each in signed(comparison, most=_SIGNED)]
    shown += [f"  {note}" for note in notes(comparison)]
    return shown


def worse(comparison: Comparison) -> list[str]:
    """What has become worse: each case, and each pool of cases."""
    found = [f"{_figures(row)}{_STEPPED if row.stepped else ''}" for row in comparison.rows if row.regressed]
    found += [_pooled(pool) for pool in comparison.pools if pool.regressed]
    return [" ".join(each.split()) for each in found]


def equivalent(comparison: Comparison) -> list[str]:
    """How many of the bounds on both sides are shown to hold, and each that is not."""
    asked = comparison.equivalences
    if not asked:
        return []
    known = sum(each.finding.holds is True for each in asked)
    least = max(each.finding.half_width or 0.0 for each in asked)
    told = [
        f"shown to be equivalent: {known} of {messages.count(len(asked), 'bound')} "
        f"(no bound below ±{least:.3g} could be shown of all)"
    ]
    return told + [
        f"  {each.case.model} {each.case.describe()}: {verdict_messages.comparison(each.finding)}"
        for each in asked
        if each.finding.holds is not True
    ]


def signed(comparison: Comparison, most: int | None = None) -> list[str]:
    """What each model loses at most, in sentences; see `losses`.

    Args:
        comparison: with the baseline.
        most: how many sentences; those over all cases come first, then the largest losses.
    """
    found = losses.of(comparison)
    if not found:
        return ["no sentence of what is lost at most: the baseline stopped early"] if comparison.stopped else []
    if most is not None:
        order = sorted(found, key=lambda each: (each.shift is not None, -each.most / comparison.kinds[each.score].span))
        found = [each for each in found if each in order[:most]]
    return [each.sentence for each in found]


def summary(comparison: Comparison) -> str:
    """`against old.json: 31 cases on 12400 pairs: 24 turned wrong and 2 right (top-1) · 1 regression`."""
    first = comparison.rows[0].score
    top1 = [row.change for row in comparison.rows if row.score == first]
    lost, won, pairs = sum(each.lost for each in top1), sum(each.won for each in top1), sum(each.pairs for each in top1)
    count = sum(row.regressed for row in comparison.rows) + sum(pool.regressed for pool in comparison.pools)
    title = comparison.kinds[first].title
    said = f"{lost} turned wrong and {won} right ({title})" if lost or won else "no pair differs"
    if not (lost or won) and any(row.change.lost or row.change.won for row in comparison.rows):
        said = f"no pair differs in {title}"
    gates = any(row.bound is not None for row in comparison.rows)
    none = "" if comparison.equivalences else "no max_regression is set"
    end = messages.count(count, "regression") if count else "no regression" if gates else none
    size = f"{messages.count(len(comparison.cases), 'case')} on {messages.count(pairs, 'pair')}"
    return " · ".join(filter(None, (f"against {comparison.before.name}: {size}: {said}", end)))


def notes(comparison: Comparison) -> list[str]:
    """What a comparison could not see, and which libraries differ."""
    found: list[str] = []
    found += _power(comparison)
    if comparison.gate.family and (
        not comparison.equivalences or any(row.bound is not None for row in comparison.rows)
    ):
        found.append(_family(comparison))
    if comparison.gate.partial:
        found.append("a part of the grid: significance over all cases is decided where all shards are merged")
    if comparison.stopped:
        found.append(
            f"{comparison.before.name} has cases that stopped early: they are compared over the pairs that it has, by "
            f"{TESTS['bets']}. A baseline made with --seedshift-exact has far more power"
        )
    if comparison.missing_before:
        found.append(
            f"not in the baseline, so not compared: {some((case.id for case in comparison.missing_before), _NAMED)}"
        )
    if comparison.missing_after:
        found.append(f"only in the baseline: {some((case.id for case in comparison.missing_after), _NAMED)}")
    found += compared_models(comparison)
    old, new = comparison.before.libraries, comparison.after.libraries
    changed = [
        f"{name} {old.get(name, run_settings.NOT_RECORDED)} → {new.get(name, run_settings.NOT_RECORDED)}"
        for name in dict.fromkeys((*new, *old))
        if old.get(name) != new.get(name)
    ]
    if changed:
        found.append(f"libraries differ, and are a part of what is compared: {', '.join(changed)}")
    return found


def compared_models(comparison: Comparison) -> list[str]:
    """For each model: with which one it was paired, and every difference in what the two were run with."""
    before, after = comparison.before, comparison.after
    pairs = {case.model: comparison.other(case).model for case in comparison.cases}
    compared = []
    for new, old in pairs.items():
        one, other = before.models[old], after.models[new]
        differences = run_settings.differences(one.run_with, other.run_with, (before.name, after.name))
        if not (one.run_with and other.run_with):
            names = ("device", "dtype")
            differences += [
                f"{name} {getattr(one, name)} → {getattr(other, name)}"
                for name in names
                if getattr(one, name) != getattr(other, name)
            ]
        if one.fingerprint != other.fingerprint:
            differences.append(f"fingerprint {one.fingerprint} → {other.fingerprint}")
            differences += [] if len(differences) > 1 else ["no setting differs, so weights or libraries do"]
        alike = f"run alike (fingerprint {one.fingerprint})"
        compared.append(f"{new} is compared with {old} of {before.name}: {'; '.join(differences) or alike}")
    return compared


def _power(comparison: Comparison) -> Iterator[str]:
    """The minimum detectable drop of a case's test, by what is required."""
    by_kind: dict[tuple[str, float], list[Row]] = {}
    for row in comparison.rows:
        if row.bound is not None and row.significant:
            by_kind.setdefault((row.score, row.change.allowed), []).append(row)
    for (score, allowed), rows in by_kind.items():
        kind, known = comparison.kinds[score], [row.change for row in rows if row.change.least is not None]
        null = f"H0: drop ≤ {allowed:g}"
        if not known:
            yield f"underpowered: no drop in {kind.title} is detectable ({null})"
            continue
        least = statistics.median(each.least for each in known if each.least is not None)
        sure = statistics.median(each.least_90 for each in known if each.least_90 is not None)
        under = "underpowered: " if allowed and least > detectable_drop.TIMES * allowed else ""
        yield (
            f"{under}minimum detectable drop in {kind.title}: {least:.3f} at 50 % power, {sure:.3f} at 90 % "
            f"({null}, level {known[0].level:.2g}; median of the cases)"
        )


def _family(comparison: Comparison) -> str:
    number = comparison.gate.tests or (len(comparison.rows) + len(comparison.pools))
    return (
        f"one family of {messages.count(number, 'test')} (Holm): a version that has not changed is found worse "
        f"somewhere in at most {messages.percent(1 - comparison.gate.certainty)} of runs"
    )


@dataclass(frozen=True, slots=True)
class Beyond:
    """What has become worse though each of its cases passes: a pool of them, or what only Holm's later steps find."""

    model: str
    name: str
    """Such as `toy-latent-mean-top1`."""
    what: str
    """Such as `mean, all magnitudes`."""
    sentence: str


def beyond_cases(comparison: Comparison, failed: Collection[Case]) -> list[Beyond]:
    """What has become worse beside the cases that have failed: no failed case shows it.

    Args:
        comparison: of the run with its baseline.
        failed: the cases that do not pass.
    """
    found = [
        Beyond(row.case.model, f"{row.case.id}-{row.score}", row.case.describe(), _of_row(row, comparison))
        for row in comparison.rows
        if row.regressed and row.case not in failed
    ]
    told = {*failed, *(row.case for row in comparison.rows if row.regressed)}
    for pool in comparison.pools:
        ours = [case for case in comparison.cases if case.model == pool.model and pool.shift in (None, case.shift)]
        if pool.regressed and told.isdisjoint(ours):
            name = f"{pool.model}-{pool.shift or 'all'}-{pool.score}"
            found.append(Beyond(pool.model, name, pool.title, _of_pool(pool, comparison)))
    return found


def _of_row(row: Row, comparison: Comparison) -> str:
    """A row of the comparison as a sentence of its own."""
    return _sentence(_figures(row), comparison, _STEPPED if row.stepped else _NO_CASE)


def _of_pool(pool: Pool, comparison: Comparison) -> str:
    return _sentence(_pooled(pool), comparison, _NO_CASE)


def _sentence(figures: str, comparison: Comparison, how: str) -> str:
    return f"{figures}: a regression against {comparison.before.name}{how}"


def not_replaced(comparison: Comparison) -> str | None:
    """Why a run must not replace the baseline that it is compared with; None where it may."""
    before, after = comparison.before, comparison.after
    if any(each.regressed for each in comparison.rows) or any(each.regressed for each in comparison.pools):
        return "this run is worse, and later runs would be compared with it"
    if comparison.regressed:
        return "this run is not shown to be equivalent to it, and later runs would be compared with it"
    others = {comparison.other(case): each for case, each in after.cases.items()}
    lacking = [case.id for case in before.cases if case not in others]
    if lacking:
        return f"this run lacks cases that it has: {some(lacking, _NAMED)}"
    if any(before.cases[case].exact and not each.exact for case, each in others.items() if case in before.cases):
        return "it has whole designs, and this run's verdicts were early: make it with --seedshift-exact"
    return None


def saved(baseline: Baseline, path: str, size: int, *, pictures: bool = False) -> list[str]:
    """What was saved, with the pictures or without, and whether it is good enough to gate on."""
    have = sum(each.pairs for each in baseline.cases.values())
    whole = sum(baseline.designs[each.design].images for each in baseline.cases.values())
    told = [
        f"baseline: {path}, {messages.count(len(baseline.cases), 'case')}, "
        f"{have} of {whole} pairs{' with their pictures' if pictures else ''}, {size / 1000:,.0f} kB"
    ]
    told += [f"  warning: {note}" for note in baseline.notes]
    if any(not each.exact for each in baseline.cases.values()):
        told.append(
            "  warning: its verdicts were early, so it has a part of the pairs only, and only a large drop against it "
            "can be significant. Make it with --seedshift-exact"
        )
    return told


def _row(row: Row) -> str:
    return f"  {_figures(row)}{_MARK}{_STEPPED if row.stepped else ''}"


def _figures(row: Row) -> str:
    kind = row.score_kind
    means = f"{kind.title} {kind.format(row.before)} → {kind.format(row.after)}"
    name = f"{row.case.model} {row.case.describe():<18}"
    change = verdict_messages.change(row.change, kind, row.drop)
    return f"{name} {means}  {change}"


def _pool(pool: Pool) -> str:
    return f"  {_pooled(pool)}{_MARK if pool.regressed else ''}"


def _pooled(pool: Pool) -> str:
    kind = pool.score_kind
    decimals = 3 if kind.top <= 1 else 2
    return (
        f"{pool.model} {pool.title}: {kind.title} drop {pool.drop:.{decimals}f} on {pool.pairs} pairs of "
        f"{pool.cases} cases, allowed {pool.bound:.{decimals}f}, "
        f"{verdict_messages.beyond(pool, kind, pool.drop)}"
    )


def _moved(pool: Pool) -> bool:
    return abs(pool.drop) > 1e-9
