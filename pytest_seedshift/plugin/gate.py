"""A session's gate: the baseline that its cases are held against, read when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.plugin import border
from pytest_seedshift.plugin.baseline_place import BaselinePlace

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.plugin.session_views import Asked
    from pytest_seedshift.results.baseline import Baseline, BaselineError
    from pytest_seedshift.results.environments import Environment
    from pytest_seedshift.runner.job import Job
    from pytest_seedshift.runner.job_resolution import Jobs
    from pytest_seedshift.runner.references import References
    from pytest_seedshift.runner.regression_gate import Against


class Gate:
    """What a session is held against."""

    def __init__(self, session: Asked, environment: Callable[[], Environment]) -> None:
        """Nothing is read yet. `environment` is what pictures are made on, by which baselines are chosen."""
        self._session = session
        self.place = BaselinePlace(session, environment)
        """Where the baseline lies, and where the run is saved as one."""

    @property
    def against(self) -> Against | None:
        """What the cases are held against; None where no baseline is given, or where this run makes the first one.

        Raises:
            pytest.UsageError: it cannot be used.
        """
        if self.place.chosen is None:
            return None
        from pytest_seedshift.runner import regression_gate

        session, table = self._session, self._session.thresholds.baseline
        return regression_gate.Against(
            self._baseline,
            table.models,
            session.settings.allow_missing or table.allow_missing,
            tuple(dict.fromkeys(case.model for case in session.collected.cases)) or session.settings.models,
            session.catalogue,
            lambda score: session.workbench.pool.scorers.own(score).given,
            lambda: session.scores,
        )

    @cached_property
    def references(self) -> References:
        """The baseline's pictures, as far as anything is asked of the likeness to them."""
        from pytest_seedshift.runner.references import References

        session = self._session
        return References(
            self.against,
            lambda case: session.thresholds.likeness(case) | session.collected.likeness(case),
            lambda *of: session.workbench.pool.scorers.fingerprint_of_embedder(*of),
            session.thresholds.likeness_models,
            lambda model: session.workbench.pool.scorers.beside(model),
        )

    def check_pictures(self, jobs: Jobs) -> None:
        """Make sure that the baseline's pictures are as they were kept, with which any are to be compared.

        Raises:
            pytest.UsageError: one is not.
        """
        from pytest_seedshift.core import likeness
        from pytest_seedshift.core.errors import DataError
        from pytest_seedshift.results.baseline import BaselineError

        beside = self._session.workbench.pool.scorers.beside
        compared = [
            job.case
            for job in jobs.reliability
            if likeness.measures(each.score for each in job.constraints)
            or "baseline" in beside(job.case.model).values()
        ]
        self._check_models({each.score for job in jobs.reliability for each in job.constraints})
        if compared and self.against is not None:
            try:
                self.against.check_pictures(dict.fromkeys(compared), self._session.workbench.service.size)
                self.references.check_embeddings(compared)
            except DataError as error:
                raise self.refusal(BaselineError(str(error))) from None

    def _check_models(self, scores: Iterable[str]) -> None:
        """Make sure that the models can be had that measure likeness, as far as any is asked for."""
        from pytest_seedshift.core import likeness, likeness_tables
        from pytest_seedshift.core.checkpoints import repository

        thresholds = self._session.thresholds
        with border.usage_errors():  # a marker may ask for it, too
            likeness_tables.check_models(scores, thresholds.likeness_models, thresholds.source)
        for measure in likeness.measures(scores) & thresholds.likeness_models.keys():
            with border.usage_errors(f"[likeness.models] {measure}: "):
                repository.probe(thresholds.likeness_models[measure], "config.json")

    @property
    def has_baseline(self) -> bool:
        """Whether one is given, by an option or by the thresholds; it is not read.

        Raises:
            pytest.UsageError: the thresholds cannot be used.
        """
        return self.place.named is not None

    @property
    def no_baseline(self) -> str | None:
        """Why `max_regression` cannot be asked for where there is no baseline; None where this run makes one."""
        if self.place.target is not None:
            return None
        return (
            "is set, and no baseline is given: add --seedshift-baseline=PATH, or "
            '[baseline] path = "PATH" to the thresholds. A run of the version to compare with makes one: '
            "--seedshift-exact --seedshift-save-baseline=PATH"
        )

    @property
    def no_pictures(self) -> str | None:
        """The same of likeness, to which pictures are needed."""
        if self.place.target is not None:
            return None
        return (
            "is set, and no baseline is given: add --seedshift-baseline=FOLDER, or "
            '[baseline] path = "FOLDER" to the thresholds. A run of the version to compare with makes one that has '
            "pictures: --seedshift-exact --seedshift-save-baseline=FOLDER"
        )

    def scores(self, model: str) -> set[str]:
        """The scores that the baseline has of a model, which the run is held against.

        Raises:
            pytest.UsageError: the baseline cannot be used.
        """
        against = self.against
        if against is None:
            return set()
        return against.baseline.scores_of(model, against.others, against.models)

    def check_missing(self) -> None:
        """Make sure that the tests ask for all cases that the baseline has of their models.

        Raises:
            pytest.UsageError: they do not, and must.
        """
        from pytest_seedshift.results.baseline import BaselineError

        if (against := self.against) is not None:
            try:
                against.check_missing(self._session.collected.cases)
            except BaselineError as error:
                raise self.refusal(error) from None

    def size_note(self, jobs: Jobs) -> str | None:
        """How much room the pictures of the baseline take at most that the run saves; None where it saves none."""
        if not self.place.saves_pictures:
            return None
        service = self._session.workbench.service
        designs = {job.case: len(job.design) for job in jobs.reliability}
        sizes = {model: service.size(model) for model in dict.fromkeys(case.model for case in designs)}
        name = messages.relative(str(self.place.target))
        pictures = messages.count(sum(designs.values()), "picture")
        total = 0
        for case, images in designs.items():
            size = sizes[case.model]
            if size is None:
                return (
                    f"{name} keeps at most {pictures}, of 3 bytes a pixel at most: how large they are is not known yet"
                )
            total += 3 * size[0] * size[1] * images
        return f"{name} keeps at most {pictures}, losslessly: at most about {_bytes(total)}"

    def note(self, jobs: Jobs) -> str | None:
        """What the user should know beforehand of a run that saves a baseline."""
        saved = self.place.target
        if saved is None:
            return None
        name = messages.relative(str(saved))
        if self.against is not None:
            return f"compared with {name}, which is replaced if nothing is worse" if self.place.replaces else None
        if self.place.makes_missing:
            return (
                f"{name} is not there yet: this run has no baseline to compare with, looks at all pairs, and writes it "
                "if no case fails"
            )
        if self.place.is_first:
            return f"{name} is not there yet: this run has no baseline to compare with, and writes it"
        if jobs.leaves_regressions:
            return f"no baseline to compare with, so max_regression is not judged: this run writes {name}"
        return None

    def refusal(self, error: BaselineError) -> pytest.UsageError:
        """An error of the baseline as the session's, with where the baseline was named."""
        return self.place.refusal(error)

    @cached_property
    def _baseline(self) -> Baseline:
        from pytest_seedshift.results import baseline_sources
        from pytest_seedshift.results.baseline import BaselineError

        assert self.place.chosen is not None
        try:
            return baseline_sources.load(self.place.chosen, messages.relative(str(self.place.chosen)))
        except BaselineError as error:
            raise self.refusal(error) from None


def _bytes(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def note_of_chance(jobs: Jobs, certainty: float) -> str | None:
    """How likely a sound model is to fail somewhere in the grid."""
    from pytest_seedshift.reporting import chance

    asked = [(job.constraints, len(job.design)) for job in jobs.reliability]
    return chance.note(asked, certainty, jobs.threshold_tests)


def note_of_equivalence(jobs: Iterable[Job]) -> str | None:
    """How many images it takes to show what is asked of equivalence."""
    from pytest_seedshift.core.stats import equivalence_power
    from pytest_seedshift.core.stats.sequential import SequentialTest

    return equivalence_power.note(job.test for job in jobs if isinstance(job.test, SequentialTest))


def undetectable(jobs: Sequence[Job]) -> list[str]:
    """Warnings of drops that are allowed and of bounds that the design cannot see, with how many images could."""
    from pytest_seedshift.core.stats import detectable_drop, equivalence_power, paired
    from pytest_seedshift.core.stats.sequential import SequentialTest

    found: dict[tuple[Constraint, int, float], None] = {}
    for test in (job.test for job in jobs):
        if not isinstance(test, SequentialTest) or not test.fixed:
            continue
        for each in test.constraints:
            if each.max_regression and each.significant:
                level = test.level if test.exact else test.level * (1 - paired.EARLY)
                found[each, test.size, level] = None
    return [
        *(warning for key in found if (warning := detectable_drop.warning(*key)) is not None),
        *equivalence_power.warnings(job.test for job in jobs if isinstance(job.test, SequentialTest)),
    ]
