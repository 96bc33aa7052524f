"""A fixed part of the grid for each of several machines: the same split wherever it is made.

What a case costs must not come from anything that differs between machines. So every case counts as one, unless the
user names an earlier run whose verdicts say how many images each case took, and how long an image of its model took.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from pytest_seedshift.core.errors import DataError, InvalidValueError

if TYPE_CHECKING:
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.results.schema import Record, Search

_MICROSECONDS = 1e6  # costs are whole numbers, so that their sums are the same in any order


class ShardError(InvalidValueError):
    """There is no such shard."""


class ForeignRunError(DataError):
    """A run has nothing to say of how the cases of this one are to be split."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of`, from 1 on."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True)
class Split:
    """Which items belong to which shard, how that was found, and a fingerprint of it."""

    parts: tuple[frozenset[str], ...]
    by: str
    fingerprint: str


def parse(text: str) -> Shard:
    """Read `2/4`.

    Raises:
        ShardError: not of this form, or no such part.
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text, re.ASCII)
    if match is None:
        raise ShardError("give a shard as NUMBER/OF, such as 2/4")
    number, of = map(int, match.groups())
    if of == 0:
        raise ShardError("there is no shard of none: give NUMBER/OF, such as 2/4")
    if not 1 <= number <= of:
        raise ShardError(f"there is no such shard: they count from 1/{of} to {of}/{of}")
    return Shard(number, of)


def split(items: Mapping[str, Subject], of: int, history: Mapping[str, int] | None = None, by: str = "count") -> Split:
    """Split items into `of` shards of nearly equal cost.

    The order of the items has no say. Each shard is a stretch of one order, model by model, so that it loads few
    models; none costs more than an equal share and one case.

    Args:
        items: the case of each item that is to be split, by node id.
        of: how many shards, from 1 on.
        history: the cost of each item, see `costs`; None where each counts as one.
        by: says where the costs come from.

    Raises:
        ShardError: more shards than items.
    """
    if of > len(items):
        raise ShardError(f"{of} shards for {len(items)} cases: some would have none; give at most {len(items)}")
    ordered = sorted(items, key=lambda item: (items[item].model, item))
    costs = [1 if history is None else max(history[item], 1) for item in ordered]
    total, ends = sum(costs), list(accumulate(costs))
    # A case belongs to the share that its middle lies in; every shard gets at least one.
    share = [(2 * end - cost) * of // (2 * total) for end, cost in zip(ends, costs, strict=True)]
    starts = [0]
    for number in range(1, of):
        start = sum(each < number for each in share)
        starts.append(min(max(start, starts[-1] + 1), len(ordered) - of + number))
    parts = [ordered[start:end] for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True)]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return Split(tuple(map(frozenset, parts)), by, digest)


def costs(items: Mapping[str, Subject], verdicts: Sequence[Record | Search]) -> dict[str, int]:
    """What each item will cost, by an earlier run: images of its verdict × time of an image of its model.

    A case that is not in the earlier run costs as much as the mean of those that are. Where the time of some model's
    image is not known, images alone count.

    Args:
        items: the case of each item, by node id.
        verdicts: the cases of the earlier run's verdicts.json.

    Raises:
        ForeignRunError: it knows none of the cases.
    """
    seconds: dict[str, float] = {}
    generated: dict[str, int] = {}
    for case in verdicts:
        seconds[case.model] = seconds.get(case.model, 0.0) + case.seconds
        generated[case.model] = generated.get(case.model, 0) + case.generated
    models = {case.model for case in items.values()}
    timed = all(seconds.get(model) and generated.get(model) for model in models)
    found = {}
    for case in verdicts:
        if case.images and case.test in items:
            pace = seconds[case.model] / generated[case.model] if timed else 1.0
            found[case.test] = max(round(case.images * pace * _MICROSECONDS), 1)
    if not found:
        raise ForeignRunError("it has a verdict about none of the cases of this run")
    mean = sum(found.values()) // len(found)
    return {item: found.get(item, mean) for item in items}
