"""What one process works with: the model in memory, its scorers, the samples made so far; and a case's result."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pytest_seedshift import pairs as pairing
from pytest_seedshift import verdict
from pytest_seedshift.engine import CaseError, generate
from pytest_seedshift.models import catalogue
from pytest_seedshift.store import RunFolder, Sample
from pytest_seedshift.weights import WeightsNotFoundError

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.scorers.base import Scorer
    from pytest_seedshift.verdict import Constraint, Estimate, Finding

Progress: TypeAlias = "Callable[[Case, int, int], None]"
"""Called before and after every batch: the case, how many of its images there are, how many there will be."""

STRIP = 8
"""How many pictures of a case are kept and shown."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case, judged: what the `reliability` fixture gives to a test."""

    case: Case
    samples: tuple[Sample, ...]
    """One for each pair of the design, in the design's order."""
    control: tuple[Sample, ...]
    """The control's samples of the same pairs, as far as they exist."""
    scores: dict[str, Estimate]
    """By score (`top1`, `top5`, `clip`): mean and 99 % interval."""
    findings: tuple[Finding, ...]
    """Each bound that was asked, held against the measurement."""
    seconds: float
    """How long generating and scoring took."""
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
        """The control's mean on the same pairs; None where the control was not run on all of them."""
        if len(self.control) < len(self.samples):
            return None
        return verdict.estimate(score, [sample.scores[score] for sample in self.control]).mean


class Workbench:
    """Makes samples and results, and makes none twice. Holds one model at a time."""

    def __init__(self, folder: RunFolder, device: str, dtype: str, batch_size: int) -> None:
        """Work on `device` (such as `cuda:0`), in `dtype` (such as `float32`), `batch_size` images at once."""
        self.folder = folder
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size
        self._model: TextToImage | None = None
        self._scorers: dict[str, Scorer] = {}
        self._samples: dict[Case, dict[Pair, Sample]] = {}

    def model(self, name: str) -> TextToImage:
        """The loaded model; the one before it is freed if it is another.

        Raises:
            CaseError: it cannot be loaded.
        """
        if self._model is None or self._model.name != name:
            self._model = None
            gc.collect()  # a pipeline is full of cycles: without this the next model meets the last one's memory
            try:
                self._model = catalogue.load(catalogue.find(name), self.device, self.dtype)
            except (OSError, ValueError, WeightsNotFoundError) as error:
                raise CaseError(f"{name} cannot be loaded: {error}") from error
        return self._model

    def scorers(self, name: str) -> tuple[Scorer, ...]:
        """The scorers that belong to a model, shared with every other model that has the same.

        Raises:
            CaseError: one cannot be loaded.
        """
        from pytest_seedshift.scorers.clip import ClipScore
        from pytest_seedshift.scorers.vit import Classifier

        entry = catalogue.find(name)
        for source, load in ((entry.classifier, Classifier.load), (entry.clip, ClipScore.load)):
            if source not in self._scorers:
                try:
                    self._scorers[source] = load(source, self.device)
                except (OSError, ValueError, WeightsNotFoundError) as error:
                    raise CaseError(f"the scorer {source} of {name} cannot be loaded: {error}") from error
        return self._scorers[entry.classifier], self._scorers[entry.clip]

    def run(
        self, case: Case, constraints: Sequence[Constraint], images: int | None = None, progress: Progress | None = None
    ) -> CaseResult:
        """Generate, score and judge a case.

        Args:
            case: which model under which shift.
            constraints: what is asked of it, not empty.
            images: the size of the design; None for four a class.
            progress: see `Progress`.

        Raises:
            CaseError: the case cannot be judged.
        """
        design = design_of(case.model, images)
        self.model(case.model), self.scorers(case.model)  # loading is no part of a case's time
        start = time.perf_counter()
        samples = self.samples(case, design, progress)
        seconds = time.perf_counter() - start
        compared = any(constraint.max_drop is not None for constraint in constraints)
        control = self.samples(case.control, design if compared else strip(design), progress)
        scores = {name: [sample.scores[name] for sample in samples] for name in samples[0].scores}
        known = self._samples[case.control]
        reference = {name: [sample.scores[name] for sample in control] for name in control[0].scores}
        try:
            return CaseResult(
                case=case,
                samples=samples,
                control=tuple(known[pair] for pair in design if pair in known),
                scores={name: verdict.estimate(name, values) for name, values in scores.items()},
                findings=verdict.judge(constraints, scores, reference if compared else None),
                seconds=seconds,
                device=self.device,
                dtype=self.dtype,
            )
        except ValueError as error:
            raise CaseError(f"{case.model}, {case.describe()}: {error}") from error

    def samples(self, case: Case, pairs: Sequence[Pair], progress: Progress | None = None) -> tuple[Sample, ...]:
        """The samples of some pairs of a case. Those that exist are not made again.

        Raises:
            CaseError: a sample cannot be made.
        """
        known = self._samples.setdefault(case, {})
        missing = [pair for pair in pairs if pair not in known]
        if missing:
            model, scorers = self.model(case.model), self.scorers(case.model)
            fingerprints = {"model": model.fingerprint, "scorers": "+".join(scorer.fingerprint for scorer in scorers)}
            shown = set(strip(pairs))
            done = len(pairs) - len(missing)
            if progress:
                progress(case, done, len(pairs))
            for batch in generate(case, missing, model, scorers, self.batch_size):
                made = [
                    Sample(case, pair, scores, self.folder.save_picture(case, pair, image) if pair in shown else None)
                    for pair, image, scores in zip(batch.pairs, batch.images, batch.scores, strict=True)
                ]
                self.folder.append(made, fingerprints)
                known.update((sample.pair, sample) for sample in made)
                done += len(made)
                if progress:
                    progress(case, done, len(pairs))
        return tuple(known[pair] for pair in pairs)


def design_of(model: str, images: int | None) -> tuple[Pair, ...]:
    """The design of a model's cases: its class list and so many images, four a class where `images` is None.

    Raises:
        ValueError: an unknown model, or fewer images than classes.
    """
    labels = pairing.class_list(catalogue.find(model).classes)
    return pairing.design(labels, images or pairing.IMAGES_PER_CLASS * len(labels))


def strip(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs whose pictures are shown: the first `STRIP` whose labels differ."""
    by_label: dict[str, Pair] = {}
    for pair in pairs:
        by_label.setdefault(pair.label.name, pair)
    return tuple(by_label.values())[:STRIP]
