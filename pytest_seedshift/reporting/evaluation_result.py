"""What an evaluation in Python came to: a run, with its verdict in words and its report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.reporting import model_verdict, page, regressions, seed_use_gate, summary
from pytest_seedshift.reporting.table import table
from pytest_seedshift.results.statuses import UNFINISHED

if TYPE_CHECKING:
    from pytest_seedshift.results.data import CaseRun, Run
    from pytest_seedshift.results.schema import Record

_MOST = 10 * 1024 * 1024
"""Bytes of a summary."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What `evaluate` came to. It stays as it is whatever is evaluated next in the same folder.

    Printed, or as the last line of a notebook's cell, it says whether the model passes, the scores as a table of shifts
    and magnitudes, and why each case fails that does.
    """

    run: Run
    """All that the run folder holds, as `load_run` reads it."""
    notes: tuple[str, ...] = ()
    """What should be known of how the model was run, and what is missing, in words."""
    _records: Sequence[Record] = field(default=(), repr=False)

    @property
    def cases(self) -> tuple[CaseRun, ...]:
        """The control, then the shifted cases: of each its verdict, why, its scores with intervals, its findings."""
        return self.run.cases

    @property
    def passed(self) -> bool:
        """Whether all cases pass, nothing is worse than the baseline, if there is one, and all other bounds hold."""
        return not (self.run.failed or self.run.missing or self.regressions or self.seed_use)

    @property
    def regressions(self) -> list[str]:
        """What has become worse than the baseline and no failing case shows, a sentence each; of one run about 0."""
        if self.run.comparison is None:
            return []
        return [each.sentence for each in regressions.beyond_cases(self.run.comparison, self.run.failed)]

    @property
    def seed_use(self) -> list[str]:
        """The bounds on the use of the seed vector that break, or could not be judged, a sentence each."""
        return [reason for _, reason in seed_use_gate.failures(self.run.seed_use_bounds, self.run.certainty)]

    @property
    def samples(self) -> list[dict[str, Any]]:
        """The images that verdicts rest on, one row each: for `pandas.DataFrame(evaluation.samples)`.

        See `Run.sample_rows`; `evaluation.run.case_rows()` is the table of cases.
        """
        return self.run.sample_rows()

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the report, an HTML page that needs nothing else; or with a name that ends in `.md` its summary.

        Args:
            path: the file; None for report.html in the run folder.

        Returns:
            The file that was written.

        Raises:
            DataError: it cannot be written.
        """
        file = self.run.path / page.FILE_NAME if path is None else Path(path)
        text = summary.make(self.run, _MOST, "") if file.suffix == ".md" else page.make(self.run)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic_files.write(file, text)
        except OSError as error:
            raise DataError(f"{file} cannot be written: {error.strerror}") from None
        return file

    def __str__(self) -> str:
        lines = []
        for model in self.run.models:
            lines += [model_verdict.of_model(self.run, model)[1], *table(self._records, self.run.kinds)]
        lines += [each.reason for each in self.cases if each.status not in ("pass", UNFINISHED)]
        return "\n".join([*lines, *self.regressions, *self.seed_use, *(f"note: {note}" for note in self.notes)])

    __repr__ = __str__
