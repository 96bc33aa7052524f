"""One rule: a test that asks for a verdict and comes to none has not passed, in whatever way it asks.

A test asks by a marker, wherever that comes from, or by a fixture; the built-in suite asks by both. Before the tests
run, each that asks must have something to be judged; when one is reported as passed, its record must say so. Registered
in every pytest run, so nothing heavy is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import pytest

from pytest_seedshift.core.test_names import (
    BREAKING_MARKER,
    BREAKING_RESULT,
    MARKER,
    NULL_RESULT,
    PARAMETER,
    RESULT,
    SUITE,
)

MARKERS = (MARKER, BREAKING_MARKER)
FIXTURES = frozenset({RESULT, BREAKING_RESULT, NULL_RESULT})
"""The fixtures that judge."""

JUDGED, SEARCHED = "seedshift", "seedshift_breaking"
"""The attributes of a report that have the record of a case, and of a search for a breaking point."""

_RECORDS = {MARKER: JUDGED, BREAKING_MARKER: SEARCHED}
"""By marker, the attribute of a report that has the record of what was judged."""

IN_WORK = pytest.StashKey[bool]()
"""Whether a test's function runs: a report that is made meanwhile is one of a part of it, such as a subtest."""

RECORDED = pytest.StashKey[tuple[str, dict[str, Any]] | None]()
"""The phase of an item that has a record, and what is on its report: who replaces the report knows nothing of it."""

REMOVED = "seedshift_removed"
"""The key under which a worker of pytest-xdist tells its controller which tests a hook has removed."""

_COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""All tests that were collected: what of them is not to run, pytest has to hear."""

_READ = pytest.StashKey[set[tuple[str, int]]]()
"""By test, the markers that its items were made of."""


# What a test asks for ---------------------------------------------------------------------------------------------


def asks(item: pytest.Item) -> bool:
    """Whether a test asks for a verdict."""
    return any(item.get_closest_marker(name) for name in MARKERS) or by_fixture(item)


def by_fixture(item: pytest.Item) -> bool:
    """Whether a test asks for a verdict by a fixture."""
    return not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def will_run(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Note collected items, which run unless somebody deselects them."""
    config.stash.setdefault(_COLLECTED, []).extend(items)


def note(metafunc: pytest.Metafunc) -> None:
    """Note the markers that a test's items are made of: those that come later make none."""
    definition = metafunc.definition
    noted = metafunc.config.stash.setdefault(_READ, set())
    noted.update((definition.nodeid, id(mark)) for mark in definition.iter_markers() if mark.name in MARKERS)


# What a command line asks for -------------------------------------------------------------------------------------

OPTIONS = (
    "plan",
    "null",
    "breaking-point",
    "baseline",
    "save-baseline",
    "baseline-if-missing",
    "write-thresholds",
    "shard",
)
"""Those that have no meaning where no test is about a model."""


ARGUMENTS = "seedshift_arguments"
"""The key under which a worker of pytest-xdist is given its controller's command line."""


def asked(config: pytest.Config) -> list[str]:
    """Those of `OPTIONS` that were given to this very run, not by `addopts` or an ini key, which hold for all runs."""
    return [f"--seedshift-{name}" for name in OPTIONS if on_command_line(config, f"--seedshift-{name}")]


def on_command_line(config: pytest.Config, flag: str) -> bool:
    """Whether an option stands on the command line itself; of a worker of pytest-xdist, on its controller's."""
    arguments = getattr(config, "workerinput", {}).get(ARGUMENTS, config.invocation_params.args)
    return any(argument.partition("=")[0] == flag for argument in map(str, arguments))


# What cannot be judged --------------------------------------------------------------------------------------------


def parameter(item: pytest.Item) -> object:
    """What an item is about: a case, a search, or the error that stands in for them; None for all other items."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get(PARAMETER)


def why_not(item: pytest.Item) -> str | None:
    """Why a test that asks for a verdict cannot come to one; None where it can, or asks for none."""
    about = parameter(item)
    if isinstance(about, pytest.UsageError):
        return str(about)
    noted = item.config.stash.get(_READ, set())
    late = [mark for mark in item.iter_markers() if mark.name in MARKERS and (_definition(item), id(mark)) not in noted]
    if late:
        return f"{item.nodeid}: @pytest.mark.{late[0].name} judges nothing here: {_late(item)}"
    if about is None and by_fixture(item):
        return f"{item.nodeid}: it asks for a verdict by a fixture, and is about no case: {_late(item)}"
    return None


def _definition(item: pytest.Item) -> str:
    """The id of the test that an item was made of."""
    name, parent = getattr(item, "originalname", None), item.parent
    return f"{parent.nodeid}::{name}" if name and parent is not None else item.nodeid


def _late(item: pytest.Item) -> str:
    """Why no cases were made of it, and what to do."""
    if not isinstance(item, pytest.Function):
        return f"a {type(item).__name__} cannot be made into cases. Write a test function"
    unittest = sys.modules.get("unittest")
    if unittest is not None and item.cls is not None and issubclass(item.cls, unittest.TestCase):
        return "pytest makes no cases of a unittest.TestCase. Write a function, or a method of a plain class"
    return (
        "it came when the cases had been made (by pytest.param, add_marker or a hook). Put the marker on the test "
        "function, its class, or its module (pytestmark)"
    )


def refusal(items: Sequence[pytest.Item]) -> pytest.UsageError | None:
    """What to say where no test that is to run can be judged: then there is nothing to run.

    Beside other tests such a test is an error of its own instead, and the others run.
    """
    reasons = [None if _may_be_skipped(item) else why_not(item) for item in items]
    told = [reason for reason in reasons if reason is not None]
    if not told or len(told) < len(items):
        return None
    others = len(told) - 1
    return pytest.UsageError(f"{told[0]}{f' (and {others} more like it)' if others else ''}")


def _may_be_skipped(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("skip", "skipif"))


# Hooks ------------------------------------------------------------------------------------------------------------


class Asking:
    """Hooks that hold every test to the rule. Registered before any conftest, so that those can skip a test first."""

    def __init__(self) -> None:
        self._unreported: dict[str, None] = {}
        """The tests that ask and are to run here, of which nothing was reported yet."""
        self._deselected: set[str] = set()
        self._removed: dict[str, None] = {}
        """The tests that ask and were collected, and that a hook has taken out of the run without telling pytest."""

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Take note of a test before a hook can remove it."""
        if not item.nodeid.startswith(f"{SUITE}::"):  # of these some are chosen first
            will_run(item.config, [item])

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Take note of tests that the user knows not to run: pytest counts them."""
        self._deselected.update(item.nodeid for item in items)

    @pytest.hookimpl(wrapper=True)  # before whoever makes plans
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Refuse to run nothing but tests that cannot be judged. A worker's usage error would be heard by nobody."""
        config = session.config
        if not (session.testsfailed or config.option.collectonly or hasattr(config, "workerinput")):
            error = refusal(getattr(session, "items", ()))
            if error is not None:
                raise error
            self._expect(session)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Generator[None]:
        """See which tests a hook has removed, and whether one ends the run before a test has begun."""
        left = {item.nodeid for item in session.items} | self._deselected
        collected = session.config.stash.get(_COLLECTED, [])
        self._removed = dict.fromkeys(each.nodeid for each in collected if each.nodeid not in left and asks(each))
        session.config.stash[_COLLECTED], self._deselected = [], set()
        try:
            yield
        except pytest.exit.Exception:
            self._expect(session)
            raise

    def _expect(self, session: pytest.Session) -> None:
        """Wait for a report of each test that asks and runs in this process."""
        config = session.config
        waiting = dict.fromkeys(item.nodeid for item in getattr(session, "items", ()) if asks(item))
        elsewhere = hasattr(config, "workerinput") or config.pluginmanager.hasplugin("dsession")
        if waiting and not (elsewhere or config.option.collectonly or _is_plan(config)):
            self._unreported = waiting

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note that something has come of a test."""
        self._unreported.pop(report.nodeid, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let no run pass in which somebody else's hook ran a test that asks, or ended the run (pytest.exit)."""
        config = session.config
        if hasattr(config, "workeroutput"):
            config.workeroutput[REMOVED] = list(self._removed)
        ended_well = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if not ended_well:
            self._unreported = {}
        if self._removed and (config.option.collectonly or _is_plan(config)):
            self._removed = {}
        if (self._unreported or self._removed) and ended_well:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear of a worker of pytest-xdist, which alone collects, what was removed there."""
        self._removed.update(dict.fromkeys(getattr(node, "workeroutput", {}).get(REMOVED, ())))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which tests these are."""
        told = []
        if self._unreported:
            told.append(
                f"{_first(self._unreported)}: it asks for a verdict, and none was reported. A hook of a conftest or "
                "plugin took it, or ended the run. What is not checked has not passed"
            )
        if self._removed:
            told.append(
                f"{_first(self._removed)}: it asks for a verdict, and a hook (pytest_collection_modifyitems) of a "
                "conftest or plugin removed it silently. What is not checked has not passed. Let the hook pass what it "
                "removes to config.hook.pytest_deselected(items=…), or mark it as skipped. --seedshift-shard splits a "
                "run"
            )
        if told:
            from pytest_seedshift.plugin import terminal_output

            terminal_output.report(terminalreporter, *told, red=True)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Say why a test cannot be judged in place of running it; one that is skipped is skipped."""
        reason = why_not(item)
        if reason is not None:
            pytest.fail(reason, pytrace=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let no test pass, nor fail as expected, that asks for a verdict and cannot have one or has none."""
        report = yield
        hold(item, report)
        return report


def _first(tests: Mapping[str, None]) -> str:
    """The first of some tests, and how many there are besides."""
    return f"{next(iter(tests))}{f' (and {len(tests) - 1} more)' if len(tests) > 1 else ''}"


def hold(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let a report fail whose test asks for a verdict, and passes or fails as expected without one."""
    reason = None
    if report.when == "call" and report.passed and not item.stash.get(IN_WORK, False):
        reason = why_not(item) or _unjudged(item, report)
    elif report.when == "setup" and hasattr(report, "wasxfail"):
        reason = why_not(item)
    if reason is not None:
        report.outcome = "failed"
        report.longrepr = failure(reason)
        vars(report).pop("wasxfail", None)


def attach(item: pytest.Item, report: pytest.TestReport, attributes: dict[str, Any]) -> None:
    """Put a record, and what belongs to it, on a report and beside it."""
    phase, before = item.stash.get(RECORDED, None) or ("", {})
    known = {**(before if phase == report.when else {}), **attributes}
    item.stash[RECORDED] = (str(report.when), known)
    vars(report).update(known)


def recorded(item: pytest.Item, report: pytest.TestReport, attribute: str) -> dict[str, Any] | None:
    """The record on a report, be it that the report was replaced."""
    phase, attributes = item.stash.get(RECORDED, None) or ("", {})
    found: dict[str, Any] | None = getattr(report, attribute, None)
    return attributes.get(attribute) if found is None and phase == report.when else found


def _unjudged(item: pytest.Item, report: pytest.TestReport) -> str | None:
    """Why a test that has passed must not have; None where nothing is wrong."""
    for name, attribute in _RECORDS.items():
        if item.get_closest_marker(name) is not None:
            record = recorded(item, report, attribute)
            if record is None:
                return f"{item.nodeid}: @pytest.mark.{name} asks for a verdict, and nothing was judged"
            if record["verdict"] in ("fail", "error"):  # whoever ran the test has not asked the plugin
                return str(record["reason"])
    if by_fixture(item) and not any(recorded(item, report, each) for each in _RECORDS.values()):
        return f"{item.nodeid}: it asks for a verdict by a fixture, and nothing was judged"
    return None


def failure(reason: str) -> Any:
    """A failure's text as pytest has it where a test fails without a traceback."""
    from pytest_seedshift.core import text

    try:
        pytest.fail(text.terminal(reason), pytrace=False)
    except pytest.fail.Exception:
        return pytest.ExceptionInfo.from_current().getrepr(style="value")


def _is_plan(config: pytest.Config) -> bool:
    """Whether the run is only planned, so that no test has an outcome."""
    from pytest_seedshift.plugin import option_resolution

    return option_resolution.resolve(config).plan
