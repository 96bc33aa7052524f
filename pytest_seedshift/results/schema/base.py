"""What all forms of a run's files share: types, and numbers within reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.pairs import MOST_SEED

MOST_IMAGES = 10_000_000
"""Of a case's design."""

_FAR = 1e15
"""Numbers further from 0 than this are nobody's measurements."""

Number = Annotated[float, Field(ge=-_FAR, le=_FAR, allow_inf_nan=False)]
Images = Annotated[int, Field(ge=0, le=MOST_IMAGES)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Certainty = Annotated[float, Field(gt=0, lt=1)]
DesignSeed = Annotated[int, Field(ge=0, le=MOST_SEED)]


class Form(BaseModel):
    """A part of a file. Keys that this version does not know are kept, and written again."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, use_attribute_docstrings=True)

    def built_in(self) -> dict[str, Any]:
        """As JSON has it, in built-in types: what was set, in the order of the fields."""
        return self.model_dump(exclude_unset=True)


_F = TypeVar("_F", bound=BaseModel)


def read(form: type[_F], document: Mapping[str, Any]) -> _F:
    """A document, or a part of one, of a form.

    Raises:
        DataError: it is of another form; the message says where and why, in a line.
    """
    try:
        return form.model_validate(document)
    except ValidationError as error:
        raise DataError(describe(error)) from None


def readable(form: type[_F], entries: object) -> list[_F]:
    """Those of a list's entries that are of a form; none of what is no list."""
    found = []
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        try:
            found.append(form.model_validate(entry))
        except ValidationError:
            continue
    return found


def describe(error: ValidationError) -> str:
    """The first thing that is wrong with a document, in a line: `cases.0.images: Input should be …`."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    message = " ".join(first["msg"].split())[:200]
    return f"{where}: {message}" if where else message
