"""From what the items of a run ask for to its jobs, each resolved once, all together.

Together, because the certainty of a family is shared by the regressions of all cases of the run: see
`results.regression`. An item that cannot be resolved has an error of its own in place of a job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_seedshift.core import likeness, tag_tables, tags, tails
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError, SeedshiftUsageError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.searches import Search
from pytest_seedshift.core.stats.null_control import NullTest
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.models import latents
from pytest_seedshift.results import pools
from pytest_seedshift.results.baseline import BaselineError, unfit
from pytest_seedshift.runner import regression_gate
from pytest_seedshift.runner.job import Job, Request

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.runner.regression_gate import Against


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Terms:
    """What all jobs of a run are resolved by.

    Attributes:
        thresholds: what is asked of cases where their own tests ask nothing.
        catalogue: the models that have a name.
        measures: by a model's name, the scores that its samples have.
        against: the baseline that cases are compared with; None where there is none.
        no_baseline: why `max_regression` or `within` cannot be asked for without a baseline, and what to do; None where
            it may: then nothing is asked of regressions.
        no_pictures: the same of likeness.
    """

    thresholds: Thresholds
    catalogue: Catalogue
    measures: Callable[[str], Mapping[str, ScoreKind]]
    against: Against | None = None
    no_baseline: str | None = None
    no_pictures: str | None = None
    beside: Callable[[str], Mapping[str, str]] = lambda _: {}
    """By a model's name, which of its scores are measured beside what: see `ScorerPool.beside`."""

    @property
    def holds_family(self) -> bool:
        """Whether the certainty holds for all regressions together: so it is unless the thresholds say otherwise."""
        return self.against is not None and self.thresholds.family is not False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with its constraints and its design; of these the family is counted."""

    request: Request
    constraints: tuple[Constraint, ...]
    design: tuple[Pair, ...]
    columns: Mapping[str, Any]
    fixed: bool = True
    pictured: int = 0


class Jobs:
    """The jobs of a run's whole grid, those of other shards too, in its order."""

    def __init__(self, requests: Iterable[Request], terms: Terms) -> None:
        """Resolve them. An error of one is kept for whoever asks for that job."""
        self._terms = terms
        self._errors: dict[str, SeedshiftError] = {}
        self._tags_found: dict[str, object] = {}
        self._tags_asked: dict[str, None] = {}
        self.requests = tuple(requests)
        self.leaves_regressions = False
        """Whether something is asked of regressions that is not judged, as there is no baseline."""
        tried = [self._try(request, partial(self._ask, request)) for request in self.requests]
        asked = [each for each in tried if each is not None]
        self.family = self._family(asked)
        """Among how many tests of regressions the certainty is shared, at least 1."""
        self.threshold_tests = self._threshold_tests(asked)
        """Among how many bounds of scores the certainty is shared; 0 where each case has all of it."""
        found = [self._try(each.request, partial(self._job, each)) for each in asked]
        self._jobs = {job.nodeid: job for job in found if job is not None}

    def __iter__(self) -> Iterator[Job]:
        """All that could be resolved."""
        return iter(self._jobs.values())

    def of(self, request: Request) -> Job:
        """The job of a request; of one that was not known with the others, on the terms of these.

        Raises:
            SeedshiftError: it cannot be resolved; the message says why.
        """
        if request.nodeid in self._errors:
            raise self._errors[request.nodeid]
        if request.nodeid not in self._jobs:
            self._jobs[request.nodeid] = self._job(self._ask(request))
        return self._jobs[request.nodeid]

    def check(self) -> None:
        """Raise the first item's error, if there is any.

        Raises:
            SeedshiftError: an item could not be resolved.
        """
        for error in self._errors.values():
            raise error
        for tag in self._tags_asked:
            if tag not in self._tags_found:
                known = self._tags_found or {"none": ()}
                raise SeedshiftUsageError(
                    f"{self._terms.thresholds.source}: [tag.{tag}]: {unknown('tag of a prompt', tag, known)}"
                )

    @property
    def reliability(self) -> list[Job]:
        """The cases that are held against thresholds."""
        return [job for job in self._jobs.values() if job.kind == "reliability"]

    # ------------------------------------------------------------------------------------------------------------------

    def _try(self, request: Request, make: Callable[[], _T]) -> _T | None:
        try:
            return make()
        except SeedshiftError as error:
            self._errors[request.nodeid] = error
            return None

    def _ask(self, request: Request) -> _Asked:
        terms, subject = self._terms, request.subject
        seed = terms.thresholds.design_seed if request.design_seed is None else request.design_seed
        if isinstance(subject, Search):
            design = self._design(subject.model, request.images, seed)
            constraints = self._of_tags(subject.id, self._of_search(request, subject), design)
            return _Asked(request, constraints, design, {})
        if request.kind == "null_control":
            latents.check_null_control(terms.catalogue.find(subject.model))
            return _Asked(request, (), self._design(subject.model, request.images, seed), {})
        asked = terms.thresholds.constraints(subject, request.constraints)
        design = self._design(subject.model, request.images, seed)
        asked = self._of_tags(subject.id, asked, design)
        return self._held_against(request, subject, asked, design)

    def _design(self, model: str, images: int | None, seed: int) -> tuple[Pair, ...]:
        catalogue = self._terms.catalogue
        design = catalogue.design(model, images, seed)
        latents.check_design(catalogue.find(model), design)
        return design

    def _of_tags(self, called: str, asked: tuple[Constraint, ...], design: tuple[Pair, ...]) -> tuple[Constraint, ...]:
        """What is asked of a case, without what is asked of tags that other models' prompts have.

        Raises:
            SeedshiftUsageError: then nothing is asked.
        """
        found = tags.places(design)
        self._tags_found.update(found)
        self._tags_asked.update(dict.fromkeys(tag for each in asked if (tag := tags.tag_of(each.score)) is not None))
        left = tag_tables.of_design(asked, found)
        if not left:
            named = ", ".join(f"[tag.{tag}]" for tag in self._tags_asked)
            raise SeedshiftUsageError(
                f"{called}: its prompts have none of the tags of {named}, and no other threshold applies. What is not "
                "checked has not passed"
            )
        return left

    def _held_against(
        self, request: Request, case: Case, asked: tuple[Constraint, ...], design: tuple[Pair, ...]
    ) -> _Asked:
        """What is asked of a case, as far as the baseline lets it be judged."""
        asked, pictured, whole = self._compared(case, asked, design)
        against = self._terms.against
        regressions = {each.score: each.needs_baseline for each in asked if each.needs_baseline is not None}
        if against is not None:
            columns, fixed = against.columns(case, design, regressions)
            if columns and not fixed:
                _check_significance(asked, case)
            if regressions and not columns:
                asked = regression_gate.without(asked)
            if columns:
                asked = regression_gate.beside(asked, columns, case, against.baseline.name)
            return _Asked(request, asked, design, columns, fixed and whole, pictured)
        if regressions and self._terms.no_baseline is not None:
            score, bound = next(iter(regressions.items()))
            raise SeedshiftUsageError(f"{case.id}: {bound} of {score} {self._terms.no_baseline}")
        self.leaves_regressions |= bool(regressions)
        return _Asked(request, regression_gate.without(asked), design, {})

    def _compared(
        self, case: Case, asked: tuple[Constraint, ...], design: tuple[Pair, ...]
    ) -> tuple[tuple[Constraint, ...], int, bool]:
        """What is asked of a case, as far as there are pictures to compare with; of how many pairs, and whether fixed.

        Raises:
            SeedshiftError: it cannot be compared; the message says why.
        """
        measures, terms = likeness.measures(each.score for each in asked), self._terms
        self._check_beside(case, design)
        if not measures:
            return asked, 0, True
        pictured, whole = (0, True) if terms.against is None else terms.against.pictured(case, design)
        if pictured:
            return asked, pictured, whole
        if terms.against is None and terms.no_pictures is not None:
            raise SeedshiftUsageError(f"{case.id}: [likeness] of {', '.join(sorted(measures))} {terms.no_pictures}")
        return regression_gate.without_likeness(asked, terms.measures(case.model)), 0, True

    def _check_beside(self, case: Case, design: tuple[Pair, ...]) -> None:
        """Make sure that a baseline has the pictures that scores of the user's own are measured beside.

        Raises:
            SeedshiftUsageError: there is none, or it lacks some.
        """
        terms = self._terms
        score = next((score for score, each in terms.beside(case.model).items() if each == "baseline"), None)
        if score is None:
            return
        if terms.against is None:
            raise SeedshiftUsageError(
                f"{case.id}: {score} needs a baseline's pictures, and no baseline is given. Name a folder with "
                "pictures by --seedshift-baseline or [baseline] path. A run without this score makes one: "
                "--seedshift-exact --seedshift-save-baseline=FOLDER"
            )
        pictured, _ = terms.against.pictured(case, design)
        if pictured < len(design):
            raise SeedshiftUsageError(
                f"{case.id}: {score} needs the baseline's pictures, and {terms.against.baseline.name} has those of "
                f"only {pictured} of the design's {len(design)} pairs. Make it again by a run without this score: "
                "--seedshift-exact --seedshift-save-baseline=FOLDER"
            )

    def _of_search(self, request: Request, search: Search) -> tuple[Constraint, ...]:
        """What is asked of each magnitude of a search: what needs no baseline, which has none of them."""
        found = self._terms.thresholds.constraints(search.asked, request.constraints, called=search.id)
        found = tuple(each for each in found if likeness.measure_of(each.score) is None)
        absolute = [each for each in found if tails.of(each.score) is None]
        absolute = [each for each in absolute if each.minimum is not None or each.max_drop is not None]
        if not absolute:
            what = (found[0].needs_baseline or "a bound of a tail") if found else "likeness"
            raise SeedshiftUsageError(
                f"{search.id}: only {what} is set, which is not judged at the magnitudes that a search looks at: set "
                "min or max_drop too"
            )
        return regression_gate.without(absolute)

    def _family(self, asked: Sequence[_Asked]) -> int:
        if not self._terms.holds_family:
            return 1
        tested: dict[Case, dict[str, None]] = {}
        for each in asked:
            if isinstance(each.request.subject, Case):  # which several tests may judge, each for scores of its own
                scores = (one.score for one in each.constraints if one.max_regression is not None and one.significant)
                tested.setdefault(each.request.subject, {}).update(dict.fromkeys(scores))
        return max(1, pools.tests({case: list(scores) for case, scores in tested.items()}))

    def _threshold_tests(self, asked: Sequence[_Asked]) -> int:
        if self._terms.thresholds.family is not True:
            return 0
        of_cases = [each for each in asked if isinstance(each.request.subject, Case)]
        # What two tests ask alike of a case, on one design, is one test: they come to one verdict.
        found = {
            (each.request.subject, each.design, one): bounds_of(one) for each in of_cases for one in each.constraints
        }
        return max(1, sum(found.values()))

    def _job(self, asked: _Asked) -> Job:
        request, terms, size = asked.request, self._terms, len(asked.design)
        subject, certainty = request.subject, terms.thresholds.certainty
        if isinstance(subject, Search):
            minimum = request.minimum
            if minimum is None:
                minimum = terms.thresholds.breaking.minimum(subject.model, subject.shift)
            test = SequentialTest(asked.constraints, size, certainty, request.exact, tags=tags.places(asked.design))
            return Job(request, subject.asked, asked.design, test, minimum)
        if request.kind == "null_control":
            null = NullTest(size, certainty, terms.measures(subject.model))
            return Job(request, subject, asked.design, null)
        test = SequentialTest(
            asked.constraints,
            size,
            certainty,
            request.exact,
            baseline=asked.columns,
            fixed=asked.fixed,
            pictured=asked.pictured,
            family=self.family,
            thresholds=self.threshold_tests,
            tags=tags.places(asked.design),
            labels=tails.by_label(asked.design),
        )
        return Job(request, subject, asked.design, test)


def bounds_of(constraint: Constraint) -> int:
    """How many bounds a constraint has that can break, but for that on the drop against a baseline."""
    return bool(constraint.minimum) + (constraint.max_drop is not None)


def _check_significance(asked: Iterable[Constraint], case: Case) -> None:
    """Make sure that no drop counts whatever chance does, where the baseline itself is a matter of chance."""
    for each in asked:
        if each.max_regression is not None and each.significant is False:
            raise BaselineError(unfit(case.id, each.score))
