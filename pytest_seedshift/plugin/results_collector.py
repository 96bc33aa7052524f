"""The records of a session, as its items end, and verdicts.json; whatever shows records is told of them from here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from pytest_seedshift.core import messages
from pytest_seedshift.plugin import job_kinds
from pytest_seedshift.reporting import tally
from pytest_seedshift.results import metadata, run_settings
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.core.score_registry import ScoreRegistry
    from pytest_seedshift.plugin.console import Console
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.schema import Head, Record, Search, SeedUse

View: TypeAlias = "Callable[[pytest.TestReport, Record | Search], None]"
"""Shows the record of an item that has ended."""

OUTCOMES = ("passed", "failed", "skipped")
"""Those of pytest. Other plugins have others, such as that of an attempt after which a test is run again: theirs."""


class ResultsCollector:
    """Registered where there are cases, not in workers: in the one process that has all records."""

    def __init__(
        self,
        folder: RunFolder,
        samples: Callable[[], str],
        console: Console,
        seed_use: Callable[[ResultsCollector], Sequence[SeedUse]],
    ) -> None:
        """Keep what ends in `folder`.

        `samples` says where the samples lie; empty where they are not there any more. `seed_use` judges the bounds on
        the use of the seed vector when the verdicts are written, whatever has ended the session.
        """
        self._judge_seed_use = seed_use
        self.seed_use: Sequence[SeedUse] = ()
        """What came of these."""
        self._folder = folder
        self._samples = samples
        self._console = console
        self._records: list[Record | Search] = []
        self._models: dict[str, metadata.Model] = {}
        self._manifest: Mapping[str, Any] = {}
        self._views: list[View] = []
        self._tried = self._written = False

    # What there is ----------------------------------------------------------------------------------------------------

    @property
    def cases(self) -> Sequence[Record]:
        """The records of cases, in the order in which they ended."""
        from pytest_seedshift.results import schema

        return [record for record in self._records if isinstance(record, schema.Record)]

    @property
    def searches(self) -> Sequence[Search]:
        """The records of searches for breaking points, likewise."""
        from pytest_seedshift.results import schema

        return [record for record in self._records if isinstance(record, schema.Search)]

    @property
    def all(self) -> Sequence[Record | Search]:
        """All records, likewise."""
        return tuple(self._records)

    @property
    def models(self) -> Sequence[metadata.Model]:
        """How each model is run, as far as it was."""
        return tuple(self._models.values())

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the records are a part of, as soon as that is known: the head of verdicts.json."""
        return self._manifest

    @property
    def has_verdicts(self) -> bool:
        """Whether verdicts.json was written, and is there."""
        return self._written and self._folder.has_verdicts()

    # What happens -----------------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> ScoreRegistry:
        """What the scores of the run are, as its manifest tells."""
        from pytest_seedshift.core.score_registry import recorded

        return recorded(self._manifest)

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Know what the records will be a part of."""
        self._manifest = manifest

    def noise_warnings(self) -> list[str]:
        """What is known of the models' noise floor and should be said before the run."""
        from pytest_seedshift.studies import noise_floor

        return list(noise_floor.warnings(self._folder, self._manifest))

    def subscribe(self, view: View) -> None:
        """Let a view hear of each record, when it is kept and before pytest shows its report."""
        self._views.append(view)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Keep the record on a report, in place of that of an earlier attempt, and what a worker says of its model."""
        record = job_kinds.record_of(report)
        if record is not None:
            record = self._keep(record)
        if (model := getattr(report, "seedshift_model", None)) is not None:
            self._models[model["name"]] = metadata.model(model)
        if record is not None and report.outcome in OUTCOMES:
            for view in self._views:
                view(report, record)
        if report.when == "teardown" and report.failed:
            self._records = [tally.spoiled(each) if each.test == report.nodeid else each for each in self._records]
        yield

    def _keep(self, record: Record | Search) -> Record | Search:
        """Add a record, in place of that of an earlier attempt at the same test, whose costs it takes over."""
        for earlier in [each for each in self._records if each.test == record.test]:
            costs = {"generated": record.generated + earlier.generated, "seconds": record.seconds + earlier.seconds}
            record = record.model_copy(update=costs)
            self._records.remove(earlier)
        self._records.append(record)
        return record

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write verdicts.json, whatever ended the session: what was measured is never lost."""
        if self.write_verdicts() is not None:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def write_verdicts(self) -> str | None:
        """Write verdicts.json, once.

        Returns:
            Why it cannot be written; None where it is, or where there is nothing to write.
        """
        if self._tried or not self._records:
            return None
        self._tried = True
        try:
            places = {entry["test"]: place for place, entry in enumerate(self._manifest.get("grid", ()))}
            self._records.sort(key=lambda record: places.get(record.test, len(places)))
            self.seed_use = tuple(self._judge_seed_use(self))
            self._folder.write_verdicts(self.cases, self._head(), self.searches, self.seed_use)
            self._written = True
        except Exception as error:  # whatever it is, the rest of the end must not be lost over it
            why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            file = messages.relative(str(self._folder.verdicts_file))
            safe = "samples are safe" if self._samples() else verdict_messages.kept("")
            reason = f"{file} cannot be written: {why}; {safe}"
            self._console.write([f"seedshift: {reason}"], always=True)
            return reason
        if not self._samples():
            self._console.warn([f"{verdict_messages.kept('')}. The verdicts stand"])
        return None

    def _head(self) -> Head | None:
        """What the records are a part of; None where the session has ended before that was known."""
        from pytest_seedshift.results import schema

        if not self._manifest:
            return None
        head = run_settings.refreshed(schema.Head.model_validate(self._manifest), self._folder)
        self._manifest = head.built_in()
        return head
