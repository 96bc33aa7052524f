"""Equivalence: who is shown to be as good as the baseline, how early, and how often wrongly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from pytest_seedshift.core.score_bounds import constraint
from pytest_seedshift.core.scores import Constraint, Margin
from pytest_seedshift.core.stats import equivalence, equivalence_power, proportions
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.core.thresholds import ThresholdsError
from pytest_seedshift.core.thresholds_parser import parse

RIGHT = np.repeat([1.0, 0.0], [320, 80])
CERTAINTY = 0.9
"""Of the simulations: errors that are rarer take more designs to be seen."""


def gate(before, bound, score="top1", **given):
    asked = Constraint(score, within=Margin(bound))
    return SequentialTest((asked,), len(before), baseline={score: before}, **given)


def judged(before, after, bound, score="top1", **given):
    return gate(before, bound, score, **given).judge({score: after})


def versions(rng, size, drop, turned):
    """Outcomes of two versions, of which the own means differ by a drop and so many pairs turn."""
    drops = rng.choice([1, -1, 0], size, p=[(turned + drop) / 2, (turned - drop) / 2, 1 - turned])
    before = np.where(drops == 0, rng.random(size) < 0.7, drops > 0).astype(float)
    return before, before - drops


def cosines(rng, size, drop, spread):
    before = rng.normal(31, 3, size)
    return before, before - drop + rng.normal(0, spread, size)


def test_a_version_that_answers_alike_is_shown_to_be_equivalent_early():
    found = judged(RIGHT, RIGHT, 0.05)
    assert found.passed
    assert found.images < 200
    (finding,) = found.findings
    assert (finding.kind, finding.measured, finding.holds) == ("within", 0.0, True)
    assert -0.05 <= finding.low < 0 < finding.high <= 0.05
    assert finding.half_width == pytest.approx((finding.high - finding.low) / 2)
    assert (finding.change.lost, finding.change.won, finding.change.allowed) == (0, 0, 0.05)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_version_that_differs_breaks_early_on_either_side(sign):
    rng = np.random.default_rng(0)
    before = rng.permutation(RIGHT)
    after = np.where(rng.random(400) < (0.3 if sign > 0 else 0.9), float(sign < 0), before)
    (finding,) = (found := judged(before, after, 0.05)).findings
    assert found.decided
    assert not found.passed
    assert found.images < 250
    assert sign * finding.measured > 0.05
    assert finding.low < finding.measured < finding.high


def test_what_is_not_shown_fails_after_the_whole_design_and_says_what_could_be_shown():
    before, after = versions(np.random.default_rng(1), 400, 0.0, 0.1)
    found = judged(before, after, 0.02)
    assert found.images == 400
    (finding,) = found.findings
    assert finding.holds is False
    assert abs(finding.measured) < 0.02 < finding.half_width < 0.06
    assert judged(before, after, finding.half_width + abs(finding.measured) + 0.005).passed


@pytest.mark.parametrize("exact", [True, False])
def test_the_interval_lies_within_the_bound_just_where_it_holds(exact):
    rng = np.random.default_rng(2)
    for bound in (0.03, 0.08, 0.15, 0.3):
        for score, make, spread in (("top1", versions, 0.2), ("clip", cosines, 1.0)):
            before, after = make(rng, 60, 0.0, spread)
            scale = 1 if score == "top1" else 20
            found = judged(before, after, bound * scale, score, exact=exact)
            (finding,) = found.findings
            assert finding.holds is (-bound * scale <= finding.low and finding.high <= bound * scale)


@settings(max_examples=25)
@given(st.integers(1, 80), st.data())
def test_the_exact_test_of_a_gain_is_that_of_a_drop_turned_round(pairs, data):
    lost = data.draw(st.integers(0, pairs))
    won = data.draw(st.integers(0, pairs - lost))
    bound = data.draw(st.sampled_from([0.02, 0.1, 0.4]))
    down, up = (proportions.p_value(a, b, pairs, -bound) for a, b in ((won, lost), (lost, won)))
    before = np.repeat([1.0, 0.0, 1.0], [lost, won, pairs - lost - won])
    after = np.repeat([0.0, 1.0, 1.0], [lost, won, pairs - lost - won])
    (finding,) = judged(before, after, bound, exact=True).findings
    assert finding.change.p == max(down, up)
    (turned,) = judged(after, before, bound, exact=True).findings
    assert (turned.change.p, turned.measured) == (finding.change.p, pytest.approx(-finding.measured))


@pytest.mark.parametrize("exact", [True, False])
def test_small_changes_of_all_pairs_are_no_rounding_errors(exact):
    """Each pair's change is below what a regression counts; the mean's is all but the bound."""
    before = np.random.default_rng(3).normal(31, 3, 400)
    (finding,) = judged(before, before - 0.04, 1.0, "clip", exact=exact).findings
    assert finding.measured == pytest.approx(0.04, abs=1e-3)


# How often a version that is not equivalent passes, and one that is. ----------------------------------------------


def passes(designs, make, size, bound, drop, spread, score="top1", seed=0, **given):
    rng, found = np.random.default_rng(seed), 0
    for _ in range(designs):
        before, after = make(rng, size, drop, spread)
        course = gate(before, bound, score, certainty=CERTAINTY, **given).begin()
        course.add({score: after})
        found += all(each.holds for each in course._decisions())  # the verdict, without intervals, which take long
    return found


CASES = [
    pytest.param(versions, "top1", 120, 0.1, 0.12, id="top1"),
    pytest.param(cosines, "clip", 120, 1.5, 1.0, id="clip"),
]


@pytest.mark.parametrize("designs", [60, pytest.param(2000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(("make", "score", "size", "bound", "spread"), CASES)
def test_at_the_bound_few_pass_and_without_a_difference_most(designs, make, score, size, bound, spread):
    most = binom.isf(1e-3, designs, 1 - CERTAINTY)
    for sign in (1, -1):
        assert passes(designs, make, size, bound, sign * bound, spread, score) <= most
    assert passes(designs, make, size, bound, 0.0, spread, score) >= 0.8 * designs


@pytest.mark.parametrize(("make", "score", "size", "bound", "spread"), CASES)
def test_the_simulation_finds_a_test_of_one_side_alone(monkeypatch, make, score, size, bound, spread):
    both = equivalence.sides
    monkeypatch.setattr(equivalence, "sides", lambda *given: (both(*given)[0],) * 2)
    designs = 30
    read = SequentialTest._read

    def one_sided(*given):
        count, (down, _) = read(*given)
        return count, [down, down]

    monkeypatch.setattr(SequentialTest, "_read", one_sided)
    wrong = passes(designs, make, size, bound, -bound, spread, score)
    assert wrong > binom.isf(1e-9, designs, 1 - CERTAINTY)


@pytest.mark.parametrize("orders", [25, pytest.param(200, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    ("make", "score", "size", "bound", "drop", "spread"),
    [
        pytest.param(versions, "top1", 400, 0.05, 0.0, 0.03, id="top1-the-same"),
        pytest.param(versions, "top1", 400, 0.05, 0.03, 0.06, id="top1-near"),
        pytest.param(versions, "top1", 400, 0.05, 0.15, 0.2, id="top1-other"),
        pytest.param(cosines, "clip", 800, 0.6, 0.1, 1.0, id="clip-the-same"),
        pytest.param(cosines, "clip", 400, 0.6, 1.5, 1.0, id="clip-other"),
    ],
)
def test_early_verdicts_are_those_of_the_whole_design(orders, make, score, size, bound, drop, spread):
    rng = np.random.default_rng(5)
    before, after = make(rng, size, drop, spread)
    alike = 0
    for _ in range(orders):
        order = rng.permutation(size)
        found = []
        for exact in (False, True):
            course = gate(before[order], bound, score, exact=exact).begin()
            course.add({score: after[order]})
            found.append(all(each.holds for each in course._decisions()) if course.stop == size else None)
            if found[-1] is None:
                found[-1] = not any(each.holds is False for each in course._decisions())
        alike += found[0] == found[1]
    assert alike >= orders - max(1, orders // 100)


def test_a_baseline_that_stopped_early_is_held_against_by_bets_alone():
    test = SequentialTest((Constraint("top1", within=Margin(0.2)),), 400, baseline={"top1": RIGHT[:100]}, fixed=False)
    assert not test.judge({"top1": RIGHT[:99]}).decided
    (finding,) = (found := test.judge({"top1": RIGHT[:100]})).findings
    assert found.passed
    assert finding.change.test == "bets"


# What it takes. ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("score", "bound"), [("top1", 0.05), ("top1", 0.02), ("clip", 0.6)])
@pytest.mark.parametrize("exact", [True, False])
def test_what_is_said_to_be_needed_is_enough_for_a_version_of_which_no_pair_changes_and_no_less_is(score, bound, exact):
    before = np.random.default_rng(6).normal(31, 3, 4000).clip(20, 40) if score == "clip" else np.ones(4000)
    images = equivalence_power.needed(Constraint(score, within=Margin(bound)), before, 0.01, exact=exact)
    for size, passed in ((images, True), (images - 1 - images // 20, False)):
        part = np.append(before[: size - 2], (20.0, 40.0)) if score == "clip" else before[:size]
        assert judged(part, part, bound, score, exact=exact).passed is passed


def test_a_design_that_cannot_decide_is_warned_of():
    asked = Constraint("top1", within=Margin(0.002))
    said = equivalence_power.warning(asked, RIGHT, 0.01, exact=True)
    assert said.startswith("within = 0.002 of top-1 cannot be shown on 400 images, even if no pair has changed. Give ")
    asked = Constraint("top1", within=Margin(0.02))
    said = equivalence_power.warning(asked, RIGHT, 0.01, exact=True)
    assert "is underpowered: 400 images show it only if no pair has changed." in said
    assert "it takes about 1980 images" in said
    assert equivalence_power.warning(Constraint("top1", within=Margin(0.1)), RIGHT, 0.01, exact=True) is None
    relative = Constraint("clip", within=Margin(share=0.002).of(31.0))
    said = equivalence_power.warning(relative, np.full(400, 31.0), 0.01, exact=False)
    assert said.startswith('within = "0.2%" of CLIP (±0.062) cannot be shown on 400 images')


def test_a_plan_says_how_many_images_a_bound_takes():
    said = equivalence_power.note([gate(RIGHT, 0.05), gate(np.full(9, 31.0), 0.6, "clip")])
    first, second = said.split("; ")
    assert first.startswith("within = 0.05 of top-1 takes about 1")
    assert first.endswith(" images a case if no pair has changed, and about 320 if 5 of 100 pairs turn")
    assert second.startswith("within = 0.6 of CLIP takes about ")
    assert equivalence_power.note([SequentialTest((Constraint("top1", 0.5),), 9)]) is None


def test_about_so_many_images_show_it_in_nine_of_ten_designs():
    images = equivalence_power.of_turned(0.1, 1 - CERTAINTY, 0.12)
    assert 60 < images < 140
    found = passes(80, versions, images, 0.1, 0.0, 0.12, exact=True)
    assert binom.ppf(1e-3, 80, 0.85) <= found


# How it is asked. -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "within = 0: no number of images shows that two versions are exactly alike"),
        (0.0, "within = 0.0: no number of images"),
        (-0.1, "within = -0.1 is outside its range, above 0 and below 1"),
        (float("nan"), "within = nan is outside its range"),
        (float("inf"), "within = inf is outside its range"),
        (1, 'within = 1 is outside its range, above 0 and below 1 (as a percentage of the baseline\'s mean: "1%")'),
        (True, "within = True: give a number in the score's units, or a percentage"),
        ([0.1], r"within = \[0.1\]: give a number in the score's units"),
        ("0%", "within = '0%': give a number in the score's units, or a percentage of the baseline's mean above"),
        ("-1%", "within = '-1%': give a number"),
        ("nan%", "within = 'nan%': give a number"),
        ("100%", "within = '100%': give a number"),
        ("0.2", "within = '0.2': give a number"),
        ("0,2%", "within = '0,2%': give a number"),
    ],
)
def test_a_bound_that_is_none_is_an_error_in_words(value, message):
    with pytest.raises(ThresholdsError, match=message.replace("(", r"\(").replace(")", r"\)")):
        constraint("top1", {"within": value}, "[default]")


def test_beside_a_regression_both_hold_unless_one_could_never_break():
    both = constraint("top1", {"within": 0.05, "max_regression": 0.01}, "[default]")
    assert (both.within, both.max_regression) == (Margin(0.05), 0.01)
    with pytest.raises(ThresholdsError, match=r"max_regression = 0.05 can never break where within = 0.02 holds"):
        constraint("top1", {"within": 0.02, "max_regression": 0.05}, "[default]")
    with pytest.raises(ThresholdsError, match="significant belongs to max_regression"):
        constraint("top1", {"within": 0.02, "significant": "any"}, "[default]")
    rng = np.random.default_rng(7)
    before = rng.permutation(RIGHT)
    after = np.where(rng.random(400) < 0.02, 0.0, before)
    found = SequentialTest((both,), 400, baseline={"top1": before}).judge({"top1": after})
    assert [each.kind for each in found.findings] == ["max_regression", "within"]


def test_it_is_in_the_fingerprint_of_thresholds_which_stay_as_they_were_without():
    texts = ("top1 = 0.6", "top1 = { min = 0.6, within = 0.02 }", 'top1 = { min = 0.6, within = "2%" }')
    prints = [parse(f"[default]\n{each}\n", "t", str).fingerprint for each in texts]
    assert len(set(prints)) == 3
    assert prints[0] == "143c9dc07fdc5ae8"  # of earlier versions


def test_a_percentage_is_of_the_baselines_mean():
    asked = constraint("clip", {"within": " 0.2 % "}, "[default]")
    assert asked.within.value is None
    assert asked.within.of(30.0).value == pytest.approx(0.06)
    assert str(asked.within) == str(asked.within.of(30.0)) == '"0.2%"'
    assert Margin(0.5).of(30.0) == Margin(0.5)
