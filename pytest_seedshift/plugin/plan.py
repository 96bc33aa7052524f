"""What is about to run: cases, images, what exists already, and how long the rest will take."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pytest_seedshift.core import messages
from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.searches import Search
from pytest_seedshift.plugin import border, breaking_session, collection
from pytest_seedshift.results import run_settings

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.plugin.session import State
    from pytest_seedshift.reporting import forecasts
    from pytest_seedshift.results.sample_rows import Pace
    from pytest_seedshift.runner.workbench import Workbench

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Planned:
    """A case to run, in built-in types, so that a worker of pytest-xdist can tell its controller."""

    nodeid: str
    model: str
    case: str
    """The case's id."""
    design: int
    """The size of its design; of a search, the most images that it may look at."""
    most: int
    """How many images its verdict can take: as many as its samples say, where they decide."""
    expected: int
    """How many images its verdict will take: as many as its samples say, as last time, or as a model takes that does
    well and has not become worse."""
    existing: int
    """How many of these exist already."""
    lacking: int
    """How many images are generated for it at most."""
    shared: int = 0
    """How many of those expected are the control's, which is reckoned up once a model: see `Plan.controls`."""

    @property
    def to_make(self) -> int:
        """How many images are expected to be generated."""
        return max(self.expected - self.existing - self.shared, 0)


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
    controls: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By model, how many images of the control are generated beside those of its case, expected and where all takes the
    most: a drop is held against them, and they stand beside others."""
    given: bool = False
    """Whether the user gave the pace."""
    price: float | None = None
    """Of an hour, as the user gave it."""

    def to_json(self) -> dict[str, Any]:
        """In built-in types; `Plan.from_json` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote."""
        cases = tuple(Planned(**case) for case in document["cases"])
        texts = {name: tuple(document[name]) for name in ("notes", "run_with")}
        controls = {model: (least, most) for model, (least, most) in document["controls"].items()}
        return cls(**{**document, "cases": cases, "controls": controls, **texts})

    @property
    def to_make(self) -> dict[str, tuple[int, int]]:
        """By model, how many images are to be generated: those expected, and the most that it can come to."""
        found: dict[str, tuple[int, int]] = {}
        for model in dict.fromkeys(case.model for case in self.cases):
            ours = [case for case in self.cases if case.model == model]
            beside = self.controls.get(model, (0, 0))
            expected = sum(case.to_make for case in ours) + beside[0]
            found[model] = expected, max(expected, sum(case.lacking for case in ours) + beside[1])
        return found

    @property
    def seconds(self) -> tuple[float, float] | None:
        """How long it will take to generate them, expected and at most; None where a pace is not known."""
        if self._untimed:
            return None
        return tuple_of(
            sum(each[at] * self.paces.get(model, 0.0) for model, each in self.to_make.items()) for at in (0, 1)
        )

    @property
    def _untimed(self) -> list[str]:
        return [model for model, (_, most) in self.to_make.items() if most and model not in self.paces]

    def lines(self) -> list[str]:
        """The plan in words."""
        models = ", ".join(dict.fromkeys(case.model for case in self.cases))
        design, most, expected, known = (
            sum(getattr(case, name) for case in self.cases) for name in ("design", "most", "expected", "existing")
        )
        lines = [
            f"seedshift: {messages.count(len(self.cases), 'case')} of {models} on {self.device} ({self.dtype}), "
            f"{_looked_at(expected, most, design)}, certainty {self.certainty:g}",
        ]
        lines += [f"seedshift: {each}" for each in self.run_with]
        if known:
            lines.append(f"seedshift: {messages.count(known, 'sample')} of earlier runs will be used again")
        lines += [f"seedshift: {each}" for each in (*self._work(), *self.notes)]
        lines.append(f"seedshift: thresholds from {self.thresholds}, samples and pictures to {self.folder}")
        return lines

    def _work(self) -> list[str]:
        """What is to be generated, how long that takes, and what it costs."""
        expected, most = tuple_of(sum(each[at] for each in self.to_make.values()) for at in (0, 1))
        if not most:
            return []
        beside = sum(map(max, self.controls.values()))
        images = f"{expected} images" if expected == most else f"{expected} images, up to {most}"
        of_control = f" (up to {beside} of them for the control, beside its case)" if beside else ""
        if self.seconds is None:
            return [
                f"to generate: {images}{of_control}",
                f"the time is not known yet: no image of {', '.join(self._untimed)} was timed "
                "(--seedshift-images-per-second=RATE tells it)",
            ]
        paces = ", ".join(
            f"{model} {messages.rate(1 / pace) if self.given else f'{1000 * pace:.0f} ms an image'}"
            for model, pace in self.paces.items()
        )
        given = ", as given" if self.given else ""
        least, longest = map(messages.duration, self.seconds)
        upto = "" if expected == most else f", up to {longest},"
        said = [f"about {least}{upto} to generate {images}{of_control} ({paces}{given})"]
        if self.price is not None:
            low, high = (seconds / 3600 * self.price for seconds in self.seconds)
            upto = "" if expected == most else f", up to {_money(high)},"
            said.append(f"that costs about {_money(low)}{upto} at {self.price:g} a GPU hour")
        return said

    def case_lines(self) -> list[str]:
        """Every case in a line."""
        return [
            f"  {case.nodeid}  {case.most} images at most, about {case.expected}"
            + (f", {case.existing} exist" if case.existing else "")
            for case in self.cases
        ]


def tuple_of(values: Iterable[_T]) -> tuple[_T, _T]:
    """Two values as a pair."""
    first, second = values
    return first, second


def _looked_at(expected: int, most: int, design: int) -> str:
    """`about 745 images, up to 12400`; `745 of 12400 images` where samples that exist say so."""
    if expected == most:
        return f"{design} images" if most == design else f"{most} of {design} images"
    return f"about {expected} images, up to {most}" + (f" of {design}" if most < design else "")


def _money(amount: float) -> str:
    return f"{amount:.2f}" if amount >= 0.1 or not amount else f"{amount:.2g}"


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
    from pytest_seedshift.runner import model_notes

    bench, settings = state.workbench, state.settings
    models = tuple(dict.fromkeys(case.model for _, case in judged))
    here = [model for model in models if model not in bench.pool.absent]
    if settings.plan and settings.images_per_second is not None:
        measure = "none"
    with border.usage_errors():
        of_models = [each for model in here for each in model_notes.notes(bench.pool, model)]
        said = tuple(dict.fromkeys((*of_models, *notes())))
        found = [(item, case, _images(state, item, case)) for item, case in judged]
        cases = tuple(_planned(state, *each) for each in found)
        paces = _paces(state, here, _to_make(found, cases), measure)
        controls = {model: _beside(state, model, found) for model in models}
    if settings.images_per_second is not None:
        paces = dict.fromkeys(models, 1 / settings.images_per_second)
    return Plan(
        cases=cases,
        paces=paces,
        device=bench.device,
        dtype=", ".join(dict.fromkeys(map(bench.dtype, models))),
        certainty=state.thresholds.certainty,
        thresholds=messages.relative(state.thresholds.source),
        folder=messages.relative(str(state.folder.path)),
        notes=(*(f"{model} is not here: {why}" for model, why in bench.pool.absent.items()), *said, *_besides(state)),
        run_with=(*(_run_with(bench, model) for model in here), versions()),
        controls=controls,
        given=settings.images_per_second is not None,
        price=settings.price,
    )


def _paces(
    state: State,
    models: Sequence[str],
    to_make: Mapping[str, tuple[pytest.Item, Subject, Planned]],
    measure: Literal["all", "first", "none"],
) -> dict[str, float]:
    """The seconds an image takes, by model, as far as they are known or measured."""
    paces: dict[str, float] = {}
    for place, (model, (item, case, planned)) in enumerate(to_make.items()):
        if model not in models:
            continue
        if measure == "all" or (measure == "first" and place == 0):
            _load(state, model)
        pace = state.workbench.pace(model)
        if (pace is None or pace.seconds is None) and (measure == "all" or (measure == "first" and not paces)):
            try:
                pace = _measure(state, item, case, planned)
            except UnusableModelError:
                raise
            except Exception:
                if measure == "all":  # all that was asked for; in a run the case itself will say what is wrong
                    raise
        if pace is not None and pace.seconds is not None:
            paces[model] = pace.seconds
    return paces


def _run_with(bench: Workbench, model: str) -> str:
    """What a model is run with."""
    return f"{model}: {run_settings.describe(bench.service.run_with(model))}; fingerprint {bench.samples(model).model}"


def versions() -> str:
    """The libraries that images and scores depend on most."""
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "transformers", "open_clip_torch"))


def _besides(state: State) -> list[str]:
    """What the numbers of images do not say: of which design they are, and what is generated besides."""
    seed, pairs = state.design_seed(), state.settings.trajectories
    said = [f"the design is that of seed {seed}: other pairs than those of other design seeds"] if seed else []
    if pairs is not None:
        said.append(f"the trajectories of {messages.count(pairs, 'pair')} a case are recorded besides, one image each")
    return said


def _load(state: State, model: str) -> None:
    """Load a model that is needed now or never: one that cannot be loaded is no error of each of its cases.

    Raises:
        UnusableModelError: it cannot be loaded, or not run at all.
    """
    try:
        state.workbench.service.maker(model)
    except UnusableModelError:
        raise
    except CaseError:
        pass  # what is wrong with its images the case itself will say


def _measure(state: State, item: pytest.Item, subject: Subject, planned: Planned) -> Pace:
    """Make what the case will make first anyway, or a search's first probe."""
    from pytest_seedshift.runner import sequential
    from pytest_seedshift.studies.breaking_point import bisection

    bench, (test, design) = state.workbench, _asked(state, item, subject)
    case = subject.case(bisection.sweep(subject.steps)[0]) if isinstance(subject, Search) else subject
    first = sequential.opening(bench, case, test)
    if isinstance(subject, Search) and bench.missing(subject.origin, design[:first]):
        case = subject.origin
    return bench.measure(case, design, first if bench.missing(case, design[:first]) else planned.expected)


def _to_make(
    found: Sequence[tuple[pytest.Item, Subject, forecasts.Images]], cases: Sequence[Planned]
) -> dict[str, tuple[pytest.Item, Subject, Planned]]:
    """By model, the first item for which images are to be generated."""
    first: dict[str, tuple[pytest.Item, Subject, Planned]] = {}
    for (item, case, _), planned in zip(found, cases, strict=True):
        if planned.to_make:
            first.setdefault(case.model, (item, case, planned))
    return first


def _asked(state: State, item: pytest.Item, subject: Subject) -> tuple[SequentialTest | NullTest, tuple[Pair, ...]]:
    if isinstance(subject, Search):
        return breaking_session.test_of(state, item, subject), breaking_session.design(state, item, subject)
    return state.test(item, subject), state.design(item, subject)


def _images(state: State, item: pytest.Item, subject: Subject) -> forecasts.Images:
    from pytest_seedshift.reporting import forecasts  # numpy, without which tests are collected

    test, design = _asked(state, item, subject)
    if isinstance(subject, Search):
        return forecasts.of_search(state.workbench, subject, breaking_session.test_of(state, item, subject), design)
    return forecasts.of_case(state.workbench, subject, test, design)


def _planned(state: State, item: pytest.Item, subject: Subject, images: forecasts.Images) -> Planned:
    test, _ = _asked(state, item, subject)
    design, shared = test.size, 0
    if isinstance(subject, Search):
        from pytest_seedshift.studies.breaking_point import bisection

        design = test.size + bisection.budget(subject.steps, test.size)
        shared = images.shared
    counts = images.most, images.expected, images.existing, images.lacking
    return Planned(item.nodeid, subject.model, subject.id, design, *counts, shared)


def _beside(
    state: State, model: str, found: Sequence[tuple[pytest.Item, Subject, forecasts.Images]]
) -> tuple[int, int]:
    """See `forecasts.besides`."""
    from pytest_seedshift.reporting import forecasts

    wanted = [
        forecasts.Wanted(
            not isinstance(subject, Search) and subject.is_control, _asked(state, item, subject)[1], images
        )
        for item, subject, images in found
        if subject.model == model
    ]
    return forecasts.besides(state.workbench, model, wanted)
