"""What a crossed experiment says, prints and draws, of numbers that are made up."""

from __future__ import annotations

import dataclasses
import json
from itertools import product

import pytest
from markupsafe import escape

from helpers.studies import by_ddim, study
from pytest_seedshift.reporting import why
from pytest_seedshift.reporting.page import why as pages
from pytest_seedshift.studies.sampler_ablation import effects
from pytest_seedshift.studies.sampler_ablation.document import document

LITTLE_USE = "with little use of the seed vector, which is no sign that a shift of it is withstood."


def test_a_change_that_matters_is_reported_with_its_direction_and_one_that_does_not_as_no_effect():
    sampler, clipping, schedule = why.sentences(study(by_ddim))
    assert sampler.startswith(
        "With the sampler ancestral in place of DDIM, a significant increase in retained top-1 (0.50 → 1.00, +0.50 ("
    )
    assert " and CLIP (0.50 → 1.00, +0.50 (" in sampler
    assert clipping.startswith("With clipping on in place of off, no significant effect on retained top-1 (0.75 →")
    assert schedule == "The schedule is left out: it predicts the noise."


def test_a_change_for_the_worse_is_a_decrease():
    sampler, *_ = why.sentences(study(lambda arm: arm.level("sampler") == "ancestral"))
    assert "a significant decrease in retained top-1 (1.00 → 0.50, -0.50 (" in sampler


def test_arms_that_do_not_use_their_seed_vector_are_named_by_the_schedule_and_as_measured():
    blind = study(by_ddim, weights={"ddim": 1.0, "ancestral": 0.004}, share=lambda arm: 0.9 if by_ddim(arm) else 0.02)
    lines = why.sentences(blind)
    names = "toy-latent+ancestral+noclip, toy-latent+ancestral+clip"
    assert (
        f"By the schedule the first step discards the seed vector (weight at most 0.004 after it), so that it "
        f"reaches the picture by the first guess alone: {names}." in lines
    )
    assert (
        f"As measured, another seed vector changes images by at most 0.02 of what another label does: {names}." in lines
    )
    assert f"All of these hold: {LITTLE_USE}" in lines


def test_arms_that_look_and_hold_are_not_called_blind():
    lines = why.sentences(study(lambda arm: False, weights={"ddim": 1.0, "ancestral": 0.6}))
    assert not any("look" in line or "discards" in line for line in lines)
    assert [why.holds(each) for each in study(lambda arm: False).found] == ["yes"] * 4


def test_arms_that_are_blind_and_break_all_the_same_are_not_called_robust():
    lines = why.sentences(study(lambda arm: True, weights={"ddim": 0.0, "ancestral": 0.0}))
    assert "None of these is known to hold." in lines
    assert not any("little use" in line for line in lines)


def test_of_blind_arms_only_those_that_hold_are_called_robust():
    lines = why.sentences(study(lambda arm: arm.level("clipping") == "clip", weights={"ddim": 1.0, "ancestral": 0.0}))
    assert f"Of these hold toy-latent+ancestral+noclip: {LITTLE_USE}" in lines
    assert "Neither is so of these, which hold too: toy-latent+ddim+noclip." in lines


def test_arms_that_a_change_breaks_without_any_shift_are_named():
    weak = study(lambda arm: False, control=lambda arm: 0.5 if arm.level("clipping") == "clip" else 1.0)
    (line,) = [line for line in why.sentences(weak) if line.startswith("Weak")]
    assert "the best arm 1.00): toy-latent+ddim+clip 0.50, toy-latent+ancestral+clip 0.50." in line


def test_arms_that_score_nothing_without_a_shift_have_no_effects_and_that_is_reported():
    nothing = study(lambda arm: False, control=lambda arm: 0.0 if by_ddim(arm) else 1.0)
    assert nothing.effects == ()
    lines = why.sentences(nothing)
    assert any(
        line.startswith("The effect on retained top-1 is undefined: without a shift the score is 0 for toy-latent+")
        for line in lines
    )
    assert list(why.table(nothing))[2].split()[1:5] == ["0.00", "–", "0.0", "–"]
    page = pages.make(nothing, "why")
    assert "its retained score is undefined" in page


def test_columns_are_aligned_whatever_is_in_them():
    lines = list(why.table(study(by_ddim, weights={"ddim": 1.0, "ancestral": 0.004})))
    head, *rows = lines[1:6]
    assert {row.index("0.9 (") if "0.9 (" in row else row.index("0.90") for row in rows} == {head.index("seed vector")}
    assert [row.rstrip().endswith("0.004, discarded") for row in rows] == [False, False, True, True]
    assert not any(line != line.rstrip() for line in lines)


def test_many_shifts_are_named_once():
    few = study(by_ddim)
    assert why.under(few) == "mean +0.30"
    many = dataclasses.replace(few, shifts=tuple(product(("random", "mean", "std"), (-0.3, 0.3))))
    assert why.under(many) == "random, mean, std at -0.30, +0.30"


def test_the_document_is_plain_and_says_what_was_found():
    made = study(by_ddim, weights={"ddim": 1.0, "ancestral": 0.0})
    found = json.loads(json.dumps(document(made, why.sentences(made))))
    assert [each["holds"] for each in found["arms"]] == [False, False, True, True]
    assert [each["breaks"] for each in found["arms"]] == [True, True, False, False]
    assert found["effects"][0]["change"]["mean"] == pytest.approx(0.5)
    assert found["left_out"] == {"schedule": "it predicts the noise"}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a\"b'c", "שלום 🐌"])
def test_names_of_models_are_text_on_the_page(name):
    page = pages.make(study(by_ddim, models=(name, "other")), f"seedshift why {name}")
    assert "<script" not in page
    assert page.count(f"<bdi>{escape(name)}") >= 4  # each arm's name


def test_bars_lie_where_the_numbers_are():
    bar = pages.Bar.of(effects.Mean(0.5, 0.25, 1.0), (0.0, 2.0), 1.0)
    assert (bar.low, bar.value, bar.high, bar.mark) == (12.5, 25.0, 50.0, 50.0)
