"""What fails a session beside its tests, as failed items: every red run has something to click on.

A regression that only shows over several cases, a comparison that could not be made, verdicts that could not be
written. Each is reported as a test that has failed, to all that hear of tests: terminal, JUnit, pytest-html, others.
"""

from __future__ import annotations

import pytest

from pytest_seedshift.core import text
from pytest_seedshift.core.test_names import SUITE
from pytest_seedshift.plugin import unjudged


def log(config: pytest.Config, name: str, reason: str) -> None:
    """Report that `seedshift::name` has failed. To be called while tests are run: then it counts as one.

    Args:
        config: pytest's.
        name: such as `regression[toy-latent-mean-top1]`.
        reason: shown as any failure's text; its first line stands in pytest's short summary.
    """
    name = text.identifier(name)
    nodeid = f"{SUITE}::{name}"
    for when, failed in (("call", True), ("teardown", False)):  # pytest-html waits for the teardown
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(SUITE, None, name),
            keywords={},
            outcome="failed" if failed else "passed",
            longrepr=unjudged.failure(reason) if failed else None,
            when=when,  # type: ignore[arg-type]
        )
        report.seedshift_session = reason  # type: ignore[attr-defined]
        config.hook.pytest_runtest_logreport(report=report)
        report.seedshift_logged = True  # type: ignore[attr-defined]
    known = getattr(config.pluginmanager.getplugin("lfplugin"), "lastfailed", None)
    if isinstance(known, dict):
        known.pop(nodeid, None)  # no test of that name could be run by --lf


def status(report: pytest.TestReport) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
    """How pytest's terminal shows such a report: not as a line of progress, of which it is no part, but at the end."""
    if not hasattr(report, "seedshift_session"):
        return None
    if report.passed:
        return "", "", ""
    return "failed", "", ("FAILED", {"red": True}) if hasattr(report, "seedshift_logged") else ""
