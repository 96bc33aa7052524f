"""The null control's test: it accuses a sound harness as seldom as it says, and a broken one at all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from pytest_seedshift.core.scores import NULL
from pytest_seedshift.core.stats.null_control import NullTest, chance


def scores(draw: np.random.Generator, pairs: int) -> dict[str, list[float]]:
    return {
        "top1": draw.binomial(1, 0.9, pairs).astype(float).tolist(),
        "top5": draw.binomial(1, 0.97, pairs).astype(float).tolist(),
        "clip": (25 + draw.standard_t(3, pairs)).tolist(),  # no bell: the test assumes none
    }


def test_a_sound_harness_is_accused_no_more_often_than_the_certainty_allows():
    draw, runs = np.random.default_rng(0), 150
    test = NullTest(40, certainty=0.9)
    accused = sum(not test.judge(scores(draw, 40), scores(draw, 40)).passed for _ in range(runs))
    assert accused <= binom.ppf(0.999, runs, 0.1)
    assert accused >= 1  # it can accuse at all


def test_a_small_change_of_every_score_is_found_in_either_direction():
    before = scores(np.random.default_rng(0), 100)
    for change in (0.5, -0.5):
        after = {**before, "clip": [value + change for value in before["clip"]]}
        judgement = NullTest(100).judge(after, before)
        assert judgement.decided
        assert not judgement.passed
        assert {finding.score: finding.holds for finding in judgement.findings} == {
            "top1": True,
            "top5": True,
            "clip": False,
        }
        assert {finding.kind for finding in judgement.findings} == {NULL}


@pytest.mark.parametrize(("lost", "won"), [(10, 3), (14, 1), (13, 0), (30, 8), (25, 12), (5, 0), (12, 0)])
def test_for_accuracies_it_is_mcnemar_s_exact_test(lost, won):
    drops = np.zeros(200)
    drops[:lost], drops[lost : lost + won] = 1.0, -1.0
    alpha = 0.01 / 3
    beyond = abs(drops.mean()) > chance(drops, alpha) + 1e-12
    assert beyond == (binomtest(lost, lost + won, 0.5).pvalue <= alpha)


def test_where_nothing_changes_nothing_is_beyond_chance():
    same = scores(np.random.default_rng(0), 20)
    judgement = NullTest(20).judge(same, same)
    assert judgement.passed
    assert all(finding.measured == finding.bound == 0 for finding in judgement.findings)


def test_it_decides_on_the_whole_design_only():
    before, after = scores(np.random.default_rng(0), 20), scores(np.random.default_rng(1), 19)
    test = NullTest(20)
    assert not test.judge(after, before).decided
    assert test.forecast(after, before).images == test.soonest(after, before) == 20
    assert test.forecast({}, {}).images == 20


def test_a_control_that_is_too_short_or_scores_that_are_not_finite_are_refused():
    before, after = scores(np.random.default_rng(0), 19), scores(np.random.default_rng(1), 20)
    with pytest.raises(ValueError, match="the control has 19 values for 20 pairs"):
        NullTest(20).judge(after, before)
    with pytest.raises(ValueError, match="CLIP has values that are not finite"):
        NullTest(20).judge({**after, "clip": [float("nan")] * 20}, after)


def test_the_certainty_has_to_be_one():
    with pytest.raises(ValueError, match="certainty = 1"):
        NullTest(20, certainty=1.0)
