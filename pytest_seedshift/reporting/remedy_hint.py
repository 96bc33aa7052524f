"""What a case that fails names as the next step: the command that looks for a remedy, once a model."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_seedshift.core import likeness, messages, tails
from pytest_seedshift.core.test_names import PROGRAM

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.results.schema import Record

_JUDGED_BY = ("min", "max_drop")
"""The kinds of bounds that a remedy is judged by."""


class _Bound(Protocol):
    @property
    def score(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def holds(self) -> bool | None: ...


def lines(records: Iterable[Record], folder: Path) -> list[str]:
    """For the terminal: a line a model that holds without a shift and fails with one."""
    found = _models((each.case, each.status, each.null, each.constraints) for each in records)
    return [f"what may heal {model}: {_command(model, folder)}" for model in found]


def of_run(run: Run, model: str) -> str:
    """The command for a model of a run; empty where it has nothing to heal, or where no command can make it.

    A pipeline in memory, which `evaluate` has judged, is known to no command.
    """
    if any(each.command.startswith("seedshift.evaluate") for each in run.facts):
        return ""
    return _command(model, run.path) if model in _models(map(_of_case, run.of(model))) else ""


def _of_case(each: CaseRun) -> tuple[Case, str, bool, Sequence[_Bound]]:
    return each.case, each.status, each.null, each.findings


def _models(cases: Iterable[tuple[Case, str, bool, Sequence[_Bound]]]) -> list[str]:
    """The models whose control passes and of which a shifted case breaks a bound that a remedy could let it hold."""
    controls, failing = set(), dict[str, None]()
    for case, status, null, bounds in cases:
        if case.is_control and status == "pass":
            controls.add(case.model)
        if not (case.is_control or null) and status == "fail" and any(_broken(bounds)):
            failing[case.model] = None
    return [model for model in failing if model in controls]


def _broken(bounds: Iterable[_Bound]) -> Iterator[bool]:
    """Of bounds that are about the score itself, whether they are broken; a regression has other causes."""
    for each in bounds:
        if each.kind in _JUDGED_BY and tails.of(each.score) is None and likeness.measure_of(each.score) is None:
            yield each.holds is False


def _command(model: str, folder: Path) -> str:
    said = Path(messages.relative(str(folder)))
    return shlex.join([PROGRAM, "remedies", model, "--of", said.name if said.is_absolute() else str(said)])
