"""Annotations of GitHub Actions: failing cases at the top of a run's page, and in a change where a test is in it.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands says how a step asks for one, in a
line of its output.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import output, text
from pytest_seedshift.plugin import job_kinds, terminal_output

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import Entry, Record, Search

MOST = 10
"""How many errors of a step GitHub shows."""

_LONGEST = 4000
"""Characters of a message; GitHub cuts what is much longer."""

_NAMED = 20


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is said of one case; `file` is relative to the repository, `line` counts from 1."""

    title: str
    message: str
    file: str = ""
    line: int | None = None


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is a step of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def of_record(record: Record | Search, file: str = "", line: int | None = None) -> Annotation:
    """The annotation of a case, or of a search for a breaking point, that fails or could not be judged."""
    how = "fails" if record.verdict == "fail" else "could not be judged"
    reason = "\n".join(line.strip() for line in record.reason.strip().split("\n"))
    return Annotation(f"{record.model}, {record.subject} {how}", reason[:_LONGEST], file, line)


def of_missing(entry: Entry) -> Annotation:
    """The annotation of a case of the grid that no run has judged."""
    return Annotation(f"{entry.id} has no verdict", f"no run has judged it: {entry.test}")


def of_session(name: str, reason: str) -> Annotation:
    """The annotation of what fails a session beside its cases: see `session_failures`."""
    return Annotation(f"{name} fails", reason[:_LONGEST])


def commands(annotations: Sequence[Annotation]) -> Iterator[str]:
    """The lines that ask for annotations: no more than are shown, the last of which names those left out."""
    shown, rest = list(annotations), []
    if len(shown) > MOST:
        shown, rest = shown[: MOST - 1], shown[MOST - 1 :]
    yield from map(_command, shown)
    if rest:
        names = [each.title for each in rest[:_NAMED]]
        more = [f"and {len(rest) - _NAMED} more"] if len(rest) > _NAMED else []
        yield _command(Annotation(f"{len(rest)} more cases do not pass", "\n".join([*names, *more])))


def _command(annotation: Annotation) -> str:
    properties = {"title": annotation.title, "file": annotation.file, "line": annotation.line}
    given = ",".join(f"{name}={text.workflow_property(value)}" for name, value in properties.items() if value)
    return f"::error {given}::{text.workflow(annotation.message)}"


def where(test: str, root: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The file of a test's id, relative to the repository; empty for the built-in suite, and outside of it."""
    path = (root / test.partition("::")[0]).resolve()
    workspace = Path(environ.get("GITHUB_WORKSPACE") or root).resolve()
    return path.relative_to(workspace).as_posix() if path.is_file() and path.is_relative_to(workspace) else ""


class Annotations:
    """Hooks that ask for annotations at a session's end; registered in a step of GitHub Actions, not in workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._made: dict[str, Annotation] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a case whose test fails; one that is expected to fail does not."""
        record = job_kinds.record_of(report)
        if record is not None and report.failed:
            file = where(report.nodeid, self._config.rootpath)
            line = report.location[1]
            self._made[report.nodeid] = of_record(record, file, line + 1 if file and line is not None else None)
        elif report.failed and hasattr(report, "seedshift_session"):
            self._made[report.nodeid] = of_session(report.nodeid, report.seedshift_session)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the commands, each on a line of its own, also where the terminal's report is turned off."""
        lines = list(commands(list(self._made.values())))
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is None:
            output.say_commands(lines)
        elif lines:
            terminal_output.report(reporter, "")  # the progress may stand on a line that has not ended
            terminal_output.report_commands(reporter, lines)
