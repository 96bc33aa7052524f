"""`evaluate`: cases judged from Python, in a notebook or a training loop, as the plugin judges them."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from pytest_seedshift.reporting import evaluation_options
from pytest_seedshift.reporting.evaluation_result import Evaluation
from pytest_seedshift.results import comparison as comparisons
from pytest_seedshift.results.load_run import load_run
from pytest_seedshift.runner import evaluation, extensions, given_models, process_state, verdict_messages
from pytest_seedshift.studies import seed_sensitivity

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Label
    from pytest_seedshift.reporting.evaluation_options import Options
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.schema import Record
    from pytest_seedshift.runner.given_models import Given

_NAMES = ("shift", "magnitude", "classes", "images", "thresholds", "baseline", "exact", "directory", "name", "progress")

_TURN = threading.RLock()
"""Calls from several threads take turns: libraries that are loaded at the first one are not made for two at once."""


def evaluate(
    model: Given,
    *,
    shift: str | Iterable[str] | None = None,
    magnitude: float | Iterable[float] | None = None,
    classes: str | os.PathLike[str] | Iterable[str | Label] | None = None,
    images: int | None = None,
    thresholds: str | os.PathLike[str] | Mapping[Any, Any] | None = None,
    baseline: str | os.PathLike[str] | None = None,
    exact: bool = False,
    directory: str | os.PathLike[str] = ".seedshift",
    name: str | None = None,
    progress: Callable[[str], object] | None = None,
    **options: Unpack[Options],
) -> Evaluation:
    """Judge a model's cases without pytest, as the plugin would: the same samples, store and verdicts.

    A pipeline in memory is evaluated where and as it is, and left so; its samples are kept under its weights.

    Args:
        model: a name, folder or hub id, a pipeline of diffusers, or a model of your own.
        shift: one or several; None for all five. The control is always among the cases.
        magnitude: one or several, signed, as `--seedshift-magnitude`; None for ±0.1, ±0.2 and ±0.3.
        classes: what is asked for, "A photo of a [label]": labels, a CSV file or a shipped list.
        images: how many pairs of label and seed, at least one a label; None for the default.
        thresholds: a file, tables such as `{"default": {"top1": 0.6}}`, or None for thresholds.toml
            in the working directory, else the shipped ones.
        baseline: a baseline file or a run folder, which `max_regression` and `within` are held against.
        exact: whether every case visits all its pairs.
        directory: the run folder. What it has of the samples is not made again.
        name: of a pipeline, in results and tables of thresholds; None for its class's.
        progress: called with a line for each case, such as `print`.
        **options: certainty, design_seed, batch_size, device, dtype, no_limits; prompts, in place of
            classes: a file, texts, or mappings with its columns; and of the model template, scorers,
            steps, guidance, height, width, call, as in its table of thresholds.toml.

    Returns:
        The cases with their verdicts, the samples as a table, the report.

    Raises:
        SeedshiftError: something cannot be used: before the first image, if it can be known then.
    """
    given = evaluation_options.read(options, _NAMES, progress)
    folder = evaluation_options.run_folder(directory)
    with _TURN, extensions.known(), process_state.undisturbed():
        settings = evaluation_options.settings(
            given,
            shift=shift,
            magnitude=magnitude,
            images=images,
            thresholds=thresholds,
            baseline=baseline,
            exact=exact,
        )
        table = evaluation_options.model_table(given, classes, folder)
        return _judged(model, name, table, given, settings, folder, progress)


def _judged(
    model: object,
    name: str | None,
    table: Mapping[str, Any],
    options: Options,
    settings: evaluation.Settings,
    folder: RunFolder,
    progress: Callable[[str], object] | None,
) -> Evaluation:
    started, known = time.time(), evaluation_options.catalogue(settings, given_models.name_of(model, name))
    looked_up = given_models.looked_up(
        model, table, known, name=name, device=options.get("device"), dtype=options.get("dtype")
    )
    with looked_up as found, process_state.without_autocast():
        work = evaluation.CaseRunner(found, settings, folder)
        made = work.run(_Told(progress, work), _command(found.name, settings), started, seed_sensitivity.keep)
    return _result(folder, made, work)


def _command(model: str, settings: evaluation.Settings) -> str:
    """What run.json says in the place of a command."""
    parts = {
        "shift": ",".join(settings.shifts),
        "magnitude": ",".join(f"{each:g}" for each in settings.magnitudes),
        "images": settings.images,
        "exact": settings.exact or None,
        "design_seed": settings.design_seed,
    }
    given = (f"{key}={value}" for key, value in parts.items() if value is not None)
    return shlex.join(["seedshift.evaluate", model, *given])


# What it came to ------------------------------------------------------------------------------------------------------


class _Told:
    """Tells of each case that has ended."""

    def __init__(self, progress: Callable[[str], object] | None, work: evaluation.CaseRunner) -> None:
        self._progress, self._cases, self._kinds, self._ended = progress, len(work.cases), work.kinds, 0

    def __call__(self, record: Record) -> None:
        self._ended += 1
        if self._progress is not None:
            name = f"{record.model} {record.case.describe()}"
            figures = verdict_messages.figures(record, self._kinds)
            self._progress(f"{self._ended}/{self._cases} {name:<18} {figures}  {record.verdict}")


def _result(folder: RunFolder, made: list[Record], work: evaluation.CaseRunner) -> Evaluation:
    run = load_run(folder.path)
    comparison = None if work.baseline is None else comparisons.of_folder(run, work.baseline)
    if comparison is not None:
        comparisons.keep(comparison, folder, run)
    return Evaluation(replace(run, comparison=comparison), (*work.notes, *run.notes), made)
