"""The page of a crossed experiment: one HTML file that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.reporting import html, why, why_attribution
from pytest_seedshift.reporting.html import fill
from pytest_seedshift.reporting.page import plots, why_picture
from pytest_seedshift.studies.sampler_ablation import differences
from pytest_seedshift.studies.sampler_ablation.experiment import SHOWN

if TYPE_CHECKING:
    from pytest_seedshift.studies.sampler_ablation.effects import Effect, Mean
    from pytest_seedshift.studies.sampler_ablation.experiment import Study


def make(study: Study, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    models = dict.fromkeys(each.arm.level(differences.MODEL) for each in study.found)
    return fill(
        "why.html.jinja2",
        title=f"What makes {', '.join(models)} hold or break",
        style=html.style(),
        study=study,
        report=why,
        attribution=why_attribution,
        apart=why_attribution.differing(study.crossed),
        interactions=[each for each in study.interactions if each.significant],
        panels=why_picture.panels(study),
        legend=[(model, plots.key(index)) for index, model in enumerate(models)],
        scores=SHOWN,
        effects={score: _of_effects(study, score) for score in SHOWN},
        arms=[(each, [_of_arm(study, each.retained.get(score)) for score in SHOWN]) for each in study.found],
        by_shift=[(score, found) for score in SHOWN if (found := why.by_shift(study, score))],
        most=_most_retained(study),
        command=command,
    )


def _of_effects(study: Study, score: str) -> list[tuple[Effect, Bar]]:
    """The effects on a retained score; all bars lie on the same line, which reaches 0.05 to each side of 0."""
    found = [each for each in study.effects if each.score == score]
    limits = (
        min([-0.05, *(each.change.low for each in found)]),
        max([0.05, *(each.change.high for each in found)]),
    )
    return [(each, Bar.of(each.change, limits, 0.0)) for each in found]


def _of_arm(study: Study, retained: Mean | None) -> Bar | None:
    """An arm's retained score, on a line from 0 to the largest one; the mark is at 1."""
    return None if retained is None else Bar.of(retained, (0.0, _most_retained(study)), 1.0)


def _most_retained(study: Study) -> float:
    return max([1.0, *(each.high for found in study.found for each in found.retained.values())])


@dataclass(frozen=True, slots=True)
class Bar:
    """A mean with its interval and a reference value, as percentages of a line's length."""

    low: float
    high: float
    value: float
    mark: float

    @classmethod
    def of(cls, mean: Mean, limits: tuple[float, float], mark: float) -> Bar:
        """Place a mean on a line that goes from one limit to the other."""
        start, end = limits
        return cls(
            *(round(100 * (each - start) / (end - start), 2) for each in (mean.low, mean.high, mean.value, mark))
        )
