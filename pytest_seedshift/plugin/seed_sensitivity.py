"""When seed sensitivities are measured: once a model, after its cases, while it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models.needed_scorers import CLIP
from pytest_seedshift.plugin import collection
from pytest_seedshift.studies import seed_sensitivity
from pytest_seedshift.studies.sensitivity import BLOCKS, MORE

if TYPE_CHECKING:
    from pytest_seedshift.plugin.grid import Grid
    from pytest_seedshift.plugin.item_jobs import ItemJobs
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.results.sensitivity_files import SeedUse
    from pytest_seedshift.runner.job import Job

IMAGES = 6 * BLOCKS
"""How many a seed sensitivity takes."""

_PART = 100
"""It is measured unasked where the designs of a model's cases have so many times its images. Early verdicts look at a
tenth of a design or so, so it makes a run longer by a tenth at most; in a run of a few cases it waits to be asked."""


class SeedSensitivity:
    """Hooks of every process that runs cases."""

    def __init__(self, session: Session, grid: Grid, jobs: ItemJobs, tell: Callable[[str], None]) -> None:
        """`tell` shows a line while images are made."""
        self._session = session
        self._grid = grid
        self._jobs = jobs
        self._tell = tell

    def wanted(self, model: str) -> bool:
        """Whether a model's seed sensitivity is to be measured by this session, or by one of its workers."""
        when = self._session.settings.sensitivity
        if when == "never" or not self._grid.owns(model):
            return False
        if self._session.thresholds.seed_use.of(model):
            return True
        if when != "always" and CLIP not in self._session.needs(model):  # nobody asks for what it is measured with
            return False
        return when == "always" or sum(_pairs(job) for job in self._jobs.all if job.model == model) >= _PART * IMAGES

    def note(self, models: tuple[str, ...]) -> str | None:
        """What the plan says of it."""
        if self._session.settings.sensitivity == "never":
            return None
        missing = [
            model
            for model in models
            if self.wanted(model)
            and (model in self._session.workbench.pool.absent or not self._use(model).is_measured(self._session.folder))
        ]
        if not missing:
            return None
        of = f"of {missing[0]}" if len(missing) == 1 else f"of each of {', '.join(missing)}"
        return f"{IMAGES} more images for the seed sensitivity {of} ({6 * MORE} where it seems not to use it)"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """After a model's last item in this process; its reports are sent by then, and nothing can change them."""
        outcome = yield
        subject = collection.subject_of(item)
        following = None if nextitem is None else collection.subject_of(nextitem)
        ends = subject is not None and (following is None or following.model != subject.model)
        if ends and subject is not None and not (item.session.shouldstop or item.session.shouldfail):
            try:
                if self.wanted(subject.model):
                    self._measure(subject.model)
            except (SeedshiftError, OSError, pytest.UsageError):
                pass  # of a folder or of weights that cannot be used, the cases report it
        return outcome

    def _use(self, model: str) -> SeedUse:
        return seed_sensitivity.wanted(self._session.workbench, model)

    def _measure(self, model: str) -> None:
        seed_sensitivity.keep(
            self._session.workbench,
            model,
            lambda made: self._tell(
                f"  {model}: seed sensitivity, {made} of {IMAGES if made < IMAGES else 6 * MORE} images"
            ),
        )


def _pairs(job: Job) -> int:
    """The pairs of a case's design, or of all designs that a search for a breaking point chooses from."""
    return len(job.design) * (1 if job.search is None else job.search.steps)
