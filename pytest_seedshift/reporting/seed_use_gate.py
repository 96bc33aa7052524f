"""Bounds on the use of the seed vector in words; see `core.seed_use_bounds`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.core.seed_use_bounds import MIN, REGRESSION
from pytest_seedshift.core.stats.seed_shares import KINDS, Share
from pytest_seedshift.reporting import seedlines

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import SeedUse


def failures(found: Iterable[SeedUse], certainty: float) -> list[tuple[str, str]]:
    """What breaks a bound, or could not be held against it: a name, and the reason."""
    made: dict[str, str] = {}
    for each in found:
        if each.fails:
            name = f"seed-use[{each.model}]" if each.holds is None else f"seed-use[{each.model}-{each.distance}]"
            made.setdefault(name if name not in made else f"{name[:-1]}-{each.key}]", sentence(each, certainty))
    return list(made.items())


def sentence(each: SeedUse, certainty: float) -> str:
    """What came of a bound: `toy: another seed vector changes pixels 0.1 (0.05–0.2) of what another label does, …`."""
    if each.holds is None:
        why = "another shard measures it" if each.elsewhere else each.reason
        return f"{each.model}: {each.key} is set, and it was not measured: {why}"
    title, share = KINDS[each.distance], seedlines.interval(_share(each))
    at = f"{each.key} = {each.bound:g} at {messages.percent(certainty)}"
    if each.key == REGRESSION:
        how = "within" if each.holds else "more is lost than"
        return f"{each.model}: {share} of the baseline's change of {title} by another seed vector is left, {how} {at}"
    beyond = "less than" if each.key == MIN else "more than"
    how = "within" if each.holds else beyond
    return f"{each.model}: another seed vector changes {title} {share} of what another label does, {how} {at}"


def _share(each: SeedUse) -> Share:
    high = float("inf") if each.high == "inf" else float(each.high or 0)
    return Share(each.measured or 0.0, each.low or 0.0, high)
