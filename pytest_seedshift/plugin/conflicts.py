"""Other plugins of pytest under which no case could be judged."""

from __future__ import annotations

import pytest


def check(config: pytest.Config, item: pytest.Item | None = None) -> None:
    """Make sure that no plugin runs cases where they cannot run.

    Args:
        config: pytest's.
        item: an item about a case; None where all that is known is that there will be some.

    Raises:
        pytest.UsageError: pytest-forked would fork a process that holds a model, threads and an open store.
    """
    marked = item is not None and item.get_closest_marker("forked") is not None
    if marked or config.getoption("forked", False):
        what = f"{item.nodeid}: @pytest.mark.forked" if item is not None and marked else "--forked"
        raise pytest.UsageError(
            f"{what}: pytest-forked runs each test in a fork of this process, where neither a loaded model nor a GPU "
            "can be used: leave it out. Cases get processes of their own by -n 2 of pytest-xdist"
        )


def check_cluster() -> None:
    """Refuse workers of pytest-xdist beside a cluster.

    Raises:
        pytest.UsageError: always.
    """
    raise pytest.UsageError(
        "-n together with --seedshift-cluster: give one of them. -n N starts N workers on this machine, each with its "
        "own GPU. --seedshift-cluster uses all GPUs of a Ray cluster, or of this machine (local), from one pytest"
    )
