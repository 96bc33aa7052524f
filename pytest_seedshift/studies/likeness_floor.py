"""The noise floor of likeness: how like pictures stay under what should not matter, and which bounds lie above that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import likeness

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Alike:
    """How like an arm's pictures are to the reference's, pair by pair."""

    ssim: float
    """The mean SSIM."""
    least_ssim: float
    psnr: float
    """The mean PSNR in dB, of which no more than 60 counts."""
    least_psnr: float
    equal: int
    """How many pairs of pictures are the same to the last level."""
    embedding: float
    """The mean cosine of CLIP's embeddings."""
    least_embedding: float
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By measure, that of each pair, from the least; empty where an earlier version has measured."""

    def value(self, score: str) -> float | None:
        """What a score of likeness comes to: its mean, of one with a floor the share; None where that is not known."""
        measure = likeness.measure_of(score)
        assert measure is not None
        if not hasattr(self, measure):  # of a model that an entry names, which noise does not measure
            return None
        if score == likeness.score_of(measure):
            return float(getattr(self, measure))
        of_pairs = self.values.get(measure)
        if of_pairs is None:
            least = likeness.value({measure: getattr(self, f"least_{measure}")}, score)
            return 1.0 if least == 1 else None
        return fmean(likeness.value({measure: each}, score) for each in of_pairs)


def of_pairs(equal: int, **measured: Sequence[float]) -> Alike:
    """What was measured of pairs of pictures, at least one: `ssim`, `psnr` and `embedding` of each."""
    capped = {name: [min(each, likeness.MEASURES[name].top) for each in values] for name, values in measured.items()}
    means = {name: fmean(values) for name, values in capped.items()}
    least = {f"least_{name}": min(values) for name, values in capped.items()}
    kept = {name: tuple(round(each, _DECIMALS) for each in sorted(values)) for name, values in capped.items()}
    return Alike(**means, **least, equal=equal, values=kept)


def read(entry: Mapping[str, Any]) -> Alike:
    """What noise.json has of it; a file that is not as it was written raises anything: see `files.foreign`."""
    names = ("ssim", "least_ssim", "psnr", "least_psnr", "embedding", "least_embedding")
    numbers = {name: float(entry[name]) for name in names}
    values = {
        name: tuple(map(float, entry["values"][name])) for name in likeness.MEASURES if name in entry.get("values", {})
    }
    return Alike(**numbers, equal=int(entry["equal"]), values=values)


def floor(arms: Iterable[tuple[str, Alike | None]], score: str) -> tuple[float, str] | None:
    """The least that a score of likeness comes to, and the arm that made it; None where nothing is known.

    Args:
        arms: their names, and how like their pictures are.
        score: of likeness; see `core.likeness`.
    """
    found = [(value, name) for name, alike in arms if alike is not None and (value := alike.value(score)) is not None]
    return min(found, default=None)


def above(model: str, arms: Sequence[tuple[str, Alike | None]], score: str, bound: float, images: int) -> str | None:
    """Why a bound of likeness is nearer to 1 than the noise floor; None where it is not, or where that is not known.

    Args:
        model: its name.
        arms: see `floor`.
        score: of likeness.
        bound: its least value: of the mean, or of the share that reaches its floor.
        images: of how many pairs there are pictures.
    """
    found = floor(arms, score)
    if found is None or bound <= found[0]:
        return None
    value, arm = found
    measure, kind = likeness.measure_of(score), likeness.kind_of(score)
    assert measure is not None
    assert kind is not None
    of_share = score != likeness.score_of(measure)
    which = f"share = {bound:g} of {score.partition('_at_')[2]}" if of_share else f"min = {bound:g}"
    come_to = f"leaves only a share of {value:.6g}" if of_share else f"leaves pictures alike only to {value:.6g}"
    return (
        f"{model}: [likeness] {measure}: {which} lies above the noise floor: {arm} alone {come_to} "
        f"({images} images of the control). Set at most that, or keep it fixed"
    )


def asked(constraints: Iterable[Constraint]) -> dict[str, float]:
    """The bounds of likeness among constraints, by score the one that is hardest to reach."""
    found: dict[str, float] = {}
    for each in constraints:
        if likeness.measure_of(each.score) is not None and each.minimum is not None:
            found[each.score] = max(each.minimum, found.get(each.score, 0.0))
    return found


def lines(arms: Sequence[tuple[str, Alike | None]]) -> list[str]:
    """For each measure, what its bounds have to leave room for; nothing where all pictures are equal."""
    found = []
    for measure, kind in likeness.MEASURES.items():
        least = floor(arms, likeness.score_of(measure))
        if least is not None and least[0] < kind.top:
            title = kind.title.removesuffix(" to the baseline")
            found.append(f"  {title}: a bound on its mean above {least[0]:.6g} is within the noise ({least[1]})")
    return found
