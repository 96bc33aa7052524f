"""What pytest loads at every start: options, the marker, the fixtures. The rest is loaded where a test has a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_seedshift.core.test_names import (
    BREAKING_MARKER,
    BREAKING_MARKER_HELP,
    BREAKING_RESULT,
    MARKER,
    MARKER_HELP,
    PARAMETER,
)
from pytest_seedshift.plugin import config_names, hookspecs, options, unjudged

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.tensors import Tensor
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.plugin.activation import Activation
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.scorers.base import Scorer
    from pytest_seedshift.studies.breaking_point.search import BreakingPoint
    from pytest_seedshift.studies.position_control import Study
    from pytest_seedshift.studies.trajectories.trajectory import Trajectory

_ACTIVE = pytest.StashKey["Activation"]()
_REFUSED = pytest.StashKey[pytest.UsageError]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """https://docs.pytest.org/en/stable/reference/reference.html#std-hook-pytest_addoption."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """The hooks by which a project gives models, shifts and scorers of its own; the rule about tests that ask."""
    pluginmanager.add_hookspecs(hookspecs)
    pluginmanager.register(unjudged.Asking(), "seedshift-asking")


@pytest.hookimpl(wrapper=True)  # behind the conftests, which may have options of their own
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Say of a misspelt option which was meant, where pytest would only say that it knows none."""
    loaded = yield
    config_names.check_options(args, parser)
    return loaded


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before pytest-xdist has read its options
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Let -n distribute the cases in a way that suits them; make the messages of the user's mistakes harmless."""
    if config.getoption("numprocesses", None) and options.is_named(config):
        from pytest_seedshift.plugin import xdist_workers

        xdist_workers.prefer_worksteal(config)
    try:
        return (yield)
    except pytest.UsageError as error:
        from pytest_seedshift.plugin import terminal_output

        terminal_output.clean_error(error)
        raise


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """What `-n auto` means where cases are to run: a worker a GPU, or a worker a core."""
    if not options.is_named(config):
        return None
    from pytest_seedshift.plugin import option_resolution, xdist_workers

    return xdist_workers.automatic(option_resolution.resolve(config).device)


def pytest_configure(config: pytest.Config) -> None:
    """Be ready from the start where a model or the built-in suite is named, or another option of ours is given.

    Else there may be cases all the same, of tests that name their models; who has none should pay for none.
    """
    config.addinivalue_line("markers", MARKER_HELP)
    config.addinivalue_line("markers", BREAKING_MARKER_HELP)
    config_names.check(config, {option.key for option in options.OPTIONS})
    distributes = config.getoption("dist", "no") != "no" or config.getoption("tx", None)
    early = bool(distributes or config.getoption("htmlpath", None))
    if options.is_named(config) or unjudged.asked(config) or (early and options.are_given(config)):
        _activate(config)
    elif early:
        from pytest_seedshift.plugin import waiting

        config.pluginmanager.register(waiting.Waiting(lambda: _activate(config)), waiting.NAME)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item for each case of a test that is about cases, by its marker or by a fixture."""
    unjudged.note(metafunc)
    searches = metafunc.definition.get_closest_marker(BREAKING_MARKER) is not None
    searches = searches or BREAKING_RESULT in metafunc.fixturenames
    marked = metafunc.definition.get_closest_marker(MARKER) is not None
    if not (searches or marked or PARAMETER in metafunc.fixturenames):
        return
    try:
        hooks = _activate(metafunc.config).collection
    except pytest.UsageError as error:  # pytest would make an error of this module of it
        metafunc.config.stash.setdefault(_REFUSED, error)
        return
    if searches:
        hooks.parametrize_searches(metafunc)
    else:
        hooks.parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End the session now where a marker is misspelt, or an option cannot be used that nobody has read before."""
    if (refused := config.stash.get(_REFUSED, None)) is not None:
        raise refused
    config_names.check_markers(config, items)


@pytest.fixture
def _seedshift_parameter(request: pytest.FixtureRequest) -> Case:
    case = getattr(request, "param", None)
    if case is None:
        pytest.fail(
            f"{request.node.nodeid}: it is about no case: name the fixtures of seedshift among the test's arguments or "
            "in @pytest.mark.usefixtures, not by getfixturevalue",
            pytrace=False,
        )
    if isinstance(case, pytest.UsageError):
        pytest.fail(str(case), pytrace=False)
    return cast("Case", case)


@pytest.fixture
def _seedshift_case(_seedshift_parameter: Case) -> Case:
    return _seedshift_parameter


@pytest.fixture
def seedshift_case(_seedshift_case: Case) -> Case:
    """The case of this item: model, shift, magnitude."""
    return _seedshift_case


@pytest.fixture
def seedshift_model(request: pytest.FixtureRequest, _seedshift_parameter: Case) -> TextToImage:
    """The loaded model: `generate(pairs, shift) -> images`, `seed_shape`, `name`, `fingerprint`."""
    return _activate(request.config).judging.model(_seedshift_parameter)


@pytest.fixture
def seedshift_scorers(request: pytest.FixtureRequest, _seedshift_parameter: Case) -> tuple[Scorer, ...]:
    """The scorers that belong to the model, by classifier and by CLIP: `score(images, labels)`."""
    return _activate(request.config).judging.scorers(_seedshift_parameter)


@pytest.fixture
def seedshift_shift(_seedshift_case: Case) -> Callable[..., Tensor]:
    """The case's shift, to call on seed vectors, with a `generator=` where it draws; the control's changes nothing."""

    def shift(z: Tensor, **arguments: Any) -> Tensor:
        from pytest_seedshift.core import shifts

        if _seedshift_case.is_control:
            return z
        return shifts.apply(z, _seedshift_case.shift, _seedshift_case.magnitude, **arguments)

    return shift


@pytest.fixture
def seedshift_position(request: pytest.FixtureRequest, _seedshift_parameter: Case) -> Callable[..., Study]:
    """The experiment on position control: `seedshift_position(magnitude=0.3, directions=["left"]) -> Study`."""
    return _activate(request.config).judging.position(_seedshift_parameter)


@pytest.fixture
def _seedshift_result(request: pytest.FixtureRequest, _seedshift_case: Case) -> CaseResult:
    return cast("CaseResult", _activate(request.config).judging.judge(request.node))


@pytest.fixture
def reliability(_seedshift_result: CaseResult) -> CaseResult:
    """The case's result: samples, scores with intervals, pictures, verdict. Making it is what takes the time."""
    return _seedshift_result


@pytest.fixture
def _seedshift_search(request: pytest.FixtureRequest, _seedshift_parameter: Any) -> BreakingPoint:
    return cast("BreakingPoint", _activate(request.config).judging.judge(request.node))


@pytest.fixture
def breaking_point(_seedshift_search: BreakingPoint) -> BreakingPoint:
    """The breaking point of this item's model, shift and sign, with every magnitude that was looked at."""
    return _seedshift_search


@pytest.fixture
def seedshift_trajectory(request: pytest.FixtureRequest, _seedshift_case: Case) -> Trajectory:
    """The sampler's way from the seed vectors to the pictures, of the first pairs of the case's design.

    Arrays, one row a pair, beside the control's, and `discontinuity`. Of as many pairs as `--seedshift-trajectories`
    says, else of four. A model that reports no steps fails the test, with the reason.
    """
    return _activate(request.config).judging.trajectory(request.node)


@pytest.fixture
def _seedshift_null(request: pytest.FixtureRequest, _seedshift_parameter: Case) -> CaseResult:
    return cast("CaseResult", _activate(request.config).judging.judge(request.node))


def _activate(config: pytest.Config) -> Activation:
    """Load and register all other hooks, once."""
    if _ACTIVE not in config.stash:
        from pytest_seedshift.plugin.activation import Activation

        active = config.stash[_ACTIVE] = Activation(config)
        active.register()
        if (waited := config.pluginmanager.getplugin("seedshift-waiting")) is not None:
            active.take_over(waited)
    return config.stash[_ACTIVE]
