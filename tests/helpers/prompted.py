"""A model of the user's own that paints what its prompt says, white or black, and a score that sees white."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

CONFTEST = """
from pytest_seedshift import ScoreKind


class Mine:
    name = "mine"
    fingerprint = "paints its prompt"
    seed_shape = (3, 8, 8)

    def __init__(self, device, dtype):
        from pytest_seedshift import Axes

        self.seed_axes = Axes(channels=0, height=1, width=2)

    def generate(self, pairs, shift=None, on_step=None):
        \"\"\"Black where the prompt says so, and where a shifted one says "fragile", but for what is not wanted.\"\"\"
        import torch

        z = torch.zeros(len(pairs), *self.seed_shape)
        z = z if shift is None else shift(z, pairs)
        is_shifted = float(z.mean()) != 0
        words = ["black", "fragile"] if is_shifted else ["black"]
        black = [
            any(word in pair.prompt for word in words) and "black" not in pair.negative_prompt for pair in pairs
        ]
        return torch.stack([torch.full(self.seed_shape, 0.0 if each else 1.0) for each in black])


class White:
    kind = ScoreKind("white", 1.0, binary=True)
    fingerprint = "white"

    def __init__(self, device): pass
    def check(self, labels): pass
    def score(self, images, labels): return {"white": (images.mean((1, 2, 3)) > 0.5).float()}


def pytest_seedshift_models(): return {"mine": Mine}
def pytest_seedshift_scorers(): return {"white": White}
"""

RUN = ("--seedshift-model=mine", "--seedshift-shift=mean", "--seedshift-magnitude=0.3", "-q", "-p", "no:cacheprovider")
"""A run of the model in two cases."""

BARE = ("--seedshift-report=none", "--seedshift-sensitivity=never")
"""Without what takes time and is looked at elsewhere."""


def drawn(folder: Path, name: str = ".seedshift") -> set[tuple[str, str]]:
    """The ids and prompts of all pictures of a run folder."""
    with closing(sqlite3.connect(folder / name / "samples.sqlite")) as connection:
        return set(connection.execute("SELECT label, prompt FROM images"))
