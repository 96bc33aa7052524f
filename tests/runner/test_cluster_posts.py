"""Where actors are started: a place for each GPU, or one for each machine without any."""

from __future__ import annotations

import pytest

from pytest_seedshift.runner.cluster.posts import MOST_STARTS, Posts


def node(name, *, cpus=8, gpus=0, alive=True):
    of_gpus = {"GPU": float(gpus), "accelerator_type:H100": 1.0} if gpus else {}
    resources = {"CPU": float(cpus), "memory": 2.0**34, **of_gpus}
    where = {"NodeManagerHostname": f"host-{name}", "NodeManagerAddress": ""}
    return {"NodeID": name, "Alive": alive, "Resources": resources, **where}


@pytest.mark.parametrize(
    ("gpus_per_model", "processes", "on_cpu", "found", "names"),
    [
        (1, None, None, [node("a", gpus=2), node("b")], ["node-1/gpu-0", "node-1/gpu-1"]),
        (2, None, None, [node("a", gpus=5)], ["node-1/gpu-0", "node-1/gpu-1"]),
        (2, None, None, [node("a", gpus=1)], []),
        (1, None, None, [node("a"), node("b")], ["node-1/cpu-0", "node-2/cpu-0"]),
        (1, None, True, [node("a", gpus=2)], ["node-1/cpu-0"]),
        (1, 3, None, [node("a", cpus=3)], ["node-1/cpu-0", "node-1/cpu-1", "node-1/cpu-2"]),
        (1, 1, None, [node("a", gpus=4)], ["node-1/gpu-0"]),
        (1, None, None, [node("a", cpus=0)], []),
        (1, None, False, [node("a")], []),
    ],
)
def test_places(gpus_per_model, processes, on_cpu, found, names):
    posts = Posts(gpus_per_model, processes, on_cpu=on_cpu)
    posts.see(found)
    assert [post.name for post in posts] == names
    assert all(post.gpus == (gpus_per_model if "gpu" in post.name else 0) for post in posts)


def test_processes_of_one_machine_share_its_cores():
    posts = Posts(1, 4, on_cpu=None, cores=64)
    posts.see([node("a", cpus=4)])
    assert [(post.cpus, post.threads) for post in posts] == [(1, 16)] * 4


def test_machines_come_and_go_and_names_are_not_used_twice():
    posts = Posts(1, None, on_cpu=None)
    _, new = posts.see([node("a", gpus=1), node("b", gpus=1)])
    assert [str(each) for each in new] == ["node-1 (host-a)", "node-2 (host-b)"]
    left, new = posts.see([node("a", gpus=1), node("b", gpus=1, alive=False), node("c", gpus=1)])
    assert [post.name for post in left] == ["node-2/gpu-0"]
    assert [each.name for each in new] == ["node-3"]
    assert posts.see([node("a", gpus=1), node("c", gpus=1)]) == ([], [])


def test_a_place_where_nothing_starts_is_given_up_with_the_reason():
    posts = Posts(1, None, on_cpu=None)
    posts.see([node("a", gpus=1)])
    [post] = posts
    for _ in range(MOST_STARTS):
        assert posts.open
        post.start(object())
        post.fail("no torch")
    assert posts.open == []
    assert posts.reasons == ["node-1/gpu-0: no torch"]
