"""What one item asks for, and the job that this comes to: all that its verdict, its plan and its record are made of.

A request is what was read of an item, by whoever runs it: pytest's plugin reads options and a marker, a function its
arguments. A job is resolved of it once, when all requests of the run are known; see `job_resolution`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.searches import Search, Subject
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest

Kind: TypeAlias = Literal["reliability", "null_control", "breaking_point"]
"""Whether a case is held against its thresholds, a case in which nothing changes is held against the control, or the
magnitude is searched from which on a case fails."""

CaseTest: TypeAlias = "SequentialTest | NullTest"
"""What decides about a case."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an item asks for.

    Attributes:
        nodeid: of the item; no two items of a run share it.
        kind: what is done about its subject.
        subject: a case, or of a breaking point the search for it.
        images: the size of the design; None for the default.
        design_seed: None for that of the thresholds.
        exact: whether the whole design is visited.
        constraints: by score, what its own test asks; it stands above the thresholds.
        minimum: the least breaking point that its own test asks for; None for that of the thresholds.
        is_implicit: whether it is a control that its test has not named, which is there to be compared with.
    """

    nodeid: str
    kind: Kind
    subject: Subject
    images: int | None = None
    design_seed: int | None = None
    exact: bool = False
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    minimum: float | None = None
    is_implicit: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One item, resolved.

    Attributes:
        nodeid: of the item.
        kind: what is done about the case.
        case: which; of a breaking point the shift's, at no magnitude of its own.
        design: the pairs that it is defined on.
        test: what decides about it; of a breaking point, about each magnitude.
        search: of a breaking point; None of the other kinds.
        minimum: the least breaking point that is asked for; None where nothing is.
        is_implicit: see `Request`.
    """

    nodeid: str
    kind: Kind
    case: Case
    design: tuple[Pair, ...]
    test: CaseTest
    search: Search | None = None
    minimum: float | None = None
    is_implicit: bool = False

    @property
    def subject(self) -> Subject:
        """The search, else the case."""
        return self.case if self.search is None else self.search

    @property
    def model(self) -> str:
        """The model's name."""
        return self.case.model

    @property
    def is_null(self) -> bool:
        """Whether it is a null control."""
        return self.kind == "null_control"

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """What is asked of the case; nothing of a null control, in which nothing changes whatever the model is."""
        return () if self.is_null else self.test.constraints
