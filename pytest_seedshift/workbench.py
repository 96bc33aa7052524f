"""What one process works with: the model in memory, its scorers, the store; and a case on its way to a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from pytest_seedshift import devices, engine, identity, pacing, verdict, weights
from pytest_seedshift import pairs as pairing
from pytest_seedshift.cases import Case, CaseError
from pytest_seedshift.engine import Batch, Engine
from pytest_seedshift.models import catalogue as catalogues
from pytest_seedshift.models.seedvector import SeedVectorError
from pytest_seedshift.samples import Sample, Samples
from pytest_seedshift.store import Pace, Store, StoreError
from pytest_seedshift.weights import WeightsNotFoundError

if TYPE_CHECKING:
    from pytest_seedshift.folder import RunFolder
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.scorers.base import Scorer
    from pytest_seedshift.scores import Estimate, Finding
    from pytest_seedshift.verdict import Judgement, SequentialTest

Keep: TypeAlias = Literal["report", "all", "none"]
"""Which pictures are saved: those that the report shows, all, or none."""

STRIP = 8
"""How many pictures of a case the report shows."""

_STRETCH = 4
"""How many batches are made in one go at most, where it is certain that all of them are needed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a case has come.

    Its images so far, how many of them were generated now, how many it is expected to take if it goes on like this, and
    the bound that it waits for.
    """

    case: Case
    images: int
    generated: int
    expected: int
    design: int
    leading: Finding
    values: Sequence[float]
    """The leading score's values so far."""


OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case, judged: what the `reliability` fixture gives to a test."""

    case: Case
    samples: tuple[Sample, ...]
    """Those that the verdict rests on: the first pairs of the design, in its order."""
    control: tuple[Sample, ...]
    """The control's samples of the same pairs, as far as they exist."""
    scores: dict[str, Estimate]
    """By score (`top1`, `top5`, `clip`): mean and interval."""
    findings: tuple[Finding, ...]
    """Each bound that was asked, held against the measurement."""
    design: int
    """N, the number of pairs of the design."""
    certainty: float
    """Of the verdict and of the intervals."""
    generated: int
    """How many images were generated for this result, the control's among them; the others were in the store."""
    seconds: float
    """How long that took."""
    device: str
    dtype: str

    @property
    def passed(self) -> bool:
        """Whether all constraints hold."""
        return all(finding.holds for finding in self.findings)

    @property
    def pictures(self) -> tuple[Sample, ...]:
        """The samples whose pictures were kept."""
        return tuple(sample for sample in self.samples if sample.picture is not None)

    def control_mean(self, score: str) -> float | None:
        """The control's mean over those of the same pairs that it has; None where it has none."""
        values = [sample.scores[score] for sample in self.control]
        return sum(values) / len(values) if values else None


class Workbench:
    """Makes samples and results, and makes none twice. Holds one model at a time."""

    def __init__(
        self,
        folder: RunFolder,
        device: str,
        dtype: str | None,
        *,
        catalogue: Catalogue | None = None,
        batch_size: int | None = None,
        keep: Keep = "report",
        forget: bool = False,
    ) -> None:
        """Work on `device` (such as `cuda:0`), in `dtype` (such as `float32`; None for each model's own).

        `catalogue` says what the names of models stand for; None for the shipped one.
        `batch_size` images are generated at once; None finds a good number for each model and remembers it. With
        `forget` the store is neither read nor written.
        """
        self.folder = folder
        self.device = device
        self.catalogue = catalogue or catalogues.shipped()
        self._dtype = dtype
        self._batch_size = batch_size
        self._keep: Keep = "none" if forget else keep
        self._store_path = Path(":memory:") if forget else folder.samples_file
        self._store: Store | None = None
        self._samples: dict[str, Samples] = {}
        self._model: TextToImage | None = None
        self._engine: Engine | None = None
        self._scorers: dict[str, Scorer] = {}
        self._checked: set[str] = set()
        self._measured: dict[Case, _Work] = {}

    @property
    def _overlaps(self) -> bool:
        """Whether a batch is scored while the next one is generated. A CPU has no hands free for that."""
        return self.device.startswith("cuda")

    # What is held ------------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The open store.

        Raises:
            StoreError: it cannot be opened.
        """
        if self._store is None:
            self._store = Store(self._store_path)
        return self._store

    def close(self) -> None:
        """Close the store and let the model go."""
        if self._store is not None:
            self._store.close()
        self._store = self._model = self._engine = None
        self._samples.clear()

    def dtype(self, model: str) -> str:
        """The number type of a model: what was asked for, else what its entry names for the device, else the device's.

        Raises:
            ValueError: an unknown model.
        """
        return self._dtype or self.catalogue.find(model).dtype_on(self.device) or devices.resolve(self.device, None)[1]

    def notes(self, model: str) -> list[str]:
        """What the user should know of how a model is run.

        Raises:
            CaseError: weights that cannot be had.
        """
        entry = self.catalogue.find(model)
        try:
            parts = weights.locate_pipeline(entry.pipeline, entry.revision).parts
        except (OSError, ValueError, SeedVectorError, WeightsNotFoundError) as error:
            raise CaseError(f"{model} cannot be judged: {error}") from error
        if weights.SAFETY_CHECKER not in parts:
            return []
        return [f"the safety checker of {model} is off: images that it blackens would be scored as the model's own"]

    def samples(self, model: str) -> Samples:
        """A model's samples. The model itself is not loaded.

        Raises:
            CaseError: weights that cannot be had, or a store that cannot be opened.
        """
        if model not in self._samples:
            entry = self.catalogue.find(model)
            try:
                scorers = identity.of_classifier(entry.classifier), identity.of_clip(entry.clip)
                of_model = identity.of_model(entry, self.device, self.dtype(model))
                self._samples[model] = Samples(self.store, self.folder, of_model, scorers)
            except (OSError, ValueError, WeightsNotFoundError, StoreError) as error:
                raise CaseError(f"{model} cannot be judged: {error}") from error
        return self._samples[model]

    def model(self, name: str) -> TextToImage:
        """The loaded model; the one before it is freed if it is another.

        Raises:
            CaseError: it cannot be loaded.
        """
        from pytest_seedshift.models import load  # all of diffusers, which a run whose samples exist does not need

        if self._model is None or self._model.name != name:
            self._model = self._engine = None
            devices.free_memory()  # a pipeline is full of cycles: the next model would meet the last one's memory
            try:
                self._model = load.load(self.catalogue.find(name), self.device, self.dtype(name))
            except (OSError, ValueError, SeedVectorError, WeightsNotFoundError) as error:
                raise CaseError(f"{name} cannot be loaded: {error}") from error
        return self._model

    def scorers(self, name: str) -> tuple[Scorer, ...]:
        """The scorers that belong to a model, shared with every other model that has the same.

        Raises:
            CaseError: one cannot be loaded.
        """
        from pytest_seedshift.scorers.clip import ClipScore
        from pytest_seedshift.scorers.vit import Classifier

        entry = self.catalogue.find(name)
        for source, load in ((entry.classifier, Classifier.load), (entry.clip, ClipScore.load)):
            if source not in self._scorers:
                try:
                    self._scorers[source] = load(source, self.device)
                except (OSError, ValueError, SeedVectorError, WeightsNotFoundError) as error:
                    raise CaseError(f"the scorer {source} of {name} cannot be loaded: {error}") from error
        found = self._scorers[entry.classifier], self._scorers[entry.clip]
        if name not in self._checked:
            try:
                for scorer in found:
                    scorer.check(pairing.class_list(entry.classes))
            except ValueError as error:
                raise CaseError(f"{name} cannot be judged: {error}") from error
            self._checked.add(name)
        return found

    def engine(self, name: str) -> Engine:
        """The model with its scorers, at a batch size that suits it.

        Raises:
            CaseError: something cannot be loaded.
        """
        model, scorers = self.model(name), self.scorers(name)
        if self._engine is None:
            size = self._batch_size or self._found_batch_size(model)
            self._engine = Engine(model, scorers, size, overlap=self._overlaps)
        return self._engine

    def pace(self, model: str) -> Pace | None:
        """How the model ran on this device before; None where it did not."""
        of_model = self.samples(model).model  # first, as it says of which model a store could not be opened
        return self.store.pace(of_model, devices.describe(self.device))

    def measure(self, case: Case, design: Sequence[Pair]) -> Pace:
        """Find the pace of a case's model by making the next batch of the case, which is kept.

        Raises:
            CaseError: the model cannot generate.
        """
        work, shown = _Work(), self._shown(design)
        with _in_words(case):
            size = self.engine(case.model).batch_size
            self._collect(case, self.missing(case, design)[:size], shown, work)
            self._measured[case] = work
            pace = Pace(size, work.seconds / work.generated if work.generated else None)
            self._remember(case.model, pace)
        return pace

    def missing(self, case: Case, design: Sequence[Pair]) -> list[Pair]:
        """The pairs of a design whose samples do not exist, or lack a picture that is to be shown.

        Raises:
            CaseError: the store or the weights cannot be read.
        """
        with _in_words(case):
            return _without(design, self.samples(case.model).find(case, design, self._shown(design)))

    def visited(self, case: Case, design: int) -> int | None:
        """How many images the last verdict about the case took, on a design of that size."""
        with _in_words(case):
            return self.store.visited(self.samples(case.model).model, case.shift, case.magnitude, design)

    def _found_batch_size(self, model: TextToImage) -> int:
        with self.folder.lock(f"batch size {model.name}"):  # processes that measure at once measure each other
            pace = self.pace(model.name)
            if pace is None:
                design = self.catalogue.design(model.name, None)
                pace = Pace(pacing.find_batch_size(model, design))
                self._remember(model.name, pace)
        return pace.batch_size

    def _remember(self, model: str, pace: Pace) -> None:
        self.store.set_pace(self.samples(model).model, devices.describe(self.device), pace)

    # A case ------------------------------------------------------------------------------------------------------

    def run(
        self, case: Case, test: SequentialTest, design: Sequence[Pair], progress: OnProgress | None = None
    ) -> CaseResult:
        """Visit the pairs of a case's design until the verdict stands.

        Args:
            case: which model under which shift.
            test: what is asked of it.
            design: as many pairs as the test's size.
            progress: called before every batch.

        Raises:
            CaseError: the case cannot be judged.
        """
        with _in_words(case):
            return self._run(case, test, design, progress)

    def _run(self, case: Case, test: SequentialTest, design: Sequence[Pair], progress: OnProgress | None) -> CaseResult:
        work = self._measured.pop(case, None) or _Work()
        shown = self._shown(design)
        seen: list[Sample] = []
        while True:
            control = self._collect(case.control, design[: len(seen)], shown, work) if test.compares else []
            values, reference = _columns(seen, test), _columns(control, test)
            judgement = test.judge(values, reference)
            if judgement.decided:
                break
            forecast = test.forecast(values, reference)
            if progress is not None:
                at = len(seen), work.generated, forecast.images, test.size
                progress(Progress(case, *at, forecast.leading, values[forecast.leading.score]))
            likely = min(forecast.images, forecast.at_best) - len(seen)
            certain = test.soonest(values, reference) - len(seen) if self._overlaps else 0
            step = self._step(case.model, likely, certain)
            seen += self._collect(case, design[len(seen) : len(seen) + step], shown, work)
        return self._result(case, test, judgement, seen, shown, work)

    def _step(self, model: str, likely: int, certain: int) -> int:
        """How many pairs to visit next, of those that the verdict is likely and of those that it is certain to need."""
        batch = self._size(model)
        if certain > batch:  # in one go, as one batch can be scored while the next one is generated
            return min(certain, _STRETCH * batch)
        return min(max(likely, batch // 8, 1), batch)

    def _size(self, model: str) -> int:
        """The batch size; without loading a model that may not be needed."""
        if self._model is not None and self._model.name == model:
            return self.engine(model).batch_size
        pace = self.pace(model)
        return self._batch_size or (pacing.MOST if pace is None else pace.batch_size)

    def _shown(self, design: Sequence[Pair]) -> frozenset[Pair]:
        """The pairs whose pictures are to be kept."""
        pairs = {"report": strip(design), "all": design, "none": ()}[self._keep]
        return frozenset(pairs)

    def _result(
        self,
        case: Case,
        test: SequentialTest,
        judgement: Judgement,
        seen: Sequence[Sample],
        shown: Collection[Pair],
        work: _Work,
    ) -> CaseResult:
        samples = tuple(seen[: judgement.images])
        pairs = [sample.pair for sample in samples]
        if not case.is_control:  # its pictures stand beside the case's
            self._collect(case.control, [pair for pair in strip(pairs) if pair in shown], shown, work)
        of_model = self.samples(case.model)
        self.store.set_visited(of_model.model, case.shift, case.magnitude, test.size, judgement.images)
        if work.generated:
            self._remember(case.model, Pace(self.engine(case.model).batch_size, work.seconds / work.generated))
        return CaseResult(
            case=case,
            samples=samples,
            control=samples if case.is_control else tuple(of_model.find(case.control, pairs).values()),
            scores={
                name: verdict.estimate(
                    name,
                    [sample.scores[name] for sample in samples],
                    certainty=test.certainty,
                    stopped=not test.exact,
                )
                for name in samples[0].scores
            },
            findings=judgement.findings,
            design=test.size,
            certainty=test.certainty,
            generated=work.generated,
            seconds=work.seconds,
            device=self.device,
            dtype=self.dtype(case.model),
        )

    def _collect(self, case: Case, pairs: Sequence[Pair], shown: Collection[Pair], work: _Work) -> list[Sample]:
        """The samples of some pairs, in their order; those that do not exist are made, by one process at a time."""
        samples = self.samples(case.model)
        found = samples.find(case, pairs, shown)
        if len(found) < len(pairs):
            found |= self._score_anew(case, _without(pairs, found), shown)
        if len(found) < len(pairs):
            maker = self.engine(case.model)  # loaded before the lock, so that others wait for images only
            with self.folder.lock(case.id):
                found |= samples.find(case, _without(pairs, found), shown)
                missing = _without(pairs, found)
                start = time.perf_counter()
                for made in maker.run(case, missing, lambda batch: self._keep_batch(case, batch, shown)):
                    found |= made
                work.generated += len(missing)
                work.seconds += time.perf_counter() - start
        return [found[pair] for pair in pairs]

    def _score_anew(self, case: Case, pairs: Sequence[Pair], shown: Collection[Pair]) -> dict[Pair, Sample]:
        """Score pictures that other scorers have left; the model is not needed. One that is not as it was is left."""
        samples = self.samples(case.model)
        pictures = samples.pictures(case, pairs)
        size = self._batch_size or pacing.MOST
        found: dict[Pair, Sample] = {}
        for start in range(0, len(pictures), size):
            chunk = list(pictures)[start : start + size]
            loaded = {pair: self.folder.load_picture(pictures[pair]) for pair in chunk}
            images = {pair: image for pair, image in loaded.items() if image is not None}
            if images:
                stacked = torch.stack(list(images.values())).to(self.device)
                batch = engine.score(case, tuple(images), stacked, self.scorers(case.model))
                samples.write(case, batch.pairs, batch.scores, pictures)
                found |= samples.find(case, batch.pairs, shown)
        return found

    def _keep_batch(self, case: Case, batch: Batch, shown: Collection[Pair]) -> dict[Pair, Sample]:
        samples = self.samples(case.model)
        pictures = {
            pair: self.folder.save_picture(case, pair, samples.picture_name(case, pair), image)
            for pair, image in zip(batch.pairs, batch.images, strict=True)
            if pair in shown
        }
        return samples.write(case, batch.pairs, batch.scores, pictures)


@dataclass(slots=True)
class _Work:
    """What was generated for a case, and how long that took."""

    generated: int = 0
    seconds: float = 0.0


@contextmanager
def _in_words(case: Case) -> Iterator[None]:
    """Say of which case something went wrong."""
    try:
        yield
    except (StoreError, OSError, ValueError, SeedVectorError) as error:
        raise CaseError(f"{case.model}, {case.describe()}: {error}") from error


def strip(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs whose pictures are shown: the first `STRIP` whose labels differ."""
    by_label: dict[str, Pair] = {}
    for pair in pairs:
        by_label.setdefault(pair.label.name, pair)
    return tuple(by_label.values())[:STRIP]


def _without(pairs: Sequence[Pair], found: Collection[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair not in found]


def _columns(samples: Sequence[Sample], test: SequentialTest) -> dict[str, list[float]]:
    """By score that is asked for, the samples' values."""
    names = [constraint.score for constraint in test.constraints]
    return {name: [sample.scores[name] for sample in samples] for name in names}
