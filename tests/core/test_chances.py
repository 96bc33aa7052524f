"""How likely a case is to need its further pairs: certain where no verdict can stand, and about as often as is said."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.chances import Chances
from pytest_seedshift.core.stats.null_control import NullTest
from pytest_seedshift.core.stats.sequential import SequentialTest


def case(seed: int, size: int, *, baseline: bool = False, **options):
    """A test of two scores, and the whole design of a model whose mean lies anywhere near the bounds."""
    rng = np.random.default_rng(seed)
    top1 = (rng.random(size) < 0.6 + rng.choice([-0.4, -0.1, 0.0, 0.03, 0.1, 0.3])).astype(float)
    scores = {"top1": top1, "clip": rng.normal(20 + rng.choice([-3, 0.5, 4]), 3, size)}
    before = {"top1": np.where(rng.random(size) < 0.9, top1, 1.0), "clip": rng.normal(22, 3, size)}
    asked = Constraint("top1", 0.6, 0.3, 0.02 if baseline else None), Constraint("clip", 20.0)
    return SequentialTest(asked, size, baseline=before if baseline else {}, **options), scores, before


def looks(test, scores, control, step: int):
    course = test.begin()
    for seen in range(0, test.size, step):
        if course.stop is not None:
            return
        yield course
        course.add(*({name: each[seen : seen + step] for name, each in part.items()} for part in (scores, control)))


OPTIONS = [{}, {"thresholds": 30}, {"baseline": True}, {"exact": True}, {"baseline": True, "fixed": False}]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "bounds")
@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 7, 60, 400]), st.integers(1, 40))
def test_what_is_certain_has_a_chance_of_one_and_no_later_pair_a_larger_one(options, seed, size, step):
    for course in looks(*case(seed, size, **options), step):
        found = course.chances()
        said = [found.of(pair) for pair in range(size + 2)]
        assert said[3:] == pytest.approx(found.among(3, size + 2))
        assert said[: course.soonest()] == [1.0] * course.soonest()
        assert all(0 < each < 1 for each in said[course.soonest() : size])
        assert said[size:] == [0.0, 0.0]
        assert said == sorted(said, reverse=True)


@given(st.integers(0, 1000), st.sampled_from([7, 60, 400]), st.sampled_from([0.999, 0.9, 0.5, 0.2, 0.01]))
@settings(max_examples=20)
def test_as_many_pairs_are_needed_as_have_the_chance(seed, size, least):
    for course in itertools.islice(looks(*case(seed, size), 25), 3):
        found = course.chances()
        needed = found.needed(least)
        likely = sum(found.of(pair) >= least for pair in range(size))
        assert course.soonest() <= needed <= size
        assert abs(needed - likely) <= 1


def test_no_pair_of_a_null_control_is_left_out():
    found = NullTest(20).begin().chances()
    assert [found.of(pair) for pair in (0, 19, 20)] == [1.0, 1.0, 0.0]
    assert found.needed(0.5) == 20


def said_and_needed(cases: int, of) -> tuple[np.ndarray, np.ndarray]:
    """What was said of pairs that may be needed, and whether they were."""
    said, needed = [], []
    for seed in range(cases):
        test, scores, control = case(seed, 400)
        stop = test.judge(scores, control).images
        for course in itertools.islice(looks(test, scores, control, 16), 12):
            found = course.chances()
            pairs = found.certain + np.unique(np.geomspace(1, 400, 8).astype(int)) - 1
            for pair in pairs[pairs < test.size]:
                said.append(of(found, pair))
                needed.append(stop > pair)
    return np.array(said), np.array(needed)


def calibrated(said: np.ndarray, needed: np.ndarray) -> bool:
    """Whether what is said of pairs is near what comes of them, and tells them apart."""
    thirds = [(said < 0.3), (said >= 0.3) & (said < 0.8), said >= 0.8]
    near = all(abs(said[each].mean() - needed[each].mean()) < 0.15 for each in thirds if each.sum() > 30)
    return near and bool(((said - needed) ** 2).mean() < 0.6 * needed.var())


def test_pairs_are_needed_about_as_often_as_is_said():
    assert calibrated(*said_and_needed(100, Chances.of))


def test_the_comparison_finds_chances_that_are_too_sure_or_say_nothing():
    said, needed = said_and_needed(40, Chances.of)
    assert not calibrated(said**3, needed)
    assert not calibrated(np.full(said.size, needed.mean()), needed)
