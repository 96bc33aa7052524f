"""A real Ray cluster of three nodes: whatever dies, every order ends once, and what can be made is made."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import pytest

from helpers import painter
from helpers.paint_crew import DESIGN, PATIENCE, SIZE, PaintCrew
from helpers.ray_nodes import started
from pytest_seedshift.core.errors import HarnessError, SeedshiftUsageError
from pytest_seedshift.runner.cluster import address
from pytest_seedshift.runner.cluster.executor import ClusterExecutor
from pytest_seedshift.runner.cluster.protocol import Options

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def nodes():
    with started({}, {}, {"PAINTER_NAN": "1"}) as made:
        yield made


@pytest.fixture(scope="module")
def crew(nodes, tmp_path_factory):
    made = PaintCrew(nodes, tmp_path_factory.mktemp("told"))
    yield made
    made.executor.close()


def colours(done):
    return {each.row: round(each.scores[0]["light"], 4) for each in done.made}


def test_a_wrong_token_is_told(nodes, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(SeedshiftUsageError, match=r"refuses this machine's token[: ].*RAY_AUTH_TOKEN_PATH"):
        ClusterExecutor(Options(address.parse(nodes.address)))


def test_what_one_gives_nan_of_others_make_and_it_is_used_no_more(crew):
    assert len(crew.slots) == 3
    for done in crew.collect(crew.submit(12)):
        assert done.failed == {}
        assert set(colours(done).values()) == {0.502, 0.5294}  # steps of 1/255
    crew.wait_for(lambda: len(crew.slots) < 3)
    assert "is not used any more: 3 times what failed there was made by another one" in crew.notes()


def test_an_actor_is_killed_and_another_one_takes_its_place(crew):
    crew.check_killed()


@pytest.mark.nightly
def test_a_study_whose_process_dies_is_done_by_another_one(crew):
    pids = {crew.pid(slot) for slot in crew.slots}
    crew.tell(deadly=1)
    found = crew.executor.call(painter.NAME, painter.study, crew.folder)
    assert not (crew.folder / "deadly").exists()
    assert found in {crew.pid(slot) for slot in crew.slots}
    assert len(pids) >= 2


@pytest.mark.nightly
def test_a_pair_that_kills_is_blamed_and_all_others_are_made(crew):
    number = crew._next
    poison = DESIGN[SIZE * number + 2]
    crew.tell(poison=f"{poison.label.name}/{poison.seed}")
    done, *others = crew.collect(crew.submit(4))
    crew.tell(poison="")
    assert [row.pair for row in done.failed] == [poison]
    assert "dies over it" in next(iter(done.failed.values()))
    assert all(each.failed == {} for each in others)
    crew.wait_for(lambda: len(crew.slots) >= 2)


@pytest.mark.nightly
def test_an_actor_that_hangs_is_ended(crew):
    crew.tell(hang=1)
    assert all(done.failed == {} for done in crew.collect(crew.submit(4)))
    assert "has not come to an end in 40 s and is ended" in crew.notes()
    crew.wait_for(lambda: len(crew.slots) >= 2)


@pytest.mark.nightly
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
    new = set(crew.slots) - left
    assert new & {done.slot for done in crew.collect(crew.submit(8))}


@pytest.mark.nightly
def test_thirty_deaths_at_random_times_lose_nothing(crew):
    draw = random.Random(0)
    crew.tell(slow=1)
    orders, killed = crew.submit(60), 0
    done = {}
    while len(done) < len(orders):
        for each in crew.executor.wait(draw.uniform(2, 8)):
            assert each.order.number not in done
            done[each.order.number] = each
        alive = [slot for slot in crew.slots if killed < 30]
        if alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(crew.pid(draw.choice(alive)), signal.SIGKILL)
            killed += 1
    crew.tell(slow=0)
    assert killed >= 10
    for order in orders:
        assert done[order.number].failed == {}, crew.executor.notes[-40:]
        assert done[order.number].unusable == ""
        assert {each.row for each in done[order.number].made} == set(order.rows)


def test_with_no_node_left_it_is_told(crew):
    crew.tell(slow=1)
    crew.submit(4)
    for place in range(1, len(crew.nodes.nodes)):
        crew.nodes.kill(place)

    def wait():
        for _ in range(PATIENCE):
            crew.executor.wait(1)

    with pytest.raises(HarnessError, match="no process is left that could make images"):
        wait()
    with pytest.raises(HarnessError, match="no process is left"):
        crew.executor.slots()
    assert list(crew.executor.close()) == []
