"""Early verdicts on a finite design: how often they differ from the exact ones, when they fall, and what they say."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import CERTAINTY, Constraint, Finding
from pytest_seedshift.core.stats import course, unseen_changes, wealth
from pytest_seedshift.core.stats.sequential import SequentialTest, estimate

RIGHT_7_OF_10 = [1.0] * 7 + [0.0] * 3


def accuracies(right: int, size: int) -> np.ndarray:
    return np.repeat([1.0, 0.0], [right, size - right])


def exact(test: SequentialTest) -> SequentialTest:
    return replace(test, exact=True)


# Simulation: designs in a random order, which is all that the verdicts rest on.


@dataclass(frozen=True)
class Design:
    """A case's whole design: what is asked of it, and the scores of the case and of its control, in some order."""

    constraints: tuple[Constraint, ...]
    scores: dict[str, np.ndarray]
    control: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        return len(next(iter(self.scores.values())))

    def shuffled(self, rng: np.random.Generator) -> "Design":
        order = rng.permutation(self.size)
        scores, control = ({name: each[order] for name, each in part.items()} for part in (self.scores, self.control))
        return Design(self.constraints, scores, control)


# How far the true mean is from the bound, in parts of the score's range.
FAR, NEAR, JUST = 0.15, 0.03, 1e-6
OFFSETS = {"at": 0.0} | {
    f"{how} {side}": sign * offset
    for how, offset in (("just", JUST), ("near", NEAR), ("far", FAR))
    for side, sign in (("below", -1), ("above", 1))
}


def images(offset: float, size: int) -> int:
    """An offset of the mean as a number of images that are right: at least one, unless the offset is 0."""
    return int(math.copysign(max(1, round(abs(offset) * size)), offset)) if offset else 0


def top_min(offset, size, rng, score="top1"):
    right = 3 * size // 4 + images(offset, size)
    return Design((Constraint(score, minimum=0.75),), {score: rng.permutation(accuracies(right, size))}, {})


def top_drop(offset, size, rng):
    case, control = size // 2 + images(offset, size), 3 * size // 4
    scores, before = ({"top1": rng.permutation(accuracies(right, size))} for right in (case, control))
    return Design((Constraint("top1", max_drop=0.25),), scores, before)


def spread(size, rng):
    """Values that sum to 0 and are mostly near -9 or 9."""
    half = 18 * rng.beta(0.5, 0.5, size // 2) - 9
    return rng.permutation(np.concatenate((half, -half)))


def clip_min(offset, size, rng):
    return Design((Constraint("clip", minimum=20.0),), {"clip": 20 + 50 * offset + spread(size, rng)}, {})


def clip_drop(offset, size, rng):
    control = rng.uniform(20, 30, size)
    scores = {"clip": control - 5 + 50 * offset + spread(size, rng)}
    return Design((Constraint("clip", max_drop=5.0),), scores, {"clip": control})


def several(offset, size, rng):
    """Four bounds in the two ways that are hardest: all are met as barely, or one is broken and the others are not."""
    others = FAR if offset < 0 else offset
    scores = {
        **top_min(offset, size, rng, "top1").scores,
        **top_min(others, size, rng, "top5").scores,
        **clip_min(others, size, rng).scores,
    }
    control = {"clip": 25 + spread(size, rng)}
    asked = (Constraint("top1", minimum=0.75), Constraint("top5", minimum=0.75), Constraint("clip", 20.0, 5.0))
    return Design(asked, scores, control)


KINDS = [top_min, top_drop, clip_min, clip_drop, several]


def differing(kind, offset: float, size: int, certainty: float, repeats: int) -> int:
    """How many verdicts on shuffled designs differ from the exact one."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(repeats):
        design = kind(offset, size, rng).shuffled(rng)
        test = SequentialTest(design.constraints, size, certainty)
        found, truth = (each.judge(design.scores, design.control) for each in (test, exact(test)))
        assert found.decided
        assert (truth.decided, truth.images, truth.passed) == (True, size, offset >= 0)
        wrong += found.passed != truth.passed
    return wrong


def tolerated(certainty: float, repeats: int) -> int:
    """As many as chance may bring if each differs with a probability of 1 - certainty, the most that is promised."""
    return int(binom.ppf(0.9999, repeats, 1 - certainty))


@pytest.mark.slow
@pytest.mark.parametrize("certainty", [0.9, pytest.param(0.99, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    ("size", "repeats"),
    [
        *((16, 100), (64, 100), (400, 80)),
        *(pytest.param(*each, marks=pytest.mark.nightly) for each in ((16, 250), (64, 250), (400, 200), (5000, 20))),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_seldom_differ_from_the_exact_ones(kind, size, repeats, certainty):
    for name, offset in OFFSETS.items():
        assert differing(kind, offset, size, certainty, repeats) <= tolerated(certainty, repeats), name


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0.0, -JUST], ids=["at", "just below"])
def test_verdicts_at_the_bound_differ_about_as_often_as_they_may(offset):
    # A share far below what is promised would be paid for with images.
    assert 0.03 * 1500 <= differing(top_min, offset, 400, 0.9, 1500) <= tolerated(0.9, 1500)


@pytest.mark.parametrize("certainty", [0.6, 0.8, 0.9])
def test_of_all_orders_of_a_small_design_no_more_than_promised_have_another_verdict(certainty):
    size, total = 9, 0
    for right, asked in itertools.product(range(size + 1), range(1, size)):
        test = SequentialTest((Constraint("top1", minimum=asked / size),), size, certainty)
        wrong = 0
        for places in itertools.combinations(range(size), right):
            values = np.zeros(size)
            values[list(places)] = 1
            wrong += test.judge({"top1": values}).passed != (right >= asked)
        assert wrong <= (1 - certainty) * math.comb(size, right), (right, asked)
        total += wrong
    assert total > 0


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0.0, -JUST], ids=["at", "just below"])
def test_the_simulation_finds_a_bet_that_pays_too_much(monkeypatch, offset):
    fair = wealth.mixed
    monkeypatch.setattr(wealth, "mixed", lambda *given: 3 * fair(*given))
    assert differing(top_min, offset, 400, 0.9, 400) > tolerated(0.9, 400)


@pytest.mark.slow
def test_the_simulation_finds_bounds_that_do_not_share_what_may_go_wrong(monkeypatch):
    shared = course.Bets
    monkeypatch.setattr(course, "Bets", lambda *given, holds, breaks: shared(*given, holds=holds, breaks=4 * breaks))
    assert differing(several, 0.0, 400, 0.9, 1000) > tolerated(0.9, 1000)


# When verdicts fall.


@pytest.mark.parametrize(
    ("mean", "fewest", "most"),
    [(1.0, 20, 32), (0.95, 40, 65), (0.9, 90, 140), (0.8, 380, 400), (0.5, 18, 32), (0.2, 4, 10), (0.0, 2, 8)],
)
def test_a_case_takes_few_images_unless_its_mean_is_at_the_bound(mean, fewest, most):
    rng = np.random.default_rng(0)
    test = SequentialTest((Constraint("top1", minimum=0.8),), 400)
    design = accuracies(round(400 * mean), 400)
    taken = [test.judge({"top1": rng.permutation(design)}).images for _ in range(100)]
    assert fewest <= np.mean(taken) <= most


def test_clip_scores_like_real_ones_take_few_images():
    rng = np.random.default_rng(0)
    test = SequentialTest((Constraint("clip", minimum=20.0),), 400)
    taken = {mean: test.judge({"clip": rng.normal(mean, 3, 400)}) for mean in (14.0, 26.0, 32.0)}
    assert [found.passed for found in taken.values()] == [False, True, True]
    assert max(found.images for found in taken.values()) <= 80


def test_more_certainty_takes_more_images():
    values = {"top1": np.ones(400)}
    taken = [
        SequentialTest((Constraint("top1", minimum=0.8),), 400, certainty).judge(values).images
        for certainty in (0.51, 0.9, 0.99, 0.9999, 1 - 1e-12)
    ]
    assert taken == sorted(set(taken))


@given(st.lists(st.booleans(), min_size=1, max_size=10), st.data())
def test_a_verdict_that_nothing_can_change_any_more_falls_without_a_bet(right, data):
    size = len(right)
    asked = data.draw(st.integers(0, size))
    found = SequentialTest((Constraint("top1", minimum=asked / size),), size, 1 - 1e-15).judge({"top1": right})
    sums = list(itertools.accumulate(right))
    settled = [n for n, hits in enumerate(sums, 1) if hits >= asked or hits + size - n < asked]
    assert found.images == settled[0]
    assert found.passed == (sums[-1] >= asked)


# What always holds.


@st.composite
def bounds(draw, top: float, size: int):
    return top * draw(st.integers(0, 2 * size)) / (2 * size)


@st.composite
def cases(draw, most_scores: int = 3):
    """A test of any bounds and a design for it."""
    size = draw(st.integers(1, 40))
    chosen = draw(st.lists(st.sampled_from(sorted(BUILT_IN)), min_size=1, max_size=most_scores, unique=True))
    asked, scores, control = [], {}, {}
    for score in chosen:
        kind = BUILT_IN[score]
        value = st.sampled_from([0.0, 1.0]) if kind.binary else st.floats(0, kind.top, width=16)
        column = st.lists(value, min_size=size, max_size=size).map(np.array)
        scores[score], control[score] = draw(column), draw(column)
        which = draw(st.sampled_from(["min", "max_drop", "both"]))
        minimum, max_drop = draw(bounds(kind.top, size)), draw(bounds(kind.top, size))
        asked.append(Constraint(score, minimum if which != "max_drop" else None, max_drop if which != "min" else None))
    certainty = draw(st.sampled_from([0.6, 0.9, 0.99]))
    return SequentialTest(tuple(asked), size, certainty), Design(tuple(asked), scores, control)


def single(test: SequentialTest) -> list[SequentialTest]:
    """A test of each bound alone."""
    alone = []
    for each in test.constraints:
        if each.minimum is not None:
            alone.append(replace(test, constraints=(Constraint(each.score, minimum=each.minimum),)))
        if each.max_drop is not None:
            alone.append(replace(test, constraints=(Constraint(each.score, max_drop=each.max_drop),)))
    return alone


def first(scores, count):
    return {name: values[:count] for name, values in scores.items()}


@settings(max_examples=100)
@given(cases(), st.data())
def test_a_verdict_stands_whatever_follows(case, data):
    test, design = case
    found = test.judge(design.scores, design.control)
    assert found.decided
    assert 1 <= found.images <= test.size
    for count in range(found.images, test.size + 1):
        assert test.judge(first(design.scores, count), design.control) == found
    tail = data.draw(st.permutations(range(found.images, test.size)))
    order = [*range(found.images), *tail]
    shuffled = {name: values[order] for name, values in design.scores.items()}
    assert test.judge(shuffled, {name: values[order] for name, values in design.control.items()}) == found
    other = {name: np.append(values[: found.images], 0 * values[found.images :]) for name, values in shuffled.items()}
    assert test.judge(other, design.control) == found


@settings(max_examples=100)
@given(cases())
def test_before_its_verdict_a_case_is_undecided_and_knows_how_soon_it_cannot_fall(case):
    test, design = case
    stop = test.judge(design.scores, design.control).images
    for count in range(stop):
        seen, control = first(design.scores, count), first(design.control, count)
        found = test.judge(seen, control)
        assert (found.images, found.decided, found.passed) == (count, False, False)
        assert all(finding.holds is not False for finding in found.findings)
        assert None in [finding.holds for finding in found.findings]
        assert all(math.isnan(finding.measured) == (count == 0) for finding in found.findings)
        assert count < test.soonest(seen, control) <= stop
        forecast = test.forecast(seen, control)
        assert count < forecast.images <= test.size
        assert count < forecast.at_best <= test.size
        assert test.soonest(seen, control) <= min(forecast.images, forecast.at_best)
        assert replace(forecast.leading, measured=0.0) in [
            replace(finding, measured=0.0, holds=None) for finding in found.findings
        ]


@settings(max_examples=100)
@given(cases())
def test_a_case_ends_with_the_first_bound_that_breaks_or_the_last_that_holds(case):
    test, design = case
    found = test.judge(design.scores, design.control)
    outcomes = [finding.holds for finding in found.findings]
    assert found.passed == all(outcomes)
    assert found.passed != (False in outcomes)
    alone = [each.judge(design.scores, design.control) for each in single(test)]
    if all(each.passed for each in alone):
        assert found.passed
        assert found.images == max(each.images for each in alone)
    if not found.passed:
        # In company a bound needs more to break, but no more than to the end.
        assert found.images >= min(each.images for each in alone)


@settings(max_examples=100)
@given(cases(most_scores=1))
def test_a_bound_that_needs_the_whole_design_has_the_exact_verdict(case):
    for test in single(case[0]):
        found = test.judge(case[1].scores, case[1].control)
        truth = exact(test).judge(case[1].scores, case[1].control)
        assert truth.images == test.size
        if found.images == test.size:
            assert found == truth


def test_a_case_that_needs_the_whole_design_has_the_exact_verdict():
    rng = np.random.default_rng(0)
    test = SequentialTest((Constraint("top1", minimum=0.75), Constraint("top5", minimum=0.5)), 40, 0.9)
    for _ in range(100):
        scores = {"top1": rng.permutation(accuracies(29, 40)), "top5": rng.permutation(accuracies(20, 40))}
        found = test.judge(scores)
        if found.images == 40:
            assert found.passed == exact(test).judge(scores).passed


@settings(max_examples=200)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.floats(0, 1),
    st.sampled_from(["top1", "clip"]),
    st.sampled_from(["min", "max_drop"]),
)
def test_any_bound_and_any_values_have_a_verdict(values, bound, score, kind):
    top = BUILT_IN[score].top
    constraint = Constraint(score, **{"minimum" if kind == "min" else kind: top * bound})
    test = SequentialTest((constraint,), len(values), 0.6)
    scores, control = {score: top * np.array(values)}, {score: np.full(len(values), top / 2)}
    found = test.judge(scores, control)
    assert found.decided
    if found.images == test.size:
        assert found == exact(test).judge(scores, control)


@given(st.integers(1, 30), st.sampled_from(list(BUILT_IN)))
def test_a_bound_that_cannot_be_missed_holds_at_once(size, score):
    top = BUILT_IN[score].top
    worst, control = {score: np.zeros(size)}, {score: np.full(size, top)}
    for constraint in (Constraint(score, minimum=0.0), Constraint(score, max_drop=top), Constraint(score, 0.0, top)):
        found = SequentialTest((constraint,), size).judge(worst, control)
        assert (found.passed, found.images) == (True, 1)


@given(st.integers(1, 30), st.integers(0, 29), st.sampled_from(list(BUILT_IN)))
def test_a_minimum_of_all_breaks_with_the_first_miss_and_holds_at_the_end_alone(size, miss, score):
    top = BUILT_IN[score].top
    test = SequentialTest((Constraint(score, minimum=top),), size)
    best = np.full(size, top)
    found = test.judge({score: best})
    assert (found.passed, found.images) == (True, size)
    assume(miss < size)
    best[miss] = 0
    found = test.judge({score: best})
    assert (found.decided, found.passed, found.images) == (True, False, miss + 1)


@pytest.mark.parametrize("score", list(BUILT_IN))
def test_a_drop_of_nothing_holds_at_the_end_alone_if_nothing_changes_and_breaks_early_if_all_is_lost(score):
    test = SequentialTest((Constraint(score, max_drop=0.0),), 30)
    control = {score: np.full(30, BUILT_IN[score].top)}
    found = test.judge(control, control)
    assert (found.passed, found.images) == (True, 30)
    found = test.judge({score: np.zeros(30)}, control)
    assert found.decided
    assert not found.passed
    assert found.images < 15


@given(cases(), cases())
def test_to_ask_more_never_makes_a_failing_case_pass(case, other):
    test, design = case
    size = min(test.size, other[0].size)
    scores, control = first(other[1].scores | design.scores, size), first(other[1].control | design.control, size)
    less = SequentialTest(test.constraints, size, exact=True)
    more = replace(less, constraints=(*test.constraints, *other[0].constraints))
    assert less.judge(scores, control).passed >= more.judge(scores, control).passed


@given(
    st.lists(st.tuples(st.integers(0, 64), st.integers(0, 64)), min_size=1, max_size=40),
    st.integers(0, 64),
    st.integers(0, 64),
)
def test_the_unit_of_a_score_is_of_no_consequence(pairs, minimum, max_drop):
    case, control = (np.array(each) / 64 for each in zip(*pairs, strict=True))
    unit = SequentialTest((Constraint("top1", minimum / 64, max_drop / 64),), len(pairs), 0.9)
    scaled = replace(unit, constraints=(Constraint("clip", 50 * minimum / 64, 50 * max_drop / 64),))
    found = unit.judge({"top1": case}, {"top1": control})
    same = scaled.judge({"clip": 50 * case}, {"clip": 50 * control})
    assert (same.images, same.passed) == (found.images, found.passed)
    for before, after in zip(found.findings, same.findings, strict=True):
        assert after.holds == before.holds
        assert after.measured == pytest.approx(50 * before.measured, abs=1e-9)


def test_values_outside_the_range_count_as_its_ends():
    test = SequentialTest((Constraint("clip", 20.0, 5.0),), 40, 0.9)
    case, control = np.tile([-3.0, 60.0], 20), np.tile([70.0, -1.0], 20)
    assert test.judge({"clip": case}, {"clip": control}) == test.judge(
        {"clip": case.clip(0, 50)}, {"clip": control.clip(0, 50)}
    )


# Exact verdicts, and what findings say.


def only(constraint: Constraint, scores, control=None) -> Finding:
    """The one finding of an exact test."""
    size = len(scores[constraint.score])
    (finding,) = SequentialTest((constraint,), size, exact=True).judge(scores, control).findings
    return finding


@given(cases())
def test_an_exact_case_is_undecided_until_the_end(case):
    test, design = exact(case[0]), case[1]
    for count in {0, test.size // 2, test.size - 1}:
        seen, control = first(design.scores, count), first(design.control, count)
        found = test.judge(seen, control)
        assert (found.images, found.decided, found.passed) == (count, False, False)
        assert {finding.holds for finding in found.findings} == {None}
        assert test.soonest(seen, control) == test.size
        assert (test.forecast(seen, control).images, test.forecast(seen, control).at_best) == (test.size, test.size)
    assert test.judge(design.scores, design.control).decided


def test_a_bound_exactly_at_the_mean_holds():
    assert only(Constraint("top1", minimum=0.7), {"top1": RIGHT_7_OF_10}) == Finding("top1", "min", 0.7, 0.7, True)


@given(right=st.integers(0, 400), n=st.integers(1, 400))
def test_a_minimum_holds_exactly_if_enough_are_right(right, n):
    right = min(right, n)
    for asked in range(max(0, right - 1), min(n, right + 1) + 1):
        finding = only(Constraint("top1", minimum=asked / n), {"top1": accuracies(right, n)})
        assert finding.holds == (right >= asked)


@given(lost=st.integers(0, 50), n=st.integers(1, 50))
def test_a_drop_holds_exactly_if_no_more_are_lost(lost, n):
    lost = min(lost, n)
    for allowed in range(max(0, lost - 1), min(n, lost + 1) + 1):
        finding = only(
            Constraint("top1", max_drop=allowed / n), {"top1": accuracies(n - lost, n)}, {"top1": np.ones(n)}
        )
        assert finding.holds == (lost <= allowed)


def test_a_drop_is_the_controls_mean_less_the_cases():
    scores, control = {"clip": [20.0, 24.0]}, {"clip": [25.0, 22.0]}
    for max_drop, holds in ((2.0, True), (1.5, True), (1.0, False)):
        finding = only(Constraint("clip", max_drop=max_drop), scores, control)
        assert finding == Finding("clip", "max_drop", max_drop, pytest.approx(1.5), holds)


def test_a_gain_is_a_negative_drop_and_holds():
    finding = only(Constraint("top1", max_drop=0.0), {"top1": [1.0, 1.0]}, {"top1": [1.0, 0.0]})
    assert finding == Finding("top1", "max_drop", 0.0, -0.5, True)


def test_each_bound_of_each_constraint_is_judged_by_itself():
    constraints = (Constraint("top1", minimum=0.8), Constraint("clip", minimum=20.0, max_drop=5.0))
    scores = {"top1": RIGHT_7_OF_10, "clip": [21.0] * 10, "top5": [1.0] * 10}
    found = SequentialTest(constraints, 10, exact=True).judge(scores, {"clip": [27.0] * 10})
    assert [(finding.score, finding.kind, finding.holds) for finding in found.findings] == [
        ("top1", "min", False),
        ("clip", "min", True),
        ("clip", "max_drop", False),
    ]
    assert (found.decided, found.passed) == (True, False)


def test_a_case_that_broke_does_not_know_about_the_bounds_that_need_more_images():
    test = SequentialTest((Constraint("top1", minimum=0.8), Constraint("top5", minimum=0.8)), 400)
    found = test.judge({"top1": np.zeros(400), "top5": np.ones(400)})
    assert found.findings == (Finding("top1", "min", 0.8, 0.0, False), Finding("top5", "min", 0.8, 1.0, None))
    assert (found.decided, found.passed) == (True, False)
    assert found.images < 10


def test_what_is_measured_is_measured_on_the_images_before_the_verdict():
    test = SequentialTest((Constraint("top1", minimum=0.8),), 400)
    found = test.judge({"top1": np.concatenate((np.ones(200), np.zeros(200)))})
    assert found.passed
    assert found.findings[0].measured == 1.0


def test_the_control_may_have_more_pairs_than_the_case():
    test = SequentialTest((Constraint("top1", max_drop=0.25),), 40)
    longer = {"top1": np.tile([1.0, 0.0], 20)}
    assert test.judge({"top1": np.ones(10)}, longer) == test.judge({"top1": np.ones(10)}, first(longer, 10))
    assert test.compares
    assert not SequentialTest((Constraint("top1", minimum=0.25),), 40).compares


# Forecasts.


@pytest.mark.parametrize(("value", "passed"), [(1.0, True), (0.0, False)])
def test_a_forecast_comes_true_where_all_goes_on_as_it_began(value, passed):
    test = SequentialTest((Constraint("top1", minimum=0.8),), 400)
    found = test.judge({"top1": np.full(400, value)})
    assert found.passed == passed
    forecast = test.forecast({"top1": np.full(found.images - 1, value)})
    assert found.images <= forecast.images <= found.images + 2


def test_at_best_is_the_verdict_if_all_that_follows_is_perfect():
    test = SequentialTest((Constraint("top1", minimum=0.8), Constraint("clip", minimum=20.0)), 400)
    for seen in ([], [1.0] * 5, [0.0], [1.0, 0.0] * 2):
        rest = 400 - len(seen)
        perfect = {"top1": [*seen, *[1.0] * rest], "clip": [20 * each for each in seen] + [50.0] * rest}
        forecast = test.forecast(first(perfect, len(seen)))
        assert forecast.at_best == test.judge(perfect).images


def test_a_case_waits_for_its_slowest_bound_or_the_one_that_breaks():
    test = SequentialTest((Constraint("top1", minimum=0.5), Constraint("top5", minimum=0.8)), 400)
    assert test.forecast({"top1": np.ones(5), "top5": np.ones(5)}).leading.score == "top5"
    breaking = test.forecast({"top1": np.tile([1.0, 0.0], 5), "top5": np.tile([1.0, 0.0], 5)})
    assert breaking.leading == Finding("top5", "min", 0.8, 0.5, None)
    breaking = test.forecast({"top1": np.zeros(3), "top5": np.ones(3)})
    assert breaking.leading == Finding("top1", "min", 0.5, 0.0, None)


def test_of_several_bounds_that_break_a_case_waits_for_the_first():
    test = SequentialTest((Constraint("top1", minimum=0.6), Constraint("top5", minimum=0.9)), 400)
    values = np.tile([1.0, 0.0, 0.0], 100)
    assert [finding.holds for finding in test.judge({"top1": values, "top5": values}).findings] == [None, False]
    assert test.forecast({"top1": values[:6], "top5": values[:6]}).leading.score == "top5"


# Estimates.


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson 1927, with the normal quantile of 99 %."""
    z = 2.5758293035489004
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


@pytest.mark.parametrize(("right", "n"), [(7, 10), (0, 5), (5, 5), (380, 400), (1, 1)])
@pytest.mark.parametrize("score", ["top1", "top5"])
def test_accuracies_have_wilsons_interval(score, right, n):
    found = estimate(BUILT_IN[score], accuracies(right, n))
    low, high = wilson(right, n)
    assert found.mean == right / n
    assert found.low == pytest.approx(low, abs=1e-12)
    assert found.high == pytest.approx(high, abs=1e-12)


clip_values = st.lists(st.floats(0, 50, width=16), min_size=1, max_size=30)


@given(clip_values, st.booleans())
def test_the_interval_of_a_score_that_is_no_accuracy_is_that_of_the_bets_whatever_decided_the_number(values, stopped):
    found = estimate(BUILT_IN["clip"], values, stopped=stopped)
    assert found == estimate(BUILT_IN["clip"], values, stopped=not stopped)
    assert found.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    assert 0 <= found.low <= found.mean <= found.high <= 50
    assert found.low < found.high


@pytest.mark.parametrize("count", [1, 3, 64])
def test_one_value_and_equal_values_leave_room_for_others(count):
    found = estimate(BUILT_IN["clip"], [21.5] * count)
    hidden = 50 * unseen_changes.most(count)
    assert found.mean == 21.5
    assert found.low < 21.5 < found.high
    assert found.high - found.low > hidden / 2


def test_the_interval_of_a_bell_is_at_most_half_as_wide_again_as_theory_says():
    values = np.random.default_rng(1).normal(22, 3, 400)
    found = estimate(BUILT_IN["clip"], values.tolist())
    half = 2.576 * values.std() / 20
    assert half < found.high - found.mean < 1.6 * half
    assert half < found.mean - found.low < 1.6 * half


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    draws = 400
    clip = [estimate(BUILT_IN["clip"], rng.gamma(16, 1.25, 100).tolist()) for _ in range(100)]
    assert sum(interval.low <= 20 <= interval.high for interval in clip) >= 95
    top1 = [estimate(BUILT_IN["top1"], rng.binomial(1, 0.8, 64)) for _ in range(draws)]
    covered = sum(interval.low <= 0.8 <= interval.high for interval in top1)
    assert CERTAINTY == 0.99
    assert 0.975 * draws <= covered < draws


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("score", list(BUILT_IN))
def test_more_certainty_makes_a_wider_interval(score, stopped):
    values = np.random.default_rng(0).permutation(accuracies(15, 20))
    found = [
        estimate(BUILT_IN[score], values, certainty=certainty, stopped=stopped) for certainty in (0.6, 0.9, 0.99, 0.999)
    ]
    widths = [each.high - each.low for each in found]
    assert widths == sorted(set(widths))


@given(clip_values, st.sampled_from([0.6, 0.99]))
def test_the_interval_of_a_stopped_sample_contains_the_mean_and_lies_in_the_range(values, certainty):
    for score in BUILT_IN:
        top = BUILT_IN[score].top
        found = estimate(BUILT_IN[score], np.array(values) * top / 50, certainty=certainty, stopped=True)
        slack = 1e-9
        assert -slack <= found.low <= found.mean <= found.high <= top + slack
        assert found.mean == pytest.approx(math.fsum(values) / len(values) * top / 50, abs=slack)


@pytest.mark.parametrize("size", [1, 16, 64, 400])
@pytest.mark.parametrize("mean", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_the_interval_of_a_stopped_sample_is_about_as_wide_as_another(mean, size):
    rng = np.random.default_rng(0)
    right = round(mean * size)
    low, high = wilson(right, size)
    drawn = (estimate(BUILT_IN["top1"], rng.permutation(accuracies(right, size)), stopped=True) for _ in range(20))
    width = np.mean([found.high - found.low for found in drawn])
    assert 0.9 < width / (high - low) <= 1.6


LOOKS = (5, 10, 20, 40, 70, 100, 150, 200)


def missing_at_some_time(mean: float, draws: int, **options) -> int:
    """How many samples have at one of the looks an interval without the mean: a stop there would be the worst."""
    rng = np.random.default_rng(0)
    missing = 0
    for _ in range(draws):
        values = rng.binomial(1, mean, max(LOOKS))
        seen = (estimate(BUILT_IN["top1"], values[:count], **options) for count in LOOKS)
        missing += any(not found.low <= mean <= found.high for found in seen)
    return missing


@pytest.mark.slow
@pytest.mark.parametrize("certainty", [0.9, 0.99])
@pytest.mark.parametrize("mean", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("draws", [75, pytest.param(150, marks=pytest.mark.nightly)])
def test_the_interval_of_a_stopped_sample_covers_the_truth_wherever_it_stopped(mean, certainty, draws):
    assert missing_at_some_time(mean, draws, certainty=certainty, stopped=True) <= tolerated(certainty, draws)


@pytest.mark.slow
def test_an_interval_for_a_fixed_number_would_not_do_for_a_stopped_sample():
    assert missing_at_some_time(0.5, 75, certainty=0.9) > tolerated(0.9, 75)


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.55, 0.8])
def test_a_sample_that_stops_once_its_interval_is_above_a_bound_still_covers_the_truth(mean):
    rng = np.random.default_rng(1)
    missing = 0
    for _ in range(100):
        values = rng.binomial(1, mean, 200)
        for count in range(20, 201, 20):
            found = estimate(BUILT_IN["top1"], values[:count], certainty=0.9, stopped=True)
            if found.low > 0.6:
                break
        missing += not found.low <= mean <= found.high
    assert missing <= tolerated(0.9, 100)


@pytest.mark.parametrize("stopped", [False, True])
def test_values_outside_the_range_are_counted(stopped):
    found = estimate(BUILT_IN["clip"], [-1.0, 0.0, 50.0, 50.5, 80.0, 20.0], stopped=stopped)
    assert found.clipped == 3
    assert replace(found, clipped=0) == estimate(BUILT_IN["clip"], [0.0, 0.0, 50.0, 50.0, 50.0, 20.0], stopped=stopped)
    assert estimate(BUILT_IN["top1"], [1.0, 0.0, 1.0], stopped=stopped).clipped == 0


# Errors.


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("score", list(BUILT_IN))
@pytest.mark.parametrize(
    ("values", "message"), [([], "no values"), ([1.0, math.nan], "not finite"), ([math.inf, 1.0], "not finite")]
)
def test_what_was_not_measured_has_no_mean(score, values, message, stopped):
    with pytest.raises(ValueError, match=f"{BUILT_IN[score].title} has .*{message}"):
        estimate(BUILT_IN[score], values, stopped=stopped)


@pytest.mark.parametrize("ask", [SequentialTest.judge, SequentialTest.forecast, SequentialTest.soonest])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_verdict(ask, value):
    for constraint in (Constraint("clip", minimum=0.0), Constraint("clip", max_drop=0.1)):
        with pytest.raises(ValueError, match="CLIP has values that are not finite"):
            ask(SequentialTest((constraint,), 2), {"clip": [value]}, {"clip": [1.0]})
    with pytest.raises(ValueError, match="CLIP has values that are not finite"):
        ask(SequentialTest((constraint,), 2), {"clip": [1.0]}, {"clip": [value]})


@pytest.mark.parametrize("constraints", [(), (Constraint("top1"),), (Constraint("clip", 20.0), Constraint("top1"))])
def test_nothing_asked_is_not_passed(constraints):
    with pytest.raises(ValueError, match="not checked has not passed"):
        SequentialTest(constraints, 10)


@pytest.mark.parametrize("certainty", [0.5, 1, 1.0, 0, -0.9, 99, math.nan, math.inf])
def test_a_certainty_is_above_a_half_and_below_1(certainty):
    with pytest.raises(ValueError, match=f"certainty = {certainty!r}: give a number above 0.5 and below 1"):
        SequentialTest((Constraint("top1", 0.5),), 10, certainty)


def test_a_score_that_is_missing_is_not_passed():
    both = SequentialTest((Constraint("top1", 0.0), Constraint("top5", 0.0)), 10)
    with pytest.raises(ValueError, match="top-5 was not measured"):
        both.judge({"top1": [1.0]})
    assert not SequentialTest((Constraint("top5", 0.0),), 10).judge({"top5": []}).decided


def test_scores_of_unlike_numbers_of_images_are_refused():
    test = SequentialTest((Constraint("top1", 0.0), Constraint("clip", 0.0)), 10)
    with pytest.raises(ValueError, match="unlike numbers of values"):
        test.judge({"top1": [1.0, 1.0], "clip": [20.0]})


def test_more_values_than_the_design_has_pairs_are_refused():
    with pytest.raises(ValueError, match="top-1 has 10 values for a design of 9 pairs"):
        SequentialTest((Constraint("top1", 0.5),), 9).judge({"top1": RIGHT_7_OF_10})


@pytest.mark.parametrize("control", [None, {}, {"top1": [1.0] * 9}, {"top5": [1.0] * 10}])
def test_a_control_of_fewer_pairs_is_refused(control):
    count = len((control or {}).get("top1", ()))
    message = f"max_drop of top-1: the control has {count} values for the case's 10 pairs"
    with pytest.raises(ValueError, match=message):
        SequentialTest((Constraint("top1", max_drop=0.1),), 10).judge({"top1": RIGHT_7_OF_10}, control)


def test_values_are_written_with_the_decimals_worth_reading():
    assert BUILT_IN["top1"].format(0.6) == "0.60"
    assert BUILT_IN["clip"].format(21.34) == "21.3"
