"""Per class or prompt: how often it is drawn right, or else how it scores, with and without a shift, worst first."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting.page.section import Section, section

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run


def build(run: Run, _: Album) -> Section | None:
    """A table a model; nothing where no case has its samples."""
    models = [
        (model, score, *found)
        for model in run.models
        if (score := _score(run, model)) is not None and (found := _model(run, model, score))[1]
    ]
    if not models:
        return None
    early, noun = any(case.early for case in run.cases), _noun(run)
    title = f"{noun.capitalize()} by {noun}"
    return section("classes", title, run.kinds, models=models, early=early, noun=noun)


def _score(run: Run, model: str) -> str | None:
    """Top-1 where it was measured, else the first score that was."""
    found = {score for case in run.of(model) if case.complete for score in case.scores}
    return "top1" if "top1" in found else next((score for score in run.scores if score in found), None)


def _noun(run: Run) -> str:
    """What rows are of: of prompts with texts of their own a run records no template."""
    with_texts = any(each.run_with.get("prompt") == "" for facts in run.facts for each in facts.models)
    return "prompt" if with_texts else "class"


def _model(run: Run, model: str, score: str) -> tuple[list[str], list[dict[str, Any]]]:
    cases = [case for case in run.of(model) if case.complete and score in case.scores]
    shifts = [shift for shift in run.shifts if any(case.case.shift == shift for case in cases)]
    by_label: dict[str, dict[str, _Count]] = defaultdict(lambda: defaultdict(_Count))
    worst: dict[str, tuple[_Count, CaseRun]] = {}
    for case in cases:
        of_case: dict[str, _Count] = defaultdict(_Count)
        for sample in case.samples:
            of_case[sample.label].add(sample.scores[score])
            counts = by_label[sample.label]
            counts[case.case.shift].add(sample.scores[score])
            if not case.case.is_control:
                counts["shifted"].add(sample.scores[score])
        if not case.case.is_control:
            for label, count in of_case.items():
                before = worst[label][0] if label in worst else None
                if _order(count) < min(run.kinds[score].top, math.inf if before is None else _order(before)):
                    worst[label] = count, case
    rows = []
    for label, counts in sorted(by_label.items(), key=lambda entry: (_order(entry[1]["shifted"]), entry[0])):
        by_shift = [counts[shift] for shift in shifts]
        all_of_them = {"control": counts["none"], "shifted": counts["shifted"], "by_shift": by_shift}
        rows.append({"label": label, **all_of_them, "worst": worst.get(label)})
    return shifts, rows


def _order(count: _Count) -> float:
    """Worst first; what was never drawn under a shift last."""
    return math.inf if count.mean is None else count.mean


class _Count:
    """How many were right, of how many."""

    def __init__(self) -> None:
        self.right = 0.0
        self.of = 0

    def add(self, value: float) -> None:
        """Count one more."""
        self.right += value
        self.of += 1

    @property
    def mean(self) -> float | None:
        """The share that was right; None of none."""
        return self.right / self.of if self.of else None
