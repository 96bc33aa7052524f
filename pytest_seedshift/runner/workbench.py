"""What one process works with: the model in memory, its scorers, the store; and a case on its way to a verdict."""

from __future__ import annotations

import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from pytest_seedshift.core import fingerprint, score_kinds, scores
from pytest_seedshift.core import pairs as pairing
from pytest_seedshift.core.cases import Case, CaseError, UnusableModelError, judging
from pytest_seedshift.core.errors import ModelError, SeedshiftError, SeedshiftUsageError
from pytest_seedshift.core.tensors import TensorError
from pytest_seedshift.models import catalogue as catalogues
from pytest_seedshift.models import fingerprint as identity
from pytest_seedshift.models import habits, locate, memory, needed_scorers, process_settings, sampling_notes
from pytest_seedshift.results import metadata, run_settings
from pytest_seedshift.results.sample_rows import Pace
from pytest_seedshift.results.sample_store import Store
from pytest_seedshift.runner import batch_size as pacing
from pytest_seedshift.runner import flat_images, generate
from pytest_seedshift.runner.generate import Batch, Engine, Maker
from pytest_seedshift.runner.samples import Sample, Samples
from pytest_seedshift.scorers import devices
from pytest_seedshift.scorers import fingerprint as scorer_fingerprint

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import Entry, TextToImage
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.models.location import Location
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.run_settings import Settings
    from pytest_seedshift.runner.generate import Scores
    from pytest_seedshift.scorers.base import Embedder, Scorer
    from pytest_seedshift.scorers.plugin_scorer import OwnScorer

Keep: TypeAlias = Literal["report", "all", "none"]
"""Which pictures are saved: those that the report shows, all, or none."""

STRIP = 8
"""How many pictures of a case the report shows."""

_TELLING = 16
"""How many more of a case are kept that tell something: what a shift broke, and twice as many of the control's, so that
the report can show what was right before and is wrong now."""


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
        maker: Callable[[str], Maker] | None = None,
        on_load: Callable[[], None] | None = None,
        needs: needed_scorers.Scorers = needed_scorers.every,
    ) -> None:
        """Work on `device` (such as `cuda:0`), in `dtype` (such as `float32`; None for each model's own).

        `catalogue` says what the names of models stand for; None for the shipped one.
        `batch_size` images are generated at once; None finds a good number for each model and remembers it. With
        `forget` the store is neither read nor written. `maker` says where the samples of a model are made, by its name;
        None for this process. `on_load` is called each time that a model was loaded. `needs` says which of the shipped
        scorers a model's samples are scored by.
        """
        self.folder = folder
        self.device = device
        self.catalogue = catalogue or catalogues.shipped()
        self._dtype = dtype
        self._on_load = on_load
        self._needs = needs
        self._batch_size = batch_size
        self._keep: Keep = "none" if forget else keep
        self._store_path = Path(":memory:") if forget else folder.samples_file
        self._store: Store | None = None
        self._samples: dict[tuple[str, tuple[str, ...]], Samples] = {}
        self._model: TextToImage | None = None
        self._engine: Engine | None = None
        self._elsewhere = maker
        self._scorers: dict[str, Scorer] = {}
        self._own: dict[str, OwnScorer] = {}
        self._checked: set[str] = set()
        self._measured: dict[Case, Work] = {}
        self._told: Counter[Case] = Counter()
        self._settings: dict[str, Settings] = {}
        """By a model's fingerprint, what it was run with, as it was when it was loaded here."""
        self._unusable: dict[str, str] = {}
        """Models that cannot be loaded or run, and why."""
        self.broken: set[str] = set()
        """Models of which was seen that they are broken without any shift; see `broken`."""
        self._first: dict[str, Tensor] = {}
        """Of each model, a picture that its control's others are held against."""
        self.absent: dict[str, str] = {}
        """By model that is only planned, and is not on this machine: where it would come from."""

    @property
    def overlaps(self) -> bool:
        """Whether a batch is scored while the next one is generated. A CPU has no hands free for that."""
        return self.device.startswith("cuda")

    def is_absent(self, model: str) -> bool:
        """Whether nothing can be known of a model's samples, nor made: it is only planned, and not here."""
        return model in self.absent

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
            SeedshiftError: an unknown model.
        """
        return self._dtype or self.catalogue.find(model).dtype_on(self.device) or devices.resolve(self.device, None)[1]

    def notes(self, model: str) -> list[str]:
        """What the user should know of how a model is run.

        Raises:
            CaseError: weights that cannot be had.
        """
        entry = self._entry(model)
        with judging(f"{model} cannot be judged"):
            of_habits: list[str] = []
            if entry.own is None:
                location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
                of_habits += [*location.notes(model), *habits.notes(location, entry)]
                of_habits += sampling_notes.notes(location, entry)
                if (of_memory := memory.note(location, entry, self.device, self.dtype(model))) is not None:
                    of_habits.append(of_memory)
            of_labels = self.catalogue.check_labels(entry)
            same_as = self.catalogue.same_as(model)
        found = [] if of_labels is None else [of_labels]
        if (of_settings := process_settings.note(process_settings.in_force(self.device))) is not None:
            found.append(of_settings)
        if same_as is not None:
            found.append(f"{model} is {same_as} itself: what its name changes is so already. They share their samples")
        return [*found, *of_habits]

    def samples(self, model: str) -> Samples:
        """A model's samples under the settings that are in force now. The model itself is not loaded.

        Raises:
            CaseError: weights that cannot be had, or a store that cannot be opened.
        """
        if self.is_absent(model):
            raise CaseError(f"{model} is not here: {self.absent[model]}")
        in_force = process_settings.in_force(self.device)
        if (model, in_force) not in self._samples:
            entry = self.catalogue.find(model)
            with judging(f"{model} cannot be judged"):
                scorers = self.scorer_prints(model).values()
                if entry.own is None:
                    of_model = identity.of_model(entry, self.device, self.dtype(model))
                else:  # only the model itself can say
                    where = self.device.partition(":")[0], self.dtype(model)
                    of_model = fingerprint.of_own("model", self.model(model).fingerprint, model, *where, *in_force)
                self._tell_of_change(model, in_force)
                self._samples[model, in_force] = Samples(self.store, self.folder, of_model, tuple(scorers))
        return self._samples[model, in_force]

    def _tell_of_change(self, model: str, in_force: tuple[str, ...]) -> None:
        """Warn of settings that have changed since the first samples of a model were looked for."""
        before = next((each for known, each in self._samples if known == model), in_force)
        if before != in_force:
            now = ", ".join(in_force) or "all at their defaults"
            warnings.warn(
                f"{model}: settings of this process that change pictures were changed after the run's start "
                f"(now: {now}; before: {', '.join(before) or 'all at their defaults'}). Samples under one are not used "
                "under the other: set them where conftest.py is read, not in a fixture",
                stacklevel=3,
            )

    def model(self, name: str) -> TextToImage:
        """The loaded model; the one before it is freed if it is another.

        Raises:
            CaseError: it cannot be loaded.
        """
        if name in self._unusable:  # every case of it would load it again, to fail in the same way
            raise UnusableModelError(self._unusable[name])
        if self._model is None or self._model.name != name:
            self._model = self._engine = None
            devices.free_memory()  # a pipeline is full of cycles: the next model would meet the last one's memory
            try:
                self._model = _load(self.catalogue.find(name), self.device, self.dtype(name))
            except (SeedshiftError, OSError) as error:
                raise self._refusal(name, f"{name} cannot be loaded: {error}") from error
            if self._on_load is not None:
                self._on_load()
        return self._model

    def _refusal(self, name: str, reason: str) -> UnusableModelError:
        self._model = self._engine = None
        self._unusable[name] = reason
        return UnusableModelError(reason)

    def scorers(self, name: str) -> tuple[Scorer, ...]:
        """The scorers that belong to a model, shared with every other model that has the same.

        Raises:
            CaseError: one cannot be loaded.
        """
        found = *(self.scorer(name, each) for each in self._shipped(name)), *map(self.own_scorer, scores.own())
        if name not in self._checked:
            for scorer in found:
                try:
                    scorer.check(pairing.class_list(self.catalogue.find(name).classes))
                except SeedshiftError as error:
                    raise UnusableModelError(f"{name} cannot be judged: {error}") from error
                except Exception as error:  # of a library over a strange classifier
                    whose = f"the scorer {getattr(scorer, 'name', '')} cannot be asked for its classes"
                    raise UnusableModelError(f"{name} cannot be judged: {whose}: {_said(error)}") from error
            self._checked.add(name)
        return found

    def embedder(self, model: str) -> Embedder:
        """The scorer whose embeddings say how unlike two images of a model are: its CLIP.

        Raises:
            CaseError: it cannot be loaded.
        """
        from pytest_seedshift.scorers.base import Embedder

        found = self.scorer(model, needed_scorers.CLIP)
        assert isinstance(found, Embedder)
        return found

    def scorer(self, model: str, which: str) -> Scorer:
        """One of a model's shipped scorers (see `needed_scorers`), whether its samples are scored by it or not.

        Raises:
            CaseError: it cannot be loaded.
        """
        from pytest_seedshift.scorers.classifier import Classifier
        from pytest_seedshift.scorers.clip import ClipScore

        source: str = getattr(self.catalogue.find(model), which)
        if source not in self._scorers:
            load = ClipScore.load if which == needed_scorers.CLIP else Classifier.load
            try:
                self._scorers[source] = load(source, self.device)
            except Exception as error:  # of strange settings libraries, and what looks at them, raise anything
                raise UnusableModelError(f"the scorer {source} of {model} cannot be loaded: {_said(error)}") from error
        return self._scorers[source]

    def scorer_prints(self, model: str) -> dict[str, str]:
        """The fingerprints of what a model's samples are scored by: of shipped scorers, then by score of one's own.

        Raises:
            CaseError: a scorer of the user's own that cannot be made.
            SeedshiftError: weights that cannot be had or read.
        """
        of = {
            needed_scorers.CLASSIFIER: scorer_fingerprint.of_classifier,
            needed_scorers.CLIP: scorer_fingerprint.of_clip,
        }
        entry = self.catalogue.find(model)
        found = {each: of[each](getattr(entry, each)) for each in self._shipped(model)}
        return found | {score: self.own_scorer(score).fingerprint for score in scores.own()}

    def measures(self, model: str) -> tuple[str, ...]:
        """The scores that a model's samples have."""
        shipped = {score for each in self._shipped(model) for score in needed_scorers.SCORES[each]}
        return tuple(score for score in scores.SCORES if score in shipped or score not in score_kinds.BUILT_IN)

    def _shipped(self, model: str) -> list[str]:
        """Which of the shipped scorers a model's samples are scored by, in their order."""
        wanted = self._needs(model)
        return [each for each in needed_scorers.SCORES if each in wanted]

    def _entry(self, model: str) -> Entry:
        """A model's entry, without the sources of scorers that are not needed."""
        return needed_scorers.without_others(self.catalogue.find(model), self._needs(model))

    def own_scorer(self, score: str) -> OwnScorer:
        """The scorer of a score of the user's own.

        Raises:
            CaseError: it cannot be made.
        """
        from pytest_seedshift.scorers.plugin_scorer import OwnScorer

        if score not in self._own:
            try:
                self._own[score] = OwnScorer.load(score, self.device)
            except SeedshiftError as error:
                raise CaseError(str(error)) from error
        return self._own[score]

    def engine(self, name: str) -> Engine:
        """The model with its scorers in this process, at a batch size that suits it.

        Raises:
            CaseError: something cannot be loaded.
        """
        model, scorers = self.model(name), self.scorers(name)
        if self._engine is None:
            try:
                if self.catalogue.find(name).own is None:  # of one's own, a whole image would have to be made
                    pacing.try_step(model, self.catalogue.design(name, None)[0])
                size = self._batch_size or self._found_batch_size(model)
            except TensorError as error:  # what is wrong with its images is wrong with those of a case
                raise CaseError(f"{name}: {error}") from error
            except (ModelError, SeedshiftUsageError) as error:
                raise self._refusal(name, f"{name} cannot generate: {error}") from error
            known = self.dtype(name) if self.catalogue.find(name).own is None else None  # one's own may not heed it
            self._engine = Engine(model, scorers, size, overlap=self.overlaps, dtype=known)
            self._keep_settings(name)
        return self._engine

    def run_with(self, name: str) -> Settings:
        """What a model is run with, in effect: as it was loaded, here or before, else as its files tell.

        Raises:
            CaseError: weights that cannot be had, or a store that cannot be opened.
        """
        version = self.samples(name).model
        if version in self._settings:
            return self._settings[version]
        kept = run_settings.read(self.folder, version)
        if kept:
            return self._with_place(name, kept)
        entry, found = self.catalogue.find(name), {"dtype": self.dtype(name)}
        if entry.own is not None:
            found["pipeline"] = type(self.model(name)).__name__
        else:
            from pytest_seedshift.models import in_effect  # diffusers, which what makes its samples needs as well

            found = in_effect.of_files(entry, _locate(entry), self.dtype(name))
        return self._with_place(name, found)

    def _with_place(self, name: str, found: Settings) -> Settings:
        entry = self.catalogue.find(name)
        process = list(process_settings.in_force(self.device))
        place = {"device": self.device.partition(":")[0], "classes": metadata.place(entry.classes)}
        if entry.own is None:
            found = {**found, "variants": _locate(entry).variants}
        return run_settings.checked({**found, **place, "process": process, "prompt": pairing.PROMPT})

    def _keep_settings(self, name: str, size: tuple[int, int] | None = None) -> None:
        """Keep what the loaded model is run with; its images, as soon as there are some, tell their (height, width)."""
        version = self.samples(name).model
        known = self._settings.get(version)
        if size is not None and known is not None and (known.get("height"), known.get("width")) == size:
            return
        if known is None:
            known = self._with_place(name, _in_effect(self.model(name), self.dtype(name)))
            before = run_settings.read(self.folder, version)
            known = {**{side: before[side] for side in ("height", "width") if side in before}, **known}
        if size is not None:
            known = {**known, "height": size[0], "width": size[1]}
        self._settings[version] = run_settings.checked(known)
        if self._store_path != Path(":memory:"):
            with suppress(OSError):  # what cannot be written there the samples will tell
                run_settings.write(self.folder, version, self._settings[version])

    def maker(self, name: str) -> Maker:
        """What makes a model's samples: the engine in this process, unless another place was named.

        Raises:
            CaseError: something cannot be loaded.
        """
        return self.engine(name) if self._elsewhere is None else self._elsewhere(name)

    def pace(self, model: str) -> Pace | None:
        """How the model ran on this device before; None where it did not."""
        of_model = self.samples(model)  # says of which model it is where the store cannot be opened
        return self.store.pace(of_model.model, devices.describe(self.device))

    def measure(self, case: Case, design: Sequence[Pair], images: int | None = None) -> Pace:
        """Find the pace of a case's model by making the next batch of the case's first `images` pairs, which is kept.

        Raises:
            CaseError: the model cannot generate.
        """
        work, shown = Work(), self.shown(design)
        with in_words(case):
            missing = self.missing(case, design[:images])[: self.maker(case.model).batch_size]
            if case.is_control and missing:
                self.control(case, design, design.index(missing[0]) + 1, shown, work)
            else:
                self.collect(case, missing, shown, work)
            self._measured[case] = work
            return self.remember(case.model, work)

    def missing(self, case: Case, design: Sequence[Pair]) -> list[Pair]:
        """The pairs of a design whose samples do not exist, or lack a picture that is to be shown.

        Raises:
            CaseError: the store or the weights cannot be read.
        """
        with in_words(case):
            return _without(design, self.samples(case.model).find(case, design, self.shown(design)))

    def visited(self, case: Case, design: int, seed: int = 0) -> int | None:
        """How many images the last verdict about the case took, on a design of that size and seed."""
        with in_words(case):
            return self.store.visited(self.samples(case.model).model, case.shift, case.magnitude, _design(design, seed))

    def set_visited(self, case: Case, design: int, images: int, seed: int = 0) -> None:
        """Remember how many images a verdict about the case took."""
        model = self.samples(case.model).model
        self.store.set_visited(model, case.shift, case.magnitude, _design(design, seed), images)

    def batch_size(self, model: str) -> int:
        """How many images are generated at once; without loading a model that may not be needed."""
        if self._engine is not None and self._engine.model.name == model:
            return self._engine.batch_size
        pace = self.pace(model)
        return self._batch_size or (pacing.MOST if pace is None else pace.batch_size)

    def shown(self, design: Sequence[Pair]) -> frozenset[Pair]:
        """The pairs of a design whose pictures are to be kept."""
        pairs = {"report": strip(design), "all": design, "none": ()}[self._keep]
        return frozenset(pairs)

    def _found_batch_size(self, model: TextToImage) -> int:
        with self.folder.lock(f"batch size {model.name}"):  # processes that measure at once measure each other
            pace = self.pace(model.name)
            if pace is None:
                design = self.catalogue.design(model.name, None)
                pace = Pace(pacing.find_batch_size(model, design))
                self._set_pace(model.name, pace)
        return pace.batch_size

    def remember(self, model: str, work: Work) -> Pace:
        """Remember how fast a model is, unless the user has set a batch size: another run should not take it over."""
        pace = Pace(self.maker(model).batch_size, work.seconds / work.generated if work.generated else None)
        if self._batch_size is None and work.generated:
            self._set_pace(model, pace)
        return pace

    def measured(self, case: Case) -> Work:
        """What was generated for a case before it was run, to be counted once."""
        return self._measured.pop(case, None) or Work()

    def _set_pace(self, model: str, pace: Pace) -> None:
        self.store.set_pace(self.samples(model).model, devices.describe(self.device), pace)

    # Samples -----------------------------------------------------------------------------------------------------

    def collect(self, case: Case, pairs: Sequence[Pair], shown: Collection[Pair], work: Work) -> list[Sample]:
        """The samples of some pairs, in their order; those that do not exist are made, by one process at a time.

        Those of `shown` need a picture. What is generated is added to `work`.

        Raises:
            CaseError: a sample cannot be made. (And StoreError, OSError, ValueError: see `in_words`.)
        """
        samples = self.samples(case.model)
        found = samples.find(case, pairs, shown)
        if len(found) < len(pairs):
            found |= self._score_anew(case, _without(pairs, found), shown)
        if len(found) < len(pairs):
            maker = self.maker(case.model)  # loaded before the lock, so that others wait for images only
            with self.folder.lock(case.id):
                found |= samples.find(case, _without(pairs, found), shown)
                missing = _without(pairs, found)
                start = time.perf_counter()
                for made in maker.run(case, missing, lambda batch: self._keep_batch(case, batch, shown)):
                    found |= made
                work.generated += len(missing)
                work.seconds += time.perf_counter() - start
        return [found[pair] for pair in pairs]

    def make(
        self,
        case: Case,
        pairs: Sequence[Pair],
        shown: Collection[Pair],
        also: Callable[[Case, Sequence[Pair], Tensor], None],
        work: Work,
    ) -> None:
        """Make samples of some pairs whether they exist or not, and give each batch's images to `also`.

        For what is measured on images besides their scores. Scores that exist stay as they are. Those of `shown` get a
        picture. What is generated is added to `work`.

        Raises:
            CaseError: a sample cannot be made. (And StoreError, OSError, ValueError: see `in_words`.)
        """
        maker = self.maker(case.model)

        def finish(batch: Batch) -> int:
            self._keep_batch(case, batch, shown)
            also(case, batch.pairs, batch.images)
            return len(batch.pairs)

        with self.folder.lock(case.id):
            start = time.perf_counter()
            work.generated += sum(maker.run(case, pairs, finish))
            work.seconds += time.perf_counter() - start

    def control(
        self, case: Case, design: Sequence[Pair], images: int, shown: Collection[Pair], work: Work
    ) -> list[Sample]:
        """The control's samples of at least the first `images` pairs of a design.

        Whoever needs them, in whatever order and process, makes them in the same batches: those that the design falls
        into from its start, whole. A sample's last digits depend on what it shares a batch with, and no verdict may
        depend on which cases have run before.

        Raises:
            CaseError: see `collect`.
        """
        case, wanted = case.control, design[:images]
        found = self.samples(case.model).find(case, wanted, shown)
        if len(found) == len(wanted):
            return list(found.values())
        size = self.maker(case.model).batch_size
        end = math.ceil(images / size) * size
        batches = [design[start : start + size] for start in range(0, end, size)]
        lacking = frozenset(_without(wanted, found))
        self.collect(case, [pair for batch in batches if lacking.intersection(batch) for pair in batch], shown, work)
        return self.collect(case, design[:end], shown, work)

    def _score_anew(self, case: Case, pairs: Sequence[Pair], shown: Collection[Pair]) -> dict[Pair, Sample]:
        """Score pictures that other scorers have left; the model is not needed. One that is not as it was is left."""
        samples = self.samples(case.model)
        pictures = samples.pictures(case, pairs)
        size = self._batch_size or pacing.MOST
        found: dict[Pair, Sample] = {}
        for start in range(0, len(pictures), size):
            chunk = list(pictures)[start : start + size]
            loaded = {pair: self.folder.load_picture(pictures[pair]) for pair in chunk}
            images = {pair: torch.from_numpy(image) for pair, image in loaded.items() if image is not None}
            if images:
                stacked = torch.stack(list(images.values())).to(self.device)
                batch = generate.score(case, tuple(images), stacked, self.scorers(case.model))
                samples.write(case, batch.pairs, batch.scores, pictures)
                found |= samples.find(case, batch.pairs, shown)
        return found

    def _keep_batch(self, case: Case, batch: Batch, shown: Collection[Pair]) -> dict[Pair, Sample]:
        samples = self.samples(case.model)
        if self._elsewhere is None:
            self._keep_settings(case.model, (batch.images.shape[-2], batch.images.shape[-1]))
        self._look_at(case, batch)
        pictures = {
            pair: self.folder.save_picture(case, pair, samples.picture_name(case, pair), image)
            for pair, image, values in zip(batch.pairs, batch.images, batch.scores, strict=True)
            if pair in shown or self._tells(case, values)
        }
        return samples.write(case, batch.pairs, batch.scores, pictures)

    def _look_at(self, case: Case, batch: Batch) -> None:
        """Remember what `broken` asks of images: nearly always nothing, and then nothing is written."""
        samples = self.samples(case.model)
        flat = [
            pair for pair, is_flat in zip(batch.pairs, flat_images.of_one_colour(batch.images), strict=True) if is_flat
        ]
        if flat:
            samples.mark(flat_images.FLAT, case, flat)
        if case.is_control and all(pair.noise is None for pair in batch.pairs):  # else noise is shared on purpose
            first = self._first.setdefault(case.model, batch.images[0].clone())
            if flat_images.alike(batch.images, first):
                samples.mark(flat_images.SAME, case, batch.pairs)

    def _tells(self, case: Case, found: Scores) -> bool:
        """Whether a picture is worth keeping for the report, which no verdict needs: see `_TELLING`."""
        wrong = any(values.get("top1") == 0 for values in found)
        if self._keep != "report" or not (case.is_control or wrong):
            return False
        if self._told[case] >= _TELLING * (2 if case.is_control else 1):
            return False
        self._told[case] += 1
        return True


def _said(error: Exception) -> str:
    """What an error says; of those that were not meant for a user, with their class."""
    meant = isinstance(error, (SeedshiftError, OSError))
    return str(error) if meant else f"{type(error).__name__}: {' '.join(str(error).split())}"


def _load(entry: Entry, device: str, dtype: str) -> TextToImage:
    if entry.own is not None:
        from pytest_seedshift.models import plugin_model

        return plugin_model.load(entry.own, device, dtype)
    from pytest_seedshift.models import load  # all of diffusers, which a run whose samples exist does not need

    return load.load(entry, device, dtype)


def _locate(entry: Entry) -> Location:
    return locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)


def _in_effect(model: TextToImage, dtype: str) -> Settings:
    """What a loaded model is run with; of one of the user's own no more is known than its class."""
    from pytest_seedshift.models.pipeline import DiffusersPipeline

    if isinstance(model, DiffusersPipeline):
        return model.settings(dtype)
    return {"pipeline": type(model).__name__, "dtype": dtype}


@dataclass(slots=True)
class Work:
    """What was generated for a case, and how long that took."""

    generated: int = 0
    seconds: float = 0.0


def in_words(case: Case) -> AbstractContextManager[None]:
    """Say of which case something went wrong."""
    return judging(f"{case.model}, {case.describe()}")


def strip(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs whose pictures are shown: the first `STRIP` whose labels differ."""
    by_label: dict[str, Pair] = {}
    for pair in pairs:
        by_label.setdefault(pair.label.name, pair)
    return tuple(by_label.values())[:STRIP]


def _design(size: int, seed: int) -> int:
    """How the store names a design where it remembers verdicts: by its size, with its seed before that."""
    return size + seed * 10**9


def _without(pairs: Sequence[Pair], found: Collection[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair not in found]
