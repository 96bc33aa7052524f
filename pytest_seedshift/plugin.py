"""pytest's hooks and fixtures. Loaded by every pytest run, so nothing heavy is imported before there is a case."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_seedshift import collection, options
from pytest_seedshift.session import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pytest_seedshift.cases import Case
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.report.record import Record
    from pytest_seedshift.report.terminal import TerminalReport
    from pytest_seedshift.scorers.base import Scorer
    from pytest_seedshift.workbench import CaseResult

_T = TypeVar("_T")

_STATE = pytest.StashKey[State]()
_TERMINAL = pytest.StashKey["TerminalReport"]()
_RESULT = pytest.StashKey["CaseResult"]()


# Options and collection ----------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options: https://docs.pytest.org/en/stable/reference/reference.html#std-hook-pytest_addoption."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Resolve the options; where they name a model, or reports may come from workers, be ready to report."""
    config.addinivalue_line("markers", collection.MARKER_HELP)
    state = config.stash[_STATE] = State(config, options.resolve(config))
    collection.Request(state.settings).cases()
    distributes = config.getoption("dist", "no") != "no" or config.getoption("tx", None)
    if not state.is_worker and (state.settings.models or distributes or config.getoption("htmlpath", None)):
        _report(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item for each case of a reliability test."""
    if collection.wants_cases(metafunc):
        state = metafunc.config.stash[_STATE]
        try:
            mark = metafunc.definition.get_closest_marker(collection.MARKER)
            collection.parametrize(metafunc, collection.read_marker(state.settings, mark, metafunc.definition.nodeid))
        except pytest.UsageError as error:
            state.usage_errors.append(error)


def pytest_itemcollected(item: pytest.Item) -> None:
    """The `reliability` marker alone makes an item judge its case."""
    collection.request_fixtures(item)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Take `seedshift` and `seedshift::…` out of the arguments, before pytest looks for a file of that name."""
    state = session.config.stash[_STATE]
    if not session.config.pluginmanager.hasplugin("dsession"):
        exists = (session.config.invocation_params.dir / collection.SUITE).exists()
        state.suite_arguments = collection.suite_arguments(session.config.args, lambda _: exists)
        session.config.args = [each for each in session.config.args if each not in state.suite_arguments]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the built-in suite where it is asked for or no other reliability test is; bring items into model order."""
    state = config.stash[_STATE]
    if state.suite_arguments or (state.settings.models and not any(map(collection.is_reliability, items))):
        items.extend(collection.suite_items(session, state.suite_arguments))
    if state.usage_errors:
        raise state.usage_errors[0]
    collection.sort_by_model(items)


# Running -------------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Before anything is generated: find the user's mistakes, say the plan; with --seedshift-plan stop there."""
    state = session.config.stash[_STATE]
    ours = [(item, case) for item in session.items if (case := collection.case_of(item))]
    if not ours or session.config.option.collectonly or session.testsfailed:
        return None
    state.check(item for item, _ in ours)
    if not state.is_worker:
        from pytest_seedshift.report import plan

        plan.show(state, _report(session.config), ours)
    return True if state.settings.plan else None


@pytest.fixture
def seedshift_case(request: pytest.FixtureRequest) -> Case:
    """The case of this item: model, shift, magnitude."""
    case: Case = request.param
    return case


@pytest.fixture
def seedshift_model(request: pytest.FixtureRequest, seedshift_case: Case) -> TextToImage:
    """The loaded model: `generate(pairs, shift) -> images`, `seed_shape`, `name`, `fingerprint`."""
    return _guarded(lambda: request.config.stash[_STATE].workbench.model(seedshift_case.model))


@pytest.fixture
def seedshift_scorers(request: pytest.FixtureRequest, seedshift_case: Case) -> tuple[Scorer, ...]:
    """The scorers that belong to the model: `score(images, labels)`, by classifier and by CLIP."""
    return _guarded(lambda: request.config.stash[_STATE].workbench.scorers(seedshift_case.model))


@pytest.fixture
def seedshift_shift(seedshift_case: Case) -> Callable[..., Tensor]:
    """The case's shift, to call on seed vectors, with a `generator=` where it draws; the control's changes nothing."""

    def shift(z: Tensor, **arguments: Any) -> Tensor:
        from pytest_seedshift import shifts

        return (
            z
            if seedshift_case.is_control
            else shifts.apply(z, seedshift_case.shift, seedshift_case.magnitude, **arguments)
        )

    return shift


@pytest.fixture
def reliability(request: pytest.FixtureRequest, seedshift_case: Case) -> CaseResult:
    """The case's result: samples, scores with intervals, pictures, verdict. Making it is what takes the time."""
    config, item = request.config, request.node
    state = config.stash[_STATE]
    terminal = config.stash.get(_TERMINAL, None)
    result = _guarded(
        lambda: state.workbench.run(
            seedshift_case,
            state.constraints(item, seedshift_case),
            state.request(item).settings.images,
            terminal.tick if terminal else None,
        )
    )
    item.stash[_RESULT] = result
    return result


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """After the test's own assertions, assert the thresholds of a test that is marked `reliability`."""
    outcome = yield
    result = pyfuncitem.stash.get(_RESULT, None)
    if result is not None and not result.passed and pyfuncitem.get_closest_marker(collection.MARKER):
        from pytest_seedshift.report import words

        folder = pyfuncitem.config.stash[_STATE].folder
        pytest.fail(words.failure(result, folder.shown(folder.picture_folder(result.case))), pytrace=False)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the case's record on its report, and its figures among JUnit's properties."""
    report = yield
    case = collection.case_of(item)
    if case is not None and collection.is_reliability(item):
        made = _record(case, item, report)
        if made is not None:
            from pytest_seedshift.report import record

            report.user_properties.extend(record.properties(made))
            report.seedshift = made  # type: ignore[attr-defined]
    return report


def _record(case: Case, item: pytest.Item, report: pytest.TestReport) -> Record | None:
    """What is to be recorded of a case after a phase of its item: its verdict, or why there is none."""
    from pytest_seedshift.report import record

    result = item.stash.get(_RESULT, None)
    if report.when == "setup" and report.failed:
        return record.of_error(case, report.longreprtext, item.nodeid)
    if report.when != "call" or result is None:
        return None
    made = record.of_result(result, item.config.stash[_STATE].folder, item.nodeid)
    if report.failed and result.passed:
        # A test may assert more than the thresholds. A case whose test fails has not passed.
        made |= {"verdict": "fail", "reason": f"the test's own assertion: {_last_line(report.longreprtext)}"}
    return made


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("E ")] or text.splitlines()
    return lines[0].removeprefix("E").strip() if lines else ""


# Reporting -----------------------------------------------------------------------------------------------------------


def _report(config: pytest.Config) -> TerminalReport:
    """The reporting hooks, registered when they are first needed."""
    if _TERMINAL not in config.stash:
        from pytest_seedshift.report.html import HtmlReport
        from pytest_seedshift.report.terminal import TerminalReport

        state = config.stash[_STATE]
        terminal = config.stash[_TERMINAL] = TerminalReport(state)
        if not state.is_worker:
            config.pluginmanager.register(terminal, "seedshift-terminal")
            if config.getoption("htmlpath", None):
                config.pluginmanager.register(HtmlReport(state, terminal.records), "seedshift-html")
    return config.stash[_TERMINAL]


def _guarded(make: Callable[[], _T]) -> _T:
    """Turn what is wrong with a case into an error of its item, in words instead of a traceback."""
    from pytest_seedshift.engine import CaseError

    try:
        return make()
    except CaseError as error:
        pytest.fail(str(error), pytrace=False)
