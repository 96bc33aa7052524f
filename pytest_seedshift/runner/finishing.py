"""What is done with a batch of images once they are scored: what becomes of each goes back without its tensor."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_seedshift.core.likeness import EQUAL
from pytest_seedshift.results.pictures import packed
from pytest_seedshift.runner import drawn_images, flat_images
from pytest_seedshift.runner.orders import Made

if TYPE_CHECKING:
    from pytest_seedshift.runner.generate import Batch
    from pytest_seedshift.runner.orders import Row, Scores


def finish(batch: Batch) -> tuple[Made, ...]:
    """What came of the rows of a batch that has its scores: the pictures that are wanted are packed."""
    levels = batch.levels if batch.levels is not None else drawn_images.levels(batch.images).cpu()
    flat = flat_images.of_one_colour(levels)
    sketched = [place for place, row in enumerate(batch.rows) if row.case.is_control and row.pair.noise is None]
    sketches = dict(zip(sketched, flat_images.sketches(levels[sketched]), strict=True)) if sketched else {}
    likeness = batch.likeness or ({},) * len(batch.rows)
    wanted = [
        place
        for place, (row, scores) in enumerate(zip(batch.rows, batch.scores, strict=True))
        if keeps(row, scores) or likeness[place].get(EQUAL) == 0  # it may be the one that is least alike
    ]
    pictures = dict(zip(wanted, map(packed, levels[wanted]), strict=True)) if wanted else {}
    size = batch.images.shape[-2], batch.images.shape[-1]
    return tuple(
        Made(
            replace(row, given=b"", reference=None) if row.given or row.reference else row,
            scores,
            size,
            is_flat,
            sketches.get(place, b""),
            pictures.get(place),
            was_given=bool(row.given),
            likeness=likeness[place],
        )
        for place, row, scores, is_flat in zip(itertools.count(), batch.rows, batch.scores, flat, strict=False)
    )


def keeps(row: Row, scores: Scores) -> bool:
    """Whether a row's picture is wanted, whatever it is like."""
    wrong = any(values.get("top1") == 0 for values in scores)
    return row.picture == "always" or (row.picture == "if wrong" and wrong)
