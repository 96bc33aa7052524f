"""pytest-html's page: columns of scores, a strip of pictures for each case, a figure on top."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from pytest_seedshift.core import messages, text
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.models import needed_scorers
from pytest_seedshift.plugin import collection, job_kinds
from pytest_seedshift.reporting import elements, tally
from pytest_seedshift.reporting.html import data_uri, fill
from pytest_seedshift.runner import marks, records, verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.plugin.console import Console
    from pytest_seedshift.plugin.results_collector import ResultsCollector
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.plugin.session_report import SessionReport
    from pytest_seedshift.results.schema import Record, Search

_PLACE = 2
"""Behind pytest-html's columns for result and test."""


class HtmlReport:
    """Hooks of pytest-html; registered where it writes a report. Without cases they change nothing."""

    def __init__(self, session: Session, collector: ResultsCollector, ending: SessionReport, console: Console) -> None:
        """`ending` knows where the robustness report lies, and what chance explains."""
        self._session = session
        self._collector = collector
        self._ending = ending
        self._console = console
        self._page: Any = None
        self._has_columns = False
        self._columns: tuple[str, ...] = ()
        self._kinds = SHIPPED
        self._collected: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Keep the page: it learns its columns when it is known that there are cases."""
        self._page = report
        if self._session.settings.models:
            report.title = text.line(f"Reliability of {', '.join(self._session.settings.models)}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Add the columns. pytest-xdist's controller does not collect: there `add_columns` is called."""
        self._collected = {subject.model for subject in map(collection.subject_of, session.items) if subject}
        if self._session.settings.models or self._collected:
            self.add_columns()

    def add_columns(self) -> None:
        """Add the columns of a session that has cases, once."""
        if self._page is not None and not self._has_columns:
            measured: list[str] = []
            with suppress(pytest.UsageError):  # which will be said
                measured = self._measured()
            self._columns = ("model", "shift", "magnitude", *measured, "images")
            header = list(self._page.table_header)
            header[_PLACE:_PLACE] = [
                f'<th class="sortable" data-column-type="{name}">{_shown(_title(name, self._kinds))}</th>'
                for name in self._columns
            ]
            self._page.table_header = header
            self._has_columns = True

    def _measured(self) -> list[str]:
        """The scores that something asks for: a column of any other would be empty."""
        self._kinds = self._session.scores | self._collector.kinds
        models = {*self._session.settings.models, *self._collector.manifest.get("models", ()), *self._collected}
        needs = [self._session.needs(model) for model in models] or [needed_scorers.ALL]
        shipped = {score for each in needs for scorer in each for score in needed_scorers.SCORES.get(scorer, ())}
        return [score for score in self._kinds if score in shipped or score not in BUILT_IN]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Fill the columns; other tests leave theirs empty."""
        if self._has_columns and cells:
            record = job_kinds.record_of(report)
            values = [_value(record, name, self._kinds) if record else "" for name in self._columns]
            cells[_PLACE:_PLACE] = [
                f'<td class="col-{name}">{value}</td>' for name, value in zip(self._columns, values, strict=True)
            ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put the strip of pictures into the case's row."""
        values = getattr(report, "seedshift", None)
        if values and values["pictures"] and self._page is not None:
            from pytest_html import extras

            with self._told(f"pictures of {values['id']}"):
                strip = elements.strip(records.case_of_values(values), self._session.folder.path)
                report.extras = [*getattr(report, "extras", []), extras.html(strip)]  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, summary: list[str]) -> None:
        """The verdicts in a sentence a model, and the figure."""
        if any(record.scores for record in self._collector.cases):
            from pytest_seedshift.reporting import plots

            figure = None
            with self._told("figure"):
                cases = tally.distinct_records(self._collector.cases)  # one point a case, however many tests judge it
                svg = plots.scores_by_magnitude(cases, self._collector.kinds)
                figure = data_uri(svg.encode(), "image/svg+xml")
            with self._told("summary"):
                closing, report = self._ending.closing, self._link_to_report()
                values: dict[str, Any] = {"sentences": closing.verdicts, "chance": closing.chance, "figure": figure}
                summary.append(fill("summary.html.jinja2", **values, report=report))

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn an error into a warning: a page that lacks something is no reason to end the session."""
        try:
            yield
        except Exception as error:
            path = self._session.config.getoption("htmlpath")
            said = f"seedshift: warning: {path} has no {what} ({type(error).__name__}: {messages.first_line(error)})"
            self._console.write([said], always=True)

    def _link_to_report(self) -> str | None:
        """Where the robustness report lies, as seen from this page; None where there is none."""
        report = self._session.report
        if not self._ending.closing.page or report is None:
            return None
        here = Path(self._session.config.getoption("htmlpath")).absolute().parent
        return quote(Path(os.path.relpath(report, here)).as_posix())


def _shown(value: object) -> str:
    """Any text as HTML."""
    return escape(text.line(value))


def _title(column: str, kinds: ScoreRegistry) -> str:
    title = kinds[column].title if column in kinds else column
    return title[0].upper() + title[1:]


def _value(record: Record | Search, column: str, kinds: ScoreRegistry) -> str:
    if column not in ("magnitude", *kinds):
        return _shown(getattr(record, column))
    from pytest_seedshift.results import schema

    if isinstance(record, schema.Search):
        from pytest_seedshift.studies.breaking_point import messages as breaking_messages

        return _shown(breaking_messages.point(record)) if column == "magnitude" else ""
    if column == "magnitude":
        return _shown(format_magnitude(record.magnitude))
    estimate = record.scores.get(column)
    if estimate is None:
        return ""
    score = kinds[column]
    kind = "broken" if record.breaks(column) else "mean"
    mark = marks.of(record, column).removeprefix(marks.BROKEN)  # that is in bold
    mean = f'<span class="seedshift-{kind}">{verdict_messages.mean(estimate, score, early=record.early)}{mark}</span>'
    interval = f"{score.format(estimate.low)}–{score.format(estimate.high)}"
    return f'{mean} <span class="seedshift-interval">{interval}</span>'
