"""Thresholds from a run: each bound at the lower end of what was measured, less a margin, in the text of a TOML file.

What a person has written stays: comments, order, and every bound that was set by hand. A value that was written here
has a comment that begins with "measured", and is written anew when it is measured anew. A bound by hand outside of
[default] keeps its say over the cases that it speaks of, so none is written for them; [default] is what holds where
nobody has looked closer, so a measured bound stands above it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any, TypeAlias

import tomlkit
from tomlkit.items import InlineTable, Item, Key, SingleKey, Table

from pytest_seedshift import shifts, thresholds
from pytest_seedshift.cases import Case, format_magnitude
from pytest_seedshift.scores import SCORES
from pytest_seedshift.suggest import some

MARGIN = 0.02
"""Of a score's range, unless the user says otherwise: two points of accuracy."""

_MARK = "# measured "
_HEAD = '# Below: bounds by measurement. A value whose comment begins with "measured" is written anew with the next\n'
_HEAD += "# calibration; take the comment away, and it is yours.\n"

_Path: TypeAlias = tuple[str, ...]


class CalibrationError(ValueError):
    """No thresholds can be written; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new text for a thresholds file, and what it is made of."""

    text: str
    bounds: int
    """How many values were measured and stand in it."""
    cases: int
    """Of how many cases."""
    kept: tuple[str, ...]
    """What was measured but is left to a bound that was set by hand: `top1 of toy-latent mean +0.30`."""
    unmeasured: tuple[str, ...]
    """The ids of cases that could not be judged."""

    @property
    def summary(self) -> list[str]:
        """What is to be said of it, in lines."""
        lines = [f"{self.bounds} bounds of {self.cases} cases by measurement"]
        if self.kept:
            lines.append(f"left to bounds that were set by hand: {some(self.kept)}")
        if self.unmeasured:
            lines.append(f"not measured: {', '.join(self.unmeasured)}")
        return lines


def bound(score: str, low: float, margin: float) -> float:
    """A minimum for a score whose interval begins at `low`.

    Args:
        score: a key of `SCORES`.
        low: the lower end of the interval.
        margin: as a part of the score's range, from 0 to 1.

    Returns:
        `low` less the margin, rounded down to a thousandth of the range's order of size, at least 0.
    """
    top = SCORES[score].top
    decimals = max(0, 3 - math.ceil(math.log10(top)))
    below = Decimal(repr(float(low))) - Decimal(repr(margin)) * Decimal(repr(top))  # so that 0.3 - 0.02 is 0.28
    return max(0.0, float(below.quantize(Decimal(1).scaleb(-decimals), ROUND_FLOOR)))


def propose(
    text: str,
    source: str,
    records: Sequence[Mapping[str, Any]],
    margin: float = MARGIN,
    check_model: Callable[[str], object] = str,
) -> Proposal:
    """Lay a run's measurements into the text of a thresholds file.

    Args:
        text: of the file as it is.
        source: its name, for errors.
        records: of the run's cases, as verdicts.json has them.
        margin: see `bound`.
        check_model: see `thresholds.load`.

    Raises:
        CalibrationError: the text is no thresholds file, nothing was measured, or a table has a form that no bound can
            be written into.
    """
    records = [each for each in records if not each.get("null")]  # nothing is asked of a null control
    measured = _measured(records)
    if not measured:
        raise CalibrationError("no case was measured, so there is no bound to write: see why the cases did not run")
    text = text.replace("\r\n", "\n")
    try:
        thresholds.parse(text, source, check_model)
        by_hand = thresholds.parse(_by_hand(text), source, check_model)
    except thresholds.ThresholdsError as error:
        raise CalibrationError(f"{error}. Put that right first") from None
    try:
        document = tomlkit.parse(text)
    except ValueError as error:  # it is stricter here and there than who reads thresholds
        raise CalibrationError(f"{source}: cannot be written into: {error}") from None
    default = document.unwrap().get("default", {})
    kept, values = [], {}
    for case, estimates in measured.items():
        bounds = {
            score: _value(bound(score, each["low"], margin), default.get(score), _words(score, each))
            for score, each in estimates.items()
            if not _speaks(by_hand, case, score)
        }
        kept += [f"{score} of {case.model} {case.describe()}" for score in estimates if score not in bounds]
        if bounds:
            values[case] = bounds
    made = _lay(document, text, values, source)
    _verify(made, source, values, check_model)
    unmeasured = tuple(dict.fromkeys(each["id"] for each in records if not each["scores"]))
    return Proposal(made, sum(map(len, values.values())), len(values), tuple(kept), unmeasured)


def _measured(records: Iterable[Mapping[str, Any]]) -> dict[Case, dict[str, dict[str, Any]]]:
    """By case and score, its estimate with the number of images; where two tests judge a case, the lower one."""
    found: dict[Case, dict[str, dict[str, Any]]] = {}
    for record in records:
        of_case = found.setdefault(Case(record["model"], record["shift"], record["magnitude"]), {})
        for score, estimate in record["scores"].items():
            if score in SCORES and estimate["low"] < of_case.get(score, {"low": math.inf})["low"]:
                of_case[score] = {**estimate, **{key: record[key] for key in ("images", "design", "certainty")}}
    return {case: estimates for case, estimates in found.items() if estimates}


def _words(score: str, estimate: Mapping[str, Any]) -> str:
    from pytest_seedshift.report import words

    shown = SCORES[score].format
    interval = f"{words.percent(estimate['certainty'])} interval {shown(estimate['low'])} to {shown(estimate['high'])}"
    return f"{_MARK}{shown(estimate['mean'])}, {interval}, {words.images(estimate['images'], estimate['design'])}"


def _value(minimum: float, default: object, comment: str) -> Item:
    """A score's entry: its minimum, with what else [default] asks of the score, which a narrower table would undo."""
    others = {key: value for key, value in default.items() if key != "min"} if isinstance(default, dict) else {}
    item: Item = tomlkit.item(minimum)
    if others:
        item = tomlkit.inline_table().append("min", minimum)
        for key, value in others.items():
            item.append(key, value)
    item.comment(comment)
    item.trivia.comment_ws = "  "
    return item


# What was set by hand --------------------------------------------------------------------------------------------


def _by_hand(text: str) -> str:
    """The file without [default] and without what was written here."""

    def rest(table: Any) -> dict[str, Any]:
        return {
            key: rest(value) if isinstance(value, dict) else value
            for key, value in table.items()
            if not _is_ours(value)
        }

    document = tomlkit.parse(text)
    return tomlkit.dumps({key: rest(value) for key, value in document.items() if key not in ("default", "models")})


def _is_ours(value: Any) -> bool:
    return isinstance(value, Item) and not isinstance(value, Table) and value.trivia.comment.startswith(_MARK)


def _speaks(found: thresholds.Thresholds, case: Case, score: str) -> bool:
    try:
        return any(each.score == score for each in found.constraints(case))
    except thresholds.ThresholdsError:  # it asks for nothing at all
        return False


# Writing ---------------------------------------------------------------------------------------------------------


def _lay(document: tomlkit.TOMLDocument, text: str, values: Mapping[Case, Mapping[str, Item]], source: str) -> str:
    """The file with all values: in the tables that it has, else in new ones at its end."""
    new = []
    for case, bounds in values.items():
        table = _table_of(document, case)
        if isinstance(table, InlineTable):
            raise CalibrationError(
                f"{source}: the bounds of {case.model} {case.describe()} stand in {{ … }}, which has no room for the "
                f"comments: write them as a table of their own, {_header(_path(case))}"
            )
        if table is None:
            new.append("\n".join([_header(_path(case)), *(f"{key} = {_line(item)}" for key, item in bounds.items())]))
            continue
        for score, item in bounds.items():
            table[score] = item
    made = tomlkit.dumps(document)
    if new:
        head = "" if _HEAD in text else f"\n{_HEAD}"
        made = f"{made.rstrip()}\n{head}\n" + "\n\n".join(new) + "\n"
    return made.lstrip("\n")


def _line(item: Item) -> str:
    return f"{item.as_string()}  {item.trivia.comment}"


def _path(case: Case) -> _Path:
    where = "model", case.model, "shift", case.shift
    return where if case.is_control else (*where, repr(case.magnitude))


def _header(path: _Path) -> str:
    keys: Iterable[Key] = map(SingleKey, path)
    return f"[{'.'.join(key.as_string() for key in keys)}]"


def _table_of(document: tomlkit.TOMLDocument, case: Case) -> Any:
    """The narrowest table of a case, however its keys are written; None where there is none."""
    table: Any = document.get("model", {}).get(case.model, {}).get("shift", {})
    table = next((inner for key, inner in table.items() if _shift(key) == case.shift), None)
    if table is None or case.is_control:
        return table
    return next((inner for key, inner in table.items() if _is_magnitude(key, case.magnitude)), None)


def _shift(key: str) -> str:
    try:
        return key if key == shifts.NONE else str(shifts.parse(key))
    except ValueError:
        return ""


def _is_magnitude(key: str, magnitude: float) -> bool:
    try:
        return float(key) == magnitude
    except ValueError:
        return False


def _verify(
    text: str, source: str, values: Mapping[Case, Mapping[str, Item]], check_model: Callable[[str], object]
) -> None:
    """Make sure that the text says what it is meant to say."""
    try:
        read = thresholds.parse(text, source, check_model)
        for case, bounds in values.items():
            asked = {each.score: each.minimum for each in read.constraints(case)}
            for score, item in bounds.items():
                plain = item.unwrap()
                if asked.get(score) != (plain["min"] if isinstance(plain, dict) else plain):
                    raise thresholds.ThresholdsError(
                        f"{source}: another table decides about {score} at {case.shift} "
                        f"{format_magnitude(case.magnitude)}"
                    )
    except thresholds.ThresholdsError as error:
        raise CalibrationError(
            f"the bounds do not go into the tables as they are written ({error}). Write tables of models and shifts "
            "as [model.NAME.shift.NAME], not as { … } or with dots in keys"
        ) from None
