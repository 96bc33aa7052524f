"""At a session's end: verdicts.json, run.json, the comparison with a baseline, the robustness report, a summary.

Only the verdicts and the comparison can change what the session came to, and what they change is a failed item: see
`session_failures`.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import messages
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.test_names import PROGRAM
from pytest_seedshift.models import needed_scorers
from pytest_seedshift.plugin import session_failures
from pytest_seedshift.results import baseline, metadata
from pytest_seedshift.results import run as runs
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.plugin.console import Console
    from pytest_seedshift.plugin.results_collector import ResultsCollector
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.results.regression import Comparison


@dataclass(frozen=True, slots=True)
class Closing:
    """What the terminal tells at the end, below the table of cases.

    Attributes:
        page: where the robustness report lies; empty where there is none.
        summary: where the summary lies, likewise.
        gaps: the table of the models' robustness.
        chance: how many failures chance explains.
        verdicts: each model's in a sentence.
        lines: what else, `chance` included.
    """

    page: str = ""
    summary: str = ""
    gaps: tuple[str, ...] = ()
    chance: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class SessionReport:
    """Registered where the records are: in the one process that has all of them."""

    def __init__(self, session: Session, collector: ResultsCollector, console: Console) -> None:
        self._session = session
        self._collector = collector
        self._console = console
        self._started = time.time()
        self._ended = False
        self._closing = Closing()

    @property
    def closing(self) -> Closing:
        """What is to be reported, as far as it is known."""
        return self._closing

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """When all tests have run, see what fails the session beside them, while that still counts as a test."""
        ran = yield
        self.fail_session()
        return ran

    def fail_session(self) -> None:
        """See what fails the session beside its tests, and report it as a test."""
        for name, reason in self._failures():
            session_failures.log(self._session.config, name, reason)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report and the summary, after verdicts.json and before pytest-html's page."""
        if not self._collector.all:
            return
        if failures := self._failures():  # of a session that was ended before all tests had run
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
            self._add(reason for name, reason in failures if name.startswith("seed-use["))
        from pytest_seedshift.results import comparison as comparisons

        ours = self._session
        out = ours.settings.report
        folder = messages.relative(str(ours.folder.path))
        again = _command(folder, None if out in (None, "none") else messages.relative(str(out)))
        run = None
        with self._told("the report", f"; to regenerate it: {again}"):
            run = comparisons.compared(runs.load(ours.folder.path))
            self._measure_shifted(run)
            self._measure_labels(run)
            self._write(run)
        with self._told("the summary"):
            self._summarise(run or runs.load(ours.folder.path))
        if ours.settings.history is not None:
            with self._told(f"the line in {messages.relative(str(ours.settings.history))}"):
                ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
                whole = ended and not session.shouldstop and not session.shouldfail
                self._keep(ours.settings.history, run or runs.load(ours.folder.path), whole=whole)

    def _keep(self, folder: Path, run: runs.Run, *, whole: bool) -> None:
        """Add the run to a history; one that was ended before its time is another's beginning, and not added."""
        from pytest_seedshift.results import history

        place = messages.relative(str(folder))
        if not whole:
            self._add([f"history:  nothing was added to {place}, as the run did not come to its end"])
            return
        scores = history.scores_of(run)
        name = self._session.settings.history_name or history.version_name(self._session.config.rootpath)
        line = history.line_of(run, scores, name, datetime.now(UTC))
        added = history.append(folder, line, scores)
        self._add([f"history:  {place}, {'as' if added else 'where it is already as'} {line.name}"])

    def _failures(self) -> list[tuple[str, str]]:
        """Write verdicts.json and run.json, and hold the run against its baseline, once.

        Returns:
            What fails the session beside its tests, by a name, with the reason.
        """
        if self._ended or not self._collector.all:
            return []
        self._ended = True
        session = self._session
        unwritten = self._collector.write_verdicts()
        made = any(record.generated for record in self._collector.all)
        elsewhere = session.process.distributes or session.cluster.is_asked
        found = metadata.gather(
            session.config.invocation_params.args,
            self._started,
            self._collector.models,
            workers=session.process.workers,
            thresholds=messages.relative(session.thresholds.source),
            design_seeds={record.design_seed for record in self._collector.all if record.design},
            peak_memory=devices.peak_memory() if made and not elsewhere else None,
        )
        with self._told("run.json"):
            metadata.write(session.folder, found)
        from pytest_seedshift.reporting import seed_use_gate

        beyond = seed_use_gate.failures(self._collector.seed_use, session.thresholds.certainty)
        return [*([("verdicts", unwritten)] if unwritten is not None else []), *beyond, *self._compare()]

    @contextmanager
    def _told(self, what: str, then: str = "") -> Iterator[None]:
        """Turn an error into a warning: the exit status is that of the verdicts."""
        try:
            yield
        except Exception as error:
            said = f"seedshift: warning: {what} could not be made ({type(error).__name__}: {error})"
            # Where the run folder is gone, or the disk is full, they may be gone too, and there is nothing to make of.
            stand = self._collector.has_verdicts
            self._console.write([f"{said}. The verdicts stand{then}" if stand else said], always=True)

    def _compare(self) -> list[tuple[str, str]]:
        """Hold the whole run against its baseline, and save it as one, as far as that was asked for.

        Returns:
            What has become worse and no failed case shows. Where that cannot be known, the reason: what is not
            checked has not passed.
        """
        session, saved = self._session, self._session.gate.place.target
        against = session.gate.against
        for name in (baseline.FILE_NAME, baseline.LOSSES_FILE_NAME):
            (session.folder.path / name).unlink(missing_ok=True)
        if against is None and saved is None:
            return []
        from pytest_seedshift.reporting import likeness, regressions
        from pytest_seedshift.results import comparison as comparisons

        comparison = None
        found: list[tuple[str, str]] = []
        try:
            run = runs.load(session.folder.path)
            if against is not None:
                comparison = comparisons.of_folder(run, against.baseline)
            if comparison is not None:
                comparisons.keep(comparison, session.folder, run)
                self._add(likeness.lines(run))
                self._add(regressions.lines(comparison))
                found += self._worse(comparison, run)
            if saved is not None:
                self._save(saved, run, comparison)
        except Exception as error:  # whatever it is, the verdicts stand
            what = "compare with the baseline" if against is not None and comparison is None else "save the baseline"
            told = str(error) if isinstance(error, (SeedshiftError, OSError)) else f"{type(error).__name__}: {error}"
            said = f"could not {what}: {told}"
            self._add([f"ERROR: {said}"])
            return [*found, ("baseline", said)]
        return found

    def _worse(self, comparison: Comparison, run: runs.Run) -> list[tuple[str, str]]:
        from pytest_seedshift.reporting import regressions

        page = self._session.report
        where = "" if page is None else f"\n    report: {messages.relative(str(page))}#regressions"
        beyond = regressions.beyond_cases(comparison, run.failed)
        return [(f"regression[{each.name}]", f"{each.sentence}{where}") for each in beyond]

    def _save(self, target: Path, run: runs.Run, comparison: Comparison | None) -> None:
        """Save the run as a baseline, unless it is one of a worse or a narrower run in place of the better one."""
        from pytest_seedshift.reporting import regressions
        from pytest_seedshift.results import baseline_folder, baseline_sources

        place, name = self._session.gate.place, messages.relative(str(target))
        made = baseline_sources.of_run(run)
        kept = regressions.not_replaced(comparison) if comparison is not None and place.replaces else None
        if kept is not None:
            raise baseline.BaselineError(
                f"{name} is left as it is: {kept}. To replace it nonetheless, save to another path and put that file "
                "in its place"
            )
        if place.makes_missing and (why := self._no_first(run, made)) is not None:
            self._add([f"no baseline is saved to {name}: {why}"])
            return
        embeddings = self._embeddings(made) if place.saves_pictures else {}
        made = replace(baseline.portable(made), environment=place.environment.document())
        size: int | None
        if not place.saves_pictures:
            made.write(target)
            size = target.stat().st_size
        elif place.is_new:
            size = baseline_folder.save_new(made, target, embeddings)
        else:
            size = baseline_folder.save(made, target, embeddings)
        if size is None:
            self._add([f"{name} was saved by another run meanwhile: it stays, and this run is not saved"])
            return
        self._add(regressions.saved(made, name, size, pictures=place.saves_pictures))
        if comparison is None:
            self._add(["  no baseline to compare with: no max_regression, no within and no likeness was judged"])

    def _no_first(self, run: runs.Run, made: baseline.Baseline) -> str | None:
        """Why a run shall not be the first baseline; None where it may."""
        failed = [case.case.id for case in run.cases if case.case in run.failed]
        if failed:
            return f"{messages.some(failed)} failed, and later runs would be compared with it"
        lacking = sorted(case.id for case in set(self._session.collected.cases) - made.cases.keys())
        if lacking:
            return f"this run lacks {messages.some(lacking)}, which its tests ask for: run all of them at once"
        return None

    def _embeddings(self, made: baseline.Baseline) -> dict[str, dict[str, bytes]]:
        """Those of the pictures that are saved, by the CLIP of each model that is scored by it.

        None of a run over a cluster, whose scorers are not here; whoever compares with it makes them.
        """
        from pytest_seedshift.runner import picture_embeddings

        session = self._session
        if session.cluster.is_asked:
            return {}
        models = [model for model in made.models if needed_scorers.CLIP in session.needs(model)]
        try:
            return picture_embeddings.of_baseline(made, models, session.workbench.pool)
        except Exception as error:  # of a scorer, or of memory; pictures that are gone `save` tells of
            said = " ".join(str(error).split()) or type(error).__name__
            self._add([f"  the baseline keeps no embeddings of its pictures ({said}): who compares with it makes them"])
            return {}

    @property
    def _is_shown(self) -> bool:
        """Whether a page shows what is measured of pictures: this session's, or that of the shards when joined."""
        return self._session.report is not None or self._session.settings.shard is not None

    def _measure_shifted(self, run: runs.Run) -> None:
        """Measure how far shifts move the pictures that the page shows; with CLIP where this process has it at hand."""
        session = self._session
        if not self._is_shown:
            return
        from pytest_seedshift.results import shifted_likeness
        from pytest_seedshift.studies import shifted_likeness as study

        here = not (session.cluster.is_asked or session.process.distributes)
        embed = study.by_clip(
            session.workbench.pool, lambda model: here and needed_scorers.CLIP in session.needs(model)
        )
        with self._told("the likeness of shifted pictures to the control's"):
            known = shifted_likeness.read(session.folder.path)
            found = list(study.of_run(run, known, embed))
            if list(known.values()) != found:
                shifted_likeness.write(session.folder, found)

    def _measure_labels(self, run: runs.Run) -> None:
        """Measure what the seed vector explains of each label's pictures, of a run that has kept enough of them."""
        session = self._session
        if not self._is_shown or session.settings.keep_images != "all":
            return
        from pytest_seedshift.results import label_shares
        from pytest_seedshift.studies import label_shares as study

        with self._told("what the seed vector explains of each label"):
            known = label_shares.read(session.folder.path)
            found = list(study.of_run(run, known))
            if list(known.values()) != found:
                label_shares.write(session.folder, found)

    def _write(self, run: runs.Run) -> None:
        from pytest_seedshift.reporting import chance, gaps, model_verdict, page

        explained = tuple(chance.explained(run))
        verdicts = tuple(f"{model_verdict.of_model(run, model)[1]}." for model in model_verdict.all_models(run))
        self._closing = replace(self._closing, gaps=tuple(gaps.lines(run)), chance=explained, verdicts=verdicts)
        self._add(explained)
        if self._session.report is not None:
            page.write(self._session.folder.path, self._session.report, run=run)
            self._closing = replace(self._closing, page=messages.relative(str(self._session.report)))

    def _add(self, lines: Iterable[str]) -> None:
        self._closing = replace(self._closing, lines=(*self._closing.lines, *lines))

    def _summarise(self, run: runs.Run) -> None:
        from pytest_seedshift.reporting import publish

        target = publish.target(self._session.settings.summary)
        warnings = publish.publish(run, target, self._closing.page)
        self._console.warn(warnings)
        if target.file is not None:
            self._closing = replace(self._closing, summary=messages.relative(str(target.file)))


def _command(folder: str, out: str | None) -> str:
    """The command line that makes a folder's report again."""
    given = [PROGRAM, "report", folder]
    return shlex.join([*given, "--output", out] if out is not None else given)
