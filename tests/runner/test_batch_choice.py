"""What a slot makes next: the surest first; behind another batch only what is sure, in full batches."""

from __future__ import annotations

import pytest

from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.runner.batch_choice import Choice
from pytest_seedshift.runner.needs import Need
from pytest_seedshift.runner.open_cases import OpenCase

DESIGN = pairs.design(pairs.class_list("imagenet100"), 100)


class Said:
    """A reach that is told the chances."""

    takes_less = False

    def __init__(self, certain, chances):
        self._certain, self._chances = certain, chances

    def certain(self, need):
        return self._certain

    def wished(self, need, certain, sound):
        return [sound * each for each in self._chances]

    def filled(self, need, end, size):
        return end


def opened(place, certain, chances, case):
    def steps():
        yield Need(case, DESIGN, 0, None, None, frozenset())

    return OpenCase(place, steps(), Said(certain, chances))


def cases():
    return {
        "a": opened(0, 2, [1.0, 1.0, 0.97, 0.8], Case("model", "mean", 0.1)),
        "b": opened(1, 1, [1.0, 0.96, 0.75], Case("model", "std", 0.1)),
    }


def made(parts):
    return {part.key: [DESIGN.index(pair) for pair in part.pairs] for part in parts}


def nothing_is_there(case, pair):
    return False


@pytest.mark.parametrize(
    ("size", "expected"),
    [(2, {"a": [0, 1]}), (4, {"a": [0, 1, 2], "b": [0]}), (9, {"a": [0, 1, 2, 3], "b": [0, 1, 2]})],
)
def test_what_is_surest_is_made_first(size, expected):
    assert made(Choice().rows(cases(), nothing_is_there, size)) == expected


@pytest.mark.parametrize("size", range(1, 9))
def test_behind_another_batch_waits_what_is_sure_in_a_full_batch_or_nothing(size):
    found = made(Choice(behind=0.95).rows(cases(), nothing_is_there, size, is_behind=True))
    assert sum(map(len, found.values())) == (size if size <= 5 else 0)
    assert found == ({} if size > 5 else made(Choice().rows(cases(), nothing_is_there, size)))


def test_what_is_there_is_not_made_again():
    def is_there(case, pair):
        return case.shift == "mean"

    assert made(Choice().rows(cases(), is_there, 9)) == {"b": [0, 1, 2]}


def test_batches_grow_smaller_where_little_is_left_and_never_for_a_single_slot():
    choice = Choice()
    sizes = [choice.size(8, left, 10) for left in (10_000, 240, 239, 100, 59, 10, 0)]
    assert sizes == [8, 8, 4, 2, 1, 1, 1]
    assert choice.size(8, 3, 1) == 8
