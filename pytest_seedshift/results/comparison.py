"""Comparisons of run folders: with the baseline that a run was held against, or with each other."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files, files
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_registry import ScoreRegistry, recorded
from pytest_seedshift.core.scores import ANY, WITHIN, Constraint, Margin
from pytest_seedshift.results import baseline, baseline_sources, losses, regression, schema
from pytest_seedshift.results.run_folder import MERGED, RunFolder, VerdictsError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.results.regression import Comparison, Gate
    from pytest_seedshift.results.run import Run

_SHOWN = 16
"""How many pictures of the baseline a case keeps."""


def of_folder(run: Run, before: Baseline | None = None) -> Comparison | None:
    """A run held against its baseline; None where it was held against none, as are searches for breaking points.

    Args:
        run: read from its folder.
        before: its baseline; None for the copy that the folder keeps.

    Raises:
        BaselineError: the baseline or the run cannot be read, or they are not comparable.
    """
    folder = RunFolder(run.path)
    try:
        document = folder.read_document()
    except VerdictsError:
        return None
    if not isinstance(document.get("baseline"), dict) or not run.cases:
        return None
    try:
        head = folder.read(schema.Head)
    except VerdictsError as error:
        raise baseline.BaselineError(f"{run.path}: {error}") from None
    about = head.baseline
    if about is None:
        return None
    found = before or baseline_sources.load(run.path / baseline.FILE_NAME, about.name, within=run.path)
    if found.checksum != about.checksum:
        raise baseline.BaselineError(
            f"{run.path / baseline.FILE_NAME} is not the baseline that this run was compared with"
        )
    of_kind: dict[str, dict[tuple[Case, str], bool | None]] = {"max_regression": {}, WITHIN: {}}
    for each in run.cases:
        for one in each.findings:
            if one.change and one.kind in of_kind:
                of_kind[one.kind][each.case, one.score] = one.holds
    gate = gate_of(head, document, run.path)
    gate = replace(gate, decided=of_kind["max_regression"], shown=of_kind[WITHIN])
    made = regression.compare(found, baseline_sources.of_run(run), gate)
    return made if before is not None else replace(made, before=replace(found, pictures=_kept(made, folder)))


def compared(run: Run) -> Run:
    """A run with its comparison with its baseline; as it is where there is none, or where it cannot be made."""
    if run.comparison is not None:
        return run
    try:
        return replace(run, comparison=of_folder(run))
    except baseline.BaselineError:
        return run


def gate_of(head: schema.Head, document: Mapping[str, Any], path: Path) -> Gate:
    """What a run asked of regressions, as the head of its verdicts.json says it.

    Args:
        head: of it.
        document: all of it: whether there are cases of the grid that it says nothing of.
        path: of the run folder, which may have been merged of shards that are not all there.
    """
    about, kinds = head.baseline, recorded(document)
    ended = {each.test for each in schema.readable(schema.Subject, document.get("cases"))}
    return regression.Gate(
        certainty=head.certainty,
        family=about is not None and about.family,
        asked=_asked(head.grid, kinds),
        models={} if about is None else about.models,
        partial=head.shard is not None
        or ((path / MERGED).exists() and any(each.kind is None and each.test not in ended for each in head.grid)),
    )


def _asked(grid: Sequence[schema.Entry], kinds: ScoreRegistry) -> dict[Case, list[Constraint]]:
    """By case, what its tests ask beside a baseline: of several tests the least that one of them allows."""
    asked: dict[Case, dict[str, Constraint]] = {}
    for entry in grid:
        if entry.kind is None:
            of_case = asked.setdefault(Case(entry.model, entry.shift, entry.magnitude), {})
            for each in _constraints(entry, kinds):
                before = of_case.get(each.score)
                of_case[each.score] = each if before is None else _narrower(before, each)
    return {case: list(of_case.values()) for case, of_case in asked.items()}


def _narrower(one: Constraint, other: Constraint) -> Constraint:
    """What two tests ask of a score, together."""
    first = min((one, other), key=lambda each: math.inf if each.max_regression is None else each.max_regression)
    margins = [each.within for each in (one, other) if each.within is not None]
    return replace(first, within=min(margins, key=lambda each: each.value or 0.0, default=None))


def _constraints(entry: schema.Entry, kinds: ScoreRegistry) -> list[Constraint]:
    allowed, changes, significant = map(entry.bounds, ("max_regression", "any change", "significant"))
    within, shares = entry.bounds(WITHIN), entry.bounds("within share")
    return [
        Constraint(
            score,
            max_regression=allowed.get(score),
            significant=ANY if score in changes else score not in significant,
            within=Margin(within[score], shares.get(score)) if score in within else None,
            own_kind=kind,
        )
        for score, kind in kinds.items()
        if score in allowed or score in within
    ]


def keep(comparison: Comparison, folder: RunFolder, run: Run) -> None:
    """Keep in the run folder what the report needs of the baseline: its file, and its pictures of what has changed.

    Raises:
        OSError: the folder cannot be written to.
    """
    comparison.before.write(folder.path / baseline.FILE_NAME)
    write(comparison, folder)
    pictures = comparison.before.pictures
    for each in run.cases:
        if each.likeness is not None:
            _copy(comparison, folder, each.case, *each.likeness.least)
    for case in comparison.cases if pictures else ():
        lost, won = comparison.turned(case)
        other = comparison.other(case)
        for pair in [pair for pair in (*lost, *won) if (other, *pair) in pictures][:_SHOWN]:
            _copy(comparison, folder, case, *pair)


def _copy(comparison: Comparison, folder: RunFolder, case: Case, label: str, seed: int) -> None:
    """Keep the baseline's picture of a pair, where it has one."""
    path = comparison.before.pictures.get((comparison.other(case), label, seed))
    if path is not None:
        target = folder.baseline_picture(case, label, seed)
        atomic_files.make_folder(target.parent, folder.path)
        with suppress(files.FileError):  # it may have been removed meanwhile: the page shows none in its place
            atomic_files.write(target, files.read_bytes(path), within=folder.path)


def write(comparison: Comparison, folder: RunFolder) -> None:
    """Write what was found, as JSON.

    Raises:
        OSError: the folder cannot be written to.
    """
    text = json.dumps(losses.document(comparison), indent=1, ensure_ascii=False) + "\n"
    atomic_files.write(folder.path / baseline.LOSSES_FILE_NAME, text, within=folder.path)


def _kept(comparison: Comparison, folder: RunFolder) -> dict[tuple[Case, str, int], Any]:
    found = {}
    for case in comparison.cases:
        for turned in comparison.turned(case):
            for label, seed in turned:
                path = folder.baseline_picture(case, label, seed)
                if files.is_file(path, folder.path):
                    found[comparison.other(case), label, seed] = path
    return found
