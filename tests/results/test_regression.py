"""Two versions held against each other: rows, pools, families, and what cannot be compared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from helpers.versions import CASES, LABELS, VERSION, side
from pytest_seedshift.core.scores import ANY, Constraint
from pytest_seedshift.reporting import regressions
from pytest_seedshift.results import pools, regression
from pytest_seedshift.results.baseline import BaselineError
from pytest_seedshift.results.regression import Gate


def outcomes(rng, cases=CASES, size=400):
    return {case: rng.random(size) < 0.8 for case in cases}


def lose(columns, number):
    """Turn as many right pairs wrong in each case, others in each."""
    return {case: _without(values, number, place) for place, (case, values) in enumerate(columns.items())}


def _without(values, number, place):
    kept = values.copy()
    kept[np.flatnonzero(values)[place :: len(values) // (number * 2)][:number]] = False
    return kept


def bounded(most, significant=True, **given):
    asked = {case: [Constraint("top1", max_regression=most, significant=significant)] for case in CASES}
    return Gate(asked=asked, **given)


def test_the_same_twice_has_no_pair_that_differs():
    columns = outcomes(np.random.default_rng(0))
    found = regression.compare(side("old", columns), side("new", columns))
    assert not found.regressed
    assert {(row.drop, row.change.lost, row.change.won, row.change.p) for row in found.rows} == {(0.0, 0, 0, 1.0)}
    assert {pool.p for pool in found.pools} == {1.0}
    assert regressions.lines(found)[0].endswith("7 cases on 2800 pairs: no pair differs · no regression")


def test_one_case_that_became_worse_is_the_one_that_is_named_and_its_pairs_too():
    columns = outcomes(np.random.default_rng(0))
    worse = {**columns, CASES[3]: _without(columns[CASES[3]], 20, 0)}
    found = regression.compare(side("old", columns), side("new", worse), bounded(0.02))
    assert [row.case for row in found.rows if row.regressed] == [CASES[3]]
    lost, won = found.turned(CASES[3])
    assert (len(lost), won) == (20, [])
    assert all(label in LABELS for label, _ in lost)
    assert any(line.startswith("  m mean +0.30") and line.endswith("REGRESSION") for line in regressions.lines(found))


def test_small_drops_add_up_in_a_pool():
    columns = outcomes(np.random.default_rng(0))
    worse = lose(columns, 5)  # 0.0125 a case: none of them is beyond chance
    found = regression.compare(side("old", columns), side("new", worse), bounded(0.01, "any"))
    assert not any(row.regressed for row in found.rows)
    assert {(pool.shift, pool.regressed) for pool in found.pools} == {("mean", True), ("std", True), (None, True)}
    assert {pool.test for pool in found.pools} == {"signs"}
    assert not regression.compare(side("old", columns), side("new", worse), bounded(0.02, "any")).regressed
    # 0.0125 is above 0.01, but not surely so: what is surely above it is found.
    assert not regression.compare(side("old", columns), side("new", worse), bounded(0.01)).regressed
    worst = regression.compare(side("old", columns), side("new", lose(columns, 20)), bounded(0.02))
    assert {pool.shift for pool in worst.pools if pool.regressed} == {"mean", "std", None}
    assert {pool.test for pool in worst.pools} == {"bets"}
    assert not regression.compare(side("old", columns), side("new", columns), bounded(0.0)).regressed


@pytest.mark.parametrize("exact", [True, False])
def test_pools_of_equally_reliable_versions_are_seldom_found_worse(exact):
    rng, wrong, designs = np.random.default_rng(1), 0, 150
    cases = CASES[:4]
    for _ in range(designs):
        one = outcomes(rng, cases, 200)
        other = {case: values ^ (rng.random(200) < 0.1) for case, values in one.items()}
        swap = rng.random(200) < 0.5  # in all cases alike: they share their pairs
        before, after = (
            {case: np.where(swap, x[case], y[case]) for case in cases} for x, y in ((one, other), (other, one))
        )
        if not exact:  # each case has stopped somewhere else
            after = {case: values[: 60 + 40 * place] for place, (case, values) in enumerate(after.items())}
        sides = side("old", before, size=200), side("new", after, exact=exact, size=200)
        asked = {case: [Constraint("top1", max_regression=0.0, significant=ANY)] for case in cases}
        found = regression.compare(*sides, Gate(asked=asked))
        wrong += any(pool.regressed for pool in found.pools if pool.shift is None)
    assert wrong <= binom.isf(1e-3, designs, 0.01)


def test_holm_holds_the_certainty_over_the_grid():
    columns = outcomes(np.random.default_rng(0))
    worse = {**columns, CASES[3]: _without(columns[CASES[3]], 8, 0)}  # p 0.004: one of many
    sides = side("old", columns), side("new", worse)
    assert any(row.regressed for row in regression.compare(*sides, bounded(0.0)).rows)
    held = regression.compare(*sides, bounded(0.0, family=True))
    assert not any(row.regressed for row in held.rows)
    clear = {**columns, CASES[3]: _without(columns[CASES[3]], 30, 0)}
    assert regression.compare(sides[0], side("new", clear), bounded(0.0, family=True)).rows[3].regressed
    assert pools.tests({case: ["top1"] for case in CASES}) == len(held.rows) + len(held.pools)
    assert held.gate.tests == len(held.rows) + len(held.pools)


def test_a_shard_holds_its_cases_against_the_whole_grid_and_leaves_pools_to_the_merge():
    """The one case that lost is no regression in the one run; nor is it in a shard of two cases."""
    columns = outcomes(np.random.default_rng(0))
    worse = {**columns, CASES[3]: _without(columns[CASES[3]], 9, 0)}  # p 0.002
    whole = regression.compare(side("old", columns), side("new", worse), bounded(0.0, family=True))
    ours = {case: worse[case] for case in CASES[3:5]}
    gate = bounded(0.0, family=True, partial=True)
    part = regression.compare(side("old", columns), side("new", ours), gate)
    assert not whole.regressed
    assert not part.regressed
    assert part.pools == ()
    assert "where all shards are merged" in "\n".join(regressions.lines(part))
    of_whole = {row.case: row.change for row in whole.rows}
    assert all(row.change == of_whole[row.case] for row in part.rows)
    alone = Gate(asked={case: bounded(0.0).asked[case] for case in CASES[3:5]}, family=True)  # its own tests alone
    assert regression.compare(side("old", columns), side("new", ours), alone).regressed


@given(st.lists(st.integers(0, 14), min_size=7, max_size=7), st.integers(1, 6))
def test_what_a_shard_finds_the_whole_run_finds_too(lost, cut):
    columns = outcomes(np.random.default_rng(0), size=64)
    worse = {case: _without(columns[case], number, 0) for case, number in zip(CASES, lost, strict=True) if number}
    worse = {**columns, **worse}
    old = side("old", columns, size=64)
    whole = regression.compare(old, side("new", worse, size=64), bounded(0.0, family=True))
    found = {row.case for row in whole.rows if row.regressed}
    for part in (CASES[:cut], CASES[cut:]):
        new = side("new", {case: worse[case] for case in part}, size=64)
        shard = regression.compare(old, new, bounded(0.0, family=True, partial=True))
        assert {row.case for row in shard.rows if row.regressed} <= found


def test_a_few_pairs_are_no_regression_where_chance_is_not_asked():
    """Another bound has ended the case: its own finding is what counts, or all pairs."""
    columns = outcomes(np.random.default_rng(0), CASES[:1])
    worse = {CASES[0]: _without(columns[CASES[0]], 40, 0)}
    few = side("new", {CASES[0]: worse[CASES[0]][:60]}, exact=False)
    gate = bounded(0.02, False)
    assert regression.compare(side("old", columns), few, gate).rows[0].drop > 0.02
    assert not regression.compare(side("old", columns), few, gate).regressed
    decided = replace(gate, decided={(CASES[0], "top1"): False})
    assert regression.compare(side("old", columns), few, decided).regressed
    assert regression.compare(side("old", columns), side("new", worse), gate).regressed
    with pytest.raises(BaselineError, match=r"stopped early.*Run the older version with "):
        regression.compare(replace(side("old", columns, exact=False)), few, gate)


def test_a_part_of_the_pairs_is_compared_by_bets_and_that_is_said():
    columns = outcomes(np.random.default_rng(0))
    part = side("old", {case: values[:50] for case, values in columns.items()}, exact=False)
    found = regression.compare(part, side("new", columns), bounded(0.0))
    assert {(row.change.pairs, row.change.test) for row in found.rows} == {(50, "bets")}
    assert "stopped early" in "\n".join(regressions.lines(found))


def test_cases_on_one_side_are_named_and_left_out():
    columns = outcomes(np.random.default_rng(0))
    less = {case: values for case, values in columns.items() if case.shift != "std"}
    found = regression.compare(side("old", columns), side("new", less))
    assert [case.id for case in found.missing_after] == ["m-std-+0.10", "m-std-+0.20", "m-std-+0.30"]
    assert "only in the baseline: m-std-+0.10, m-std-+0.20, m-std-+0.30" in "\n".join(regressions.lines(found))
    turned = regression.compare(side("old", less), side("new", columns))
    assert [case.id for case in turned.missing_before] == [case.id for case in found.missing_after]


def test_a_model_of_another_name_is_held_against_the_only_one_or_the_one_that_is_said():
    columns = outcomes(np.random.default_rng(0))
    new = side("new", columns, model="m-int8")
    assert len(regression.compare(side("old", columns), new).rows) == len(CASES)
    both = replace(side("old", columns), models={"m": VERSION, "n": VERSION})
    with pytest.raises(BaselineError, match=r'models = \{ "m-int8" = "m" \}'):
        regression.compare(both, new)
    assert len(regression.compare(both, new, Gate(models={"m-int8": "m"})).rows) == len(CASES)


@pytest.mark.parametrize(
    ("version", "design", "says"),
    [
        ({"classifier": "other"}, {}, r"classifier \(by its weights\): vit in old, other in new"),
        ({"clip": "other"}, {}, "CLIP model .*: clip in old, other in new"),
        ({}, {"prompt": "{label}"}, "prompt template: 'A photo of a {label}' in old, '{label}' in new"),
        ({}, {"labels": ("x", "y"), "class_list": "two.csv"}, r"class list: letters.csv \(8 labels\) in old, two.csv"),
        ({}, {"images": 800}, "design: 400 pairs in old, 800 in new"),
        ({}, {"class_list": "indices.csv"}, "design or the labels' indices"),
    ],
)
def test_what_must_be_equal_and_is_not_is_named(version, design, says):
    columns = outcomes(np.random.default_rng(0), CASES[:2])
    old, new = side("old", columns), side("new", columns)
    new = replace(new, models={"m": replace(VERSION, **version)})
    if design:
        cases = {case: replace(each, design="other") for case, each in new.cases.items()}
        new = replace(new, cases=cases, designs={"other": replace(new.designs["design"], **design)})
    with pytest.raises(BaselineError, match=says):
        regression.compare(old, new)


def test_what_may_differ_is_told():
    columns = outcomes(np.random.default_rng(0), CASES[:2])
    new = replace(side("new", columns), libraries={"torch": "2"}, models={"m": replace(VERSION, fingerprint="other")})
    assert "torch 1 → 2" in "\n".join(regressions.lines(regression.compare(side("old", columns), new)))
