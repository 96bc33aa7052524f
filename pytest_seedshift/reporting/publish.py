"""Where a run's summary goes: to a file, and to the page of a step of GitHub Actions.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands says what a runner takes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import atomic_files
from pytest_seedshift.reporting import summary

if TYPE_CHECKING:
    from pytest_seedshift.results.run import Run

LIMIT = 1024 * 1024
"""Bytes of a step's summary that GitHub shows; of one that is larger it shows nothing."""

NOWHERE = "none"
"""What is given as a path to write no summary at all."""

VARIABLE = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a summary is written: to `file`, and, with `step`, behind what the step's summary has already."""

    file: Path | None = None
    step: bool = True


def target(given: str | Path | None) -> Target:
    """What is meant by `--summary PATH`, by `--summary none`, and by neither."""
    if given is not None and str(given) == NOWHERE:
        return Target(step=False)
    return Target(None if given is None else Path(given))


def publish(run: Run, to: Target, report: str = "", environ: Mapping[str, str] = os.environ) -> list[str]:
    """Write a run's summary.

    Args:
        run: what its folder holds.
        to: where the summary goes.
        report: where the whole report lies; empty where it is not there.
        environ: of the process, which names the step's summary.

    Returns:
        Warnings for the user.

    Raises:
        OSError: a file cannot be written.
    """
    step = Path(environ[VARIABLE]) if to.step and environ.get(VARIABLE) else None
    if to.file is not None and (step is None or to.file.resolve() != step.resolve()):
        to.file.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(to.file, summary.make(run, LIMIT, report))
    if step is None or _append(step, run, report):
        return []
    return [f"the summary of this step of GitHub Actions has no room left, of {LIMIT} bytes: ${VARIABLE}"]


def _append(path: Path, run: Run, report: str) -> bool:
    """Whether there was room in the step's summary."""
    taken = path.stat().st_size if path.exists() else 0
    before = "\n\n" if taken else ""
    made = summary.make(run, LIMIT - taken - len(before), report)
    if made:
        with path.open("a", encoding="utf-8") as file:
            file.write(before + made)
    return bool(made)
