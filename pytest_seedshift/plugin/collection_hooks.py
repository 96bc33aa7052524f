"""The hooks that make items of tests: one for each case, and one for each search for a breaking point."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.searches import Search
from pytest_seedshift.core.test_names import BREAKING_MARKER, BREAKING_RESULT, MARKER, NULL_RESULT, RESULT, SUITE
from pytest_seedshift.models import needed_scorers
from pytest_seedshift.plugin import breaking_collection, collection, known_failures, unjudged

if TYPE_CHECKING:
    from pytest_seedshift.plugin.grid import Grid
    from pytest_seedshift.plugin.session import Session


class CollectionHooks:
    """Registered in every process that collects."""

    def __init__(self, session: Session, grid: Grid) -> None:
        """`grid` learns which items stand in for tests of the project's own."""
        self._session = session
        self._grid = grid
        self._suite_arguments: list[str] = []
        self._usage_errors: list[pytest.UsageError] = []

    # Tests to items ---------------------------------------------------------------------------------------------------

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Make one item for each case of a test."""
        session, collected = self._session, self._session.collected
        if NULL_RESULT in metafunc.fixturenames:
            collection.parametrize_null(metafunc, collected.models)
            return
        mark = metafunc.definition.get_closest_marker(MARKER)

        def make() -> Iterable[str]:
            request = collection.read_marker(session.settings, session.catalogue, mark, metafunc.definition.nodeid)
            collection.parametrize(metafunc, request)
            if mark is not None or RESULT in metafunc.fixturenames:
                collected.add_cases(request.cases())
                collected.add_likeness(request.cases(), request.constraints)
            scorers = _scorers_of(metafunc.fixturenames)
            collected.add_scores(request.constraints.values())
            session.needed.ask(request.settings.models, scores=request.constraints, scorers=scorers)
            return request.settings.models

        self._collect(metafunc, make)

    def parametrize_searches(self, metafunc: pytest.Metafunc) -> None:
        """Make one item for each search of a test."""
        session, collected = self._session, self._session.collected
        mark, where = metafunc.definition.get_closest_marker(BREAKING_MARKER), metafunc.definition.nodeid

        def make() -> Iterable[str]:
            settings = session.settings
            if where.startswith(f"{SUITE}::") and not settings.models:  # the option is about all models of the run
                settings = replace(settings, models=collected.models)
            request = breaking_collection.read_marker(settings, session.catalogue, mark, where)
            breaking_collection.parametrize(metafunc, request)
            collected.add_searches(request.searches())
            collected.add_scores(request.base.constraints.values())
            session.needed.ask(request.base.settings.models, scores=request.base.constraints)
            return request.base.settings.models

        self._collect(metafunc, make)

    def _collect(self, metafunc: pytest.Metafunc, make: Callable[[], Iterable[str]]) -> None:
        """Make items; `make` returns the models that they are about.

        pytest would make a collection error of a UsageError here, so it is kept until the collection is complete.
        """
        try:
            self._session.collected.add_models(make())
        except pytest.UsageError as error:
            if self._session.process.worker:  # nobody would hear of a worker's usage error: make it the test's
                collection.parametrize_by(metafunc, [error], ["usage-error"])
            self._usage_errors.append(error)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """The marker alone makes an item judge its case, or search."""
        for marker, result, kind in ((MARKER, RESULT, Case), (BREAKING_MARKER, BREAKING_RESULT, Search)):
            if isinstance(item, pytest.Function) and collection.has(item, kind) and item.get_closest_marker(marker):
                collection.request_fixtures(item, result)

    # The session's items ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Take `seedshift` and `seedshift::…` out of the arguments, before pytest looks for a file of that name."""
        if not self._session.process.distributes:
            self._suite_arguments = collection.suite_arguments(session.config)
            session.config.args = [each for each in session.config.args if each not in self._suite_arguments]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the built-in suite where it is asked for or there is no other reliability test."""
        tests, settings, models = [], self._session.settings, self._session.collected.models
        if self._suite_arguments or (settings.models and not any(map(unjudged.asks, items))):
            tests.append("test_reliability")
        if settings.breaking_point and models and not any(map(collection.is_search, items)):
            tests.append("test_breaking_point")
        if settings.null and models and not self._usage_errors:
            tests.append("test_null_control")
        if tests:
            made = collection.suite_items(session, self._suite_arguments, tests)
            items.extend(made)
            unjudged.will_run(session.config, made)
            if not self._suite_arguments:
                self._grid.let_stand_in(filter(collection.stands_in, made))
        if self._usage_errors and not self._session.process.worker:
            raise self._usage_errors[0]
        error = collection.unanswered(session.config, settings, items)
        if error is not None:
            collection.refuse(session, items, error)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Group the cases by model.

        Here nobody orders items any more: plugins and conftests that shuffle them may come last among those that modify
        them.
        """
        collection.sort_by_model(session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Mark the known failures, of which the thresholds tell, which collecting alone does not read."""
        if not session.config.option.collectonly:
            known_failures.mark(self._session, session.items)


def _scorers_of(fixtures: Iterable[str]) -> frozenset[str]:
    """The shipped scorers that fixtures work with."""
    if "seedshift_scorers" in fixtures:
        return needed_scorers.ALL
    return frozenset({needed_scorers.CLASSIFIER}) if "seedshift_position" in fixtures else frozenset()
