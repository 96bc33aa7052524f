"""What the seed vector explains of each label's pictures: of the control's, of which a run has kept several a label."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_seedshift.core import files
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import seed_variance
from pytest_seedshift.core.stats.seed_variance import QUANTITIES
from pytest_seedshift.results import label_shares
from pytest_seedshift.results.label_shares import LabelShares
from pytest_seedshift.results.pictures import unpacked
from pytest_seedshift.studies import picture_quantities

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_seedshift.core.stats.seed_shares import Share
    from pytest_seedshift.results.label_shares import Kept
    from pytest_seedshift.results.run import Run


def of_run(run: Run, known: Mapping[str, LabelShares]) -> Iterator[LabelShares]:
    """The shares of each model whose control has kept several pictures of several labels.

    Args:
        run: that has kept pictures.
        known: what was measured before: of the same pictures it is taken over.
    """
    for model in run.models:
        control = run.control(model)
        if control is None:
            continue
        pictures = label_shares.kept(control)
        if pictures is None:
            continue
        before = known.get(model)
        if before is not None and before.of == pictures.of:
            yield before
        elif (found := _measured(run, model, pictures)) is not None:
            yield found


def _measured(run: Run, model: str, kept: Kept) -> LabelShares | None:
    """None where pictures are torn, or are not as they were kept: elsewhere it is said so."""
    values: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in QUANTITIES}
    try:
        for label, pictures in kept.by_label.items():
            rows = [picture_quantities.of(_image(run, path, kept_as)[None]) for path, kept_as in pictures]
            for name in QUANTITIES:
                values[name][label] = np.concatenate([row[name] for row in rows])
    except (files.FileError, RuntimeError):  # of torch: a picture without a size
        return None
    shares: dict[str, dict[str, Share]] = {label: {} for label in kept.by_label}
    for name in QUANTITIES:
        for label, share in seed_variance.by_label(values[name]).items():
            shares[label][name] = share
    counts = {label: len(each) for label, each in kept.by_label.items()}
    return LabelShares(model, kept.of, CERTAINTY, counts, shares)


def _image(run: Run, path: Path, digest: str) -> torch.Tensor:
    """Levels from 0 to 255."""
    content = files.read_bytes(path, within=run.path)
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise files.FileError(path, "it is not the picture that was kept there")
    return torch.from_numpy(unpacked(content, path)).mul(255)
