"""`min_breaking_point` in thresholds.toml."""

from __future__ import annotations

import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.thresholds import Thresholds, ThresholdsError
from pytest_seedshift.core.thresholds_parser import parse

LEVELS = ["default", "shift.mean", "model.toy-latent", "model.toy-latent.shift.mean"]


def read(text: str) -> Thresholds:
    return parse(text, "thresholds.toml", lambda _: None)


def error(text: str) -> str:
    with pytest.raises(ThresholdsError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize("count", range(1, len(LEVELS) + 1))
@pytest.mark.parametrize("step", [1, -1])
def test_the_narrowest_table_decides_wherever_it_stands_in_the_file(count, step):
    tables = [f"[{level}]\nmin_breaking_point = 0.{digit}" for digit, level in enumerate(LEVELS[:count], 1)]
    found = read("\n".join(tables[::step])).breaking
    assert found.minimum("toy-latent", "mean") == count / 10
    assert found.minimum("toy-latent", "mean:exact") == count / 10
    assert found.minimum("sd21", "std") == 0.1


def test_a_variant_s_table_is_narrower_than_its_shift_s():
    found = read('[shift.mean]\nmin_breaking_point = 0.1\n[shift."mean:channel=2.0"]\nmin_breaking_point = 1').breaking
    assert found.minimum("m", "mean:channel=2") == 1.0
    assert found.minimum("m", "mean:channel=1") == 0.1
    assert found.minimum("m", "std") is None


def test_a_derived_model_is_meant_in_any_order_of_its_changes_and_its_base_s_table_does_not_speak_of_it():
    text = '[model.toy-latent]\nmin_breaking_point = 0.1\n[model."toy-latent+steps=05+ddim"]\nmin_breaking_point = 0.4'
    found = read(text).breaking
    assert found.minimum("toy-latent+ddim+steps=5", "mean") == 0.4
    assert found.minimum("toy-latent+ddim", "mean") is None


def test_it_stands_beside_scores_and_takes_no_part_in_theirs():
    found = read("[default]\ntop1 = 0.5\nmin_breaking_point = 0.2")
    (constraint,) = found.constraints(Case("toy-latent", "mean", 0.3))
    assert (constraint.score, constraint.minimum) == ("top1", 0.5)
    with pytest.raises(ThresholdsError, match="no threshold for toy-latent-mean"):
        read("[default]\nmin_breaking_point = 0.2").constraints(Case("toy-latent", "mean", 0.3))


def test_the_fingerprint_tells_bounds_apart_and_is_as_before_where_there_is_none():
    plain, one, other = (
        read(f"[default]\ntop1 = 0.5\n{more}").fingerprint
        for more in ("", "min_breaking_point = 0.2", "min_breaking_point = 0.3")
    )
    assert len({plain, one, other}) == 3


@pytest.mark.parametrize("value", ["0", "-0.2", "1.5", "nan", "true", "'0.2'", "{ min = 0.2 }"])
def test_a_bound_that_is_none_says_what_is_valid(value):
    said = error(f"[shift.mean]\nmin_breaking_point = {value}")
    assert said.startswith("thresholds.toml: [shift.mean] min_breaking_point = ")
    assert "above 0 and up to 1" in said


def test_one_magnitude_has_no_breaking_point():
    said = error('[shift.mean."0.3"]\nmin_breaking_point = 0.2')
    assert "one magnitude has no breaking point" in said
    assert "[shift.mean]" in said


def test_the_unshifted_case_has_no_breaking_point():
    assert "no breaking point" in error("[shift.none]\nmin_breaking_point = 0.2")


def test_what_else_is_wrong_is_still_told():
    assert "unknown shift 'maen'" in error("[shift.maen]\nmin_breaking_point = 0.2")
    assert "not a table" in error("shift = 3")
    assert "not a table" in error("[model]\nsd21 = 3")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[model.m.shift.mean."0.3"]', "[model.m.shift.mean.'0.3'] min_breaking_point: one magnitude has no"),
        ("[model.m.shift.none]", "[model.m.shift.none] min_breaking_point: the unshifted case has no"),
        ("[model.m]", "[model.m] min_breaking_point = 2: give the smallest magnitude"),
        ("[default]", "[default] min_breaking_point = 2: give the smallest magnitude"),
    ],
)
def test_a_mistake_is_told_with_the_table_it_stands_in(table, says):
    assert error(f"{table}\nmin_breaking_point = 2").startswith(f"thresholds.toml: {says}")
