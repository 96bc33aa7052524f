"""What heals a model: planted models that only some remedies heal, and what is recommended of what was found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pytest
import torch

from helpers.double_bench import Bench, Double, DoublePool
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.scores import Constraint, Estimate
from pytest_seedshift.models import rng
from pytest_seedshift.reporting import remedies as told
from pytest_seedshift.reporting import remedies_plan
from pytest_seedshift.reporting.page import remedies as page
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.local_executor import LocalExecutor
from pytest_seedshift.runner.sample_service import SampleService
from pytest_seedshift.runner.scheduler import Scheduler
from pytest_seedshift.studies import seed_sensitivity
from pytest_seedshift.studies.remedies import candidates, recommendation
from pytest_seedshift.studies.remedies import plan as plans
from pytest_seedshift.studies.remedies.candidates import Candidate
from pytest_seedshift.studies.remedies.experiment import Experiment
from pytest_seedshift.studies.remedies.findings import Remedies, Treated, Tried
from pytest_seedshift.studies.sampler_ablation.effects import Mean

MODEL = "toy-latent"
IMAGES = 400
CASES = (Case(MODEL), Case(MODEL, "mean", 0.3), Case(MODEL, "mixed", 0.3))
HELD, BROKEN = 0.97, 0.45

Share = Callable[[frozenset[str], bool], float]
"""How often pictures of a model with some changes are right, with a shift or without."""


class Planted(Double):
    """A model whose pictures are right as often as is planted, pair by pair by chance of their own."""

    def __init__(self, name: str, share: float, shifted: float, seed: int) -> None:
        super().__init__()
        self.name, self.fingerprint = name, f"planted {name} {seed}"
        self._shares, self._seed = (share, shifted), seed

    def generate(self, pairs, shift=None, on_step=None):
        z = rng.seed_vectors(pairs, self.seed_shape)
        if shift is not None:
            shift(z, pairs)
        share = self._shares[shift is not None]
        purpose = f"planted {shift is None} {self.name}"
        drawn = [torch.rand((), generator=rng.generator(pair, purpose, seed=self._seed)).item() for pair in pairs]
        dark = torch.tensor([0.2 if each < share else 0.8 for each in drawn])
        return (dark[:, None, None, None] + 0.05 * z).clamp(0, 1)


class PlantedPool(DoublePool):
    """Has a planted model under every name."""

    def __init__(self, share: Share, seed: int) -> None:
        super().__init__(Double())
        self._share, self._seed = share, seed

    def model(self, name: str) -> Planted:
        if self.double.name != name or not isinstance(self.double, Planted):
            changes = frozenset(name.split("+")[1:])
            self.double = Planted(name, self._share(changes, False), self._share(changes, True), self._seed)
            self._engine = None
        return self.double


class Blindfolded(Experiment):
    """One of which it is planted, too, which models look at their seed vectors: by the weight after the first step."""

    blind: frozenset[str] = frozenset()

    def _seed_use(self, model):
        return None, 0.0 if self.blind & set(model.split("+")) else 1.0


def find(tmp_path, share: Share, seed: int = 0, blind: str = "", **more) -> Remedies:
    folder = RunFolder(tmp_path / f"run-{seed}")
    folder.prepare()
    bench = Bench(folder, keep="none", batch_size=16)
    bench.pool = PlantedPool(share, seed)
    bench.service = SampleService(bench.pool, folder, batch_size=16, keep="none")
    bench.scheduler = Scheduler(bench.service, LocalExecutor(bench.pool, bench.service.engine))
    asked = {case: (Constraint("top1", 0.75),) for case in CASES}
    made = Blindfolded(bench, MODEL, asked, pairs.design(pairs.class_list("toy16"), IMAGES), **more)
    made.blind = frozenset(blind.split())
    return made.run()


def healed_by(*needed: str, costs: Mapping[str, float] | None = None) -> Share:
    """Only models with one of some changes hold; a change of `costs` takes a share of what is right without a shift."""

    def share(changes: frozenset[str], shifted: bool) -> float:
        lost = max((value for change, value in (costs or {}).items() if change in changes), default=0.0)
        heals = any(set(each.split("+")) <= changes for each in needed)
        return (HELD if heals or not shifted else BROKEN) - lost

    return share


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 10))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("needed", "expected"),
    [(("ancestral",), "ancestral"), (("repair=moments", "repair=quantiles"), "repair=moments"), ((), None)],
    ids=["sampler", "repair", "nothing"],
)
def test_the_recommendation_is_right_on_planted_models(tmp_path, needed, expected, seed):
    found = find(tmp_path, healed_by(*needed), seed)
    made = recommendation.make(found)
    assert [each.holds for each in found.before] == [False, False]
    assert (None if made.tried is None else made.tried.candidate.changes) == (None if expected is None else (expected,))
    right = {each.candidate.changes[0] for each in found.tried if each.healed == 2 and len(each.candidate.changes) == 1}
    assert right == set(needed)
    assert found.images <= found.crossing / 5
    assert ("None of these" in made.sentences[0]) == (expected is None)


def test_two_that_heal_together_are_found_where_each_alone_heals_half(tmp_path):
    def share(changes: frozenset[str], shifted: bool) -> float:
        return HELD if not shifted else HELD if {"ancestral", "repair=moments"} <= changes else BROKEN

    assert recommendation.make(find(tmp_path, share)).tried is None, "none heals a part, so no pair is tried"
    assert candidates.pairs(["ancestral", "repair=moments", "steps=20"]) == [
        ("repair=moments", "ancestral"),
        ("repair=moments", "steps=20"),
        ("ancestral", "steps=20"),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_heals_by_not_looking_at_the_seed_or_by_harming_the_rest_is_not_recommended(tmp_path, seed):
    share = healed_by("ancestral", "steps=10", costs={"steps=10": 0.15})
    found = find(tmp_path, share, seed, blind="ancestral")
    made = recommendation.make(found)
    assert made.tried is None
    said = " ".join(made.sentences)
    assert "+ancestral heals every case by hardly using the seed vector" in said
    (slow,) = [each for each in found.tried if each.candidate.changes == ("steps=10",)]
    harms = "+steps=10 heals every case, and harms what is drawn without a shift" in said
    assert harms or slow.healed < 2, "what is taken away here comes near the bound"


def test_a_model_that_holds_and_one_that_breaks_by_itself_are_told(tmp_path):
    holds = find(tmp_path / "a", lambda changes, shifted: HELD)
    assert (holds.before, holds.tried) == ((), ())
    assert "there is nothing to heal" in told.sentences(holds)[0]
    broken = find(tmp_path / "b", lambda changes, shifted: 0.3)
    assert broken.tried == ()
    assert "does not hold without a shift: no remedy is tried" in told.sentences(broken)[0]
    assert "no remedy is tried" in page.make(broken, "seedshift remedies x")


# What is recommended of what was found


def tried(
    *changes: str, seconds: float = 1.0, cost: float = 0.0, heals: bool = True, weight: float = 1.0, left: float = 0.95
) -> Tried:
    treated = tuple(Treated(case, heals, 50, {}, {"top1": left if heals else 0.5}) for case in CASES[1:])
    costs = {"top1": Mean(-cost, -cost - 0.01, -cost + 0.01)}
    candidate = Candidate(changes, "+".join([MODEL, *changes]))
    return Tried(candidate, True, treated, costs, 60, seconds, weight=weight)


def of(*found: Tried, ignores: bool = False) -> recommendation.Recommendation:
    before = tuple(Treated(case, False, 40, {}, {"top1": 0.5}) for case in CASES[1:])
    return recommendation.make(Remedies(MODEL, before, {}, found, seconds=1.0, ignores=ignores))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([tried("steps=20", seconds=2), tried("repair=spectrum"), tried("repair=moments")], ("repair=moments",)),
        ([tried("ancestral"), tried("guidance=2", seconds=1.5)], ("ancestral",)),
        ([tried("repair=blend=0.3", left=0.7), tried("guidance=2", seconds=1.5)], ("guidance=2",)),
        ([tried("ancestral"), tried("repair=quantiles", cost=0.1)], ("ancestral",)),
        ([tried("ancestral", weight=0.01), tried("steps=20", seconds=2)], ("steps=20",)),
        ([tried("repair=moments", heals=False), tried("repair=moments", "ancestral")], ("repair=moments", "ancestral")),
        ([tried("repair=moments", "ancestral"), tried("steps=20", seconds=2)], ("steps=20",)),
        ([tried("repair=blend=1", weight=0.0)], None),
        ([tried("ancestral", cost=0.2)], None),
        ([tried("ancestral", heals=False)], None),
        ([], None),
    ],
)
def test_the_simplest_remedy_that_heals_all_and_costs_nothing_is_recommended(found, expected):
    made = of(*found)
    assert (None if made.tried is None else made.tried.candidate.changes) == expected


def test_where_the_model_itself_ignores_its_seed_a_remedy_may_too():
    assert of(tried("ancestral", weight=0.01), ignores=True).tried is not None


def test_a_change_that_the_name_has_is_not_made_again(tmp_path):
    found = find(tmp_path, healed_by())
    names = {each.candidate.title for each in found.tried} | set(found.left_out)
    assert {"+repair=moments", "+ancestral", "+steps=10", "+guidance=3"} <= names
    again = candidates.usable(
        "toy-latent+ancestral",
        [("repair=moments",), ("ancestral",), ("steps=10",), ("scheduler=DDPMScheduler",)],
        Bench(RunFolder(tmp_path)).catalogue,
        lambda name: "same" if "steps" in name or name == "toy-latent+ancestral" else name,
    )
    assert [each.title for each in again.found] == ["+repair=moments"]
    assert "says itself how that is to be" in again.left_out["+ancestral"]
    assert "is that already" in again.left_out["+steps=10"]
    assert "says itself" in again.left_out["+scheduler=DDPMScheduler"]


# What is tried, and what that would take


def test_remedies_are_chosen_by_name_and_by_what_they_are_about(tmp_path):
    entry = Bench(RunFolder(tmp_path)).catalogue.find(MODEL)
    every = candidates.alone(entry)
    assert candidates.chosen(entry, ()) == every
    assert candidates.chosen(entry, ("steps", "+ancestral")) == ("ancestral", "steps=10")
    assert candidates.chosen(entry, ("repair",)) == candidates.REPAIRS
    for wrong, near in (("repiar", "repair"), ("ancestrl", "ancestral"), ("repair=momens", "repair=moments")):
        with pytest.raises(InvalidValueError, match=f"unknown remedy '{wrong}'. Did you mean '{near}'"):
            candidates.chosen(entry, ("zsnr", wrong))


@pytest.mark.parametrize("pairs", [1, 80, 400, 5000])
@pytest.mark.parametrize("number", [0, 1, 2, 8])
def test_what_is_left_falls_to_what_a_plan_says_of_the_last(pairs, number):
    remedies = tuple(Candidate((str(at),), f"m+{at}") for at in range(number))
    plan = plans.Plan(MODEL, CASES[1:], remedies, {}, pairs, 30, 0.5)
    left = [plan.left(tried, 2) for tried in range(number + plan.couples + 1)]
    assert left == sorted(left, reverse=True)
    assert left[-1] <= max(0, plans.COST_PAIRS - plan.screened) * (number + plan.couples)
    assert plan.images == plan.own + left[0]
    assert plan.screened <= pairs
    said = " ".join(remedies_plan.lines(plan))
    assert f"at most {plan.images} images" in said
    assert "not known" in " ".join(remedies_plan.lines(dataclasses.replace(plan, seconds=None)))


def test_each_remedy_is_told_as_it_begins_and_only_those_that_were_chosen_are_tried(tmp_path):
    lines: list[str] = []
    found = find(tmp_path, healed_by("repair=moments"), remedies=("repair=moments", "zsnr"), report=lines.append)
    assert [each.candidate.title for each in found.tried] == ["+repair=moments", "+zsnr"]
    assert lines[0].startswith(f"{MODEL} as it is, in 3 cases: at most 1200 images")
    assert lines[1].startswith("mean +0.30: fails, after ")
    begun = [line for line in lines if " images so far, at most " in line]
    assert [line.split(":")[0] for line in begun] == ["+repair=moments (1 of 2)", "+zsnr (2 of 2)"]
    assert [line for line in lines if line.startswith("+repair=moments: heals 2 of 2")]
    assert found.held == ()


def test_a_case_that_fails_in_the_run_alone_is_named_with_the_reason():
    reasons = {CASES[1]: "there it breaks max_regression alone"}
    left_out = plans.failing_elsewhere(CASES[1:], reasons, 400)
    found = Remedies(MODEL, (case_of("top1", top1=0.4, clip=31.0),), {}, not_looked_at=left_out)
    said = " ".join(told.sentences(found))
    assert "mean +0.30: it holds here, on 400 pairs by minima and largest drops alone; there it breaks max_r" in said
    assert "mixed +0.30: it holds here" in said
    assert told.document(found)["left_out_cases"].keys() == {"mean +0.30", "mixed +0.30"}


# What is shown of it


def case_of(*broken: str, top1: float, clip: float) -> Treated:
    scores = {"top1": Estimate(top1, top1 - 0.1, top1 + 0.05), "clip": Estimate(clip, clip - 1, clip + 1)}
    return Treated(CASES[1], not broken, 50, scores, {"top1": top1, "clip": clip / 33}, broken)


def shown(before: Treated, after: Treated, **more) -> Remedies:
    made = Tried(Candidate(("ancestral",), f"{MODEL}+ancestral"), True, (after,), **more)
    return Remedies(MODEL, (before,), {"top1": Estimate(0.97, 0.9, 1.0)}, (made,), seconds=more.get("seconds"))


@pytest.mark.parametrize(
    ("before", "after", "cells"),
    [
        (("clip",), (), ("CLIP 25.0 (24.0–26.0), ≈0.76 left ✗", "CLIP 31.0 (30.0–32.0), ≈0.94 left")),
        (("top1",), ("top1",), ("top-1 0.40 (0.30–0.45), ≈0.40 left ✗", "top-1 0.90 (0.80–0.95), ≈0.90 left ✗")),
        (
            ("top1",),
            ("clip",),
            (
                "top-1 0.40 (0.30–0.45), ≈0.40 left ✗",
                "top-1 0.90 (0.80–0.95), ≈0.90 left; CLIP 31.0 (30.0–32.0), ≈0.94 left ✗",
            ),
        ),
        (
            ("top1", "clip"),
            (),
            (
                "top-1 0.40 (0.30–0.45), ≈0.40 left ✗; CLIP 25.0 (24.0–26.0), ≈0.76 left ✗",
                "top-1 0.90 (0.80–0.95), ≈0.90 left; CLIP 31.0 (30.0–32.0), ≈0.94 left",
            ),
        ),
        (("of no picture",), (), ("top-1 0.40 (0.30–0.45), ≈0.40 left; ✗", "top-1 0.90 (0.80–0.95), ≈0.90 left")),
    ],
)
def test_the_score_that_broke_is_shown_before_and_after(before, after, cells):
    found = shown(case_of(*before, top1=0.4, clip=25.0), case_of(*after, top1=0.9, clip=31.0))
    _, first, second = told.table(found)
    assert (first[2], second[2]) == cells
    drawn = page.make(found, "command")
    assert ("CLIP 31.0" in drawn) is ("clip" in before + after)
    assert drawn.count('<span class="broken">✗</span>') == len(before + after)


@pytest.mark.parametrize(
    ("costs", "cell", "sentence"),
    [
        ({"top1": Mean(0.0, -0.54, 0.54)}, "too few pairs to say (−0.54 to +0.54)", "Too few pairs (60) to say"),
        ({"top1": Mean(0.0, -0.09, 0.09)}, "+0.00 (−0.09 to +0.09)", ", and nothing is seen to be lost"),
        ({}, "too few pairs to say", "Too few pairs to say whether"),
        (
            {"top1": Mean(0.0, -0.01, 0.01), "clip": Mean(0.0, -9.0, 9.0)},
            "+0.00 (−0.01 to +0.01), too few pairs to say (CLIP −9.0 to +9.0)",
            "without a shift: CLIP −9.0 to +9.0.",
        ),
    ],
)
def test_few_pairs_do_not_say_that_nothing_is_lost(costs, cell, sentence):
    found = shown(case_of("top1", top1=0.4, clip=31.0), case_of(top1=0.9, clip=31.0), costs=costs, pairs=60)
    assert told.table(found)[2][3] == cell
    assert told.document(found)["remedies"][0]["too_few_pairs"] == [
        score for score, change in costs.items() if change.low < -0.1 * (33 if score == "clip" else 0.97)
    ]
    assert sentence in recommendation.make(found).sentences[0]


def test_a_time_is_shown_where_it_was_measured_on_both_sides():
    cases = case_of("top1", top1=0.4, clip=31.0), case_of(top1=0.9, clip=31.0)
    assert told.table(shown(*cases))[2][4] == "–"
    assert told.table(shown(*cases, seconds=2.0))[2][4] == "1.0×"


def test_a_time_rests_on_images_behind_the_first_case(tmp_path):
    found = find(tmp_path, healed_by("ancestral"))
    timed = {each.candidate.changes[0] for each in found.tried if each.seconds is not None}
    assert found.seconds is not None
    assert "ancestral" in timed, "what it costs was measured on more images"
    assert all(each.seconds is None for each in found.tried if sum(one.images for one in each.treated) == 0)


@pytest.mark.nightly
def test_a_repair_that_leaves_nothing_of_the_seed_vector_is_known_by_measurement(tmp_path):
    from pytest_seedshift.runner.workbench import Workbench

    folder = RunFolder(tmp_path)
    folder.prepare()
    bench = Workbench(folder, "cpu", "float32")
    for name, ignores in (
        ("toy-latent", False),
        ("toy-latent+repair=moments", False),
        ("toy-latent+repair=blend=1", True),
    ):
        found = seed_sensitivity.measure(bench, name).sensitivity
        assert found is not None
        assert dataclasses.replace(tried("x"), seed_use=found).ignores is ignores
