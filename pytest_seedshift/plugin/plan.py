"""What is about to run: cases, images, what exists already, and how long the rest will take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from pytest_seedshift.core import messages
from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.results import run_settings

if TYPE_CHECKING:
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.reporting import forecasts
    from pytest_seedshift.results.sample_rows import Pace
    from pytest_seedshift.runner.job import Job
    from pytest_seedshift.runner.workbench import Workbench

_T = TypeVar("_T")

Measure: TypeAlias = Literal["all", "first", "none"]
"""Whose pace is measured where it is not known: of all models, of the first, or of none."""


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
    drawn: tuple[str, ...] = ()
    """Which prompts models are asked for."""
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
        texts = {name: tuple(document[name]) for name in ("notes", "drawn", "run_with")}
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
        lines += [f"seedshift: {each}" for each in (*self.drawn, *self.run_with)]
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
                "(--seedshift-images-per-second=RATE gives it)",
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


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says of a plan.

    Attributes:
        pace: the images per second that he gives; None for those that are known or measured.
        price: of an hour.
        trajectories: of how many pairs a case; None of none.
        folder: where samples and pictures go, as the user knows it.
    """

    pace: float | None
    price: float | None
    trajectories: int | None
    folder: str


def make(
    jobs: Sequence[Job],
    bench: Workbench,
    thresholds: Thresholds,
    wishes: Wishes,
    *,
    design_seed: int = 0,
    measure: Measure = "none",
    notes: Sequence[str] = (),
) -> Plan | None:
    """The plan of some jobs; None where there are none.

    Args:
        jobs: what is to be done.
        bench: where it is done.
        thresholds: of the run.
        wishes: the user's.
        design_seed: of the designs of which no test says another.
        measure: whose pace is measured where it is not known.
        notes: what else there is to say.

    Raises:
        SeedshiftError: a model that cannot generate.
    """
    if not jobs:
        return None
    from pytest_seedshift.runner import model_notes

    models = tuple(dict.fromkeys(job.model for job in jobs))
    here = [model for model in models if model not in bench.pool.absent]
    of_models = [each for model in here for each in model_notes.notes(bench.pool, model)]
    prompts = {model: bench.pool.scorers.entry(model).prompt_set for model in models}
    found = [(job, _images(bench, job)) for job in jobs]
    cases = tuple(_planned(job, images) for job, images in found)
    paces = _paces(bench, here, _to_make(jobs, cases), measure)
    controls = {model: _beside(bench, model, found) for model in models}
    if wishes.pace is not None:
        paces = dict.fromkeys(models, 1 / wishes.pace)
    return Plan(
        cases=cases,
        paces=paces,
        device=bench.device,
        dtype=", ".join(dict.fromkeys(map(bench.dtype, models))),
        certainty=thresholds.certainty,
        thresholds=messages.relative(thresholds.source),
        folder=wishes.folder,
        notes=(
            *bench.pool.absent.values(),
            *dict.fromkeys((*(each.note for each in prompts.values() if each.note), *of_models, *notes)),
            *_besides(design_seed, wishes.trajectories),
        ),
        drawn=_drawn({model: each.describe() for model, each in prompts.items()}),
        run_with=(*(_run_with(bench, model) for model in here), versions()),
        controls=controls,
        given=wishes.pace is not None,
        price=wishes.price,
    )


def _drawn(described: Mapping[str, str]) -> tuple[str, ...]:
    """What is drawn, by model: once where all models have the same."""
    if len(set(described.values())) == 1:
        return tuple(set(described.values()))
    return tuple(f"{model}: {each}" for model, each in described.items())


def _paces(
    bench: Workbench, models: Sequence[str], to_make: Mapping[str, tuple[Job, Planned]], measure: Measure
) -> dict[str, float]:
    """The seconds an image takes, by model, as far as they are known or measured."""
    paces: dict[str, float] = {}
    for place, (model, (job, planned)) in enumerate(to_make.items()):
        if model not in models:
            continue
        if measure == "all" or (measure == "first" and place == 0):
            _load(bench, model)
        pace = bench.pace(model) if bench.pool.is_here else None  # that of one GPU says nothing of all of a cluster
        if (pace is None or pace.seconds is None) and (measure == "all" or (measure == "first" and not paces)):
            try:
                pace = _measure(bench, job, planned)
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


def _besides(design_seed: int, pairs: int | None) -> list[str]:
    """What the numbers of images do not say: of which design they are, and what is generated besides."""
    notes = []
    if design_seed:
        notes.append(f"the design is that of seed {design_seed}: other pairs than those of other design seeds")
    if pairs is not None:
        notes.append(f"the trajectories of {messages.count(pairs, 'pair')} a case are recorded besides, one image each")
    return notes


def _load(bench: Workbench, model: str) -> None:
    """Load a model that is needed now or never: one that cannot be loaded is no error of each of its cases.

    Raises:
        UnusableModelError: it cannot be loaded, or not run at all.
    """
    try:
        bench.service.engine(model)
    except UnusableModelError:
        raise
    except CaseError:
        pass  # what is wrong with its images the case itself will say


def _measure(bench: Workbench, job: Job, planned: Planned) -> Pace:
    """Make what the case will make first anyway, or a search's first probe."""
    from pytest_seedshift.runner import sequential
    from pytest_seedshift.studies.breaking_point import bisection

    case, search, design = job.case, job.search, job.design
    if search is not None:
        case = search.case(bisection.sweep(search.steps)[0])
    first = sequential.opening(bench, case, job.test)
    if search is not None and bench.missing(search.origin, design[:first]):
        case = search.origin
    return bench.measure(case, design, first if bench.missing(case, design[:first]) else planned.expected)


def _to_make(jobs: Sequence[Job], cases: Sequence[Planned]) -> dict[str, tuple[Job, Planned]]:
    """By model, the first job for which images are to be generated."""
    first: dict[str, tuple[Job, Planned]] = {}
    for job, planned in zip(jobs, cases, strict=True):
        if planned.to_make:
            first.setdefault(job.model, (job, planned))
    return first


def _images(bench: Workbench, job: Job) -> forecasts.Images:
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.reporting import forecasts  # numpy, without which tests are collected

    if job.search is not None and isinstance(job.test, SequentialTest):
        return forecasts.of_search(bench, job.search, job.test, job.design)
    return forecasts.of_case(bench, job.case, job.test, job.design)


def _planned(job: Job, images: forecasts.Images) -> Planned:
    design, shared = job.test.size, 0
    if job.search is not None:
        from pytest_seedshift.studies.breaking_point import bisection

        design += bisection.budget(job.search.steps, job.test.size)
        shared = images.shared
    counts = images.most, images.expected, images.existing, images.lacking
    return Planned(job.nodeid, job.model, job.subject.id, design, *counts, shared)


def _beside(bench: Workbench, model: str, found: Sequence[tuple[Job, forecasts.Images]]) -> tuple[int, int]:
    """See `forecasts.besides`."""
    from pytest_seedshift.reporting import forecasts

    wanted = [
        forecasts.Wanted(job.search is None and job.case.is_control, job.design, images)
        for job, images in found
        if job.model == model
    ]
    return forecasts.besides(bench, model, wanted)
