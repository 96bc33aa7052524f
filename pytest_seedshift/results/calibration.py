"""Thresholds from a run: each bound so far below what was measured that another draw of the whole grid meets it.

They are written into the text of a TOML file, as `thresholds_text` says. How far below that is says `margins`, unless
the user gives a margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_seedshift.core import messages
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_kinds import BUILT_IN, ScoreKind
from pytest_seedshift.core.scores import AvailableScores
from pytest_seedshift.core.stats import margins
from pytest_seedshift.results.proposal import Proposal
from pytest_seedshift.results.thresholds_text import CalibrationError, ThresholdsText

if TYPE_CHECKING:
    from pytest_seedshift.core.score_registry import ScoreRegistry
    from pytest_seedshift.results.schema import Record

__all__ = ["CalibrationError", "Early", "OfRun", "bound", "passing", "propose"]

FEW = 100
"""Images of a design below which a proposal says so: there the 99 % interval of an accuracy is wider than ±0.13, so
that a bound below it lets a model lose an eighth of its pictures unseen."""

_Free: TypeAlias = Mapping[Case, Mapping[str, Mapping[str, Any]]]
_Minima: TypeAlias = Mapping[tuple[Case, str], float]


@dataclass(frozen=True, slots=True)
class Early:
    """Bounds by cases that stopped before their whole design was visited."""

    bounds: int
    images: int
    """That those cases have looked at."""
    design: int
    """That they have together."""
    case: str
    score: str
    mean: float
    bound: float
    """The bound that lies farthest below what was measured, as a part of the score's range; see the other fields."""
    own_kind: ScoreKind | None = None
    """What the score is, of one of the user's own."""

    @property
    def lines(self) -> list[str]:
        """What they are worth, and how to have better ones."""
        kind = self.own_kind or BUILT_IN[self.score]
        shown = kind.format
        return [
            f"weak: {self.bounds} of them are by early verdicts, after {self.images} of {self.design} images; the "
            f"weakest lets {kind.title} of {self.case} fall from {shown(self.mean)} to "
            f"{shown(self.bound)}",
            "for bounds close to what the model does, run this again with --seedshift-exact: "
            f"{self.design - self.images} more images, those that exist are used again",
        ]


@dataclass(frozen=True, slots=True)
class OfRun(Proposal):
    """What a run proposes: another draw of its grid meets all bounds."""

    early: Early | None = None
    """Of bounds by early verdicts; None where there are none."""
    few: int | None = None
    """The size of the smallest design, where it is below `FEW`."""

    @property
    def summary(self) -> list[str]:
        """What is to be said of it, in lines."""
        lines = [f"{self.bounds} bounds of {self.cases} cases by measurement"]
        if self.certainty is not None and self.bounds:
            lines.append(
                f"another draw of pairs (--seedshift-design-seed) meets all of them in at least {self.certainty:.4g} "
                "of runs, if the model is the same"
            )
        if self.early is not None:
            lines += self.early.lines
        if self.few is not None:
            lines.append(
                f"few images: {self.few} a case, fewer than {FEW}. The 99 % interval of an accuracy is then wider than "
                f"±{_half_width(FEW):.2f}, and bounds lie as far below: give --seedshift-images={FEW} or more"
            )
        lines += self._beside
        if self.unmeasured:
            lines.append(f"not measured: {', '.join(self.unmeasured)}")
        return lines


def bound(kind: ScoreKind, low: float, margin: float) -> float:
    """A minimum for a score whose interval begins at `low`.

    Args:
        kind: of the score.
        low: the lower end of the interval.
        margin: as a part of the score's range, from 0 to 1.

    Returns:
        `low` less the margin, rounded down to a thousandth of the range's order of size, at least the smallest value.
    """
    top = kind.span
    decimals = max(0, 3 - math.ceil(math.log10(top)))
    below = Decimal(repr(float(low))) - Decimal(repr(margin)) * Decimal(repr(top))  # so that 0.3 - 0.02 is 0.28
    return max(kind.low, float(below.quantize(Decimal(1).scaleb(-decimals), ROUND_FLOOR)))


def passing(kind: ScoreKind, estimate: Mapping[str, Any], bounds: int) -> float:
    """A minimum for a score that another draw of the grid meets, with all others of so many bounds; see `margins`.

    Args:
        kind: of the score.
        estimate: its `mean`, the `low` end of its interval, its `certainty`, and the `images` of the `design`.
        bounds: how many are written, at least one.
    """
    # A confidence sequence keeps the best of its prefixes, so that one arm may be short by chance: never both.
    arm = max(estimate["mean"] - estimate["low"], estimate.get("high", estimate["mean"]) - estimate["mean"])
    low = margins.limit(
        estimate["mean"],
        estimate["mean"] - arm,
        estimate["images"],
        max(estimate["design"], estimate["images"]),
        bounds=bounds,
        certainty=estimate["certainty"],
        binary=kind.binary,
    )
    return bound(kind, low, 0.0)


def propose(
    text: str,
    source: str,
    records: Sequence[Record],
    margin: float | None = None,
    check_model: Callable[[str], object] = str,
    scores: AvailableScores = AvailableScores(),  # noqa: B008  # immutable
) -> OfRun:
    """Lay a run's measurements into the text of a thresholds file.

    Args:
        text: of the file as it is.
        source: its name, for errors.
        records: of the run's cases, as verdicts.json has them.
        margin: see `bound`; None for bounds that another draw of the grid meets, see `passing`.
        check_model: see `thresholds_parser.load`.
        scores: those that the file may ask for, and of which the run has kinds.

    Raises:
        CalibrationError: the text is no thresholds file, nothing was measured, or a table has a form that no bound can
            be written into.
    """
    records = [each for each in records if not each.null]  # nothing is asked of a null control
    kinds = scores.kinds
    measured = _measured(records, kinds)
    if not measured:
        raise CalibrationError("no case was measured, so there is no bound to write: see why the cases did not run")
    sheet = ThresholdsText(text, source, check_model, scores)
    free, kept = sheet.free(measured)
    number = sum(map(len, free.values()))
    minima = {
        (case, score): passing(kinds[score], each, number)
        if margin is None
        else bound(kinds[score], each["low"], margin)
        for case, estimates in free.items()
        for score, each in estimates.items()
    }
    bounds = {
        case: {score: (minima[case, score], _words(kinds[score], each)) for score, each in estimates.items()}
        for case, estimates in free.items()
    }
    made = sheet.laid(bounds)
    unmeasured = tuple(dict.fromkeys(each.id for each in records if not each.scores))
    certainty = None if margin is not None else _certainty(records)
    return OfRun(
        text=made,
        bounds=number,
        cases=len(free),
        kept=tuple(kept),
        unmeasured=unmeasured,
        certainty=certainty,
        looser=sheet.looser(bounds),
        early=_early(free, minima, kinds),
        few=_few(free),
    )


def _few(free: _Free) -> int | None:
    least = min((each["design"] for estimates in free.values() for each in estimates.values()), default=FEW)
    return int(least) if least < FEW else None


def _half_width(images: int) -> float:
    """Of the 99 % interval of an accuracy near 0.5, by the normal distribution."""
    return NormalDist().inv_cdf(0.995) * math.sqrt(0.25 / images)


def _certainty(records: Sequence[Record]) -> float:
    return min(each.certainty for each in records if each.certainty is not None and each.scores)


def _early(free: _Free, minima: _Minima, kinds: ScoreRegistry) -> Early | None:
    """What is to be said of bounds by early verdicts."""
    early = {case: found for case, found in free.items() if any(map(_is_early, found.values()))}
    weak = [(case, score) for case, found in early.items() for score, each in found.items() if _is_early(each)]
    if not weak:
        return None

    def room(place: tuple[Case, str]) -> float:
        case, score = place
        return float(early[case][score]["mean"] - minima[place]) / kinds[score].span

    case, score = max(weak, key=room)
    images, design = (sum(next(iter(found.values()))[key] for found in early.values()) for key in ("images", "design"))
    name = f"{case.model} {case.describe()}"
    return Early(len(weak), images, design, name, score, early[case][score]["mean"], minima[case, score], kinds[score])


def _is_early(estimate: Mapping[str, Any]) -> bool:
    return bool(estimate["images"] < estimate["design"])


def _measured(records: Iterable[Record], kinds: Mapping[str, ScoreKind]) -> dict[Case, dict[str, dict[str, Any]]]:
    """By case and score, its estimate with the number of images; where two tests judge a case, the lower one."""
    found: dict[Case, dict[str, dict[str, Any]]] = {}
    for record in records:
        of_case = found.setdefault(record.case, {})
        work = {"images": record.images, "design": record.design, "certainty": record.certainty}
        for score, estimate in record.scores.items():
            if score in kinds and estimate.low < of_case.get(score, {"low": math.inf})["low"]:
                of_case[score] = {"mean": estimate.mean, "low": estimate.low, "high": estimate.high, **work}
    return {case: estimates for case, estimates in found.items() if estimates}


def _words(kind: ScoreKind, estimate: Mapping[str, Any]) -> str:
    shown = kind.format
    interval = (
        f"{messages.percent(estimate['certainty'])} interval {shown(estimate['low'])} to {shown(estimate['high'])}"
    )
    images = messages.images(estimate["images"], estimate["design"])
    weak = ": weak, by an early verdict" if _is_early(estimate) else ""
    return f"{shown(estimate['mean'])}, {interval}, {images}{weak}"
