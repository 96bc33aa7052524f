"""What a crossed experiment says, prints and draws, of numbers that are made up."""

from __future__ import annotations

import dataclasses
import json
from itertools import product

import pytest
from markupsafe import escape

from helpers import planted
from helpers.studies import by_ddim, study, study_of
from pytest_seedshift.reporting import why, why_attribution
from pytest_seedshift.reporting.page import why as pages
from pytest_seedshift.studies.sampler_ablation import conditions, effects
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


def test_of_several_shifts_each_is_told_by_itself():
    crossed = conditions.cross(["toy-latent"], lambda name: "no" if "zsnr" in name else None)
    found = study_of(crossed, by_ddim, shifts=(("mean", -0.3), ("mean", 0.3), ("std", -0.3)))
    table = why.by_shift(found, "top1")
    assert table[0] == ("arm", "mean -0.30", "mean +0.30", "std -0.30")
    assert [[cell[:4] for cell in cells] for name, *cells in table[1:] if "ddim" in name] == [
        ["0.50", "1.00", "1.00"]
    ] * 2
    assert [[cell[:4] for cell in cells] for name, *cells in table[1:] if "ancestral" in name] == [["1.00"] * 3] * 2
    lines = list(why.table(found))
    place = lines.index("Retained top-1 under each shift by itself, 99 % intervals")
    assert "mean -0.30" in lines[place + 1]
    page = pages.make(found, "seedshift why")
    assert page.count("<td>0.50 (0.") == 2 * 2  # two arms by two scores, and nowhere else
    for arm in document(found, [])["arms"]:  # what is left under all is the mean over shifts
        of_each = [each["mean"] for each in arm["kept_by_shift"]["clip"]]
        assert arm["kept"]["clip"]["mean"] == pytest.approx(sum(of_each) / 3)


def test_one_shift_needs_no_table_of_shifts():
    assert why.by_shift(study(by_ddim), "top1") == []
    assert not any("by itself" in line for line in why.table(study(by_ddim)))


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


def confounded(asked: str, cause: str = "guidance"):
    """An experiment on two models that differ in much, of which only what is asked for is crossed."""
    crossed, traits = planted.design(cause, asked)
    return study_of(crossed, lambda arm: planted.CAUSES[cause][1](traits[arm.name]))


def test_an_effect_of_more_than_one_thing_has_no_star_and_says_what_else_differs():
    found = confounded("sampler")
    (model,) = [line for line in why.sentences(found) if line.startswith("With other in place of one")]
    assert "model, clipping, guidance and steps differ: this experiment cannot tell them apart" in model
    assert "significant" not in model
    remedy = (
        "cross what differs (--factors sampler,clipping,guidance,steps) or give the models the same in their names."
    )
    assert f"To tell clipping, guidance and steps apart, {remedy}" in why.sentences(found)
    rows = [line for line in why.table(found) if line.startswith("  model: one → other")]
    assert len(rows) == 2
    assert all("†" in row and "*" not in row for row in rows)
    assert any("† not attributed: the arms differ in more than one thing" in line for line in why.table(found))


def test_once_all_is_crossed_the_model_stands_for_what_is_built_into_it():
    found = confounded("", "model")
    lines = why.sentences(found)
    assert any(line.startswith("With other in place of one, a significant increase") for line in lines)
    assert any(line.endswith("takes apart: weights, space (latents, pixels).") for line in lines)
    assert not any("†" in line for line in why.table(found))


def test_a_setting_that_differs_is_told_apart_by_an_entry_or_an_option():
    lines = why.sentences(confounded("", "number type"))
    assert any("model and number type differ: this experiment cannot tell them apart" in line for line in lines)
    assert "To tell number type apart, give both models the same: --dtype float32." in lines


@pytest.mark.parametrize("asked", ["", "sampler"])
def test_differences_come_first_and_say_what_the_experiment_does_about_them(asked):
    found = confounded(asked)
    first, head, *rows = why.table(found)
    assert first == "What differs between the models"
    assert head.split() == ["one", "other", "here"]
    here = {row.split()[0]: row.split("  ")[-1].strip() for row in rows[: rows.index("")] if "This is what" not in row}
    assert here["weights"] == here["space"] == "part of the model"
    assert here["sampler"] == "crossed"
    assert here["guidance"] == ("not crossed" if asked else "crossed")


@pytest.mark.parametrize(
    ("asked", "summary"),
    [
        ("", "Between one and other: sampler, clipping, guidance and steps differ, crossed here; "),
        ("steps", "steps differs, crossed here; sampler, clipping and guidance differ, not crossed here; "),
    ],
)
def test_the_first_sentence_says_what_differs(asked, summary):
    first, *_ = why.sentences(confounded(asked))
    assert f"{summary}part of what each model is: weights and space." in first


def test_many_arms_are_named_by_what_they_and_no_others_have():
    crossed, traits = planted.design("sampler")
    found = study_of(
        crossed,
        lambda arm: planted.CAUSES["sampler"][1](traits[arm.name]),
        weights={"ddim": 1.0, "ancestral": 0.0},
    )
    lines = why.sentences(found)
    assert any(line.endswith("by the first guess alone: all 16 arms with sampler ancestral.") for line in lines)
    assert not any("one+ancestral" in line for line in lines)


def test_an_effect_that_depends_on_another_factor_says_so_with_both_values():
    found = confounded("", "sampler against guidance")
    lines = why.sentences(found)
    (line,) = [line for line in lines if line.startswith("The effect of sampler: DDIM → ancestral depends on guidance")]
    assert "With guidance 1 and 2 it is -0.50 and +0.50 of retained top-1, a significant change of +1.00 (" in line
    assert any("the sampler ancestral in place of DDIM, no significant effect on" in line for line in lines)
    assert document(found, lines)["interactions"] != []


def test_the_page_names_what_differs_before_its_effects_and_draws_each_level():
    found = confounded("sampler")
    page = pages.make(found, "why one other --factors sampler")
    assert page.index("What differs") < page.index('id="effects-title"') < page.index('id="arms-title"')
    assert page.count('class="open">not crossed') == 3
    assert page.count('<span class="open">not attributed: model, clipping, guidance and steps') == 2
    assert page.count("<figure") == 2  # a score, and the one factor beside the model
    assert page.count('<td class="significant">') == 0


def test_what_stands_in_the_picture_is_the_mean_over_all_other_factors():
    found = confounded("", "guidance")
    for each in found.marginals:
        arms = [
            part.by_pair[each.score].value
            for part in found.found
            if (part.arm.level("model"), part.arm.level(each.factor)) == (each.model, each.level)
        ]
        assert each.retained.value == pytest.approx(sum(arms) / len(arms))
    (low, high) = [
        each.retained.value
        for each in found.marginals
        if (each.model, each.factor, each.score) == ("one", "guidance", "top1")
    ]
    assert (low, high) == (0.5, 1.0)


def test_models_that_differ_in_one_setting_alone_have_the_effect_of_that_setting():
    models = {name: {"guidance": planted.Trait(value, planted.Kind.FACTOR)} for name, value in (("a", "1"), ("b", "2"))}
    crossed = conditions.cross(["a", "b"], lambda name: None, factors={"sampler": ("ddim", "ancestral")})
    arms = {arm.name: planted.of_arm(models, arm) for arm in crossed.arms}
    found = study_of(conditions.attribute(crossed, models, arms), lambda arm: arm.level("model") == "a")
    assert "b and a differ in nothing but guidance: the effect is that of guidance." in why.sentences(found)
    assert why_attribution.mark(found.effects[0]) == "*"
