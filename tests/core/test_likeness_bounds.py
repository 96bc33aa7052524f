"""Bounds of likeness: how they are written, which table decides, and how early bets decide about them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import likeness, thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.core.thresholds import Thresholds, ThresholdsError

SHIFTED, CONTROL = Case("x", "mean", 0.3), Case("x", "none", 0.0)


def parsed(text: str) -> Thresholds:
    return thresholds_parser.parse(text, "t.toml", lambda _: None)


def asked(text: str, case: Case) -> dict[str, float | None]:
    return {each.score: each.minimum for each in parsed(text).constraints(case)}


# How they are written ---------------------------------------------------------------------------------------------


def test_the_narrowest_table_that_names_a_measure_decides_about_it_and_its_floor():
    text = (
        "[likeness]\nssim = 0.95\nembedding = { min = 0.98, floor = 0.9, share = 0.99 }\n"
        "[shift.mean.likeness]\nembedding = 0.9\n"
        '[model.x.shift.mean."0.3".likeness]\npsnr = 30\n'
    )
    assert asked(text, CONTROL) == {
        "likeness_embedding": 0.98,
        "likeness_embedding_at_0.9": 0.99,
        "likeness_ssim": 0.95,
    }
    assert asked(text, SHIFTED) == {"likeness_embedding": 0.9, "likeness_psnr": 30, "likeness_ssim": 0.95}
    assert parsed(text).likeness(CONTROL) == {"ssim", "embedding"}
    assert parsed(text).likeness(SHIFTED) == {"ssim", "embedding", "psnr"}
    assert parsed("[default]\ntop1 = 0.5\n").likeness(CONTROL) == frozenset()


@pytest.mark.parametrize(
    "table", ["[likeness]", "[model.x.likeness]", "[shift.mean.likeness]", '[shift.mean."0.3".likeness]']
)
def test_each_error_says_which_table_it_is_about(table):
    with pytest.raises(ThresholdsError) as told:
        parsed(f"{table}\nsim = 0.9\n")
    assert str(told.value).startswith(f"t.toml: {table}: unknown measure of likeness 'sim'. Did you mean 'ssim'?")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[likeness]\nssim = 95", "as a part of 1, 95 % is 0.95"),
        ("[likeness]\npsnr = 70", "more than 60 dB counts as 60"),
        ("[likeness]\nssim = nan", "min = nan"),
        ("[likeness]\nssim = -0.1", "outside its range, 0 to 1"),
        ("[likeness]\nssim = true", "give a number or"),
        ("[likeness]\nssim = {}", "sets no bound"),
        ("[likeness]\nssim = { floor = 0.9 }", "floor and share belong together"),
        ("[likeness]\nssim = { share = 0.9 }", "floor and share belong together"),
        ("[likeness]\nssim = { floor = 0.9, share = 90 }", "share = 90"),
        ("[likeness]\nssim = { floor = 9, share = 0.9 }", "floor = 9 is outside its range"),
        ("[likeness]\nssim = { mn = 0.9 }", "Did you mean 'min'?"),
        ("[likeness]\nssim = { max_drop = 0.1 }", "unknown bound 'max_drop'"),
        ("likeness = 3", "not a table"),
        ("[likenes]\nssim = 0.9", "Did you mean 'likeness'?"),
        ("[shift.mean.likenss]\nssim = 0.9", "Did you mean 'likeness'?"),
        ("[default]\nlikeness_ssim = 0.9", "unknown score 'likeness_ssim'"),
        ("[likeness]\nssim = 0.9\n[default.likeness]\nssim = 0.8", "are one table"),
    ],
)
def test_what_cannot_be_a_bound_is_an_error_in_words(text, says):
    with pytest.raises(ThresholdsError) as told:
        parsed(text + "\n")
    assert says in str(told.value)


def test_fingerprints_of_thresholds_without_likeness_stay_and_with_it_differ():
    plain, bounded = parsed("[default]\ntop1 = 0.5\n"), parsed("[default]\ntop1 = 0.5\n[likeness]\nssim = 0.9\n")
    other = parsed("[default]\ntop1 = 0.5\n[likeness]\nssim = { floor = 0.9, share = 0.9 }\n")
    assert len({each.fingerprint for each in (plain, bounded, other)}) == 3
    assert bounded.kinds == plain.kinds == ScoreRegistry()


@given(st.sampled_from(list(likeness.MEASURES)), st.floats(0, 60) | st.none())
def test_the_name_of_a_score_says_what_it_is(measure, floor):
    score = likeness.score_of(measure, floor)
    assert likeness.measure_of(score) == measure
    kind = likeness.kind_of(score)
    assert kind is not None
    assert kind.binary is (floor is not None)
    assert score not in ScoreRegistry({score: kind})
    assert ScoreRegistry()[score] == kind
    values = {measure: 0.5}
    assert likeness.value(values, score) == (0.5 if floor is None else float(floor <= 0.5))
    assert likeness.value({}, score) == 0


@pytest.mark.parametrize(
    "name", ["top1", "ssim", "likeness_", "likeness_sim", "likeness_ssim_at_", "likeness_ssim_at_nan"]
)
def test_other_names_are_no_scores_of_likeness(name):
    assert likeness.measure_of(name) is None
    assert likeness.kind_of(name) is None


def test_an_infinite_psnr_counts_as_the_cap_and_what_lies_below_zero_as_zero():
    assert likeness.value({"psnr": math.inf}, "likeness_psnr") == 60
    assert likeness.value({"ssim": -0.2}, "likeness_ssim") == 0
    assert likeness.value({"psnr": math.inf}, "likeness_psnr_at_60.0") == 1


# How they are decided ---------------------------------------------------------------------------------------------


def bounded(
    measure: str, minimum: float, size: int, pictured: int | None = None, floor=None, **given
) -> SequentialTest:
    score = likeness.score_of(measure, floor)
    constraint = Constraint(score, minimum, own_kind=likeness.kind_of(score))
    return SequentialTest((constraint,), size, pictured=size if pictured is None else pictured, **given)


def test_equal_pictures_pass_early_and_unlike_ones_fail_earlier():
    test = bounded("ssim", 0.95, 400)
    same = test.judge({"likeness_ssim": [1.0] * 400})
    assert same.passed
    assert same.images < 100
    assert same.findings[0].measured == 1
    other = test.judge({"likeness_ssim": [0.4] * 400})
    assert other.decided
    assert not other.passed
    assert other.images < 15


def test_the_pairs_without_a_picture_have_no_part_in_it():
    test = bounded("ssim", 0.9, 100, pictured=40)
    values = [0.95] * 40 + [0.0] * 60
    found = test.judge({"likeness_ssim": values})
    assert found.passed
    assert found.images <= 40
    broken = test.judge({"likeness_ssim": [0.85] * 40 + [1.0] * 60})
    assert broken.decided
    assert not broken.passed
    assert broken.findings[0].measured == pytest.approx(0.85)


@pytest.mark.parametrize("exact", [False, True])
def test_against_a_baseline_that_ended_early_all_of_its_pairs_are_looked_at(exact):
    test = bounded("ssim", 0.9, 100, pictured=40, fixed=False, exact=exact)
    assert test.judge({"likeness_ssim": [1.0] * 39}).decided is False
    found = test.judge({"likeness_ssim": [1.0] * 40 + [0.0] * 60})
    assert found.passed
    assert found.images == (100 if exact else 40)


def test_a_share_is_of_pairs_and_not_of_the_mean():
    values = [float(place % 10 != 0) for place in range(100)]
    mean = bounded("embedding", 0.85, 100).judge({"likeness_embedding": values})
    share = bounded("embedding", 0.95, 100, floor=0.5)
    name = likeness.score_of("embedding", 0.5)
    assert mean.passed
    assert not share.judge({name: [likeness.value({"embedding": each}, name) for each in values]}).passed


def test_with_a_family_the_certainty_is_shared_by_likeness_too():
    found = bounded("ssim", 0.95, 400, thresholds=20).judge({"likeness_ssim": [1.0] * 400})
    alone = bounded("ssim", 0.95, 400).judge({"likeness_ssim": [1.0] * 400})
    assert found.passed
    assert found.images >= alone.images
    assert found.findings[0].p is not None


def test_a_bound_without_pictures_is_refused():
    with pytest.raises(InvalidValueError, match="0 pictures"):
        bounded("ssim", 0.9, 100, pictured=0)


def orders(values: np.ndarray, minimum: float, number: int) -> tuple[float, float, list[int]]:
    """Over random orders: how often the early verdict is that of the whole design, and the images that it took."""
    rng = np.random.default_rng(5)
    test = bounded("ssim", minimum, values.size)
    whole = values.mean() >= minimum
    found = [test.judge({"likeness_ssim": rng.permutation(values)}) for _ in range(number)]
    return sum(each.passed == whole for each in found) / number, whole, [each.images for each in found]


def drawn(mean: float, concentration: float, size: int = 400) -> np.ndarray:
    """Values of SSIM as changes of an engine give them: a Beta distribution, most of them near the top."""
    rng = np.random.default_rng(1)
    return rng.beta(mean * concentration, (1 - mean) * concentration, size)


@pytest.mark.parametrize(("mean", "minimum"), [(0.98, 0.95), (0.93, 0.95)])
def test_early_verdicts_are_those_of_the_whole_design(mean, minimum):
    alike, _, images = orders(drawn(mean, 20), minimum, 20)
    assert alike == 1
    assert np.mean(images) < 400


@pytest.mark.nightly
@pytest.mark.parametrize("minimum", [0.9, 0.95])
@pytest.mark.parametrize("mean", [0.999, 0.98, 0.955, 0.945, 0.9, 0.7])
def test_early_verdicts_are_those_of_the_whole_design_in_all_but_one_of_a_hundred_orders(mean, minimum):
    alike, _, images = orders(drawn(mean, 20), minimum, 200)
    assert alike >= 0.99
    assert max(images) <= 400
