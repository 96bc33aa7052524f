"""Rows of a store, and the values that they stand for: each row has a seal, so that a changed value is noticed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST_SCORES = 10_000
"""Characters of a sample's scores by one scorer."""


@dataclass(frozen=True, slots=True)
class Image:
    """A generated image as the store knows it: its key, what it is of, and its picture if it was kept.

    `picture` is a path in the run folder, `digest` the SHA-256 of the file.
    """

    key: str
    fingerprint: str
    model: str
    shift: str
    magnitude: float
    label: str
    seed: int
    prompt: str
    picture: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class ScoreKey:
    """What a scorer's values belong to: an image, a scorer's fingerprint, and the index of the class that was asked."""

    image: str
    scorer: str
    label_index: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How a model runs on a device: its batch size, and the seconds that a scored image took, if that was measured."""

    batch_size: int
    seconds: float | None = None


PLACES = ", ".join(["CAST(? AS TEXT)"] * 4 + ["?", "CAST(? AS TEXT)", "?"] + ["CAST(? AS TEXT)"] * 3 + ["?"])
"""For the values of an image: text may come as bytes, see `bound`."""


def image_of(row: Sequence[Any]) -> Image | None:
    """A row of images; None where it is not as it was written, or says what no run writes."""
    *fields, seal = row
    if seal != seal_of(fields):
        return None
    key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest = fields
    texts = all(isinstance(each, str) for each in (key, fingerprint, model, shift, label, prompt))
    kept = all(each is None or isinstance(each, str) for each in (picture, digest))
    numbers = isinstance(magnitude, float) and math.isfinite(magnitude) and isinstance(seed, int)
    return Image(*fields) if texts and kept and numbers else None


def scores_of(row: Sequence[Any]) -> dict[str, float] | None:
    """A row of scores: their values by their names; None likewise."""
    *fields, seal = row
    image, scorer, label_index, text = fields
    if seal != seal_of(fields) or not isinstance(text, str) or len(text) > _LONGEST_SCORES:
        return None
    if not isinstance(image, str) or not isinstance(scorer, str) or not isinstance(label_index, int):
        return None
    try:
        values = json.loads(text)
        numbers = {str(name): float(value) for name, value in values.items() if type(value) in (int, float)}
    except (ValueError, AttributeError, OverflowError, RecursionError):  # of another form
        return None
    return numbers if len(numbers) == len(values) and all(map(math.isfinite, numbers.values())) else None


def bound(value: Any) -> Any:
    """A value as SQLite takes it: a name that is no UTF-8 as its bytes, which are text again when they are read."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="surrogateescape" if _is_escaped(value) else "surrogatepass")
    return value


def _is_escaped(text: str) -> bool:
    """Whether all of a text's surrogates stand for bytes, as in names of files."""
    return all("\udc80" <= each <= "\udcff" for each in text if "\ud800" <= each <= "\udfff")


def is_count(value: object) -> bool:
    """Whether a value is a whole number of at least 1, as counts of images are."""
    return isinstance(value, int) and value >= 1


def text_of(raw: bytes) -> str:
    """Text that is damaged is still text, which its seal will notice."""
    return raw.decode("utf-8", errors="surrogateescape")


def seal_of(row: Sequence[object]) -> str:
    """A checksum of a row: SQLite notices a damaged page, but not a changed value."""
    return hashlib.sha256(repr(tuple(row)).encode("utf-8", errors="surrogateescape")).hexdigest()[:16]
