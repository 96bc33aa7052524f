"""What is said of the worst seeds: in words, as a table and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tables
from pytest_seedshift.studies.worst.findings import WHICH

if TYPE_CHECKING:
    from pytest_seedshift.studies.worst.findings import Found, Seed, Share, Worst

NAMES = {"control": "own seed", "null": "worst of fresh seeds", "found": "worst of the search"}
"""The vectors of a pair, as tables and sentences call them."""

LEGEND = (
    "each score is of one picture, or the mean over fresh later noises; ✗: in most the classifier sees another label",
    "nearest to an edge: the found vector's statistic that lies furthest out; 100 % is the end of its typical range",
)


def table(found: Worst) -> list[tuple[str, ...]]:
    """A row a pair, the head first."""
    head = ("pair", *(NAMES[which] for which in WHICH), "beside fresh", "nearest to an edge")
    return [head, *(_row(each, found) for each in found.pairs)]


def _row(each: Found, found: Worst) -> tuple[str, ...]:
    scores = (cell(getattr(each, which), found) for which in WHICH)
    return name(each), *scores, signed(each.difference, found), edge(each)


def name(each: Found) -> str:
    """`goldfish 3`: the label and the index of the pair's own seed."""
    return f"{each.label} {each.seed}"


def cell(seed: Seed, found: Worst) -> str:
    """`27.1`, `13.2 ✗`."""
    return f"{found.kind.format(seed.score)}{' ✗' if seed.is_broken else ''}"


def edge(each: Found) -> str:
    """`norm / √n (61 %)`."""
    return f"{each.extreme} ({100 * each.reach:.0f} %)"


def signed(value: float, found: Worst) -> str:
    """`-3.2`."""
    return f"{value:+.2f}" if found.kind.top <= 1 else f"{value:+.1f}"


def sentences(found: Worst) -> list[str]:
    """What was found, what it is, and what it is not."""
    return [_verdict(found), *_broken(found), _what_it_is(found), _confirmation(found)]


def _verdict(found: Worst) -> str:
    difference, sure = found.difference, messages.percent(found.certainty)
    of = f"{found.model}: over {len(found.pairs)} pairs"
    ends = [signed(each, found) for each in (difference.low, difference.high) if math.isfinite(each)]
    interval = f"{sure} interval {' to '.join(ends)}" if len(ends) == 2 else "too few pairs for an interval"
    measured = (
        f"{found.kind.title} changes by {signed(difference.median, found)} in the median ({interval}; sign test "
        f"p = {difference.p:.2g})"
    )
    if found.beyond:
        return f"{of} the search finds worse seeds than the worst of {found.budget} fresh ones: {measured}."
    return f"{of} the search finds nothing beyond the worst of {found.budget} fresh seeds: {measured}."


def _broken(found: Worst) -> list[str]:
    shares = {which: found.share(which) for which in WHICH}
    said = [f"{NAMES[which]} {_share(share)}" for which, share in shares.items() if share is not None]
    return [f"Pairs broken by top-1: {', '.join(said)}."] if said else []


def _share(share: Share) -> str:
    return f"{share.broken} of {share.pairs} ({100 * share.low:.0f}–{100 * share.high:.0f} %)"


def _what_it_is(found: Worst) -> str:
    level = messages.percent(found.typical.level)
    return (
        f"Every found vector lies within the ranges that {level} of drawn vectors keep in all of "
        f"{len(found.typical.names)} statistics. This is a lower bound on how bad a seed can be: a longer search may "
        "find worse."
    )


def _confirmation(found: Worst) -> str:
    made = f"{found.images} images made."
    if found.deterministic:
        return f"Later noise changes no picture, so each vector is drawn once: there is nothing to confirm. {made}"
    return f"The scores are means over {messages.count(found.confirm, 'fresh later noise')}, after all choices. {made}"


def lines(found: Worst) -> list[str]:
    """For a terminal."""
    return [*tables.table(table(found), "<"), *(f"  {each}" for each in LEGEND), *sentences(found)]


def document(found: Worst) -> dict[str, Any]:
    """All of it in built-in types."""
    difference, typical = found.difference, found.typical
    shares = {which: found.share(which) for which in WHICH}
    ends = zip(typical.names, typical.low.tolist(), typical.high.tolist(), strict=True)
    return {
        "version": 1,
        "model": found.model,
        "score": found.score,
        "budget": found.budget,
        "confirm": found.confirm,
        "deterministic": found.deterministic,
        "certainty": found.certainty,
        "images": found.images,
        "beyond": found.beyond,
        "difference": {
            "median": difference.median,
            "low": _finite(difference.low),
            "high": _finite(difference.high),
            "p": difference.p,
        },
        "broken": {
            which: None if share is None else {"pairs": share.broken, "low": share.low, "high": share.high}
            for which, share in shares.items()
        },
        "typical": {
            "level": typical.level,
            "statistics": [{"name": each, "low": low, "high": high} for each, low, high in ends],
        },
        "pairs": [_pair(each) for each in found.pairs],
        "sentences": sentences(found),
    }


def _pair(each: Found) -> dict[str, Any]:
    return {
        "label": each.label,
        "seed": each.seed,
        **{which: _seed(getattr(each, which)) for which in WHICH},
        "difference": each.difference,
        "nearest_to_edge": each.extreme,
        "reach": each.reach,
        "degrees_from_own": each.apart,
        "discarded": each.discarded,
    }


def _seed(seed: Seed) -> dict[str, Any]:
    return {"searched": seed.searched, "score": seed.score, "right": seed.right}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
