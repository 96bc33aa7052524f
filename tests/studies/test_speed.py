"""How fast a model is beside another one: turns on the same pairs, and what their spread says."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift import Axes, class_list, design
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.studies import speed


class Clock:
    """Time that only the models take."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Later(torch.Tensor):
    """Images that a device is still making: they take their time when they are fetched."""

    clock: Clock
    seconds: float

    def cpu(self, *_: object, **__: object) -> torch.Tensor:
        self.clock.now += self.seconds
        return self.as_subclass(torch.Tensor)


class Model:
    """One whose images take so long, the first ones longer, and the longer the warmer the machine is."""

    fingerprint, seed_shape, seed_axes = "model", (3, 4, 4), Axes(0, 1, 2)

    def __init__(self, name, clock, seconds, *, first=0.0, drift=0.0, noise=0.0, waits=True):
        self.name, self.clock, self.seconds, self.first = name, clock, seconds, first
        self.drift, self.noise, self.waits = drift, noise, waits
        self.batches: list[int] = []
        self.random = random.Random(name)

    def generate(self, pairs, shift=None, on_step=None):
        taken = self.seconds * len(pairs) * (1 + self.drift * self.clock.now) * (1 + self.noise * self.random.random())
        taken += 0.0 if len(pairs) in self.batches else self.first
        self.batches.append(len(pairs))
        images = torch.zeros(len(pairs), *self.seed_shape)
        if self.waits:
            self.clock.now += taken
            return images
        images = images.as_subclass(Later)
        images.clock, images.seconds = self.clock, taken
        return images


@pytest.fixture
def pairs():
    return design(class_list("toy16"), 16)[:4]


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(speed, "time", made)
    return made


def test_the_ratio_is_that_of_the_images_a_second_after_what_is_slow_once(clock, pairs):
    base, other = Model("base", clock, 0.02, first=5.0), Model("other", clock, 0.01, first=60.0)
    found = speed.measure(base, other, pairs)
    assert (found.ratio, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert found.is_clear
    assert (found.rounds, found.images) == (15, len(pairs))


def test_a_machine_that_gets_slower_favours_neither(clock, pairs):
    found = speed.measure(Model("base", clock, 0.02, drift=0.2), Model("other", clock, 0.02, drift=0.2), pairs)
    assert found.low < 1 < found.high
    assert found.ratio == pytest.approx(1, abs=0.02)


def test_a_model_beside_itself_in_noise_is_neither_faster_nor_slower(clock, pairs):
    clear = 0
    for number in range(60):
        twins = (Model(f"{side}{number}", clock, 0.02, noise=1.0) for side in "ab")
        clear += speed.measure(*twins, pairs).is_clear
    assert clear <= 3


def test_what_a_device_has_yet_to_do_is_waited_for(clock, pairs):
    found = speed.measure(Model("base", clock, 0.03, waits=False), Model("other", clock, 0.01, waits=False), pairs)
    assert found.ratio == pytest.approx(3.0)


def test_few_images_are_made_where_they_take_long(clock, pairs):
    slow = Model("base", clock, 10.0)
    found = speed.measure(slow, Model("other", clock, 5.0, first=100.0), pairs)
    assert (found.images, found.rounds) == (1, speed.rounds_for(0.99))
    assert found.ratio == pytest.approx(2.0)
    assert sum(slow.batches) < 30


def test_what_a_model_raises_is_an_error_in_words(clock, pairs):
    broken = Model("other", clock, 0.01)
    broken.seed_shape = (3, 4)
    with pytest.raises(SeedshiftError):
        speed.measure(Model("base", clock, 0.01), broken, pairs)


@given(st.lists(st.floats(0.1, 10), min_size=8, max_size=15))
def test_the_interval_has_the_median_within_it(ratios):
    median, low, high = speed.spread(ratios, 0.99)
    assert min(ratios) <= low <= median <= high <= max(ratios)


@pytest.mark.parametrize("rounds", [8, 11, 12, 15])
def test_the_interval_misses_the_median_no_oftener_than_is_said(rounds):
    """Of each of all ways in which rounds can lie about the median, which are alike likely."""
    missed = 0
    for above in itertools.product((0.5, 2.0), repeat=rounds) if rounds < 12 else _drawn(rounds):
        _, low, high = speed.spread(above, 0.99)
        missed += low > 1 or high < 1
    share = missed / (2**rounds if rounds < 12 else 20_000)
    assert 0 < share <= 0.01


def _drawn(rounds):
    generator = random.Random(rounds)
    return (tuple(generator.choice((0.5, 2.0)) for _ in range(rounds)) for _ in range(20_000))


@pytest.mark.parametrize(("certainty", "rounds"), [(0.9, 5), (0.95, 6), (0.99, 8), (0.999, 11)])
def test_a_certainty_needs_so_many_rounds(certainty, rounds):
    assert speed.rounds_for(certainty) == rounds
