"""A case looked at again and again: what is carried from look to look says what all samples together say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.plain_bets import PlainTest
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint, Margin
from pytest_seedshift.core.stats import wealth
from pytest_seedshift.core.stats.null_control import NullTest
from pytest_seedshift.core.stats.sequential import SequentialTest

MEMBERS = ("judge", "forecast", "soonest", "about")


def first(columns, count, start=0):
    return {name: values[start:count] for name, values in columns.items()}


@st.composite
def columns_of(draw, size: int, score: str, seeds):
    """A score's values: any mean, and any spread."""
    kind, rng = BUILT_IN[score], np.random.default_rng(draw(seeds))
    mean = draw(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.7, 0.97, 1.0]))
    if kind.binary:
        return (rng.random(size) < mean).astype(float)
    return kind.top * mean + rng.normal(0, draw(st.sampled_from([0.0, 0.5, 3.0, 20.0])), size)


@st.composite
def any_case(draw):
    """A test of all kinds of bounds, and the scores of a whole design with those of its control."""
    size, seeds = draw(st.sampled_from([1, 2, 3, 9, 40, 63, 64, 65, 150, 400])), st.integers(0, 10**6)
    fixed = draw(st.booleans())
    pairs = size if fixed else draw(st.integers(1, size))
    asked, scores, control, baseline = [], {}, {}, {}
    for score in draw(st.lists(st.sampled_from(sorted(BUILT_IN)), min_size=1, max_size=3, unique=True)):
        top, rng = BUILT_IN[score].top, np.random.default_rng(draw(seeds))
        scores[score], other = draw(columns_of(size, score, seeds)), draw(columns_of(size, score, seeds))
        control[score] = np.where(rng.random(size) < draw(st.sampled_from([0.0, 0.9])), scores[score], other)
        baseline[score] = np.where(rng.random(size) < 0.85, scores[score], other)[:pairs]
        bounds = top * np.array([draw(st.integers(0, 2 * size)) / (2 * size) for _ in range(2)])
        which = draw(st.sets(st.sampled_from(["min", "max_drop", "max_regression", "within"]), min_size=1))
        asked.append(
            Constraint(
                score,
                float(bounds[0]) if "min" in which else None,
                float(bounds[1]) if "max_drop" in which else None,
                top * draw(st.sampled_from([0.0, 0.02, 0.3])) if "max_regression" in which else None,
                draw(st.sampled_from([True, "any", False])) if fixed else True,
                within=Margin(top * draw(st.sampled_from([0.02, 0.1, 0.3]))) if "within" in which else None,
            )
        )
    test = SequentialTest(
        tuple(asked),
        size,
        draw(st.sampled_from([0.6, 0.9, 0.99])),
        draw(st.sampled_from([False, False, False, True])),
        baseline=baseline,
        fixed=fixed,
        thresholds=draw(st.sampled_from([0, 0, 20])),
    )
    return test, scores, control


def same(one, other) -> bool:
    return repr(one) == repr(other)  # which has every field, and in which NaN is like NaN


def told(course) -> tuple:
    return course.judgement(), course.forecast(), course.soonest(), course.about()


@settings(max_examples=15)
@given(any_case(), st.data())
def test_a_course_says_after_each_look_what_going_through_all_samples_says(case, data):
    test, scores, control = case
    plain, course, seen = PlainTest(test), test.begin(), 0
    while True:
        known = first(scores, seen), first(control, seen)
        found = [getattr(plain, member)(*known) for member in MEMBERS]
        assert same(found, list(told(course)))
        assert same(found, [getattr(test, member)(*known) for member in MEMBERS])
        assert course.stop == (found[0].images if found[0].decided else None)
        assert course.seen == seen
        if seen == test.size:
            break
        further = data.draw(st.sampled_from([1, 3, 8, test.size]))
        course.add(first(scores, seen + further, seen), first(control, seen + further, seen))
        seen = min(seen + further, test.size)


@settings(max_examples=30)
@given(any_case())
def test_it_does_not_matter_in_which_portions_samples_are_added(case):
    test, scores, control = case
    whole, single = test.begin(), test.begin()
    whole.add(scores, control)
    for seen in range(test.size):
        single.add(first(scores, seen + 1, seen), first(control, seen + 1, seen))
        single.stop  # noqa: B018 a look at each
    assert same(told(whole), told(single))


@pytest.mark.parametrize("mean", [0.55, 0.61, 0.7])
def test_a_large_design_says_the_same(mean):
    rng = np.random.default_rng(5)
    test = SequentialTest((Constraint("top1", 0.6, 0.3), Constraint("clip", 20.0)), 5000)
    scores = {"top1": (rng.random(5000) < mean).astype(float), "clip": rng.normal(20.2, 4, 5000)}
    control = {"top1": np.ones(5000), "clip": np.full(5000, 21.0)}
    plain, course = PlainTest(test), test.begin()
    for seen, until in ((0, 3), (3, 90), (90, 1000)):
        course.add(first(scores, until, seen), first(control, until, seen))
        known = first(scores, until), first(control, until)
        assert same([getattr(plain, member)(*known) for member in MEMBERS], list(told(course)))


@pytest.mark.nightly
@settings(max_examples=2000)
@given(any_case(), st.data())
def test_a_course_says_the_same_in_many_more_cases(case, data):
    test, scores, control = case
    plain, course = PlainTest(test), test.begin()
    seen = data.draw(st.integers(0, test.size))
    course.add(first(scores, seen), first(control, seen))
    found = [getattr(plain, member)(first(scores, seen), first(control, seen)) for member in MEMBERS]
    assert same(found, list(told(course)))


def test_where_the_last_bits_could_matter_all_values_are_gone_through(monkeypatch):
    test = SequentialTest((Constraint("top1", 0.6, 0.2), Constraint("clip", 20.0)), 150)
    rng = np.random.default_rng(3)
    scores = {"top1": (rng.random(20) < 0.7).astype(float), "clip": rng.normal(21, 3, 20)}
    course, doubtful, walks = test.begin(), test.begin(), []
    for each in (course, doubtful):
        each.add(scores, scores)
    expected = told(course)
    monkeypatch.setattr(wealth, "_NEAR", 1e3)  # so that everything is near
    walk = wealth.Bets._gone_through
    monkeypatch.setattr(wealth.Bets, "_gone_through", lambda *given: walks.append(1) or walk(*given))
    assert same(told(doubtful), expected)
    assert len(walks) == 3  # the forecast, and both ends


def forgetful(self, sums, logs):
    self.seen += sums.shape[1]


def test_the_comparison_finds_bets_that_are_carried_wrongly(monkeypatch):
    test = SequentialTest((Constraint("top1", 0.6),), 100)
    values = {"top1": np.ones(100)}
    found = test.judge(values)
    monkeypatch.setattr(wealth.Wealth, "_set", forgetful)
    course = test.begin()
    for seen in range(100):
        course.add(first(values, seen + 1, seen))
        course.stop  # noqa: B018 a look at each
    assert course.judgement().images != found.images


def test_what_does_not_fit_leaves_a_course_as_it_is():
    test = SequentialTest((Constraint("top1", 0.6, 0.2), Constraint("clip", 20.0)), 10)
    good = {"top1": [1.0, 0.0], "clip": [21.0, 22.0]}
    course = test.begin()
    course.add(good, good)
    before = told(course)
    for scores, control, message in (
        ({"top1": [1.0]}, good, "CLIP was not measured"),
        ({"top1": [1.0], "clip": [20.0, 1.0]}, good, "unlike numbers"),
        ({"top1": [1.0], "clip": [float("nan")]}, good, "not finite"),
        (good, first(good, 1), "the control has 1 values for the case's 2 pairs"),
        ({"top1": [1.0] * 9, "clip": [20.0] * 9}, {"top1": [1.0] * 9}, "11 values for a design of 10 pairs"),
    ):
        with pytest.raises(ValueError, match=message):
            course.add(scores, control)
    assert course.seen == 2
    assert same(told(course), before)
    course.add({"top1": [], "clip": []}, {})
    assert same(told(course), before)


@pytest.mark.parametrize("step", [1, 7, 20])
def test_a_null_control_has_a_course_too(step):
    rng = np.random.default_rng(0)
    scores, control = (
        {"top1": rng.random(20).round(), "top5": np.ones(20), "clip": rng.normal(20, 2, 20)} for _ in "ab"
    )
    test = NullTest(20)
    course = test.begin()
    for seen in range(0, 20, step):
        known = first(scores, seen), first(control, seen)
        assert same([getattr(test, member)(*known) for member in MEMBERS], list(told(course)))
        assert course.stop is None
        course.add(first(scores, seen + step, seen), first(control, seen + step, seen))
    assert course.stop == course.seen == 20
    assert same(course.judgement(), test.judge(scores, control))
    with pytest.raises(ValueError, match="21 values for a design of 20 pairs"):
        course.add(first(scores, 1), first(control, 1))


def test_a_test_without_certainty_of_its_own_keeps_its_courses_apart():
    test = SequentialTest((Constraint("top1", 0.6),), 40)
    one, other = test.begin(), replace(test).begin()
    one.add({"top1": [1.0] * 10})
    assert (one.seen, other.seen) == (10, 0)
    assert same(told(other), told(test.begin()))
