"""The ways into a Ray cluster: from outside, by RAY_ADDRESS, and that of this machine, which `ray start` has made."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import painted
from helpers.painted_runs import MINE, THRESHOLDS, document, run
from helpers.ray_nodes import RayNodes, free_port, started

pytest.importorskip("ray")
pytestmark = pytest.mark.nightly

AUTO = "--seedshift-cluster=auto"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the verdicts of one process in `here`."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "conftest.py").write_text(painted.losing(0, 5, 1))
    (folder / "thresholds.toml").write_text(THRESHOLDS)
    run(folder, *MINE, "--seedshift-report=none", "--seedshift-dir=here")
    return folder


def agrees(project: Path, *arguments: str, **environment: str) -> bool:
    """Whether a run on a cluster says what one process says."""
    run(project, *MINE, "--seedshift-report=none", "--seedshift-dir=there", *arguments, **environment)
    found = document(project, "there")
    shutil.rmtree(project / "there")
    return found == document(project, "here")


def told(project: Path, *arguments: str, **environment: str) -> str:
    return run(project, *MINE, "--seedshift-dir=told", *arguments, status=4, **environment)


@pytest.fixture(autouse=True)
def without_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_without_any_cluster_it_is_told_how_there_would_be_one(project: Path, tmp_path: Path) -> None:
    import psutil

    if any("gcs_server" in (each.info["name"] or "") for each in psutil.process_iter(["name"])):
        pytest.skip("there is a Ray on this machine")
    alone = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "RAY_TMPDIR": str(tmp_path)}
    assert "this machine belongs to no Ray cluster and RAY_ADDRESS is not set" in told(project, AUTO, **alone)


# From outside ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with started({}, {}, client=True) as made:
        yield made


def test_a_run_from_outside_says_what_one_process_says(nodes: RayNodes, project: Path) -> None:
    assert agrees(project, f"--seedshift-cluster={nodes.client}")


def test_ray_s_own_variable_names_a_cluster_from_outside(nodes: RayNodes, project: Path) -> None:
    assert agrees(project, AUTO, RAY_ADDRESS=nodes.client)


def test_the_two_ports_of_a_head_are_not_mixed_up_without_a_word(nodes: RayNodes, project: Path) -> None:
    said = told(project, f"--seedshift-cluster={nodes.client.removeprefix('ray://')}")
    assert "or it is no head of a Ray cluster, which has the port 6379 unless" in said
    said = told(project, f"--seedshift-cluster=ray://{nodes.address}")
    assert "or it is no Ray client server, which has the port 10001 unless" in said


# That of this machine -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a machine on which `ray start --head` was run, with a place of its own for what Ray leaves."""
    place = Path("/tmp") / f"ray-{secrets.token_hex(4)}"  # its sockets bear no long name
    place.mkdir()
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_TMPDIR": str(place),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_raylet_start_wait_time_s": "120",
        "HEAD": f"127.0.0.1:{free_port()}",
    }
    port = environment["HEAD"].rpartition(":")[2]
    more = ("--include-dashboard=false", "--num-cpus=1", "--num-gpus=0", "--object-store-memory=100000000", "--block")
    command = (str(Path(sys.executable).parent / "ray"), "start", "--head", f"--port={port}", *more)
    process = subprocess.Popen(
        [*command, "--node-ip-address=127.0.0.1"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 200
        while not (place / "ray" / "ray_current_cluster").exists() and time.monotonic() < end:
            time.sleep(0.2)
        yield environment
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(place, ignore_errors=True)


def test_the_cluster_of_this_machine_is_found(head: dict[str, str], project: Path) -> None:
    assert agrees(project, AUTO, **head)


def test_it_is_found_by_its_address_in_ray_s_variable(head: dict[str, str], project: Path) -> None:
    assert agrees(project, AUTO, **{**head, "RAY_TMPDIR": "/tmp", "RAY_ADDRESS": head["HEAD"]})


def test_another_token_is_told_with_the_address_that_was_found(head: dict[str, str], project: Path) -> None:
    said = told(project, AUTO, **{**head, "RAY_AUTH_TOKEN": "0" * 64})
    assert f"--seedshift-cluster=auto ({head['HEAD']}): what answers there" in said
    assert "refuses this machine's token" in said


def test_an_address_of_jobs_is_told(project: Path, head: dict[str, str]) -> None:
    assert "names no cluster that a run can join" in told(project, AUTO, **head, RAY_ADDRESS="http://127.0.0.1:8265")
