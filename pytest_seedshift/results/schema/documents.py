"""The forms of verdicts.json as a whole, and of costs.json. The order of the fields is that of the files."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.test_names import NULL_TEST
from pytest_seedshift.results.schema.base import Count, DesignSeed, Form, Images, Number, Seconds
from pytest_seedshift.results.schema.records import Record  # noqa: TC001  # likewise
from pytest_seedshift.results.schema.searches import Search  # noqa: TC001  # pydantic reads it


class Planned(Form):
    """What an entry of the grid is about: a case, or a search for a breaking point."""

    id: str = ""
    test: str = ""
    kind: str | None = None
    """"breaking" of a search."""
    model: str | None = None
    shift: str | None = None
    magnitude: Number | None = None
    asks: dict[str, Number] = Field(default_factory=dict)

    @property
    def case(self) -> Case | None:
        """The case; None where it is about a search, or does not say about which."""
        if self.kind is not None or self.model is None or self.shift is None or self.magnitude is None:
            return None
        return Case(self.model, self.shift, self.magnitude)

    @property
    def is_null(self) -> bool:
        """Whether it is about a null control."""
        return self.test.startswith(NULL_TEST)

    def bounds(self, kind: str) -> dict[str, float]:
        """By score, the bounds of a kind that were asked, such as "min" or "max_regression"."""
        end = f" {kind}"
        return {name.removesuffix(end): bound for name, bound in self.asks.items() if name.endswith(end)}


class Entry(Planned):
    """An entry of the grid, and what was asked of it."""

    id: str
    test: str
    model: str
    shift: str
    magnitude: Number
    asks: dict[str, Number]
    exact: bool
    images: Images
    design: str
    design_seed: DesignSeed = 0


class Model(Form):
    """A model, how it was run, and the fingerprints of it and of its scorers."""

    device: str
    dtype: str
    fingerprint: str | None
    classifier: str | None
    clip: str | None
    scorer_weights: Annotated[list[str | None], Field(min_length=2, max_length=2)] | None = None
    """The classifier's and CLIP's; None in place of one that was not needed."""
    run_with: dict[str, Any] = Field(default_factory=dict)
    """What it was run with; see `run_settings`. Empty where that was not recorded."""
    own: dict[str, str] | None = None
    own_given: dict[str, str] = Field(default_factory=dict)


class Baseline(Form):
    """The baseline that a run was held against."""

    name: str
    checksum: str
    models: dict[str, str] = Field(default_factory=dict)
    family: bool = False


class Kind(Form):
    """A score of the user's own; see `score_kinds.ScoreKind`."""

    title: str
    top: Number
    binary: bool
    low: Number = 0.0

    @model_validator(mode="after")
    def _has_values(self) -> Kind:
        assert self.low < self.top, "top has to be above low"  # pydantic makes its own error of it
        return self

    def kind(self) -> ScoreKind:
        """The kind that it is the form of."""
        return ScoreKind(self.title, self.top, self.binary, self.low)


class Shard(Form):
    """Which part of a grid a run was."""

    number: Annotated[int, Field(ge=1, le=100_000)]
    of: Annotated[int, Field(ge=1, le=100_000)]
    by: str
    split: str


class Head(Form):
    """What verdicts.json says besides its cases and breaking points."""

    version: int = 1
    certainty: Annotated[float, Field(gt=0.5, lt=1)]
    thresholds: str
    prompt: str | None = None
    libraries: dict[str, str]
    models: dict[str, Model]
    grid: list[Entry]
    baseline: Baseline | None = None
    threshold_tests: Count | None = None
    """How many tests of bounds share what may go wrong; None where they do not."""
    scores: dict[str, Kind] = Field(default_factory=dict)
    shard: Shard | None = None


class Verdicts(Head):
    """All of verdicts.json, with the costs of its cases."""

    cases: list[Record]
    breaking: list[Search] = Field(default_factory=list)

    def head(self) -> Head:
        """What it says besides its cases and its searches."""
        return Head.model_construct(
            **{name: getattr(self, name) for name in Head.model_fields if name in self.model_fields_set}
        )

    @property
    def records(self) -> list[Record | Search]:
        """Those of its cases and of its searches."""
        return [*self.cases, *self.breaking]


class Cost(Form):
    """How many images were generated for a case in a run, and how many seconds that took."""

    generated: Count
    seconds: Seconds


class Costs(Form):
    """All of costs.json."""

    version: Literal[1] = 1
    cases: dict[str, Cost]
    """By test (node id)."""
