"""Seed indices over labels: planted bad ones are found, and none where values are exchanged within labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.stats import seed_effects

LABELS, SEEDS, ALPHA = 20, 16, 0.1
DRAWS = 499


def values(rng: np.random.Generator, worse: dict[int, float] | None = None) -> dict[tuple[str, int], float]:
    """Top-1 of labels that are unlike; of some indices it is lower by a share of what there is."""
    found = {}
    for label, right in enumerate(np.linspace(0.3, 0.95, LABELS)):
        for seed in range(SEEDS):
            found[f"l{label}", seed] = float(rng.random() < right * (1 - (worse or {}).get(seed, 0.0)))
    return found


def found_in(designs: int, worse: dict[int, float] | None = None) -> tuple[float, float, float]:
    """In which share of designs any index is found: by ours, by each index alone; and the planted ones by ours."""
    rng, ours, naive, planted = np.random.default_rng(designs), 0, 0, 0
    for _ in range(designs):
        made = values(rng, worse)
        effects = seed_effects.effects(made, draws=DRAWS)
        found = {each.seed for each in effects if each.p <= ALPHA}
        ours += bool(found - (worse or {}).keys())
        planted += bool(worse) and found >= (worse or {}).keys()
        alone = [seed_effects.effects(made, only=[seed], draws=99)[0].p for seed in range(8)] if worse is None else []
        naive += any(p <= ALPHA for p in alone)
    return ours / designs, naive / designs, planted / designs


@pytest.mark.parametrize("designs", [40, pytest.param(1000, marks=pytest.mark.nightly)])
def test_none_is_found_where_seeds_are_exchanged_more_often_than_said(designs):
    ours, naive, _ = found_in(designs)
    assert ours <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / designs)
    assert naive > 2 * ALPHA  # eight of the indices, each tested alone


@pytest.mark.parametrize("designs", [10, pytest.param(300, marks=pytest.mark.nightly)])
def test_planted_ones_are_found(designs):
    _, _, nearly_never = found_in(designs, {3: 0.9})
    _, _, two = found_in(designs, {3: 0.9, 11: 0.9})
    assert min(nearly_never, two) >= 0.9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 3))
def test_order_labels_levels_and_units_have_no_say(seed, unit):
    rng = np.random.default_rng(seed)
    made = {(f"l{label}", index): float(rng.normal(label, 1)) for label in range(6) for index in range(5)}
    levels = {label: float(rng.normal(0, 9)) for label in {label for label, _ in made}}
    changed = {pair: unit * each + levels[pair[0]] for pair, each in reversed(made.items())}
    before, after = (seed_effects.effects(each, draws=99) for each in (made, changed))
    assert [each.seed for each in before] == [each.seed for each in after]
    assert [each.p for each in before] == pytest.approx([each.p for each in after])
    assert sum(each.effect for each in before) == pytest.approx(0, abs=1e-9)


def test_designs_with_gaps_and_without_any_difference():
    rng = np.random.default_rng(0)
    made = {pair: each for pair, each in values(rng, {3: 1.0}).items() if pair[1] < 8 or pair[0] in ("l3", "l4", "l5")}
    made["alone", 3] = 1.0  # a label of one index says nothing
    effects = seed_effects.effects(made)
    assert effects[0].seed == 3
    assert effects[0].p <= 0.01
    assert effects[0].labels == LABELS
    assert {each.labels for each in effects} == {LABELS, 3}
    flat = seed_effects.effects({(label, seed): 1.0 for label in "ab" for seed in range(3)}, draws=99)
    assert {each.p for each in flat} == {1.0}
    assert {each.effect for each in flat} == {0.0}


@pytest.mark.parametrize(
    "made", [{}, {("a", 0): 1.0, ("b", 1): 0.0}, {("a", 0): 1.0, ("a", 1): 0.0}, {("a", 0): math.nan, ("a", 1): 0.0}]
)
def test_what_cannot_be_compared_is_refused(made):
    with pytest.raises(InvalidValueError):
        seed_effects.effects(made)
