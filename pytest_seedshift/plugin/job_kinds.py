"""What differs between the kinds of jobs: how one is run, what its record says, on which attribute of a report that is.

A case and a search for a breaking point have records of different forms; all else about their items is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.searches import Search
from pytest_seedshift.plugin import unjudged
from pytest_seedshift.runner import failures, records

if TYPE_CHECKING:
    from typing import Literal

    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.schema import Record
    from pytest_seedshift.results.schema import Search as SearchRecord
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.runner.job import Job
    from pytest_seedshift.runner.job import Kind as KindName
    from pytest_seedshift.runner.needs import Expected, Steps
    from pytest_seedshift.runner.workbench import Workbench
    from pytest_seedshift.studies.breaking_point.search import BreakingPoint

Result: TypeAlias = "CaseResult | BreakingPoint"

Unjudged: TypeAlias = "Literal['error', 'skipped']"
"""The verdict of what was not judged."""


class Kind(Protocol):
    """One of them; `of` finds it."""

    attribute: str
    """Of a report, which has the record."""

    def steps(self, job: Job, bench: Workbench) -> Steps[Any]:
        """The job on its way; see `runner.needs`."""

    def record(self, result: Any, folder: RunFolder, nodeid: str) -> Record | SearchRecord:
        """The record of what was judged."""

    def unjudged(self, subject: Any, reason: str, nodeid: str, verdict: Unjudged = "error") -> Record | SearchRecord:
        """The record of what was not."""

    def fault(self, result: Any) -> str | None:
        """Why the result says that the harness is at fault and not the model; None where it does not."""

    def failure(self, result: Any, where: str) -> str | None:
        """What a test says that is to hold and does not; None where it holds. `where` says where there is more."""

    def only_measured(self, result: Any) -> str | None:
        """What a test says that has measured something and checked nothing; None of any other."""

    def properties(self, record: Any, result: Any = None) -> Sequence[tuple[str, object]]:
        """What JUnit's file says of a record, and of the result that it was made of."""


class _CaseKind:
    """Cases, null controls among them."""

    attribute = unjudged.JUDGED

    def __init__(self, *, null: bool = False) -> None:
        self._null = null

    def steps(self, job: Job, bench: Workbench) -> Steps[CaseResult]:
        from pytest_seedshift.runner import sequential

        return sequential.steps(bench, job.case, job.test, job.design)

    def record(self, result: CaseResult, folder: RunFolder, nodeid: str) -> Record:
        return records.of_result(result, folder, nodeid)

    def unjudged(self, subject: Case, reason: str, nodeid: str, verdict: Unjudged = "error") -> Record:
        return records.of_error(subject, reason, nodeid, null=self._null, verdict=verdict)

    def fault(self, result: CaseResult) -> str | None:
        return failures.harness(failures.judged(result)) if self._null and not result.passed else None

    def failure(self, result: CaseResult, where: str) -> str | None:
        return None if result.passed else failures.failure(failures.judged(result)).text(where)

    def only_measured(self, result: CaseResult) -> str | None:
        return None

    def properties(self, record: Record, result: CaseResult | None = None) -> Sequence[tuple[str, object]]:
        return records.properties(record, None if result is None else result.control_means)


class _SearchKind:
    """Searches for breaking points. Their modules need numpy, which nobody shall load who searches for none."""

    attribute = unjudged.SEARCHED

    def steps(self, job: Job, bench: Workbench) -> Steps[BreakingPoint]:
        from pytest_seedshift.core.stats.sequential import SequentialTest
        from pytest_seedshift.studies.breaking_point import search

        assert job.search is not None
        assert isinstance(job.test, SequentialTest)
        return search.steps(bench, job.search, job.test, job.design, job.minimum)

    def record(self, result: BreakingPoint, folder: RunFolder, nodeid: str) -> SearchRecord:
        from pytest_seedshift.studies.breaking_point import records as searched

        return searched.of_result(result, nodeid)

    def unjudged(self, subject: Search, reason: str, nodeid: str, verdict: Unjudged = "error") -> SearchRecord:
        from pytest_seedshift.studies.breaking_point import records as searched

        return searched.of_error(subject, reason, nodeid, verdict)

    def fault(self, result: BreakingPoint) -> str | None:
        return None

    def failure(self, result: BreakingPoint, where: str) -> str | None:
        if result.verdict != "fail":
            return None
        reason = self._record(result).reason
        return f"{reason}\n    {where}" if where else reason

    def only_measured(self, result: BreakingPoint) -> str | None:
        if result.verdict != "measured":
            return None
        from pytest_seedshift.studies.breaking_point import messages

        return messages.measured(self._record(result))

    @staticmethod
    def _record(result: BreakingPoint) -> SearchRecord:
        from pytest_seedshift.studies.breaking_point import records as searched

        return searched.of_result(result, "")

    def properties(self, record: SearchRecord, result: BreakingPoint | None = None) -> Sequence[tuple[str, object]]:
        from pytest_seedshift.studies.breaking_point import records as searched

        return searched.properties(record)


_KINDS: dict[KindName, Kind] = {
    "reliability": _CaseKind(),
    "null_control": _CaseKind(null=True),
    "breaking_point": _SearchKind(),
}


def of(kind: KindName) -> Kind:
    """The kind of a name."""
    return _KINDS[kind]


def expected(job: Job, bench: Workbench) -> Expected:
    """A job as the scheduler is asked for it."""
    from pytest_seedshift.runner.needs import Expected

    is_control = job.kind == "reliability" and job.case.is_control
    return Expected(job.nodeid, job.model, lambda: of(job.kind).steps(job, bench), is_control)


def record_of(report: object) -> Record | SearchRecord | None:
    """The record on a report of pytest's, where it is in built-in types; None where it has none."""
    found: records.Values | None = getattr(report, unjudged.JUDGED, None) or getattr(report, unjudged.SEARCHED, None)
    return None if found is None else records.of_values(found)


def subject_of(told: Sequence[Any]) -> Subject:
    """A case or a search of its fields, behind the name of its class, as a worker of pytest-xdist tells them."""
    name, *fields = told
    return (Search if name == Search.__name__ else Case)(*fields)
