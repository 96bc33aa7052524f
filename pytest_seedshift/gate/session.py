"""A session's gate: the baseline that its cases are held against, read when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.gate.against import Against
    from pytest_seedshift.gate.baseline import Baseline
    from pytest_seedshift.scores import Constraint
    from pytest_seedshift.session import State


class Gating:
    """What a session asks of regressions, and against what.

    Attributes:
        asked: all cases that tests ask for, whether they were deselected or not.
        grid: the items of the whole grid, those of other shards too, with their cases.
    """

    def __init__(self, state: State) -> None:
        """Nothing is read yet."""
        self.asked: set[Case] = set()
        self.grid: Sequence[tuple[pytest.Item, Case]] = ()
        self._state = state
        self._baseline: Baseline | None = None
        self._family: int | None = None

    @property
    def against(self) -> Against | None:
        """What the cases are held against; None where no baseline is given.

        A run that saves a baseline is not held against the one that the thresholds name: it is to take its place.

        Raises:
            pytest.UsageError: it cannot be used.
        """
        place = self._place()
        if place is None:
            return None
        from pytest_seedshift.gate import against, baselines
        from pytest_seedshift.gate.baseline import BaselineError
        from pytest_seedshift.report import words

        state = self._state
        if self._baseline is None:
            try:
                self._baseline = baselines.load(place, words.relative(str(place)))
            except BaselineError as error:
                raise self._refusal(error) from None
        table = state.thresholds.baseline
        return against.Against(
            self._baseline,
            table.models,
            state.settings.allow_missing or table.allow_missing,
            tuple(dict.fromkeys(case.model for case in self.asked)) or state.settings.models,
            state.catalogue,
            lambda score: state.workbench.own_scorer(score).given,
        )

    def constraints(self, asked: Sequence[Constraint], item: pytest.Item, case: Case) -> tuple[Constraint, ...]:
        """What is asked of an item's case, as far as the baseline lets it be judged.

        Raises:
            pytest.UsageError: max_regression without a baseline, or one that does not fit.
        """
        from pytest_seedshift.gate import against

        regressions = _regressions(asked)
        if self.against is not None:
            before, _ = self.columns(asked, item, case)
            return tuple(asked) if before or not regressions else against.without(asked)
        if regressions and self._state.settings.save_baseline is None:
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
        from pytest_seedshift.gate.baseline import BaselineError

        against = self.against
        if against is None:
            return {}, True
        try:
            return against.columns(case, self._state.design(item, case), _regressions(asked))
        except BaselineError as error:
            raise self._refusal(error) from None

    def check_missing(self) -> None:
        """Make sure that the tests ask for all cases that the baseline has of their models.

        Raises:
            pytest.UsageError: they do not, and must.
        """
        from pytest_seedshift.gate.baseline import BaselineError

        if self.against is not None:
            try:
                self.against.check_missing(self.asked)
            except BaselineError as error:
                raise self._refusal(error) from None

    @property
    def family(self) -> int:
        """Among how many tests of regressions the certainty is shared: 1 unless the thresholds say `family = true`."""
        if not self._state.thresholds.family or self.against is None:
            return 1
        if self._family is None:
            from pytest_seedshift.gate import regression

            asked: dict[Case, list[str]] = {}
            for item, case in self.grid:
                constraints = self._state.constraints(item, case)
                asked[case] = [
                    each.score for each in constraints if each.max_regression is not None and each.significant
                ]
            self._family = max(1, regression.tests(asked))
        return self._family

    def _place(self) -> Path | None:
        settings, table = self._state.settings, self._state.thresholds.baseline
        if settings.baseline is not None:
            return settings.baseline
        if table.path is None or settings.save_baseline is not None:
            return None
        return Path(self._state.thresholds.source).parent / table.path

    def _refusal(self, error: Exception) -> pytest.UsageError:
        said = "[baseline]" if self._state.settings.baseline is None else "--seedshift-baseline"
        return pytest.UsageError(f"{said}: {error}")


def _regressions(asked: Sequence[Constraint]) -> list[str]:
    return [each.score for each in asked if each.max_regression is not None]
