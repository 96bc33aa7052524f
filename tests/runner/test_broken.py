"""What is said of a model that is broken without any shift is seldom wrong, and seldom of a sound one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.runner import broken, drawn_images, flat_images

CLASSES = (2, 3, 5, 8, 10, 16, 100, 1000)


def at_most(right: int, images: int, accuracy: float) -> float:
    """The probability of so many right pictures or fewer."""
    return math.fsum(math.comb(images, k) * accuracy**k * (1 - accuracy) ** (images - k) for k in range(right + 1))


def _most(chance: float, images: int) -> int:
    """The most right pictures that are not significantly above guessing."""
    return max(
        right
        for right in range(images + 1)
        if broken.is_at_chance({"top1": [1.0] * right + [0.0] * (images - right)}, round(1 / chance))
    )


@pytest.mark.parametrize("classes", CLASSES)
def test_a_model_half_way_to_perfect_is_told_from_guessing(classes):
    images, chance = broken.needed("top1", classes), 1 / classes
    most = _most(chance, images)
    assert at_most(most, images, (1 + chance) / 2) <= 0.01  # it is called guessing in one of 100 cases
    assert at_most(most, images, chance) >= 0.95  # and who guesses nearly always is
    assert images == broken.LEAST or at_most(_most(chance, images - 1), images - 1, (1 + chance) / 2) > 0.01


def test_so_few_classes_say_nothing():
    assert broken.needed("top1", 1) is None
    assert [broken.needed("top5", classes) for classes in (1, 5, 8)] == [None, None, None]
    assert broken.needed("top1", 2) > 3 * broken.LEAST


def test_top5_alone_tells_a_model_from_guessing():
    wrong = [0.0] * 16
    assert broken.is_at_chance({"top1": wrong, "top5": wrong}, 16)
    assert not broken.is_at_chance({"top1": wrong, "top5": [1.0] * 12 + [0.0] * 4}, 16)


@given(st.integers(0, 16), st.floats(0.01, 1))
def test_what_is_asked_is_ruled_out_as_the_binomial_distribution_says(right, asked):
    values = [1.0] * right + [0.0] * (16 - right)
    if abs(at_most(right, 16, asked) - 0.05) > 1e-9:
        assert broken.rules_out(values, asked, 0.05) == (at_most(right, 16, asked) <= 0.05)


def test_a_minimum_near_guessing_is_never_ruled_out_by_who_guesses():
    """Who asks no more than guessing gives has a control that fails, if it does, like any other."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = (rng.random(16) < 0.0625).astype(float).tolist()
        assert not broken.rules_out(values, 0.07, 0.05)


def _picture(seed: int) -> torch.Tensor:
    return torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(seed)).mul(255).round().div(255)


def _sketches(images: torch.Tensor) -> list[bytes]:
    return flat_images.sketches(drawn_images.levels(images))


def test_one_colour_is_seen_whatever_the_colour():
    colours = torch.stack([torch.tensor(each).view(3, 1, 1).expand(3, 8, 8) for each in ((0.0, 0, 0), (1.0, 0.5, 0))])
    stripe = colours[1].clone()
    stripe[2, :, 0] = 3 / 255
    dithered = colours[1].clone()
    dithered[0, ::2] -= 1 / 255
    images = torch.stack([*colours, dithered, stripe, _picture(0)])
    assert flat_images.of_one_colour(drawn_images.levels(images)) == [True, True, True, False, False]


def test_the_same_picture_is_seen_but_for_rounding():
    first = _picture(0)
    rounded, other = (first - 1 / 255).clamp(0, 1), first.clone()
    other[0, 0, 0] = (first[0, 0, 0] + 0.5) % 1
    sketch, *same = _sketches(torch.stack([first, first, rounded]))
    assert all(flat_images.alike(sketch, each) for each in same)
    different = _sketches(torch.stack([other, _picture(1)]))
    different += _sketches(torch.zeros(1, 3, 4, 4))
    assert not any(flat_images.alike(sketch, each) for each in different)
    noise = _sketches(torch.rand(2, 3, 512, 512, generator=torch.Generator().manual_seed(1)))
    assert not flat_images.alike(*noise)  # though their means are alike
