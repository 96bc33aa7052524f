"""Thresholds from measurements: what is written, what is left as it was, and that it holds."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.records import records as made_records
from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest, estimate
from pytest_seedshift.results import calibration
from pytest_seedshift.results.calibration import CalibrationError


def record(case: Case, **scores: tuple[float, float, float]) -> dict:
    return {
        "id": case.id,
        "model": case.model,
        "shift": case.shift,
        "magnitude": case.magnitude,
        "scores": {name: {"mean": mean, "low": low, "high": high} for name, (mean, low, high) in scores.items()},
        "images": 74,
        "design": 400,
        "certainty": 0.99,
    }


CASE = Case("toy-latent", "mean", 0.3)
MEASURED = record(CASE, top1=(0.5, 0.39, 0.63))
ELSEWHERE = (
    "[default]\ntop1 = 0.6\n\n[model.toy-latent]\nclip = 1.0\n\n[shift.std]\nclip = 2.0\n\n[model.other]\nclip = 3.0\n"
)


def asked(text: str, case: Case = CASE) -> dict[str, Constraint]:
    return {each.score: each for each in thresholds_parser.parse(text, "t", str).constraints(case)}


def written(text: str, *records: dict, margin: float = 0.02) -> str:
    return calibration.propose(text, "thresholds.toml", made_records(records), margin).text


@pytest.mark.parametrize(
    ("score", "low", "margin", "bound"),
    [
        ("top1", 0.39, 0.0, 0.39),
        ("top1", 0.3909, 0.0, 0.39),
        ("top1", 0.39, 0.02, 0.37),
        ("top1", 0.01, 0.02, 0.0),
        ("clip", 27.19, 0.02, 26.1),
    ],
)
def test_a_bound_is_the_lower_end_less_the_margin_of_the_range_rounded_down(score, low, margin, bound):
    assert calibration.bound(BUILT_IN[score], low, margin) == bound


def test_a_null_control_is_no_measurement_of_the_model():
    null = record(Case("toy-latent", "arrangement:permute", 1.0), top1=(0.9, 0.8, 1.0)) | {"null": True}
    assert "permute" not in written("[default]\ntop1 = 0.6\n", MEASURED, null)
    with pytest.raises(CalibrationError, match="no case was measured"):
        written("[default]\ntop1 = 0.6\n", null)


def test_each_value_stands_in_the_narrowest_table_with_its_measurement():
    text = written("[default]\ntop1 = 0.6\n", MEASURED, record(Case("toy-latent"), top1=(1.0, 0.9, 1.0)))
    lines = text.splitlines()
    place = lines.index('[model.toy-latent.shift.mean."0.3"]')
    measured = "# measured 0.50, 99 % interval 0.39 to 0.63, 74 of 400 images: weak, by an early verdict"
    assert lines[place + 1] == f"top1 = 0.37  {measured}"
    assert asked(text)["top1"].minimum == 0.37
    assert asked(text, Case("toy-latent"))["top1"].minimum == 0.88
    assert asked(text, Case("toy-latent", "mean", 0.2))["top1"].minimum == 0.6


def test_comments_order_and_what_was_set_by_hand_stay():
    text = '# mine\n[default]\ntop1 = 0.6  # why\n\n[model.toy-latent.shift.mean."0.30"]\nclip = 3.0  # by hand\n'
    made = written(text, record(CASE, top1=(0.5, 0.39, 0.63), clip=(28.0, 27.0, 29.0)))
    assert [line for line in made.splitlines() if line in text.splitlines()] == text.splitlines()
    assert (asked(made)["clip"].minimum, asked(made)["top1"].minimum) == (3.0, 0.37)


@pytest.mark.parametrize(
    "table", ["[shift.mean]", '[shift.mean."0.3"]', "[model.toy-latent]", "[model.toy-latent.shift.mean]"]
)
def test_a_bound_by_hand_outside_of_default_keeps_its_say(table):
    proposal = calibration.propose(
        f"[default]\ntop1 = 0.6\n{table}\ntop1 = 0.45\n",
        "t",
        made_records([record(CASE, top1=(0.5, 0.39, 0.63), clip=(28.0, 27.0, 29.0))]),
        0.02,
    )
    assert asked(proposal.text)["top1"].minimum == 0.45
    assert asked(proposal.text)["clip"].minimum == 26.0
    assert proposal.kept == ("top1 of toy-latent mean +0.30",)


def test_what_default_asks_besides_the_minimum_is_not_lost():
    made = written("[default]\ntop1 = { min = 0.6, max_drop = 0.1 }\n", MEASURED)
    assert asked(made)["top1"] == Constraint("top1", 0.37, 0.1)


def test_a_measured_value_is_measured_anew_and_becomes_the_users_without_its_comment():
    first = written("[default]\ntop1 = 0.6\n", MEASURED)
    later = record(CASE, top1=(0.9, 0.8, 0.95))
    assert asked(written(first, later))["top1"].minimum == 0.78
    by_hand = first.replace("# measured", "# was")
    assert written(by_hand, later) == by_hand


def test_writing_twice_changes_nothing():
    records = [MEASURED, record(Case("./a b/c", "mean:channel=2", -0.125), top1=(0.5, 0.3, 0.6), clip=(3, 2, 4))]
    for text in ("[default]\ntop1 = 0.6\n", ELSEWHERE, thresholds_parser.default_text()):
        first = written(text, *records)
        assert written(first, *records) == first
        assert first.count("Below: bounds by measurement") == 1


def test_tables_of_a_model_that_are_apart_from_each_other_are_found():
    text = f'{ELSEWHERE}\n[model.toy-latent.shift.mean."0.3"]\ntop5 = 0.1\n'
    made = written(text, MEASURED)
    assert (asked(made)["top1"].minimum, asked(made)["top5"].minimum, asked(made)["clip"].minimum) == (0.37, 0.1, 1.0)


def test_of_two_tests_of_one_case_the_lower_measurement_counts():
    text = written("[default]\ntop1 = 0.6\n", record(CASE, top1=(0.5, 0.3, 0.6)), MEASURED)
    assert asked(text)["top1"].minimum == 0.28


def test_windows_line_ends_do_not_matter_to_what_is_read():
    made = written("[default]\r\ntop1 = 0.6\r\n", MEASURED)
    assert "\r" not in made
    assert tomllib.loads(made)["default"] == {"top1": 0.6}


@pytest.mark.parametrize(
    ("text", "records", "says"),
    [
        ("[default\n", [MEASURED], "not valid TOML.*Put that right first"),
        ("[default]\ntop9 = 1\n", [MEASURED], "Did you mean 'top5'"),
        ("", [], "no case was measured"),
        ("", [record(CASE)], "no case was measured"),
        ('[model.toy-latent.shift.mean]\n"0.3" = { top5 = 0.1 }\n', [MEASURED], "a table of their own: .model.toy-lat"),
        ("[model]\ntoy-latent = { shift = { mean = { top5 = 0.1 } } }\n", [MEASURED], "not as { … }"),
    ],
)
def test_what_cannot_be_written_is_an_error_that_says_why(text, records, says):
    with pytest.raises(CalibrationError, match=says):
        calibration.propose(text, "thresholds.toml", made_records(records))


def test_bounds_by_early_verdicts_are_called_weak_and_exact_calibration_is_offered():
    whole = record(Case("toy-latent"), top1=(0.99, 0.96, 1.0)) | {"images": 400}
    proposal = calibration.propose("[default]\ntop1 = 0.6\n", "t", made_records([MEASURED, whole]))
    said = "\n".join(proposal.summary)
    bound = asked(proposal.text)["top1"].minimum
    assert bound is not None
    assert bound < 0.39
    assert "meets all of them in at least 0.99 of runs" in said
    assert (
        f"weak: 1 of them are by early verdicts, after 74 of 400 images; the weakest lets top-1 of {CASE.model}" in said
    )
    assert f"fall from 0.50 to {bound:.2f}" in said
    assert "run this again with --seedshift-exact: 326 more images" in said
    assert proposal.text.count("weak, by an early verdict") == 1
    exact = calibration.propose("[default]\ntop1 = 0.6\n", "t", made_records([whole]))
    assert "weak" not in "\n".join([*exact.summary, exact.text])
    by_margin = calibration.propose("[default]\ntop1 = 0.6\n", "t", made_records([whole]), 0.02)
    assert "another draw" not in "\n".join(by_margin.summary)


@given(
    draw=st.randoms(use_true_random=False),
    rate=st.floats(0, 1),
    images=st.integers(1, 120),
    bounds=st.integers(1, 10_000),
)
def test_by_default_the_same_samples_pass_too_and_more_bounds_lie_lower(draw, rate, images, bounds):
    drawn = [float(draw.random() < rate) for _ in range(images)]
    for score, values in (("top1", drawn), ("clip", [40 * each + 5 for each in drawn])):
        for size in (images, 400):
            found = estimate(BUILT_IN[score], values, stopped=images < size)
            said = {"mean": found.mean, "low": found.low, "images": images, "design": size, "certainty": 0.99}
            bound = calibration.passing(BUILT_IN[score], said, bounds)
            assert 0 <= bound <= found.mean
            assert calibration.passing(BUILT_IN[score], said, bounds + 1) <= bound
            test = SequentialTest((Constraint(score, bound),), images, exact=True)
            assert test.judge({score: values}).passed
            if images < size and bound:
                assert SequentialTest((Constraint(score, bound),), size).judge({score: values}).decided


@given(
    draw=st.randoms(use_true_random=False),
    rate=st.floats(0, 1),
    images=st.integers(1, 120),
    margin=st.sampled_from([0.0, 0.02, 0.1]),
)
def test_the_same_samples_pass_what_was_written_of_them(draw, rate, images, margin):
    """Whether the whole design was looked at, or the run stopped early: the written bound is decided by then."""
    drawn = [float(draw.random() < rate) for _ in range(images)]
    for stopped in (True, False):
        low = estimate(BUILT_IN["top1"], drawn, stopped=stopped).low
        bound = calibration.bound(BUILT_IN["top1"], low, margin)
        test = SequentialTest((Constraint("top1", bound),), images, exact=not stopped)
        assert test.judge({"top1": drawn}).passed
        early = SequentialTest((Constraint("top1", calibration.bound(BUILT_IN["top1"], low, 0.0)),), 400)
        if stopped and images < 400:
            assert early.judge({"top1": drawn}).decided or low < 1e-3


LOOSER = """\
[default]
top1 = 0.7
clip = { min = 20.0, max_drop = 3.0 }

[shift.mean]
top5 = 0.9

[model.other]
clip = 50.0

[model.toy-latent.shift.mean."+0.30"]
clip = { min = 35.0, max_drop = 3.0 }  # measured 40
"""


def test_every_bound_that_is_looser_than_the_one_in_force_is_named():
    measured = record(CASE, top1=(0.5, 0.3, 0.7), top5=(0.5, 0.3, 0.7), clip=(40, 30, 50))
    found = calibration.propose(LOOSER, "t", made_records([measured]), 0.0)
    assert found.looser == (
        "toy-latent mean +0.30: top1 = 0.3 is looser than your 0.7 of [default]",
        'toy-latent mean +0.30: clip = 30 is looser than the measured 35 of [model.toy-latent.shift.mean."+0.30"]',
    )
    assert set(found.looser) < set(found.summary)
    assert found.kept == ("top5 of toy-latent mean +0.30",)  # [shift.mean] is a person's: it stays
    shipped = calibration.propose(thresholds_parser.default_text(), "t", made_records([measured]), 0.0)
    assert any("is looser than the shipped 0.6 of [default]" in each for each in shipped.looser)
    tighter = calibration.propose("[default]\ntop1 = 0.2\n", "t", made_records([measured]), 0.0)
    assert tighter.looser == ()


def test_few_images_are_said_with_the_limit():
    few, enough = ({**MEASURED, "images": each, "design": each} for each in (99, 100))
    said, not_said = (calibration.propose("", "t", made_records([each])) for each in (few, enough))
    assert "few images: 99 a case, fewer than 100. The 99 % interval of an accuracy is then wider than ±0.13" in str(
        said.summary
    )
    assert "few images" not in str(not_said.summary)


def test_of_many_looser_bounds_the_first_are_shown_and_the_rest_counted():
    cases = [record(Case("toy-latent", "mean", number / 100), top1=(0.5, 0.3, 0.7)) for number in range(1, 31)]
    found = calibration.propose("[default]\ntop1 = 0.7\n", "t", made_records(cases))
    assert len(found.looser) == 30
    assert "and 10 more that are looser than what was in force" in found.summary
