"""How like the pictures of two runs are, pair by pair: those that both have kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_seedshift.core import files
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.scores import CERTAINTY, Estimate
from pytest_seedshift.core.stats.sequential import estimate
from pytest_seedshift.results.pictures import unpacked

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.baseline import Baseline

    _Kept: TypeAlias = tuple[Path, str]

Pictures: TypeAlias = "Mapping[tuple[Case, str, int], tuple[Path, str]]"
"""By case, label and seed index, the file and its SHA-256 as it was kept; empty where that is not known."""

_AT_ONCE = 16
"""Pairs of pictures that are compared together."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like the pictures of a case are in two runs.

    Attributes:
        case: in the new run.
        values: by score (`ssim`, `psnr`), of each pair; a PSNR may be infinite.
        equal: how many pairs of pictures are the same to the last level.
        places: label and seed index of each pair.
    """

    case: Case
    values: Mapping[str, tuple[float, ...]]
    equal: int
    places: tuple[tuple[str, int], ...]

    @property
    def least(self) -> tuple[str, int]:
        """Label and seed index of the pair that is least alike, by SSIM."""
        ssim, psnr = self.values["ssim"], self.values["psnr"]
        return self.places[min(range(len(self.places)), key=lambda index: (ssim[index], psnr[index]))]

    @property
    def pairs(self) -> int:
        """Of how many pairs there are pictures in both runs."""
        return len(self.values["ssim"])

    def estimate(self, score: str, certainty: float = CERTAINTY) -> Estimate:
        """The mean of a score with its interval; a PSNR counts 60 dB at most."""
        kind = kinds()[score]
        return estimate(kind, [min(value, kind.top) for value in self.values[score]], certainty=certainty)

    def document(self) -> dict[str, Any]:
        """As JSON has it; an infinite PSNR is null, as JSON knows no infinity."""
        return {
            "model": self.case.model,
            "shift": self.case.shift,
            "magnitude": self.case.magnitude,
            "pairs": self.pairs,
            "equal": self.equal,
            "least": {"label": self.least[0], "seed": self.least[1]},
            **{
                score: {
                    "mean": (found := self.estimate(score)).mean,
                    "low": found.low,
                    "high": found.high,
                    "values": [value if math.isfinite(value) else None for value in values],
                }
                for score, values in self.values.items()
            },
        }


def kinds() -> dict[str, ScoreKind]:
    """What the scores are."""
    from pytest_seedshift.scorers import likeness  # torch

    return {"ssim": likeness.SSIM, "psnr": likeness.PSNR}


def of_runs(before: Pictures, after: Pictures, counterparts: Mapping[Case, Case]) -> Iterator[Likeness]:
    """The likeness of each case of which both runs have pictures.

    Args:
        before: of the old run.
        after: of the new run.
        counterparts: by case of the new run, that of the old one.

    Raises:
        DataError: a picture cannot be read or is not as it was kept, or two of a pair are of different sizes.
    """
    for case, other in counterparts.items():
        places = [(label, seed) for whose, label, seed in after if whose == case and (other, label, seed) in before]
        if places:
            yield _of_case(case, places, [(before[other, *place], after[case, *place]) for place in places])


def of(side: Baseline) -> dict[tuple[Case, str, int], tuple[Path, str]]:
    """The pictures of a run."""
    return {place: (path, side.digests.get(place, "")) for place, path in side.pictures.items()}


def _of_case(case: Case, places: list[tuple[str, int]], paths: list[tuple[_Kept, _Kept]]) -> Likeness:
    import torch

    from pytest_seedshift.core.errors import InvalidValueError
    from pytest_seedshift.scorers import likeness

    found: dict[str, list[float]] = {"ssim": [], "psnr": []}
    for start in range(0, len(paths), _AT_ONCE):
        chunk = paths[start : start + _AT_ONCE]
        old, new = (_stacked(each) for each in zip(*chunk, strict=True))
        try:
            with torch.inference_mode():
                found["ssim"] += likeness.ssim(new, old).tolist()
                found["psnr"] += likeness.psnr(new, old).tolist()
        except InvalidValueError as error:
            raise DataError(f"{case.model}, {case.describe()}: {error}") from None
    equal = sum(value == math.inf for value in found["psnr"])
    return Likeness(case, {score: tuple(values) for score, values in found.items()}, equal, tuple(places))


def _stacked(kept: Iterable[_Kept]) -> torch.Tensor:
    """Pictures of one size as a batch.

    Raises:
        DataError: one cannot be read, is not as it was kept, or has another size.
    """
    import torch

    made = [torch.from_numpy(_read(path, digest)) for path, digest in kept]
    sizes = {tuple(each.shape[-2:]) for each in made}
    if len(sizes) > 1:
        told = " and ".join(f"{width}×{height}" for height, width in sorted(sizes))
        raise DataError(f"pictures of {told} pixels cannot be compared")
    return torch.stack(made)


def _read(path: Path, digest: str) -> NDArray[np.float32]:
    content = files.read_bytes(path)
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise DataError(f"{path} is not the picture that was kept there: it was edited, or is cut off. Make it again")
    return unpacked(content, path)
