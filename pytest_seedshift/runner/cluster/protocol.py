"""What the pytest process and the broker say to each other, and how the broker is to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_seedshift.runner.cluster.address import Place

START_SECONDS = 600.0
"""So long may it take until the first actors are ready: a cluster may have to start machines for them."""

CONNECT_SECONDS = 180.0
"""So long may it take until a cluster answers."""

FIRST_SECONDS = 3600.0
"""So long may a first order of a model take on a kind of GPU: it loads, and may download and compile."""

LEAST_SECONDS = 120.0
"""No order counts as hung before that."""

TIMES_LONGER = 20
"""So many times as long as any of its model on this kind of GPU before may an order take."""

JOIN_SECONDS = 300.0
"""So long is waited for another machine when the last one has gone."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a cluster is used.

    Attributes:
        place: where it is.
        device: kind of device that the user asked for, `cpu` or `cuda`; None for GPUs where there are any.
        gpus_per_model: how many GPUs each model is spread over.
        order_seconds: the most that an order may take; None for a limit from what was measured.
        join_seconds: see `JOIN_SECONDS`.
        start_seconds: see `START_SECONDS`.
        connect_seconds: see `CONNECT_SECONDS`.
        without_token: whether a cluster may be open to whoever reaches it.
        looks_only: whether nothing is made: each machine is told of, with what is wrong there.
    """

    place: Place
    device: str | None = None
    gpus_per_model: int = 1
    order_seconds: float | None = None
    join_seconds: float = JOIN_SECONDS
    start_seconds: float = START_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    without_token: bool = False
    looks_only: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster.

    Attributes:
        name: such as `node-2`: in the order in which they were first seen.
        id: Ray's.
        host: its address.
        cpus: how many Ray may use.
        gpus: likewise.
        memory: bytes that Ray may use.
        kind: of its GPUs as Ray names it, such as `H100`; empty where it does not say.
    """

    name: str
    id: str
    host: str
    cpus: int
    gpus: int
    memory: int
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.host})"


@dataclass(frozen=True, slots=True)
class Began:
    """What an actor has told of itself when it was ready."""

    slot: str
    node: str
    kind: str
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a machine.

    Attributes:
        node: which.
        kind: of its device, as torch names it; empty where it was not come to that.
        versions: of Python and of packages, by name.
        token: whether it asks for a token.
        problem: why it cannot be used; empty where it can.
        models: by name, what is wrong with it there; empty where nothing is.
    """

    node: Node
    kind: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    token: bool = True
    problem: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
