"""What a null control and a seed sensitivity could have seen is said, and true."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from helpers import simulations, synthetic
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.stats import power, seed_shares, unseen_changes
from pytest_seedshift.core.stats.null_control import NullTest
from pytest_seedshift.reporting import page, seedlines
from pytest_seedshift.results import run as runs
from pytest_seedshift.results import schema
from pytest_seedshift.runner import failures
from pytest_seedshift.runner.case_result import CaseResult
from pytest_seedshift.studies import sensitivity

ALPHA = 0.01 / 3


def about(found: float, share: float, designs: int) -> bool:
    """Whether a share of designs is the one that was said, to two points and the chance of the simulation."""
    low, high = (binom.ppf(p, designs, share) / designs for p in (0.001, 0.999))
    return low - 0.02 <= found <= high + 0.02


# The null control --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", power.SHARES)
@pytest.mark.parametrize(("pairs", "turned"), [(64, 0.0), (64, 0.2), (400, 0.06)])
def test_a_change_of_an_accuracy_that_is_said_to_be_seen_is_seen_as_often(pairs, turned, share):
    found = simulations.null_control("top1", pairs, share, 3000, turned=turned)
    assert about(found, share, 3000)
    assert not about(found, 1.4 - share, 3000)  # that of the other share is not


@pytest.mark.parametrize("share", power.SHARES)
def test_so_is_one_of_another_score(share):
    assert about(simulations.null_control("clip", 64, share, 150), share, 150)


@pytest.mark.nightly
@pytest.mark.parametrize("share", power.SHARES)
@pytest.mark.parametrize("pairs", [32, 64, 400])
@pytest.mark.parametrize("score", ["top1", "clip"])
def test_power_at_length(score, pairs, share):
    found = simulations.null_control(score, pairs, share, 3000, seed=1)
    if score == "clip":  # by a normal distribution, which random signs of few pairs reach a little beyond
        assert share - 0.03 <= found <= share + 0.12
    else:
        assert about(found, share, 3000)


@given(st.integers(20, 400), st.integers(0, 40))
def test_nine_of_ten_takes_more_than_half_and_more_pairs_show_less(pairs, turned):
    drops, more = np.zeros(pairs), np.zeros(4 * pairs)
    drops[: min(turned, pairs)] = more[: 4 * min(turned, pairs)] = 1.0
    half, most = (power.detectable(BUILT_IN["top1"], drops, ALPHA, share) for share in power.SHARES)
    if half is not None and most is not None:
        assert half < most <= 1
        assert power.detectable(BUILT_IN["top1"], more, ALPHA, 0.9) < most


@pytest.mark.parametrize("score", ["top1", "clip"])
def test_of_too_few_pairs_no_change_can_be_seen(score):
    assert power.detectable(BUILT_IN[score], np.array([1.0, -1.0, 0.5, 0.0]).round(), ALPHA, 0.5) is None


def null(pairs: int) -> CaseResult:
    draw = np.random.default_rng(0)
    before, after = (
        {name: (draw.random(pairs) < 0.9) * (46.0 if name == "clip" else 1.0) for name in BUILT_IN} for _ in range(2)
    )
    judgement = NullTest(pairs).judge(after, before)
    case = Case("toy-latent", "arrangement:permute", 1.0)
    return CaseResult(case, (), (), {}, judgement.findings, pairs, 0.99, 0, 0.0, "cpu", "float32")


def test_a_null_control_says_what_it_would_have_seen():
    said = failures.success(null(400), null=True)
    found = re.search(r"minimum detectable change at 90 % power \(at 50 %\): top-1 (\S+) \((\S+)\)", said)
    assert 0 < float(found[2]) < float(found[1]) < 0.2
    assert "top-1 none (too few pairs)" in failures.success(null(4), null=True)


def test_what_a_null_control_would_have_seen_is_read_back_and_on_the_page(tmp_path):
    folder = synthetic.write(tmp_path, synthetic.Plan(pictures=0))
    synthetic.add_seed_use(folder, "toy-latent", "toy-glide")
    run = runs.load(folder.path)
    (control,) = run.nulls
    assert "at 50 % power" not in page.make(run)  # of a document that an earlier version has written
    findings = tuple(dataclasses.replace(each, least=0.031, least_90=0.052) for each in control.findings)
    told = page.make(dataclasses.replace(run, nulls=(dataclasses.replace(control, findings=findings),)))
    assert "detectable at 50 % power" in told
    assert "<td>0.031</td><td>0.052</td>" in told
    entry = {"score": "top1", "kind": "null", "bound": 0.1, "measured": 0.0, "holds": True, "least": 0.1}
    assert schema.read(schema.Constraint, {**entry, "least_90": None}).least == 0.1


# Seed sensitivity --------------------------------------------------------------------------------------------------


def test_a_model_that_looks_in_one_block_of_ten_is_not_said_to_ignore_its_seed_vector():
    assert simulations.said_to_ignore(sensitivity.BLOCKS, 0.1, 300) > 0.3  # which is why these are the first alone
    assert simulations.said_to_ignore(sensitivity.MORE, 0.1, 300) <= binom.ppf(0.999, 300, 0.01) / 300
    assert simulations.said_to_ignore(sensitivity.MORE, 0.0, 50) == 1


@pytest.mark.nightly
@pytest.mark.parametrize("looking", [0.1, 0.2])
def test_seed_sensitivity_at_length(looking):
    assert simulations.said_to_ignore(sensitivity.MORE, looking, 3000, seed=1) <= binom.ppf(0.999, 3000, 0.01) / 3000


def test_the_warning_says_what_so_many_blocks_cannot_see():
    for blocks in (sensitivity.BLOCKS, sensitivity.MORE):
        each = seed_shares.Distances((0.001,) * blocks, (0.1,) * blocks, (1.0,) * blocks)
        found = seed_shares.Sensitivity("toy", {"clip": each, "pixel": each}, 6 * blocks, 1.0)
        hidden = f"{100 * unseen_changes.most(blocks):.0f} %"
        assert f"{blocks} blocks of two labels were measured; up to {hidden} of all" in seedlines.warning("toy", found)


def test_the_first_of_many_blocks_are_those_of_few():
    labels = [Label(f"label {index}", index) for index in range(16)]
    few, many = (sensitivity.design(labels, blocks) for blocks in (sensitivity.BLOCKS, sensitivity.MORE))
    assert [row[: len(few[0])] for row in many] == list(few)


@given(st.integers(2, 20), st.integers(2, 20))
def test_blocks_that_come_later_are_joined_to_the_first(few, more):
    def measured(blocks: int, value: float) -> seed_shares.Sensitivity:
        each = seed_shares.Distances((value,) * blocks, (0.0,) * blocks, (1.0,) * blocks)
        return seed_shares.Sensitivity("toy", {"clip": each, "pixel": each}, 6 * blocks, 1.0)

    both = measured(few, 0.2).joined(measured(more, 0.4))
    assert (both.blocks, both.images, both.seconds) == (few + more, 6 * (few + more), 2.0)
    assert both.vector("clip").value == pytest.approx((0.2 * few + 0.4 * more) / (few + more))
