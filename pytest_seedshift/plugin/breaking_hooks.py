"""The hooks of tests that search for a breaking point: collect them, run them, put their records on the reports."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core.searches import Search
from pytest_seedshift.core.test_names import BREAKING_MARKER as MARKER
from pytest_seedshift.core.test_names import BREAKING_RESULT, SUITE
from pytest_seedshift.core.working_directory import at_start
from pytest_seedshift.plugin import border, breaking_collection, breaking_session, collection, unjudged
from pytest_seedshift.plugin.outcomes import set_properties
from pytest_seedshift.studies.breaking_point import messages

if TYPE_CHECKING:
    from pytest_seedshift.plugin.session import State
    from pytest_seedshift.results.schema import Search as Record
    from pytest_seedshift.runner.case_result import OnProgress
    from pytest_seedshift.studies.breaking_point.search import BreakingPoint

_RESULT = pytest.StashKey["BreakingPoint | None"]()


class BreakingHooks:
    """Registered beside those of cases, with which it shares the state of the session."""

    def __init__(
        self,
        state: State,
        progress: OnProgress,
        rest: Callable[[], None],
        collect: Callable[[pytest.Metafunc, Callable[[], Iterable[str]]], None],
        models: Callable[[], tuple[str, ...]],
    ) -> None:
        """`progress` hears of each batch, `rest` of the end of a search.

        `collect` keeps the user's mistakes, and the models that what it calls returns; `models` gives those that are
        known by now.
        """
        self._state = state
        self._progress = progress
        self._rest = rest
        self._collect = collect
        self._models = models

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Make one item for each search of a test."""
        mark, where = metafunc.definition.get_closest_marker(MARKER), metafunc.definition.nodeid

        def make() -> Iterable[str]:
            settings = self._state.settings
            if where.startswith(f"{SUITE}::") and not settings.models:  # the option is about all models of the run
                settings = replace(settings, models=self._models())
            request = breaking_collection.read_marker(settings, self._state.catalogue, mark, where)
            breaking_collection.parametrize(metafunc, request)
            self._state.gating.sought.update(request.searches())
            self._state.needed.ask(request.base.settings.models, scores=request.base.constraints)
            return request.base.settings.models

        self._collect(metafunc, make)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """The marker alone makes an item search."""
        if isinstance(item, pytest.Function) and collection.has(item, Search) and item.get_closest_marker(MARKER):
            collection.request_fixtures(item, BREAKING_RESULT)

    @property
    def start(self) -> Path:
        """The folder in which the session began."""
        return self._state.config.invocation_params.dir

    @at_start
    def search(self, item: pytest.Item, search: Search) -> BreakingPoint:
        """Search; the result stays with the item for its report."""
        from pytest_seedshift.studies.breaking_point import search as trial

        state = self._state

        def result() -> BreakingPoint:
            test, design = breaking_session.test_of(state, item, search), breaking_session.design(state, item, search)
            minimum = breaking_session.minimum(state, item, search)
            return trial.run(state.workbench, search, test, design, minimum, self._progress)

        found = item.stash[_RESULT] = border.or_fail(result)
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """After the test's own assertions, assert the bound of a test that is marked `breaking_point`.

        A search without a bound has measured something and checked nothing: it is skipped with what it has found.
        """
        outcome = yield
        result = pyfuncitem.stash.get(_RESULT, None)
        if result is not None and pyfuncitem.get_closest_marker(MARKER):
            from pytest_seedshift.studies.breaking_point import records

            record = records.of_result(result, pyfuncitem.nodeid)
            if record.verdict == "fail":
                where = self._state.where(record.id)
                pytest.fail(f"{record.reason}\n    {where}" if where else record.reason, pytrace=False)
            if record.verdict == "measured":
                pytest.skip(messages.measured(record))
        return outcome

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Keep no samples of a search that has ended."""
        if item.stash.get(_RESULT, None) is not None:
            del item.stash[_RESULT]
            self._rest()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the search's record on its report, and its figures among JUnit's properties."""
        report = yield
        search = collection.search_of(item)
        if search is not None and collection.is_search(item):
            made = self.record(search, item, report)
            if made is not None:
                from pytest_seedshift.studies.breaking_point import records

                set_properties(item, records.properties(made))
                is_new = item.stash.get(_RESULT, None) is not None
                beside = {"seedshift_model": asdict(self._state.facts(search.model))} if is_new else {}
                unjudged.attach(item, report, {unjudged.SEARCHED: made.built_in(), **beside})
        return report

    @staticmethod
    def record(search: Search, item: pytest.Item, report: pytest.TestReport) -> Record | None:
        """What is to be recorded of a search after a phase of its item."""
        from pytest_seedshift.studies.breaking_point import records

        result = item.stash.get(_RESULT, None)
        if report.failed and (report.when == "setup" or (report.when == "call" and result is None)):
            return records.of_error(search, report.longreprtext, item.nodeid)
        if report.when != "call" or result is None:
            return None
        return records.of_result(result, item.nodeid)
