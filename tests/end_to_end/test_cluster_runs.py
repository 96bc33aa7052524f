"""Whole runs over a Ray cluster of three nodes: they say what a run of one process says."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import painted
from helpers.painted_runs import MINE, PYTEST, THRESHOLDS, document, run
from helpers.ray_nodes import RayNodes, started

pytest.importorskip("ray")

STUDIES = ("--seedshift-breaking-point", "--seedshift-sensitivity=always")


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with started({}, {}, {}) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(painted.losing(0, 5, 1))
    (tmp_path / "thresholds.toml").write_text(THRESHOLDS)
    return tmp_path


def over(nodes: RayNodes) -> str:
    return f"--seedshift-cluster={nodes.address}"


def judged(folder: Path, name: str = ".seedshift") -> list[tuple[Any, ...]]:
    """What a run says of its cases and searches, without the last digits of scores."""
    found = document(folder, name)
    cases = [(case["id"], case["verdict"], case["images"], means(case["scores"])) for case in found["cases"]]
    names = ("id", "verdict", "low", "high")
    searches = [tuple(each.get(name) for name in names) for each in found.get("breaking", [])]
    return cases + searches


def means(scores: dict[str, Any]) -> dict[str, float]:
    return {name: round(each["mean"], 3) for name, each in scores.items()}


def test_a_run_over_three_nodes_says_what_one_process_says(nodes, project):
    arguments = (*MINE, "--seedshift-null", "--seedshift-breaking-point", "--seedshift-report=none")
    run(project, *arguments, "--seedshift-dir=here")
    said = run(project, *arguments, "--seedshift-dir=there", over(nodes))
    assert document(project, "there") == document(project, "here")
    assert "Traceback" not in said
    assert "(pid=" not in said  # as Ray's own lines begin


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("toy-latent", ("--seedshift-images=16", "--seedshift-trajectories=1", *STUDIES)),
        ("toy-glide", ("--seedshift-images=16", "--seedshift-null")),
    ],
)
def test_the_toys_have_the_same_verdicts_and_counts(nodes, tmp_path, model, more):
    asked = (f"--seedshift-model={model}", "--seedshift-shift=mean", "--seedshift-magnitude=0.3", *more)
    for name, where in (("here", ()), ("there", (over(nodes),))):
        run(tmp_path, *asked, "--seedshift-batch-size=4", f"--seedshift-dir={name}", *where, status=None)
    assert judged(tmp_path, "there")
    assert judged(tmp_path, "there") == judged(tmp_path, "here")
    kept = [sorted(path.name for path in (tmp_path / name).rglob("*trajector*")) for name in ("here", "there")]
    assert kept[0] == kept[1]


@pytest.mark.nightly
def test_stopping_at_the_first_failure_and_going_on_with_the_last_failed(nodes, project):
    (project / "cache").mkdir()
    cached = ("-o", "cache_dir=cache", *MINE, over(nodes))
    said = run(project, "-x", *cached)
    assert "1 failed" in said
    assert "stopping after 1 failures" in said
    said = run(project, "--lf", *cached)
    assert "1 failed" in said
    assert "passed" not in said


@pytest.mark.nightly
def test_a_baseline_holds_over_a_cluster(nodes, project):
    run(project, *MINE, "--seedshift-save-baseline=before.json")
    (project / "thresholds.toml").write_text(THRESHOLDS.replace("0.8", "{ min = 0.5, max_regression = 0.3 }"))
    run(project, *MINE, "--seedshift-baseline=before.json", "--seedshift-dir=here", status=0)
    run(project, *MINE, "--seedshift-baseline=before.json", "--seedshift-dir=there", over(nodes), status=0)
    assert judged(project, "there") == judged(project, "here")


@pytest.mark.nightly
def test_a_killed_pytest_leaves_nothing_behind_and_the_next_run_goes_on(nodes, project):
    slow = (project / "conftest.py").read_text().replace("import torch\n", "import time, torch; time.sleep(0.3)\n", 1)
    (project / "conftest.py").write_text(slow)
    arguments = (*MINE, "--seedshift-exact", "--seedshift-batch-size=4")
    killed = subprocess.Popen([*PYTEST, "seedshift", *arguments, over(nodes)], cwd=project, stdout=subprocess.DEVNULL)
    store = project / ".seedshift" / "samples.sqlite"
    end = time.monotonic() + 300
    while not (store.exists() and made(store)) and time.monotonic() < end:
        time.sleep(0.2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    before = made(store)
    assert before
    said = run(project, *arguments, over(nodes))
    assert f"{192 - before} generated" in said
    run(project, *arguments, "--seedshift-dir=here")
    assert document(project) == document(project, "here")


@pytest.mark.nightly
@pytest.mark.parametrize("times", [1, 2])
def test_who_interrupts_a_run_leaves_nothing_behind_and_who_does_it_twice_does_not_wait(nodes, project, times):
    import psutil

    slow = (project / "conftest.py").read_text().replace("import torch\n", "import time, torch; time.sleep(5)\n", 1)
    (project / "conftest.py").write_text(slow)
    arguments = (*MINE, "--seedshift-exact", "--seedshift-batch-size=2", over(nodes))
    run_ = subprocess.Popen(
        [*PYTEST, "seedshift", *arguments], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    store = project / ".seedshift" / "samples.sqlite"
    end = time.monotonic() + 300
    while not (store.exists() and made(store)) and time.monotonic() < end:
        time.sleep(0.2)
    brokers = psutil.Process(run_.pid).children()
    assert brokers
    for _ in range(times):
        run_.send_signal(signal.SIGINT)
        time.sleep(3)  # by then pytest has said so, and waits
    said, _ = run_.communicate(timeout=120)
    assert run_.returncode == 2, said
    assert "Traceback" not in said
    assert psutil.wait_procs(brokers, timeout=60)[1] == []


def made(store: Path) -> int:
    import sqlite3
    from contextlib import closing

    try:
        with closing(sqlite3.connect(store)) as connection:
            return int(connection.execute("SELECT count(*) FROM samples").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.mark.nightly
def test_a_ray_that_is_lost_ends_the_run_with_a_sentence(nodes, project):
    """The last of this file: nothing is left of the cluster."""
    slow = (project / "conftest.py").read_text().replace("import torch\n", "import time, torch; time.sleep(2)\n", 1)
    (project / "conftest.py").write_text(slow)
    arguments = (*MINE, "--seedshift-exact", "--seedshift-batch-size=1", over(nodes))
    running = subprocess.Popen(
        [*PYTEST, "seedshift", *arguments], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    store = project / ".seedshift" / "samples.sqlite"
    end = time.monotonic() + 300
    while not (store.exists() and made(store)) and time.monotonic() < end:
        time.sleep(0.2)
    nodes.kill(0)
    said, error = running.communicate(timeout=300)
    assert running.returncode == 4, said + error
    assert "the Ray cluster was lost" in said or "the Ray cluster does not answer any more" in said
    assert "Traceback" not in said + error
    assert made(store)
