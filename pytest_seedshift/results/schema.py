"""The form of verdicts.json, for who reads one that somebody else may have written: types, and numbers within reason.

What a reader has to know of a run is here; further keys are left alone. Documents that earlier versions have written
lack some: these have a value here that says that nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pytest_seedshift.core.errors import DataError, InvalidValueError
from pytest_seedshift.core.pairs import MOST_SEED

MOST_IMAGES = 10_000_000
"""Of a case's design."""

_FAR = 1e15
"""Numbers further from 0 than this are nobody's measurements."""

Number = Annotated[float, Field(ge=-_FAR, le=_FAR, allow_inf_nan=False)]
Images = Annotated[int, Field(ge=0, le=MOST_IMAGES)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Form(BaseModel):
    """What all forms share."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Score(Form):
    """A score's mean with its interval."""

    mean: Number
    low: Number
    high: Number
    clipped: Count = 0


class Change(Form):
    """What has become of a score on the pairs that a baseline has too; see `scores.Change`."""

    pairs: Count
    lost: Count
    won: Count
    p: Number
    least: Number | None
    test: str
    level: Number
    allowed: Number = 0.0
    least_90: Number | None = None


class Constraint(Form):
    """A bound, held against the measurement; see `scores.Finding`."""

    score: str
    kind: Literal["min", "max_drop", "max_regression", "null"]
    bound: Number
    measured: float
    """NaN where there was nothing to measure."""
    holds: bool | None
    change: Change | None = None
    low: Number | None = None
    high: Number | None = None
    p: Number | None = None
    level: Number | None = None
    least: Number | None = None
    least_90: Number | None = None


class Kept(Form):
    """A picture and the control's of the same pair; their paths are relative to the run folder."""

    label: str
    seed: Count
    right: bool | None
    """By top-1; None where it was not measured."""
    picture: str | None
    control: str | None
    control_right: bool | None


class Case(Form):
    """What a case is."""

    model: str
    shift: str
    magnitude: Number


class Record(Case):
    """A case and what came of it."""

    test: str = ""
    verdict: Literal["pass", "fail", "error", "skipped"]
    reason: str = ""
    scores: dict[str, Score] = {}
    constraints: list[Constraint] = []
    images: Images = 0
    design: Images = 0
    blank: Images = 0
    """Of a case that passes, how many of its pictures are of one colour, if not all of these were recognised."""
    design_seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 0
    certainty: Annotated[float, Field(gt=0, lt=1)] | None = None
    device: str | None = None
    dtype: str | None = None
    pictures: Sequence[Kept] = ()
    null: bool = False
    outcome: Literal["xfailed", "xpassed"] | None = None
    xfail: str = ""


class Measurement(Case):
    """What thresholds are made of: a record of which nothing that this needs is lacking."""

    id: str
    scores: dict[str, Score]
    images: Images
    design: Images
    certainty: Annotated[float, Field(gt=0, lt=1)] | None
    null: bool = False

    @model_validator(mode="after")
    def _is_certain(self) -> Measurement:
        if self.scores and self.certainty is None:
            raise InvalidValueError("scores without the certainty of their intervals")
        return self


class Entry(Case):
    """A case of the grid, and what was asked of it."""

    id: str
    test: str
    kind: str | None = None
    asks: dict[str, Number]
    exact: bool
    images: Images
    design: str
    design_seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 0


class Model(Form):
    """A model, how it was run, and the fingerprints of it and of its scorers."""

    device: str
    dtype: str
    fingerprint: str | None
    classifier: str | None
    clip: str | None
    own: dict[str, str] | None = None
    scorer_weights: Annotated[list[str | None], Field(min_length=2, max_length=2)] | None = None
    """The classifier's and CLIP's; None in place of one that was not needed."""
    own_given: dict[str, str] = {}
    run_with: dict[str, Any] = {}
    """What it was run with; see `run_settings`. Empty where that was not recorded."""


class Kind(Form):
    """A score of the user's own; see `score_kinds.ScoreKind`."""

    title: str
    top: Annotated[float, Field(gt=0, le=_FAR)]
    binary: bool


class Shard(Form):
    """Which part of a grid a run was."""

    number: Annotated[int, Field(ge=1, le=100_000)]
    of: Annotated[int, Field(ge=1, le=100_000)]
    by: str
    split: str


class Baseline(Form):
    """The baseline that a run was held against."""

    name: str
    checksum: str
    models: dict[str, str] = {}
    family: bool = False


class Head(Form):
    """What verdicts.json says besides its cases and breaking points."""

    certainty: Annotated[float, Field(gt=0.5, lt=1)]
    thresholds: str
    prompt: str | None = None
    libraries: dict[str, str]
    models: dict[str, Model]
    grid: list[Entry]
    scores: dict[str, Kind] = {}
    shard: Shard | None = None
    baseline: Baseline | None = None


_F = TypeVar("_F", bound=BaseModel)


def read(form: type[_F], document: Mapping[str, Any]) -> _F:
    """A document, or a part of one, of a form.

    Raises:
        DataError: it is of another form; the message says where and why, in a line.
    """
    try:
        return form.model_validate(document)
    except ValidationError as error:
        raise DataError(said(error)) from None


def head(document: Mapping[str, Any]) -> Head:
    """The head of a document.

    Raises:
        VerdictsError: it is of another form.
    """
    from pytest_seedshift.results.run_folder import VerdictsError

    try:
        return read(Head, document)
    except DataError as error:
        raise VerdictsError(f"its verdicts.json is damaged: {error}") from None


def said(error: ValidationError) -> str:
    """The first thing that is wrong with a document, in a line: `cases.0.images: Input should be …`."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    message = " ".join(first["msg"].split())[:200]
    return f"{where}: {message}" if where else message
