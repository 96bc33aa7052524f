"""What models are run with, in effect: as they were loaded here or before, else as their files show."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_seedshift.models import latents, locate, process_settings
from pytest_seedshift.results import metadata, run_settings

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.run_settings import Settings
    from pytest_seedshift.runner.model_pool import ModelPool


class SettingsInEffect:
    """Knows what the models of a pool are run with, and keeps it in a run folder."""

    def __init__(self, pool: ModelPool, folder: RunFolder, *, write: bool) -> None:
        """Read from a folder; without `write` it is left as it is."""
        self._pool = pool
        self._folder = folder
        self._write = write
        self._known: dict[str, Settings] = {}
        """By a model's fingerprint, what it was run with, as it was when it was loaded here."""

    def of(self, name: str, version: str) -> Settings:
        """The settings of a model whose fingerprint is `version`.

        Raises:
            CaseError: it is of the user's own, and cannot be loaded.
        """
        if version in self._known:
            return self._known[version]
        kept = run_settings.read(self._folder, version)
        if kept:
            return self._with_place(name, kept)
        entry = self._pool.catalogue.find(name)
        if entry.own is not None:
            return self._with_place(name, self._pool.ask(name, _in_effect))
        from pytest_seedshift.models import in_effect  # diffusers, which what makes its samples needs as well

        return self._with_place(name, in_effect.of_files(entry, _locate(entry), self._pool.dtype(name)))

    def keep(self, name: str, version: str, size: tuple[int, int] | None = None) -> None:
        """Keep what the loaded model is run with; its images, as soon as there are some, tell their (height, width)."""
        known = self._known.get(version)
        if known is not None and (size is None or (known.get("height"), known.get("width")) == size):
            return
        if known is None:
            known = self._with_place(name, self._pool.ask(name, _in_effect))
            before = run_settings.read(self._folder, version)
            known = {**{side: before[side] for side in ("height", "width") if side in before}, **known}
        if size is not None:
            known = {**known, "height": size[0], "width": size[1]}
        self._known[version] = run_settings.checked(known)
        if self._write:
            with suppress(OSError):  # what cannot be written there the samples will tell
                run_settings.write(self._folder, version, self._known[version])

    def _with_place(self, name: str, found: Settings) -> Settings:
        entry, device = self._pool.catalogue.find(name), self._pool.device
        process = list(process_settings.in_force(device))
        place = {"device": device.partition(":")[0], "classes": metadata.place(entry.asked)}
        if entry.own is None:
            found = {**found, "variants": _locate(entry).variants}
        if entry.engine:
            found = {**found, "engine": entry.engine.record() | latents.record(entry)}
        return run_settings.checked({**found, **place, "process": process, "prompt": entry.prompt_set.template})


def _locate(entry: Entry) -> Location:
    return locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)


def _in_effect(pool: ModelPool, name: str) -> Settings:
    """What a loaded model is run with; of one of the user's own no more is known than its class."""
    from pytest_seedshift.models.pipeline import DiffusersPipeline

    model, dtype = pool.model(name), pool.dtype(name)
    if isinstance(model, DiffusersPipeline):
        return model.settings(dtype)
    return {"pipeline": type(model).__name__, "dtype": dtype}
