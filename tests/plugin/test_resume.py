"""What exists is used again: after a run was killed, in the next run, in the process beside this one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from helpers.run_server import Server
from helpers.runs import cases_of
from pytest_seedshift.results.sample_store import Store

IMAGES, BATCH = 24, 4
THRESHOLDS = "[default]\ntop1 = { min = 0.4, max_drop = 0.4 }\nclip = 25.0\n[shift.mean]\nclip = 50.0\n"
WHOLE = (
    "--seedshift-model=toy-latent",
    f"--seedshift-images={IMAGES}",
    f"--seedshift-batch-size={BATCH}",
    "--seedshift-magnitude=0.3",
    "--seedshift-exact",
    "-pno:cacheprovider",
)
MEAN = (*WHOLE, "--seedshift-shift=mean")
"""The control and one case, all images of both."""


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.process.communicate(timeout=60)
    assert server.process.returncode == 0


def store_of(folder: Path) -> Path:
    return folder / ".seedshift/samples.sqlite"


def samples_by_case(folder: Path) -> dict[str, int]:
    """How many images of each shift the store has, each with all of its scores."""
    with closing(Store(store_of(folder))) as store:
        store.check()
    with closing(sqlite3.connect(store_of(folder))) as connection:
        images = dict(connection.execute("SELECT shift, count(*) FROM images GROUP BY 1"))
        scores = dict(connection.execute("SELECT shift, count(*) FROM samples GROUP BY 1"))
    assert scores == {shift: 2 * count for shift, count in images.items()}
    return images


def judged(folder: Path) -> dict[str, dict[str, Any]]:
    """What verdicts.json says of the cases, without what it says of the way there."""
    cases = cases_of(folder / ".seedshift")
    return {name: {**case, "generated": None, "seconds": None} for name, case in cases.items()}


def pictures(folder: Path) -> dict[str, bytes]:
    found = (folder / ".seedshift/pictures").rglob("*")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


def shown(folder: Path) -> list[str]:
    """Those that a run cannot do without; others are kept where they are made anyway."""
    rows = [row for case in cases_of(folder / ".seedshift").values() for row in case["pictures"]]
    return sorted({f".seedshift/{row[which]}" for row in rows for which in ("picture", "control")})


@pytest.fixture
def run(pytester):
    """Run pytest in this process, and say what the verdicts are and how often each image was generated."""
    from pytest_seedshift.models.pipeline import DiffusersPipeline

    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)

    def run(*arguments: str) -> tuple[pytest.RunResult, Counter[tuple[bool, str, int]]]:
        made: Counter[tuple[bool, str, int]] = Counter()
        generate = DiffusersPipeline.generate

        def counted(self, pairs, shift=None, on_step=None):
            images = generate(self, pairs, shift, on_step)  # a model is tried by a first step, which makes none
            made.update((shift is None, pair.label.name, pair.seed) for pair in pairs)
            return images

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DiffusersPipeline, "generate", counted)
            return pytester.runpytest_inprocess(*arguments), made

    return run


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture
def undisturbed(pytester, kept, run) -> Path:
    """The folder of a run of `MEAN` that nothing disturbed; it is made once."""
    if not (kept / ".seedshift").exists():
        result, made = run(*MEAN)
        result.stdout.no_fnmatch_line("*will be used again*")
        result.assert_outcomes(passed=1, failed=1)
        assert made.total() == 2 * IMAGES
        (pytester.path / ".seedshift").rename(kept / ".seedshift")
    return kept


@pytest.fixture
def after_undisturbed(pytester, undisturbed, run):
    """As `run`, in a copy of the folder of the undisturbed run."""
    shutil.copytree(undisturbed / ".seedshift", pytester.path / ".seedshift")
    return run


# Killed -----------------------------------------------------------------------------------------------------------


def kill(server: Server, folder: Path, samples: int, delay: float) -> None:
    """Start or go on with a run and kill it some time after it has written so many samples."""
    deadline = time.monotonic() + 120
    process = server.start(folder, *MEAN)
    try:
        while written(store_of(folder)) < samples and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay)
    finally:
        os.kill(process, signal.SIGKILL)
        assert server.end(process) == -signal.SIGKILL, (folder / "output.txt").read_text()


def written(path: Path) -> int:
    """How many images a store has that is perhaps just being made."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT count(*) FROM images").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, pytest.param(4, marks=pytest.mark.nightly)])
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(pytester, server, undisturbed, run, times):
    rng, before = random.Random(5), 0
    kill(server, pytester.path, 0, 1.0)  # while it loads the model
    for least in sorted(rng.sample(range(1, IMAGES + BATCH), times)):
        kill(server, pytester.path, max(least, before + 1), rng.uniform(0, 0.15))
        samples = samples_by_case(pytester.path)
        assert all(count % BATCH == 0 for count in samples.values())
        assert max(least, before + 1) <= sum(samples.values()) < 2 * IMAGES
        before = sum(samples.values())
    result, made = run(*MEAN)
    result.stdout.fnmatch_lines([f"seedshift: {before} samples of earlier runs will be used again"])
    assert set(made.values()) == {1}
    assert made.total() == 2 * IMAGES - before
    assert samples_by_case(pytester.path) == {"none": IMAGES, "mean": IMAGES}
    assert judged(pytester.path) == judged(undisturbed)
    assert pictures(pytester.path) == pictures(undisturbed)


# Again ------------------------------------------------------------------------------------------------------------


def test_a_run_that_was_finished_generates_nothing_the_next_time(pytester, undisturbed, after_undisturbed):
    result, made = after_undisturbed(*MEAN)
    assert made == {}
    result.stdout.fnmatch_lines([f"seedshift: {2 * IMAGES} samples of earlier runs will be used again", "*0 generated"])
    assert judged(pytester.path) == judged(undisturbed)


def test_what_exists_is_judged_without_loading_a_model(after_undisturbed, monkeypatch):
    from pytest_seedshift.models import load

    monkeypatch.setattr(load, "load", lambda *_: pytest.fail("a model is loaded"))
    result, _ = after_undisturbed(*MEAN)
    result.assert_outcomes(passed=1, failed=1)


def test_the_plan_counts_what_exists(after_undisturbed):
    result, made = after_undisturbed(*MEAN, "--seedshift-plan")
    assert made == {}
    result.stdout.fnmatch_lines(
        [f"seedshift: {2 * IMAGES} samples of earlier runs will be used again", f"*mean-+0.30*{IMAGES} exist"]
    )


def test_other_thresholds_are_held_against_the_same_samples(pytester, undisturbed, after_undisturbed):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = 0.0\nclip = 50.0\n")
    result, made = after_undisturbed(*MEAN)
    assert made == {}
    result.assert_outcomes(failed=2)
    before = judged(undisturbed)
    assert {name: case["scores"] for name, case in judged(pytester.path).items()} == {
        name: before[name]["scores"] for name in before
    }


def test_a_verdict_that_may_stop_early_looks_at_no_more_than_it_needs(pytester, after_undisturbed):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\nclip = 5.0\n")
    _, made = after_undisturbed(*[argument for argument in MEAN if argument != "--seedshift-exact"])
    assert made == {}
    assert all(case["images"] < IMAGES == case["design"] for case in judged(pytester.path).values())


def test_fresh_uses_nothing_and_keeps_the_former_store(pytester, after_undisturbed):
    former = store_of(pytester.path).read_bytes()
    result, made = after_undisturbed(*MEAN, "-k", "none", "--seedshift-fresh")
    assert made.total() == IMAGES
    result.stdout.no_fnmatch_line("*will be used again*")
    assert samples_by_case(pytester.path) == {"none": IMAGES}
    assert store_of(pytester.path).with_name("samples.previous.sqlite").read_bytes() == former


def test_a_plan_for_a_fresh_run_leaves_the_store_where_it_is(pytester, after_undisturbed):
    result, _ = after_undisturbed(*MEAN, "--seedshift-fresh", "--seedshift-plan")
    result.stdout.no_fnmatch_line("*exist*")
    assert samples_by_case(pytester.path) == {"none": IMAGES, "mean": IMAGES}


def test_a_larger_design_makes_only_what_it_has_more(pytester, after_undisturbed):
    _, made = after_undisturbed(*MEAN, "-k", "mean", "--seedshift-images=28", "--seedshift-keep-images=none")
    assert made.total() == 2 * 4
    assert samples_by_case(pytester.path) == {"none": 28, "mean": 28}


# Pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pictures_are_kept_as_asked_and_later_only_the_missing_ones_are_made(pytester, undisturbed, run):
    _, made = run(*MEAN, "--seedshift-keep-images=none")
    assert made.total() == 2 * IMAGES
    assert pictures(pytester.path) == {}
    before = cases_of(pytester.path / ".seedshift")
    assert all(case["pictures"] == [] for case in before.values())
    _, made = run(*MEAN)
    assert made.total() == len(pictures(pytester.path)) == 16
    assert shown(pytester.path) == sorted(pictures(pytester.path)) == shown(undisturbed)
    after = cases_of(pytester.path / ".seedshift")
    assert [case["verdict"] for case in after.values()] == [case["verdict"] for case in before.values()]


def test_the_plan_counts_only_the_missing_pictures(pytester, after_undisturbed):
    for picture in shown(pytester.path)[:3]:
        pytester.path.joinpath(picture).unlink()
    result, made = after_undisturbed(*MEAN)
    assert made.total() == 3
    result.stdout.fnmatch_lines(["seedshift: about * to generate 3 images *"])


def test_a_picture_that_is_made_again_changes_no_score(pytester, undisturbed, after_undisturbed):
    """A lone image is computed otherwise than in its batch: its last bits may differ, but it was measured already."""
    for picture in pictures(pytester.path):
        pytester.path.joinpath(picture).unlink()
    _, made = after_undisturbed(*MEAN, "--seedshift-batch-size=3")
    assert made.total() == 16
    assert judged(pytester.path) == judged(undisturbed)


def test_all_pictures_are_kept_where_all_are_asked_for(pytester, after_undisturbed):
    kept = sum("none" in name for name in pictures(pytester.path))
    assert kept >= 8
    _, made = after_undisturbed(*MEAN, "-k", "none", "--seedshift-keep-images=all")
    assert made.total() == IMAGES - kept
    assert sum("none" in name for name in pictures(pytester.path)) == IMAGES


def test_an_unknown_choice_of_pictures_is_a_usage_error(run):
    result, _ = run(*MEAN, "--seedshift-keep-images=al")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --seedshift-keep-images=al: unknown choice 'al'. Did you mean 'all'?*"])


# The control ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_drop_needs_no_run_of_the_control_and_every_case_shares_its_samples(pytester, undisturbed, run):
    result, made = run(*MEAN, "-k", "mean")
    result.assert_outcomes(failed=1, deselected=1)
    assert set(made.values()) == {1}
    assert made.total() == 2 * IMAGES
    assert samples_by_case(pytester.path) == {"none": IMAGES, "mean": IMAGES}
    (name,) = judged(pytester.path)
    assert judged(pytester.path)[name] == judged(undisturbed)[name]
    _, made = run(*WHOLE, "--seedshift-shift=std")
    assert not any(control for control, *_ in made)
    assert made.total() == IMAGES
    assert samples_by_case(pytester.path) == {"none": IMAGES, "mean": IMAGES, "std": IMAGES}


def test_the_verdicts_count_every_image_that_was_generated(pytester, run):
    run(*MEAN, "-k", "none")
    counted = sum(case["generated"] for case in cases_of(pytester.path / ".seedshift").values())
    assert counted == sum(samples_by_case(pytester.path).values())


# Side by side -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_make_no_sample_twice(pytester, run):
    result, _ = run(*WHOLE, "--seedshift-images=16", "--seedshift-shift=mean,std", "-kmean or std", "-n2")
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert samples_by_case(pytester.path) == {"none": 16, "mean": 16, "std": 16}
    generated = [case["generated"] for case in cases_of(pytester.path / ".seedshift").values()]
    assert len(generated) == 2
    assert sum(generated) == 3 * 16


@pytest.mark.slow
def test_two_runs_at_once_in_one_folder_make_every_sample_once(pytester, server, undisturbed):
    names = ("first.txt", "second.txt")
    processes = [server.start(pytester.path, *MEAN, output=name) for name in names]
    assert [server.end(process) for process in processes] == [pytest.ExitCode.TESTS_FAILED] * 2
    assert samples_by_case(pytester.path) == {"none": IMAGES, "mean": IMAGES}
    assert judged(pytester.path) == judged(undisturbed)
    assert pictures(pytester.path) == pictures(undisturbed)
    outputs = [(pytester.path / name).read_text() for name in names]
    assert all("2 cases: 1 pass, 1 fail" in output for output in outputs)
    assert not any("seedshift: warning" in output or "Traceback" in output for output in outputs)
    generated = [int(output.partition(" images looked at, ")[2].split()[0]) for output in outputs]
    assert sum(generated) == 2 * IMAGES


def test_samples_are_found_by_any_process_wherever_the_folder_lies(pytester, undisturbed, run, tmp_path):
    moved = shutil.copytree(undisturbed / ".seedshift", tmp_path / "moved")
    _, made = run(*MEAN, f"--seedshift-dir={moved}")
    assert made == {}
    assert json.loads((moved / "verdicts.json").read_text())["cases"]
