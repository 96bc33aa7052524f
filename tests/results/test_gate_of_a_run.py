"""What a run asked of regressions, as the head of its verdicts.json says it."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.results import comparison, schema

CASE = Case("toy", "mean", 0.3)
ASKS = [{"top1 max_regression": 0.05}, {"top1 min": 0.5}, {"top1 max_regression": 0.02, "clip max_regression": 1.0}]


def head(asks: list[dict[str, float]]) -> schema.Head:
    about = {"id": CASE.id, "model": CASE.model, "shift": CASE.shift, "magnitude": CASE.magnitude, "design": "d"}
    grid = [
        {**about, "test": f"test_{number}", "asks": each, "exact": True, "images": 16}
        for number, each in enumerate(asks)
    ]
    given = {"certainty": 0.99, "thresholds": "t", "libraries": {}, "models": {}, "grid": grid}
    return schema.Head.model_validate({**given, "baseline": {"name": "b", "checksum": "c", "family": True}})


@pytest.mark.parametrize("asks", list(permutations(ASKS)), ids=str)
def test_tests_of_one_case_ask_together_in_whatever_order(asks):
    gate = comparison.gate_of(head(list(asks)), {}, Path())
    assert {each.score: each.max_regression for each in gate.asked[CASE]} == {"top1": 0.02, "clip": 1.0}
    assert gate.tests == 2
