"""What one pytest session works with: settings, models, thresholds, the workbench, each made when first needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.models import catalogue as catalogues
from pytest_seedshift.models.needed_scorers import CLIP, Needed, without_others
from pytest_seedshift.plugin import border, versus_run
from pytest_seedshift.plugin.cluster_use import ClusterUse
from pytest_seedshift.plugin.collected import Collected
from pytest_seedshift.plugin.console import Console
from pytest_seedshift.plugin.folder_use import FolderUse
from pytest_seedshift.plugin.gate import Gate
from pytest_seedshift.plugin.process import Process
from pytest_seedshift.reporting import anchors
from pytest_seedshift.results.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.core.score_registry import ScoreRegistry
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.plugin.option_resolution import Settings
    from pytest_seedshift.results import metadata
    from pytest_seedshift.results.environments import Environment
    from pytest_seedshift.runner.cluster.executor import ClusterExecutor
    from pytest_seedshift.runner.workbench import Workbench


class Session:
    """Made once a process; also by commands that work with models, which run no tests."""

    def __init__(self, config: pytest.Config, settings: Settings, on_load: Callable[[], None] | None = None) -> None:
        """`on_load` is called each time that this process has loaded a model."""
        self.config = config
        self.settings = settings
        self.process = Process(config)
        self.folder = RunFolder(settings.folder)
        self.folder_use = FolderUse(self.folder, settings)
        self.cluster = ClusterUse(settings, Console(config).write)
        self.collected = Collected(settings.models)
        self.needed = Needed()
        """Which scorers its tests and studies ask for."""
        self.gate = Gate(self, lambda: self._environment)
        """What its cases are held against."""
        self._on_load = on_load

    # Where things are -------------------------------------------------------------------------------------------------

    @property
    def report(self) -> Path | None:
        """The file of the robustness report; None where none is asked for."""
        given = self.settings.report
        return None if given == "none" else given or self.settings.folder / "report.html"

    def where(self, case_id: str) -> str:
        """Where there is more to see of a case, `report: .seedshift/report.html#…`; empty where no report is made."""
        return "" if self.report is None else f"report: {anchors.link(self.report, case_id)}"

    # What is made once ------------------------------------------------------------------------------------------------

    @cached_property
    def catalogue(self) -> catalogues.Catalogue:
        """The models that have a name, the user's among them.

        Raises:
            pytest.UsageError: a file cannot be read, or says something invalid of a model.
        """
        with border.usage_errors():
            settings = self.settings
            return catalogues.load(
                self.config.rootpath, settings.thresholds, no_limits=settings.no_limits, prompts=settings.prompts
            )

    @cached_property
    def thresholds(self) -> Thresholds:
        """All thresholds.

        Raises:
            pytest.UsageError: the file says something invalid.
        """
        from pytest_seedshift.core import thresholds, thresholds_parser

        named = list(self.settings.scores) and self._named_scores  # of a name that is none it is said first
        with border.usage_errors():
            found = thresholds_parser.load(self.settings.thresholds, self.config.rootpath, self.catalogue.find)
        if found.shipped and named:
            found = thresholds.of_scores(found, self.settings.scores)
        if versus_run.is_one(self.config):  # which says itself what its cases are compared with
            return dataclasses.replace(found, baseline=thresholds.BaselineTable())
        return found

    @cached_property
    def _named_scores(self) -> ScoreRegistry:
        """The scores that are measured whether anything is asked of them or not, by an option.

        Raises:
            pytest.UsageError: one is none.
        """
        from pytest_seedshift.core.messages import unknown
        from pytest_seedshift.core.score_registry import ScoreRegistry
        from pytest_seedshift.core.scores import AvailableScores

        _ = self.catalogue  # which knows the scorers of the thresholds file
        known, found = AvailableScores(), {}
        for name in self.settings.scores:
            with border.usage_errors("--seedshift-score: "):
                kind = known.find(name)
            if kind is None:
                raise pytest.UsageError(f"--seedshift-score={name}: {unknown('score', name, known.names)}")
            found[name] = kind
        return ScoreRegistry(found)

    @property
    def scores(self) -> ScoreRegistry:
        """What the scores are that its thresholds and its tests ask for.

        Raises:
            pytest.UsageError: the thresholds cannot be used.
        """
        return self.thresholds.kinds | self.collected.scores | self._named_scores

    @cached_property
    def workbench(self) -> Workbench:
        """Where models are held and samples are made.

        Raises:
            pytest.UsageError: the device is not there.
        """
        from pytest_seedshift.runner.workbench import Workbench
        from pytest_seedshift.scorers import devices

        elsewhere, device = self._elsewhere, self._device
        if device == "cpu" and self.process.worker:
            devices.share_cores(self.process.workerinput.get("workercount", 1))
        return Workbench(
            self.folder,
            device,
            self.settings.dtype,
            catalogue=self.catalogue,
            batch_size=self.settings.batch_size,
            keep="all" if self.gate.place.saves_pictures else self.settings.keep_images,
            forget=self.folder_use.only_plans,
            on_load=self._on_load,
            needs=self.needs,
            kinds=self.scores,
            elsewhere=elsewhere,
            references=lambda: self.gate.references,
            keep_going=self.settings.keep_going,
        )

    @property
    def _elsewhere(self) -> ClusterExecutor | None:
        """The cluster that images are made on, where that is asked for."""
        return self.cluster.executor if self.cluster.is_asked and not self.process.worker else None

    @cached_property
    def _device(self) -> str:
        from pytest_seedshift.scorers import devices

        if self._elsewhere is not None:
            return self._elsewhere.device
        with border.usage_errors("--seedshift-device: "):
            return devices.resolve(self.settings.device, self.settings.dtype)[0]

    @cached_property
    def _environment(self) -> Environment:
        """On what pictures are made, by which baselines are chosen.

        Raises:
            pytest.UsageError: the device is not there.
        """
        from pytest_seedshift.runner import environment
        from pytest_seedshift.scorers import devices

        with border.usage_errors():
            kinds = None if self._elsewhere is None else sorted({slot.kind for slot in self._elsewhere.slots()})
        hardware = devices.describe(self._device) if kinds is None else ", ".join(kinds)
        return environment.of(self._device, hardware, self.settings.dtype)

    def close(self) -> None:
        """Let go of the store and of the model, and at last of what trajectories were compared with."""
        bench: Workbench | None = vars(self).get("workbench")
        if bench is not None:
            bench.close()
        self.cluster.leave()
        if not self.process.worker:
            self.folder_use.forget_states()

    # What is said of a model ------------------------------------------------------------------------------------------

    @property
    def design_seed(self) -> int:
        """The seed of a design of which no test says another: as the options say, else as the thresholds do."""
        given = self.settings.design_seed
        return self.thresholds.design_seed if given is None else given

    def needs(self, model: str) -> frozenset[str]:
        """Which of the shipped scorers a model's samples are scored by: see `models.needed_scorers`.

        Raises:
            pytest.UsageError: the thresholds or the baseline cannot be used.
        """
        asked = {*self.thresholds.scores(model), *self.gate.scores(model), *self.settings.scores}
        found = self.needed.of(model, asked)
        measures = self.settings.sensitivity == "always" or bool(self.thresholds.seed_use.of(model))
        return found | {CLIP} if measures else found

    def entry(self, model: str) -> Entry:
        """What a model's name stands for, without the sources of scorers that this session does not need."""
        return without_others(self.catalogue.find(model), self.needs(model))

    def facts(self, model: str) -> metadata.Model:
        """How a model is run, for run.json.

        Raises:
            CaseError: the store or the weights cannot be read.
        """
        from pytest_seedshift.runner import model_facts

        return model_facts.of(model, self.entry(model), self.workbench)
