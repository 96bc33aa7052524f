"""Bounds of a distribution's tail: the worst label, groups of a label's pictures, quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from helpers import simulations_tails as simulations
from pytest_seedshift.core import pairs, tails, thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.core.tails import ALL_OF, ANY_OF, MIN_CLASS, Tail
from pytest_seedshift.core.thresholds import ThresholdsError

LABELS = [Label(f"l{index}", index) for index in range(6)]


def asked(kind: str, minimum: float, value: float = 0, score: str = "top1") -> Constraint:
    tail = Tail(score, kind, value)
    return Constraint(tail.name, minimum, own_kind=tail.described(BUILT_IN[score]))


def test_names_are_read_as_they_are_written():
    for tail in (Tail("top1", MIN_CLASS), Tail("mine", ANY_OF, 4), Tail("clip", tails.AT_LEAST, 22.5)):
        assert tails.of(tail.name) == tail
        assert tails.of(f"{tail.name}@counting") == tail
        assert tails.plain(tail.name) == tail.score
        assert tails.plain(f"{tail.name}@counting") == f"{tail.score}@counting"
    for name in ("top1", "top1@min_class", "likeness_ssim_at_0.9", "clip:at_least=no", "clip:at_least=inf"):
        assert tails.of(name) is None


@st.composite
def designs(draw):
    """A design of unlike numbers of seeds a label, of each pair its top-1, and how many more there are at a time."""
    design = pairs.design(LABELS, draw(st.integers(24, 60)), seed=draw(st.integers(0, 1000)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return design, (rng.random(len(design)) < draw(st.sampled_from([0.1, 0.6, 0.95]))).astype(float)


@settings(max_examples=40, deadline=None)
@given(designs(), st.booleans(), st.integers(1, 20))
def test_a_tail_is_judged_as_said_in_whatever_pieces_it_comes(made, exact, step):
    design, values = made
    wanted = (Constraint("top1", 0.2), asked(ANY_OF, 0.7, 2), asked(ALL_OF, 0.3, 3), asked(MIN_CLASS, 0.95))
    test = SequentialTest(wanted, len(design), 0.9, exact, labels=tails.by_label(design))
    columns = {each.score: values for each in wanted}
    found = test.judge(columns)
    assert found.decided
    course = test.begin()
    while course.stop is None:
        course.forecast(), course.chances(), course.soonest(), course.about()
        assert course.soonest() <= found.images
        part = slice(course.seen, course.seen + step)
        course.add({name: each[part] for name, each in columns.items()})
    assert course.judgement().images == found.images
    assert [each.holds for each in course.judgement().findings] == [each.holds for each in found.findings]
    if found.images == len(design):
        by_name = {each.score: each for each in found.findings}
        for kind, k, together in ((ANY_OF, 2, any), (ALL_OF, 3, all)):
            groups = [
                together(values[place] for place in each[start : start + k])
                for each in tails.by_label(design).values()
                for start in range(0, len(each) - k + 1, k)
            ]
            finding = by_name[Tail("top1", kind, k).name]
            assert finding.measured == pytest.approx(np.mean(groups))
            assert finding.holds is bool(np.mean(groups) >= finding.bound - 1e-9)
        labels = [np.array(each) for each in tails.by_label(design).values()]
        p = min(binom.cdf(values[each].sum(), each.size, 0.95) for each in labels)
        worst = by_name["top1:min_class"]
        assert worst.holds is bool(p > 0.1 / 4 / len(labels))


@settings(max_examples=40, deadline=None)
@given(designs())
def test_the_worst_label_ends_early_with_the_verdict_of_the_whole_design(made):
    design, values = made
    wanted = (asked(MIN_CLASS, 0.9),)
    early, whole = (
        SequentialTest(wanted, len(design), 0.9, exact, labels=tails.by_label(design)).judge({wanted[0].score: values})
        for exact in (False, True)
    )
    assert early.passed is whole.passed
    assert early.images <= whole.images


def test_all_right_ends_before_the_whole_design():
    design = pairs.design(LABELS, 6 * 25)
    wanted = (asked(MIN_CLASS, 0.5),)
    test = SequentialTest(wanted, len(design), labels=tails.by_label(design))
    found = test.judge({wanted[0].score: np.ones(len(design))})
    assert found.passed
    assert found.images < len(design) / 2
    assert test.forecast({wanted[0].score: []}).images == found.images
    poor = np.array([float(pair.label.name != "l3") for pair in design])
    broken = test.judge({wanted[0].score: poor})
    assert not broken.passed
    assert broken.images < len(design)
    assert broken.findings[0].measured == 0.0


@pytest.mark.parametrize(
    ("constraint", "labels", "said"),
    [
        (asked(ANY_OF, 0.5, 5), 4, "Give at least 5 of each class (30 in all), or a smaller k"),
        (asked(MIN_CLASS, 0.5), 4, "Give at least 10 images of each class (60 in all), or a higher bound"),
        (asked(MIN_CLASS, 0.5), None, "not known which pairs"),
    ],
)
def test_a_design_that_can_say_nothing_is_refused(constraint, labels, said):
    design = pairs.design(LABELS, 6 * 4)
    with pytest.raises(InvalidValueError) as caught:
        SequentialTest((constraint,), len(design), labels=tails.by_label(design) if labels else {})
    assert said in str(caught.value)


def read(text: str):
    return thresholds_parser.parse(text, "t.toml", lambda name: None)


def test_they_stand_in_any_table_and_the_narrowest_decides():
    found = read(
        """
        [default]
        top1 = { min = 0.6, min_class = 0.3, any_of = { k = 4, min = 0.95 } }
        clip = { quantile = { q = 0.05, min = 20 } }
        [shift.mean]
        top1 = { all_of = { k = 2, min = 0.5 } }
        [shift.std]
        clip = 22
        [tag.counting]
        top1 = { any_of = { k = 4, min = 0.5 } }
        """
    )
    by_score = {each.score: each.minimum for each in found.constraints(Case("m", "none", 0.0))}
    assert by_score == {
        "top1": 0.6, "top1:min_class": 0.3, "top1:any_of=4": 0.95, "clip:at_least=20": 0.95,
        "top1:any_of=4@counting": 0.5,
    }  # fmt: skip
    of_mean = [each.score for each in found.constraints(Case("m", "mean", 0.3))]
    assert of_mean == ["clip:at_least=20", "top1:all_of=2", "top1:any_of=4@counting"]
    assert "clip" in [each.score for each in found.constraints(Case("m", "std", 0.3))]
    assert "clip:at_least=20" not in [each.score for each in found.constraints(Case("m", "std", 0.3))]
    assert found.scores("m") == {"top1", "clip"}
    assert {"top1", "clip"} <= set(found.kinds)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("top1 = { quantile = { q = 0.1, min = 0.5 } }", "top-1 is 0 or 1: give min, min_class, any_of or all_of"),
        ("clip = { min_class = 20 }", "CLIP goes from 0 to 50. Give quantile"),
        ("clip = { any_of = { k = 4, min = 0.5 } }", "CLIP goes from 0 to 50. Give quantile"),
        ("top1 = { min_class = 30 }", "above 0 and below 1, such as 0.3"),
        ("top1 = { min_class = 1 }", "above 0 and below 1, such as 0.3"),
        ("top1 = { any_of = 4 }", "any_of = 4: give such as { k = 4, min = 0.95 }"),
        ("top1 = { any_of = { k = 1, min = 0.5 } }", "greater than or equal to 2"),
        ("top1 = { any_of = { k = 4.5, min = 0.5 } }", "k = 4.5"),
        ("top1 = { any_of = { k = 4 } }", "any_of: min is lacking"),
        ("top1 = { any_of = { k = 4, min = 1.5 } }", "less than or equal to 1"),
        ("top1 = { all_of = { k = 4, mn = 0.5 } }", "Did you mean 'min'"),
        ("clip = { quantile = { q = 5, min = 20 } }", "less than 1"),
        ("clip = { quantile = { q = 0.05, min = 60 } }", "min = 60 is outside its range, above 0 and up to 50"),
        ("clip = { quantile = { q = 0.05, min = 0 } }", "min = 0 is outside its range"),
        ("top1 = { min_clas = 0.3 }", "Did you mean 'min_class'"),
        ("nothing = { min_class = 0.3 }", "unknown score 'nothing'"),
    ],
)
def test_nonsense_is_refused_in_words(asked, said):
    with pytest.raises(ThresholdsError) as caught:
        read(f"[shift.mean]\n{asked}\n")
    assert said in str(caught.value)
    assert str(caught.value).startswith("t.toml: [shift.mean]")


DESIGNS = [pytest.param(60), pytest.param(1000, marks=pytest.mark.nightly)]


@pytest.mark.parametrize("designs", DESIGNS)
@pytest.mark.parametrize("what", sorted(simulations.TAILS))
def test_false_verdicts_are_no_more_than_said(what, designs):
    rates = simulations.TAILS[what](designs, seed=designs)
    most = simulations.ALPHA + 3 * np.sqrt(simulations.ALPHA * (1 - simulations.ALPHA) / designs)
    assert max(rates.ours, rates.passes) <= most
    assert rates.naive > (most if designs >= 1000 else simulations.ALPHA)  # the control that must fail
