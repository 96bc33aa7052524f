"""A model of the user's own that paints uniform pictures, and can be told to be slow, to hang, to die and to fail."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from pytest_seedshift import ScoreKind
from pytest_seedshift.core.registry import Extensions, Registry
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.catalogue import Catalogue
from pytest_seedshift.runner.cluster.setup import Setup

NAME = "painter"


class Painter:
    """Its orders lie as files in a folder: `slow` (seconds), `poison` (label and seed of a pair
    over which it dies), `hang` (once)."""

    name = NAME
    fingerprint = "painter"
    seed_shape = (3, 8, 8)

    def __init__(self, folder: Path) -> None:
        from pytest_seedshift import Axes

        self.seed_axes = Axes(channels=0, height=1, width=2)
        self._folder = folder

    def generate(self, pairs, shift=None, on_step=None):
        import torch

        time.sleep(float(self._told("slow") or 0))
        if self._told("poison") in {f"{pair.label.name}/{pair.seed}" for pair in pairs}:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._told("hang"):
            (self._folder / "hang").unlink()
            time.sleep(3600)
        z = torch.zeros(len(pairs), *self.seed_shape)
        z = z if shift is None else shift(z, pairs)
        if os.environ.get("PAINTER_NAN"):
            z = z * float("nan")
        return torch.full_like(z, 0.5) + z / 10

    def _told(self, name: str) -> str:
        try:
            return (self._folder / name).read_text()
        except OSError:
            return ""


class Light:
    """The mean of a picture."""

    kind = ScoreKind("light", 1.0, binary=False)
    fingerprint = "light"

    def __init__(self, device: str) -> None: ...

    def check(self, labels) -> None: ...

    def score(self, images, labels):
        return {"light": images.mean((1, 2, 3))}


def setup(folder: Path) -> Setup:
    """What actors need to paint, told by the files in a folder."""
    models = Registry("model", (), [("conftest.py", {NAME: lambda device, dtype: Painter(folder)})])
    scorers = Registry("scorer", (), [("conftest.py", {"light": Light})])
    entry = Entry(NAME, (), classes="toy16", own=models.find(NAME))
    return Setup(
        Catalogue({NAME: entry}),
        needs={NAME: frozenset({"light"})},
        kinds=ScoreRegistry({"light": Light.kind}),
        batch_size=4,
        extensions=Extensions(models=models, scorers=scorers),
        folder=folder,
    )


def study(pool, model: str, folder: Path) -> int:
    """Something that is no batch; the first process dies over it."""
    with contextlib.suppress(FileNotFoundError):
        (folder / "deadly").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()
