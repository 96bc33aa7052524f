"""Which arms a crossed design has, and what is left out of it."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.errors import InvalidValueError, SeedshiftError
from pytest_seedshift.core.model_names import canonical
from pytest_seedshift.models import catalogue
from pytest_seedshift.studies.sampler_ablation import conditions, differences, traits
from pytest_seedshift.studies.sampler_ablation.differences import MODEL, Kind, Trait

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
    product = len(named) if MODEL not in found.factors else 1
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
    assert set(found.left_out) | set(found.factors) == {*FACTORS, *([MODEL] if len(named) > 1 else [])}
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
    assert found.factors[MODEL] == ("toy-latent", "toy-latent-zsnr")
    assert MODEL in found.left_out["schedule"]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], {}),
        (["sampler"], {"sampler": ()}),
        (["sampler,guidance=1,2,7.5"], {"sampler": (), "guidance": ("guidance=1", "guidance=2", "guidance=7.5")}),
        (["guidance=1,7.50", "steps"], {"guidance": ("guidance=1", "guidance=7.5"), "steps": ()}),
        (["steps=10, 020 , clipping"], {"steps": ("steps=10", "steps=20"), "clipping": ()}),
        (["repair,sampler"], {"repair": (), "sampler": ()}),
        (
            ["repair=none, moments,blend=0.30,steps=4,8"],
            {"repair": ("repair=none", "repair=moments", "repair=blend=0.3"), "steps": ("steps=4", "steps=8")},
        ),
        (["steps=1,1000000"], {"steps": ("steps=1", "steps=1000000")}),
    ],
)
def test_factors_are_read_as_they_are_written(texts, found):
    assert conditions.read_factors(texts) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("guidence", "unknown factor 'guidence'. Did you mean 'guidance'?"),
        ("guidance=1", "guidance: give at least two levels, unlike each other, such as guidance=1,2,7.5"),
        ("guidance=2,2.0", "give at least two levels"),
        ("guidance=much,2", "'guidance=much': give a number of at least 0, such as guidance=7.5"),
        ("steps=10,2.5", "'steps=2.5': give a whole number of at least 1"),
        ("sampler=ddim", "'sampler=ddim': the levels of sampler are DDIM and ancestral: give sampler alone"),
        ("repair=moments", "repair: give at least two levels, unlike each other, such as repair=none,moments,"),
        ("repair=none,moment", "repair 'moment': give"),
        ("repair=none,blend=2", "repair 'blend=2': give"),
        ("sampler,sampler", "sampler is given twice: leave one out"),
        ("steps=1,2,sampler,steps", "steps is given twice"),
        ("sampler,2", "unknown factor '2'"),
        ("", "unknown factor ''"),
        ("guidance=", "'guidance=': give a number"),
        ("model", "unknown factor 'model'"),
    ],
)
def test_a_factor_that_is_none_is_refused_with_what_is_valid(text, message):
    with pytest.raises(InvalidValueError) as error:
        conditions.read_factors([text])
    assert message in str(error.value)


def of(**values):
    return {name: Trait(value, Kind.FACTOR) for name, value in values.items()}


def test_numbers_in_which_models_differ_are_factors_unless_others_are_asked_for():
    models = {"a": of(guidance="7.5", steps="50"), "b": of(guidance="3", steps="50")}
    assert conditions.choose(models, {}) == {**conditions.FACTORS, "guidance": ("guidance=3", "guidance=7.5")}
    assert conditions.choose(models, {"sampler": ()}) == {"sampler": conditions.FACTORS["sampler"]}
    assert conditions.choose(models, {"guidance": ()}) == {"guidance": ("guidance=3", "guidance=7.5")}
    assert conditions.choose(models, {"steps": ("steps=4", "steps=8")}) == {"steps": ("steps=4", "steps=8")}
    with pytest.raises(InvalidValueError, match="steps: all of a, b have the same"):
        conditions.choose(models, {"steps": ()})


@pytest.mark.parametrize("values", [("none", "2"), ("not known of a", "2"), ("2", "2")])
def test_a_number_that_a_model_does_not_have_is_no_factor(values):
    models = {name: of(guidance=value) for name, value in zip("ab", values, strict=True)}
    assert "guidance" not in conditions.choose(models, {})


def test_arms_of_numbers_are_named_by_their_changes():
    found = conditions.cross(["a"], lambda name: None, factors={"guidance": ("guidance=1", "guidance=2")})
    assert [arm.name for arm in found.arms] == ["a+guidance=1", "a+guidance=2"]
    assert [conditions.title(arm.level("guidance")) for arm in found.arms] == ["1", "2"]


def test_repairs_are_crossed_where_they_are_asked_for_and_none_is_the_model_as_it_is():
    models = {"a": of(steps="50")}
    assert "repair" not in conditions.choose(models, {})
    assert conditions.choose(models, {"repair": ()}) == {"repair": conditions.REPAIRS}
    factors = conditions.choose(models, conditions.read_factors(["repair=none,moments", "sampler"]))
    found = conditions.cross(["toy-latent"], lambda name: None, factors=factors)
    assert {arm.name for arm in found.arms} == {
        "toy-latent+ddim",
        "toy-latent+ddim+repair=moments",
        "toy-latent+ancestral",
        "toy-latent+ancestral+repair=moments",
    }
    assert [conditions.title(level) for level in found.factors["repair"]] == ["none", "moments"]
    assert dict(conditions.cross(["m"], refuse("repair=moments"), factors=factors).left_out) == {
        "repair": "no repair=moments"
    }


def test_an_effect_of_a_repair_is_attributed_to_it_and_two_models_that_differ_in_one_are_told():
    known = catalogue.shipped()
    factors = {"repair": ("repair=none", "repair=moments")}
    crossed = conditions.cross(["toy-latent"], lambda name: None, factors=factors)
    of_arms = {arm.name: traits.of(known, arm.name, "float32") for arm in crossed.arms}
    found = conditions.attribute(crossed, {"toy-latent": traits.of(known, "toy-latent", "float32")}, of_arms)
    assert found.causes_of("repair", "repair=moments") == ("repair",)
    (one,) = differences.between(*(of_arms[arm.name] for arm in crossed.arms))
    assert (one.name, one.values, one.kind) == ("repair", ("none", "moments"), Kind.FACTOR)
