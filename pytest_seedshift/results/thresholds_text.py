"""The text of a thresholds file, into which bounds by measurement are laid.

What a person has written stays: comments, order, and every bound that was set by hand. A value that was written here
has a comment that begins with "measured", and is written anew when it is measured anew. A bound by hand outside of
[default] keeps its say over the cases that it speaks of, so none is written for them; [default] is what holds where
nobody has looked closer, so a measured bound stands above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import tomlkit
from tomlkit.items import InlineTable, Item, Key, SingleKey, Table

from pytest_seedshift.core import model_names, shifts, thresholds, thresholds_parser
from pytest_seedshift.core.cases import Case, format_magnitude
from pytest_seedshift.core.errors import DataError, SeedshiftUsageError

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import AvailableScores

MARK = "# measured "
_HEAD = '# Below: bounds by measurement. A value whose comment begins with "measured" is written anew with the next\n'
_HEAD += "# calibration; take the comment away, and it is yours.\n"

_Path: TypeAlias = tuple[str, ...]
_T = TypeVar("_T")


class CalibrationError(DataError):
    """No thresholds can be written; the message says why, and what to do."""


class ThresholdsText:
    """A thresholds file as text, and what stands in it by hand."""

    def __init__(self, text: str, source: str, check_model: Callable[[str], object], scores: AvailableScores) -> None:
        """Read it.

        Args:
            text: of the file as it is.
            source: its name, for errors.
            check_model: see `thresholds_parser.load`.
            scores: those that the file may ask for.

        Raises:
            CalibrationError: it is no thresholds file.
        """
        self._text = text.replace("\r\n", "\n")
        self._source, self._check_model, self._scores = source, check_model, scores
        try:
            thresholds_parser.parse(self._text, source, check_model, scores=scores)
            self._by_hand = thresholds_parser.parse(_by_hand(self._text), source, check_model, scores=scores)
        except thresholds.ThresholdsError as error:
            raise CalibrationError(f"{error}. Put that right first") from None
        try:
            self._document = tomlkit.parse(self._text)
        except ValueError as error:  # it is stricter here and there than who reads thresholds
            raise CalibrationError(f"{source}: cannot be written into: {error}") from None
        self._default = self._document.unwrap().get("default", {})

    def free(self, measured: Mapping[Case, Mapping[str, _T]]) -> tuple[dict[Case, dict[str, _T]], list[str]]:
        """What was measured of which no bound was set by hand, and in words what is left to such bounds."""
        kept, free = [], {}
        for case, estimates in measured.items():
            ours = {score: each for score, each in estimates.items() if not _speaks(self._by_hand, case, score)}
            kept += [f"{score} of {case.model} {case.describe()}" for score in estimates if score not in ours]
            if ours:
                free[case] = ours
        return free, kept

    def laid(self, bounds: Mapping[Case, Mapping[str, tuple[float, str]]]) -> str:
        """The text with a minimum, and what its comment says, by case and score.

        Raises:
            CalibrationError: a table has a form that no bound can be written into.
        """
        values = {
            case: {score: _value(least, self._default.get(score), words) for score, (least, words) in of_case.items()}
            for case, of_case in bounds.items()
        }
        made = _lay(self._document, self._text, values, self._source)
        _verify(made, self._source, values, self._check_model, self._scores)
        return made

    def looser(self, bounds: Mapping[Case, Mapping[str, tuple[float, str]]]) -> tuple[str, ...]:
        """Which bounds ask less than what was in force before, as `laid` takes them: a line for each.

        `mine mean +0.30: top1 = 0.3 is looser than your 0.7 of [default]`.
        """
        document = tomlkit.parse(self._text)  # that of `laid` has the new ones
        found = []
        for case, scores in bounds.items():
            for score, (least, _) in scores.items():
                was, place, value = _in_force(document, case, score)
                if was is None or was <= least:
                    continue
                whose = "your" if self._text != thresholds_parser.default_text() else "the shipped"
                whose = "the measured" if _is_ours(value) else whose
                found.append(
                    f"{case.model} {case.describe()}: {score} = {least:g} is looser than {whose} {was:g} of {place}"
                )
        return tuple(found)


def _value(minimum: float, default: object, comment: str) -> Item:
    """A score's entry: its minimum, with what else [default] asks of the score, which a narrower table would undo."""
    others = {key: value for key, value in default.items() if key != "min"} if isinstance(default, dict) else {}
    item: Item = tomlkit.item(minimum)
    if others:
        item = tomlkit.inline_table().append("min", minimum)
        for key, value in others.items():
            item.append(key, value)
    item.comment(f"{MARK}{comment}")
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
    return isinstance(value, Item) and not isinstance(value, Table) and value.trivia.comment.startswith(MARK)


def _speaks(found: thresholds.Thresholds, case: Case, score: str) -> bool:
    try:
        return any(each.score == score for each in found.constraints(case))
    except thresholds.ThresholdsError:  # it sets no bound at all
        return False


# Writing ---------------------------------------------------------------------------------------------------------


def _lay(document: tomlkit.TOMLDocument, text: str, values: Mapping[Case, Mapping[str, Item]], source: str) -> str:
    """The file with all values: in the tables that it has, else in new ones at its end."""
    new = []
    for case, bounds in values.items():
        table = _table_of(document, case)
        if isinstance(table, InlineTable):
            raise CalibrationError(
                f"{source}: the bounds of {case.model} {case.describe()} are an inline table, {{ … }}, which cannot "
                f"hold comments. Write them as a table of their own: {_header(_path(case))}"
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


def _in_force(document: tomlkit.TOMLDocument, case: Case, score: str) -> tuple[float | None, str, Any]:
    """A score's minimum, the header of the narrowest table that speaks of the score, and what stands there."""
    name = model_names.canonical(case.model)
    models = {key: table for key, table in document.get("model", {}).items() if model_names.canonical(key) == name}
    tables: list[tuple[_Path, Any]] = [(("default",), document.get("default", {}))]
    for path, section in [((), document), *((("model", key), each) for key, each in models.items())]:
        tables += [(path, section)] if path else []
        keyed = {_shift(key): key for key in section.get("shift", {})}
        named = [keyed[each] for each in thresholds.names_of(case.shift) if each in keyed]
        tables += [((*path, "shift", key), section["shift"][key]) for key in named]
        tables += [
            ((*path, "shift", key, at), section["shift"][key][at])
            for key in named
            for at in section["shift"][key]
            if not case.is_control and _is_magnitude(at, case.magnitude)
        ]
    speaking = [(path, table[score]) for path, table in tables if score in table]
    if not speaking:
        return None, "", None
    path, value = speaking[-1]
    plain = value.unwrap() if isinstance(value, Item) else value
    return (plain.get("min") if isinstance(plain, dict) else plain), _header(path), value


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
    except SeedshiftUsageError:
        return ""


def _is_magnitude(key: str, magnitude: float) -> bool:
    try:
        return float(key) == magnitude
    except ValueError:  # of float
        return False


def _verify(
    text: str,
    source: str,
    values: Mapping[Case, Mapping[str, Item]],
    check_model: Callable[[str], object],
    scores: AvailableScores,
) -> None:
    """Make sure that the text says what it is meant to say."""
    try:
        read = thresholds_parser.parse(text, source, check_model, scores=scores)
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
