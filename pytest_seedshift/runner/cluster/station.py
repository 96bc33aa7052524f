"""What an actor does: it holds a model, makes orders, and says of its machine what differs from the driver's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import registry
from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.errors import HarnessError, SeedshiftError
from pytest_seedshift.models import latents, needed_scorers, process_settings
from pytest_seedshift.runner import batch_making
from pytest_seedshift.runner import batch_size as batch_sizes
from pytest_seedshift.runner.cluster import examination, wire
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.runner.batch_making import Generated
    from pytest_seedshift.runner.cluster.setup import Setup
    from pytest_seedshift.runner.generate import Engine
    from pytest_seedshift.runner.orders import Made, Row


@dataclass(frozen=True)
class Reply:
    """What came of an order in an actor; of what was made it has the places in the order only: see `Station.finish`.

    Attributes:
        made: the rows of which there are images.
        failed: why a row cannot be made here.
        unusable: why no row of the model can be made here.
        poisoned: what has made the process useless.
        seconds: how long it took, loading not counted.
        loads: by model that was loaded for it, the seconds that took.
        batch_size: how many images at once suit the model here; 0 where it is not known.
    """

    made: Sequence[int] = ()
    failed: Mapping[Any, str] = field(default_factory=dict)
    unusable: str = ""
    poisoned: str = ""
    seconds: float = 0.0
    loads: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 0


@dataclass(frozen=True)
class Drawn:
    """Rows whose images are drawn and not scored.

    Attributes:
        rows: of the order.
        began: when the model was there.
        loads: by model that was loaded, the seconds that took.
        images: with the engine that has drawn them; or what was raised instead.
    """

    rows: tuple[Row, ...]
    began: float
    loads: dict[str, float]
    images: tuple[Engine, Generated] | Exception


class Station:
    """One process with one device. It draws in one thread, and scores and packs in another."""

    def __init__(self, setup: Setup, gpus_per_model: int = 1, device: str | None = None) -> None:
        """Make ready; nothing is loaded. `device` is the kind that all machines have to have; None for what is here.

        Raises:
            SeedshiftError: the device is not there, or a setting of the driver's process cannot be made here.
        """
        self._setup = setup
        _work_in(setup.folder)
        registry.push(setup.extensions)
        try:
            process_settings.set_as(setup.settings)
        except (AttributeError, RuntimeError) as error:
            raise HarnessError(
                f"a setting of the process that changes pictures cannot be made here: {error}"
            ) from error
        self.device, _ = devices.resolve(device, setup.dtype)
        spread = gpus_per_model > 1 and self.device.startswith("cuda")
        self.kind = f"{gpus_per_model} × {devices.describe(self.device)}" if spread else devices.describe(self.device)
        self._loads: dict[str, float] = {}
        self._loaded = 0
        self._last_end = 0.0
        self.pool = ModelPool(
            self.device,
            setup.dtype,
            catalogue=setup.catalogue,
            on_load=self._count,
            needs=lambda model: setup.needs.get(model, needed_scorers.EVERY),
            kinds=setup.kinds,
            spread=spread,
        )

    def _count(self) -> None:
        self._loaded += 1

    def problems(self) -> dict[str, str]:
        """By model, in what it differs here from the driver's, or nothing; each of its files is read once for it."""
        entries = {name: self.pool.scorers.entry(name) for name in self._setup.expected}
        return examination.problems(entries, self._setup.expected, self.device, self._setup.dtype)

    # Orders -----------------------------------------------------------------------------------------------------------

    def draw(self, model: str, rows: Sequence[Row], known: int | None) -> Drawn:
        """Draw the images of some rows; what cannot be drawn is noted.

        Args:
            model: of all rows.
            rows: no two alike.
            known: the batch size that suits the model on this kind of device, where it is known.
        """
        loads: dict[str, float] = {}
        began = time.perf_counter()
        try:
            engine = self._engine(model, known, loads)
            began = time.perf_counter()
            return Drawn(tuple(rows), began, loads, (engine, batch_making.generate(engine, rows)))
        except Exception as error:
            return Drawn(tuple(rows), began, loads, error)

    def finish(self, drawn: Drawn) -> tuple[Reply, bytes]:
        """Score and pack what was drawn: the reply, and a packed list of `Made`, which the broker hands on unread."""
        made: Sequence[Made] = ()
        size = 0
        try:
            if isinstance(drawn.images, Exception):
                raise drawn.images
            engine, generated = drawn.images
            size = engine.batch_size
            made, failed = batch_making.complete(engine, generated)
            reply = Reply(failed=failed)
        except UnusableModelError as error:
            reply = Reply(unusable=str(error))
        except Exception as error:
            reply = Reply(
                failed=_failed(drawn.rows, error), poisoned=_said(error) if devices.is_poisoned(error) else ""
            )
        packed = wire.packed(list(made))
        start, self._last_end = max(drawn.began, self._last_end), time.perf_counter()
        places = {row: place for place, row in enumerate(drawn.rows)}
        told = replace(
            reply,
            made=[places[each.row] for each in made],
            failed={places[row]: said for row, said in reply.failed.items()},
            seconds=self._last_end - start,
            loads=drawn.loads,
            batch_size=size,
        )
        return told, packed

    def _engine(self, model: str, known: int | None, loads: dict[str, float]) -> Engine:
        start, loaded = time.perf_counter(), self._loaded
        setup = self._setup

        def suitable(loaded: TextToImage) -> int:
            if setup.batch_size or known:
                return setup.batch_size or known or 1
            entry, design = setup.catalogue.find(loaded.name), setup.catalogue.design(loaded.name, None)
            return batch_sizes.find_batch_size(loaded, latents.trial(entry, design))

        try:
            return self.pool.engine(model, suitable)
        finally:
            if self._loaded > loaded:
                loads[model] = time.perf_counter() - start

    # Everything else --------------------------------------------------------------------------------------------------

    def call(self, packed: bytes, model: str) -> bytes:
        """Do a study with the pool; what it returns, packed.

        Raises:
            Exception: whatever the study raises.
        """
        study: Callable[..., object]
        study, arguments = wire.unpacked(packed)
        return wire.packed_by_value(study(self.pool, model, *arguments), self._setup.folder)


def _failed(rows: Sequence[Row], error: Exception) -> dict[Row, str]:
    """Of rows over which something was raised that no case is to blame for by its kind, what a case's error says."""
    said = str(error) if isinstance(error, SeedshiftError) else _said(error)
    return {row: f"{row.case.model}, {row.case.describe()}: {said}" for row in rows}


def _work_in(folder: Path) -> None:
    """Work in the driver's folder, where paths of models mean what they mean there; another machine may lack it."""
    try:
        os.chdir(folder)
    except OSError:  # a model that is named by a path below it is then missed by the examination
        return


def _said(error: BaseException) -> str:
    """An error that was not meant for a user: with its class, and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"


def packed_error(error: BaseException) -> Mapping[str, str]:
    """An error on its way to the driver: its kind and what it says."""
    kind = "case" if isinstance(error, CaseError) else "seedshift" if isinstance(error, SeedshiftError) else "other"
    if isinstance(error, UnusableModelError):
        kind = "unusable"
    return {"kind": kind, "said": str(error) if kind != "other" else _said(error)}
