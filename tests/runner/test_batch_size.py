"""The batch size that suits a model: test doubles whose time for a step is known, by a clock that only they move."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pytest_seedshift.core import pairs as pairing
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models.drawing import DrawingError
from pytest_seedshift.runner import batch_size

DESIGN = pairing.design([Label("owl", 0), Label("fig", 1)], 100)


class Clock:
    """Takes the place of the module `time`; a busy machine does not move it."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


time = Clock()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(batch_size, "time", time)


class Timed:
    """A test double of a model: a step takes so long for a batch, and beyond `room` images memory does not suffice."""

    name = fingerprint = "timed"
    seed_shape = (1, 2, 2)

    def __init__(self, fixed: float, each: float, *, room: int = 1000, steps: int = 50) -> None:
        self.fixed, self.each, self.room, self.steps = fixed, each, room, steps
        self.batches: list[int] = []
        self.taken = 0

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        if len(pairs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.batches.append(len(pairs))
        for step in range(self.steps):
            self.taken += 1
            time.sleep(self.fixed + self.each * len(pairs))
            if on_step is not None:
                on_step(step, torch.zeros(len(pairs), 1))
        return torch.zeros(len(pairs), 3, 2, 2)


def test_where_images_cost_the_same_in_any_batch_one_at_a_time_is_enough():
    assert batch_size.find_batch_size(Timed(0.0, 0.02), DESIGN) == 1


def test_where_a_batch_costs_as_much_as_one_image_the_largest_is_taken():
    assert batch_size.find_batch_size(Timed(0.02, 0.0), DESIGN) == batch_size.MOST


def test_between_these_the_smallest_is_taken_that_is_nearly_as_good_as_the_best():
    # 30 + 10·n ms: 40, 25, 17.5, 13.8, 11.9 and 10.9 ms an image.
    assert batch_size.find_batch_size(Timed(0.03, 0.01), DESIGN) == 16


class Disturbed(Timed):
    """A test double of a model that another process disturbs now and then."""

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        def disturbed(step: int, state: Tensor) -> None:
            if step == 1 or len(pairs) == 4:
                time.sleep(0.05)
            on_step(step, state)

        return super().generate(pairs, shift, disturbed)


def test_a_disturbance_does_not_end_the_search():
    assert batch_size.find_batch_size(Disturbed(0.02, 0.0), DESIGN) == batch_size.MOST


@pytest.mark.parametrize("room", [1, 5])
def test_what_memory_does_not_hold_is_not_taken(room):
    assert batch_size.find_batch_size(Timed(0.02, 0.0, room=room), DESIGN) == {1: 1, 5: 4}[room]


def test_memory_for_no_image_at_all_is_for_the_case_to_tell():
    assert batch_size.find_batch_size(Timed(0.0, 0.0, room=0), DESIGN) == 1


def test_a_batch_is_not_larger_than_the_design():
    assert batch_size.find_batch_size(Timed(0.02, 0.0), DESIGN[:6]) == 4


@pytest.mark.parametrize(("fixed", "steps"), [(0.001, 3), (0.3, 2)])
def test_only_a_few_steps_are_run_and_fewer_where_they_take_long(fixed, steps):
    model = Timed(fixed, 0.0)
    batch_size.find_batch_size(model, DESIGN[:2])
    assert model.taken == steps * len(model.batches)


def test_a_large_model_is_not_timed_where_there_is_nothing_to_gain():
    model = Timed(0.0, 0.3)
    assert batch_size.find_batch_size(model, DESIGN) == 1
    assert model.batches == [1, 1, 2]


def test_a_model_of_one_step_is_timed_as_a_whole():
    assert batch_size.find_batch_size(Timed(0.02, 0.0, steps=1), DESIGN) == batch_size.MOST


def test_other_errors_are_not_hidden():
    class Broken(Timed):
        def generate(self, pairs, shift=None, on_step=None):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(DrawingError, match=r"raised RuntimeError: .*shapes"):
        batch_size.find_batch_size(Broken(0.0, 0.0), DESIGN)
