"""Names of models that are derived from others, read: the base, and the changes after plus signs; see `models.derive`.

Pure text: nothing here knows which models there are. Read while tests are collected, so nothing heavy is imported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown

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
ABOUT = {"ancestral": "sampler", "ddim": "sampler", "noclip": "clip"}


def canonical(name: str) -> str:
    """A name that is the same for all orders and spellings of the same changes; one without changes stays as it is.

    >>> canonical("toy-latent+steps=010+ddim")
    'toy-latent+ddim+steps=10'
    """
    base, changes = split_changes(name.split(PLUS))
    return PLUS.join([base, *sorted(_spelled(change) for change in changes)])


def base_of(name: str) -> str:
    """The name without the changes at its end; of a model that is not derived, its name."""
    return split_changes(name.split(PLUS))[0]


def split_changes(words: Sequence[str]) -> tuple[str, list[str]]:
    """The words of a name up to the changes, and the changes: all words at the end that begin as one does."""
    count = len(words)
    while count > 1 and words[count - 1].partition("=")[0] in _KEYS:
        count -= 1
    return PLUS.join(words[:count]), list(words[count:])


def _spelled(change: str) -> str:
    try:
        key, value = read(change)
    except InvalidValueError:
        return change
    return f"{key}={value:g}" if key in _VALID and value is not True else key


def read(change: str) -> tuple[str, Any]:
    """A change's key and value: (`steps`, 20), (`clip`, True), (`noclip`, False), (`ddim`, `ddim`)."""
    key, equals, text = change.partition("=")
    if key not in _KEYS:
        if not key:
            raise InvalidValueError(f"nothing stands between a plus sign and what follows. Changes: {', '.join(_KEYS)}")
        raise InvalidValueError(unknown("change of a model", key, _KEYS))
    if key not in _VALID:
        if equals:
            raise InvalidValueError(f"{change!r}: {key} takes no value")
        return key, {"noclip": False, "zsnr": True}.get(key, key)
    if key == "clip" and not equals:
        return key, True
    value = _number(key, text)
    if value is None:
        raise InvalidValueError(f"{change!r}: give {_VALID[key]}")
    return key, value


def _number(key: str, text: str) -> float | None:
    """The value of a change; None where it is not valid."""
    if key == "steps":
        return int(text) if text.isascii() and text.isdecimal() and int(text) else None
    try:
        value = float(text)
    except ValueError:  # of float
        return None
    return value if math.isfinite(value) and (value > 0 or (value == 0 and key == "guidance")) else None
