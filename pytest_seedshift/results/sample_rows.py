"""Rows of a store, and the values that they stand for: each row has a seal, so that a changed value is noticed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_LONGEST_SCORES = 10_000
"""Characters of a sample's scores by one scorer."""


class Image(NamedTuple):
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


_DECODE = json.JSONDecoder().raw_decode
"""What `json.loads` does without looking for spaces around, which no run writes: in half of its time."""


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
    return Image._make(row[:-1]) if is_image(row) else None


def is_image(row: Sequence[Any]) -> bool:
    """Whether a row of images is as it was written, and as a run writes them."""
    key, fingerprint, model, shift, magnitude, label, seed, prompt, picture, digest, seal = row
    return (
        seal == seal_of(row[:-1])
        and type(key) is type(fingerprint) is type(model) is type(shift) is type(label) is type(prompt) is str
        and (picture is None or type(picture) is str)
        and (digest is None or type(digest) is str)
        and type(magnitude) is float
        and math.isfinite(magnitude)
        and type(seed) is int
    )


def scores_of(row: Sequence[Any]) -> dict[str, float] | None:
    """A row of scores: their values by their names; None likewise."""
    image, scorer, label_index, text, seal = row
    if seal != seal_of(row[:-1]) or type(text) is not str or len(text) > _LONGEST_SCORES:
        return None
    if type(image) is not str or type(scorer) is not str or type(label_index) is not int:
        return None
    return values_of(text)


def values_of(text: str) -> dict[str, float] | None:
    """A sample's scores by one scorer, of their text; None of text that no run writes."""
    try:
        values, end = _DECODE(text)
        if end != len(text):
            return None
        numbers = {str(name): float(value) for name, value in values.items() if type(value) in (int, float)}
    except (ValueError, AttributeError, OverflowError, RecursionError):  # of another form
        return None
    return numbers if len(numbers) == len(values) and all(map(math.isfinite, numbers.values())) else None


def is_score(row: Sequence[Any]) -> bool:
    """Whether a row of scores is as it was written, and as a run writes them."""
    return scores_of(row) is not None


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
    return hashlib.sha256(repr(tuple(row)).encode("utf-8", "surrogateescape")).hexdigest()[:16]
