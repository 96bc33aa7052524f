"""What one item asks for, and the job that this comes to: all that its verdict, its plan and its record are made of.

A request is what was read of an item, by whoever runs it: pytest's plugin reads options and a marker, a function its
arguments. A job is resolved of it once, when all requests of the run are known; see `job_resolution`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_seedshift.core.searches import Search

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.searches import Subject
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
        is_marked: whether its test is to hold by a marker. Without one the test decides by what it asserts.
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
    is_marked: bool = True
    is_implicit: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One item, resolved.

    Attributes:
        request: what it was resolved of.
        case: which; of a breaking point the shift's, at no magnitude of its own.
        design: the pairs that it is defined on.
        test: what decides about it; of a breaking point, about each magnitude.
        minimum: the least breaking point that is asked for; None where nothing is.
    """

    request: Request
    case: Case
    design: tuple[Pair, ...]
    test: CaseTest
    minimum: float | None = None

    @property
    def nodeid(self) -> str:
        """Of the item."""
        return self.request.nodeid

    @property
    def kind(self) -> Kind:
        """What is done about the case."""
        return self.request.kind

    @property
    def subject(self) -> Subject:
        """The case, or of a breaking point the search for it."""
        return self.request.subject

    @property
    def search(self) -> Search | None:
        """The search for a breaking point; None of the other kinds."""
        return self.subject if isinstance(self.subject, Search) else None

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
