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
from pytest_seedshift.results.schema.seed_use import SeedUse  # noqa: TC001  # likewise


class Planned(Form):
    """What an entry of the grid is about: a case, or a search for a breaking point."""

    id: str = ""
    """The case, such as `toy-latent-mean-+0.30`."""
    test: str = ""
    """The test's node id, as pytest names it."""
    kind: str | None = None
    """`breaking` of a search for a breaking point; missing of a case."""
    model: str | None = None
    """The model's name."""
    shift: str | None = None
    """The shift's name; `none` of the control."""
    magnitude: Number | None = None
    """With its sign; 0 of the control."""
    asks: dict[str, Number] = Field(default_factory=dict)
    """By score and kind of bound, such as `top1 min`, the bound that is required."""

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
    """An entry of the grid, and what is required of it."""

    id: str
    """The case, such as `toy-latent-mean-+0.30`, or the search."""
    test: str
    """The test's node id, as pytest names it."""
    model: str
    """The model's name."""
    shift: str
    """The shift's name; `none` of the control."""
    magnitude: Number
    """With its sign; of a search, where it ends."""
    asks: dict[str, Number]
    """By score and kind of bound, such as `top1 min`, the bound that is required."""
    exact: bool
    """Whether the whole design was to be visited, whatever earlier images show."""
    images: Images
    """How many images the design has."""
    design: str
    """The fingerprint of the design: of its labels, prompts and seeds."""
    design_seed: DesignSeed = 0
    """Which draw of pairs the design is."""


class Model(Form):
    """A model, how it was run, and the fingerprints of it and of its scorers."""

    device: str
    """Where it ran, such as `cuda` or `cpu`."""
    dtype: str
    """The type that it computed in, such as `float16`."""
    fingerprint: str | None
    """Of its weights and settings; null where its weights could not be read."""
    classifier: str | None
    """The fingerprint of the classifier; null where none was needed."""
    clip: str | None
    """The fingerprint of the CLIP model; null where none was needed."""
    scorer_weights: Annotated[list[str | None], Field(min_length=2, max_length=2)] | None = None
    """Fingerprints of the weights of the classifier and of CLIP; null in place of one that was not needed."""
    run_with: dict[str, Any] = Field(default_factory=dict)
    """The settings it was run with, such as steps and guidance. Empty where that was not recorded."""
    own: dict[str, str] | None = None
    """By score of your own, the fingerprint of its scorer."""
    own_given: dict[str, str] = Field(default_factory=dict)
    """By score of your own, what its scorer gives as its fingerprint itself."""


class Baseline(Form):
    """The baseline that a run was held against."""

    name: str
    """The name of its file or of its run folder."""
    checksum: str
    """Of its content."""
    models: dict[str, str] = Field(default_factory=dict)
    """By model of this run, the model of the baseline that it is compared with."""
    family: bool = False
    """Whether the certainty holds over all tests of regressions together."""


class Kind(Form):
    """A score of the user's own; see `score_kinds.ScoreKind`."""

    title: str
    """Its title in tables."""
    top: Number
    """The largest value."""
    binary: bool
    """Whether each value is 0 or 1."""
    low: Number = 0.0
    """The smallest value."""

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
    """Which shard, from 1 on."""
    of: Annotated[int, Field(ge=1, le=100_000)]
    """How many shards there are."""
    by: str
    """What the split goes by: the number of cases, or what they took in an earlier run."""
    split: str
    """The fingerprint of the split."""


class Head(Form):
    """What verdicts.json says besides its cases and breaking points."""

    version: int = 1
    """Of this format."""
    certainty: Annotated[float, Field(gt=0.5, lt=1)]
    """Of the run's verdicts, unless a case has its own."""
    thresholds: str
    """The fingerprint of the thresholds in effect."""
    prompt: str | None = None
    """The templates of the prompts, joined by ` | `."""
    libraries: dict[str, str]
    """By library, its version."""
    models: dict[str, Model]
    """By name, the models of the run."""
    grid: list[Entry]
    """All cases and searches that were planned, whether they have run or not."""
    baseline: Baseline | None = None
    """What the run was compared with, if anything."""
    threshold_tests: Count | None = None
    """How many tests of bounds share the probability of an error; null where they do not share it."""
    scores: dict[str, Kind] = Field(default_factory=dict)
    """By name, the scores of your own."""
    shard: Shard | None = None
    """Which part of the grid this run was, if not all of it."""


class Verdicts(Head):
    """All of verdicts.json, with the costs of its cases."""

    cases: list[Record]
    """What came of each case."""
    breaking: list[Search] = Field(default_factory=list)
    """What came of each search for a breaking point."""
    seed_use: list[SeedUse] = Field(default_factory=list)
    """The bounds on the use of the seed vector, held against what was measured."""

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
    """Images made for it in this run."""
    seconds: Seconds
    """Seconds that this took."""


class Costs(Form):
    """All of costs.json."""

    version: Literal[1] = 1
    """Of this format."""
    cases: dict[str, Cost]
    """By test, as pytest names it, its cost."""
