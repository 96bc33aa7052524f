"""From tests to items: the `reliability` marker, parametrization over cases, and the built-in suite."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core import cases, grid_values, likeness, limits, model_names, text, typed_values
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.scores import AvailableScores
from pytest_seedshift.core.searches import Search, Subject
from pytest_seedshift.core.test_names import BREAKING_RESULT, CASE, MARKER, NULL_RESULT, PARAMETER, RESULT, SUITE
from pytest_seedshift.plugin import border, marker_values, option_values, unjudged

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.plugin.option_resolution import Settings
    from pytest_seedshift.runner.job import Kind

SUITE_TESTS = {
    "test_reliability": "test_reliability.py",
    "test_breaking_point": "test_breaking_point.py",
    "test_null_control": "test_null.py",
}
"""The tests of the built-in suite, and the file of each."""

ARGUMENTS = ("models", "shifts", "magnitudes", "images", "design_seed", "exact", "prompts", likeness.TABLE)
"""Those of the marker, besides scores."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a reliability test asks for: the settings, with what its marker says above them."""

    settings: Settings
    catalogue: Catalogue
    constraints: Mapping[str, Constraint] = field(default_factory=dict)

    def cases(self, *, models_only: bool = False) -> list[Case]:
        """The cases of the test; with `models_only` the control of each model.

        Raises:
            pytest.UsageError: an unknown model, a magnitude at which a shift has no meaning, or too many cases.
        """
        asked = self.settings
        for model in asked.models:
            with border.usage_errors(hint=typed_values.told_apart(model, asked.given_models)):
                self.catalogue.find(model)
        with border.usage_errors():
            if models_only:
                return [Case(model) for model in asked.models]
            count = len(asked.models) * (1 + len(asked.shifts) * len(asked.magnitudes))
            what = (
                f"{len(asked.models)} models × {len(asked.shifts)} shifts × {len(asked.magnitudes)} magnitudes: cases"
            )
            limits.check(count, limits.CASES, what, lifted=asked.no_limits)
            return cases.grid(self.settings.models, self.settings.shifts, self.settings.magnitudes)


def read_marker(
    settings: Settings,
    catalogue: Catalogue,
    mark: pytest.Mark | None,
    where: str,
    *,
    marker: str = MARKER,
    arguments: Sequence[str] = ARGUMENTS,
) -> Request:
    """Lay a test's marker over the settings; `where` names the test in an error.

    Another `marker` may take other `arguments`; what they mean is for its own reader.

    Raises:
        pytest.UsageError: an argument that the marker does not take, or a value that cannot be used.
    """
    if mark is None:
        return Request(settings, catalogue)
    where = f"{where}: @pytest.mark.{marker}"
    known = (*arguments, *AvailableScores().names)
    if mark.args:
        raise pytest.UsageError(f"{where} takes named arguments only: {', '.join(known)}")
    for name in mark.kwargs:
        if name not in known:
            raise pytest.UsageError(f"{where}: {unknown('argument', name, known)}")
    given = mark.kwargs
    changes: dict[str, Any] = {}
    if "models" in given:
        changes["models"] = tuple(marker_values.names(given["models"], f"{where} models", "model"))
        changes["given_models"] = (given["models"],) if isinstance(given["models"], str) else ()
    if "prompts" in given:
        if not isinstance(given["prompts"], str) or not given["prompts"]:
            raise pytest.UsageError(f"{where} prompts={given['prompts']!r}: give the path of a file, or a class list")
        if model_names.PLUS in given["prompts"]:
            raise pytest.UsageError(f"{where} prompts={given['prompts']!r}: give the file a name without a plus sign")
        change = f"{model_names.PLUS}prompts={given['prompts']}"
        changes["models"] = tuple(f"{model}{change}" for model in changes.get("models", settings.models))
    if "shifts" in given:
        shifts = marker_values.names(given["shifts"], f"{where} shifts", "shift")
        changes["shifts"] = option_values.check_shifts(_some(shifts, given, "shifts", where), f"{where} shifts")
    if "magnitudes" in given:
        magnitudes = marker_values.numbers(given["magnitudes"], f"{where} magnitudes")
        _some(grid_values.split(magnitudes), given, "magnitudes", where)
        changes["magnitudes"] = option_values.check_magnitudes(
            magnitudes, f"{where} magnitudes", lifted=settings.no_limits
        )
    if "images" in given:
        images = changes["images"] = marker_values.whole(given["images"], f"{where} images")
        option_values.check_limit(images, limits.IMAGES, f"{where} images={images}", settings.no_limits)
    if "design_seed" in given:
        seed = marker_values.integer(given["design_seed"], f"{where} design_seed")
        changes["design_seed"] = option_values.check_design_seed(seed, f"{where} design_seed")
    if "exact" in given:
        if not isinstance(given["exact"], bool):
            raise pytest.UsageError(f"{where} exact={given['exact']!r}: give True or False")
        changes["exact"] = given["exact"]
    return Request(dataclasses.replace(settings, **changes), catalogue, _constraints(given, where))


def _constraints(given: Mapping[str, Any], where: str) -> dict[str, Constraint]:
    asked = [name for name in AvailableScores().names if name in given]
    if not asked and likeness.TABLE not in given:
        return {}
    from pytest_seedshift.core import likeness_tables, tail_tables

    with border.usage_errors():
        found: dict[str, Constraint] = {}
        for name in asked:
            found |= tail_tables.constraints(name, given[name], where)
        if likeness.TABLE in given:
            found |= likeness_tables.constraints(given[likeness.TABLE], f"{where} {likeness.TABLE}")
        return found


def _some(found: list[str], given: Mapping[str, Any], name: str, where: str) -> list[str]:
    """What was found.

    Raises:
        pytest.UsageError: nothing.
    """
    if not found:
        raise pytest.UsageError(
            f"{where} {name}={given[name]!r} names none: leave it out for those of the options"
            f"{'' if name == 'models' else ', or give magnitudes=0 for the control alone'}"
        )
    return found


def parametrize(metafunc: pytest.Metafunc, request: Request) -> None:
    """Make one item for each case; where no model is named, one that says so instead of passing."""
    marked = metafunc.definition.get_closest_marker(MARKER) is not None
    models_only = not marked and CASE not in metafunc.fixturenames
    found = request.cases(models_only=models_only)
    make_items(metafunc, found, [case.model if models_only else case.id for case in found], MARKER)


def parametrize_null(metafunc: pytest.Metafunc, models: Iterable[str]) -> None:
    """Make one item for the null control of each model."""
    found = [Case(model).null_control for model in models]
    make_items(metafunc, found, [case.id for case in found], MARKER)


def make_items(metafunc: pytest.Metafunc, subjects: Sequence[Subject], ids: Sequence[str], marker: str) -> None:
    """Make an item of a test for each of what it is about; where there is none, one that cannot be judged."""
    found, names = list[object](subjects), list(map(text.identifier, ids))
    if not found:
        found, names = [_no_model(metafunc.definition, marker)], [NO_MODEL]
    parametrize_by(metafunc, found, names)


def parametrize_by(metafunc: pytest.Metafunc, parameters: Sequence[object], ids: Sequence[str]) -> None:
    """Make an item for each of what a test is about, or of the errors that stand in for it."""
    if PARAMETER not in metafunc.fixturenames:
        metafunc.fixturenames.append(PARAMETER)  # parametrize refuses a name that the function does not use
    metafunc.parametrize(PARAMETER, parameters, indirect=True, ids=ids)


NO_MODEL = "no-model"
"""The parameter's id of a test that has no model."""


def _no_model(definition: pytest.Function, marker: str) -> pytest.UsageError:
    mark = definition.get_closest_marker(marker)
    given = "" if mark is None or "models" not in mark.kwargs else f" (its models={mark.kwargs['models']!r} name none)"
    names = [str(each.args[0]) for each in definition.iter_markers("parametrize") if each.args]
    beside = next((name for name in names if name.strip() in ("model", "models")), None)
    hint = "" if beside is None else f" (parametrize({beside!r}, …) gives none: that is for your own arguments)"
    return pytest.UsageError(
        f"{definition.nodeid}: no model to test{given}: give --seedshift-model=NAME, or models=… in "
        f"@pytest.mark.{marker}{hint}. To run all other tests: -k 'not {NO_MODEL}'"
    )


def request_fixtures(item: pytest.Function, result: str) -> None:
    """Let a marked item use the fixtures that judge what it is about. Its function need not ask for them.

    pytest shares the list of names among all items of a test, so this one gets a list of its own.
    """
    item.fixturenames = list(dict.fromkeys([*item.fixturenames, PARAMETER, result]))


def check_suite(config: pytest.Config, settings: Settings) -> None:
    """Make sure that there is a model where the command line names the built-in suite.

    Raises:
        pytest.UsageError: there is none. Of null controls the tests themselves may name the models.
    """
    named = [each for each in suite_arguments(config) if _test_of(each) != "test_null_control"]
    if named and not settings.models:
        raise pytest.UsageError(
            f"{named[0]}: no model to test: give --seedshift-model=NAME (or its ini key, seedshift_model)"
        )


def unanswered(config: pytest.Config, settings: Settings, items: Sequence[pytest.Item]) -> pytest.UsageError | None:
    """What to say where no test answers what this command line asks, whatever else is run; None where some do."""
    subjects = [subject for item in items if (subject := subject_of(item))]
    judged = {subject.model for subject in subjects}
    judged |= {model.rpartition(f"{model_names.PLUS}prompts=")[0] for model in judged}  # of a marker's prompts
    for flag in unjudged.asked(config):
        kind = {"--seedshift-null": is_null, "--seedshift-breaking-point": is_search}.get(flag, unjudged.asks)
        if not any(map(kind, items)):
            return pytest.UsageError(
                f"{flag}: no model to test: give --seedshift-model=NAME, or run tests that are marked {MARKER}"
            )
    for model in settings.models if unjudged.on_command_line(config, "--seedshift-model") else ():
        if model not in judged and subjects:
            return pytest.UsageError(
                f"--seedshift-model={model}: no test is about it, as all that would judge it name models of their own. "
                f"Add the built-in suite ({SUITE}), or leave the option out"
            )
    return None


def refuse(session: pytest.Session, items: list[pytest.Item], error: pytest.UsageError) -> None:
    """Raise an error; in a worker of pytest-xdist, whose errors nobody hears, add a test that fails with it."""
    if not hasattr(session.config, "workerinput"):
        raise error
    items.append(Refusal.from_parent(session, name=f"{SUITE}::usage-error", reason=str(error)))


class Refusal(pytest.Item):
    """A test that fails, in words."""

    def __init__(self, *, reason: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._reason = reason

    def runtest(self) -> None:
        """Fail."""
        pytest.fail(self._reason, pytrace=False)

    def reportinfo(self) -> tuple[str, None, str]:
        """Its place is no file."""
        return SUITE, None, self.name


def has(item: pytest.Item, kind: type[Subject]) -> bool:
    """Whether an item was made for such a subject, be it that an error stands in its place."""
    return isinstance(unjudged.parameter(item), (kind, pytest.UsageError))


def case_of(item: pytest.Item) -> Case | None:
    """The case of an item; None for every other item."""
    subject = subject_of(item)
    return subject if isinstance(subject, Case) else None


def subject_of(item: pytest.Item) -> Subject | None:
    """What an item is about, a case or a search for a breaking point; None for every other item."""
    subject = unjudged.parameter(item)
    return subject if isinstance(subject, (Case, Search)) else None


def is_reliability(item: pytest.Item) -> bool:
    """Whether an item judges a case, or would if a model were named."""
    return RESULT in getattr(item, "fixturenames", ()) or is_null(item)


def is_null(item: pytest.Item) -> bool:
    """Whether an item judges a null control."""
    return NULL_RESULT in getattr(item, "fixturenames", ())


def is_search(item: pytest.Item) -> bool:
    """Whether an item searches for a breaking point, or would if a model were named."""
    return BREAKING_RESULT in getattr(item, "fixturenames", ())


def stands_in(item: pytest.Item) -> bool:
    """Whether an item is of the built-in suite that runs where a project has no such test of its own."""
    return item.nodeid.startswith(f"{SUITE}::test_reliability[")


def is_judged(item: pytest.Item) -> bool:
    """Whether an item comes to a record: it judges a case, or searches for a breaking point."""
    return is_reliability(item) or is_search(item)


def kind_of(item: pytest.Item) -> Kind | None:
    """What is done about an item's subject; None where that is not judged."""
    if is_null(item):
        return "null_control"
    if is_search(item):
        return "breaking_point"
    return "reliability" if is_reliability(item) else None


def suite_arguments(config: pytest.Config) -> list[str]:
    """Those of pytest's arguments that mean the built-in suite: `seedshift` or `seedshift::…`, unless it is a file."""
    if (config.invocation_params.dir / SUITE).exists():
        return []
    return [argument for argument in config.args if argument.partition("::")[0] == SUITE]


def suite_items(
    session: pytest.Session, selected: Sequence[str], tests: Iterable[str] = ("test_reliability",)
) -> list[pytest.Item]:
    """Collect some tests of the built-in suite.

    Args:
        session: pytest's.
        selected: node ids of which items must be; all where there are none. Null controls and breaking points are asked
            for by options, so those are all there unless some of their kind are named.
        tests: of `SUITE_TESTS`. Those beside them are collected where they are selected by their names.
    """
    wanted = [argument for argument in selected if argument != SUITE]
    besides = [test for test in SUITE_TESTS if any(_test_of(argument) == test for argument in wanted)]
    items = []
    for test in dict.fromkeys([*tests, *besides]):
        path = Path(__file__).parent / "suite" / SUITE_TESTS[test]
        module = pytest.Module.from_parent(session, path=path, nodeid=SUITE)
        items += [item for item in session.genitems(module) if isinstance(item, pytest.Item)]
    for argument in wanted:
        if not any(_selects(argument, item) for item in items):
            raise pytest.UsageError(f"not found: {argument} (no such case in the built-in suite; see --collect-only)")
    named = [item for item in items if any(_selects(argument, item) for argument in wanted)]
    in_full = [is_asked for is_asked in (is_null, is_search) if not any(map(is_asked, named))]
    chosen = [item for item in items if not wanted or item in named or any(is_asked(item) for is_asked in in_full)]
    for item in chosen:
        # Its place is the suite, not a path to wherever the package is installed.
        item.location = (SUITE, None, item.name)
    return chosen


def _test_of(argument: str) -> str:
    """`test_reliability`, of `seedshift::test_reliability[…]`."""
    return argument.partition("::")[2].partition("[")[0]


def _selects(argument: str, item: pytest.Item) -> bool:
    return item.nodeid == argument or item.nodeid.startswith(f"{argument}[")


def sort_by_model(items: list[pytest.Item]) -> None:
    """Bring reliability items into model-major order, so that few models are loaded; all others stay in place."""
    places = [place for place, item in enumerate(items) if subject_of(item)]
    ours = [items[place] for place in places]
    models = dict.fromkeys(subject.model for subject in map(subject_of, ours) if subject)
    order = {model: rank for rank, model in enumerate(models)}
    ours.sort(key=lambda item: order[subject.model] if (subject := subject_of(item)) else 0)
    for place, item in zip(places, ours, strict=True):
        items[place] = item
