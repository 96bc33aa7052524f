"""Work beside the making of the next item: the same results in the same order, and nothing that was done is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.runner.overlap import overlapped


class StoppedError(Exception):
    """Ends a run."""


def items(number: int, fails_at: int, error: type[BaseException]) -> Iterator[int]:
    for item in range(number):
        if item == fails_at:
            raise error
        yield item


def failing_at(place: int) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == place:
            raise StoppedError
        return item * 10

    return work


def outcome(made: Iterator[int]) -> tuple[list[int], type[BaseException] | None]:
    """What was given, and what ended it."""
    found: list[int] = []
    try:
        for each in made:
            found.append(each)  # noqa: PERF402
    except (StoppedError, KeyboardInterrupt) as error:
        return found, type(error)
    return found, None


@pytest.mark.parametrize("overlap", [False, True])
@given(
    number=st.integers(0, 5),
    fails=st.integers(0, 5),
    error=st.sampled_from([StoppedError, KeyboardInterrupt]),
)
def test_what_was_made_before_the_making_broke_is_done_and_given(overlap, number, fails, error):
    made = overlapped(items(number, fails, error), failing_at(-1), overlap=overlap)
    assert outcome(made) == ([item * 10 for item in range(min(number, fails))], error if fails < number else None)


@pytest.mark.parametrize("overlap", [False, True])
@given(number=st.integers(0, 5), fails=st.integers(0, 5))
def test_an_error_of_the_work_ends_it_there(overlap, number, fails):
    made = overlapped(iter(range(number)), failing_at(fails), overlap=overlap)
    expected = [item * 10 for item in range(min(number, fails))]
    assert outcome(made) == (expected, StoppedError if fails < number else None)


@pytest.mark.parametrize("overlap", [False, True])
def test_of_two_errors_the_one_of_the_making_counts(overlap):
    made = overlapped(items(2, 1, KeyboardInterrupt), failing_at(0), overlap=overlap)
    assert outcome(made) == ([], KeyboardInterrupt if overlap else StoppedError)


def test_the_work_is_done_while_the_next_item_is_made():
    begun, threads = threading.Event(), []

    def make() -> Iterator[int]:
        yield 0
        assert begun.wait(30)  # the work on 0 begins before 1 is made
        yield 1

    def work(item: int) -> int:
        begun.set()
        threads.append(threading.current_thread())
        return item

    assert list(overlapped(make(), work, overlap=True)) == [0, 1]
    assert threading.main_thread() not in threads


def test_a_reader_who_stops_leaves_no_thread():
    before = threading.active_count()
    made = overlapped(iter(range(5)), failing_at(-1), overlap=True)
    assert next(made) == 0
    made.close()
    assert threading.active_count() == before
