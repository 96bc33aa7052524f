"""The search for a breaking point: where it looks, what it finds, what it costs."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.scores import Constraint, Finding
from pytest_seedshift.core.searches import PER_UNIT, Search, grid
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.plugin.eta import Outlook
from pytest_seedshift.plugin.live import Board
from pytest_seedshift.plugin.plan import Plan, Planned
from pytest_seedshift.runner import records
from pytest_seedshift.runner.case_result import Part, Progress
from pytest_seedshift.studies.breaking_point import bisection
from pytest_seedshift.studies.breaking_point.bisection import Found, Probe

STEPS = PER_UNIT


class Model:
    """Answers by margins, one a step from 0 on, and notes where the search has looked."""

    def __init__(self, margins: list[float], images: int = 40):
        self.margins, self.images, self.looks = margins, images, []

    def __call__(self, step: int) -> Probe:
        self.looks.append(step)
        margin = self.margins[step]
        return Probe(step, margin >= 0, margin, self.images, None if abs(margin) < 0.05 else margin > 0)


def found(model: Model, steps: int = STEPS, design: int = 400) -> Found:
    result = bisection.seek(model, steps, design)
    assert len(model.looks) == len(set(model.looks))
    assert result.images <= bisection.budget(steps, design)
    return result


@given(at=st.integers(1, STEPS + 1), steps=st.integers(1, STEPS), slope=st.floats(0.001, 0.2))
def test_a_model_that_fails_from_one_step_on_breaks_exactly_there(at, steps, slope):
    margins = [slope * (at - step) - slope / 2 for step in range(steps + 1)]
    result = found(Model(margins), steps)
    assert result.at == (at if at <= steps else None)
    assert result.holds_at == min(at - 1, steps)
    assert not result.recovers
    assert result.within_budget
    for asked in range(1, steps + 1):
        assert result.reaches(asked) is (asked <= at)


def test_a_model_that_breaks_without_a_shift_is_not_searched():
    model = Model([-0.1] * (STEPS + 1))
    result = found(model)
    assert (result.at, result.holds_at, model.looks) == (0, None, [0])
    assert not result.reaches(1)


def test_a_model_that_recovers_and_fails_again_is_told():
    margins = [0.3] * 22 + [-0.2] * 14 + [0.2] * 5 + [-0.2] * 10
    result = found(Model(margins))
    assert result.at == 22
    assert result.recovers
    assert set(result.recovers) <= set(range(36, 41))
    assert result.relapses
    assert set(result.relapses) <= set(range(41, 51))


def test_a_dip_below_the_bisected_point_is_found_where_the_margin_leads_to_it():
    margins = [0.3] * 7 + [0.15, 0.04, -0.01, 0.03, 0.15] + [0.3] * 25 + [-0.2] * 14
    margins[10] = 0.02  # a step of the coarse sweep: it holds, but hardly
    assert found(Model(margins)).at == 9


def test_the_interval_is_between_the_last_clear_step_and_the_first_clearly_broken_one():
    result = found(Model([0.2 - 0.01 * step for step in range(STEPS + 1)]))
    low, high = result.interval
    assert (result.at, result.holds_at) == (21, 20)
    assert low <= 15 < 26 <= high
    assert found(Model([0.3] * (STEPS + 1))).interval == (STEPS, None)


@given(margins=st.lists(st.floats(-0.4, 0.5), min_size=STEPS + 1, max_size=STEPS + 1), design=st.integers(16, 400))
def test_whatever_the_model_does_the_search_keeps_to_its_budget_and_says_what_it_saw(margins, design):
    margins[0] = 0.5
    model = Model(margins, images=design)  # every look takes the whole design
    result = found(model, design=design)
    seen = {probe.step: probe for probe in result.probes}
    assert sorted(model.looks) == list(seen)
    failing = [step for step, probe in seen.items() if not probe.holds]
    assert result.at == min(failing, default=None)
    assert result.holds_at in seen
    assert all(seen[step].holds and step > result.at for step in result.recovers)
    if result.at is None:
        assert set(bisection.sweep(STEPS)) <= seen.keys()


@pytest.mark.parametrize("steps", range(1, STEPS + 1))
def test_the_coarse_sweep_reaches_the_last_step_within_the_budget(steps):
    sweep = bisection.sweep(steps)
    assert sweep[-1] == steps
    assert sweep == sorted(set(sweep))
    assert len(sweep) <= bisection.budget(steps, 1) <= max(steps / 5, 5)


@settings(max_examples=15)
@given(
    middle=st.floats(0.1, 1.2),
    width=st.floats(0.03, 0.25),
    best=st.floats(0.9, 1.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_early_verdicts_find_what_an_exhaustive_scan_of_the_whole_design_finds(middle, width, best, seed):
    """Pairs fail one after the other as the shift grows, as they do in a model under one noise."""
    size, draw = 400, random.Random(seed)
    breaks_at = [0.0 if draw.random() > best else max(middle + width * draw.gauss(0, 1), 0.001) for _ in range(size)]
    test = SequentialTest((Constraint("top1", 0.6),), size)
    exact = SequentialTest(test.constraints, size, exact=True)

    def values(step: int) -> dict[str, list[float]]:
        return {"top1": [float(step / STEPS < at) for at in breaks_at]}

    def look(step: int) -> Probe:
        judgement = test.judge(values(step))
        measured = judgement.findings[0].measured
        return Probe(step, judgement.passed, measured - 0.6, judgement.images)

    scan = [step for step in range(STEPS + 1) if not exact.judge(values(step)).passed]
    result = bisection.seek(look, STEPS, size)
    assert result.images <= STEPS * size / 5
    if scan and scan[0] <= STEPS - 2:
        assert result.at is not None
        assert abs(result.at - scan[0]) <= 2  # 0.04
    elif not scan:
        assert result.at is None or result.at >= STEPS - 2


def test_a_search_ends_where_the_shift_loses_its_meaning():
    assert Search("m", "std", -1).magnitude == -0.98
    assert Search("m", "std", 1).magnitude == 1.0
    assert Search("m", "mixed:independent", 1).magnitude == 0.98
    assert Search("m", "arrangement", -1).magnitude == -1.0
    with pytest.raises(ValueError, match=r"mixed:independent=60.*-0\.02"):
        grid(["m"], ["mixed:independent=60"], [-1])


def test_a_probe_is_the_ordinary_case_of_its_magnitude():
    search = Search("toy-latent", "mean", 1)
    assert search.id == "toy-latent-mean-breaking-+"
    assert search.case(15).id == "toy-latent-mean-+0.30"
    assert search.case(15).magnitude == 0.3
    assert search.case(0).is_control


def test_workers_tell_their_controller_of_searches_as_of_cases(tmp_path):
    items = {"a": (Case("m", "mean", 0.3), True), "b": (Search("m", "mean", -1), True)}
    board = Board(tmp_path)
    board.post_items(items)
    assert board.items() == items


def test_the_time_left_counts_what_a_search_has_looked_at_before_the_magnitude_in_work():
    search = Search("m", "mean", 1)
    plan = Plan((Planned("a", "m", search.id, 4000, 4000, 2000, 0, 4000),), {"m": 0.5}, "cpu", "float32", 0.99, "", "")
    at = Progress(search.case(5), 50, 50, 100, 400, Finding("top1", "min", 0.6, 0.9, None), [1.0], 0.99)

    def left(part: Part) -> float | None:
        told = records.of_progress(replace(at, search=part))
        assert (told["case"], told["generated"]) == ("m mean +0.10", 50 + part.generated)
        return Outlook(plan).now([told])[1]

    assert left(Part(search.id, 0, 0)) == (2000 - 50) * 0.5
    assert left(Part(search.id, 900, 900)) == (2000 - 950) * 0.5
    assert left(Part(search.id, 1990, 1990)) == 50 * 0.5  # it takes more than was expected
    assert Outlook(plan).now([records.of_progress(at)])[1] == 2000 * 0.5  # a case of its own is no part of it
