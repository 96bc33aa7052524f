"""Per class: how often each label is drawn right, with and without a shift, worst first."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting.page.section import Section, section

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run


def build(run: Run, _: Album) -> Section | None:
    """A table a model; nothing where no case has its samples."""
    models = [(model, *found) for model in run.models if (found := _model(run, model))[1]]
    return (
        section("classes", "Class by class", models=models, early=any(case.early for case in run.cases))
        if models
        else None
    )


def _model(run: Run, model: str) -> tuple[list[str], list[dict[str, Any]]]:
    cases = [case for case in run.of(model) if case.complete and "top1" in case.scores]
    shifts = [shift for shift in run.shifts if any(case.case.shift == shift for case in cases)]
    by_label: dict[str, dict[str, _Count]] = defaultdict(lambda: defaultdict(_Count))
    worst: dict[str, tuple[_Count, CaseRun]] = {}
    for case in cases:
        of_case: dict[str, _Count] = defaultdict(_Count)
        for sample in case.samples:
            of_case[sample.label].add(sample.scores["top1"])
            counts = by_label[sample.label]
            counts[case.case.shift].add(sample.scores["top1"])
            if not case.case.is_control:
                counts["shifted"].add(sample.scores["top1"])
        if not case.case.is_control:
            for label, count in of_case.items():
                before = worst[label][0] if label in worst else None
                if _order(count) < min(1.0, 2.0 if before is None else _order(before)):
                    worst[label] = count, case
    rows = []
    for label, counts in sorted(by_label.items(), key=lambda entry: (_order(entry[1]["shifted"]), entry[0])):
        by_shift = [counts[shift] for shift in shifts]
        all_of_them = {"control": counts["none"], "shifted": counts["shifted"], "by_shift": by_shift}
        rows.append({"label": label, **all_of_them, "worst": worst.get(label)})
    return shifts, rows


def _order(count: _Count) -> float:
    """Worst first; what was never drawn under a shift last."""
    return 2.0 if count.mean is None else count.mean


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
