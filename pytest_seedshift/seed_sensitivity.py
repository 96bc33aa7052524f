"""The seed sensitivity of a model on a workbench: looked up in the run folder by all that it depends on, or measured.

One place for every reader, so that what is kept is found by the same key: the model's fingerprint, that of the scorer
whose embeddings are compared, and the design.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_seedshift import identity, sensitivity
from pytest_seedshift.pairs import class_list
from pytest_seedshift.scores import CERTAINTY
from pytest_seedshift.seeduse import SeedUse

if TYPE_CHECKING:
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.workbench import Workbench


def wanted(bench: Workbench, model: str) -> SeedUse:
    """What the seed sensitivity of a model would be kept as. Nothing is loaded but a model of the user's own.

    Raises:
        CaseError: weights that cannot be had, or a store that cannot be opened.
    """
    try:
        rows = _design(bench, model)
    except sensitivity.SensitivityError:  # is said when it is to be measured
        rows = ()
    embedder = identity.of_clip(bench.catalogue.find(model).clip)
    return SeedUse(model, bench.samples(model).model, embedder, sensitivity.fingerprint(rows))


def measure(
    bench: Workbench, model: str, *, certainty: float = CERTAINTY, progress: Callable[[int], None] | None = None
) -> SeedUse:
    """Measure it, whether it is kept or not.

    Args:
        bench: where the model is held.
        model: its name.
        certainty: of the intervals, between 0.5 and 1.
        progress: is told the number of images made so far.

    Returns:
        What was measured, to be kept.

    Raises:
        CaseError: something cannot be loaded or generated.
        SensitivityError: it cannot be measured; the message says why.
    """
    use, engine = wanted(bench, model), bench.engine(model)
    found = sensitivity.measure(
        engine.model,
        bench.embedder(model),
        _design(bench, model),
        batch_size=engine.batch_size,
        certainty=certainty,
        progress=progress,
    )
    return dataclasses.replace(use, sensitivity=found)


def _design(bench: Workbench, model: str) -> tuple[tuple[Pair, ...], ...]:
    return sensitivity.design(class_list(bench.catalogue.find(model).classes))
