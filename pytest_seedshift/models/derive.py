"""Models derived from others by how they are sampled: `sd21+ancestral`, `toy-latent+ddim+steps=20`.

A name is that of a model followed by changes, each after a plus sign, in any order:

    ddim            DDIM (arXiv 2010.02502), which draws no noise after the seed vector
    ancestral       DDPM's sampler (arXiv 2006.11239), which draws new noise at every step
    clip, clip=R    every guess of the picture is clipped to [-R, R]; without R, to the scheduler's own range
    noclip          no guess of the picture is clipped, nor thresholded
    zsnr            betas rescaled to a terminal signal-to-noise ratio of zero, and trailing steps (arXiv 2305.08891);
                    for a model that was trained so
    steps=N         that many denoising steps
    guidance=X      that guidance scale

Each change stands once, and none contradicts another. An entry, a folder or a file whose own name has a plus sign is
found first. What a change does to the scheduler is settled when that is known: see `samplers`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pytest_seedshift.checkpoints import places
from pytest_seedshift.models.base import Entry, Sampling
from pytest_seedshift.suggest import unknown

PLUS = "+"
"""What stands before each change."""

SAMPLERS = ("ancestral", "ddim")

_KEYS = ("ancestral", "clip", "ddim", "guidance", "noclip", "steps", "zsnr")
_VALID = {
    "steps": "a whole number of at least 1, such as steps=20",
    "guidance": "a number of at least 0, such as guidance=7.5",
    "clip": "a number above 0, such as clip=1.5, or clip alone",
}
# What a change is about: of one kind there can be one.
_ABOUT = {"ancestral": "sampler", "ddim": "sampler", "noclip": "clip"}


class DerivationError(ValueError):
    """What is wrong in the changes of a model's name, and what is valid."""


def split(name: str, is_known: Callable[[str], bool]) -> tuple[str, tuple[str, ...]]:
    """A model's name as the name that it is derived from, and the changes.

    Args:
        name: as the user wrote it.
        is_known: whether a name is that of an entry, or of a folder or a file that exists. The longest such beginning
            of the name is what the model is derived from.
    """
    words = name.split(PLUS)
    for count in range(len(words), 0, -1):
        base = PLUS.join(words[:count])
        if is_known(base):
            return base, tuple(words[count:])
    base, changes = _read_from_the_end(words)
    if PLUS in base and not places.looks_like_path(base):  # no change: a mistake in one
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
            key, value = _read(change)
        except ValueError as error:
            raise DerivationError(f"{name}: {error}") from None
        about = _ABOUT.get(key, key)
        if about in found:
            other = found[about][0]
            what = (
                f"{change!r} is given twice" if other == change else f"{other!r} and {change!r} contradict each other"
            )
            raise DerivationError(f"{name}: {what}: leave one of them out")
        found[about] = change, value
    values = {about: value for about, (_, value) in found.items()}
    more: dict[str, Any] = {key: values[key] for key in ("steps", "guidance") if key in values}
    if more.get("guidance") == base.guidance:
        more.pop("guidance", None)  # where the entry says 4, 4.0 would be another fingerprint
    if "sampler" in values:  # the share of new noise is what the sampler is about
        more["call"] = tuple((key, value) for key, value in base.call if key != "eta")
    sampling = Sampling(values.get("sampler"), values.get("clip"), "zsnr" in values)
    return dataclasses.replace(base, name=name, sampling=sampling, **more)


def canonical(name: str) -> str:
    """A name that is the same for all orders and spellings of the same changes; one without changes stays as it is.

    >>> canonical("toy-latent+steps=010+ddim")
    'toy-latent+ddim+steps=10'
    """
    base, changes = _read_from_the_end(name.split(PLUS))
    return PLUS.join([base, *sorted(_spelled(change) for change in changes)])


def base_of(name: str) -> str:
    """The name without the changes at its end; of a model that is not derived, its name."""
    return _read_from_the_end(name.split(PLUS))[0]


def _read_from_the_end(words: Sequence[str]) -> tuple[str, list[str]]:
    """The words of a name up to the changes, and the changes: all words at the end that begin as one does."""
    count = len(words)
    while count > 1 and words[count - 1].partition("=")[0] in _KEYS:
        count -= 1
    return PLUS.join(words[:count]), list(words[count:])


def _spelled(change: str) -> str:
    try:
        key, value = _read(change)
    except ValueError:
        return change
    return f"{key}={value:g}" if key in _VALID and value is not True else key


def _read(change: str) -> tuple[str, Any]:
    """A change's key and value: (`steps`, 20), (`clip`, True), (`noclip`, False), (`ddim`, `ddim`)."""
    key, equals, text = change.partition("=")
    if key not in _KEYS:
        if not key:
            raise ValueError(f"nothing stands between a plus sign and what follows. Changes: {', '.join(_KEYS)}")
        raise ValueError(unknown("change of a model", key, _KEYS))
    if key not in _VALID:
        if equals:
            raise ValueError(f"{change!r}: {key} takes no value")
        return key, {"noclip": False, "zsnr": True}.get(key, key)
    if key == "clip" and not equals:
        return key, True
    value = _number(key, text)
    if value is None:
        raise ValueError(f"{change!r}: give {_VALID[key]}")
    return key, value


def _number(key: str, text: str) -> float | None:
    """The value of a change; None where it is not valid."""
    if key == "steps":
        return int(text) if text.isascii() and text.isdecimal() and int(text) else None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and (value > 0 or (value == 0 and key == "guidance")) else None
