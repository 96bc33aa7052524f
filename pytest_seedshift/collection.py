"""From tests to items: the `reliability` marker, parametrization over cases, and the built-in suite."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift import cases, options, scores
from pytest_seedshift.cases import Case
from pytest_seedshift.names import CASE_FIXTURES, MARKER, NULL_RESULT, PARAMETER, RESULT, SUITE
from pytest_seedshift.suggest import unknown

if TYPE_CHECKING:
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.options import Settings
    from pytest_seedshift.scores import Constraint

_ARGUMENTS = ("models", "shifts", "magnitudes", "images", "exact")


@dataclass(frozen=True, slots=True)
class Request:
    """What a reliability test asks for: the settings, with what its marker says above them."""

    settings: Settings
    catalogue: Catalogue
    constraints: Mapping[str, Constraint] = field(default_factory=dict)

    def cases(self, *, models_only: bool = False) -> list[Case]:
        """The cases of the test; with `models_only` the control of each model.

        Raises:
            pytest.UsageError: an unknown model, or a magnitude at which a shift has no meaning.
        """
        try:
            for model in self.settings.models:
                self.catalogue.find(model)
            if models_only:
                return [Case(model) for model in self.settings.models]
            return cases.grid(self.settings.models, self.settings.shifts, self.settings.magnitudes)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


def read_marker(settings: Settings, catalogue: Catalogue, mark: pytest.Mark | None, where: str) -> Request:
    """Lay a test's marker over the settings; `where` names the test in an error.

    Raises:
        pytest.UsageError: an argument that the marker does not take, or a value that cannot be used.
    """
    if mark is None:
        return Request(settings, catalogue)
    where = f"{where}: @pytest.mark.{MARKER}"
    known = (*_ARGUMENTS, *scores.known())
    if mark.args:
        raise pytest.UsageError(f"{where} takes named arguments only: {', '.join(known)}")
    for name in mark.kwargs:
        if name not in known:
            raise pytest.UsageError(f"{where}: {unknown('argument', name, known)}")
    given = mark.kwargs
    changes: dict[str, Any] = {}
    if "models" in given:
        changes["models"] = tuple(options.split(_listed(given["models"])))
    if "shifts" in given:
        changes["shifts"] = options.check_shifts(_listed(given["shifts"]), f"{where} shifts")
    if "magnitudes" in given:
        changes["magnitudes"] = options.check_magnitudes(_listed(given["magnitudes"]), f"{where} magnitudes")
    if "images" in given:
        images = given["images"]
        if not isinstance(images, int) or isinstance(images, bool) or images < 1:
            raise pytest.UsageError(f"{where} images={images!r}: give a whole number of at least 1")
        changes["images"] = images
    if "exact" in given:
        if not isinstance(given["exact"], bool):
            raise pytest.UsageError(f"{where} exact={given['exact']!r}: give True or False")
        changes["exact"] = given["exact"]
    return Request(dataclasses.replace(settings, **changes), catalogue, _constraints(given, where))


def _constraints(given: Mapping[str, Any], where: str) -> dict[str, Constraint]:
    asked = [name for name in scores.known() if name in given]
    if not asked:
        return {}
    from pytest_seedshift import thresholds

    try:
        return {name: thresholds.constraint(name, given[name], where) for name in asked}
    except thresholds.ThresholdsError as error:
        raise pytest.UsageError(str(error)) from None


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, (list, tuple, set, frozenset)) else [value]


def parametrize(metafunc: pytest.Metafunc, request: Request) -> None:
    """Make one item for each case; where no model is named, one that is skipped and says how to name one."""
    marked = metafunc.definition.get_closest_marker(MARKER) is not None
    models_only = not marked and CASE_FIXTURES.isdisjoint(metafunc.fixturenames)
    if PARAMETER not in metafunc.fixturenames:
        metafunc.fixturenames.append(PARAMETER)  # parametrize refuses a name that the function does not use
    found = request.cases(models_only=models_only)
    if not found:
        reason = "no model to test: give --seedshift-model=NAME"
        parameters = [pytest.param(None, id="no-model", marks=pytest.mark.skip(reason=reason))]
        metafunc.parametrize(PARAMETER, parameters, indirect=True)
    else:
        ids = [case.model if models_only else case.id for case in found]
        metafunc.parametrize(PARAMETER, found, indirect=True, ids=ids)


def parametrize_null(metafunc: pytest.Metafunc, models: Iterable[str]) -> None:
    """Make one item for the null control of each model."""
    found = [Case(model).null_control for model in models]
    metafunc.parametrize(PARAMETER, found, indirect=True, ids=[case.id for case in found])


def request_fixtures(item: pytest.Function) -> None:
    """Let a marked item use the fixtures that judge its case. Its function need not ask for them."""
    item.fixturenames.extend(name for name in (PARAMETER, RESULT) if name not in item.fixturenames)


def case_of(item: pytest.Item) -> Case | None:
    """The case of an item; None for every other item."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get(PARAMETER) if callspec is not None else None
    return case if isinstance(case, Case) else None


def is_reliability(item: pytest.Item) -> bool:
    """Whether an item judges a case, or would if a model were named."""
    return RESULT in getattr(item, "fixturenames", ()) or is_null(item)


def is_null(item: pytest.Item) -> bool:
    """Whether an item judges a null control."""
    return NULL_RESULT in getattr(item, "fixturenames", ())


def suite_arguments(config: pytest.Config) -> list[str]:
    """Those of pytest's arguments that mean the built-in suite: `seedshift` or `seedshift::…`, unless it is a file."""
    if (config.invocation_params.dir / SUITE).exists():
        return []
    return [argument for argument in config.args if argument.partition("::")[0] == SUITE]


def suite_items(
    session: pytest.Session, selected: Iterable[str], *, cases: bool = True, nulls: bool = False
) -> list[pytest.Item]:
    """Collect the built-in suite.

    Args:
        session: pytest's.
        selected: node ids of which items must be; all where there are none. Null controls are asked for by their
            option, so those are all there unless some of them are named.
        cases: whether the tests of cases are wanted.
        nulls: whether null controls are wanted.
    """
    files = [name for name, asked in (("test_reliability.py", cases), ("test_null.py", nulls)) if asked]
    modules = [
        pytest.Module.from_parent(session, path=Path(__file__).parent / "suite" / name, nodeid=SUITE) for name in files
    ]
    items = [item for module in modules for item in session.genitems(module) if isinstance(item, pytest.Item)]
    wanted = [argument for argument in selected if argument != SUITE]
    for argument in wanted:
        if not any(_selects(argument, item) for item in items):
            raise pytest.UsageError(f"not found: {argument} (no such case in the built-in suite; see --collect-only)")
    named = [item for item in items if any(_selects(argument, item) for argument in wanted)]
    some_null = any(map(is_null, named))
    chosen = [item for item in items if not wanted or item in named or (is_null(item) and not some_null)]
    for item in chosen:
        # Its place is the suite, not a path to wherever the package is installed.
        item.location = (SUITE, None, item.name)
    return chosen


def _selects(argument: str, item: pytest.Item) -> bool:
    return item.nodeid == argument or item.nodeid.startswith(f"{argument}[")


def sort_by_model(items: list[pytest.Item]) -> None:
    """Bring reliability items into model-major order, so that few models are loaded; all others stay in place."""
    places = [place for place, item in enumerate(items) if case_of(item)]
    ours = [items[place] for place in places]
    order = {model: rank for rank, model in enumerate(dict.fromkeys(case.model for case in map(case_of, ours) if case))}
    ours.sort(key=lambda item: order[case.model] if (case := case_of(item)) else 0)
    for place, item in zip(places, ours, strict=True):
        items[place] = item
