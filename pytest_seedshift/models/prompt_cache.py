"""Prompts are encoded once for each text: a design has many images of few prompts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

_Join = Callable[[Sequence[Any]], Any]
"""Makes one value of a batch of the values of single prompts."""


def remember(pipeline: DiffusionPipeline) -> None:
    """Let a pipeline, and those that it is made of, remember what `encode_prompt` made of each prompt.

    Pipelines differ in what they return (a row a prompt, a list of embeddings, something of no batch at all) and in
    what a prompt's embedding owes to the others in its batch (padding to the longest; the last bits of a matrix
    product, which are another algorithm's at another size). So nothing is taken for granted: the first time that so
    many prompts are encoded in one call, the pipeline does it in its own way, and only where single prompts give the
    same bits is it spared that from then on. A pipeline where they do not goes on as if this did not exist.
    """
    for part in (pipeline, getattr(pipeline, "prior_pipe", None), getattr(pipeline, "decoder_pipe", None)):
        encode = getattr(part, "encode_prompt", None)
        if encode is not None and not isinstance(encode, _Remembered):
            vars(part)["encode_prompt"] = _Remembered(encode)


class _Remembered:
    """A pipeline's `encode_prompt` with a memory."""

    def __init__(self, encode: Callable[..., Any]) -> None:
        self._encode = encode
        self._signature = inspect.signature(encode)
        self._single: dict[Any, tuple[Any, ...]] = {}
        self._joins: dict[Any, list[_Join]] = {}
        self._unequal: set[Any] = set()
        self._many = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Encode as the pipeline does, prompts that are known from memory.

        Only the plain call is remembered: a list of prompts and nothing else that belongs to single prompts.
        """
        others = self._signature.bind(*args, **kwargs).arguments
        prompts = others.pop("prompt", None)
        if not isinstance(prompts, list) or not prompts or not _plain(others):
            return self._encode(*args, **kwargs)

        def encode(texts: list[str]) -> Any:
            bound = self._signature.bind(*args, **kwargs)
            bound.arguments["prompt"] = list(texts)  # some pipelines write into the list
            return self._encode(*bound.args, **bound.kwargs)

        key = tuple((name, str(value)) for name, value in others.items())
        if len(prompts) > 1 and key in self._unequal:
            return encode(prompts)
        rows = [self._known(text, key, encode) for text in prompts]
        size = len(prompts), key, _shapes(rows[0])
        if any(_shapes(row) != size[2] for row in rows):  # padded to the longest of the batch
            return encode(prompts)
        if size not in self._joins:
            whole = encode(prompts)
            joins = _joins(rows, _columns(whole))
            if joins is None:
                self._unequal.add(key)
            else:
                self._joins[size] = joins
            return whole
        columns = tuple(join(each) for join, each in zip(self._joins[size], zip(*rows, strict=True), strict=True))
        if any(column is _NOTHING for column in columns):
            return encode(prompts)
        return columns if self._many else columns[0]

    def _known(self, text: str, key: Any, encode: Callable[[list[str]], Any]) -> tuple[Any, ...]:
        if (text, key) not in self._single:
            single = encode([text])
            self._many = isinstance(single, tuple)
            self._single[text, key] = _columns(single)
        return self._single[text, key]


def _plain(arguments: dict[str, Any]) -> bool:
    """Whether no argument besides `prompt` belongs to the prompts of the batch."""
    return not any(
        isinstance(value, torch.Tensor) or (isinstance(value, list) and "prompt" in name) or name == "batch_size"
        for name, value in arguments.items()
    )


def _columns(encoded: Any) -> tuple[Any, ...]:
    return encoded if isinstance(encoded, tuple) else (encoded,)


def _joins(rows: Sequence[tuple[Any, ...]], whole: tuple[Any, ...]) -> list[_Join] | None:
    """How what single prompts gave is put together to what all of them gave in one call; None if it cannot be."""
    if len(rows[0]) != len(whole):
        return None
    found: list[_Join] = []
    for column, expected in zip(zip(*rows, strict=True), whole, strict=True):
        join = next((join for join in (_cat, _chain, _first) if _equal(join(column), expected)), None)
        if join is None:
            return None
        found.append(join)
    return found


def _first(column: Sequence[Any]) -> Any:
    """What does not depend on the prompts, nor on how many there are."""
    return column[0] if all(_equal(each, column[0]) for each in column) else _NOTHING


def _cat(column: Sequence[Any]) -> Any:
    """A row a prompt."""
    return torch.cat(list(column)) if all(isinstance(each, torch.Tensor) and each.ndim for each in column) else _NOTHING


def _chain(column: Sequence[Any]) -> Any:
    """A list with an entry a prompt."""
    return [entry for each in column for entry in each] if all(isinstance(each, list) for each in column) else _NOTHING


_NOTHING = object()


def _equal(one: Any, other: Any) -> bool:
    """Whether two things are the same to the last bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and one.device == other.device and torch.equal(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one is None and other is None


def _shapes(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shapes of what a prompt gave; of lists, which are as long as they are, only that they are lists."""
    return tuple(getattr(each, "shape", type(each)) for each in row)
