"""Scores by sample that another harness has measured, as CSV: an id, scores, and the prompt that samples share.

    id,clip,prompt
    fox-0,31.2,a fox
    fox-1,29.8,a fox

Two such files are compared id by id. Samples of one prompt are alike, so prompts are what varies independently; see
`core.stats.clustered`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_seedshift.core import csv_lines, files, typed_values
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.messages import some
from pytest_seedshift.core.scores import Estimate
from pytest_seedshift.core.stats.clustered import clustered

KEY = "id"
PROMPT = "prompt"


class ForeignScoresError(DataError):
    """A table of scores that cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class ForeignScores:
    """The scores of a file.

    Attributes:
        name: of the file.
        scores: by score, the value of each id.
        prompts: the prompt of each id; empty where the file has none.
    """

    name: str
    scores: Mapping[str, Mapping[str, float]]
    prompts: Mapping[str, str]

    @property
    def ids(self) -> list[str]:
        """All ids, in the file's order."""
        return list(next(iter(self.scores.values())))


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a score.

    Attributes:
        score: its name.
        pairs: how many ids both files have.
        prompts: how many prompts these have; as many as pairs where no prompt is named.
        before: the mean of the old file, over these.
        after: the mean of the new one.
        change: of the mean, with its interval.
    """

    score: str
    pairs: int
    prompts: int
    before: float
    after: float
    change: Estimate

    @property
    def worse(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.change.high < 0

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.change.low > 0


def read(path: Path) -> ForeignScores:
    """Read a file.

    Raises:
        ForeignScoresError: it cannot be read, or is no such table.
    """
    try:
        content = files.read_bytes(path, most=files.MOST_TEXT)
        with files.foreign(path):
            text = content.decode("utf-8-sig")
    except files.FileError as error:
        raise ForeignScoresError(f"{path} {error.reason}") from None
    lines = csv_lines.read(text, lambda line: f"{path}, line {line}")
    _, head = next(lines, (0, []))
    names = [each.strip() for each in head]
    if KEY not in names or len({*names}) < len(names) or not (wanted := [n for n in names if n not in (KEY, PROMPT)]):
        raise ForeignScoresError(
            f"{path}: give a first line with the columns {KEY}, one or more scores and, where samples share one, "
            f"{PROMPT}, each once, such as {KEY},score,{PROMPT}"
        )
    scores: dict[str, dict[str, float]] = {name: {} for name in wanted}
    prompts: dict[str, str] = {}
    for line, values in lines:
        where = f"{path}, line {line}"
        if len(values) != len(names):
            raise ForeignScoresError(f"{where}: {len(values)} values under {len(names)} columns")
        row = dict(zip(names, values, strict=True))
        key = row[KEY].strip()
        if not key or key in scores[wanted[0]]:
            raise ForeignScoresError(f"{where}: {KEY} {key!r}: give each sample an id of its own")
        for name in wanted:
            scores[name][key] = _number(row[name], f"{where}: {name}")
        if PROMPT in names:
            prompts[key] = " ".join(row[PROMPT].split())
            if not prompts[key]:
                raise ForeignScoresError(f"{where}: no {PROMPT}: give each sample one, or delete the column")
    if len(scores[wanted[0]]) < 2:
        raise ForeignScoresError(f"{path}: fewer than two samples, of which nothing can be said")
    return ForeignScores(path.name, scores, prompts)


def compare(
    old: ForeignScores, new: ForeignScores, *, certainty: float, allow_missing: bool = False
) -> tuple[Change, ...]:
    """Compare the scores that both have, id by id.

    Args:
        old: before.
        new: after.
        certainty: of all intervals together.
        allow_missing: whether either may lack ids.

    Returns:
        One for each score of both, in the new file's order.

    Raises:
        ForeignScoresError: they have no score in common, too few ids, ids that one lacks, or an id of two prompts.
    """
    both = [name for name in new.scores if name in old.scores]
    if not both:
        theirs, ours = ", ".join(old.scores), ", ".join(new.scores)
        raise ForeignScoresError(f"no score is in both: {old.name} has {theirs}, {new.name} has {ours}")
    if not allow_missing:
        for side, other in ((old, new), (new, old)):
            known = {*side.ids}
            if lacking := [each for each in other.ids if each not in known]:
                raise ForeignScoresError(
                    f"{side.name} lacks {some(lacking, 5)}, which {other.name} has: compare what both have with "
                    "--allow-missing"
                )
    known = {*old.ids}
    ids = [each for each in new.ids if each in known]
    if len(ids) < 2:
        raise ForeignScoresError(f"{old.name} and {new.name} have {len(ids)} ids in common: a comparison needs two")
    prompts = _prompts(old, new, ids)
    level = 1 - (1 - certainty) / len(both)
    return tuple(_change(name, ids, prompts, old.scores[name], new.scores[name], level) for name in both)


def _prompts(old: ForeignScores, new: ForeignScores, ids: list[str]) -> list[str]:
    """The prompt of each id, by the file that has them; the id itself where neither does."""
    if old.prompts and new.prompts:
        for each in ids:
            if old.prompts[each] != new.prompts[each]:
                raise ForeignScoresError(
                    f"{KEY} {each!r} is of the prompt {old.prompts[each][:60]!r} in {old.name} and of "
                    f"{new.prompts[each][:60]!r} in {new.name}: give an id to the same sample in both"
                )
    found = new.prompts or old.prompts
    return [found.get(each, each) for each in ids]


def _change(
    score: str, ids: list[str], prompts: list[str], old: Mapping[str, float], new: Mapping[str, float], level: float
) -> Change:
    values = [value for side in (old, new) for value in side.values()]
    span = max(1.0, max(values) - min(values))  # to which the interval of equal changes refers
    found = clustered([(new[each] - old[each]) / span for each in ids], prompts, level)
    change = Estimate(found.mean * span, found.low * span, found.high * span)
    before, after = (math.fsum(side[each] for each in ids) / len(ids) for side in (old, new))
    return Change(score, len(ids), len({*prompts}), before, after, change)


def _number(text: str, where: str) -> float:
    value = typed_values.number({"true": "1", "false": "0"}.get(text.strip().lower(), text))
    if not math.isfinite(value) or abs(value) > 1e12:
        raise ForeignScoresError(f"{where} {text!r} is not a number")
    return value
