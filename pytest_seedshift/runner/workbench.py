"""What one process works with: the models in memory, and the samples that are made with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import judging_case
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.models import needed_scorers
from pytest_seedshift.runner import work
from pytest_seedshift.runner.local_executor import LocalExecutor
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.runner.sample_service import SampleService
from pytest_seedshift.runner.scheduler import Scheduler

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.sample_rows import Pace
    from pytest_seedshift.runner.kept_pictures import Keep
    from pytest_seedshift.runner.orders import Executor
    from pytest_seedshift.runner.references import References
    from pytest_seedshift.runner.samples import Samples
    from pytest_seedshift.scorers.base import Scorer


class Workbench:
    """A pool of models and a service of their samples, which belong together."""

    def __init__(
        self,
        folder: RunFolder,
        device: str,
        dtype: str | None,
        *,
        catalogue: Catalogue | None = None,
        batch_size: int | None = None,
        keep: Keep = "report",
        forget: bool = False,
        on_load: Callable[[], None] | None = None,
        needs: needed_scorers.Scorers = needed_scorers.every,
        kinds: ScoreRegistry = SHIPPED,
        elsewhere: Executor | None = None,
        references: Callable[[], References] | None = None,
        keep_going: bool = False,
    ) -> None:
        """Work in a run folder, on `device`, in `dtype`; see `ModelPool` and `SampleService`.

        `elsewhere` makes what is to be made, in place of this process. With `keep_going` cases are judged whose control
        is at the level of chance.
        """
        self.keep_going = keep_going
        self.pool = ModelPool(
            device, dtype, catalogue=catalogue, on_load=on_load, needs=needs, kinds=kinds, elsewhere=elsewhere
        )
        self.service = SampleService(
            self.pool, folder, batch_size=batch_size, keep=keep, forget=forget, references=references
        )
        self.scheduler = Scheduler(self.service, elsewhere or LocalExecutor(self.pool, self.service.engine))
        self._measured: dict[Case, work.Work] = {}

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return self.service.folder

    @property
    def device(self) -> str:
        """Where models run, such as `cuda:0`."""
        return self.pool.device

    @property
    def catalogue(self) -> Catalogue:
        """What the names of models stand for."""
        return self.pool.catalogue

    def dtype(self, model: str) -> str:
        """See `ModelPool.dtype`."""
        return self.pool.dtype(model)

    def model(self, name: str) -> TextToImage:
        """See `ModelPool.model`."""
        return self.pool.model(name)

    def scorers(self, model: str) -> tuple[Scorer, ...]:
        """See `ScorerPool.of_model`."""
        return self.pool.scorers.of_model(model)

    def samples(self, model: str) -> Samples:
        """See `SampleService.samples`."""
        return self.service.samples(model)

    def missing(self, case: Case, design: Sequence[Pair]) -> list[Pair]:
        """See `SampleService.missing`."""
        return self.service.missing(case, design)

    def pace(self, model: str) -> Pace | None:
        """See `SampleService.pace`."""
        return self.service.pace(model)

    def measure(self, case: Case, design: Sequence[Pair], images: int | None = None) -> Pace:
        """Find the pace of a case's model by making the next batch of the case's first `images` pairs, which is kept.

        Raises:
            CaseError: the model cannot generate.
        """
        service = self.service
        with judging_case(case):
            missing = service.missing(case, design[:images])[: service.engine(case.model).batch_size]
            if case.is_control and missing:
                made = self.scheduler.collect(case, design, design.index(missing[-1]) + 1, service.shown(design))
            else:
                made = self.scheduler.collect(case, missing, shown=service.shown(design))
            self._measured[case] = made.work
            return service.remember(case.model, made.work)

    def measured(self, case: Case) -> work.Work:
        """What was generated to measure a case's model, once: it is counted with the case."""
        return self._measured.pop(case, work.NONE)

    def close(self) -> None:
        """Keep what is being made, close the store and let the model go."""
        self.scheduler.close()
        self.service.close()
        self.pool.release()
