"""The machines of a cluster, and the places for actors on them: who is to be started where, and who has given up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_seedshift.runner.cluster.protocol import Node

MOST_STARTS = 3
"""So many times in a row may an actor fail to start at a place."""


@dataclass(eq=False)
class Post:
    """A place for an actor.

    Attributes:
        name: of its slot: `node-2/gpu-0`.
        node: its machine.
        gpus: how many are its own.
        cpus: how many of Ray's CPUs it has.
        threads: how many threads it computes with on the CPU.
        state: whether there is an actor, and whether that is ready.
        actor: Ray's handle of it.
        about: what it has told of itself.
        since: when its state has changed, by the monotonic clock.
        failures: how many actors have failed to start here in a row.
        reason: why the last one has.
    """

    name: str
    node: Node
    gpus: int
    cpus: int
    threads: int
    state: Literal["empty", "starting", "beginning", "ready", "given up"] = "empty"
    actor: Any = None
    about: dict[str, Any] = field(default_factory=dict)
    since: float = 0.0
    failures: int = 0
    reason: str = ""

    def enter(self, state: Literal["empty", "starting", "beginning", "ready", "given up"]) -> None:
        """Be in another state from now on."""
        self.state = state
        self.since = time.monotonic()

    def start(self, actor: Any) -> None:
        """An actor is being started here."""
        self.actor = actor
        self.enter("starting")

    def meet(self, about: Mapping[str, Any]) -> None:
        """The actor has told something of itself."""
        self.about = {**self.about, **about}

    def be_ready(self) -> None:
        """The actor can be used."""
        self.failures = 0
        self.enter("ready")

    def leave(self) -> None:
        """There is no actor any more."""
        self.actor = None
        self.about = {}
        self.enter("empty")

    def fail(self, reason: str) -> None:
        """The actor that was to start here has not; after a few the place is given up."""
        self.failures += 1
        self.reason = reason
        self.leave()
        if self.failures >= MOST_STARTS:
            self.enter("given up")

    def give_up(self, reason: str) -> None:
        """Start no other actor here."""
        self.leave()
        self.reason = reason
        self.enter("given up")


class Posts:
    """All places, kept as the cluster's machines come and go."""

    def __init__(
        self, gpus_per_model: int, processes: int | None, *, on_cpu: bool | None, cores: int | None = None
    ) -> None:
        """Have places for actors with so many GPUs each.

        Args:
            gpus_per_model: of one actor.
            processes: how many on one machine; None for as many as it has GPUs, or one where there are none.
            on_cpu: whether GPUs are left alone; None where that is not known before there are machines.
            cores: of the one machine that there is; None for as many as Ray says that a machine has CPUs.
        """
        self._cores = cores
        self._gpus = gpus_per_model
        self._processes = processes
        self.on_cpu = on_cpu
        self.nodes: dict[str, Node] = {}
        self._seen = 0
        self._posts: dict[str, list[Post]] = {}
        self._refused: dict[str, str] = {}

    def __iter__(self) -> Iterator[Post]:
        for posts in self._posts.values():
            yield from posts

    @property
    def ready(self) -> list[Post]:
        """Those with an actor that works."""
        return [post for post in self if post.state == "ready"]

    @property
    def open(self) -> list[Post]:
        """Those that are not given up."""
        return [post for post in self if post.state != "given up"]

    @property
    def refused(self) -> list[str]:
        """What was said of machines that cannot be used."""
        return list(self._refused.values())

    @property
    def reasons(self) -> list[str]:
        """Why there are no more, each once."""
        found = [f"{post.name}: {post.reason}" for post in self if post.state == "given up"]
        return [*self._refused.values(), *found]

    def see(self, found: Sequence[Mapping[str, Any]]) -> tuple[list[Post], list[Node]]:
        """Take note of the machines that Ray has now.

        Args:
            found: as `ray.nodes()` tells of them.

        Returns:
            The places that are gone, and the machines that are new.
        """
        alive = {str(each["NodeID"]): each for each in found if each["Alive"]}
        lost = [node for key, node in self.nodes.items() if key not in alive]
        left = [post for node in lost for post in self._posts.pop(node.id, [])]
        for node in lost:
            del self.nodes[node.id]
        new = [self._node(each) for key, each in alive.items() if key not in self.nodes]
        if self.on_cpu is None and new:
            self.on_cpu = not any(node.gpus for node in new)
        for node in new:
            self.nodes[node.id] = node
            self._posts[node.id] = list(self._places(node))
        return left, new

    def refuse(self, node: Node, reason: str) -> list[Post]:
        """Use a machine no more; the places that are gone."""
        self._refused[node.id] = reason
        left = self._posts.get(node.id, [])
        self._posts[node.id] = []
        return left

    def _node(self, found: Mapping[str, Any]) -> Node:
        resources = found["Resources"]
        kinds = [name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")]
        self._seen += 1
        return Node(
            f"node-{self._seen}",
            str(found["NodeID"]),
            str(found["NodeManagerHostname"] or found["NodeManagerAddress"]),
            int(resources.get("CPU", 0)),
            int(resources.get("GPU", 0)),
            int(resources.get("memory", 0)),
            kinds[0] if kinds else "",
        )

    def _places(self, node: Node) -> Iterator[Post]:
        kind, gpus = ("cpu", 0) if self.on_cpu else ("gpu", self._gpus)
        most = node.gpus // self._gpus if gpus else int(node.cpus > 0)
        count = most if self._processes is None else min(self._processes, most) if gpus else self._processes
        for place in range(count):
            threads = max(1, (self._cores or node.cpus) // count)
            yield Post(f"{node.name}/{kind}-{place}", node, gpus, max(1, node.cpus // count), threads)
