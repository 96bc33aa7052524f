"""The record of a case: what verdicts.json and costs.json say of it. The order of the fields is that of the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, model_validator

from pytest_seedshift.core import scores
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import DataError, InvalidValueError
from pytest_seedshift.core.scores import NULL, Estimate, Finding
from pytest_seedshift.results.schema.base import Certainty, Count, DesignSeed, Form, Images, Number, Seconds, read
from pytest_seedshift.results.statuses import status_of

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind


class Score(Form):
    """A score's mean with its interval."""

    mean: Number
    """Over the images that were looked at."""
    low: Number
    """The lower end of the interval of the model's own mean."""
    high: Number
    """The upper end of that interval."""
    clipped: Count = 0
    """How many values lay outside of the score's range, and count as its nearer end."""

    @classmethod
    def of(cls, found: Estimate) -> Score:
        """The form of an estimate."""
        return cls(mean=found.mean, low=found.low, high=found.high, clipped=found.clipped)

    def estimate(self) -> Estimate:
        """The estimate that it is the form of."""
        return Estimate(self.mean, self.low, self.high, self.clipped)


class Change(Form):
    """What has become of a score on the pairs that a baseline has too; see `scores.Change`."""

    pairs: Count
    """Pairs that both runs have."""
    lost: Count
    """Pairs that are worse than in the baseline; of an accuracy, wrong now and right there."""
    won: Count
    """Pairs that are better than in the baseline; of an accuracy, right now and wrong there."""
    p: Number
    """How probable such a drop, or a larger one, is if the true drop is `allowed`."""
    least: Number | None
    """The drop that half of all designs would detect; null where none is detectable."""
    test: str
    """The statistical test that `p` comes from."""
    level: Number
    """Up to this `p`, the drop is significant."""
    allowed: Number = 0.0
    """The drop that `max_regression` allows; 0 where any change counts."""
    least_90: Number | None = None
    """The drop that nine of ten designs would detect; null where none is."""


class Constraint(Form):
    """A bound, held against the measurement; see `scores.Finding`."""

    score: str
    """The score's name."""
    kind: Literal["min", "max_drop", "max_regression", "within", "null"]
    """Which bound it is; `null` is that of a null control."""
    bound: Number
    """The bound's value."""
    measured: float
    """The mean or the drop that the bound is about; NaN where there was nothing to measure."""
    holds: bool | None
    """Whether the bound holds; null where the case was decided before this bound was."""
    change: Change | None = None
    """Of `max_regression` and `within`: the comparison with the baseline."""
    low: Number | None = None
    """The lower end of the interval of the drop; null without a drop."""
    high: Number | None = None
    """The upper end of that interval."""
    p: Number | None = None
    """Of a bound that breaks only beyond chance: how probable the result is if the bound holds."""
    level: Number | None = None
    """Up to this `p`, the bound is broken."""
    least: Number | None = None
    """Of a null control: the smallest change that half of all designs detect."""
    least_90: Number | None = None
    """Of a null control: the smallest change that nine of ten designs detect."""
    half_width: Number | None = None
    """Of `within`: half the width of the interval, the tightest bound that these pairs can confirm."""

    @property
    def is_beyond(self) -> bool:
        """Whether what was measured is on the wrong side of the bound; see `scores.is_beyond`."""
        return scores.is_beyond(self.kind, self.measured, self.bound)

    @classmethod
    def of(cls, found: Finding) -> Constraint:
        """The form of a finding, which has what its kind has."""
        names = ["score", "kind", "bound", "measured", "holds"]
        names += [] if found.low is None else ["low", "high"]
        names += [] if found.p is None else ["p", "level"]
        names += ["least", "least_90"] if found.kind == NULL else []
        names += [] if found.half_width is None else ["half_width"]
        values: dict[str, Any] = {name: getattr(found, name) for name in names}
        return cls(**values if found.change is None else {**values, "change": Change(**asdict(found.change))})

    def finding(self, kind: ScoreKind) -> Finding:
        """The finding that it is the form of, where its score is of a kind."""
        change = None if self.change is None else scores.Change(**_values(self.change))
        return Finding(**{**_values(self), "change": change}, own_kind=kind)


def _values(form: Form) -> dict[str, Any]:
    """The values of a form's own fields, without keys that a later version has added."""
    return {name: getattr(form, name) for name in type(form).model_fields}


class KeptPicture(Form):
    """A picture and the control's of the same pair; their paths are relative to the run folder."""

    label: str
    """What the prompt asks for."""
    seed: Count
    """The seed index of the pair."""
    right: bool | None
    """Whether top-1 recognises the label; null where that was not measured."""
    picture: str | None
    """The path of the shifted picture; null where it was not kept."""
    control: str | None
    """The path of the control's picture; null where it was not kept."""
    control_right: bool | None
    """Likewise `right`, of the control's picture."""


class LeastAlike(Form):
    """The pair whose pictures are least alike, by SSIM; their paths are relative to the run folder."""

    label: str
    """What the prompt asks for."""
    seed: Count
    """The seed index of the pair."""
    values: dict[str, Number | Literal["inf"]]
    """Its likeness by measure; the PSNR of equal pictures is infinite."""
    picture: str | None
    """The path of this run's picture; null where it was not kept."""
    baseline: str | None
    """The path of the baseline's; null where it was not kept."""


class Likeness(Form):
    """How like a case's pictures are to the baseline's of the same pairs; see `core.likeness`."""

    pairs: Count
    """How many pairs were compared."""
    equal: Count
    """How many of them have equal pictures."""
    scores: dict[str, Score]
    """By score of likeness; a PSNR counts 60 dB at most."""
    least: LeastAlike
    """The pair that is least alike."""


class TagScores(Form):
    """The scores over the pairs of a tag that were looked at."""

    pairs: Count
    """How many pairs of the tag were looked at."""
    scores: dict[str, Score]
    """By score, its mean over them."""


class Subject(Form):
    """A case and its test."""

    id: str = ""
    """The case, such as `toy-latent-mean-+0.30`."""
    test: str = ""
    """The test's node id, as pytest names it."""
    model: str
    """The model's name."""
    shift: str
    """The shift's name; `none` of the control."""
    magnitude: Number
    """With its sign; 0 of the control."""

    @property
    def case(self) -> Case:
        """The case."""
        return Case(self.model, self.shift, self.magnitude)


class Record(Subject):
    """A case and what came of it."""

    verdict: Literal["pass", "fail", "error", "skipped"]
    """What came of the case."""
    reason: str = ""
    """In words, made of the findings where the verdict rests on them; nothing is decided by it."""
    scores: dict[str, Score] = Field(default_factory=dict)
    """By score, its mean over the images that were looked at."""
    images: Images = 0
    """Images looked at."""
    design: Images = 0
    """Images that the design has."""
    design_seed: DesignSeed = 0
    """Which draw of pairs the design is."""
    early: bool = False
    """Whether the case stopped before its design was complete; then the means lean towards the verdict."""
    blank: Images = 0
    """Of a case that passes, how many of its pictures are of one colour, if not all of these were recognised."""
    flat: Images = 0
    """Of a case that fails, how many of its pictures are of one colour."""
    certainty: Certainty | None = None
    """Of the verdict; null where there is none."""
    generated: Count = 0
    """Images made for it in this run: stands in costs.json, and not in verdicts.json."""
    seconds: Seconds = 0.0
    """Seconds that this took: stands in costs.json, and not in verdicts.json."""
    device: str | None = None
    """Where it ran, such as `cuda` or `cpu`."""
    dtype: str | None = None
    """The type that it computed in, such as `float16`."""
    constraints: list[Constraint] = Field(default_factory=list)
    """Each bound beside what was measured."""
    pictures: list[KeptPicture] = Field(default_factory=list)
    """Some pictures beside the control's, which the report shows."""
    likeness: Likeness | None = None
    """To the baseline's pictures, where that was asked for."""
    tags: dict[str, TagScores] | None = None
    """By tag of the prompts, where they have any."""
    null: bool = False
    """Whether it is a null control: elements of the seed vector are permuted."""
    outcome: Literal["xfailed", "xpassed"] | None = None
    """Of a test that is expected to fail, whether it did."""
    xfail: str = ""
    """Why it is expected to fail."""

    @property
    def status(self) -> str:
        """What came of it: the verdict, or that it is a known failure."""
        return status_of(self.verdict, self.outcome)

    @property
    def subject(self) -> str:
        """What it is about, without the model: `mean +0.30`."""
        return self.case.describe()

    def breaks(self, score: str) -> bool:
        """Whether a score breaks one of its constraints."""
        return any(each.holds is False for each in self.constraints if each.score == score)

    def is_open(self, score: str) -> bool:
        """Whether a score is on the wrong side of one of its constraints, and none that it breaks is decided."""
        beyond = any(each.holds is None and each.is_beyond for each in self.constraints if each.score == score)
        return beyond and not self.breaks(score)


class Measurement(Record):
    """What thresholds are made of: a record of which nothing that this needs is lacking."""

    id: str
    scores: dict[str, Score]
    images: Images
    design: Images
    certainty: Certainty | None

    @model_validator(mode="after")
    def _is_certain(self) -> Measurement:
        if self.scores and self.certainty is None:
            raise InvalidValueError("scores without the certainty of their intervals")
        return self


_R = TypeVar("_R", bound=Record)

_SLACK = 1e-6
"""How far, as a part of a number, what a file says twice may differ."""


def read_record(form: type[_R], document: Mapping[str, Any]) -> _R:
    """A record as a file has it, which no hand has changed in one place alone.

    A run writes a mean beside its interval and beside the bound that it is held against, and these agree.

    Raises:
        DataError: it is of another form, or says what no run can have found; the message says where and what.
    """
    found = read(form, document)
    if found.design and found.images > found.design:
        raise DataError(f"images: {found.images} of a design of {found.design}: it was changed after the run")
    for name, score in found.scores.items():
        if not _is_in_order(score.low, score.mean, score.high):
            raise DataError(
                f"scores.{name}: the mean {score.mean:g} lies outside of its interval, {score.low:g} to "
                f"{score.high:g}: it was changed after the run"
            )
    for place, each in enumerate(found.constraints):
        said = _contradiction(found, each)
        if said is not None:
            raise DataError(f"constraints.{place}: {said}: it was changed after the run")
    return found


def _contradiction(record: Record, bound: Constraint) -> str | None:
    """What a bound says that cannot be so beside the rest of its record; None where nothing does."""
    if math.isnan(bound.measured):
        return None
    score = record.scores.get(bound.score)
    if bound.kind == "min" and score is not None and not _is_in_order(score.mean, bound.measured, score.mean):
        return f"{bound.measured:g} was measured of {bound.score}, whose mean is {score.mean:g}"
    above = bound.measured >= bound.bound - _SLACK * max(1.0, abs(bound.bound))
    below = bound.measured <= bound.bound + _SLACK * max(1.0, abs(bound.bound))
    whole = record.images == record.design  # an early verdict is about the design, not about the images seen
    if bound.kind == "min" and whole and bound.p is None and bound.holds is not None:
        if bound.holds and not above:
            return f"{bound.score} holds {bound.bound:g} with {bound.measured:g}"
        if not bound.holds and not below:
            return f"{bound.score} breaks {bound.bound:g} with {bound.measured:g}"
    return None


def _is_in_order(low: float, middle: float, high: float) -> bool:
    slack = _SLACK * max(1.0, abs(middle))
    return low - slack <= middle <= high + slack
