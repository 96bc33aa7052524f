"""The wording of "unknown name" errors."""

from pytest_seedshift.suggest import unknown


def test_the_nearest_name_is_suggested_and_all_are_listed():
    assert unknown("shift", "maen", ["std", "mean"]) == "unknown shift 'maen'. Did you mean 'mean'? Known: mean, std"


def test_nothing_is_suggested_where_nothing_is_near():
    assert unknown("shift", "zzz", ("std", "mean")) == "unknown shift 'zzz'. Known: mean, std"


def test_known_names_may_come_from_any_iterable():
    assert unknown("score", "top2", iter({"top1": 1, "clip": 2})).endswith("Did you mean 'top1'? Known: clip, top1")
