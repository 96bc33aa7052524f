"""Two versions of a model that differ as a test wants them to, without a run."""

from __future__ import annotations

from dataclasses import replace

from pytest_seedshift.core.cases import grid
from pytest_seedshift.results.baseline import Baseline, Design, Samples, Version

VERSION = Version("print", "cpu", "float32", "vit", "clip")
LABELS = tuple("abcdefgh")
CASES = grid(["m"], ["mean", "std"], [0.1, 0.2, 0.3])


def side(name, columns, *, exact=True, model=None, size=400):
    """One side of a comparison, by case its top-1."""
    design = Design("letters.csv", LABELS, "A photo of a {label}", size)
    cases = {
        case: Samples(case, "design", exact, {"top1": tuple(map(float, values))}) for case, values in columns.items()
    }
    if model is not None:
        cases = {
            replace(case, model=model): replace(each, case=replace(case, model=model)) for case, each in cases.items()
        }
    return Baseline(name, {"torch": "1"}, {case.model: VERSION for case in cases}, {"design": design}, cases)
