"""The files that a model and its scorers are loaded from, and how much room its weights take on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_seedshift.core.checkpoints import hashing, repository
from pytest_seedshift.models import latents, locate, loras, memory
from pytest_seedshift.scorers import clip_sources

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

    Source: TypeAlias = tuple[str, Path, Sequence[tuple[str, Path]]]
    """What is loaded from it (`weights`, `part vae`, `classifier`), a folder, and its files by their names there."""


def of_model(entry: Entry) -> Iterator[Source]:
    """What a model itself is loaded from; nothing of one of the user's own.

    Raises:
        SeedshiftError: it is not on this machine.
    """
    if entry.own is not None:
        return
    location = _location(entry)
    yield "weights", location.path, _listed(location)
    for place, prior in enumerate(location.priors):
        yield f"prior {place + 1}", prior, hashing.listed(prior, entry.variant)
    for name, part in entry.parts:
        yield f"part {name}", Path(part), hashing.listed(Path(part), entry.variant)
    for place, path in enumerate(_adapters(entry)):
        yield f"adapter {place + 1}", path.parent, [(path.name, path)]
    if entry.engine.latents is not None:
        path = latents.file(entry)
        yield "latents", path.parent, [(path.name, path)]


def of_scorers(entry: Entry) -> Iterator[Source]:
    """What the scorers of an entry are loaded from, as far as it names any.

    Raises:
        SeedshiftError: one is not on this machine.
    """
    if entry.classifier:
        folder = repository.fetch(entry.classifier, repository.CLASSIFIER_FILES)
        yield "classifier", folder, hashing.listed(folder)
    if entry.clip:
        found = clip_sources.find(entry.clip)
        yield "CLIP", found.fetch(), found.listed()
    for each in entry.declared:
        yield f"scorer {each.name}", each.fetch(), each.listed()


def size(entry: Entry) -> int | None:
    """Bytes on disk of the weights that a model is loaded from, its adapters among them, each file once.

    Of a variant only its files count, of a part that another takes the place of none; nor does what lies beside
    weights, such as a tokenizer. None of a model of the user's own.

    Raises:
        SeedshiftError: it is not on this machine.
    """
    if entry.own is not None:
        return None
    location = _location(entry)
    weights = [path for _, path in memory.weights(location, entry)] or location.files()
    every = {path.resolve() for path in (*weights, *_adapters(entry))}
    return sum(int(path.stat().st_size) for path in every)


def _location(entry: Entry) -> Location:
    return locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)


def _adapters(entry: Entry) -> list[Path]:
    return [loras.file(entry.name, lora.source) for lora in entry.engine.loras]


def _listed(location: Location) -> list[tuple[str, Path]]:
    if location.released is None and location.path.is_dir():
        return hashing.listed(location.path, location.variant)
    return sorted((path.name, path) for path in location.files())
