"""Which arms a crossed design has, and what is left out of it."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.model_names import canonical
from pytest_seedshift.models import catalogue
from pytest_seedshift.studies.sampler_ablation import conditions

FACTORS = list(conditions.FACTORS)
models = st.lists(st.sampled_from(["toy-latent", "toy-glide", "toy-latent-zsnr"]), min_size=1, max_size=3, unique=True)


def refuse(*words):
    """Refuse all models whose name has one of some changes."""
    return lambda name: next((f"no {word}" for word in words if f"+{word}" in name), None)


@given(models, st.sets(st.sampled_from(["ancestral", "clip", "zsnr"])))
def test_every_combination_of_levels_is_an_arm_once(named, refused):
    found = conditions.cross(named, refuse(*refused))
    combinations_of_levels = Counter(arm.levels for arm in found.arms)
    assert set(combinations_of_levels.values()) == {1}
    product = len(named) if conditions.MODEL not in found.factors else 1
    for levels in found.factors.values():
        assert len(levels) >= 2
        product *= len(levels)
    assert len(found.arms) == product
    assert len({canonical(arm.name) for arm in found.arms}) == product


@given(models, st.sets(st.sampled_from(["ancestral", "clip", "zsnr"])))
def test_no_arm_is_one_that_cannot_be_sampled_and_what_is_left_out_has_a_reason(named, refused):
    why_not = refuse(*refused)
    found = conditions.cross(named, why_not)
    assert all(why_not(arm.name) is None for arm in found.arms)
    assert set(found.left_out) | set(found.factors) == {*FACTORS, *([conditions.MODEL] if len(named) > 1 else [])}
    assert not set(found.left_out) & set(found.factors)
    assert all(found.left_out.values())


def test_arms_that_are_compared_differ_in_one_change():
    found = conditions.cross(["toy-latent"], lambda name: None)
    for one, other in combinations(found.arms, 2):
        apart = [factor for factor in found.factors if one.level(factor) != other.level(factor)]
        words = set(one.name.split("+")) ^ set(other.name.split("+"))
        assert len(words) == sum(2 - (factor == "schedule") for factor in apart)


def test_a_change_that_contradicts_the_model_s_own_leaves_its_factor_out():
    def why_not(name):
        try:
            catalogue.shipped().find(name)
        except SeedshiftError as error:
            return str(error)
        return None

    found = conditions.cross(["toy-latent+ancestral+steps=4"], why_not)
    assert list(found.factors) == ["clipping", "schedule"]
    assert "contradict" in found.left_out["sampler"]


def test_each_model_is_clipped_to_a_range_of_its_own():
    found = conditions.cross(
        ["toy-latent", "toy-glide"], lambda name: None, {"toy-latent": "clip=4", "toy-glide": "clip"}.get
    )
    clipped = {arm.name for arm in found.arms if arm.level("clipping") == "clip" and arm.level("sampler") == "ddim"}
    assert clipped == {"toy-latent+ddim+clip=4", "toy-glide+ddim+clip"}
    assert found.factors["clipping"] == ("noclip", "clip")


def test_of_several_models_the_schedule_is_a_part_of_what_was_trained():
    found = conditions.cross(["toy-latent", "toy-latent-zsnr"], lambda name: None)
    assert found.factors[conditions.MODEL] == ("toy-latent", "toy-latent-zsnr")
    assert conditions.MODEL in found.left_out["schedule"]
