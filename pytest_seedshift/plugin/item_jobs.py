"""From items to jobs: what an item's options and marker ask for is read once, and resolved with that of all others."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.searches import Search
from pytest_seedshift.core.test_names import BREAKING_MARKER, MARKER
from pytest_seedshift.plugin import border, breaking_collection, collection
from pytest_seedshift.runner.job import Request

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.plugin.grid import Grid
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.runner.job import Job
    from pytest_seedshift.runner.job_resolution import Jobs, Terms


class ItemJobs:
    """The jobs of a session's items. Nothing may be asked before all items are known."""

    def __init__(self, session: Session, grid: Grid) -> None:
        """`grid` knows which items there are, those of other shards too."""
        self._session = session
        self._grid = grid
        self._requests: dict[str, Request | pytest.UsageError] = {}

    @cached_property
    def terms(self) -> Terms:
        """By what the jobs are resolved.

        Raises:
            pytest.UsageError: the thresholds or the baseline cannot be used.
        """
        from pytest_seedshift.runner.job_resolution import Terms

        session = self._session
        return Terms(
            session.thresholds,
            session.catalogue,
            lambda model: session.workbench.pool.scorers.measures(model),
            session.gate.against,
            session.gate.no_baseline,
            session.gate.no_pictures,
            lambda model: session.workbench.pool.scorers.beside(model),
        )

    @cached_property
    def all(self) -> Jobs:
        """The jobs of the whole grid; of one that cannot be resolved `of` says why.

        Raises:
            pytest.UsageError: none can be resolved.
        """
        from pytest_seedshift.runner.job_resolution import Jobs

        found = [self._read(item, subject) for item, subject in self._grid.items]
        with border.usage_errors():
            return Jobs([each for each in found if isinstance(each, Request)], self.terms)

    def check(self) -> None:
        """Make sure that all of them could be resolved.

        Raises:
            pytest.UsageError: one could not; the message says why.
        """
        for item, _ in self._grid.items:
            self.of(item)

    def of(self, item: pytest.Item) -> Job:
        """An item's job.

        Raises:
            pytest.UsageError: it cannot be resolved; the message says why.
        """
        from pytest_seedshift.results.baseline import BaselineError

        request = self.request(item)
        try:
            return self.all.of(request)
        except BaselineError as error:
            raise self._session.gate.refusal(error) from None
        except SeedshiftError as error:
            raise pytest.UsageError(str(error)) from None

    def request(self, item: pytest.Item) -> Request:
        """What an item asks for.

        Raises:
            pytest.UsageError: its marker cannot be used.
        """
        subject = collection.subject_of(item)
        assert subject is not None, f"{item.nodeid} is about no case"
        found = self._read(item, subject)
        if isinstance(found, pytest.UsageError):
            raise found
        return found

    def design(self, item: pytest.Item) -> tuple[Pair, ...]:
        """The pairs of an item, be it that it judges nothing and has no job.

        Raises:
            pytest.UsageError: its marker, the thresholds or the model cannot be used.
        """
        if collection.is_judged(item):
            return self.of(item).design
        session, request = self._session, self.request(item)
        seed = session.thresholds.design_seed if request.design_seed is None else request.design_seed
        with border.usage_errors():
            return session.catalogue.design(request.subject.model, request.images, seed)

    def _read(self, item: pytest.Item, subject: Subject) -> Request | pytest.UsageError:
        if item.nodeid not in self._requests:
            try:
                self._requests[item.nodeid] = read(self._session, item, subject)
            except pytest.UsageError as error:
                self._requests[item.nodeid] = error
        return self._requests[item.nodeid]


def read(session: Session, item: pytest.Item, subject: Subject) -> Request:
    """What an item asks for: its marker, laid over the options.

    Raises:
        pytest.UsageError: the marker cannot be used.
    """
    if isinstance(subject, Search):
        mark = item.get_closest_marker(BREAKING_MARKER)
        sought = breaking_collection.read_marker(session.settings, session.catalogue, mark, item.nodeid)
        asked, minimum = sought.base, sought.minimum
    else:
        mark, minimum = item.get_closest_marker(MARKER), None
        asked = collection.read_marker(session.settings, session.catalogue, mark, item.nodeid)
    session.collected.add_scores(asked.constraints.values())
    kind = collection.kind_of(item)
    settings = asked.settings
    return Request(
        item.nodeid,
        kind or "reliability",
        subject,
        settings.images,
        settings.design_seed,
        settings.exact or session.gate.place.makes_missing,  # a baseline is to have all pairs
        asked.constraints,
        minimum,
        is_marked=mark is not None,
        is_implicit=isinstance(subject, Case)
        and subject.is_control
        and kind == "reliability"
        and 0 not in settings.magnitudes,
    )
