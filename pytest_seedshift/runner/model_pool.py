"""The model in memory, one at a time, with its scorers; and which models there are none of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from pytest_seedshift.core import fingerprint
from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.errors import ModelError, SeedshiftError, SeedshiftUsageError
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.core.tensors import TensorError
from pytest_seedshift.models import catalogue as catalogues
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models import latents, needed_scorers
from pytest_seedshift.runner import batch_size as batch_sizes
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.runner.scorer_pool import ScorerPool
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry, TextToImage
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.runner.orders import Executor

_T = TypeVar("_T")


class ModelPool:
    """Loads models, each when it is needed, and holds the last one."""

    def __init__(
        self,
        device: str,
        dtype: str | None,
        *,
        catalogue: Catalogue | None = None,
        on_load: Callable[[], None] | None = None,
        needs: needed_scorers.Scorers = needed_scorers.every,
        kinds: ScoreRegistry = SHIPPED,
        elsewhere: Executor | None = None,
        spread: bool = False,
    ) -> None:
        """Hold models on `device` (such as `cuda:0`), in `dtype` (such as `float32`; None for each model's own).

        `catalogue` says what the names of models stand for; None for the shipped one. `on_load` is called each time
        that a model was loaded. `needs` says which of the shipped scorers a model's samples are scored by,
        `kinds` which scores of the user's own. `elsewhere` is where models are held in place of this process, on
        devices of the kind `device`. With `spread` each model has all GPUs that this process has.
        """
        self.device = device
        self.catalogue = catalogue or catalogues.shipped()
        self.scorers = ScorerPool(self.catalogue, device, needs, kinds)
        self._dtype = dtype
        self._on_load = on_load
        self._elsewhere = elsewhere
        self._spread = spread
        self._told: dict[str, str] = {}
        """By model of the user's own, the fingerprint that it gave when it was loaded last."""
        self._model: TextToImage | None = None
        self._engine: Engine | None = None
        self._unusable: dict[str, str] = {}
        """Models that cannot be loaded or run, and why."""
        self._broken: set[str] = set()
        self._absent: dict[str, str] = {}

    @property
    def overlaps(self) -> bool:
        """Whether a batch is scored while the next one is generated. A CPU has no hands free for that."""
        return self.device.startswith("cuda")

    def dtype(self, model: str) -> str:
        """The number type of a model: that of its name, what was asked for, that of its entry, or the device's.

        Raises:
            SeedshiftError: an unknown model.
        """
        entry = self.catalogue.find(model)
        return entry.engine.dtype or self._dtype or entry.dtype_on(self.device) or devices.usual_dtype(self.device)

    def fingerprint(self, model: str, in_force: tuple[str, ...]) -> str:
        """What a model's pictures depend on, under the settings of the process; one of the user's own is loaded for it.

        Raises:
            CaseError: it cannot be loaded.
            SeedshiftError: weights that cannot be had or read.
        """
        entry = self.catalogue.find(model)
        if entry.own is None:
            return fingerprints.of_model(entry, self.device, self.dtype(model))
        where = self.device.partition(":")[0], self.dtype(model)  # only the model itself can say
        return fingerprint.of_own("model", self._of_own(model), model, *where, *in_force)

    def _of_own(self, model: str) -> str:
        is_loaded = self._elsewhere is None and self._model is not None and self._model.name == model
        if is_loaded or model not in self._told:  # what it said is known of one that is not loaded any more
            self._told[model] = self.ask(model, _fingerprint_of_own)
        return self._told[model]

    # Here or elsewhere -------------------------------------------------------------------------------------------

    @property
    def is_here(self) -> bool:
        """Whether this process holds the models, rather than a cluster."""
        return self._elsewhere is None

    @property
    def hardware(self) -> str:
        """What the models run on, such as `NVIDIA H200`; of a cluster all kinds that it has now."""
        if self._elsewhere is None:
            return devices.describe(self.device)
        return ", ".join(sorted({slot.kind for slot in self._elsewhere.slots()}))

    def ask(self, name: str, study: Callable[..., _T], *arguments: object) -> _T:
        """What a study says of a loaded model, wherever that is: `study(pool, name, *arguments)`.

        Raises:
            CaseError: it cannot be loaded, or whatever of that kind the study raises.
            HarnessError: there is no place left where it could be.
        """
        if self._elsewhere is None:
            return study(self, name, *arguments)
        found: _T = self._elsewhere.call(name, study, *arguments)
        return found

    # What is in memory -------------------------------------------------------------------------------------------

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
            self._model = self.apart(name)
        return self._model

    def apart(self, name: str) -> TextToImage:
        """A model that is loaded besides the one that is held, for who compares two; whoever has it frees it.

        Raises:
            CaseError: it cannot be loaded.
        """
        load = _load_spread if self._spread else _load
        try:
            found = load(self.catalogue.find(name), self.device, self.dtype(name))
        except (SeedshiftError, OSError) as error:
            raise self._refusal(name, f"{name} cannot be loaded: {error}") from error
        if self._on_load is not None:
            self._on_load()
        return found

    def engine(self, name: str, batch_size: Callable[[TextToImage], int]) -> Engine:
        """The model with its scorers; `batch_size` is asked how many images suit it, when it is first needed.

        Raises:
            CaseError: something cannot be loaded.
        """
        model, scorers = self.model(name), self.scorers.of_model(name)
        if self._engine is None:
            is_own = self.catalogue.find(name).own is not None
            try:
                if not is_own:  # of one's own, a whole image would have to be made
                    pairs = latents.trial(self.catalogue.find(name), self.catalogue.design(name, None))
                    batch_sizes.try_step(model, pairs[0])
                size = batch_size(model)
            except TensorError as error:  # what is wrong with its images is wrong with those of a case
                raise CaseError(f"{name}: {error}") from error
            except (ModelError, SeedshiftUsageError) as error:
                raise self._refusal(name, f"{name} cannot generate: {error}") from error
            dtype = None if is_own else self.dtype(name)  # one's own may not heed it
            self._engine = Engine(
                model,
                scorers,
                size,
                overlap=self.overlaps,
                dtype=dtype,
                mixes=not is_own,
                device=self.device,
                embedder=partial(self.scorers.embedder, name),
            )
        return self._engine

    def running_batch_size(self, name: str) -> int | None:
        """How many images the model's engine makes at once; None where there is no engine of it in memory."""
        if self._engine is None or self._engine.model.name != name:
            return None
        return self._engine.batch_size

    def release(self) -> None:
        """Let the model go, with all that it has on the device, such as what it has made of prompts."""
        if self._model is None:
            return
        self._model = self._engine = None
        devices.free_memory()

    def _refusal(self, name: str, reason: str) -> UnusableModelError:
        self._model = self._engine = None  # its memory, which the error holds yet, is freed when the next one is loaded
        self._unusable[name] = reason
        return UnusableModelError(reason)

    # What there is none of ---------------------------------------------------------------------------------------

    @property
    def absent(self) -> Mapping[str, str]:
        """By model that is only planned, and is not on this machine: where it would come from."""
        return MappingProxyType(self._absent)

    def plan_without(self, absent: Mapping[str, str]) -> None:
        """From now on nothing is known of these models, nor made: they are only planned, and not here."""
        self._absent.update(absent)

    def is_broken(self, model: str) -> bool:
        """Whether it was seen that a model is broken without any shift; see `broken`."""
        return model in self._broken

    def report_broken(self, model: str) -> None:
        """It was seen that a model is broken without any shift."""
        self._broken.add(model)


def _fingerprint_of_own(pool: ModelPool, name: str) -> str:
    return pool.model(name).fingerprint


def _load(entry: Entry, device: str, dtype: str) -> TextToImage:
    if entry.own is not None:
        from pytest_seedshift.models import plugin_model

        return plugin_model.load(entry.own, device, dtype)
    from pytest_seedshift.models import load  # all of diffusers, which a run whose samples exist does not need

    return load.load(entry, device, dtype)


def _load_spread(entry: Entry, device: str, dtype: str) -> TextToImage:
    """Over all GPUs that this process has; a model of the user's own sees to that itself."""
    if entry.own is not None:
        return _load(entry, device, dtype)
    from pytest_seedshift.models import load

    return load.load(entry, device, dtype, spread=True)
