"""What is about to run and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift import collection, engine
from pytest_seedshift.report import words
from pytest_seedshift.workbench import design_of

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.report.terminal import TerminalReport
    from pytest_seedshift.session import State
    from pytest_seedshift.workbench import Workbench


def show(state: State, terminal: TerminalReport, items: Sequence[tuple[pytest.Item, Case]]) -> None:
    """Say the plan before a run; with --seedshift-plan, every case and a measured estimate of the time."""
    planned = [
        (item.nodeid, case, len(design_of(case.model, state.request(item).settings.images)))
        for item, case in items
        if collection.is_reliability(item)
    ]
    if not planned:  # tests of a model that judge no case
        return
    lines = terminal.plan(planned)
    if state.settings.plan:
        lines += [f"  {nodeid}  {images} images" for nodeid, _, images in planned]
        lines.append(_estimate(state.workbench, planned))
    elif (seconds := _from_history(state, planned)) is not None:
        lines.append(f"seedshift: about {words.duration(seconds)}, by the run before")
    terminal.write(lines)


def _from_history(state: State, planned: Sequence[tuple[str, Case, int]]) -> float | None:
    """The time that the run before took for as many images of the same models on the same device; None without one."""
    bench = state.workbench
    pace: dict[str, tuple[int, float]] = {}
    for record in state.folder.read_verdicts():
        if record.get("device") == bench.device and record.get("dtype") == bench.dtype and record.get("images"):
            images, seconds = pace.get(record["model"], (0, 0.0))
            pace[record["model"]] = (images + record["images"], seconds + record["seconds"])
    if any(case.model not in pace for _, case, _ in planned):
        return None
    return sum(images * pace[case.model][1] / pace[case.model][0] for _, case, images in planned)


def _estimate(bench: Workbench, planned: Sequence[tuple[str, Case, int]]) -> str:
    """Measure a batch of each model and say what that makes for the plan."""
    total = 0.0
    paces = []
    for model in dict.fromkeys(case.model for _, case, _ in planned):
        pace = measure(bench, model)
        paces.append(f"{model} {1000 * pace:.0f} ms an image")
        total += pace * sum(images for _, case, images in planned if case.model == model)
    return f"seedshift: about {words.duration(total)} (measured just now: {', '.join(paces)})"


def measure(bench: Workbench, model: str) -> float:
    """Seconds for an image of a model, scored, at the bench's batch size; nothing is kept.

    Raises:
        pytest.UsageError: the model cannot generate.
    """
    from pytest_seedshift.cases import Case

    pairs = design_of(model, None)[: bench.batch_size]
    try:
        for batch in (pairs[:1], pairs):  # the first one warms up
            start = time.perf_counter()
            list(engine.generate(Case(model), batch, bench.model(model), bench.scorers(model), bench.batch_size))
            seconds = time.perf_counter() - start
    except engine.CaseError as error:
        raise pytest.UsageError(str(error)) from None
    return seconds / len(pairs)
