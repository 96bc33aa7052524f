"""Early verdicts: the bound that made one stands beside it, and its means are marked wherever they stand."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from huggingface_hub import ModelCard
from scipy.stats import binom

from helpers import simulations, synthetic
from helpers.records import record as made_record
from pytest_seedshift.core import messages
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint, Estimate
from pytest_seedshift.core.stats import robustness
from pytest_seedshift.core.stats.paired import changes
from pytest_seedshift.core.stats.sequential import SequentialTest, estimate, estimate_drop
from pytest_seedshift.reporting import card, gaps, page, plots, summary, table
from pytest_seedshift.reporting.anchors import anchor
from pytest_seedshift.results import run
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.schema import Score
from pytest_seedshift.runner import failures, records, verdict_messages
from pytest_seedshift.runner.case_result import CaseResult
from pytest_seedshift.runner.samples import Sample

SIZE = 400
CASE = Case("toy-latent", "mean", 0.3)


def judged(
    right: float, *asked: Constraint, exact: bool = False, baseline: float | None = None, seed: int = 0
) -> CaseResult:
    """What comes of a case that is right of a share of pairs, and of a control that is right of nearly all."""
    rng = np.random.default_rng(seed)
    values, control = ((rng.random(SIZE) < share).astype(float) for share in (right, 0.97))
    before = {} if baseline is None else {"top1": (rng.random(SIZE) < baseline).astype(float)}
    test = SequentialTest(asked, SIZE, exact=exact, baseline=before)
    judgement = test.judge({"top1": values}, {"top1": control})
    assert judgement.decided
    rows = [
        [
            Sample(case, Pair(Label(f"label {k % 16}", k % 16), k // 16), {"top1": value})
            for k, value in enumerate(column[: judgement.images])
        ]
        for case, column in ((CASE, values), (CASE.control, control))
    ]
    scores = {"top1": estimate(BUILT_IN["top1"], values[: judgement.images], stopped=not exact)}
    samples, controls = map(tuple, rows)
    return CaseResult(CASE, samples, controls, scores, judgement.findings, SIZE, 0.99, SIZE, 1.0, "cpu", "float32")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> run.Run:
    return run.load(synthetic.write(tmp_path_factory.mktemp("run"), synthetic.Plan(pictures=0)).path)


@pytest.fixture(scope="module")
def early(whole) -> run.Run:
    """The same, of which each case was decided before its end."""
    return dataclasses.replace(whole, cases=tuple(dataclasses.replace(case, design=400) for case in whole.cases))


# Beside a verdict --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "beside", "elsewhere"),
    [
        (judged(0.5, Constraint("top1", 0.6)), r"below 0\.60 at 99 %, after \d+ of 400 images", "the model's own mean"),
        (
            judged(0.5, Constraint("top1", max_drop=0.1)),
            r"above 0\.10 at 99 %, after \d+ of 400 images",
            "the model's own drop",
        ),
        (judged(0.5, Constraint("top1", 0.6), exact=True), r"\(400 images", "the model's own mean"),
        (judged(0.5, Constraint("top1", max_drop=0.1), exact=True), r"\(400 images", "the model's own drop"),
        (
            judged(0.5, Constraint("top1", max_regression=0.02), exact=True, baseline=0.97),
            "400 images",
            "the model's own drop",
        ),
    ],
    ids=["min", "drop", "min, whole", "drop, whole", "regression"],
)
def test_a_failure_names_the_bound_that_made_it_and_of_what_its_interval_is(result, beside, elsewhere):
    first, second, *_ = failures.failure(failures.judged(result)).text().splitlines()
    assert re.search(beside, first)
    assert "interval" not in first  # two-sided and of the model, it may hold the bound and contradict the verdict
    assert f"99 % interval of {elsewhere} 0." in second


@pytest.mark.parametrize("exact", [False, True])
def test_the_interval_of_a_failed_drop_is_the_drop_s_own(exact):
    result = judged(0.5, Constraint("top1", max_drop=0.1), exact=exact)
    (finding,) = result.findings
    own = estimate_drop(
        BUILT_IN["top1"], *([sample.scores["top1"] for sample in each] for each in (result.samples, result.control))
    )
    assert (finding.measured, finding.low, finding.high) == pytest.approx((own.mean, own.low, own.high))
    assert finding.low <= finding.measured <= finding.high
    assert f"{own.low:.2f}–{own.high:.2f}" in failures.failure(failures.judged(result)).text()


def test_that_of_a_failed_regression_too_and_both_are_in_the_record_and_read_back(tmp_path):
    result = judged(0.5, Constraint("top1", max_regression=0.02), exact=True, baseline=0.97)
    (finding,) = result.findings
    rng = np.random.default_rng(0)
    after, _, before = ((rng.random(SIZE) < share).astype(float) for share in (0.5, 0.97, 0.97))
    assert finding.measured == pytest.approx(changes(BUILT_IN["top1"], before, after).mean())
    assert finding.low < finding.measured < finding.high
    record = records.of_result(result, RunFolder(tmp_path), "t")
    (entry,) = record.constraints
    assert (entry.low, entry.high) == (finding.low, finding.high)


def test_a_mean_s_interval_stands_with_its_score_alone():
    (finding,) = judged(0.5, Constraint("top1", 0.6)).findings
    assert finding.low is finding.high is None


# Wherever an early mean stands -------------------------------------------------------------------------------------


def test_the_page_marks_early_means_in_maps_curves_cards_and_cases(early, whole):
    made, of_whole = page.make(early), page.make(whole)
    cells = re.findall(r'<td class="cell[^"]*\bearly\b.*?</td>', made, re.DOTALL)
    assert len(cells) >= 3 * len(early.cases)  # the control's stand in each row
    assert all("≈" in cell and re.search(r"early, of \d+ of 400 images", cell) for cell in cells)
    assert "A hollow mark is an early mean" in made
    assert re.search(r"top-1 ≈0\.\d\d</span>", made)
    assert "decided early: the verdict is about the design" in made
    assert "≈" not in of_whole
    assert "hollow" not in of_whole
    assert not re.search(r'class="cell[^"]*\bearly\b', of_whole)


def test_curves_draw_early_means_hollow(early, whole):
    mark = r'<use [^>]*style="fill: var\(--paper\); stroke: var\(--series'
    assert [bool(re.search(mark, page.make(each))) for each in (whole, early)] == [False, True]


def test_so_does_the_figure_of_pytest_html_s_page(tmp_path):
    results = [judged(0.5, Constraint("top1", 0.6), exact=exact) for exact in (True, False)]
    drawn = [plots.scores_by_magnitude([records.of_result(each, RunFolder(tmp_path), "t")]) for each in results]
    assert ["fill-opacity: 0;" in each for each in drawn] == [False, True]


def test_summary_and_card_mark_them_and_say_what_it_means(early, whole):
    for made in (summary.make(early, 10**6), card.make(early, "toy-latent")):
        assert re.search(r"\| (❌ \*\*)?≈0\.\d\d", made)
        images = {case.images for case in early.cases if case.scores}
        assert f"≈: an early mean, as the verdict needed only {messages.span(sorted(images))} of 400 images." in made
        assert "of the score's range" not in made  # how far a mean leans goes by how few images it has
    for made in (summary.make(whole, 10**6), card.make(whole, "toy-latent")):
        assert "≈" not in made


@pytest.mark.parametrize("which", ["early", "whole"])
def test_a_card_publishes_intervals_and_says_so_and_which_means_are_early(which, request):
    made = card.make(request.getfixturevalue(which), "toy-latent")
    assert "the 99 % interval of the model's own mean (`low`, `high`), and whether it is early" in made
    ours = [each for each in ModelCard(made).data.eval_results if each.dataset_type == card.DATASET]
    assert ours
    for each in ours:
        assert each.metric_args["low"] <= each.metric_value <= each.metric_args["high"]
        assert each.metric_args.get("early", False) is (which == "early")


@pytest.mark.parametrize("exact", [False, True])
def test_a_record_says_early_and_the_terminal_s_table_does(exact, tmp_path):
    result = judged(0.5, Constraint("top1", 0.6), exact=exact)
    record = records.of_result(result, RunFolder(tmp_path), "t")
    assert record.built_in().get("early") is (None if exact else True)
    heading, *rows, legend = [*table.table([record]), ""][: None if exact else -1]
    assert heading == record.model
    seen = f"≈ early mean of {len(result.samples)} images, which leans towards its verdict"
    assert (seen in legend) is not exact
    assert any("≈0." in row for row in rows) is not exact


def test_a_robustness_of_early_means_is_what_the_table_beside_it_says(early):
    (score,) = (each for each in gaps.of_run(early).tables if each.score == "top1")
    for row in score.rows:
        for model, cell in zip(early.models, row.shares, strict=True):
            before = early.control(model).scores["top1"].mean
            after = [case.scores["top1"].mean for case in early.of(model) if case.case.shift == row.shift]
            assert cell.rough
            assert cell.share.value == pytest.approx(sum(after) / len(after) / before)
        for (one, other), cell in zip(gaps.of_run(early).couples, row.gaps, strict=True):
            values = dict(zip(early.models, (each.share.value for each in row.shares), strict=True))
            assert cell.share.value == pytest.approx(values[one] - values[other])


@pytest.mark.parametrize(("seen", "told"), [(1, False), (robustness.LEAST - 1, False), (robustness.LEAST, True)])
def test_early_means_of_a_handful_of_images_give_no_robustness(early, seen, told):
    few = dataclasses.replace(
        early,
        cases=tuple(
            dataclasses.replace(case, samples=case.samples[:seen], images=seen) if case.case.is_control else case
            for case in early.cases
        ),
    )
    lines = gaps.lines(few)
    rows = [line for line in lines if line.startswith(("  mean", "  std"))]
    assert bool(rows) is told
    assert all(re.search(r"\d\.\d\d", line) for line in rows)
    assert any("no figure" in line for line in lines) is not told
    assert told or len(lines) == 1


def test_a_mean_reads_the_same_wherever_it_stands(early):
    """Page, summary, card, terminal and JSON have one figure for one mean."""
    made, told = page.make(early), summary.make(early, 10**6)
    index = {
        (each.dataset_config, each.metric_name.partition(" at ")[2], each.metric_type): each.metric_value
        for each in ModelCard(card.make(early, "toy-latent")).data.eval_results
    }
    for case in early.of("toy-latent"):
        for score, metric in (("top1", "accuracy"), ("clip", "clip_score")):
            shown = verdict_messages.mean(case.scores[score], BUILT_IN[score], early=True)
            (part,) = re.findall(rf'<details [^>]*id="{re.escape(anchor(case.id))}".*?</details>', made, re.DOTALL)
            assert part.count(shown) >= 2  # in its heading and in its table
            assert re.search(rf"\| (❌ \*\*)?{shown}\b", told)
            at = "" if case.case.is_control else f"{case.case.magnitude:+.2f}"
            assert (
                verdict_messages.mean(Estimate(index[case.case.shift, at, metric], 0, 1), BUILT_IN[score], early=True)
                == shown
            )
            as_record = {"verdict": case.verdict, "scores": {score: Score.of(case.scores[score])}, "early": True}
            row = {**dataclasses.asdict(case.case), "images": case.images, "constraints": [], **as_record}
            assert any(shown in line for line in table.table([made_record(row)]))


def test_values_outside_the_range_count_as_its_end_in_every_mean(whole):
    """One figure for one thing: what the case's mean leaves out, the control's and the robustness leave out too."""
    case = next(case for case in whole.cases if case.case.shift == "mean" and case.complete)
    wild = {
        pair: dataclasses.replace(sample, scores={**sample.scores, "clip": 80.0})
        for pair, sample in case.control.items()
    }
    of_wild = dataclasses.replace(case, control=wild)
    assert of_wild.control_means["clip"] == 50.0
    curve = gaps.curve(dataclasses.replace(whole, cases=(of_wild,)), case.case.model, case.case.shift, "clip")
    assert {before for pairs in curve.values() for _, before in pairs.values()} == {50.0}


# What they are worth -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "bound"), [(0.5, 0.6), (0.7, 0.6)])
def test_an_early_verdict_is_true_of_the_design_where_the_interval_beside_it_held_the_bound(mean, bound):
    found = simulations.early(mean, bound, 300)
    assert found.around > 0.9  # why it does not stand there
    assert found.false * found.designs <= binom.ppf(0.999, found.designs, 0.01)
    assert 0.005 < abs(found.lean) < 0.05
    assert (found.lean > 0) == (mean > bound)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("mean", "bound"), [(0.4, 0.6), (0.5, 0.6), (0.55, 0.6), (0.7, 0.6), (0.7, 0.8), (0.9, 0.8), (0.95, 0.8)]
)
def test_early_verdicts_at_length(mean, bound):
    found = simulations.early(mean, bound, 3000, seed=1)
    assert found.false * found.designs <= binom.ppf(0.999, found.designs, 0.01)
    assert abs(found.lean) < 0.06


@pytest.mark.parametrize("useless", [1, 2])
def test_a_bound_that_nothing_can_break_takes_no_part_of_the_error(useless):
    alone, beside = (simulations.early(0.5, 0.6, 60, useless=number) for number in (0, useless))
    assert beside == alone


def test_nor_does_a_drop_as_large_as_the_range():
    values = (np.random.default_rng(0).random(SIZE) < 0.5).astype(float)
    alone = SequentialTest((Constraint("top1", 0.6),), SIZE)
    beside = SequentialTest((Constraint("top1", 0.6), Constraint("top5", max_drop=1.0)), SIZE)
    ones = {"top1": values, "top5": values}
    assert beside.judge(ones, ones).images == alone.judge(ones).images
