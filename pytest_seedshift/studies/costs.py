"""What models cost beside a base: their files, their weights in memory, their speed; before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import UnusableModelError
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.messages import first_line
from pytest_seedshift.models import latents, locate, memory, model_files
from pytest_seedshift.runner import batch_size
from pytest_seedshift.scorers import devices
from pytest_seedshift.studies import speed

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.runner.model_pool import ModelPool
    from pytest_seedshift.studies.speed import Speed

_NO_ROOM = "there is no room for both models at once"


@dataclass(frozen=True, slots=True)
class Costs:
    """What a model costs.

    Attributes:
        disk: bytes of the files of its weights; None of a model of the user's own.
        weights: bytes that they take in memory; None where that is not known.
        speed: beside the base; None of the base, and where it was not measured.
        untimed: why it was not.
    """

    disk: int | None = None
    weights: int | None = None
    speed: Speed | None = None
    untimed: str = ""


def of_files(pool: ModelPool, models: Sequence[str], why: str) -> dict[str, Costs]:
    """What can be said of models that are not loaded here; `why` they are not."""
    return {model: Costs(_disk(pool, model), untimed=why) for model in models}


def measure(
    pool: ModelPool, base: str, others: Sequence[str], *, images: int | None, certainty: float
) -> tuple[Costs, dict[str, Costs]]:
    """Load a base, then each of the others beside it, and see what they cost.

    Args:
        pool: where models are loaded.
        base: the name of a model.
        others: likewise.
        images: how many are made at once; None for what suits the base.
        certainty: of the intervals of speeds.

    Returns:
        Of the base, and by name of each other.

    Raises:
        CaseError: one cannot be loaded.
    """
    first = pool.apart(base)
    pairs = latents.trial(pool.catalogue.find(base), pool.catalogue.design(base, None))
    pairs = pairs[: images or batch_size.find_batch_size(first, pairs)]
    of_base = Costs(_disk(pool, base), _weights(first))
    found = {name: _beside(pool, first, name, pairs, certainty) for name in others}
    del first
    for name in others:
        if found[name].weights is None:  # what only shows when a model is loaded is to show now
            found[name] = replace(found[name], weights=_weights(pool.model(name)))
            pool.release()
    return of_base, found


def _beside(pool: ModelPool, base: TextToImage, name: str, pairs: Sequence[Pair], certainty: float) -> Costs:
    """What a model costs that is loaded beside the base, where there is room for it."""
    found = Costs(_disk(pool, name))
    if not _has_room(pool, name):
        return replace(found, untimed=_NO_ROOM)
    try:
        other = pool.model(name)
        found = replace(found, weights=_weights(other))
        return replace(found, speed=speed.measure(base, other, pairs, certainty=certainty))
    except UnusableModelError:
        raise
    except SeedshiftError as error:  # the run says it, of each of its cases
        return replace(found, untimed=first_line(error))
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
        return replace(found, untimed=_NO_ROOM)
    finally:
        pool.release()


def _has_room(pool: ModelPool, name: str) -> bool:
    """Whether a model can be loaded beside another one, as far as is known before."""
    entry = pool.catalogue.find(name)
    room = memory.free(pool.device)
    if entry.own is not None or room is None:
        return True
    location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
    return sum(memory.of_parts(location, entry, pool.dtype(name)).values()) <= room


def _disk(pool: ModelPool, name: str) -> int | None:
    return model_files.size(pool.catalogue.find(name))


def _weights(model: TextToImage) -> int | None:
    found: int | None = getattr(model, "weight_bytes", None)
    return found
