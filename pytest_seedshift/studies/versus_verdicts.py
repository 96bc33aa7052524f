"""The verdict of a model beside a base: whether it fails by itself, or only where the base fails too.

A case is shared where the base fails it as well: every bound that breaks there is absolute, a minimum or a largest
drop, and breaks in the base too, no bound on the comparison breaks or is undecided, and no score is significantly lower
than the base's on the same pairs. That is tested as a gate without an allowance does, at the certainty of a case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_seedshift.core import likeness
from pytest_seedshift.results import regression
from pytest_seedshift.results.baseline import BaselineError

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.scores import Finding
    from pytest_seedshift.results.baseline import Baseline

AS_BASE = "as_base"
"""The verdict of a model that fails only where its base fails too; the others are `pass`, `fail` and `error`."""

_ABSOLUTE = ("min", "max_drop")
"""The kinds of bounds that ask nothing of a comparison with a baseline, but for likeness to its pictures."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A case that is not passed.

    Attributes:
        case: which.
        status: `fail` or `error`.
        reason: why, in words.
        findings: what was asked of it.
    """

    case: Case
    status: str = "fail"
    reason: str = ""
    findings: tuple[Finding, ...] = ()

    def broken(self) -> set[tuple[str, str]]:
        """Score and kind of each absolute bound that breaks."""
        return {(each.score, each.kind) for each in self.findings if each.holds is False and _is_absolute(each)}

    @property
    def compares(self) -> bool:
        """Whether a bound on the comparison with the base breaks, or was not decided."""
        return any(not each.holds and not _is_absolute(each) for each in self.findings)


def _is_absolute(finding: Finding) -> bool:
    return finding.kind in _ABSOLUTE and likeness.measure_of(finding.score) is None


def shared(
    base: tuple[str, Baseline, Sequence[Failed]], other: tuple[str, Baseline, Sequence[Failed]], certainty: float
) -> tuple[Case, ...]:
    """The cases of a model that it fails only as its base does; see the module.

    Args:
        base: name, samples, and cases that are not passed.
        other: the model's.
        certainty: with which a loss is one.
    """
    model, before, theirs = base
    known = {each.case: each for each in theirs if each.status == "fail"}
    name, after, ours = other
    found = []
    for each in ours:
        same = known.get(replace(each.case, model=model))
        if each.status != "fail" or same is None or each.compares or not each.broken():
            continue
        if each.broken() <= same.broken() and not _is_worse(before, after, each.case, (name, model), certainty):
            found.append(each.case)
    return tuple(found)


def _is_worse(before: Baseline, after: Baseline, case: Case, names: tuple[str, str], certainty: float) -> bool:
    """Whether a score of a case is significantly lower than the base's; so is what cannot be compared."""
    if case not in after.cases:
        return True
    gate = regression.Gate(certainty=certainty, models=dict([names]), partial=True)
    try:
        found = regression.compare(before, replace(after, cases={case: after.cases[case]}), gate)
    except BaselineError:
        return True
    return any(row.regressed for row in found.rows)


def verdict(failed: Sequence[Failed], shared: Sequence[Case], beside: Sequence[str]) -> str:
    """The verdict of a model.

    Args:
        failed: its cases that are not passed.
        shared: those of them that are shared with the base.
        beside: what fails its run beside its cases.
    """
    if any(each.status == "error" for each in failed):
        return "error"
    if beside or any(each.case not in shared for each in failed):
        return "fail"
    return AS_BASE if failed else "pass"
