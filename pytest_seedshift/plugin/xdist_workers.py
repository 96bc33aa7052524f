"""Processes of pytest-xdist that share the cases: how many, and which GPU and how many threads each of them has."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import machine

if TYPE_CHECKING:
    import pytest


def prefer_worksteal(config: pytest.Config) -> None:
    """Let `-n` mean `--dist worksteal` unless the user says otherwise.

    Each worker gets a run of neighbours, so that few models are loaded, and takes from others when it has none left:
    early verdicts make cases of very different length.
    """
    asked = config.getoption("numprocesses", None)
    if asked and config.getoption("dist", "no") == "no" and not config.getoption("distload", False):
        config.option.dist = "worksteal"


def automatic(device: str | None) -> int | None:
    """What `-n auto` means on `device`, as the user named it; None to leave it to pytest-xdist."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    kind, _, index = (device or "").partition(":")
    if index and kind != "cpu":
        return 1  # one device, by its number
    accelerators = machine.accelerators(os.environ) if kind != "cpu" else 0
    return accelerators or machine.workers_on_cpu()


def environments(workers: int, device: str | None, given: Mapping[str, str]) -> list[dict[str, str]]:
    """What is set in the environment of each worker before it starts, where the caller's is `given`.

    A GPU each, in turn, if the user has not named one; and a part of the cores: what starts threads before torch is
    told their number reads it here.
    """
    threads = {machine.THREADS: str(machine.threads(workers, given))}
    gpus = machine.gpus(given) if device in (None, "cuda") else ()
    return [threads | ({machine.VISIBLE: gpus[each % len(gpus)]} if gpus else {}) for each in range(workers)]


def prepare(specs: Sequence[Any], device: str | None) -> str | None:
    """Set the environment of workers that are about to start on this machine, by their specifications.

    pytest-xdist replaces a worker that has died by one with the same specification. What the user has set in one
    (`--tx popen//env:NAME=value`) stays.

    Returns:
        A warning for the user, if there is something to say.
    """
    local = [spec for spec in specs if spec.popen and not spec.via]
    made = environments(len(local), device, os.environ)
    for spec, environment in zip(local, made, strict=True):
        spec.env = environment | spec.env
    gpus = {environment.get(machine.VISIBLE) for environment in made} - {None}
    if gpus and len(local) > len(gpus):
        return (
            f"{len(local)} workers share {len(gpus)} GPU{'s'[: len(gpus) > 1]}: each holds a model of its own there. "
            f"-n auto starts one worker for each"
        )
    return None
