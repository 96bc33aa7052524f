"""A real Ray cluster of several nodes on this machine, in a process of its own, whose nodes can be killed.

Run as a program it is that process: it takes a JSON list of nodes (each its environment, and `gpus` where it says that
it has some), answers with address and processes, then adds a node for each further line. Its argument is the port of a
Ray client server, or 0 for none.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

STORE = 100 * 2**20

_TRIES = 3


@contextlib.contextmanager
def started(*nodes: Mapping[str, str], client: bool = False) -> Iterator[RayNodes]:
    """A cluster of such nodes, which pytest's process finds and has the token of."""
    import pytest  # not in the process of the nodes

    with pytest.MonkeyPatch.context() as patch:
        made = _made(nodes, client)
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", made.token)
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        try:
            yield made
        finally:
            made.stop()


def _made(nodes: Sequence[Mapping[str, str]], client: bool) -> RayNodes:
    """A cluster, started again where Ray itself gives up, as it does on a machine that is busy with other tests."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(NotStartedError):
            return RayNodes(*nodes, client=client)
    return RayNodes(*nodes, client=client)


class NotStartedError(AssertionError):
    """Ray has ended before all of its nodes were there."""


class RayNodes:
    """A cluster whose first node is its head, and has no place for an actor."""

    def __init__(self, *nodes: Mapping[str, str], token: str | None = None, client: bool = False) -> None:
        """Each of `nodes` is one with a CPU and what its environment has besides; `gpus` is how many it says it has.

        With `client` the head serves Ray's clients, at the address `client`.
        """
        self.token = token or secrets.token_hex(32)
        environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "120",
            "RAY_health_check_failure_threshold": "3",
            "RAY_health_check_period_ms": "1000",
        }
        environment.pop("RAY_ADDRESS", None)
        port = free_port() if client else 0
        self.client = f"ray://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__)), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            start_new_session=True,
        )
        self.nodes: list[dict[str, Any]] = []
        try:
            self.address = self._ask([dict(node) for node in nodes])
        except BaseException:
            self.stop()
            raise

    def _ask(self, nodes: Sequence[Mapping[str, str]]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(nodes)}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                self.nodes += answer["nodes"]
                return str(answer["address"])
        raise NotStartedError("Ray has not started")

    def add(self, **environment: str) -> None:
        """Let another node join."""
        self._ask([environment])

    def kill(self, place: int) -> None:
        """Kill a node as a machine dies: all of its processes, its actors among them."""
        import psutil

        found = [psutil.Process(pid) for pid in self.nodes[place]["pids"] if psutil.pid_exists(pid)]
        for each in [child for process in found for child in process.children(recursive=True)] + found:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue

    def stop(self) -> None:
        """End all of it."""
        try:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                assert self._process.stdin is not None
                self._process.stdin.close()
                self._process.wait(60)
        finally:
            for place in range(len(self.nodes)):
                self.kill(place)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _serve(client: int) -> None:
    from ray.cluster_utils import Cluster

    cluster: Any = None
    for line in sys.stdin:
        made = []
        if cluster is None:
            head = {"num_cpus": 0, "include_dashboard": False, "include_log_monitor": False}
            if client:
                head["ray_client_server_port"] = client
            cluster = Cluster(initialize_head=True, head_node_args={**head, "object_store_memory": STORE})
            made.append(cluster.head_node)
        made += [_added(cluster, environment) for environment in json.loads(line)]
        for node in made:
            cluster._wait_for_node(node, timeout=180)  # a busy machine takes its time
        pids = [[each.process.pid for processes in node.all_processes.values() for each in processes] for node in made]
        nodes = [{"id": node.node_id, "pids": found} for node, found in zip(made, pids, strict=True)]
        print(json.dumps({"address": cluster.address, "nodes": nodes}), flush=True)
    if cluster is not None:
        cluster.shutdown()


def _added(cluster: Any, environment: dict[str, str]) -> Any:
    gpus = int(environment.pop("gpus", 0))
    return cluster.add_node(num_cpus=1, num_gpus=gpus, object_store_memory=STORE, env_vars=environment, wait=False)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
