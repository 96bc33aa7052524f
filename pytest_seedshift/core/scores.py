"""The scores, what may be asked of them, and what was found: the words that verdicts are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_seedshift.core import likeness, registry, user_code
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.score_kinds import BUILT_IN, ScoreKind
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry

NULL = "null"
"""The kind of a `Finding` of a null control; see `stats.null_control`."""

WITHIN = "within"
"""The kind of a `Finding` of equivalence; see `stats.equivalence`."""

ANY = "any"
"""A value of `Constraint.significant`."""

DECIMALS = 3
"""Of scores that are not 0 or 1, as the files have them: far below what another batch size changes."""

CERTAINTY = 0.99
"""The certainty of verdicts and intervals unless thresholds.toml says otherwise."""


POSITION = ("position_x", "position_y", "position_evidence")
"""What `scorers.evidence_position` gives. It is kept beside the scores and is none: nothing can be asked of it."""

COLUMNS = (
    *("case", "certainty", "design", "design_seed", "device", "dtype", "early", "generated", "images", "label"),
    *("magnitude", "model", "outcome", "picture", "reason", "seconds", "seed", "shift", "test", "verdict"),
)
"""What the tables of a run have besides scores, each of which is a column of its own name."""

TAKEN = (*POSITION, *COLUMNS)
"""Names that no score of the user's own can have, besides those of the built-in scores."""


@dataclass(frozen=True, slots=True)
class AvailableScores:
    """The scores that can be asked for: those that are known, and those of the scorers that the session has."""

    kinds: ScoreRegistry = SHIPPED
    """Those that are known, such as those of a run, whoever has its scorers."""

    @property
    def names(self) -> tuple[str, ...]:
        """All their names."""
        return tuple(dict.fromkeys((*self.kinds, *registry.current().scorers.names)))

    def find(self, name: str) -> ScoreKind | None:
        """What a score is; None of what is none.

        Raises:
            ExtensionError: its scorer cannot be imported, or does not declare its range.
        """
        if likeness.measure_of(name) is not None:  # which is asked for in a table of its own
            return None
        found = registry.current().scorers.find(name)
        if name in self.kinds or found is None:
            return self.kinds.get(name)
        factory = found.factory()
        with user_code.calling(f"{found}: its factory's kind", factory, error=registry.ExtensionError):
            kind = getattr(factory, "kind", None)
        if (
            not isinstance(kind, ScoreKind)
            or not kind.title
            or not isinstance(kind.top, (int, float))
            or not isinstance(kind.low, (int, float))
            or not -math.inf < kind.low < kind.top < math.inf
            or (kind.binary and (kind.low, kind.top) != (0, 1))
        ):
            raise registry.ExtensionError(
                f"{found}: the attribute kind of its factory is {kind!r}, not a ScoreKind of pytest_seedshift. Give it "
                f"one, such as kind = ScoreKind('{name}', 1.0, binary=False): title, largest value, and whether each "
                "value is 0 or 1. Give low=… where the smallest value is not 0"
            )
        return kind


@dataclass(frozen=True, slots=True)
class Margin:
    """How far from the baseline's mean a version's own may lie, on either side, and still be equivalent.

    Attributes:
        value: in the score's units; None where it is relative and the baseline is not known.
        share: of the baseline's mean over the pairs of the case, where it is relative: 0.002 for "0.2%".
    """

    value: float | None = None
    share: float | None = None

    def of(self, mean: float) -> Margin:
        """The same beside a baseline of this mean."""
        return self if self.share is None else Margin(self.share * mean, self.share)

    def __str__(self) -> str:
        """As thresholds.toml has it: `0.002`, `"0.2%"`."""
        return f"{self.value:g}" if self.share is None else f'"{100 * self.share:g}%"'


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is asked of a score: at least `minimum`, at most `max_drop` below the control on the same pairs.

    And at most `max_regression` below the baseline on the same pairs. `significant` says when a larger drop counts:

    - true: where chance is ruled out as the reason why it is larger. A version whose own drop, over all possible pairs,
      is at most `max_regression` fails with a probability of at most 1 − certainty;
    - "any": where chance is ruled out as the reason of any change at all. Then only a version that has not changed is
      protected, and one whose own drop is just what is allowed may fail in every second run;
    - false: always, whatever chance does.

    And equivalent to the baseline on the same pairs: `within` holds only where it is shown that the version's own mean
    is neither so far below the baseline's nor so far above it; see `stats.equivalence`.
    """

    score: str
    minimum: float | None = None
    max_drop: float | None = None
    max_regression: float | None = None
    significant: bool | str = True
    within: Margin | None = field(default=None, repr=False, kw_only=True)
    """Without a part in `repr`, of which fingerprints of thresholds are made: these name it where it is asked for."""
    own_kind: ScoreKind | None = field(default=None, repr=False, compare=False, kw_only=True)
    """What the score is, of one of the user's own."""

    @property
    def score_kind(self) -> ScoreKind:
        """What the score is."""
        return self.own_kind or BUILT_IN[self.score]

    @property
    def needs_baseline(self) -> str | None:
        """The bound that is against a baseline, by its name in thresholds.toml; None where there is none."""
        return "max_regression" if self.max_regression is not None else "within" if self.within is not None else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return self.minimum is self.max_drop is self.max_regression is None and self.within is None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score's mean over the samples, and a confidence interval of the model's own mean, over all possible pairs.

    It does not speak of where another draw of as many pairs would have its mean: that moves about the model's own mean
    as this one does, so it lies outside of the interval more often.
    """

    mean: float
    low: float
    high: float
    clipped: int = 0
    """How many values were outside the score's range and count as its end."""


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a score on the pairs that a baseline has too; see `stats.paired` for the tests.

    Of an accuracy, `lost` pairs were right and are wrong now, `won` ones the other way round; of another score they are
    those that are lower, or higher, by more than a rounding error.
    """

    pairs: int
    lost: int
    won: int
    p: float
    """How probable such a drop, or a larger one, is where the true one is `allowed`; it holds at every stop."""
    least: float | None
    """The smallest drop that the design would have found, all else being as it is; None: there is none. It is the edge:
    where the true drop is as large, every second design shows it."""
    test: str
    """What `p` comes from: a key of `TESTS` in `stats.paired`."""
    level: float
    """Up to which `p` counts as beyond chance: 1 − certainty, shared by the tests of the case or of the family."""
    allowed: float = 0.0
    """The drop that `p` is about: `max_regression`, or 0 where any change counts."""
    least_90: float | None = None
    """The drop that nine of ten designs would show."""

    @property
    def beyond_chance(self) -> bool:
        """Whether chance is ruled out, at the certainty that was asked for."""
        return self.p <= self.level


@dataclass(frozen=True, slots=True)
class Finding:
    """One bound of one constraint, held against the measurement.

    `kind` is "min" (`measured` is the mean), "max_drop" (`measured` is the control's mean less the case's, over the
    same pairs), "max_regression" (the same against the baseline; `change` says more), "within" (likewise; it holds
    where `low` and `high` lie within ±`bound`, each of them an end at the certainty of the case) or "null", of a null
    control (likewise, and `bound` is the largest drop that chance gives). `holds` is None where the case was decided
    before this bound was.
    """

    score: str
    kind: str
    bound: float
    measured: float
    holds: bool | None
    change: Change | None = None
    p: float | None = None
    """Of a bound of "min" or "max_drop" that breaks only beyond chance: how probable this is where it holds."""
    level: float | None = None
    """Up to which `p` counts as beyond chance."""
    low: float | None = field(default=None, compare=False, kw_only=True)
    """Of a drop: where the interval of the model's own drop begins; None while the case is not decided."""
    high: float | None = field(default=None, compare=False, kw_only=True)
    """Where it ends."""
    least: float | None = field(default=None, compare=False, kw_only=True)
    """Of a null control: the smallest change that half of all designs show; None where none is seen."""
    least_90: float | None = field(default=None, compare=False, kw_only=True)
    """The smallest that nine of ten show."""
    half_width: float | None = field(default=None, compare=False, kw_only=True)
    """Of "within": half of what lies between `low` and `high`, the smallest bound that so many pairs, with such a
    spread, show of a version whose mean is the baseline's."""
    own_kind: ScoreKind | None = field(default=None, repr=False, compare=False, kw_only=True)
    """What the score is, of one of the user's own."""

    @property
    def score_kind(self) -> ScoreKind:
        """What the score is."""
        return self.own_kind or BUILT_IN[self.score]

    @property
    def is_beyond(self) -> bool:
        """Whether what was measured is on the wrong side of the bound, be that decided or not; see `is_beyond`."""
        return is_beyond(self.kind, self.measured, self.bound)


def is_beyond(kind: str, measured: float, bound: float) -> bool:
    """Whether a value is on the wrong side of a bound of a kind that `Finding` has; never NaN.

    What differs by less than 1e-9 is equal: a mean of values that were rounded on their way.
    """
    if kind == "min":
        return measured < bound - _EQUAL
    return (abs(measured) if kind in (WITHIN, NULL) else measured) > bound + _EQUAL


_EQUAL = 1e-9


def clip(kind: ScoreKind, value: float) -> float:
    """A value within the score's range, or its nearer end: what it counts as, wherever it counts."""
    return min(max(float(value), kind.low), kind.top)


def mean_of(kind: ScoreKind, values: Iterable[float]) -> float:
    """The mean of a score's values as it stands everywhere; see `clip`.

    Raises:
        InvalidValueError: no values.
    """
    clipped = [clip(kind, value) for value in values]
    if not clipped:
        raise InvalidValueError(f"{kind.title} has no values")
    return math.fsum(clipped) / len(clipped)


SLACK = 1e-5
"""How far, as a part of the range, a value may lie outside of it, as rounding makes it."""


def outside(score: str, kind: ScoreKind, value: float) -> str | None:
    """What is wrong with a value of a score, and what to do; None of one in its range.

    A bound on a score means nothing where values are clipped to a range that they do not have: every minimum holds.
    """
    if score == "clip":  # whose range is the one that cosines of real images and prompts keep to
        return None
    slack = SLACK * kind.span
    if value in (0, 1) if kind.binary else kind.low - slack <= value <= kind.top + slack:
        return None
    said = f"is {value:.6g}, and its declared range is {'0 or 1' if kind.binary else kind.range}"
    if score in BUILT_IN:
        return f"{said}: the store was not written by this package. Begin a new one by --seedshift-fresh"
    return (
        f"{said}. Let its scorer give values in that range, or declare theirs: kind = ScoreKind({kind.title!r}, "
        "LARGEST, binary=False, low=SMALLEST), or high and low in its [scorers] table. Samples are then scored again"
    )


def check_certainty(certainty: float) -> None:
    """Raise ValueError unless a certainty lies between 0.5 and 1, both excluded."""
    if not 0.5 < certainty < 1:
        raise InvalidValueError(f"certainty = {certainty!r}: give a number above 0.5 and below 1, such as {CERTAINTY}")
