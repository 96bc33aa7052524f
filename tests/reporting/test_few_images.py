"""What is said where a design is small, or a case is judged twice: no figure that says nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.records import record
from helpers.versions import CASES, VERSION, side
from pytest_seedshift.core.scores import Constraint, Finding
from pytest_seedshift.reporting import chance, regressions, tally
from pytest_seedshift.results import losses, regression
from pytest_seedshift.results.baseline import Baseline, Design, Samples
from pytest_seedshift.results.regression import Gate
from pytest_seedshift.runner import verdict_messages


def case(design: int, measured: float, status: str = "fail") -> SimpleNamespace:
    found = Finding("top1", "min", 0.6, measured, holds=measured >= 0.6)
    return SimpleNamespace(null=False, status=status, findings=[found], design=design)


@pytest.mark.parametrize("cases", [1, 2, 3])
@pytest.mark.parametrize("design", [4, 16])
def test_a_small_design_excuses_no_failure(design, cases):
    run = SimpleNamespace(cases=[case(design, 0.1), *[case(design, 0.9, "pass")] * (cases - 1)])
    (line,) = chance.explained(run)
    if cases < 3:
        assert line.endswith(f"{design} images a case are too few to say how many are due to chance")
    at_most = re.search(r"By chance, .* 0\.1 above: (\d+)\)$", line)
    assert at_most is None or int(at_most[1]) < cases / 2


@pytest.mark.parametrize("cases", [1, 2, 31])
def test_a_large_design_tells_chance_from_a_cause(cases):
    run = SimpleNamespace(cases=[case(400, 0.1), *[case(400, 0.9, "pass")] * (cases - 1)])
    (line,) = chance.explained(run)
    assert line.endswith("; 0.1 above: 0)")


def test_known_failures_alone_ask_nothing_of_chance():
    assert chance.explained(SimpleNamespace(cases=[case(16, 0.1, "xfailed")])) == []


def by_clip(drops: np.ndarray, size: int, *asked: Constraint) -> regression.Comparison:
    """Of a baseline's whole design; the version has as many pairs as there are drops."""
    before = np.full(size, 20.0)  # so that much can be gained: bets have to be careful
    labels = tuple(f"label {k}" for k in range(size))
    sides = (
        Baseline(
            name,
            {},
            {"m": VERSION},
            {"d": Design("x.csv", labels, "A photo of a {label}", size)},
            {CASES[1]: Samples(CASES[1], "d", len(values) == size, {"clip": tuple(values)})},
        )
        for name, values in (("old", before), ("new", before[: drops.size] - drops))
    )
    return regression.compare(*sides, Gate(asked={CASES[1]: asked}))


def of_clip(drops: np.ndarray, size: int, *asked: Constraint) -> regression.Row:
    (row,) = by_clip(drops, size, *asked).rows
    return row


DROPS = np.array([20.0, -15, 20, 20, 20, -15, 20, 0, 20, 20, 20, -15, 20, 20, 20])
"""Of 15 pairs: 11 turned lower and 3 higher."""


def test_an_obvious_drop_of_a_few_pairs_is_not_told_as_p_1():
    row = of_clip(DROPS, 16)  # stopped after 15 of 16
    assert row.drop > 11
    assert row.change.p > 0.5
    assert not row.regressed
    said = verdict_messages.change(row.change, row.score_kind, row.drop)
    assert said.startswith("11 pairs of 15 turned lower and 3 higher by more than 0.05, underpowered: too few pairs")
    assert "p 1" not in said


def test_of_many_pairs_and_of_what_is_allowed_there_is_a_p_value():
    for drops in (np.tile(DROPS, 20), -np.tile(DROPS, 20)):
        row = of_clip(drops, drops.size, Constraint("clip", max_regression=0.5))
        assert ", p " in verdict_messages.change(row.change, row.score_kind, row.drop)


@pytest.mark.parametrize(("pairs", "few"), [(4, True), (40, False)])
def test_accuracies_of_which_no_drop_could_be_found_have_no_p_value(pairs, few):
    before = dict.fromkeys(CASES[1:2], np.ones(pairs))
    after = {CASES[1]: np.r_[np.zeros(pairs // 2), np.ones(pairs - pairs // 2)]}
    gate = Gate(asked={CASES[1]: [Constraint("top1", max_regression=0.02)]})
    found = regression.compare(side("old", before, size=pairs), side("new", after, size=pairs), gate)
    (row,) = found.rows
    assert ("underpowered" in verdict_messages.change(row.change, row.score_kind, row.drop)) is few
    assert row.regressed is not few
    assert regressions.lines(found)


@pytest.mark.parametrize(("allowed", "under"), [(0.5, True), (20.0, False)])
def test_a_design_that_misses_twice_what_is_allowed_is_called_underpowered(allowed, under):
    drops = np.random.default_rng(3).normal(0, 10, 60)
    found = by_clip(drops, drops.size, Constraint("clip", max_regression=allowed))
    (said,) = [line for line in regressions.lines(found) if "minimum detectable drop in CLIP" in line]
    assert said.strip().startswith("underpowered: ") is under


def test_images_of_a_case_count_once_however_many_tests_judge_it():
    one = record(id="a", images=16, design=16, model="m", shift="mean", magnitude=0.1)
    other = one.model_copy(update={"verdict": "fail", "images": 13})
    null = one.model_copy(update={"null": True, "images": 5})
    assert tally.looked_at([one, other]) == tally.looked_at([other, one]) == (13, 16)
    assert tally.looked_at([one, other, null]) == (18, 32)


def test_a_sentence_of_fewer_pairs_than_the_pool_has_says_so():
    first, second = CASES[:2]
    before = {each: np.ones(16) for each in (first, second)}
    after = {first: np.ones(16), second: np.ones(15)}
    found = regression.compare(side("old", before, size=16), side("new", after, size=16))
    over_all = next(each for each in losses.of(found) if each.shift is None)
    assert "(30 pairs of 31, up to where a case stopped, " in over_all.sentence
    assert "(30 pairs, " in replace(over_all, compared=30).sentence
