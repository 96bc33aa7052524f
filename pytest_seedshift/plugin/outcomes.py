"""From pytest's outcome of a test to its record: they say the same.

pytest has six outcomes, and others than pytest change them: marks (`skip`, `xfail`), a test's own assertions, wrappers
of a conftest, plugins. So a record is made final by the outermost hook, when all others have had their word.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pytest

from pytest_seedshift.core import text
from pytest_seedshift.core.test_names import PARAMETER
from pytest_seedshift.plugin import collection, job_kinds, terminal_output, unjudged
from pytest_seedshift.reporting import junit
from pytest_seedshift.results.statuses import SKIPPED, XFAILED, XPASSED
from pytest_seedshift.runner import failures, records

if TYPE_CHECKING:
    from pytest_seedshift.plugin.item_jobs import ItemJobs
    from pytest_seedshift.results.schema import Record, Search
    from pytest_seedshift.runner.job import Request

Make: TypeAlias = "Callable[[pytest.Item, pytest.TestReport], Record | Search | None]"
"""Makes the record of an item's last result, as far as its report's phase has one."""

_STRICT = "[XPASS(strict)]"
"""With this begins what pytest says of a test that was to fail and has passed, where that fails it."""


class Outcomes:
    """Registered after all others that have a part in reports."""

    def __init__(self, jobs: ItemJobs, make: Make) -> None:
        """`make` makes the record of the last result: there may be attempts."""
        self._jobs = jobs
        self._make = make

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the final record on its report, and make harmless what the report says: it is shown, and has names."""
        if call.when == "setup":  # another attempt has another record
            item.stash[unjudged.RECORDED] = None
        report = yield
        if PARAMETER in getattr(getattr(item, "callspec", None), "params", ()):
            if not item.stash.get(unjudged.IN_WORK, False):
                self._settle(item, report)
            error = None if call.excinfo is None else call.excinfo.value
            terminal_output.clean_report(report, message=getattr(error, "pytrace", True) is False)
        return report

    def _settle(self, item: pytest.Item, report: pytest.TestReport) -> None:
        subject, name = collection.subject_of(item), collection.kind_of(item)
        if subject is None or name is None or report.when not in ("setup", "call"):
            return
        request = self._request(item)
        if request is not None and request.is_implicit:
            _expect_nothing(report)
        kind = job_kinds.of(name)
        values = unjudged.recorded(item, report, kind.attribute)
        first = None if values is None else records.of_values(values)
        made = self._make(item, report) or first
        if made is None:
            if report.passed:
                return
            reason = _said(report) if report.skipped else _text(report)
            made = kind.unjudged(subject, reason, item.nodeid, "skipped" if report.skipped else "error")
        record = settled(made, report, is_marked=request is None or request.is_marked)
        unjudged.attach(item, report, {kind.attribute: record.built_in()})
        unjudged.hold(item, report)
        if first is None or (first.verdict, first.reason) != (record.verdict, record.reason) or record.outcome:
            set_properties(item, _properties(record, fresh=first is None))

    def _request(self, item: pytest.Item) -> Request | None:
        """What an item asks for; None where its marker cannot be used: then nothing was judged."""
        try:
            return self._jobs.request(item)
        except pytest.UsageError:
            return None


def settled(record: Record | Search, report: pytest.TestReport, *, is_marked: bool) -> Record | Search:
    """A record that says what pytest says of its test.

    Args:
        record: of what was judged.
        report: with its final outcome.
        is_marked: whether the test is to hold by our marker. Without one the test decides by what it asserts.
    """
    return record.model_copy(update=_changes(record, report, is_marked=is_marked))


def _changes(record: Record | Search, report: pytest.TestReport, *, is_marked: bool) -> dict[str, str]:
    from pytest_seedshift.results import schema

    expected, verdict = getattr(report, "wasxfail", None), record.verdict
    changes = {}
    if expected is not None and (report.skipped or report.passed):
        changes = {"outcome": XFAILED if report.skipped else XPASSED, "xfail": _reason(expected)}
    if report.skipped:
        if expected is not None and verdict == "pass":
            changes |= {"verdict": "fail", "reason": f"the test fails, as expected: {_reason(expected)}"}
        elif expected is None and verdict != "measured":
            changes |= {"verdict": SKIPPED, "reason": _said(report)}
    elif report.failed:
        said = _said(report)
        if said.startswith(_STRICT):
            why = said.removeprefix(_STRICT).strip()
            changes |= {"verdict": "fail", "reason": f"{said}: it passes", "outcome": XPASSED, "xfail": why}
        elif verdict not in ("fail", "error"):
            # A test may assert more than the thresholds. A case whose test fails has not passed.
            before = "" if isinstance(record, schema.Record) else f"{record.reason}; "
            changes |= {"verdict": "fail", "reason": f"{before}{said}"}
    elif verdict == "fail" and not is_marked:
        changes |= {"verdict": "pass", "reason": failures.decided_by_test(record.reason)}
    return changes


def _expect_nothing(report: pytest.TestReport) -> None:
    """Let a test pass that may fail as expected and does not: the expectation is about the other cases."""
    if report.failed and _text(report).startswith(_STRICT):
        report.outcome, report.longrepr = "passed", None
    if report.passed:
        vars(report).pop("wasxfail", None)


def _properties(record: Record | Search, *, fresh: bool) -> list[tuple[str, object]]:
    """What JUnit's file is to say of a record; of one that is not `fresh` it knows all but the outcome."""
    names = ("seedshift_verdict", "seedshift_outcome", "seedshift_xfail")
    return [each for each in junit.properties_of(record) if fresh or each[0] in names]


def _reason(expected: object) -> str:
    return text.line(str(expected).removeprefix("reason: "))


def _text(report: pytest.TestReport) -> str:
    """All that a report says."""
    return "" if report.longrepr is None else report.longreprtext


def _said(report: pytest.TestReport) -> str:
    """Why a test has failed, or was skipped, in a line."""
    if report.skipped:
        told = report.longrepr
        reason = told[2] if isinstance(told, tuple) else _reason(getattr(report, "wasxfail", _text(report)))
        return text.line(reason.removeprefix("Skipped: "))
    whole = _text(report)
    if whole.startswith((_STRICT, "contains ")):
        return whole if whole.startswith(_STRICT) else f"the test {whole}"
    lines = [line for line in whole.splitlines() if line.startswith("E ")] or whole.splitlines()
    return f"the test's own assertion: {lines[0].removeprefix('E').strip()}" if lines else "its test has failed"


def set_properties(item: pytest.Item, properties: Sequence[tuple[str, object]]) -> None:
    """Put properties on an item, in place of those of an earlier attempt at it."""
    names = {name for name, _ in properties}
    item.user_properties[:] = [each for each in item.user_properties if each[0] not in names]
    item.user_properties.extend(properties)
