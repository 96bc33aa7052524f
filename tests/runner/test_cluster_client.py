"""A Ray cluster from outside, at `ray://HOST:PORT`: what dies is made elsewhere, as on one of its machines."""

from __future__ import annotations

import os
import time

import pytest

from helpers import painter
from helpers.paint_crew import PATIENCE, PaintCrew
from helpers.ray_nodes import started
from pytest_seedshift.core.errors import HarnessError, SeedshiftUsageError
from pytest_seedshift.runner.cluster import address
from pytest_seedshift.runner.cluster.executor import ClusterExecutor
from pytest_seedshift.runner.cluster.protocol import Options

pytest.importorskip("ray")
pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def nodes():
    with started({}, {}, client=True) as made:
        yield made


@pytest.fixture(scope="module")
def crew(nodes, tmp_path_factory):
    made = PaintCrew(nodes, tmp_path_factory.mktemp("told"), nodes.client)
    yield made
    made.executor.close()


def test_a_wrong_token_is_told(nodes, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(SeedshiftUsageError, match=r"refuses this machine's token[: ].*RAY_AUTH_TOKEN_PATH"):
        ClusterExecutor(Options(address.parse(nodes.client)))


def test_an_actor_is_killed_and_another_one_takes_its_place(crew):
    crew.check_killed()


def test_a_study_whose_process_dies_is_done_by_another_one(crew):
    crew.tell(deadly=1)
    crew.executor.call(painter.NAME, painter.study, crew.folder)
    assert not (crew.folder / "deadly").exists()


def test_an_actor_that_hangs_is_ended(crew):
    crew.wait_for(lambda: sum(is_alive(crew.pid(slot)) for slot in crew.slots) == 2)
    pids = {crew.pid(slot) for slot in crew.slots}
    crew.tell(hang=1)
    assert all(done.failed == {} for done in crew.collect(crew.submit(4)))
    assert "has not come to an end in 40 s and is ended" in crew.notes()
    crew.wait_for(lambda: len(crew.slots) >= 2)
    assert len(pids - {crew.pid(slot) for slot in crew.slots}) == 1
    crew.wait_for(lambda: sum(map(is_alive, pids)) == 1)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_node_is_lost_and_another_one_joins(crew):
    crew.tell(slow=0.5)
    orders = crew.submit(8)
    time.sleep(0.7)
    crew.nodes.kill(1)
    assert all(done.failed == {} for done in crew.collect(orders))
    crew.tell(slow=0)
    left = set(crew.slots)
    crew.nodes.add()
    crew.wait_for(lambda: set(crew.slots) - left)
    assert "has joined" in crew.notes()


def test_a_head_that_is_lost_is_told(crew):
    """The last of this file: nothing is left of the cluster."""
    crew.tell(slow=1)
    crew.submit(8)
    crew.nodes.kill(0)

    def wait():
        for _ in range(PATIENCE):
            crew.executor.wait(1)

    with pytest.raises(HarnessError, match=r"the Ray cluster (was lost|does not answer any more)"):
        wait()
    crew.executor.close()
