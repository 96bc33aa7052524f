"""Which remedy to recommend of those that were tried, in words with the evidence; or none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.studies.remedies.candidates import REPAIRS

if TYPE_CHECKING:
    from pytest_seedshift.studies.remedies.findings import Remedies, Tried
    from pytest_seedshift.studies.sampler_ablation.effects import Mean

SLOWER = 1.2
"""What takes less than so many times as long counts as no slower."""

WEAK = 0.9
"""Of a score that is left under a shift: less than that is a remedy that only just suffices."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What is recommended.

    Attributes:
        tried: the remedy; None where there is none to recommend.
        sentences: why, the recommendation first.
    """

    tried: Tried | None
    sentences: tuple[str, ...]


def make(found: Remedies) -> Recommendation:
    """The recommendation of an experiment.

    A remedy is recommended that heals every case, is not seen to harm what is drawn without a shift, and still looks at
    its seed vector where the model did. Of several, the one of fewest changes; of these one that leaves most of each
    score; then a repair, which leaves the model as it is; then the fastest, and the one that moves least.
    """
    total = len(found.before)
    if not total:
        return Recommendation(None, (f"{found.model} holds in all of its cases: there is nothing to heal.",))
    whole = [each for each in found.tried if each.healed == total]
    good = [each for each in whole if not _blind(each, found) and not each.harms]
    rest = [sentence for each in whole if (sentence := _but(each, found)) is not None]
    if good:
        best = min(good, key=lambda each: _order(each, found))
        return Recommendation(best, (_praise(best, found), *_others(good, best), *rest))
    if whole:
        return Recommendation(None, ("None of these: what heals every case has its price.", *rest))
    partly = [each for each in found.tried if each.healed]
    some = [f"{each.candidate.title} heals {each.healed} of {total}." for each in partly]
    return Recommendation(None, ("None of these: no remedy heals every case.", *some))


def in_order(found: Remedies) -> list[Tried]:
    """The remedies that heal every case and still look at the seed vector, the one to recommend first."""
    whole = [each for each in found.tried if each.healed == len(found.before) and not _blind(each, found)]
    return sorted(whole, key=lambda each: _order(each, found))


def _order(tried: Tried, found: Remedies) -> tuple[object, ...]:
    first = tried.candidate.changes[0]
    # Repairs take no time; of them those come first that move a vector least which needs none.
    place = REPAIRS.index(first) if first in REPAIRS else len(REPAIRS)
    moved = max((abs(each.value) for each in tried.costs.values()), default=0.0)
    return len(tried.candidate.changes), _is_weak(tried), place, _times(tried, found) or 1.0, moved


def _is_weak(tried: Tried) -> bool:
    """Whether it leaves a case within its bounds and far from what it is without a shift."""
    return any(min(each.retained.values(), default=1.0) < WEAK for each in tried.treated)


def _blind(tried: Tried, found: Remedies) -> bool:
    """Whether it heals by not looking at the seed vector, where the model does look at it."""
    return tried.ignores and not found.ignores


def _times(tried: Tried, found: Remedies) -> float | None:
    return tried.seconds / found.seconds if tried.seconds and found.seconds else None


def _praise(tried: Tried, found: Remedies) -> str:
    cases = "the case that fails" if len(found.before) == 1 else f"all {len(found.before)} cases that fail"
    score = "top1" if all("top1" in each.retained for each in tried.treated) else next(iter(tried.costs), "")
    kept = ", ".join(
        f"{each.case.describe()} ≈{each.retained[score]:.2f} where it was ≈{was.retained[score]:.2f}"
        for each, was in zip(tried.treated, found.before, strict=True)
        if score in each.retained and score in was.retained
    )
    times = _times(tried, found)
    slower = "" if times is None or times <= SLOWER else f" It takes {times:.1f} times as long."
    use = "" if tried.seed_use is None else f" Its pictures still change with the seed vector{_share(tried)}."
    return (
        f"Use {tried.candidate.title}: it heals {cases}"
        f"{f' (of the score is left: {kept})' if kept else ''}{_price(tried, found)}."
        f"{slower}{use}"
    )


def _price(tried: Tried, found: Remedies) -> str:
    """What is known of a loss without a shift: none is seen, or too little is known."""
    if not tried.costs:
        return ". Too few pairs to say whether anything is lost without a shift"
    if unclear := tried.unclear(found.control):
        told = ", ".join(f"{title(score)} {interval(score, change)}" for score, change in unclear.items())
        return f". Too few pairs ({tried.pairs}) to say whether anything is lost without a shift: {told}"
    return ", and nothing is seen to be lost without a shift"


def title(score: str) -> str:
    """A score's name in words."""
    return SHIPPED[score].title if score in SHIPPED else score


def interval(score: str, change: Mean) -> str:
    """`−0.54 to +0.54`, in the score's own units."""
    digits = 1 if score in SHIPPED and SHIPPED[score].top > 1 else 2
    low, high = (f"{each:+.{digits}f}".replace("-", "−") for each in (change.low, change.high))
    return f"{low} to {high}"


def _share(tried: Tried) -> str:
    assert tried.seed_use is not None
    return f" ({tried.seed_use.vector('pixel').value:.2g} of what another label changes, in pixels)"


def _others(good: Sequence[Tried], best: Tried) -> list[str]:
    rest = [each for each in good if each is not best]
    well = [each.candidate.title for each in rest if not _is_weak(each)]
    just = [each.candidate.title for each in rest if _is_weak(each)]
    return [
        *([f"As well: {', '.join(well)}."] if well else []),
        *([f"Within the bounds, with less than {WEAK:g} of a score left: {', '.join(just)}."] if just else []),
    ]


def _but(tried: Tried, found: Remedies) -> str | None:
    """What speaks against a remedy that heals every case; None where nothing does."""
    if _blind(tried, found):
        return (
            f"{tried.candidate.title} heals every case by hardly using the seed vector. All seeds then give nearly the "
            "same picture, so this does not show that the model withstands shifts."
        )
    if tried.harms:
        lost = ", ".join(tried.harms)
        return f"{tried.candidate.title} heals every case, and harms what is drawn without a shift ({lost})."
    return None
