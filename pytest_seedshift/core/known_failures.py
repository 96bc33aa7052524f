"""Known failures: cases that are expected to fail, as a thresholds file says.

    [model.sd21.shift.mean."0.3"]
    expect = "fail"
    reason = "issue 312: a mean shift washes out small objects"
    until = 2027-03-31
    strict = true

The narrowest table that says anything of it decides; `expect = "pass"` takes back what a wider one says. Such a case
that fails is a known failure, as pytest has them (`xfail`); one that passes is told, and with `strict` fails. After
`until` it counts as any other.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pytest_seedshift.core import model_names
from pytest_seedshift.core.errors import InvalidValueError

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case

KEYS = ("expect", "reason", "until", "strict")


class ExpectationTable(BaseModel):
    """What a table says of its cases' failing."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    expect: Literal["fail", "pass"]
    """`"fail"`: the table's cases are known to fail; `"pass"` takes back what a wider table says."""
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Why they fail; needed beside `expect = "fail"`."""
    until: datetime.date | None = None
    """The last day on which they are expected to, a date without quotes; left out, for ever."""
    strict: bool | None = None
    """Whether a case that passes all the same counts as a failure; left out, as pytest's `xfail_strict` says."""


_VALID = {
    "expect": 'give "fail", or "pass" to take back what a wider table says',
    "reason": "give a text of at most 500 letters",
    "until": "give a date without quotes, such as 2027-03-31",
    "strict": "give true or false",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a table says of its cases.

    Attributes:
        fails: whether they are expected to fail.
        reason: why, in the user's words.
        until: the last day on which they are; None for ever.
        strict: whether one that passes is a failure; None as pytest's `xfail_strict` says.
        where: the table stands, for messages.
    """

    fails: bool
    reason: str
    until: datetime.date | None
    strict: bool | None
    where: str

    def has_ended(self, today: datetime.date) -> bool:
        """Whether it counts no more."""
        return self.until is not None and today > self.until


Place = tuple[str, str, float | None]
"""Of a table: the model, empty for all, the shift, empty for all, and the magnitude, None for all."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """All that a thresholds file says of known failures, by the places of its tables."""

    by_place: Mapping[Place, Expectation] = field(default_factory=dict)

    def of(self, case: Case, shifts: list[str]) -> Expectation | None:
        """What is expected of a case to fail, ended or not; None where nothing is.

        Args:
            case: the case.
            shifts: the names under which its shift's tables can stand, from the widest.
        """
        found = None
        for place in self._places(case, shifts):
            found = self.by_place.get(place, found)
        return found if found is not None and found.fails else None

    @staticmethod
    def _places(case: Case, shifts: list[str]) -> Iterator[Place]:
        for model in ("", model_names.canonical(case.model)):
            yield model, "", None
            for magnitude in (None, case.magnitude):
                for shift in shifts:
                    yield model, shift, magnitude


def split(table: Mapping[str, Any], where: str) -> tuple[dict[str, Any], Expectation | None]:
    """A table without what it says of known failures, and that.

    Args:
        table: of a thresholds file.
        where: it stands, such as `thresholds.toml: [shift.mean]`.

    Raises:
        InvalidValueError: what it says is not valid.
    """
    said = {key: table[key] for key in KEYS if key in table}
    rest = {key: value for key, value in table.items() if key not in KEYS}
    if not said:
        return rest, None
    if "expect" not in said:
        raise InvalidValueError(f'{where} {next(iter(said))}: belongs to expect = "fail", which is not set')
    if isinstance(said.get("until"), datetime.datetime):
        said["until"] = str(said["until"])  # which is no date, and pydantic would cut it
    try:
        form = ExpectationTable.model_validate(said)
    except pydantic.ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        raise InvalidValueError(f"{where} {key} = {said[key]!r}: {_VALID[key]}") from None
    if form.expect == "fail" and not (form.reason or "").strip():
        raise InvalidValueError(f'{where} expect = "fail": add reason = "…": who reads it wants to know why')
    if form.expect == "pass" and len(said) > 1:
        other = next(key for key in said if key != "expect")
        raise InvalidValueError(f'{where} {other}: belongs to expect = "fail"')
    return rest, Expectation(form.expect == "fail", (form.reason or "").strip(), form.until, form.strict, where)
