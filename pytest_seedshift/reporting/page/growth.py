"""The same seed vector under growing magnitude: one label at a time, shifts down, magnitudes across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.reporting.page.shots import shot

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run, Sample

_LABELS = 8
"""How many labels there are to choose from, a model."""


def build(run: Run, album: Album) -> Section | None:
    """For the pairs of which most cases kept a picture; that which most cases get wrong stands first.

    Where there is no room for all, a label more of each model in turn, as long as there is.
    """
    models = [_Chosen(run, model) for model in run.models]
    if not album.has_room(path for each in models for pair in each.pairs for path in each.pictures(pair)):
        for each in models:
            each.shown = []
        for place in range(_LABELS):
            for each in models:
                if place < len(each.pairs) and album.admit(each.pictures(each.pairs[place])):
                    each.shown.append(each.pairs[place])
    title, judged = "The same seed vector under growing magnitude", "top1" in run.scores
    left_out = sum(len(each.pairs) - len(each.shown) for each in models)
    shown = [(each.model, each.strips(run, album)) for each in models if each.shown]
    return section("growth", title, models=shown, judged=judged, left_out=left_out) if shown else None


class _Chosen:
    """The pairs of a model that are worth being shown, of unlike labels, the best first."""

    def __init__(self, run: Run, model: str) -> None:
        self.model = model
        self._cases = [case for case in run.of(model) if not case.case.is_control]
        self._control = run.control(model)
        kept: dict[tuple[str, int], int] = {}
        self._wrong: dict[tuple[str, int], int] = {}
        for case in self._cases:
            for sample in case.samples:
                if sample.picture is not None:
                    kept[sample.pair] = kept.get(sample.pair, 0) + 1
                    self._wrong[sample.pair] = self._wrong.get(sample.pair, 0) + (sample.right is False)
        by_label: dict[str, tuple[str, int]] = {}
        for pair in sorted(kept, key=lambda pair: -kept[pair]):
            by_label.setdefault(pair[0], pair)
        self.pairs = sorted(list(by_label.values())[:_LABELS], key=lambda pair: -self._wrong[pair])
        self.shown = self.pairs
        wanted = set(self.pairs)
        self._samples = {
            (case.case, each.pair): each for case in self._cases for each in case.samples if each.pair in wanted
        }
        if self._control is not None:
            of_control = (*self._control.control.values(), *self._control.samples)  # the latter stand above the former
            self._samples |= {(self._control.case, each.pair): each for each in of_control if each.pair in wanted}

    def pictures(self, pair: tuple[str, int]) -> list[Path]:
        """Those of a pair, of all cases and of the control."""
        found = (self._sample(case, pair) for case in (self._control, *self._cases) if case is not None)
        return [sample.picture for sample in found if sample is not None and sample.picture is not None]

    def strips(self, run: Run, album: Album) -> list[dict[str, Any]]:
        """What is shown of each pair: shifts down, magnitudes across."""
        columns = sorted({*run.magnitudes(self.model), 0.0})
        by_place: dict[tuple[str, float], CaseRun] = {
            (each.case.shift, each.case.magnitude): each for each in self._cases
        }
        shifts = [shift for shift in run.shifts if any(place[0] == shift for place in by_place)]

        def at(shift: str, magnitude: float, pair: tuple[str, int]) -> Any:
            case = self._control if magnitude == 0 else by_place.get((shift, magnitude))
            sample = None if case is None else self._sample(case, pair)
            return None if sample is None else shot(sample, album)

        return [
            {
                "label": pair[0],
                "seed": pair[1],
                "wrong": self._wrong[pair],
                "columns": columns,
                "rows": [(shift, [at(shift, magnitude, pair) for magnitude in columns]) for shift in shifts],
            }
            for pair in self.shown
        ]

    def _sample(self, case: CaseRun, pair: tuple[str, int]) -> Sample | None:
        return self._samples.get((case.case, pair))
