"""Why a case has its verdict, of a run that is read: made of its findings where it rests on them, else as it is stored.

A reason that is stored is shown as it stands, and not taken apart: it may be anybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.results.statuses import SKIPPED, UNFINISHED, XPASSED
from pytest_seedshift.runner import failures, records
from pytest_seedshift.runner.failures import Failure, Judged

if TYPE_CHECKING:
    from pytest_seedshift.results.run import CaseRun


def text(case: CaseRun) -> str:
    """A case's reason."""
    found = failure(case)
    if found is not None:
        decided = {"pass": failures.decided_by_test, "error": failures.spoiled_by_teardown}.get(case.verdict)
        return found.text() if decided is None else decided(found.text())
    if case.verdict == "pass" and case.findings and case.certainty is not None:
        return failures.success(_judged(case, case.certainty), null=case.null)
    return case.reason


def lines(case: CaseRun) -> list[str]:
    """The same in lines, without whom it is about, which stands beside it."""
    found = failure(case)
    is_plain = found is not None and case.verdict == "fail" and found.subject == failures.subject(case.case)
    told = found.predicate() if found is not None and is_plain else text(case)
    return [line.strip() for line in told.splitlines() if line.strip()]


def failure(case: CaseRun) -> Failure | None:
    """What the findings of a case break; None where they break nothing, or where another reason stands above them."""
    if case.null or case.certainty is None or not any(each.holds is False for each in case.findings):
        return None
    if case.verdict in (SKIPPED, UNFINISHED) or (case.verdict == "fail" and case.outcome == XPASSED):
        return None
    return failures.failure(_judged(case, case.certainty))


def _judged(case: CaseRun, certainty: float) -> Judged:
    tells = records.compares(case.findings)
    samples = case.samples if case.complete else ()
    by_tag = {tag: each.scores for tag, each in case.tags.items()}
    pictures = [(each.label, each.scores["top1"]) for each in samples if "top1" in each.scores]
    return Judged(
        case=case.case,
        findings=case.findings,
        scores={**case.scores, **(case.likeness.scores if case.likeness else {}), **failures.by_tag(by_tag)},
        images=case.images,
        design=case.design,
        certainty=certainty,
        control=case.control_means if tells and case.complete else {},
        control_images=sum(1 for _ in case.paired()),
        worst_classes=failures.worst_classes(pictures),
        pictures=[] if pictures else [(each.label, each.scores) for each in samples],
        flat=case.flat,
        tags=by_tag,
        kinds=case.kinds,
    )
