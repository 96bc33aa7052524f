"""How names are told: one that is unknown, and more of them than anyone reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import messages
from pytest_seedshift.core.messages import some, unknown


def test_the_nearest_name_is_suggested_and_all_are_listed():
    assert unknown("shift", "maen", ["std", "mean"]) == "unknown shift 'maen'. Did you mean 'mean'? Known: mean, std"


def test_nothing_is_suggested_where_nothing_is_near():
    assert unknown("shift", "zzz", ("std", "mean")) == "unknown shift 'zzz'. Known: mean, std"


def test_known_names_may_come_from_any_iterable():
    assert unknown("score", "top2", iter({"top1": 1, "clip": 2})).endswith("Did you mean 'top1'? Known: clip, top1")


def test_of_a_long_list_the_nearest_are_told_and_where_the_rest_is():
    names = [f"model-{number}" for number in range(20)] + ["mine"]
    said = unknown("model", "mime", names, rest="the page has all")
    assert said.startswith("unknown model 'mime'. Did you mean 'mine'? Known: mine, ")
    assert said.endswith(" and 16 more; the page has all")
    assert unknown("model", "mime", names[:9], rest="the page has all").endswith(", ".join(names[:9]))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["mean"], "mean"),
        (["mean", "std"], "mean, std"),
        (["mean", "std", "mixed"], "mean, std and 1 more"),
        (iter(["mean", "std", "mixed", "random"]), "mean, std and 2 more"),
    ],
)
def test_as_many_names_as_asked_for_are_told_and_the_rest_is_counted(names, told):
    assert some(names, 2) == told


@given(st.floats(0, 50), st.floats(0, 50))
def test_a_value_and_its_bound_never_print_alike_unless_they_are(value, bound):
    one, other = messages.apart(value, bound, "{:.1f}".format)
    assert (one == other) == (value == bound)
    assert messages.apart(2.0, 3.0, "{:.1f}".format) == ("2.0", "3.0")  # and no digit too many
