"""The same seed vector under growing magnitude: one label at a time, shifts down, magnitudes across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.reporting.page.shots import shot

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run

_LABELS = 8
"""How many labels there are to choose from, a model."""


def build(run: Run, album: Album) -> Section | None:
    """For the pairs of which most cases kept a picture; that which most cases get wrong stands first."""
    models = [(model, found) for model in run.models if (found := _model(run, model, album))]
    title, judged = "The same seed vector under growing magnitude", "top1" in run.scores
    return section("growth", title, models=models, judged=judged) if models else None


def _model(run: Run, model: str, album: Album) -> list[dict[str, Any]]:
    cases = [case for case in run.of(model) if not case.case.is_control]
    control = run.control(model)
    kept: dict[tuple[str, int], int] = {}
    wrong: dict[tuple[str, int], int] = {}
    for case in cases:
        for sample in case.samples:
            if sample.picture is not None:
                kept[sample.pair] = kept.get(sample.pair, 0) + 1
                wrong[sample.pair] = wrong.get(sample.pair, 0) + (sample.right is False)
    by_label: dict[str, tuple[str, int]] = {}
    for pair in sorted(kept, key=lambda pair: -kept[pair]):
        by_label.setdefault(pair[0], pair)
    chosen = sorted(list(by_label.values())[:_LABELS], key=lambda pair: -wrong[pair])
    columns = sorted({*run.magnitudes(model), 0.0})
    by_place = {(case.case.shift, case.case.magnitude): case for case in cases}
    shifts = [shift for shift in run.shifts if any(place[0] == shift for place in by_place)]
    return [
        {
            "label": pair[0],
            "seed": pair[1],
            "wrong": wrong[pair],
            "columns": columns,
            "rows": [
                (shift, [_shot(control if at == 0 else by_place.get((shift, at)), pair, album) for at in columns])
                for shift in shifts
            ],
        }
        for pair in chosen
    ]


def _shot(case: CaseRun | None, pair: tuple[str, int], album: Album) -> Any:
    if case is None:
        return None
    sample = next((each for each in case.samples if each.pair == pair), None)
    if sample is None and case.case.is_control:
        sample = case.control.get(pair)
    return None if sample is None else shot(sample, album)
