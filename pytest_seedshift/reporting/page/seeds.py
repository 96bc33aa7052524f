"""The page of a run's seed indices: one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages
from pytest_seedshift.reporting import html, seeds
from pytest_seedshift.reporting.html import fill
from pytest_seedshift.reporting.page.album import Album
from pytest_seedshift.reporting.page.shots import shot

if TYPE_CHECKING:
    from pytest_seedshift.results.data import Run
    from pytest_seedshift.results.seeds import Seeds

_STRIP = 12
"""How many pictures of an index under one case are shown."""

_CASES = 4
"""Under how many cases."""

_ROWS = 40
"""How many indices the table has, the worst first."""


def make(found: Seeds, run: Run, command: str) -> str:
    """The page, as HTML, of what was found in a run; `command` is how it was made."""
    album = Album()
    shown = [_index(found, seed, album) for seed in found.samples]
    kind = run.kinds[found.score]
    return fill(
        "seeds.html.jinja2",
        kinds=run.kinds,
        title=f"Seeds of {found.model}",
        style=html.style(),
        verdict=seeds.verdict(found),
        failed=bool(found.worse),
        over=f"{kind.title} over {messages.count(found.labels, 'label')}, the mean of {messages.some(found.cases)}",
        left_out=found.left_out,
        meaning=seeds.MEANING,
        rows=_rows(found),
        score=found.score,
        more=max(0, len(found.effects) - _ROWS),
        fresh=found.confirmed or (),
        indices=shown,
        vectors=bool(found.vectors),
        definitions=album.definitions(),
        command=command,
    )


def _rows(found: Seeds) -> list[dict[str, Any]]:
    """The table, each effect drawn beside 0."""
    most = max([1e-12, *(abs(each.effect) for each in found.effects)])
    worse = {each.seed for each in found.worse}
    return [
        {"effect": each, "worse": each.seed in worse, "end": 50 + 48 * each.effect / most}
        for each in found.effects[:_ROWS]
    ]


def _index(found: Seeds, seed: int, album: Album) -> dict[str, Any]:
    """An index with its vector and its pictures, a strip a case."""
    strips: dict[str, list[Any]] = {}
    left_out = 0
    for case, sample in found.samples[seed]:
        if sample.picture is None and not sample.lost:
            continue
        strip = strips.get(case)
        if (strip is None and len(strips) == _CASES) or (strip is not None and len(strip) == _STRIP):
            left_out += 1
            continue
        strips.setdefault(case, []).append(shot(sample, album))
    return {
        "seed": seed,
        "worse": seed in {each.seed for each in found.worse},
        "held": found.confirmed is not None and seed in found.holds,
        "facts": found.vectors.get(seed),
        "strips": strips,
        "left_out": left_out,
    }
