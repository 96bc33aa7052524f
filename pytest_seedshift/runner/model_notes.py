"""What a user should know of how a model is run, before it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import judging
from pytest_seedshift.models import habits, locate, memory, process_settings, sampling_notes

if TYPE_CHECKING:
    from pytest_seedshift.runner.model_pool import ModelPool


def notes(pool: ModelPool, model: str) -> list[str]:
    """What the user should know of how a model is run.

    Raises:
        CaseError: weights that cannot be had.
    """
    entry = pool.scorers.entry(model)
    with judging(f"{model} cannot be judged"):
        of_habits: list[str] = []
        if entry.own is None:
            location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
            of_habits += [*location.notes(model), *habits.notes(location, entry)]
            of_habits += sampling_notes.notes(location, entry)
            of_memory = memory.note(location, entry, pool.device, pool.dtype(model)) if pool.is_here else None
            of_habits += [] if of_memory is None else [of_memory]
        of_labels = pool.catalogue.check_labels(entry)
        same_as = pool.catalogue.same_as(model)
    found = [each for each in (entry.prompt_set.note, of_labels) if each is not None]
    if (of_settings := process_settings.note(process_settings.in_force(pool.device))) is not None:
        found.append(of_settings)
    if same_as is not None:
        found.append(f"{model} is {same_as} itself: what its name changes is so already. They share their samples")
    return [*found, *of_habits]
