"""thresholds.toml: how it is written, reading it, and its errors.

The file's tables, from the widest to the narrowest; the narrowest that names a score decides about that score:

    [default]
    [shift.mean]
    [shift.mean."0.3"]
    [model.sd21]
    [model.sd21.shift.mean]
    [model.sd21.shift.mean."0.3"]

`[model."sd21+ddim"]` speaks of that derived model, whatever the order of its changes (see `models.derive`). It is
another model than sd21: what `[model.sd21]` says does not hold for it.

A table of a shift's variant (`[shift."mean:exact"]`) is narrower than that of the shift itself; `[shift.none]` speaks
of the unshifted case. In a table, a score takes a bare number, its minimum, or `{ min = …, max_drop = … }`. With
`max_regression` the drop against a baseline has a bound too; `significant = "any"` counts a larger one wherever any
change is beyond chance, `significant = false` even within chance. `within` asks that the version is shown to be
equivalent to the baseline: see `scores.Constraint`. How bounds are read: `score_bounds`; those of a distribution's
tail, such as `min_class`: `tail_tables`.

`[likeness]`, or such a table in any of these (`[shift.mean.likeness]`), asks of pictures how like the baseline's they
are: see `likeness_tables`.

`expect = "fail"` in any of them says that its cases are known to fail: see `known_failures`.

`[tag.NAME]`, or such a table in any of these (`[shift.mean.tag.counting]`), asks the same of the pairs whose prompts
have that tag: see `core.tag_tables`.

`[models.NAME]` describes a model and `[scorers.NAME]` a scorer: see `models.catalogue`, which reads these tables, and
`prompts` and `template` of `[default]`.

`min_breaking_point` in a table without a magnitude says how early a model may break: see `breaking_bounds`.

`[verdict] certainty = 0.99` is the certainty of every verdict that is reached before its whole design was visited, and
of every regression. Where there is a baseline it holds for the regressions of all cases together, unless `family` is
false; with `family = true` it holds for the bounds of all cases together too, see `thresholds.FAMILIES`.
`design_seed = 3` draws another design where neither an option nor a marker does: see `pairs.design`. `[baseline]` says
what cases are compared with: see `thresholds.BaselineTable`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from pytest_seedshift.core import (
    breaking_bounds,
    known_failures,
    likeness,
    likeness_tables,
    model_names,
    prompt_sets,
    seed_use_bounds,
    shifts,
    tag_tables,
    tags,
    toml_documents,
    typed_values,
    verdict_table,
)
from pytest_seedshift.core.breaking_bounds import Bounds
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftError, SeedshiftUsageError
from pytest_seedshift.core.known_failures import Expectation, Expectations, Place
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.score_bounds import ANY_SCORE, explain
from pytest_seedshift.core.seed_use_bounds import SeedUseBounds
from pytest_seedshift.core.tail_tables import constraints
from pytest_seedshift.core.thresholds import BaselineTable, Section, ShiftTable, Table, Thresholds, ThresholdsError

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import AvailableScores

FILE_NAME = "thresholds.toml"


@dataclass(frozen=True, slots=True)
class _Aside:
    """What tables say besides constraints.

    Attributes:
        breaking: least breaking points, by model and shift: see `Bounds`.
        expected: known failures, by model, shift and magnitude: see `Expectations`.
        seed_use: bounds on the use of the seed vector, by model and key: see `SeedUseBounds`.
    """

    breaking: dict[tuple[str, str], float] = field(default_factory=dict)
    expected: dict[Place, Expectation] = field(default_factory=dict)
    seed_use: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)


def load(path: Path | None, root: Path, check_model: Callable[[str], object]) -> Thresholds:
    """Read the file at `path`, else thresholds.toml in `root`, else the one that is shipped.

    Args:
        path: a file that the user named; it has to exist.
        root: the folder to look for thresholds.toml in.
        check_model: raises ValueError, saying which are known, for a model that does not exist.

    Raises:
        ThresholdsError: the file cannot be read or says something invalid.
    """
    if path is None:
        path = root / FILE_NAME
        if not path.exists():
            return parse(default_text(), f"{FILE_NAME} (shipped)", check_model, shipped=True)
    try:
        document = toml_documents.read(path)
    except toml_documents.DocumentError as error:
        raise ThresholdsError(str(error)) from None
    return _parse(document, str(path), check_model)


def default_text() -> str:
    """The shipped thresholds file."""
    return files("pytest_seedshift").joinpath("core", "default_thresholds.toml").read_text(encoding="utf-8")


def parse(
    text: str,
    source: str,
    check_model: Callable[[str], object],
    *,
    shipped: bool = False,
    scores: AvailableScores = ANY_SCORE,
) -> Thresholds:
    """Read the text of a thresholds file, which may ask for some scores; see `load`."""
    try:
        document = toml_documents.parse(text, source)
    except toml_documents.DocumentError as error:
        raise ThresholdsError(str(error)) from None
    return _parse(document, source, check_model, shipped=shipped, scores=scores)


def of_tables(tables: Mapping[Any, Any], source: str, check_model: Callable[[str], object]) -> Thresholds:
    """Read tables as a thresholds file has them; a key may be a number where the file's is a text, as of a magnitude.

    Args:
        tables: such as `{"default": {"top1": 0.6}}`.
        source: stands in the place of a file's name.
        check_model: see `load`.

    Raises:
        ThresholdsError: they say something invalid.
    """
    for name, what in (("models", "models"), ("scorers", "scorers")):
        if name in tables:
            raise ThresholdsError(
                f"{source}: [{name}] describes {what}, which only a file can do. Give the path of a file, or change "
                "the model by keyword arguments of evaluate()"
            )
    return _parse(_plain(tables), source, check_model)


def _plain(tables: Mapping[Any, Any]) -> dict[str, Any]:
    """Tables of whatever class as dicts, their keys as texts."""
    return {str(key): _plain(value) if isinstance(value, Mapping) else value for key, value in tables.items()}


def _parse(
    document: Mapping[str, Any],
    source: str,
    check_model: Callable[[str], object],
    *,
    shipped: bool = False,
    scores: AvailableScores = ANY_SCORE,
) -> Thresholds:
    known = ("default", "shift", "model", "models", "scorers", "verdict", "baseline", likeness.TABLE, tags.TABLE)
    for key in document:
        if key not in known:
            raise ThresholdsError(f"{source}: {unknown('table', key, known)}")
    _table(document.get("models", {}), f"{source}: [models]")
    aside = _Aside()
    default = _table(document.get("default", {}), f"{source}: [default]")
    default = {key: value for key, value in default.items() if key not in prompt_sets.KEYS}
    for name in (likeness.TABLE, tags.TABLE):
        if name in document:
            if name in default:
                raise ThresholdsError(f"{source}: [{name}] and [default.{name}] are one table: give one of them")
            default = {**default, name: document[name]}
    default, measured_by = _measured_by(default, source)
    everywhere = Section(
        _constraints(default, f"{source}: [default]", ("", ""), aside, scores),
        _shift_tables(document.get("shift", {}), source, "shift", "", aside, scores),
    )
    models = {}
    for name, content in _table(document.get("model", {}), f"{source}: [model]").items():
        where = f"{source}: [model.{name}]"
        try:
            check_model(name)
        except SeedshiftError as error:
            raise ThresholdsError(f"{where}: {error}") from None
        known_as = model_names.canonical(name)
        if known_as in models:
            raise ThresholdsError(f"{where}: two tables for the model {known_as}")
        rest = dict(_table(content, where))
        by_shift = rest.pop("shift", {})
        models[known_as] = Section(
            _constraints(rest, where, (known_as, ""), aside, scores),
            _shift_tables(by_shift, source, f"model.{name}.shift", known_as, aside, scores),
        )
    verdict = _table(document.get("verdict", {}), f"{source}: [verdict]")
    found = Thresholds(
        source,
        everywhere,
        models,
        shipped,
        verdict_table.certainty(verdict, source),
        verdict_table.family(verdict, source),
        _baseline(document.get("baseline", {}), source),
        Bounds(aside.breaking),
        verdict_table.design_seed(verdict, source),
        Expectations(aside.expected),
        measured_by,
        SeedUseBounds(aside.seed_use),
    )
    asked = (each.score for one in (everywhere, *models.values()) for each in one.constraints())
    likeness_tables.check_models(asked, measured_by, source)
    return found


def _measured_by(default: dict[str, Any], source: str) -> tuple[dict[str, Any], dict[str, str]]:
    """`[default]` without `[likeness.models]`, and what that says."""
    table = default.get(likeness.TABLE)
    if not isinstance(table, dict) or likeness.MODELS not in table:
        return default, {}
    where = f"{source}: [{likeness.TABLE}.{likeness.MODELS}]"
    found = likeness_tables.models(table[likeness.MODELS], where, Path(source).parent)
    rest = {key: value for key, value in table.items() if key != likeness.MODELS}
    return {**default, likeness.TABLE: rest}, found


def _baseline(table: object, source: str) -> BaselineTable:
    where = f"{source}: [baseline]"
    try:
        return BaselineTable.model_validate(_table(table, where))
    except pydantic.ValidationError as error:
        raise ThresholdsError(f"{where}: {explain(error, BaselineTable, 'setting')}") from None


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ThresholdsError(f"{where} is {value!r}, not a table")
    return value


def _constraints(
    table: dict[str, Any], where: str, place: tuple[str, str], aside: _Aside, scores: AvailableScores
) -> Table:
    """The constraints of a table; what else it says goes to `aside`, under `place`."""
    try:
        table, used = seed_use_bounds.split(table, where)
    except seed_use_bounds.BoundError as error:
        raise ThresholdsError(str(error)) from None
    aside.seed_use.update({(place[0], key): each for key, each in used.items()})
    rest = _without_bound(table, where, place, aside)
    return _read(_without_expectation(rest, where, (*place, None), aside), where, scores)


def _without_expectation(table: Mapping[str, Any], where: str, place: Place, aside: _Aside) -> dict[str, Any]:
    """A table without what it says of known failures, which goes to `aside`, under `place`."""
    try:
        rest, found = known_failures.split(table, where)
    except InvalidValueError as error:
        raise ThresholdsError(str(error)) from None
    if found is not None:
        aside.expected[place] = found
    return rest


def _read(table: Mapping[str, Any], where: str, scores: AvailableScores) -> Table:
    """The constraints of a table that has nothing else."""
    found: Table = {}
    for key, value in table.items():
        if key == likeness.TABLE:
            there = where.replace("[default]", "[likeness]") if "[default]" in where else f"{where[:-1]}.{key}]"
            found |= likeness_tables.constraints(value, there)
        elif key == tags.TABLE and scores.find(key) is None:
            there = where.replace("[default]", "[tag]") if "[default]" in where else f"{where[:-1]}.{key}]"
            with _of_thresholds():
                found |= tag_tables.constraints(
                    value, there, lambda score, bounds, place: constraints(score, bounds, place, scores)
                )
        else:
            found |= constraints(key, value, where, scores)
    return found


def _without_bound(table: dict[str, Any], where: str, place: tuple[str, str], aside: _Aside) -> dict[str, Any]:
    """A table without its least breaking point, which goes to `aside`, under `place`."""
    if breaking_bounds.KEY not in table:
        return table
    if place[1] == shifts.NONE:
        raise ThresholdsError(
            f"{where} {breaking_bounds.KEY}: the unshifted case has no breaking point; put it into [default] or "
            "a shift's"
        )
    try:
        aside.breaking[place] = breaking_bounds.check(table[breaking_bounds.KEY], where)
    except breaking_bounds.BoundError as error:
        raise ThresholdsError(str(error)) from None
    return {key: value for key, value in table.items() if key != breaking_bounds.KEY}


def _refuse_bound(table: object, key: str, where: str, path: str) -> None:
    """Make sure that the table of one magnitude has no least breaking point."""
    if isinstance(table, dict) and breaking_bounds.KEY in table:
        raise ThresholdsError(
            f"{where[:-1]}.{key!r}] {breaking_bounds.KEY}: one magnitude has no breaking point; put it into [{path}]"
        )


def _shift_tables(
    value: object, source: str, path: str, model: str, aside: _Aside, scores: AvailableScores
) -> dict[str, ShiftTable]:
    """The tables of shifts, by the shifts; what else they say goes to `aside`, under the model and the shift."""
    tables = {}
    for name, content in _table(value, f"{source}: [{path}]").items():
        where = f"{source}: [{path}.{name}]"
        shift = _shift(name, where)
        if shift in tables:
            raise ThresholdsError(f"{where}: two tables for the shift {shift}")
        here: Table = {}
        by_magnitude: dict[float, Table] = {}
        rest = _without_bound(_table(content, where), where, (model, shift), aside)
        rest = _without_expectation(rest, where, (model, shift, None), aside)
        for key, inner in rest.items():
            _refuse_bound(inner, key, where, f"{path}.{name}")
            magnitude = _magnitude(key)
            if magnitude is None:
                here |= _read({key: inner}, where, scores)
                continue
            if magnitude == 0:
                raise ThresholdsError(
                    f"{where}: at the magnitude {key} there is no shift. Put a magnitude in quotes, such as "
                    f'[{path}.{name}."0.3"]; the table of the unshifted case is [{path}.{shifts.NONE}]'
                )
            _check_magnitude(shift, magnitude, f"{where} {key}")
            if magnitude in by_magnitude:
                raise ThresholdsError(f"{where}: two tables for the magnitude {format_magnitude(magnitude)}")
            here_at = f'{source}: [{path}.{name}."{key}"]'
            scored = _table(inner, f"{where} {key}")
            scored = _without_expectation(scored, here_at, (model, shift, magnitude), aside)
            by_magnitude[magnitude] = _read(scored, here_at, scores)
        tables[shift] = ShiftTable(here, by_magnitude)
    return tables


@contextmanager
def _of_thresholds() -> Iterator[None]:
    try:
        yield
    except ThresholdsError:
        raise
    except SeedshiftUsageError as error:
        raise ThresholdsError(str(error)) from None


def _shift(name: str, where: str) -> str:
    """A shift's name as cases have it: mean:channel=2 for mean:channel=2.0."""
    if name == shifts.NONE:
        return name
    try:
        return str(shifts.parse(name))
    except SeedshiftUsageError as error:
        raise ThresholdsError(f"{where}: {error}") from None


def _check_magnitude(shift: str, magnitude: float, where: str) -> None:
    """Make sure that a shift has a meaning at a magnitude: no other case could have it."""
    if shift == shifts.NONE:
        raise ThresholdsError(f"{where}: the unshifted case has no magnitude: put it into [shift.{shifts.NONE}]")
    try:
        shifts.check_magnitude(shifts.parse(shift), magnitude)
    except SeedshiftUsageError as error:
        raise ThresholdsError(f"{where}: {error}") from None


def _magnitude(key: str) -> float | None:
    magnitude = typed_values.number(key)
    return magnitude if math.isfinite(magnitude) else None
