"""Of fake models in which one thing is planted as the cause, nothing else is named as it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from helpers import planted

ASKED = ("", "sampler", "sampler,guidance", "guidance,steps")
"""What is given as --factors: nothing, so that all in which the models differ is crossed, or too little."""


def outcomes(cause: str, asked: str, count: int, seed: int = 0) -> list[planted.Outcome]:
    random = np.random.default_rng([seed, *cause.encode(), *asked.encode()])
    made = planted.design(cause, asked)
    return [planted.simulate(cause, made, random) for _ in range(count)]


def wrong(found: list[planted.Outcome]) -> tuple[int, Counter[str]]:
    return sum(bool(each.wrong) for each in found), Counter(name for each in found for name in each.wrong)


def most(count: int) -> int:
    """How many of so many experiments may name something wrong: effects and interactions do in 1 % each."""
    return int(binom.ppf(0.999, count, 0.02))


@pytest.mark.parametrize("asked", ASKED)
def test_the_wrong_factor_is_named_no_more_often_than_is_stated(asked):
    found = [each for cause in planted.CAUSES for each in outcomes(cause, asked, 4)]
    count, names = wrong(found)
    assert count <= most(len(found)), names


@pytest.mark.nightly
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("cause", planted.CAUSES)
def test_the_wrong_factor_is_named_no_more_often_than_is_stated_in_200_experiments(cause, asked):
    count, names = wrong(outcomes(cause, asked, 200, seed=1))
    assert count <= most(200), names


@pytest.mark.parametrize("cause", ["guidance", "steps", "sampler", "clipping", "model"])
def test_what_is_planted_is_found_where_all_that_differs_is_crossed(cause):
    found = outcomes(cause, "", 10)
    assert sum(cause in each.right for each in found) >= 9


def test_an_interaction_is_found_as_one_and_not_as_two_causes():
    found = outcomes("sampler against guidance", "", 10)
    assert sum(each.right == {"sampler × guidance"} for each in found) >= 9


@pytest.mark.parametrize("cause", ["guidance", "steps", "number type"])
def test_as_models_were_compared_before_the_model_is_named_for_what_it_is_not(cause):
    """The negative control: without the names of what differs the model is taken for the cause nearly always."""
    random = np.random.default_rng(3)
    made = planted.as_before(cause)
    found = [planted.simulate(cause, made, random) for _ in range(20)]
    assert sum("model" in each.wrong for each in found) >= 18


@pytest.mark.parametrize("asked", ["sampler", "sampler,clipping"])
def test_what_is_not_crossed_is_named_beside_the_model(asked):
    crossed, _ = planted.design("guidance", asked)
    assert {"model", "guidance", "steps"} <= set(crossed.causes_of("model", "other"))
    assert crossed.causes_of("sampler", "ancestral") == ("sampler",)


def test_a_setting_that_no_factor_is_of_is_never_the_model_s():
    crossed, _ = planted.design("number type")
    assert crossed.causes_of("model", "other") == ("model", "number type")
    assert {"guidance", "steps", "sampler", "clipping"} <= set(crossed.factors)
