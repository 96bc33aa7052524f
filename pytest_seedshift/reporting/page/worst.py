"""The page of the worst seeds: one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.reporting import html, thumbnails, worst
from pytest_seedshift.reporting.html import fill
from pytest_seedshift.reporting.page.shots import Shot
from pytest_seedshift.studies.worst.findings import WHICH

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_seedshift.studies.worst.findings import Found, Worst

_PICTURED = 12
"""Of how many pairs pictures are shown."""

_SIDE = 160
"""The longer side of a picture, in pixels."""


def make(found: Worst, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    pictured = list(enumerate(found.pairs[:_PICTURED]))
    return fill(
        "worst.html.jinja2",
        ScoreRegistry({found.score: found.kind}),
        title=f"The worst seeds of {found.model}",
        style=html.style(),
        sentences=worst.sentences(found),
        beyond=found.beyond,
        budget=found.budget,
        names=worst.NAMES,
        strips={which: [_shot(place, each, which) for place, each in pictured] for which in WHICH},
        left_out=max(0, len(found.pairs) - _PICTURED),
        definitions=Markup("\n").join(
            _definition(place, which, getattr(each, which).levels) for place, each in pictured for which in WHICH
        ),
        rows=_rows(found),
        legend=worst.LEGEND,
        score=found.kind.title,
        command=command,
    )


def _shot(place: int, each: Found, which: str) -> Shot:
    seed = getattr(each, which)
    right = None if seed.right is None else not seed.is_broken
    return Shot(each.label, each.seed, right, f"{which}-{place}", lost=False)


def _definition(place: int, which: str, levels: NDArray[np.uint8]) -> Markup:
    from PIL import Image

    encoded = thumbnails.encode(Image.fromarray(levels), _SIDE)
    uri = html.data_uri(encoded, thumbnails.MEDIA_TYPE)
    return Markup('<image id="{}-{}" width="1" height="1" href="{}"/>').format(which, place, uri)


def _rows(found: Worst) -> list[dict[str, Any]]:
    """The table of the terminal, each pair's scores drawn on one scale."""
    _, *told = worst.table(found)
    scores = [getattr(each, which).score for each in found.pairs for which in WHICH]
    low, span = min(scores), max(max(scores) - min(scores), 1e-9)
    return [
        {
            "texts": texts,
            "drawn": {which: 3 + 94 * (getattr(each, which).score - low) / span for which in WHICH},
            "worse": each.difference < 0,
        }
        for each, texts in zip(found.pairs, told, strict=True)
    ]
