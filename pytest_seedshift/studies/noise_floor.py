"""The noise floor: how far a model's scores move under what should not matter, and which bounds lie below that.

Plain numbers and noise.json, no model; `noise_floor_conditions` measures. noise.json lies in the run folder and is
keyed by the model's fingerprint:

    {"version": 1, "models": {"<fingerprint>": {"model": "toy-latent", "scorers": [...], "images": 64,
      "reference": "float32 on cpu, batches of 16, 2 threads",
      "arms": [{"name": "batch size 1", "scores": {"top1": {"largest": 0.0, "mean": 0.0, "changed": 0, "of_mean": 0}},
                "alike": {"ssim": 1.0, "least_ssim": 1.0, "psnr": 60.0, "least_psnr": 60.0, "equal": 64, …}}],
      "skipped": [{"name": "device cuda", "reason": "…"}]}}}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pytest_seedshift.core import atomic_files, files, likeness, tables
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry, recorded
from pytest_seedshift.core.scores import CERTAINTY, WITHIN
from pytest_seedshift.core.stats import unseen_changes
from pytest_seedshift.studies import likeness_floor

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.studies.likeness_floor import Alike

FILE_NAME = "noise.json"
VERSION = 1
MAX_REGRESSION = "max_regression"
_CERTAIN = f"{100 * CERTAINTY:g} %"

Scores: TypeAlias = Mapping[str, float]


class NoiseError(DataError):
    """noise.json cannot be used; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """How far one score has moved, pair by pair and in its mean, in the score's own units."""

    largest: float
    """The largest absolute change of a pair."""
    mean: float
    """The mean absolute change of a pair."""
    changed: int
    """How many pairs have another value: of a score that is 0 or 1, how many outcomes have changed."""
    of_mean: float
    """The change of the mean over all pairs, signed."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One thing that was changed though it should not matter, and what it did to each score and to the pictures."""

    name: str
    scores: Mapping[str, Change]
    alike: Alike | None = None
    """None where it was not measured, as by earlier versions."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """One thing that could not be changed on this machine, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Noise:
    """What was measured of a model: each arm against the reference, on the control's first pairs."""

    model: str
    scorers: tuple[str, ...]
    """The fingerprints of the scorers."""
    images: int
    reference: str
    arms: tuple[Arm, ...]
    skipped: tuple[Skipped, ...]
    kinds: ScoreRegistry = field(default=SHIPPED, repr=False, compare=False)
    """What the scores are."""

    @property
    def alike(self) -> list[tuple[str, Alike | None]]:
        """How like the pictures of each arm are to the reference's, by its name."""
        return [(arm.name, arm.alike) for arm in self.arms]

    def floor(self, score: str) -> tuple[float, str]:
        """The largest absolute change of a score's mean, and the arm that made it; 0 and nothing of no arm."""
        moved = [(abs(arm.scores[score].of_mean), arm.name) for arm in self.arms if score in arm.scores]
        return max(moved, default=(0.0, ""))

    def room(self, score: str) -> tuple[float, str] | None:
        """How far a score's mean may move for all that these images tell, at 99 %, and the arm of which that is so.

        Of a score that is 0 or 1 that is the largest share of outcomes that may change: see `unseen_changes`. None of
        other scores, of whose unseen changes nothing can be said but their range; and where nothing was measured.
        """
        if not self.kinds[score].binary:
            return None
        changed = [(arm.scores[score].changed, arm.name) for arm in self.arms if score in arm.scores]
        if not changed or not self.images:
            return None
        most, arm = max(changed)
        return unseen_changes.most(self.images, min(most, self.images)), arm


def compare(reference: Sequence[Scores], other: Sequence[Scores]) -> dict[str, Change]:
    """Hold the scores of an arm against the reference's, of the same pairs in the same order, at least one."""
    found = {}
    for name in reference[0]:
        before, after = (np.array([scores[name] for scores in each], dtype=np.float64) for each in (reference, other))
        moved = np.abs(after - before)
        found[name] = Change(
            float(moved.max()), float(moved.mean()), int((moved > 0).sum()), float((after - before).mean())
        )
    return found


def table(noise: Noise) -> list[str]:
    """What was measured, in lines."""
    lines = [f"{noise.model}: {noise.reference}; {noise.images} images of the control"]
    width = max(map(len, [*(arm.name for arm in noise.arms), *(each.name for each in noise.skipped)]))
    for score in noise.arms[0].scores if noise.arms else ():
        kind = noise.kinds[score]
        rows = [(kind.title, "largest change", "mean change", "pairs changed", "change of the mean")]
        rows += [
            (arm.name, f"{change.largest:.2g}", f"{change.mean:.2g}", str(change.changed), f"{change.of_mean:+.2g}")
            for arm in noise.arms
            for change in (arm.scores[score],)
        ]
        lines += tables.table(rows, "<>", least=(width, 0))
    lines += _pictures(noise, width)
    lines += [tables.line((each.name, f"skipped: {each.reason}"), (width, 0)) for each in noise.skipped]
    lines += [
        f"  {noise.kinds[score].title}: a difference of means below {moved:.2g} is within the noise ({arm})"
        for score in (noise.arms[0].scores if noise.arms else ())
        for moved, arm in [noise.floor(score)]
        if moved
    ]
    lines += likeness_floor.lines(noise.alike)
    for score in noise.arms[0].scores if noise.arms else ():
        room = noise.room(score)
        lines.append(
            f"  {noise.kinds[score].title}: {_unseen(noise.images) if room is None else _room(noise.images, *room)}"
        )
    return lines


def _pictures(noise: Noise, width: int) -> list[str]:
    """How like the pictures of each arm are to the reference's, in lines."""
    alike = [(name, each) for name, each in noise.alike if each is not None]
    if not alike:
        return []
    rows = [("pictures", "least SSIM", "mean", "least PSNR", "mean", "least CLIP cosine", "mean", "equal")]
    for name, each in alike:
        of_pixels = f"{each.least_ssim:.3f}", f"{each.ssim:.3f}", *_decibels(each, noise.images)
        of_clip = f"{each.least_embedding:.3f}", f"{each.embedding:.3f}"
        rows.append((name, *of_pixels, *of_clip, str(each.equal)))
    return tables.table(rows, "<>", least=(width, 0))


def _decibels(each: Alike, images: int) -> tuple[str, str]:
    return ("same", "same") if each.equal == images else (f"{each.least_psnr:.1f} dB", f"{each.psnr:.1f} dB")


def _room(images: int, most: float, arm: str) -> str:
    return f"up to {most:.2g} of all outcomes may change ({arm}): the {_CERTAIN} upper bound of {images} images"


def _unseen(images: int) -> str:
    return (
        f"up to {unseen_changes.most(images):.2g} of all pairs may change by more than the largest change: the "
        f"{_CERTAIN} upper bound of {images} images"
    )


# noise.json ------------------------------------------------------------------------------------------------------


def write(folder: RunFolder, fingerprint: str, noise: Noise) -> Path:
    """Write what was measured of a model beside what was measured of others.

    Raises:
        NoiseError: what is there cannot be read.
        OSError: the file cannot be written.
    """
    path = folder.path / FILE_NAME
    with folder.lock("noise"):
        entries = {key: _values(each) for key, each in {**read(folder), fingerprint: noise}.items()}
        document = {"version": VERSION, "models": entries}
        atomic_files.write(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n", within=folder.path)
    return path


def _values(noise: Noise) -> dict[str, Any]:
    """What noise.json says of it; what the scores are stands in verdicts.json."""
    return {name: value for name, value in asdict(noise).items() if name != "kinds"}


def read(folder: RunFolder) -> dict[str, Noise]:
    """What was measured, by the model's fingerprint; nothing where nothing was.

    Raises:
        NoiseError: the file cannot be read, or another version has written it.
    """
    path = folder.path / FILE_NAME
    try:
        document = files.read_json(path, within=folder.path)
        with files.foreign(path):
            if document["version"] == VERSION:
                return {key: _noise(each) for key, each in document["models"].items()}
            version = str(document["version"])
    except files.MissingFileError:
        return {}
    except files.FileError as error:
        raise NoiseError(f"{error}: remove it") from None
    raise NoiseError(f"{path}: its version is {version}, this version reads {VERSION}: remove it")


def _noise(entry: Mapping[str, Any]) -> Noise:
    arms = tuple(
        Arm(
            str(each["name"]),
            {str(name): _change(change) for name, change in each["scores"].items()},
            None if each.get("alike") is None else likeness_floor.read(each["alike"]),
        )
        for each in entry["arms"]
    )
    return Noise(
        str(entry["model"]),
        tuple(map(str, entry["scorers"])),
        int(entry["images"]),
        str(entry["reference"]),
        arms,
        tuple(Skipped(str(each["name"]), str(each["reason"])) for each in entry["skipped"]),
    )


def _change(entry: Mapping[str, Any]) -> Change:
    return Change(float(entry["largest"]), float(entry["mean"]), int(entry["changed"]), float(entry["of_mean"]))


# Bounds ----------------------------------------------------------------------------------------------------------


def below_floor(noise: Noise, score: str, bound: float, name: str = MAX_REGRESSION) -> str | None:
    """Why a bound beside a baseline is below the noise, or may be; None where it is not.

    Args:
        noise: of the model.
        score: its name.
        bound: on a change, in the score's own units.
        name: of the bound: `max_regression` or `within`.
    """
    moved, arm = noise.floor(score)
    room = noise.room(score)
    if bound >= moved:
        return None if room is None or bound >= room[0] or not bound else _too_few(noise, score, name, bound, *room)
    return (
        f"{noise.model}: {name} = {bound:g} of {noise.kinds[score].title} is below the noise: {arm} alone "
        f"moves the mean by {moved:.2g} on {noise.images} images. Set at least that, or keep it fixed"
    )


def _too_few(noise: Noise, score: str, name: str, bound: float, most: float, arm: str) -> str:
    """That noise which is larger than a bound could have stayed unseen, and how many images would show it."""
    changed = max(each.scores[score].changed for each in noise.arms if score in each.scores)
    more = (
        f"Measure it on {unseen_changes.needed(bound)} images or more (seedshift noise --images), or ask for at least "
        "that"
        if not changed
        else "Set at least that, measure it on more images (seedshift noise --images), or keep it fixed"
    )
    return (
        f"{noise.model}: whether the noise of {noise.kinds[score].title} lies below {name} = {bound:g} is "
        f"not known: {changed} of {noise.images} outcomes have changed ({arm}), which leaves room for {most:.2g} at "
        f"{_CERTAIN}. {more}"
    )


def _each(noise: Noise) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fingerprint of the classifier and that of CLIP, each as far as it is known."""
    return tuple(noise.scorers[:1]), tuple(noise.scorers[1:2])


def warnings(folder: RunFolder, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Warnings of all bounds of a run that lie below the noise of their model, as far as that was measured.

    Args:
        folder: where noise.json may lie.
        manifest: the head of verdicts.json: see `plugin.manifest`.
    """
    from pytest_seedshift.results import schema  # pydantic, not where tests are collected

    kinds = recorded(manifest)
    asked: dict[tuple[str, str, str], float] = {}
    alike: dict[tuple[str, str], float] = {}
    for entry in schema.readable(schema.Planned, manifest.get("grid")):
        for name in (MAX_REGRESSION, WITHIN):
            for score, bound in entry.bounds(name).items():
                if score in kinds and entry.model is not None:
                    key = entry.model, score, name
                    asked[key] = min(bound, asked.get(key, bound))
        for score, bound in entry.bounds("min").items():
            if likeness.measure_of(score) is not None and entry.model is not None:
                alike[entry.model, score] = max(bound, alike.get((entry.model, score), bound))
    if not asked and not alike:
        return
    try:
        measured = read(folder)
    except NoiseError as error:
        yield str(error)
        return
    for (model, score, name), bound in asked.items():
        told = manifest["models"].get(model) or {}
        noise = measured.get(told.get("fingerprint") or "")
        scorers = (told.get("classifier"), told.get("clip"))  # None of one that the run does not need
        if noise is not None and all(mine in (None, *of) for mine, of in zip(scorers, _each(noise), strict=True)):
            said = below_floor(replace(noise, kinds=kinds), score, bound, name)
            if said is not None:
                yield said
    for (model, score), bound in alike.items():
        told = manifest["models"].get(model) or {}
        noise = measured.get(told.get("fingerprint") or "")
        by_clip = likeness.measure_of(score) == "embedding"
        if noise is not None and (not by_clip or told.get("clip") in (None, *noise.scorers[1:2])):
            said = likeness_floor.above(noise.model, noise.alike, score, bound, noise.images)
            if said is not None:
                yield said


def told_of(noise: Noise, constraints: Iterable[Constraint]) -> list[str]:
    """Warnings of bounds that lie below the noise of a model, of whatever case they are, each once."""
    found: dict[str, None] = {}
    constraints = list(constraints)
    for each in constraints:
        within = None if each.within is None else each.within.value
        for name, bound in ((MAX_REGRESSION, each.max_regression), (WITHIN, within)):
            if bound is not None and each.score in noise.kinds:
                found[below_floor(noise, each.score, bound, name) or ""] = None
    for score, bound in likeness_floor.asked(constraints).items():
        found[likeness_floor.above(noise.model, noise.alike, score, bound, noise.images) or ""] = None
    return [each for each in found if each]
