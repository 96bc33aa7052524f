"""How far shifts move pictures: each shifted picture beside the control's of the same pair, of those that were kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

import torch

from pytest_seedshift.core import files, likeness
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.results.pictures import unpacked
from pytest_seedshift.results.shifted_likeness import Shifted
from pytest_seedshift.scorers import likeness as measures

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.runner.model_pool import ModelPool

Embed: TypeAlias = Callable[[str, torch.Tensor], "torch.Tensor | None"]
"""Of a model's name and its images, (batch, 3, height, width) in [0, 1], their embeddings; None where it has none."""

MOST = 8
"""Pairs of a case that are compared: those that the report shows. So it costs a few of a hundred images' scores."""


def by_clip(pool: ModelPool, scored: Callable[[str], bool]) -> Embed:
    """Embeddings by the CLIP of those models of a pool that are scored by it."""

    def embed(model: str, images: torch.Tensor) -> torch.Tensor | None:
        return pool.scorers.embedder(model).embed(images.to(pool.device)).cpu() if scored(model) else None

    return embed


def of_run(run: Run, known: Mapping[Case, Shifted], embed: Embed) -> Iterator[Shifted]:
    """The likeness of each shifted case's pictures to the control's.

    Args:
        run: that has kept pictures.
        known: what was measured before: of the same pictures it is taken over.
        embed: gives embeddings.
    """
    for case in run.cases:
        if case.null or case.case.is_control:
            continue
        pairs = list(_kept(case))[:MOST]
        if not pairs:
            continue
        digest = hashlib.sha256("\n".join(f"{one} {other}" for _, one, _, other in pairs).encode()).hexdigest()[:32]
        before = known.get(case.case)
        if before is not None and before.of == digest:
            yield before
        elif (found := _measured(run.path, case.case, digest, pairs, embed)) is not None:
            yield found


def _kept(case: CaseRun) -> Iterator[tuple[Path, str, Path, str]]:
    """The pairs of which both pictures are kept: file and checksum of the shifted one, then of the control's."""
    for sample in case.samples:
        control = case.control.get(sample.pair)
        if sample.picture is not None and control is not None and control.picture is not None:
            yield sample.picture, sample.digest, control.picture, control.digest


def _measured(
    folder: Path, case: Case, digest: str, pairs: list[tuple[Path, str, Path, str]], embed: Embed
) -> Shifted | None:
    """None where pictures are torn, or are not as they were kept: elsewhere it is said so."""
    try:
        shifted = torch.stack([_image(folder, path, kept) for path, kept, _, _ in pairs])
        controls = torch.stack([_image(folder, path, kept) for _, _, path, kept in pairs])
    except (files.FileError, RuntimeError):  # of torch: pictures of unlike sizes
        return None
    columns: dict[str, torch.Tensor] = {}
    with torch.inference_mode():
        try:
            columns["ssim"] = measures.ssim(shifted, controls)
            columns["psnr"] = measures.psnr(shifted, controls)
        except InvalidValueError:  # pictures of unlike sizes, or too small for a window of SSIM
            return None
        embedded = embed(case.model, torch.cat([shifted, controls]))
        if embedded is not None:
            columns["embedding"] = measures.cosines(*embedded.float().chunk(2))
    scores = {
        name: fmean(min(value, likeness.MEASURES[name].top) for value in column.tolist())
        for name, column in columns.items()
    }
    return Shifted(case, digest, len(pairs), scores)


def _image(folder: Path, path: Path, digest: str) -> torch.Tensor:
    content = files.read_bytes(path, within=folder)
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise files.FileError(path, "it is not the picture that was kept there")
    return torch.from_numpy(unpacked(content, path))
