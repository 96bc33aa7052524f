"""What is about to run: cases, images, what exists already, and how long the rest will take."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_seedshift import collection, run_settings
from pytest_seedshift.breaking import session as asked
from pytest_seedshift.breaking.searches import Search
from pytest_seedshift.cases import CaseError, ModelError
from pytest_seedshift.pairs import seed_of
from pytest_seedshift.report import words
from pytest_seedshift.store import StoreError

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.collection import Subject
    from pytest_seedshift.nullcontrol import NullTest
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.session import State
    from pytest_seedshift.store import Pace
    from pytest_seedshift.verdict import SequentialTest
    from pytest_seedshift.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Planned:
    """A case to run, in built-in types, so that a worker of pytest-xdist can tell its controller."""

    nodeid: str
    model: str
    case: str
    """The case's id."""
    most: int
    """The size of its design."""
    expected: int
    """How many images its verdict will take: as many as last time, or as many as a model takes that does well."""
    existing: int
    """How many of these exist already."""

    @property
    def to_make(self) -> int:
        """How many images are expected to be generated."""
        return self.expected - self.existing


@dataclass(frozen=True, slots=True)
class Plan:
    """The cases to run, and the seconds an image takes, by model, as far as that is known."""

    cases: tuple[Planned, ...]
    paces: Mapping[str, float]
    device: str
    dtype: str
    certainty: float
    thresholds: str
    folder: str
    notes: tuple[str, ...] = ()
    run_with: tuple[str, ...] = ()
    """What each model is run with, and the libraries, in words."""

    def to_json(self) -> dict[str, Any]:
        """In built-in types; `Plan.from_json` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote."""
        cases = tuple(Planned(**case) for case in document["cases"])
        texts = {name: tuple(document[name]) for name in ("notes", "run_with")}
        return cls(**{**document, "cases": cases, **texts})

    @property
    def seconds(self) -> float | None:
        """How long the images to make will take; None where a pace is not known."""
        if any(case.to_make and case.model not in self.paces for case in self.cases):
            return None
        return sum(case.to_make * self.paces.get(case.model, 0.0) for case in self.cases)

    def lines(self) -> list[str]:
        """The plan in words."""
        models = ", ".join(dict.fromkeys(case.model for case in self.cases))
        most, expected = (sum(getattr(case, name) for case in self.cases) for name in ("most", "expected"))
        known = sum(case.existing for case in self.cases)
        looked_at = f"{most} images" if expected == most else f"about {expected} of {most} images"
        lines = [
            f"seedshift: {words.count(len(self.cases), 'case')} of {models} on {self.device} ({self.dtype}), "
            f"{looked_at}, certainty {self.certainty:g}",
        ]
        lines += [f"seedshift: {each}" for each in self.run_with]
        if known:
            lines.append(f"seedshift: {words.count(known, 'sample')} of earlier runs will be used again")
        to_make = sum(case.to_make for case in self.cases)
        if self.seconds is None:
            unknown = ", ".join(
                dict.fromkeys(case.model for case in self.cases if case.to_make and case.model not in self.paces)
            )
            lines.append(f"seedshift: the time is not known yet: no image of {unknown} was timed")
        elif to_make:
            paces = ", ".join(f"{model} {1000 * pace:.0f} ms an image" for model, pace in self.paces.items())
            lines.append(f"seedshift: about {words.duration(self.seconds)} to generate {to_make} images ({paces})")
        lines += [f"seedshift: {note}" for note in self.notes]
        lines.append(f"seedshift: thresholds from {self.thresholds}, samples and pictures to {self.folder}")
        return lines

    def case_lines(self) -> list[str]:
        """Every case in a line."""
        return [
            f"  {case.nodeid}  {case.most} images at most, about {case.expected}"
            + (f", {case.existing} exist" if case.existing else "")
            for case in self.cases
        ]


def make(
    state: State,
    items: Sequence[tuple[pytest.Item, Subject]],
    *,
    measure: Literal["all", "first", "none"] = "none",
    notes: Callable[[], Sequence[str]] = list,
) -> Plan | None:
    """The plan of some items; None where none of them judges a case or searches for a breaking point.

    Args:
        state: the session's.
        items: with their cases and searches.
        measure: whose pace is measured where it is not known: of "all" models, of the "first", or of "none".
        notes: tells what else there is to say.

    Raises:
        pytest.UsageError: a model that cannot generate.
    """
    judged = [(item, case) for item, case in items if collection.is_judged(item)]
    if not judged:
        return None
    models = tuple(dict.fromkeys(case.model for _, case in judged))
    try:
        said = tuple(dict.fromkeys((*(each for model in models for each in state.workbench.notes(model)), *notes())))
        cases = tuple(_planned(state, item, case) for item, case in judged)
        paces: dict[str, float] = {}
        for place, (model, (item, case, planned)) in enumerate(_to_make(judged, cases).items()):
            if measure == "all" or (measure == "first" and place == 0):
                _load(state, model)
            pace = state.workbench.pace(model)
            if (pace is None or pace.seconds is None) and (measure == "all" or (measure == "first" and not paces)):
                try:
                    pace = _measure(state, item, case, planned)
                except ModelError:
                    raise
                except Exception:
                    if measure == "all":  # all that was asked for; in a run the case itself will say what is wrong
                        raise
            if pace is not None and pace.seconds is not None:
                paces[model] = pace.seconds
    except (CaseError, StoreError) as error:
        raise pytest.UsageError(str(error)) from None
    bench = state.workbench
    return Plan(
        cases=cases,
        paces=paces,
        device=bench.device,
        dtype=", ".join(dict.fromkeys(map(bench.dtype, models))),
        certainty=state.thresholds.certainty,
        thresholds=words.relative(state.thresholds.source),
        folder=words.relative(str(state.folder.path)),
        notes=(*said, *_besides(state)),
        run_with=(*(_run_with(bench, model) for model in models), versions()),
    )


def _run_with(bench: Workbench, model: str) -> str:
    """What a model is run with."""
    return f"{model}: {run_settings.describe(bench.run_with(model))}; fingerprint {bench.samples(model).model}"


def versions() -> str:
    """The libraries that images and scores depend on most."""
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "transformers", "open_clip_torch"))


def _besides(state: State) -> list[str]:
    """What the numbers of images do not say: of which design they are, and what is generated besides."""
    seed, pairs = state.design_seed(), state.settings.trajectories
    said = [f"the design is that of seed {seed}: other pairs than those of other design seeds"] if seed else []
    if pairs is not None:
        said.append(f"the trajectories of {words.count(pairs, 'pair')} a case are recorded besides, one image each")
    return said


def _load(state: State, model: str) -> None:
    """Load a model that is needed now or never: one that cannot be loaded is no error of each of its cases.

    Raises:
        ModelError: it cannot be loaded, or not run at all.
    """
    try:
        state.workbench.maker(model)
    except ModelError:
        raise
    except CaseError:
        pass  # what is wrong with its images the case itself will say


def _measure(state: State, item: pytest.Item, subject: Subject, planned: Planned) -> Pace:
    """Make what the case will make first anyway, or a search's first probe."""
    from pytest_seedshift import trial
    from pytest_seedshift.breaking import seek

    bench, (test, design) = state.workbench, _asked(state, item, subject)
    case = subject.case(seek.sweep(subject.steps)[0]) if isinstance(subject, Search) else subject
    first = trial.opening(bench, case, test)
    if isinstance(subject, Search) and bench.missing(subject.origin, design[:first]):
        case = subject.origin
    return bench.measure(case, design, first if bench.missing(case, design[:first]) else planned.expected)


def _to_make(
    judged: Sequence[tuple[pytest.Item, Subject]], cases: Sequence[Planned]
) -> dict[str, tuple[pytest.Item, Subject, Planned]]:
    """By model, the first item for which images are to be generated."""
    found: dict[str, tuple[pytest.Item, Subject, Planned]] = {}
    for (item, case), planned in zip(judged, cases, strict=True):
        if planned.to_make:
            found.setdefault(case.model, (item, case, planned))
    return found


def _asked(state: State, item: pytest.Item, subject: Subject) -> tuple[SequentialTest | NullTest, tuple[Pair, ...]]:
    if isinstance(subject, Search):
        return asked.test_of(state, item, subject), asked.design(state, item, subject)
    return state.test(item, subject), state.design(item, subject)


def _planned(state: State, item: pytest.Item, case: Subject) -> Planned:
    if isinstance(case, Search):
        from pytest_seedshift.breaking import outlook

        one, pairs = asked.test_of(state, item, case), asked.design(state, item, case)
        most, expected, existing = outlook.images(state.workbench, case, one, pairs)
        return Planned(item.nodeid, case.model, case.id, most, expected, existing)
    test, design = _asked(state, item, case)
    expected = _expected(state, case, test, design)
    missing = state.workbench.missing(case, design[:expected])
    return Planned(item.nodeid, case.model, case.id, test.size, expected, expected - len(missing))


def _expected(state: State, case: Case, test: SequentialTest | NullTest, design: Sequence[Pair]) -> int:
    if test.exact:
        return test.size
    visited = state.workbench.visited(case, test.size, seed_of(design[0].seed))
    if visited is not None:
        return visited
    nothing: dict[str, list[float]] = {constraint.score: [] for constraint in test.constraints}
    return test.forecast(nothing, nothing).images
