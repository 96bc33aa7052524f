"""Bounds over the pairs of a tag: decided in the design's order, with the certainty of the case over all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_seedshift.core import pairs, tags, thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.core.thresholds import ThresholdsError


def asked(tag: str, minimum: float | None = None, max_drop: float | None = None) -> Constraint:
    kind = tags.kind_of(BUILT_IN["top1"], tag)
    return Constraint(tags.score_of("top1", tag), minimum, max_drop, own_kind=kind)


def sequential(
    constraints: Sequence[Constraint], places: dict[str, tuple[int, ...]], size: int, **more
) -> SequentialTest:
    return SequentialTest(tuple(constraints), size, tags=places, **more)


def columns(constraints: Sequence[Constraint], values: Sequence[float]) -> dict[str, Sequence[float]]:
    return {each.score: values for each in constraints}


@st.composite
def designs(draw):
    """Of each pair its top-1, that of the control, and its tags, of which each has at least one pair."""
    size = draw(st.integers(4, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    after, before = (rng.random((2, size)) < share).astype(float)
    places = {}
    for tag in "ab":
        chosen = np.flatnonzero(rng.random(size) < draw(st.sampled_from([0.1, 0.5, 1.0])))
        places[tag] = tuple(map(int, chosen if chosen.size else [size - 1]))
    return after, before, places


@settings(max_examples=40, deadline=None)
@given(designs(), st.booleans(), st.integers(1, 20))
def test_a_bound_of_a_tag_is_one_on_its_pairs_alone(design, exact, step):
    after, before, places = design
    wanted = [Constraint("top1", 0.3), asked("a", 0.5, 0.2), asked("b", 0.6)]
    test = sequential(wanted, places, after.size, exact=exact)
    found = test.judge(columns(wanted, after), columns(wanted, before))
    assert found.decided
    course = test.begin()
    while course.stop is None:  # in whatever pieces it comes
        course.forecast(), course.chances(), course.soonest()
        part = slice(course.seen, course.seen + step)
        course.add(columns(wanted, after[part]), columns(wanted, before[part]))
    assert course.judgement().images == found.images
    assert [each.holds for each in course.judgement().findings] == [each.holds for each in found.findings]
    for each in found.findings:
        tag = tags.tag_of(each.score)
        own = np.array([k for k in (range(after.size) if tag is None else places[tag]) if k < found.images], dtype=int)
        drop = (before[own] - after[own]).mean() if own.size else np.nan
        mean = after[own].mean() if own.size else np.nan
        np.testing.assert_allclose(each.measured, mean if each.kind == "min" else drop, atol=1e-12)
        if found.images == after.size:
            holds = mean >= each.bound - 1e-12 if each.kind == "min" else drop <= each.bound + 1e-12
            assert each.holds is bool(holds)


TAGS, EACH, BOUND, CERTAINTY = 6, 40, 0.5, 0.9
"""Many tags, each of which just holds, at a low certainty: here a rule that does not share its errors shows."""


def failing(designs: int, seed: int) -> tuple[float, float]:
    """In which share of cases that hold all bounds some bound is taken for broken: here, and by a look at each tag."""
    rng = np.random.default_rng(seed)
    names = [f"t{index}" for index in range(TAGS)]
    wanted = [asked(name, BOUND) for name in names]
    of_pair = np.repeat(np.arange(TAGS), EACH)
    right = np.tile(np.repeat([1.0, 0.0], EACH // 2), TAGS)  # of each tag just so many as are asked
    ours = naive = 0
    for _ in range(designs):
        order = rng.permutation(of_pair.size)
        belongs, values = of_pair[order], right[order]
        places = {name: tuple(map(int, np.flatnonzero(belongs == index))) for index, name in enumerate(names)}
        found = sequential(wanted, places, order.size, certainty=CERTAINTY).judge(columns(wanted, values))
        ours += not found.passed
        naive += any(_looks_broken(values[belongs == index]) for index in range(TAGS))
    return ours / designs, naive / designs


def _looks_broken(values: np.ndarray) -> bool:
    """What a test of fixed size at the case's certainty says, where it is done after each tenth pair."""
    seen = np.arange(10, values.size, 10)
    means = np.cumsum(values)[seen - 1] / seen
    return bool((means < BOUND - 1.2816 * np.sqrt(BOUND * (1 - BOUND) / seen)).any())


@pytest.mark.parametrize("designs", [60, pytest.param(2000, marks=pytest.mark.nightly)])
def test_the_certainty_holds_over_all_tags_together(designs):
    ours, naive = failing(designs, designs)
    assert ours <= 1 - CERTAINTY + 3 * np.sqrt(CERTAINTY * (1 - CERTAINTY) / designs)
    assert naive > 0.3  # a rule that takes each tag and each look alone is wrong far too often


@pytest.mark.nightly
def test_a_tag_that_breaks_passes_by_mistake_no_more_often_than_is_said():
    rng = np.random.default_rng(5)
    wanted, size, passed = [Constraint("top1", 0.2), asked("few", 0.6)], 200, 0
    for _ in range(400):
        places = np.sort(rng.permutation(size)[:40])
        values = (rng.random(size) < 0.9).astype(float)
        values[places] = rng.permutation(np.repeat([1.0, 0.0], [23, 17]))  # one image below what is asked
        found = sequential(wanted, {"few": tuple(map(int, places))}, size, certainty=CERTAINTY).judge(
            columns(wanted, values)
        )
        passed += found.passed
    assert passed / 400 <= 1 - CERTAINTY


def test_a_clear_case_ends_early_and_one_tag_that_fails_fails_it():
    size = 400
    places = {"a": tuple(range(0, size, 4)), "b": tuple(range(1, size, 4))}
    wanted = [Constraint("top1", 0.5), asked("a", 0.5), asked("b", 0.5)]
    good = sequential(wanted, places, size).judge(columns(wanted, np.ones(size)))
    assert good.passed
    assert good.images < 100
    values = np.ones(size)
    values[list(places["b"])] = 0.0
    bad = sequential(wanted, places, size).judge(columns(wanted, values))
    assert [each.score for each in bad.findings if each.holds is False] == ["top1@b"]
    assert bad.images < 100
    assert bad.findings[2].score_kind.title == "top-1 of b"


# Tables -----------------------------------------------------------------------------------------------------------


def parse(text: str):
    return thresholds_parser.parse(text, "thresholds.toml", lambda name: None)


def test_tables_by_tag_stand_beside_those_of_scores_and_the_narrowest_decides():
    found = parse(
        "[default]\ntop1 = 0.5\n[tag.counting]\ntop1 = 0.4\n[shift.mean.tag.counting]\ntop1 = { max_drop = 0.1 }\n"
        "[model.one.tag.colours]\nclip = 20\n"
    )
    plain = {each.score: (each.minimum, each.max_drop) for each in found.constraints(Case("other"))}
    assert plain == {"top1": (0.5, None), "top1@counting": (0.4, None)}
    shifted = {each.score: (each.minimum, each.max_drop) for each in found.constraints(Case("one", "mean", 0.1))}
    assert shifted == {"top1": (0.5, None), "top1@counting": (None, 0.1), "clip@colours": (20, None)}
    assert found.scores("one") == {"top1", "clip"}
    assert set(found.kinds) == set(BUILT_IN)
    assert found.kinds["clip@colours"].title == "CLIP of colours"
    assert parse("[default]\ntop1 = 0.5\n").fingerprint != parse("[tag.x]\ntop1 = 0.5\n").fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tag = 3", "[tag] is 3, not a table"),
        ("[tag]\ntop1 = 0.5", "[tag.top1] is 0.5, not a table: give such as [tag.counting]"),
        ("[tag.x]\ntop9 = 0.5", "[tag.x] unknown score 'top9'. Did you mean 'top"),
        ("[tag.x]\ntop1 = 2", "[tag.x] top1: min = 2 is outside its range"),
        ("[tag.x]\ntop1 = { max_regression = 0.1 }", "[tag.x] top1: max_regression is of all pairs"),
        ("[tag.x]\ntop1 = { within = 0.1 }", "[tag.x] top1: within is of all pairs"),
        ("[tag.x]\ntop1 = 0.1\n[default.tag.x]\ntop1 = 0.1", "[tag] and [default.tag] are one table"),
        ("[tags.x]\ntop1 = 0.1", "unknown table 'tags'. Did you mean 'tag'?"),
    ],
)
def test_tables_by_tag_that_cannot_be_used_are_named(text, said):
    with pytest.raises(ThresholdsError) as caught:
        parse(text)
    assert said in str(caught.value)


def test_places_are_those_of_the_pairs_whose_prompts_have_the_tag():
    labels = [Label("one", -1, text="a", shows="", tags=("x", "y")), Label("two", -1, text="b", shows="", tags=("y",))]
    design = pairs.design(labels, 20)
    found = tags.places(design)
    assert found["y"] == tuple(range(20))
    assert found["x"] == tuple(place for place, pair in enumerate(design) if pair.label.name == "one")
