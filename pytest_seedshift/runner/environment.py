"""On what pictures are made here, as baselines are told apart by it."""

from __future__ import annotations

from importlib.metadata import version

from pytest_seedshift.results.environments import Environment
from pytest_seedshift.runner.manifest import LIBRARIES
from pytest_seedshift.scorers import devices


def of(device: str, hardware: str, dtype: str | None) -> Environment:
    """The environment of a session.

    Args:
        device: where models run, such as `cuda:0`.
        hardware: see `ModelPool.hardware`; of a CPU, whose cores change no picture, nothing is taken.
        dtype: that of models that do not name their own; None for the device's.
    """
    kind = device.partition(":")[0]
    gpu = "" if kind == "cpu" or hardware == kind else hardware
    return Environment(kind, gpu, dtype or devices.usual_dtype(device), {name: version(name) for name in LIBRARIES})
