"""`why MODEL`: a crossed design on a quick toy, from the command line to the page; and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pytest_seedshift
from helpers.runs import EASY, samples_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.models import catalogue
from pytest_seedshift.plugin import command_session

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

BASE = "toy-latent-zsnr+steps=4+noclip"
QUICK = f"{BASE}+guidance=1.5"
"""Its schedule ends in zero SNR, so that the first step of the ancestral sampler discards the seed vector."""

ARGUMENTS = (QUICK, "--shift=mixed", "--magnitude=-0.3", "--images=32", "--batch-size=16")


def why(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest_seedshift", "why", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made: Path = tmp_path_factory.mktemp("why")
    made.joinpath("thresholds.toml").write_text(f"{EASY}[verdict]\ncertainty = 0.95\n")
    return made


@pytest.fixture(scope="module")
def result(folder) -> subprocess.CompletedProcess[str]:
    return why(folder, *ARGUMENTS)


@pytest.fixture(scope="module")
def document(folder, result) -> dict[str, Any]:
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads((folder / ".seedshift/why.json").read_text())
    return found


def arm(document: dict[str, Any], sampler: str) -> dict[str, Any]:
    (found,) = [each for each in document["arms"] if each["levels"]["sampler"] == sampler]
    return dict(found)


@pytest.mark.slow
def test_the_run_prints_what_it_found_and_where_it_lies(result):
    assert result.returncode == 0, result.stderr
    pytest.LineMatcher(result.stdout.splitlines()).fnmatch_lines(
        [
            "2 arms of 112 images each, *",
            "Retained scores (shifted / unshifted) under mixed -0.30; 32 pairs of 16 labels, 95 % intervals",
            f"  {QUICK}+ddim *",
            f"  {QUICK}+ancestral * yes * 0, discarded",
            "Effects of each change on retained scores (* significant: the simultaneous 95 % interval excludes 0)",
            "  sampler: DDIM → ancestral *",
            "With the sampler ancestral in place of DDIM, *",
            "The clipping is left out: *'noclip' is given twice: leave one of them out.",
            f"The schedule is left out: the schedule of {QUICK} ends in zero SNR already.",
            f"By the schedule the first step discards the seed vector *: {QUICK}+ancestral.",
            "All of these hold: with little use of the seed vector, which is no sign that a shift of it is withstood.",
            ".seedshift/why.html",
            ".seedshift/why.json",
        ]
    )
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.slow
def test_an_arm_whose_first_step_discards_the_seed_holds_and_is_flagged_and_the_other_is_not(document):
    blind, looks = arm(document, "ancestral"), arm(document, "ddim")
    assert (blind["weight"], blind["discards_seed_vector"], blind["holds"]) == (0.0, True, True)
    assert (looks["discards_seed_vector"], looks["ignores_seed_vector"], looks["holds"]) == (False, False, False)
    assert looks["weight"] > 0.9
    assert 5 * blind["seed_vector_changes"]["pixel"] < looks["seed_vector_changes"]["pixel"]


@pytest.mark.slow
def test_the_effect_of_the_sampler_is_significant(document):
    assert list(document["factors"]) == ["sampler"]
    for each in document["effects"]:
        assert (each["factor"], each["level"], each["against"]) == ("sampler", "ancestral", "ddim")
        assert each["change"]["low"] > 0


@pytest.mark.slow
def test_what_arms_keep_is_what_the_samples_in_the_store_say(folder, document):
    means: dict[tuple[str, str], list[float]] = {}
    for sample in samples_of(folder / ".seedshift"):
        means.setdefault((sample["model"], sample["shift"]), []).append(sample["scores"]["top1"])
    assert {len(values) for values in means.values()} == {32}
    for each in document["arms"]:
        shifted, control = (sum(means[each["name"], shift]) for shift in ("mixed", "none"))
        assert each["kept"]["top1"]["mean"] == pytest.approx(shifted / control)
        assert each["kept_by_shift"] == {score: [kept] for score, kept in each["kept"].items()}


@pytest.mark.slow
def test_the_page_stands_alone_and_says_the_same(folder, document):
    page = (folder / ".seedshift/why.html").read_text()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/", "")  # namespaces of figures
    assert all(each["name"] in page for each in document["arms"])
    assert all(sentence.replace("'", "&#39;") in page for sentence in document["sentences"])
    assert f"seedshift why {QUICK} --shift=mixed" in page
    assert page.count('class="bar"') == 2 * len(document["arms"]) + len(document["effects"])


@pytest.mark.slow
def test_a_second_run_makes_no_image_again_and_writes_where_it_is_asked_to(folder, document, monkeypatch):
    before = len(samples_of(folder / ".seedshift"))
    written = [path.stat().st_mtime_ns for path in (folder / ".seedshift/sensitivity").iterdir()]
    monkeypatch.chdir(folder)
    assert main(["why", *ARGUMENTS, "--output=elsewhere/study.html"]) == pytest.ExitCode.OK
    assert json.loads((folder / "elsewhere/study.json").read_text()) == document
    assert (folder / "elsewhere/study.html").is_file()
    assert len(samples_of(folder / ".seedshift")) == before
    assert [path.stat().st_mtime_ns for path in (folder / ".seedshift/sensitivity").iterdir()] == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "unknown model 'nosuch'"),
        (["toy-latent+clpi"], "unknown change of a model 'clpi'. Did you mean 'clip'?"),
        (["toy-latent+ddim+ancestral"], "'ddim' and 'ancestral' contradict each other: leave one of them out"),
        (["toy-latent", "toy-glide+zsnr"], "+zsnr: GlideDDPMScheduler takes the schedule and the steps"),
        (["toy-glide+ddim+noclip"], "nothing of toy-glide+ddim+noclip can be crossed. sampler: "),
        (["toy-latent", "--images=3"], "3 images are fewer than the 16 classes"),
        (["toy-latent", "--images=1"], "give at least 2"),
        (["toy-latent", "--clip=-1"], "give a range above 0"),
        (["toy-latent", "--shift=maen"], "unknown shift 'maen'. Did you mean 'mean'?"),
        (["toy-latent", "--magnitude=0"], "names no shifted case"),
        (["toy-latent", "--magnitude=much"], "--magnitude=much: not a finite number"),
        (
            ["toy-latent", "--factors=guidence"],
            "--factors guidence: unknown factor 'guidence'. Did you mean 'guidance'?",
        ),
        (["toy-latent", "--factors=sampler,guidance"], "guidance: all of toy-latent have the same"),
        (["toy-latent", "--factors=steps=4,2000"], "nothing of toy-latent can be crossed. steps: "),
        (["toy-glide", "toy-glide-ddim"], "are the same once sampler and clipping are crossed: leave one of them out"),
        (["toy-latent", "--output=page.json"], "give a name such as why.html"),
        (["toy-latent", "other"], "the class lists of toy-latent, other differ"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_generated(pytester, capfd, arguments, message):
    labels = {pair.label for pair in catalogue.shipped().design("toy-latent", 16)}
    rows = [f"{label.name},{label.index}" for label in sorted(labels, key=lambda each: each.index)[:8]]
    pytester.path.joinpath("few.csv").write_text("\n".join(["label,index", *rows]))
    folder = Path(pytest_seedshift.__file__).parent / "models/toys/toy-latent"
    other = f'[models.other]\npipeline = "{folder}"\nclasses = "few.csv"\nscorers = "toy"\n'
    pytester.path.joinpath("thresholds.toml").write_text(other)
    assert main(["why", *arguments]) == pytest.ExitCode.USAGE_ERROR
    told = capfd.readouterr()
    assert message in told.err
    assert "Traceback" not in told.out + told.err
    assert not (pytester.path / ".seedshift/why.html").exists()


def test_a_plan_says_what_it_would_take_and_makes_nothing(pytester, capfd):
    assert main(["why", "toy-latent", "toy-glide", "--plan", "--factors=sampler,steps=5,10,20"]) == pytest.ExitCode.OK
    told = capfd.readouterr()
    pytest.LineMatcher(told.out.splitlines()).fnmatch_lines(
        [
            "What differs between the models",
            "  clipping * not crossed",
            "Crossed: model (toy-latent, toy-glide) × sampler (DDIM, ancestral) × steps (5, 10, 20): 12 arms",
            "steps crossed, so that * 12 arms in place of 4. --factors chooses others",
            "  toy-glide+ancestral+steps=20 * 368 * 368 * not known",
            "4416 images to make; how long that takes is not known: no image of toy-latent, toy-glide was timed*",
            "The effect of model toy-glide will not be attributed: model* differ: this experiment cannot tell*",
        ],
        consecutive=False,
    )
    assert not samples_of(pytester.path / ".seedshift")
    assert not (pytester.path / ".seedshift/why.html").exists()


@pytest.mark.slow
def test_a_plan_counts_what_exists(folder, document, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    crossed = "--factors=sampler,guidance=1.5,2"
    assert main(["why", BASE, *ARGUMENTS[1:], crossed, "--plan", "--json"]) == pytest.ExitCode.OK
    plan = json.loads(capfd.readouterr().out)
    # what guidance 1.5 adds to a name changes nothing; the seed sensitivity is kept by the name
    assert [each["lacking"] for each in plan["arms"]] == [48, 112, 48, 112]
    assert {each["images"] for each in plan["arms"]} == {112}
    assert plan["lacking"] == 320


def test_a_project_that_makes_errors_of_warnings_has_its_commands_all_the_same(pytester):
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n')
    done = why(pytester.path, "nosuch")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unknown model 'nosuch'" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_interruption_is_reported_without_a_traceback(pytester, capfd):
    def interrupt(state):
        raise KeyboardInterrupt

    assert command_session.run(["toy-latent"], [], interrupt) == pytest.ExitCode.INTERRUPTED
    told = capfd.readouterr()
    assert told.err == "interrupted\n"  # nothing was stored that could be kept
    assert "Traceback" not in told.out + told.err
