"""What a plan foretells against what the run after it does: "up to N" is held by every run, whatever exists already."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib.resources import files

import pytest

FEW = (
    "--seedshift-model=toy-latent",
    "--seedshift-images=16",
    "--seedshift-batch-size=4",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-report=none",
    "--seedshift-sensitivity=never",
)
HARD = "[default]\ntop1 = {{ min = {minimum}, max_drop = {drop} }}\n"


@dataclass(frozen=True)
class Told:
    """The numbers of a plan, or of the end of a run."""

    expected: int
    most: int
    to_make: int
    at_most: int


def told(lines: list[str]) -> Told:
    (head,) = (line for line in lines if ", certainty " in line)
    about = re.search(r"about (\d+) images, up to (\d+)", head)
    known = re.search(r"\), (\d+)(?: of \d+)? images, certainty", head)
    assert about or known, head
    expected, most = map(int, about.groups()) if about else [int(known[1])] * 2 if known else (0, 0)
    making = next((line for line in lines if " to generate" in line), "about 0 s to generate 0 images")
    work = re.search(r"to generate:? (\d+) images(?:, up to (\d+))?", making)
    assert work, making
    return Told(expected, most, int(work[1]), int(work[2] or work[1]))


def ran(lines: list[str]) -> tuple[int, int]:
    """How many images a run has looked at, and how many it has generated, cases and searches together."""
    found = [re.search(r"(\d+)(?: of \d+)? images looked at, (\d+) generated", line) for line in lines]
    pairs = [tuple(map(int, each.groups())) for each in found if each]
    assert pairs
    return sum(looked for looked, _ in pairs), sum(generated for _, generated in pairs)


STEPS = (
    ("nothing exists", HARD.format(minimum=0.5, drop=0.5), ()),
    ("all exists", HARD.format(minimum=0.5, drop=0.5), ()),
    ("another bound on what exists", HARD.format(minimum=0.9, drop=0.05), ()),
    ("a bound that decides sooner", HARD.format(minimum=0.1, drop=0.9), ()),
    ("other batches", HARD.format(minimum=0.6, drop=0.3), ("--seedshift-batch-size=7",)),
    ("the control is left out", HARD.format(minimum=0.4, drop=0.2), ("-k", "mean", "--seedshift-dir=alone")),
    ("only the minimum", "[default]\ntop1 = 0.4\n", ("-k", "mean", "--seedshift-dir=again")),
    ("the whole design", HARD.format(minimum=0.4, drop=0.2), ("--seedshift-exact",)),
)


def test_a_run_looks_at_no_more_images_and_makes_no_more_than_its_plan_says(pytester, run):
    wide = 0
    for name, thresholds, more in STEPS:
        pytester.path.joinpath("thresholds.toml").write_text(thresholds)
        before = told(run(*FEW, *more, "--seedshift-plan", "--seedshift-images-per-second=9").outlines)
        looked, generated = ran(run(*FEW, *more).outlines)
        assert looked <= before.most, name
        assert generated <= before.at_most, name
        if before.expected == before.most:
            assert looked == before.expected, name
        wide += before.expected < before.most
        after = told(run(*FEW, *more, "--seedshift-plan").outlines)
        assert (after.expected, after.most, after.at_most) == (looked, looked, 0), name  # all is known by now
    assert wide >= 3  # most of them could have been foretold wrongly


def test_a_plan_knows_what_is_held_against_a_baseline(pytester, run):
    thresholds = pytester.path / "thresholds.toml"
    thresholds.write_text("[default]\ntop1 = { max_regression = 0.2 }\n")
    run(*FEW, "--seedshift-exact", "--seedshift-save-baseline=old.json")
    plan = told(run(*FEW, "--seedshift-plan", "--seedshift-baseline=old.json").outlines)
    looked, generated = ran(run(*FEW, "--seedshift-baseline=old.json").outlines)
    assert (plan.expected, plan.most, plan.at_most) == (looked, looked, generated)
    fresh = told(run(*FEW, "--seedshift-plan", "--seedshift-dir=new", "--seedshift-baseline=old.json").outlines)
    assert looked <= fresh.most == 32


def test_a_search_looks_at_no_more_than_its_plan_says(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = 0.3\n")
    quick = ("--seedshift-model=toy-latent+steps=3", *FEW[1:])
    more = ("--seedshift-breaking-point", "-k", "breaking", "--seedshift-batch-size=16")
    before = told(run(*quick, *more, "--seedshift-plan").outlines)
    looked, generated = ran(run(*quick, *more).outlines)
    assert 16 < looked <= before.most
    assert generated <= before.at_most
    assert before.expected < before.most
    after = told(run(*quick, *more, "--seedshift-plan").outlines)
    assert (after.expected, after.most, after.at_most) == (looked, looked, 0)


@pytest.fixture
def offline(pytester, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(pytester.path / "cache"))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("model", ["sd21", "sd21+steps=20", "glide", "somebody/something"])
def test_a_plan_is_made_before_the_weights_are_here(pytester, run, model):
    pytester.path.joinpath("thresholds.toml").unlink()
    common = (f"--seedshift-model={model}", "--seedshift-plan", "--seedshift-shift=mean", "--seedshift-null")
    result = run(*common)
    assert result.ret == pytest.ExitCode.OK
    plan = told(result.outlines)
    assert plan.expected < plan.to_make < plan.most == plan.at_most == 8 * 400  # the null control needs all of one
    result.stdout.fnmatch_lines([f"seedshift: the time is not known yet: no image of {model} was timed*RATE*"])
    result.stdout.fnmatch_lines([f"seedshift: {model} is not here: *were not found*"])
    result = run(*common, "--seedshift-images-per-second=2", "--seedshift-price=3.6")
    result.stdout.fnmatch_lines(
        [
            f"seedshift: about *, up to 26 min 40 s, to generate * images, up to 3200 (*) ({model} 2 images/s, as *)",
            "seedshift: that costs about *, up to 1.60, at 3.6 a GPU hour",
        ]
    )
    assert not pytester.path.joinpath("cache").exists()


@pytest.mark.usefixtures("offline")
def test_a_plan_of_a_model_that_is_here_names_the_scorer_that_is_not_and_exits_as_the_run_would(pytester, run):
    mine = '[models.mine]\npipeline = "mine"\nclasses = "toy16"\n'
    pytester.path.joinpath("thresholds.toml").write_text(f"[default]\ntop1 = 0.5\n{mine}")
    shutil.copytree(str(files("pytest_seedshift") / "models/toys/toy-latent"), pytester.path / "mine")
    planned = run("--seedshift-model=mine", "--seedshift-plan", "--seedshift-images-per-second=2")
    assert planned.ret == pytest.ExitCode.USAGE_ERROR
    planned.stdout.fnmatch_lines(
        ["seedshift: what scores mine is not here: the weights of 'google/vit-base-patch16-224' *"]
    )
    planned.stderr.fnmatch_lines(["*would not start, as a scorer of mine is not here*"])
    assert run("--seedshift-model=mine").ret == planned.ret


@pytest.mark.usefixtures("offline")
def test_a_folder_that_is_named_and_not_there_is_a_mistake_in_a_plan_too(run):
    result = run("--seedshift-model=./mine", "--seedshift-plan")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("name", ["images-per-second", "price"])
@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "fast", "2,5"])
def test_a_speed_and_a_price_are_numbers_above_0(run, name, given):
    result = run(*FEW, f"--seedshift-{name}={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --seedshift-{name}={given}: give a number above 0, such as *"])
