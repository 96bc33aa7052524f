"""A model that is broken without any shift is an error of its control, and its other cases generate nothing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import pytest_seedshift
from helpers.runs import cases_of
from pytest_seedshift.reporting import page, summary
from pytest_seedshift.results.run import load as run_of

CONFTEST = """
import hashlib, os, pathlib, torch

CALLS = pathlib.Path(__file__).with_name("calls.txt")

class Made:
    name = "made"

    def __init__(self, device, dtype):
        from pytest_seedshift.models import catalogue
        from pytest_seedshift.models import load
        self.how = HOW
        self.fingerprint = f"made {self.how}"
        self.inner = load.load(catalogue.shipped().find("toy-latent"), device, dtype)
        self.seed_shape, self.seed_axes = self.inner.seed_shape, self.inner.seed_axes

    def generate(self, pairs, shift=None, on_step=None):
        with CALLS.open("a") as file:
            file.write(f"{'control' if shift is None else 'shifted'} {len(pairs)}\\n")
        if self.how == "sound":
            return self.inner.generate(pairs, shift, on_step)
        if self.how == "black":
            return torch.zeros(len(pairs), 3, 32, 32)
        if self.how == "colours":
            return torch.stack([torch.full((3, 32, 32), pair.label.index / 20 + 0.01 * pair.seed) for pair in pairs])
        if self.how == "the same":
            return torch.linspace(0, 1, 3 * 32 * 32).reshape(1, 3, 32, 32).repeat(len(pairs), 1, 1, 1)
        if self.how == "noise":
            import pytest_seedshift as seedshift
            z = seedshift.seed_vectors(pairs, (3, 32, 32))
            return ((z if shift is None else shift(z, pairs)) / 6 + 0.5).clamp(0, 1)
        images = self.inner.generate(pairs, shift, on_step)
        if self.how == "flat when shifted" and shift is not None:
            images = images.mean((2, 3), keepdim=True).expand_as(images)
        if self.how == "some black":
            return torch.stack([im * (pair.label.index % 4 > 0) for im, pair in zip(images, pairs)])
        if self.how == "one in four":  # real, but bad
            return torch.stack([im if pair.seed % 4 == 0 else im.flip(1) * 0 + torch.rand_like(im)
                                for im, pair in zip(images, pairs)])
        return images

def pytest_seedshift_models(): return {"made": Made}
"""
THRESHOLDS = '[default]\ntop1 = 0.6\n[models.made]\nclasses = "toy16"\nscorers = "toy"\n'
RUN = ("seedshift", "--seedshift-model=made", "--seedshift-shift=mean", "--seedshift-magnitude=-0.3,0.3")


def run(pytester: pytest.Pytester, how: str, *more: str, thresholds: str = THRESHOLDS, images: int = 16):
    """A run of a model of one's own, and its records by id."""
    pytester.makeconftest(CONFTEST.replace("HOW", repr(how)))
    pytester.path.joinpath("thresholds.toml").write_text(thresholds)
    result = pytester.runpytest_inprocess(
        *RUN, f"--seedshift-images={images}", "--seedshift-batch-size=8", "--seedshift-report=none", *more
    )
    return result, cases_of(pytester.path / ".seedshift")


def calls(pytester: pytest.Pytester) -> list[str]:
    """Which images were generated."""
    file = pytester.path / "calls.txt"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("black", "the first 8 pictures of its control are of one colour each"),
        pytest.param(
            "colours", "the first 8 pictures of its control are of one colour each", marks=pytest.mark.nightly
        ),
        pytest.param("the same", "the first 8 pictures of its control, of ", marks=pytest.mark.nightly),
        pytest.param("noise", "its control is at the level of chance: top-1 0.", marks=pytest.mark.nightly),
    ],
)
def test_what_draws_nothing_is_an_error_of_the_control_and_stops_the_others(pytester, how, said):
    result, found = run(pytester, how)
    result.assert_outcomes(errors=3)
    control, *others = found.values()
    assert control["verdict"] == "error"
    assert said in control["reason"]
    assert "no shift is to blame" in control["reason"]
    assert [each["verdict"] for each in others] == ["error", "error"]
    for each in others:
        assert "made is broken without any shift, so nothing is generated" in each["reason"]
        assert "See made-none-+0.00" in each["reason"]
        assert "breaks" not in each["reason"]
    assert {line.split()[0] for line in calls(pytester)} == {"control"}
    before = len(calls(pytester))
    again, same = run(pytester, how)
    again.assert_outcomes(errors=3)
    assert [each["reason"] for each in same.values()] == [each["reason"] for each in found.values()]
    assert len(calls(pytester)) <= before + 1  # at most the batch on which the plan measures the pace


def test_who_wants_to_go_on_from_a_control_at_chance_may(pytester):
    result, found = run(pytester, "noise", "--seedshift-keep-going")
    result.assert_outcomes(errors=1, failed=2)
    control, *others = found.values()
    assert "at the level of chance" in control["reason"]
    assert "--seedshift-keep-going" in control["reason"]
    assert {each["verdict"] for each in others} == {"fail"}


def test_who_draws_nothing_cannot_go_on(pytester):
    result, found = run(pytester, "black", "--seedshift-keep-going")
    result.assert_outcomes(errors=3)
    assert all("broken without any shift" in each["reason"] for each in found.values())


def test_a_shift_under_which_all_is_of_one_colour_is_a_finding_about_the_shift(pytester):
    result, found = run(pytester, "flat when shifted")
    result.assert_outcomes(passed=1, failed=2)
    control, *others = found.values()
    assert control["verdict"] == "pass"
    assert "blank" not in control
    assert "cases that pass are of one colour" not in result.stdout.str()
    for each in others:
        assert each["verdict"] == "fail"
        assert "shift" in each["reason"].splitlines()[0]
        assert f"{each['images']} of {each['images']} pictures are of one colour" in each["reason"]


def test_a_failure_says_of_how_many_pictures_nothing_is_to_be_seen(pytester):
    """Half precision makes some of a model's pictures black (sdnext 374, diffusers 4325)."""
    thresholds = THRESHOLDS.replace("0.6", "0.99")
    _, found = run(pytester, "some black", "--seedshift-magnitude=0.1", thresholds=thresholds)
    control = next(iter(found.values()))
    assert control["verdict"] == "fail"
    assert re.search(r"\b[1-4] of \d+ pictures (is|are) of one colour", control["reason"])


def test_what_passes_with_some_pictures_of_one_colour_passes_with_a_note(pytester):
    thresholds = THRESHOLDS.replace("0.6", "0.2")
    result, found = run(pytester, "some black", "-k", "none", "--seedshift-exact", thresholds=thresholds)
    result.assert_outcomes(passed=1)
    control = next(iter(found.values()))
    assert control["verdict"] == "pass"
    assert control["blank"] == 4
    note = "some pictures of cases that pass are of one colour: control (4 of 16)"
    assert f"warning: made: {note}" in result.stdout.str()
    folder = pytester.path / ".seedshift"
    read = run_of(folder)
    assert note in page.write(folder, run=read).read_text()
    assert f"made: {note}" in summary.make(read, 100_000)


@pytest.mark.nightly
def test_a_sound_model_is_looked_at_without_a_word(pytester):
    result, found = run(pytester, "sound", "--seedshift-magnitude=0.1")
    result.assert_outcomes(passed=3, failed=1)
    assert calls(pytester)[0].startswith("control")
    assert all("broken" not in each["reason"] and "colour" not in each["reason"] for each in found.values())


@pytest.mark.nightly
def test_only_drops_are_asked_for_and_nothing_is_drawn(pytester):
    """Nothing drops below nothing: every case would pass."""
    result, _ = run(pytester, "black", thresholds=THRESHOLDS.replace("0.6", "{ max_drop = 0.1 }"))
    result.assert_outcomes(errors=3)


@pytest.mark.nightly
def test_a_minimum_that_guessing_reaches_is_judged_as_ever(pytester):
    result, _ = run(pytester, "noise", thresholds=THRESHOLDS.replace("0.6", "0.0"))
    result.assert_outcomes(passed=3)
    result, found = run(pytester, "noise", thresholds=THRESHOLDS.replace("0.6", "0.15"))
    assert {each["verdict"] for each in found.values()} <= {"pass", "fail"}


@pytest.mark.nightly
def test_a_control_that_is_bad_but_real_fails_with_what_it_has_measured(pytester):
    _, found = run(pytester, "one in four", images=64)
    control = found["made-none-+0.00"]
    assert control["verdict"] == "fail"
    assert "made fails without any shift: top-1 0." in control["reason"]


@pytest.mark.nightly
def test_a_search_and_a_null_control_say_so_too(pytester):
    result, _ = run(pytester, "black", "--seedshift-null", "--seedshift-breaking-point")
    outcomes = result.parseoutcomes()
    assert set(outcomes) - {"warnings", "warning"} == {"errors"}
    assert {line.split()[0] for line in calls(pytester)} == {"control"}


@pytest.mark.nightly
def test_without_the_control_in_the_run_its_first_pictures_are_looked_at_all_the_same(pytester):
    result, found = run(pytester, "black", "-k", "mean")
    result.assert_outcomes(errors=2, deselected=1)
    made = [line.split()[0] for line in calls(pytester)]
    assert made.count("shifted") <= 1  # the batch on which the plan measures the pace
    assert "control" in made
    assert all("of one colour" in each["reason"] for each in found.values())


@pytest.mark.nightly
def test_several_workers_say_it_as_one_does(pytester):
    _, alone = run(pytester, "the same")
    shutil.rmtree(pytester.path / ".seedshift")
    (pytester.path / "calls.txt").unlink()
    pytester.runpytest_subprocess(*RUN, "--seedshift-images=16", "--seedshift-batch-size=8", "-n2").assert_outcomes(
        errors=3
    )
    assert {line.split()[0] for line in calls(pytester)} == {"control"}
    assert {each["verdict"] for each in cases_of(pytester.path / ".seedshift").values()} == {"error"}
    assert {each["verdict"] for each in alone.values()} == {"error"}


def test_a_v_prediction_model_that_is_sampled_as_another_kind(pytester):
    """A pipeline of diffusers: not all that it draws is noise, but its control is not significantly above guessing."""
    toy = Path(pytest_seedshift.__file__).parent / "models/toys/toy-latent"
    mine = shutil.copytree(toy, pytester.path / "mine")
    scheduler = mine / "scheduler/scheduler_config.json"
    said = json.loads(scheduler.read_text())
    assert said["prediction_type"] == "v_prediction"
    scheduler.write_text(json.dumps(said | {"prediction_type": "sample"}))
    model = '[models."./mine"]\nclasses = "toy16"\nscorers = "toy"\nsteps = 10\nguidance = 1.0\n'
    pytester.path.joinpath("thresholds.toml").write_text(model + "[default]\ntop1 = 0.6\n")
    result = pytester.runpytest_inprocess(
        "seedshift", "--seedshift-model=./mine", "--seedshift-images=64", "--seedshift-magnitude=0.3"
    )
    result.assert_outcomes(errors=6)
    first, *others = cases_of(pytester.path / ".seedshift").values()
    assert "at the level of chance" in first["reason"]
    assert "a wrong prediction type" in first["reason"]
    assert all("nothing is generated" in each["reason"] for each in others)
