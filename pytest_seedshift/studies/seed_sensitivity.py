"""The seed sensitivity of a model on a workbench: looked up in the run folder by all that it depends on, or measured.

One place for every reader, so that what is kept is found by the same key: the model's fingerprint, that of the scorer
whose embeddings are compared, and the design.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import seed_shares
from pytest_seedshift.results.sensitivity_files import SeedUse
from pytest_seedshift.scorers import fingerprint
from pytest_seedshift.studies import sensitivity

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.model_pool import ModelPool
    from pytest_seedshift.runner.workbench import Workbench


def wanted(bench: Workbench, model: str) -> SeedUse:
    """What the seed sensitivity of a model would be kept as. Nothing is loaded but a model of the user's own.

    Raises:
        CaseError: weights that cannot be had, or a store that cannot be opened.
    """
    try:
        rows = _design(bench, model)
    except seed_shares.SensitivityError:  # is said when it is to be measured
        rows = ()
    embedder = fingerprint.of_clip(bench.catalogue.find(model).clip)
    return SeedUse(model, bench.samples(model).model, embedder, sensitivity.fingerprint(rows))


def keep(bench: Workbench, model: str, progress: Callable[[int], None] | None = None) -> None:
    """Measure it and keep it in the run folder, unless another process does, or has.

    No case's verdict hangs on it: of one that cannot be measured the reason is kept.

    Args:
        bench: where the model is held.
        model: its name.
        progress: is told the number of images made so far.

    Raises:
        CaseError: weights that cannot be had, or a store that cannot be opened.
        OSError: the folder cannot be written to.
    """
    from filelock import Timeout

    folder, use = bench.folder, wanted(bench, model)
    if use.is_measured(folder) or bench.pool.is_broken(model):
        return
    try:  # what is made in it takes other locks, but for this one nobody waits
        with folder.lock(f"sensitivity {model}").acquire(timeout=0):
            if not use.is_measured(folder):
                _made(bench, model, use, progress).write(folder)
    except Timeout:
        return


def _made(bench: Workbench, model: str, use: SeedUse, progress: Callable[[int], None] | None) -> SeedUse:
    try:
        return measure(bench, model, progress=progress, more=True)
    except Exception as error:  # of whatever a model or a library raises
        return dataclasses.replace(use, reason=messages.first_line(error))


def measure(
    bench: Workbench,
    model: str,
    *,
    certainty: float = CERTAINTY,
    progress: Callable[[int], None] | None = None,
    more: bool = False,
) -> SeedUse:
    """Measure it, whether it is kept or not.

    Args:
        bench: where the model is held.
        model: its name.
        certainty: of the intervals, between 0.5 and 1.
        progress: is told the number of images made so far.
        more: whether a model that seems to ignore its seed vector is measured on `sensitivity.MORE` blocks in all.

    Returns:
        What was measured, to be kept.

    Raises:
        CaseError: something cannot be loaded or generated.
        SensitivityError: it cannot be measured; the message says why.
    """
    use, rows = wanted(bench, model), _design(bench, model)
    if bench.pool.is_here:
        bench.service.engine(model)  # which knows how many images at once suit it

    def of(part: tuple[tuple[Pair, ...], ...], told: Callable[[int], None] | None) -> seed_shares.Sensitivity:
        told = told if bench.pool.is_here else None
        measured: seed_shares.Sensitivity = bench.scheduler.call(model, _measured, part, certainty, told)
        return measured

    found = of(rows, progress)
    if more and found.may_ignore_vector:
        made, start = found.images, len(rows[0])
        rest = tuple(row[start:] for row in _design(bench, model, sensitivity.MORE))
        found = found.joined(of(rest, progress and (lambda number: progress(made + number))))
    return dataclasses.replace(use, sensitivity=found)


def _measured(
    pool: ModelPool,
    model: str,
    rows: tuple[tuple[Pair, ...], ...],
    certainty: float,
    progress: Callable[[int], None] | None,
) -> seed_shares.Sensitivity:
    """Measure on the blocks that `rows` has, where the model is."""
    loaded, embedder, size = pool.model(model), pool.scorers.embedder(model), pool.running_batch_size(model)
    return sensitivity.measure(loaded, embedder, rows, batch_size=size or 1, certainty=certainty, progress=progress)


def _design(bench: Workbench, model: str, blocks: int = sensitivity.BLOCKS) -> tuple[tuple[Pair, ...], ...]:
    """The blocks; the first of many are those of few."""
    return sensitivity.design(bench.catalogue.find(model).prompt_set.first_worded, blocks)
