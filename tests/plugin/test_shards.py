import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.records import records as made_records
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.plugin import shards


@st.composite
def grids(draw):
    """Items of a few models, each with a cost, and a number of shards."""
    models = draw(st.lists(st.sampled_from(["a", "b", "c-1"]), min_size=1, max_size=40))
    items = {f"t::test[{number}]": Case(model, "mean", float(number + 1)) for number, model in enumerate(models)}
    history = draw(st.none() | st.fixed_dictionaries({item: st.integers(0, 10**9) for item in items}))
    return items, draw(st.integers(1, len(items))), history


@given(grids(), st.randoms(use_true_random=False))
def test_shards_are_disjoint_complete_and_the_same_in_any_order(grid, random):
    items, of, history = grid
    split = shards.split(items, of, history)
    assert len(split.parts) == of
    assert all(split.parts)
    assert sorted(itertools.chain(*split.parts)) == sorted(items)
    shuffled = list(items.items())
    random.shuffle(shuffled)
    assert shards.split(dict(shuffled), of, history) == split


@given(grids())
def test_no_shard_costs_more_than_an_equal_share_and_one_case(grid):
    items, of, history = grid
    costs = {item: 1 if history is None else max(history[item], 1) for item in items}
    loads = [sum(costs[item] for item in part) for part in shards.split(items, of, history).parts]
    assert max(loads) <= sum(costs.values()) / of + max(costs.values())
    if history is None:
        assert max(loads) - min(loads) <= 1


@given(grids())
def test_a_shard_is_a_stretch_model_by_model(grid):
    items, of, history = grid
    loads = sum(len({items[item].model for item in part}) for part in shards.split(items, of, history).parts)
    assert loads <= len({case.model for case in items.values()}) + of - 1


def test_other_costs_make_another_split_with_another_fingerprint():
    items = {f"t::test[{number}]": Case("a", "mean", number + 1.0) for number in range(8)}
    even = shards.split(items, 2)
    uneven = shards.split(items, 2, {item: 100 if item.endswith("[0]") else 1 for item in items})
    assert [len(part) for part in even.parts] == [4, 4]
    assert [len(part) for part in uneven.parts] == [1, 7]
    assert even.fingerprint != uneven.fingerprint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5/4", "from 1/4 to 4/4"),
        ("0/4", "from 1/4 to 4/4"),
        ("1/0", "no shard of none"),
        ("2/x", "such as 2/4"),
        ("-1/4", "such as 2/4"),
        ("2", "such as 2/4"),
        ("1.5/4", "such as 2/4"),
        ("", "such as 2/4"),
    ],
)
def test_what_is_no_shard_is_told(text, reason):
    with pytest.raises(ValueError, match=reason):
        shards.parse(text)


def test_a_shard_is_read_as_it_is_written():
    assert str(shards.parse(" 2/4 ")) == "2/4"


def test_more_shards_than_cases_are_an_error():
    with pytest.raises(ValueError, match=r"3 shards for 1 cases.*at most 1"):
        shards.split({"t": Case("a")}, 3)


def record(test, images, model="a", seconds=0.0, generated=0):
    return {"test": test, "model": model, "images": images, "seconds": seconds, "generated": generated}


def test_a_case_costs_the_images_of_an_earlier_run_times_the_time_of_its_models_image():
    items = {"x": Case("a"), "y": Case("b"), "z": Case("b", "mean", 0.1)}
    earlier = [record("x", 10, "a", 1.0, 10), record("y", 10, "b", 20.0, 10), record("gone", 99, "c")]
    costs = shards.costs(items, made_records(earlier))
    assert costs["y"] == 20 * costs["x"]
    assert costs["z"] == (costs["x"] + costs["y"]) // 2  # not known: the mean


def test_where_one_models_time_is_not_known_images_alone_count():
    items = {"x": Case("a"), "y": Case("b")}
    costs = shards.costs(items, made_records([record("x", 10, "a", 1.0, 10), record("y", 30, "b")]))
    assert costs["y"] == 3 * costs["x"]


def test_an_earlier_run_of_other_cases_is_an_error():
    with pytest.raises(DataError, match="none of the cases"):
        shards.costs({"x": Case("a")}, made_records([record("y", 10)]))
