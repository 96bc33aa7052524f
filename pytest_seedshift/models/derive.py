"""Models derived from others by how they are sampled and run: `sd21+ancestral`, `sd21+int8+steps=20`.

A name is that of a model followed by changes, each after a plus sign, in any order:

    ddim            DDIM (arXiv 2010.02502), which draws no noise after the seed vector
    ancestral       DDPM's sampler (arXiv 2006.11239), which draws new noise at every step
    clip, clip=R    every guess of the picture is clipped to [-R, R]; without R, to the scheduler's own range
    noclip          no guess of the picture is clipped, nor thresholded
    zsnr            betas rescaled to a terminal signal-to-noise ratio of zero, and trailing steps (arXiv 2305.08891);
                    for a model that was trained so
    scheduler=NAME  a scheduler class of diffusers, with the pipeline's own configuration
    prompts=PATH    what it is asked for: a file of prompts, as seen from the root folder, or a class list
    steps=N         that many denoising steps
    guidance=X      that guidance scale
    dtype=NAME      float32, float16 or bfloat16, whatever --seedshift-dtype says
    variant=NAME    the files of weights of that variant, such as fp16
    lora=PATH[:W]   an adapter, with a weight; as many as one likes
    int8, fp8, …    weights that torchao has quantised; int8dq and fp8dq also what they are multiplied by
    cache=NAME[:X]  a cache of diffusers, such as first-block, with its threshold
    attention=NAME  an attention backend of diffusers
    compile[=MODE]  the network that denoises is compiled
    tiling, slicing, channels_last
    repair=NAME     what is done to a seed vector after its shift: moments, quantiles, spectrum, or blend=B

Each change stands once, and none contradicts another. An entry, a folder or a file whose own name has a plus sign is
found first. What a change does to the scheduler is settled when that is known: see `samplers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from pytest_seedshift.core import model_names
from pytest_seedshift.core.checkpoints import places
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftUsageError
from pytest_seedshift.models import engine_settings
from pytest_seedshift.models.base import Entry, Sampling


class DerivationError(SeedshiftUsageError):
    """What is wrong in the changes of a model's name, and what is valid."""


def split(name: str, is_known: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """A model's name as the name that it is derived from, and the changes.

    Args:
        name: as the user wrote it.
        is_known: whether a name is that of an entry, or of a folder or a file that exists. The longest such beginning
            of the name is what the model is derived from.
    """
    words = name.split(model_names.PLUS)
    for count in range(len(words), 0, -1):
        base = model_names.PLUS.join(words[:count])
        if is_known(base):
            return base, tuple(words[count:])
    base, changes = model_names.split_changes(words)
    if model_names.PLUS in base and not places.looks_like_path(base):  # no change: a mistake in one
        base, *changes = words
    return base, tuple(changes)


def derive(base: Entry, name: str, changes: Iterable[str]) -> Entry:
    """The entry of a derived model.

    Args:
        base: the entry of the model that it is derived from.
        name: of the derived model, as the user wrote it.
        changes: as `split` gives them.

    Returns:
        An entry whose `sampling` is still to be settled.

    Raises:
        DerivationError: a change that does not exist, is given twice, contradicts another, or has no valid value.
    """
    found: dict[str, tuple[str, Any]] = {}
    for change in changes:
        try:
            key, value = model_names.read(change)
        except InvalidValueError as error:
            raise DerivationError(f"{name}: {error}") from None
        about = model_names.about(key, value)
        if about in found:
            other = found[about][0]
            what = (
                f"{change!r} is given twice" if other == change else f"{other!r} and {change!r} contradict each other"
            )
            raise DerivationError(f"{name}: {what}: leave one of them out")
        found[about] = change, value
    values = {about: value for about, (_, value) in found.items()}
    more: dict[str, Any] = {key: values[key] for key in ("steps", "guidance", "variant") if key in values}
    if more.get("guidance") == base.guidance:
        more.pop("guidance", None)  # where the entry says 4, 4.0 would be another fingerprint
    if "prompts" in values:
        base = dataclasses.replace(base, prompts=values["prompts"], template=())
    sampler = values.get("sampler")
    if sampler is not None:  # the share of new noise is what the sampler is about
        more["call"] = tuple((key, value) for key, value in base.call if key != "eta")
    try:
        engine = engine_settings.with_changes(base.engine, values)
    except InvalidValueError as error:
        raise DerivationError(f"{name}: {error}") from None
    if engine and base.own is not None:
        raise DerivationError(f"{name}: {base.name} is run as its factory makes it: register another model there")
    sampling = Sampling(sampler, values.get("clip"), "zsnr" in values)
    if sampling == Sampling() and not more:
        return dataclasses.replace(base, name=name, engine=engine)
    return dataclasses.replace(base, name=name, sampling=sampling, engine=engine, **more)
