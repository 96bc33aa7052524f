"""A run beside the one that it is compared with: what turned, whether that is beyond chance, and pictures of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.stats.paired import TESTS
from pytest_seedshift.reporting import regressions, tags
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.reporting.page.shots import Shot, shot_of
from pytest_seedshift.results import comparison as comparisons
from pytest_seedshift.results import tag_changes
from pytest_seedshift.results.baseline import BaselineError
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.regression import Comparison
    from pytest_seedshift.results.run import Run

_CASES = 12
"""Of how many cases, those with the most pairs that turned wrong first, pairs are shown."""

_SHOWN = 8
_NAMED = 24


def build(run: Run, album: Album) -> Section | None:
    """The comparison; None where there is none, and what is wrong where it cannot be made."""
    try:
        comparison = run.comparison or comparisons.of_folder(run)
    except BaselineError as error:
        return section("regressions", "Against the baseline", kinds=run.kinds, comparison=None, error=str(error))
    if comparison is None:
        return None
    of_tags = tag_changes.of(comparison)
    return section(
        "regressions",
        "Against the baseline",
        kinds=comparison.kinds,
        error=None,
        comparison=comparison,
        summary=regressions.summary(comparison),
        signed=regressions.signed(comparison),
        notes=[*regressions.notes(comparison), *comparison.after.notes],
        by_tag=[(each, tags.turned(each)) for each in of_tags],
        tag_note=[*tags.prompts(comparison), tags.NOTE] if of_tags else [],
        tests=TESTS,
        too_few=verdict_messages.too_few,
        verdicts={each.id: each.status for each in run.cases},
        turned=_turned(comparison, album),
    )


def _turned(comparison: Comparison, album: Album) -> list[dict[str, Any]]:
    """Cases with pairs that were right and are wrong now, with their pictures."""
    found = []
    regressed = {row.case for row in comparison.rows if row.regressed}
    for case in comparison.cases:
        if "top1" not in comparison.after.cases[case].scores:
            continue
        lost, won = comparison.turned(case)
        if lost:
            found.append((case, lost, won))
    found.sort(key=lambda each: (each[0] not in regressed, -len(each[1])))
    return [_shown(comparison, case, lost, won, album) for case, lost, won in found[:_CASES]]


def _shown(
    comparison: Comparison, case: Case, lost: list[tuple[str, int]], won: list[tuple[str, int]], album: Album
) -> dict[str, Any]:
    other = comparison.other(case)
    sides = {
        pair: (comparison.before.pictures.get((other, *pair)), comparison.after.pictures.get((case, *pair)))
        for pair in lost
    }
    seen = [pair for pair in lost if sides[pair][1] is not None][:_SHOWN]
    rest = [f"{label} (seed {seed})" for label, seed in lost if (label, seed) not in seen]
    more = len(rest) - _NAMED
    return {
        "case": case,
        "lost": len(lost),
        "won": len(won),
        "pairs": [
            (_shot(pair, sides[pair][0], album, right=True), _shot(pair, sides[pair][1], album, right=False))
            for pair in seen
        ],
        "named": rest[:_NAMED] + ([f"and {more} more"] if more > 0 else []),
    }


def _shot(pair: tuple[str, int], picture: Path | None, album: Album, *, right: bool) -> Shot:
    return shot_of(*pair, right, picture, album)
