"""The broker's connection to Ray. Only `shell` and this module import it."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.errors import HarnessError, SeedshiftError, SeedshiftUsageError
from pytest_seedshift.runner.cluster import address, shell, wire
from pytest_seedshift.runner.cluster.address import OPTION, Place
from pytest_seedshift.runner.cluster.examination import PACKAGES

if TYPE_CHECKING:
    from pytest_seedshift.runner.cluster.posts import Post
    from pytest_seedshift.runner.cluster.protocol import Options

_STORE = 512 * 2**20
"""Bytes of the object store of a Ray of our own: what actors send back stays there for a moment."""


def prepare(place: Place, *, without_token: bool) -> None:
    """Set the environment that Ray reads when it is imported: quiet, and with a token.

    A Ray of our own has a token that nobody else knows, and listens on the loopback address alone.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    os.environ["RAY_DEDUP_LOGS"] = "0"
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # else a call to a cluster that is lost starts or joins another one
    if place.kind == "local":
        os.environ.pop("RAY_ADDRESS", None)
        os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine takes its time
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # by which Ray takes the loopback address for its own
    elif without_token:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")


def connect(options: Options) -> None:
    """Join the cluster, or start one.

    Raises:
        SeedshiftUsageError: it is not there, or refuses the token.
        HarnessError: Ray cannot be started.
    """
    import ray
    from ray.exceptions import AuthenticationError

    place = options.place
    common: dict[str, Any] = {
        "configure_logging": False,
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "namespace": "seedshift",
    }
    where = place.address
    try:
        if place.kind == "local":
            gpus = 0 if options.device == "cpu" else None
            count = {} if place.processes is None else {"num_cpus": max(place.processes, 1)}
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=_STORE,
                num_gpus=gpus,
                _node_ip_address="127.0.0.1",
                **count,
                **common,
            )
        else:
            where = where or os.environ.get("RAY_ADDRESS") or _cluster_of_this_machine()
            ray.init(address=where, **common)
    except Exception as error:  # Ray's, of several classes, and of what is below it
        raise _refusal(place, where, error, isinstance(error, AuthenticationError)) from error


def _cluster_of_this_machine() -> str:
    """The address that `ray start` has left here, else Ray's own search.

    That search takes any head that runs on this machine first, such as the one of somebody's `local`.
    """
    from ray._private.utils import read_ray_address

    left = read_ray_address(None) or ""
    return left if left and address.answers(left) else "auto"  # it stays there after a crash


_TOKEN = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token has to be that of the cluster"


def _refusal(place: Place, where: str, error: Exception, of_token: bool) -> SeedshiftError:
    said = " ".join(str(error).split())
    lowered = said.lower()
    if of_token or "unauthenticated" in lowered or "authentication token" in lowered:
        return SeedshiftUsageError(
            f"{OPTION}={place}: the cluster refuses this machine's token: {_TOKEN} ({said[:200]})"
        )
    if "version mismatch" in lowered:
        return SeedshiftUsageError(f"{OPTION}={place}: {said}")
    if place.kind == "local":
        return HarnessError(f"{OPTION}={place}: Ray cannot be started on this machine: {said}")
    if where == "auto" and "could not find any running ray" in lowered:
        return SeedshiftUsageError(
            f"{OPTION}=auto: this machine belongs to no Ray cluster and RAY_ADDRESS is not set. Start one "
            f"(`ray start --head`), set RAY_ADDRESS, or give HOST:PORT; local starts one for this run alone"
        )
    at = f"{OPTION}={place}" if where in (str(place), "auto") else f"{OPTION}={place} ({where})"
    if "initialization failure from server" in lowered:
        return SeedshiftUsageError(
            f"{at}: the Ray client server there could not start a process for this run. See ray_client_server*.err "
            f"among Ray's logs on that machine ({said[-200:]})"
        )
    if isinstance(error, ConnectionError):  # Ray does not say why; that something listens there was seen before
        return SeedshiftUsageError(
            f"{at}: what answers there does not let this machine join: either it refuses this machine's "
            f"token ({_TOKEN}), or it is {_none(where)} ({said[:200]})"
        )
    return SeedshiftUsageError(f"{at}: there is no Ray cluster that can be used: {said[:400]}")


def _none(where: str) -> str:
    if where.startswith("ray://"):
        return (
            "no Ray client server, which has the port 10001 unless `ray start --ray-client-server-port` says another; "
            "the head itself is HOST:PORT, without ray://"
        )
    return "no head of a Ray cluster, which has the port 6379 unless `ray start --port` says another"


def nodes() -> list[dict[str, Any]]:
    """The machines, as Ray tells of them."""
    import ray

    found: list[dict[str, Any]] = ray.nodes()
    return found


def start(post: Post) -> Any:
    """Start an actor at a post; its handle, before it is ready."""
    import ray

    with wire.by_value_of_ray(shell):
        made = ray.remote(shell.Shell).options(
            num_gpus=post.gpus,
            num_cpus=0 if post.gpus else post.cpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=_on(post.node.id),
        )
        return made.remote(list(PACKAGES))


def _on(node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def ask(actor: Any, method: str, *arguments: object, then: Callable[[Future[Any]], None]) -> None:
    """Call a method of an actor; `then` gets what comes of it, in another thread."""
    answer: Future[Any] = getattr(actor, method).remote(*arguments).future()
    answer.add_done_callback(then)


def end(post: Post) -> None:
    """End an actor, also one that does not answer any more."""
    import ray

    if post.actor is None:
        return
    with contextlib.suppress(Exception):
        ray.kill(post.actor, no_restart=True)
    pid = post.about.get("pid")
    if pid is not None and post.node.id:  # one that is stopped does not hear of it
        with contextlib.suppress(Exception):
            ray.remote(_kill).options(num_cpus=0, max_retries=0, scheduling_strategy=_on(post.node.id)).remote(pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def is_of_node(error: BaseException) -> bool:
    """Whether an actor has died with its machine."""
    from ray.exceptions import ActorUnschedulableError, NodeDiedError

    return isinstance(error, (NodeDiedError, ActorUnschedulableError)) or "node" in _cause(error)


def _cause(error: BaseException) -> str:
    said = str(error)
    return (
        "node" if "node has died" in said or "node was terminated" in said or "doesn't exist any more" in said else ""
    )


def said_of(error: BaseException) -> str:
    """Why an actor has died, in short."""
    text = " ".join(str(error).split())
    for start in ("Worker exit detail: ", "The actor is dead because ", "The actor died because "):
        if start in text:
            text = text.partition(start)[2]
            break
    text = text.partition(" Some common causes")[0].partition(" Last 20 lines")[0]
    return f"{type(error).__name__}: {text[:200]}"


def leave() -> None:
    """Leave the cluster: its actors end; a Ray of our own too."""
    import ray

    with contextlib.suppress(Exception):
        ray.shutdown()
