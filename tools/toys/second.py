"""The second classifier as a scorer of the product: `pytest -p tools.toys.second` knows the score "second".

It is top-1 by a convolutional network that was trained apart from toy-vit (`train_classifier.py`). It does not ship; it
says whether a figure is toy-vit's or the models' own. Its weights are those in the folder that the environment variable
SEEDSHIFT_TOY_CONV names, else those that lie with the tests.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

import pytest_seedshift as seedshift

from .captions import LABELS
from .train_classifier import SIZE, Conv
from .training import digest

if TYPE_CHECKING:
    from pytest_seedshift.core.class_lists import Label

VARIABLE = "SEEDSHIFT_TOY_CONV"
FOLDER = Path(__file__).parents[2] / "tests" / "data" / "toy-conv"
"""Where the weights lie that the tests score with."""


def weights() -> Path:
    """The file of the weights."""
    return Path(os.environ.get(VARIABLE) or FOLDER) / "model.safetensors"


class Second:
    """Whether the second classifier's first guess is the label."""

    kind = seedshift.ScoreKind("top-1, second classifier", 1.0, binary=True)

    def __init__(self, device: str) -> None:
        """Loads the weights onto a device."""
        self.device = device
        self.model = Conv().eval()
        self.model.load_state_dict({name: value.float() for name, value in load_file(weights()).items()})
        self.model.to(device)
        self.fingerprint = f"second classifier, {digest(weights())}"

    def check(self, labels: Sequence[Label]) -> None:
        """Refuses labels that it was not trained on.

        Raises:
            ValueError: one is none of the 16 classes.
        """
        unknown = sorted({label.name for label in labels} - set(LABELS))
        if unknown:
            raise ValueError(f"the second classifier knows the toys' 16 classes, not {', '.join(unknown)}")

    @torch.no_grad()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """1 where it is right, else 0, of pictures (count, 3, height, width) in [0, 1]: shape (count,)."""
        pictures = functional.interpolate(images.float(), (SIZE, SIZE), mode="bicubic", align_corners=False)
        truth = torch.tensor([LABELS.index(label.name) for label in labels], device=images.device)
        return {"second": (self.model(pictures.clamp(0, 1)).argmax(dim=-1) == truth).float()}


def pytest_seedshift_scorers() -> dict[str, type[Second]]:
    """The scorer, by the score's name."""
    return {"second": Second}
