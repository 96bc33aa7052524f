"""How what a pipeline gives for single prompts is put together to what it gives for all of them in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch

Join: TypeAlias = Callable[[Sequence[Any]], Any]
"""Makes one value of a batch of the values of single prompts; `NOTHING` where it cannot."""

NOTHING = object()

_ROUNDING = {torch.float16: 0.02, torch.bfloat16: 0.05}
"""By half precision, how far two computations of the same may lie apart, of the largest magnitude of all values."""


def find(rows: Sequence[Sequence[Any]], whole: Sequence[Any]) -> tuple[list[Join] | None, bool]:
    """How each thing that a call gives for all prompts is made of what it gives for single ones.

    Args:
        rows: for each prompt, the things that it alone gave; not all prompts are the same.
        whole: the things that all of them gave.

    Returns:
        The joins, None where there is none for something, and whether all of them give the very bits. In half precision
        they may differ by rounding, as do those of two sizes of a batch.
    """
    if len(rows[0]) != len(whole):
        return None, False
    joins: list[Join] = []
    exact = True
    for column, expected in zip(zip(*rows, strict=True), whole, strict=True):
        made = {join: join(column) for join in (together, chained, first, in_halves)}
        join = next((join for join, value in made.items() if equal(value, expected)), None)
        if join is None:
            exact = False
            join = next((join for join, value in made.items() if _is_close(value, expected)), None)
        if join is None:
            return None, False
        joins.append(join)
    return joins, exact


def is_half(row: Sequence[Any]) -> bool:
    """Whether all that a prompt gave is in half precision, in which two counts of prompts differ by rounding."""
    types = set(_types(row))
    return bool(types) and types <= set(_ROUNDING)


def _types(values: Sequence[Any]) -> Iterator[torch.dtype]:
    for each in values:
        if isinstance(each, list):
            yield from _types(each)
        elif isinstance(each, torch.Tensor) and each.is_floating_point():
            yield each.dtype


def together(column: Sequence[Any]) -> Any:
    """A row a prompt."""
    return torch.cat(list(column)) if all(isinstance(each, torch.Tensor) and each.ndim for each in column) else NOTHING


def chained(column: Sequence[Any]) -> Any:
    """A list with an entry a prompt."""
    return [entry for each in column for entry in each] if all(isinstance(each, list) for each in column) else NOTHING


def first(column: Sequence[Any]) -> Any:
    """What does not depend on the prompts, nor on how many there are."""
    return column[0] if all(each is column[0] or equal(each, column[0]) for each in column) else NOTHING


def in_halves(column: Sequence[Any]) -> Any:
    """First a row without the prompt for each of them, then a row a prompt, as guidance wants it."""
    if not all(isinstance(each, torch.Tensor) and each.ndim and len(each) == 2 for each in column):
        return NOTHING
    return torch.cat([each[place : place + 1] for place in (0, 1) for each in column])


def equal(one: Any, other: Any) -> bool:
    """Whether two things are the same to the last bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return alike(one, other) and torch.equal(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one is None and other is None


def alike(one: Any, other: Any) -> bool:
    """Whether two things are tensors of one type, shape and device."""
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return False
    return one.dtype == other.dtype and one.device == other.device and one.shape == other.shape


def _is_close(one: Any, other: Any) -> bool:
    """Whether two things are the same but for the rounding of half precision."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_close, one, other))
    if equal(one, other):
        return True
    if not alike(one, other) or one.dtype not in _ROUNDING:
        return False
    apart, largest = (one.float() - other.float()).abs().max(), other.float().abs().max()
    return bool(apart <= _ROUNDING[one.dtype] * largest)
