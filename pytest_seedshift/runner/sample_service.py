"""The samples of a run: what exists is found, what is made is kept, and how fast it is made is remembered."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.cases import CaseError, judging, judging_case
from pytest_seedshift.models import latents, process_settings
from pytest_seedshift.results.sample_rows import Pace
from pytest_seedshift.results.sample_store import Store
from pytest_seedshift.runner import batch_size as batch_sizes
from pytest_seedshift.runner import finishing, flat_images, generate
from pytest_seedshift.runner.kept_pictures import Keep, KeptPictures
from pytest_seedshift.runner.orders import Made, Row
from pytest_seedshift.runner.samples import Known, Sample, Samples
from pytest_seedshift.runner.settings_in_effect import SettingsInEffect
from pytest_seedshift.scorers import transfers

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.run_settings import Settings
    from pytest_seedshift.runner.generate import Engine
    from pytest_seedshift.runner.model_pool import ModelPool
    from pytest_seedshift.runner.references import References
    from pytest_seedshift.runner.work import Work


class SampleService:
    """Finds the samples of a run folder, stores what is made, and says where it is made and in which batches."""

    def __init__(
        self,
        pool: ModelPool,
        folder: RunFolder,
        *,
        batch_size: int | None = None,
        keep: Keep = "report",
        forget: bool = False,
        references: Callable[[], References] | None = None,
    ) -> None:
        """Serve the samples of a pool's models in a run folder.

        `references` gives the baseline's pictures that samples are compared with.
        `batch_size` images are generated at once; None finds a good number for each model and remembers it. With
        `forget` the store is neither read nor written.
        """
        self.pool = pool
        self.folder = folder
        self._batch_size = batch_size
        self._pictures = KeptPictures("none" if forget else keep)
        self._store_path = Path(":memory:") if forget else folder.samples_file
        self._store: Store | None = None
        self._samples: dict[tuple[str, tuple[str, ...]], Samples] = {}
        self._known = Known()
        self._references = references
        self._least: dict[Case, float] = {}
        """By case, the least likeness that was seen: the picture of which it is is kept."""
        self._settings = SettingsInEffect(pool, folder, write=not forget)
        self._first: dict[str, bytes] = {}
        """Of each model, the sketch of a picture that its control's others are held against."""

    # What exists -------------------------------------------------------------------------------------------------

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
        """Close the store."""
        if self._store is not None:
            self._store.close()
        self._store = None
        self._samples.clear()
        self._known = Known()

    def samples(self, model: str) -> Samples:
        """A model's samples under the settings that are in force now. The model itself is not loaded.

        Raises:
            CaseError: weights that cannot be had, or a store that cannot be opened.
        """
        if model in self.pool.absent:
            raise CaseError(self.pool.absent[model])
        in_force = process_settings.in_force(self.pool.device)
        if (model, in_force) not in self._samples:
            self.pool.catalogue.find(model)
            with judging(f"{model} cannot be judged"):
                prints = self.pool.scorers.fingerprints(model)
                references = None if self._references is None else self._references()
                scorers = tuple(prints.values()) if references is None else references.fingerprints(model, prints)
                of_model = self.pool.fingerprint(model, in_force)
                self._tell_of_change(model, in_force)
                self._samples[model, in_force] = Samples(
                    self.store,
                    self.folder,
                    of_model,
                    scorers,
                    self.pool.scorers.kinds,
                    self._known,
                    references,
                )
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

    def find(self, case: Case, pairs: Sequence[Pair], shown: Collection[Pair] = ()) -> dict[Pair, Sample]:
        """The samples that exist, also those whose pictures other scorers have left; those of `shown` need a picture.

        Raises:
            CaseError: a scorer that cannot be loaded, or gives NaN or Inf; a store that cannot be read.
        """
        found = self.samples(case.model).find(case, pairs, shown)
        if len(found) < len(pairs) and self.pool.is_here:
            found |= self._scored_anew(case, [pair for pair in pairs if pair not in found], shown)
        return found

    def _scored_anew(self, case: Case, pairs: Sequence[Pair], shown: Collection[Pair]) -> dict[Pair, Sample]:
        """Of pictures that other scorers have left; the model is not needed. One that is not as it was is left."""
        if "control" in self.pool.scorers.beside(case.model).values():  # whose pictures may not be there
            return {}
        samples = self.samples(case.model)
        pictures = samples.pictures(case, pairs)
        size = self._batch_size or batch_sizes.MOST
        found: dict[Pair, Sample] = {}
        for start in range(0, len(pictures), size):
            chunk = list(pictures)[start : start + size]
            loaded = {pair: self.folder.load_picture(pictures[pair]) for pair in chunk}
            images = {pair: torch.from_numpy(image) for pair, image in loaded.items() if image is not None}
            if images:
                stacked = transfers.send(torch.stack(list(images.values())), self.pool.device)
                rows = tuple(self._compared([Row(case, pair) for pair in images]))
                scorers = self.pool.scorers
                batch = generate.score(
                    generate.Batch(rows, stacked), scorers.of_model(case.model), partial(scorers.embedder, case.model)
                )
                samples.write(case, batch.pairs, batch.scores, pictures, batch.likeness)
                found |= samples.find(case, batch.pairs, shown)
        return found

    def missing(self, case: Case, design: Sequence[Pair]) -> list[Pair]:
        """The pairs of a design whose samples do not exist, or lack a picture that is to be shown.

        Raises:
            CaseError: the store or the weights cannot be read.
        """
        with judging_case(case):
            found = self.samples(case.model).find(case, design, self.shown(design))
            return [pair for pair in design if pair not in found]

    def shown(self, design: Sequence[Pair]) -> frozenset[Pair]:
        """The pairs of a design whose pictures are to be kept."""
        return self._pictures.shown(design)

    def visited(self, case: Case, design: int, seed: int = 0) -> int | None:
        """How many images the last verdict about the case took, on a design of that size and seed."""
        with judging_case(case):
            return self.store.visited(self.samples(case.model).model, case.shift, case.magnitude, _design(design, seed))

    def set_visited(self, case: Case, design: int, images: int, seed: int = 0) -> None:
        """Remember how many images a verdict about the case took."""
        model = self.samples(case.model).model
        self.store.set_visited(model, case.shift, case.magnitude, _design(design, seed), images)

    def run_with(self, model: str) -> Settings:
        """What a model is run with, in effect: as it was loaded, here or before, else as its files show.

        Raises:
            CaseError: weights that cannot be had, or a store that cannot be opened.
        """
        return self._settings.of(model, self.samples(model).model)

    def size(self, model: str) -> tuple[int, int] | None:
        """Width and height of a model's pictures, in pixels; None where that is not known before some are made.

        Raises:
            CaseError: see `run_with`.
        """
        found = self.run_with(model)
        width, height = found.get("width"), found.get("height")
        return (width, height) if isinstance(width, int) and isinstance(height, int) else None

    # Where and how samples are made ------------------------------------------------------------------------------

    def engine(self, model: str) -> Engine:
        """The model with its scorers in this process, at a batch size that suits it.

        Raises:
            CaseError: something cannot be loaded.
        """
        found = self.pool.engine(model, self._suitable_batch_size)
        self._settings.keep(model, self.samples(model).model)
        return found

    def batch_size(self, model: str) -> int:
        """How many images are generated at once; without loading a model that may not be needed."""
        running = self.pool.running_batch_size(model)
        if running is not None:
            return running
        pace = self.pace(model)
        return self._batch_size or (batch_sizes.MOST if pace is None else pace.batch_size)

    def pace(self, model: str) -> Pace | None:
        """How the model ran on this device before; None where it did not."""
        of_model = self.samples(model)  # says of which model it is where the store cannot be opened
        return self.store.pace(of_model.model, self.pool.hardware)

    def remember(self, model: str, work: Work) -> Pace:
        """Remember how fast a model is, unless the user has set a batch size: another run should not take it over."""
        pace = Pace(self.engine(model).batch_size, work.seconds / work.generated if work.generated else None)
        if self._batch_size is None and work.generated:
            self._set_pace(model, pace)
        return pace

    def batch_size_on(self, model: str, kind: str) -> int | None:
        """How many images at once suit a model on some hardware elsewhere; None where that is not known."""
        if self._batch_size is not None:
            return None
        found = self.store.pace(self.samples(model).model, kind)
        return None if found is None else found.batch_size

    def remember_on(self, model: str, kind: str, batch_size: int, work: Work) -> None:
        """Remember how fast a model is on some hardware elsewhere; see `remember`."""
        if self._batch_size is None and work.generated:
            pace = Pace(batch_size, work.seconds / work.generated or None)
            self.store.set_pace(self.samples(model).model, kind, pace)

    def _suitable_batch_size(self, model: TextToImage) -> int:
        if self._batch_size:
            return self._batch_size
        with self.folder.lock(f"batch size {model.name}"):  # processes that measure at once measure each other
            pace = self.pace(model.name)
            if pace is None:
                catalogue = self.pool.catalogue
                pairs = latents.trial(catalogue.find(model.name), catalogue.design(model.name, None))
                pace = Pace(batch_sizes.find_batch_size(model, pairs))
                self._set_pace(model.name, pace)
        return pace.batch_size

    def _set_pace(self, model: str, pace: Pace) -> None:
        self.store.set_pace(self.samples(model).model, self.pool.hardware, pace)

    # What is made ------------------------------------------------------------------------------------------------

    def rows(self, case: Case, pairs: Sequence[Pair], shown: Collection[Pair]) -> list[Row]:
        """What is to be made for some pairs of a case, of which those of `shown` need a picture."""
        given = {} if self.pool.is_here else self._given(case, pairs)
        return self._compared(
            [
                Row(case, pair, "never", given[pair])
                if pair in given
                else Row(case, pair, self._pictures.wanted(case, shown=pair in shown))
                for pair in pairs
            ]
        )

    def _compared(self, rows: list[Row]) -> list[Row]:
        """Rows of one case, those with a picture of the baseline that they are to be compared with."""
        if not rows:
            return rows
        case, samples = rows[0].case, self.samples(rows[0].case.model)
        held = samples.referenced(case, [row.pair for row in rows])
        return [replace(row, reference=samples.reference(case, row.pair)) if row.pair in held else row for row in rows]

    def _given(self, case: Case, pairs: Sequence[Pair]) -> dict[Pair, bytes]:
        """Pictures that other scorers have left, for whoever has scorers."""
        if "control" in self.pool.scorers.beside(case.model).values():  # whose pictures may not be there
            return {}
        found = self.samples(case.model).pictures(case, pairs).items()
        contents = {pair: self.folder.read_picture(picture) for pair, picture in found}
        return {pair: content for pair, content in contents.items() if content is not None}

    def keep(self, made: Sequence[Made], shown: Collection[Pair]) -> dict[Row, Sample]:
        """Store what was made of a model, with the pictures of `shown` and those that are informative.

        Raises:
            StoreError: it cannot be written.
            OSError: a picture cannot be written.
        """
        kept: dict[Row, Sample] = {}
        for case in dict.fromkeys(each.row.case for each in made):
            kept |= self._keep(case, [each for each in made if each.row.case == case], shown)
        return kept

    def _keep(self, case: Case, made: Sequence[Made], shown: Collection[Pair]) -> dict[Row, Sample]:
        samples = self.samples(case.model)
        self._settings.keep(case.model, samples.model, made[0].size)
        self._look_at(samples, case, made)
        pictures = {
            each.row.pair: self.folder.save_picture(
                case, each.row.pair, samples.picture_name(case, each.row.pair), each.picture
            )
            for each in made
            if each.picture is not None
            and (
                each.row.pair in shown
                or self._is_least(each)
                or (finishing.keeps(each.row, each.scores) and self._pictures.take(case))
            )
        }
        given = [each.row.pair for each in made if each.was_given]
        pictures |= samples.pictures(case, given) if given else {}
        pairs, scores = [each.row.pair for each in made], [each.scores for each in made]
        written = samples.write(case, pairs, scores, pictures, [each.likeness for each in made])
        return {each.row: written[each.row.pair] for each in made}

    def _is_least(self, made: Made) -> bool:
        """Whether an image is less like the baseline's than all before it of its case, so that it may be shown."""
        ssim = made.likeness.get("ssim", 1.0)
        if ssim >= self._least.get(made.row.case, 1.0):
            return False
        self._least[made.row.case] = ssim
        return True

    def _look_at(self, samples: Samples, case: Case, made: Sequence[Made]) -> None:
        """Remember what `broken` asks of images: nearly always nothing, and then nothing is written."""
        if flat := [each.row.pair for each in made if each.flat]:
            samples.mark(flat_images.FLAT, case, flat)
        sketched = [each for each in made if each.sketch]
        if sketched:
            first = self._first.setdefault(case.model, sketched[0].sketch)
            if same := [each.row.pair for each in sketched if flat_images.alike(each.sketch, first)]:
                samples.mark(flat_images.SAME, case, same)


def _design(size: int, seed: int) -> int:
    """How the store names a design where it remembers verdicts: by its size, with its seed before that."""
    return size + seed * 10**9
