"""Embeddings of the pictures of a run that is saved as a baseline, by the scorers by which likeness is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.results import baseline_folder
from pytest_seedshift.results.pictures import unpacked
from pytest_seedshift.scorers import transfers

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.runner.model_pool import ModelPool
    from pytest_seedshift.scorers.base import Embedder

_AT_ONCE = 16


def of_baseline(made: Baseline, models: Iterable[str], pool: ModelPool) -> dict[str, dict[str, bytes]]:
    """The embeddings of a baseline's pictures.

    Args:
        made: of a run of this process.
        models: those whose pictures are embedded.
        pool: has their scorers.

    Returns:
        By the fingerprint of a scorer and the SHA-256 of a picture, as `baseline_embeddings.packed` takes them.

    Raises:
        SeedshiftError: a picture is not there any more, or not as it was kept; a scorer that cannot be loaded.
    """
    listed = baseline_folder.listed(made)
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for model in models:
        known = found[pool.scorers.fingerprint_of_embedder(model)]
        paths = {made.digests[place]: path for place, path in listed.items() if place[0].model == model}
        lacking = {digest: path for digest, path in paths.items() if digest not in known}
        known |= _embedded(lacking, pool.scorers.embedder(model), pool.device)
    return found


@torch.inference_mode()
def _embedded(paths: Mapping[str, Path], embedder: Embedder, device: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    listed = list(paths.items())
    for start in range(0, len(listed), _AT_ONCE):
        by_size: dict[torch.Size, dict[str, torch.Tensor]] = defaultdict(dict)
        for digest, path in listed[start : start + _AT_ONCE]:
            image = torch.from_numpy(unpacked(baseline_folder.read(path, digest), path))
            by_size[image.shape][digest] = image
        for images in by_size.values():
            stacked = transfers.send(torch.stack(list(images.values())), device)
            embedded = embedder.embed(stacked).float().cpu().numpy().astype("<f4")
            found |= {digest: row.tobytes() for digest, row in zip(images, embedded, strict=True)}
    return found
