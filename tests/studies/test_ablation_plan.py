"""What a crossed experiment would take, by what was timed before."""

from __future__ import annotations

import pytest

from pytest_seedshift.core import messages
from pytest_seedshift.models import catalogue
from pytest_seedshift.reporting import why_plan
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.sample_rows import Pace
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.studies.sampler_ablation import conditions, design, plan

SHIFTS = [("mean", 0.3), ("mixed", 0.3)]


@pytest.fixture
def bench(tmp_path):
    made = Workbench(RunFolder(tmp_path), "cpu", "float32", catalogue=catalogue.shipped())
    yield made
    made.close()


def planned(bench: Workbench, models: list[str], factors: str) -> plan.Plan:
    crossed = design.make(bench.pool, models, conditions.read_factors([factors]))
    return plan.make(bench, crossed, SHIFTS, bench.catalogue.design(models[0], 16), 0.99, 48)


def time(bench: Workbench, model: str, seconds: float) -> None:
    bench.service.store.set_pace(bench.samples(model).model, bench.pool.hardware, Pace(16, seconds))


def test_what_was_timed_of_a_model_says_how_long_its_other_arms_take(bench):
    assert planned(bench, ["toy-latent"], "guidance=1,2").seconds is None
    time(bench, "toy-latent+guidance=1+steps=10", 0.1)
    found = planned(bench, ["toy-latent"], "guidance=1,2,7.5,steps=10,30")
    seconds = {conditions.title(each.arm.level("guidance")): [] for each in found.arms}
    for each in found.arms:
        seconds[conditions.title(each.arm.level("guidance"))].append(each.seconds)
    assert seconds == {"1": [0.1, pytest.approx(0.3)], "2": pytest.approx([0.2, 0.6]), "7.5": pytest.approx([0.2, 0.6])}
    assert found.images == found.lacking == 6 * (3 * 16 + 48)
    assert found.seconds == pytest.approx(sum(map(sum, seconds.values())) * (3 * 16 + 48))
    lines = list(why_plan.lines(found))
    assert any("about 600 ms" in line for line in lines)
    assert f"{found.images} images to make, in about {messages.duration(found.seconds)}" in lines


def test_an_arm_that_was_timed_itself_is_not_reckoned_with(bench):
    time(bench, "toy-latent+guidance=1", 0.1)
    time(bench, "toy-latent+guidance=2", 0.7)
    found = planned(bench, ["toy-latent"], "guidance=1,2,4")
    assert [each.seconds for each in found.arms][:2] == [0.1, 0.7]
    assert [each.is_measured for each in found.arms] == [True, True, False]


def test_a_model_of_which_no_image_was_timed_is_named(bench):
    time(bench, "toy-latent", 0.1)
    found = planned(bench, ["toy-latent", "toy-glide"], "sampler")
    assert found.untimed == ("toy-glide",)
    assert found.seconds is None
    assert any("no image of toy-glide was timed here yet" in line for line in why_plan.lines(found))
