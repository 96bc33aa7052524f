"""What a sample is the result of, as a hash: equal key, equal sample. Resume and reuse rest on this alone.

Nothing here loads a model: a run whose samples all exist never does.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pytest_seedshift.core import fingerprint, shifts
from pytest_seedshift.models import habits, libraries, locate, parts, process_settings, single_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Label, Pair
    from pytest_seedshift.models.base import Entry


def of_model(entry: Entry, device: str, dtype: str) -> str:
    """The fingerprint of all that can change a model's images.

    Weights and configuration, scheduler, number of steps, guidance, size, what else its call is given, number type,
    kind of device, whether a second stage is shifted too, and the versions of the libraries that run it: what an
    upgrade changes must be measured anew. Settings of this process and libraries that its parts name are in it where
    there are any: see `process_settings` and `libraries`. Which of several sources and which revision was used is told
    by its content. A derived model has the fingerprint of the entry that says the same, whatever the order of its
    changes.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
        SeedshiftError: what lies there must not be loaded or is no pipeline; or its scheduler does not support a
            change.
    """
    location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
    unsaid: tuple[str, ...] = ()
    if entry.sampling is not None or entry.scheduler is not None:
        from pytest_seedshift.models import samplers  # and diffusers, where a model is derived, or of 2022

        entry = samplers.settled(entry, location)
        unsaid = samplers.unsaid(entry, location)
    return location.fingerprint(
        fingerprint.MAKING,
        device.partition(":")[0],
        dtype,
        None if entry.scheduler is None else (entry.scheduler.name, entry.scheduler.options),
        entry.steps,
        entry.guidance,
        entry.height,
        entry.width,
        entry.call,
        *fingerprint.versions("torch", "diffusers", "transformers"),
        # Nothing where there is nothing, so that samples of other models keep their keys.
        *(("upsampler",) if entry.upsampler else ()),
        *parts.fingerprints(entry),
        *(() if entry.sampling is None else (entry.sampling,)),
        *unsaid,
        *single_files.scheduler_settings(location),
        *habits.key(location, entry),
        *libraries.taking_part(location, entry),
        *process_settings.in_force(device),
        *_engine(entry),
    )


def _engine(entry: Entry) -> Iterator[object]:
    if entry.engine:
        from pytest_seedshift.models import engine  # torch

        yield from engine.key(entry)


def image_key(model: str, case: Case, pair: Pair) -> str:
    """The key of an image: its model's fingerprint, prompt and seed vector, and the shift of that vector."""
    return image_keys(model, case, (pair,))[0]


def image_keys(model: str, case: Case, pairs: Iterable[Pair]) -> list[str]:
    """The key of each pair's image, in their order. What all of them share is put into words once.

    Each is a hash of a list in JSON: `model`, prompt, label, seed index, shift, magnitude; then, of a pair that no
    design has, the two indices of its noise, so that all other samples keep their keys; then the negative prompt, where
    there is one; then the fingerprint of a shift of the user's own, whose name does not tell what it does.
    """
    own = shifts.fingerprint(case.shift)
    before = f"[{json.dumps(model)}, ".encode()
    after = f", {json.dumps(case.shift)}, {json.dumps(case.magnitude)}"
    end = "]" if own is None else f", {json.dumps(own)}]"
    labels: dict[Label, tuple[str, str]] = {}
    keys = []
    for pair in pairs:
        label, noise = pair.label, pair.noise
        said = labels.get(label)
        if said is None:
            against = label.negative_prompt
            besides = f", {json.dumps({'negative_prompt': against})}" if against else ""
            said = labels[label] = f"{json.dumps(pair.prompt)}, {json.dumps(label.name)}, ", besides
        more = "" if noise is None else f", {json.dumps(noise.vector)}, {json.dumps(noise.later)}"
        text = f"{said[0]}{json.dumps(pair.seed)}{after}{more}{said[1]}{end}"
        keys.append(hashlib.sha256(before + text.encode()).hexdigest()[:32])
    return keys
