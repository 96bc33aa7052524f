"""A model that paints white and black pictures alone, and a score that tells them apart: every loss is planned."""

from __future__ import annotations

CONFTEST = """
from pytest_seedshift import ScoreKind

LOST = {lost}


class Mine:
    name = "mine"
    fingerprint = "mine, {lost} lost"
    seed_shape = (3, 8, 8)

    def __init__(self, device, dtype):
        from pytest_seedshift import Axes

        self.seed_axes = Axes(channels=0, height=1, width=2)

    def generate(self, pairs, shift=None, on_step=None):
        \"\"\"White pictures, but in each case for some labels a black one.\"\"\"
        import torch

        z = torch.zeros(len(pairs), *self.seed_shape)
        z = z if shift is None else shift(z, pairs)
        lost = LOST[round(float(z.mean()) / 0.3) % 3]
        return torch.stack([torch.full(self.seed_shape, float(pair.label.index not in lost)) for pair in pairs])


class White:
    kind = ScoreKind("white", 1.0, binary=True)
    fingerprint = "white"

    def __init__(self, device): pass
    def check(self, labels): pass
    def score(self, images, labels): return {{"white": (images.mean((1, 2, 3)) > 0.5).float()}}


def pytest_seedshift_models(): return {{"mine": Mine}}
def pytest_seedshift_scorers(): return {{"white": White}}
"""

HEAD = '[models.mine]\nclasses = "toy16"\nscorers = "toy"\n[default]\n'
"""A thresholds file of the model, up to what is asked of `white`."""

RUN = (
    *("seedshift", "--seedshift-model=mine", "--seedshift-shift=mean", "--seedshift-magnitude=-0.3,0.3"),
    *("--seedshift-images=64", "--seedshift-batch-size=16", "-q", "-p", "no:cacheprovider"),
)
"""A run of the model in three cases."""


def losing(*counts: int, apart: int = 0) -> str:
    """The conftest.py of a model `mine` whose pictures of some labels are black, and of a score `white`.

    Args:
        counts: of the control, of +0.3 and of -0.3: how many labels are lost.
        apart: how many labels further on each case's losses begin than those of the case before.
    """
    lost = tuple([(apart * case + each) % 16 for each in range(count)] for case, count in enumerate(counts))
    return CONFTEST.format(lost=lost)
