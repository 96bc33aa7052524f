"""A session's gate: the baseline that its cases are held against, read when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core import messages

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.plugin.session_views import AskedOfCases
    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.runner.regression_gate import Against


class Gating:
    """What a session asks of regressions, and against what.

    Attributes:
        asked: all cases that tests ask for, whether they were deselected or not.
        sought: all searches for breaking points, likewise.
        grid: the items of the whole grid, those of other shards too, with their cases.
    """

    def __init__(self, session: AskedOfCases) -> None:
        """Nothing is read yet."""
        self.asked: set[Case] = set()
        self.sought: set[Search] = set()
        self.grid: Sequence[tuple[pytest.Item, Case]] = ()
        self._session = session
        self._baseline: Baseline | None = None
        self._family: int | None = None
        self._thresholds: int | None = None
        self._unjudged = False

    @property
    def against(self) -> Against | None:
        """What the cases are held against; None where no baseline is given, or where this run makes the first one.

        Raises:
            pytest.UsageError: it cannot be used.
        """
        place = self._place
        if place is None or self._is_first:
            return None
        from pytest_seedshift.results import baseline_sources
        from pytest_seedshift.results.baseline import BaselineError
        from pytest_seedshift.runner import regression_gate

        session = self._session
        if self._baseline is None:
            try:
                self._baseline = baseline_sources.load(place, messages.relative(str(place)))
            except BaselineError as error:
                raise self._refusal(error) from None
        table = session.thresholds.baseline
        return regression_gate.Against(
            self._baseline,
            table.models,
            session.settings.allow_missing or table.allow_missing,
            tuple(dict.fromkeys(case.model for case in self.asked)) or session.settings.models,
            session.catalogue,
            lambda score: session.workbench.pool.scorers.own(score).given,
        )

    @property
    def has_baseline(self) -> bool:
        """Whether one is given, by an option or by the thresholds; it is not read.

        Raises:
            pytest.UsageError: the thresholds cannot be used.
        """
        return self._place is not None

    def constraints(self, asked: Sequence[Constraint], item: pytest.Item, case: Case) -> tuple[Constraint, ...]:
        """What is asked of an item's case, as far as the baseline lets it be judged.

        Raises:
            pytest.UsageError: max_regression without a baseline, or one that does not fit.
        """
        from pytest_seedshift.runner import regression_gate as against

        regressions = _regressions(asked)
        if self.against is not None:
            before, whole = self.columns(asked, item, case)
            if before and not whole:
                self._check_whole(asked, case)
            return tuple(asked) if before or not regressions else against.without(asked)
        self._unjudged |= bool(regressions)
        if regressions and self._session.settings.save_baseline is None:
            raise pytest.UsageError(
                f"{case.id}: max_regression of {regressions[0]} is asked for, and no baseline is given: add "
                '--seedshift-baseline=PATH, or [baseline] path = "PATH" to the thresholds. A run of the version to '
                "compare with makes one: --seedshift-exact --seedshift-save-baseline=PATH"
            )
        return against.without(asked)

    def columns(self, asked: Sequence[Constraint], item: pytest.Item, case: Case) -> tuple[dict[str, Any], bool]:
        """The baseline's values of the scores whose regressions are bounded, and whether their number was fixed.

        Raises:
            pytest.UsageError: they are not comparable.
        """
        from pytest_seedshift.results.baseline import BaselineError

        against = self.against
        if against is None:
            return {}, True
        try:
            return against.columns(case, self._session.design(item, case), _regressions(asked))
        except BaselineError as error:
            raise self._refusal(error) from None

    def scores(self, model: str) -> set[str]:
        """The scores that the baseline has of a model, which the run is held against.

        Raises:
            pytest.UsageError: the baseline cannot be used.
        """
        against = self.against
        if against is None:
            return set()
        name = against.baseline.counterpart(model, against.others, against.models)
        return {score for case, each in against.baseline.cases.items() if case.model == name for score in each.scores}

    def _check_whole(self, asked: Sequence[Constraint], case: Case) -> None:
        """Make sure that no drop counts whatever chance does, where the baseline itself is a matter of chance."""
        from pytest_seedshift.results import regression
        from pytest_seedshift.results.baseline import BaselineError

        for each in asked:
            if each.max_regression is not None and each.significant is False:
                raise self._refusal(BaselineError(regression.unfit(case.id, each.score)))

    def check_missing(self) -> None:
        """Make sure that the tests ask for all cases that the baseline has of their models.

        Raises:
            pytest.UsageError: they do not, and must.
        """
        from pytest_seedshift.results.baseline import BaselineError

        if self.against is not None:
            try:
                self.against.check_missing(self.asked)
            except BaselineError as error:
                raise self._refusal(error) from None

    @property
    def family(self) -> int:
        """Among how many tests of regressions the certainty is shared: those of the whole grid, or 1."""
        if not self.holds_family:
            return 1
        if self._family is None:
            from pytest_seedshift.results import regression

            asked: dict[Case, list[str]] = {}
            for item, case in self.grid:
                constraints = self._session.constraints(item, case)
                asked[case] = [
                    each.score for each in constraints if each.max_regression is not None and each.significant
                ]
            self._family = max(1, regression.tests(asked))
        return self._family

    @property
    def holds_family(self) -> bool:
        """Whether the certainty holds for all regressions together: so it is unless the thresholds say otherwise."""
        return self.against is not None and self._session.thresholds.family is not False

    @property
    def thresholds(self) -> int:
        """Among how many bounds of scores the certainty is shared: 0 unless the thresholds say `family = true`."""
        if self._session.thresholds.family is not True:
            return 0
        if self._thresholds is None:
            asked = (each for item, case in self.grid for each in self._session.constraints(item, case))
            self._thresholds = max(1, sum(map(bounds_of, asked)))
        return self._thresholds

    @property
    def replaces(self) -> bool:
        """Whether the run is saved to the very file that it is held against."""
        return self._place is not None and self._saves_to(self._place)

    def note(self) -> str | None:
        """What the user should know beforehand of a run that saves a baseline."""
        saved = self._session.settings.save_baseline
        if saved is None:
            return None

        name = messages.relative(str(saved))
        if self.against is not None:
            return f"held against {name}, which is replaced if nothing is worse" if self.replaces else None
        if self._is_first:
            return f"{name} is not there yet: this run is held against no baseline, and makes it"
        return (
            f"held against no baseline, so max_regression is not judged: this run makes {name}"
            if self._unjudged
            else None
        )

    def note_of_chance(self) -> str | None:
        """How likely a sound model is to fail somewhere in the grid."""
        from pytest_seedshift.reporting import chance

        session = self._session
        asked = [(session.constraints(item, case), len(session.design(item, case))) for item, case in self.grid]
        return chance.note([each for each in asked if each[0]], session.thresholds.certainty, self.thresholds)

    def warnings(self) -> list[str]:
        """Which drops are allowed that the design cannot see, and how many images could."""
        from pytest_seedshift.core.stats import detectable_drop, paired
        from pytest_seedshift.core.stats.sequential import SequentialTest

        if self.against is None:
            return []
        session = self._session
        found: dict[tuple[Constraint, int, float], None] = {}
        for item, case in self.grid:
            test = session.test(item, case)
            if not isinstance(test, SequentialTest):
                continue
            for each in test.constraints:
                if each.max_regression and each.significant and test.fixed:
                    level = test.level if test.exact else test.level * (1 - paired.EARLY)
                    found[each, test.size, level] = None
        return [said for key in found if (said := detectable_drop.warning(*key)) is not None]

    @cached_property
    def _place(self) -> Path | None:
        """Where the baseline lies that the user names."""
        table = self._session.thresholds.baseline
        if self._session.settings.baseline is not None or table.path is None:
            return self._session.settings.baseline
        return Path(self._session.thresholds.source).parent / table.path

    @cached_property
    def _is_first(self) -> bool:
        """Whether the run makes the baseline that it names and that is not there yet; at its end it will be."""
        return self._place is not None and not self._place.exists() and self._saves_to(self._place)

    def _saves_to(self, place: Path) -> bool:
        saved = self._session.settings.save_baseline
        return saved is not None and saved.resolve() == place.resolve()

    def _refusal(self, error: Exception) -> pytest.UsageError:
        said = "[baseline]" if self._session.settings.baseline is None else "--seedshift-baseline"
        anew = ". To make another in its place, remove that file first" if self.replaces else ""
        return pytest.UsageError(f"{said}: {error}{anew}")


def bounds_of(constraint: Constraint) -> int:
    """How many bounds a constraint has that can break, but for that on the drop against a baseline."""
    return bool(constraint.minimum) + (constraint.max_drop is not None)


def _regressions(asked: Sequence[Constraint]) -> list[str]:
    return [each.score for each in asked if each.max_regression is not None]
