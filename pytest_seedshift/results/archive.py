"""samples.sqlite, read back: which of the store's samples a verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.messages import some
from pytest_seedshift.core.shifts import NONE
from pytest_seedshift.results.data import CaseRun, Sample
from pytest_seedshift.results.statuses import SKIPPED, UNFINISHED
from pytest_seedshift.results.verdicts import picture

if TYPE_CHECKING:
    from pytest_seedshift.core.score_registry import ScoreRegistry
    from pytest_seedshift.core.scores import Estimate
    from pytest_seedshift.results import metadata, sample_rows
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.sample_reading import Contents


def with_samples(
    records: Sequence[CaseRun],
    contents: Contents,
    known: Sequence[metadata.Facts],
    folder: RunFolder,
    notes: list[str],
    kinds: ScoreRegistry,
) -> list[CaseRun]:
    """Give each case its samples.

    The store holds samples of every version of a model. Which of them a verdict rests on is in run.json, and
    held against the means in any case: samples with other means are not those of the verdict.
    """
    archive = _Archive(contents, known, folder.path, kinds)
    made, without = [], []
    for record in records:
        found = archive.find(record)
        if found is None:
            made.append(record)
            without += [record.id] if record.verdict not in ("error", SKIPPED) else []
        else:
            samples, control = found
            made.append(_replace(record, samples, control))
    if without:
        notes.append(
            f"{folder.samples_file.name} does not hold the samples that these verdicts rest on: {some(without)}. What "
            "the page shows by class, of drops and of changed pairs is without them"
        )
    return made


def fingerprints(known: Sequence[metadata.Facts]) -> set[str]:
    """The versions of models that a run names, whatever they are called elsewhere."""
    return {model.fingerprint for each in known for model in each.models if model.fingerprint}


def _replace(record: CaseRun, samples: tuple[Sample, ...], control: Mapping[tuple[str, int], Sample]) -> CaseRun:
    return replace(record, samples=samples, control=control, complete=True)


class _Archive:
    """The store's samples by version of model and scorers, and by case."""

    def __init__(self, contents: Contents, known: Sequence[metadata.Facts], folder: Path, kinds: ScoreRegistry) -> None:
        self._kinds = kinds
        self._scores = contents.scores
        self._folder = folder
        self._rows: dict[tuple[str, str, float], dict[str, list[sample_rows.Image]]] = {}
        self._labels: dict[str, set[str]] = {}
        self._pictures: dict[str, tuple[Path | None, bool]] = {}
        self._stated = [model for each in known for model in each.models]
        self._scorers = _scorers(contents, kinds)
        self._last: tuple[object, dict[tuple[str, int], Sample]] = None, {}
        self._made: dict[tuple[str, tuple[str, ...]], Sample] = {}
        """By image and scorers: a control's samples are those of every case of the model."""
        groups: dict[tuple[str, str, str, float], list[sample_rows.Image]] = {}
        for image in contents.images:
            group = groups.setdefault((image.model, image.fingerprint, image.shift, image.magnitude), [])
            group.append(image)
        places: dict[tuple[str, int], bytes] = {}
        for (named, version, shift, magnitude), images in groups.items():
            for image in images:
                if (image.label, image.seed) not in places:
                    places[image.label, image.seed] = pairs.place(image.label, image.seed)
            for model in {named, *self._names(version)}:
                self._rows.setdefault((model, shift, magnitude), {}).setdefault(version, []).extend(images)
                self._labels.setdefault(model, set()).update(image.label for image in images)
        for rows in (rows for by_version in self._rows.values() for rows in by_version.values()):
            rows.sort(key=lambda image: places[image.label, image.seed])

    def _names(self, fingerprint: str) -> list[str]:
        """What a version is called in this run: a store names a sample's model as who made the sample did."""
        return [each.name for each in self._stated if each.fingerprint == fingerprint]

    def find(self, record: CaseRun) -> tuple[tuple[Sample, ...], dict[tuple[str, int], Sample]] | None:
        """The samples of a case and the control's of the same pairs; None where they are not there."""
        case = record.case
        versions = self._rows.get((case.model, case.shift, case.magnitude), {})
        stated = [each for each in self._stated if each.name == case.model]
        first = {each.fingerprint for each in stated}
        trusted = {scorer for each in stated for scorer in each.scorers}
        for version in sorted(versions, key=lambda version: version not in first):
            of_seed = [row for row in versions[version] if pairs.seed_of(row.seed) == record.design_seed]
            rows = self._of_design(of_seed, case.model, record.design, stated)[: record.images or None]
            if record.images and len(rows) != record.images:
                continue
            # Of scores that the verdict does not have its samples need none: the store may hold those of other runs.
            groups = [group for names, group in self._scorers.items() if not record.scores.keys().isdisjoint(names)]
            for scorers in product(*(sorted(group, key=lambda s: (s not in trusted, s)) for group in groups)):
                samples = self._samples(rows, scorers)
                if samples is not None and _has_means(samples, record.scores, self._kinds):
                    before = self._rows.get((case.model, case.control.shift, 0.0), {}).get(version, [])
                    return samples, self._control(before, scorers, {sample.pair for sample in samples})
        return None

    def _of_design(
        self, rows: list[sample_rows.Image], model: str, size: int, stated: Sequence[metadata.Model]
    ) -> list[sample_rows.Image]:
        """Those of a case's samples that are in a design of a size: the store may hold those of a larger one."""
        if not size:
            return rows
        for each in stated:
            if each.classes:
                place = {label: index for index, label in enumerate(each.classes)}
                count = len(each.classes)
                return [row for row in rows if row.seed % pairs.SEEDS * count + place.get(row.label, size) < size]
        whole = -(-size // len(self._labels[model]))
        return [row for row in rows if row.seed % pairs.SEEDS < whole]

    def _control(
        self, rows: list[sample_rows.Image], scorers: tuple[str, ...], wanted: set[tuple[str, int]]
    ) -> dict[tuple[str, int], Sample]:
        """The control's samples of some pairs; cases of the same pairs share them."""
        of = id(rows), scorers, frozenset(wanted)
        if of != self._last[0]:
            same = [image for image in rows if (image.label, image.seed) in wanted]
            kept = self._samples(same, scorers, partial=True) or ()
            self._last = of, {sample.pair: sample for sample in kept}
        return self._last[1]

    def _samples(
        self, rows: Iterable[sample_rows.Image], scorers: tuple[str, ...], *, partial: bool = False
    ) -> tuple[Sample, ...] | None:
        made = []
        for row in rows:
            known = self._made.get((row.key, scorers))
            if known is not None:
                made.append(known)
                continue
            by_scorer = self._scores.get(row.key, {})
            values = [by_scorer.get(scorer) for scorer in scorers]
            if not all(values):
                if partial:
                    continue
                return None
            merged = {name: value for each in values if each for name, value in each.items()}
            if row.key not in self._pictures:
                self._pictures[row.key] = picture(row.picture, self._folder)
            sample = Sample(row.label, row.seed, merged, *self._pictures[row.key], row.digest or "")
            made.append(sample)
            if row.shift == NONE:
                self._made[row.key, scorers] = sample
        return tuple(made)


def _scorers(contents: Contents, kinds: ScoreRegistry) -> dict[tuple[str, ...], list[str]]:
    """The scorers' fingerprints by the scores that they give: each sample has one of each group that was asked for."""
    groups: dict[tuple[str, ...], dict[str, None]] = {}
    seen: set[tuple[str, ...]] = set()
    for by_scorer in contents.scores.values():
        for scorer, values in by_scorer.items():
            if (scorer, *values) in seen:
                continue
            seen.add((scorer, *values))
            if values.keys() <= kinds.keys():  # a position is no score of a verdict, and few samples have one
                groups.setdefault(tuple(sorted(values)), {})[scorer] = None
    return {names: list(group) for names, group in groups.items()}


def _has_means(samples: Sequence[Sample], scores: Mapping[str, Estimate], kinds: ScoreRegistry) -> bool:
    for name, estimate in scores.items():
        low, top = kinds[name].low, kinds[name].top
        values = [sample.scores.get(name, math.nan) for sample in samples]
        if values and not low <= min(values) <= max(values) <= top:
            values = [min(max(value, low), top) for value in values]
        if not values or not math.isclose(math.fsum(values) / len(values), estimate.mean, abs_tol=1e-6 * (top - low)):
            return False
    return True


def unfinished(contents: Contents, kinds: ScoreRegistry) -> list[CaseRun]:
    """Cases without a verdict, of what a run that did not end has left in the store."""
    from pytest_seedshift.core.stats.sequential import estimate

    by_case: dict[Case, dict[tuple[str, int], list[sample_rows.Image]]] = {}
    for image in contents.images:
        case = Case(image.model, image.shift, image.magnitude)
        version = image.fingerprint, pairs.seed_of(image.seed)
        by_case.setdefault(case, {}).setdefault(version, []).append(image)
    made = []
    for case, versions in by_case.items():
        rows = max(versions.values(), key=len)
        values: dict[str, list[float]] = {}
        for row in rows:
            merged = {k: v for each in contents.scores.get(row.key, {}).values() for k, v in each.items()}
            for name in kinds.keys() & merged.keys():
                values.setdefault(name, []).append(merged[name])
        scores = {name: estimate(kind, values[name], stopped=True) for name, kind in kinds.items() if values.get(name)}
        what = "the run ended before this case had a verdict"
        none = (None, 0, 0.0, None, None, "")
        made.append(CaseRun(case, UNFINISHED, what, scores, (), len(rows), 0, *none, kinds=kinds))
    return made
