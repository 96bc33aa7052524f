"""The sampler's way from the seed vector to the picture, with a shift and without, where it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.files import FileError, is_file
from pytest_seedshift.reporting.page import trajectory_plots
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.reporting.page.shots import Shot, shot_of
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies.trajectories import files

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.studies.trajectories.files import Kept
    from pytest_seedshift.studies.trajectories.trajectory import Trajectory

_DRAWN = 12
"""How many cases of a model are drawn, each in a part of its own: those with the strongest shifts."""

_PAIRS = 4
"""Of how many pairs the pictures are shown."""


def build(run: Run, album: Album) -> Section | None:
    """Nothing where no trajectory was asked for; where it was and there is none, why."""
    folder, broken = RunFolder(run.path), []
    kept: dict[str, Kept] = {}
    stated = {(model.name, model.fingerprint) for each in run.facts for model in each.models}
    known = {name for name, _ in stated}
    for path in files.find(folder):
        try:
            found = files.read(path)
        except FileError as error:
            broken.append(f"{path.name} {error.reason}")
            continue
        model = found.case.model
        if model not in known or (model, found.fingerprint) in stated:  # others are of another version of the model
            kept[found.case.id] = found
    models = [_model(run, model, kept, album) for model in run.models]
    told = [each for each in models if each is not None]
    if not told and not broken:
        return None
    return section("trajectories", "Trajectories", models=told, broken=broken)


def _model(run: Run, model: str, kept: dict[str, Kept], album: Album) -> dict[str, Any] | None:
    cases = run.of(model)
    recorded = [(case, found) for case in cases if (found := kept.get(case.id)) is not None]
    if not recorded:
        return None
    made = [(case, found.trajectory) for case, found in recorded if found.trajectory is not None]
    reasons: dict[str, list[CaseRun]] = {}
    for case, found in recorded:
        if found.trajectory is None:
            reasons.setdefault(found.reason, []).append(case)
    shifted = [(case, each) for case, each in made if not case.case.is_control]
    magnitudes = run.magnitudes(model)
    shifts = [shift for shift in run.shifts if any(case.case.shift == shift for case, _ in shifted)]
    by_shift = {shift: [pair for pair in shifted if pair[0].case.shift == shift] for shift in shifts}
    drawn = sorted(shifted, key=lambda pair: (not pair[0].failed, -abs(pair[0].case.magnitude)))[:_DRAWN]
    return {
        "model": model,
        "reasons": list(reasons.items()),
        "without": [case for case in cases if case.id not in kept],
        "notes": list(dict.fromkeys(note for _, each in made for note in each.notes)),
        "steps": sorted({each.steps for _, each in made}),
        "pairs": sorted({len(each.pairs) for _, each in made}),
        "first": max((each.early.shape[1] for _, each in made), default=0),
        "rows": [_row(case, each) for case, each in made],
        "legend": [(at, trajectory_plots.step_key(index)) for index, at in enumerate(magnitudes)] if shifted else [],
        "control": trajectory_plots.step_key(trajectory_plots.CONTROL),
        "distances": [(shift, _distances(found, magnitudes)) for shift, found in by_shift.items()],
        "lengths": [(shift, _lengths(found, magnitudes)) for shift, found in by_shift.items()],
        "drawn": [_drawn(case, each, kept, album) for case, each in drawn],
        "undrawn": len(shifted) - len(drawn),
    }


def _row(case: CaseRun, each: Trajectory) -> dict[str, Any]:
    """The early steps' lengths, and how far from the control it starts and ends, by number of the state."""
    apart = each.distance.mean(axis=0) / np.sqrt(each.size)
    return {
        "case": case,
        "early": each.early.mean(axis=0).tolist(),
        "discontinuity": each.discontinuity,
        "apart": None if case.case.is_control else [float(apart[place]) for place in (0, 1, -1)],
    }


def _distances(found: list[tuple[CaseRun, Trajectory]], magnitudes: list[float]) -> Markup:
    lines = [
        trajectory_plots.StepLine(
            magnitudes.index(case.case.magnitude), each.distance.mean(axis=0) / np.sqrt(each.size)
        )
        for case, each in found
    ]
    return trajectory_plots.by_step(lines, first=0)


def _lengths(found: list[tuple[CaseRun, Trajectory]], magnitudes: list[float]) -> Markup:
    lines = [
        trajectory_plots.StepLine(magnitudes.index(case.case.magnitude), each.length.mean(axis=0) / np.sqrt(each.size))
        for case, each in found
    ]
    _, first = found[0]
    control = trajectory_plots.StepLine(
        trajectory_plots.CONTROL, first.control_length.mean(axis=0) / np.sqrt(first.size)
    )
    return trajectory_plots.by_step([*lines, control], first=1, logarithmic=True)


def _drawn(case: CaseRun, each: Trajectory, kept: dict[str, Kept], album: Album) -> dict[str, Any]:
    own, control = kept[case.id], kept.get(case.case.control.id)
    without = None if control is None or control.trajectory is None else control
    if without is not None and without.trajectory is not None and without.trajectory.pairs != each.pairs:
        without = None
    left, right = trajectory_plots.planes(each.control_plane, each.plane)
    strips = [
        {
            "label": label,
            "seed": seed,
            "rows": [
                *([("control", _shots(without, place, each, album))] if without is not None else []),
                (None, _shots(own, place, each, album)),
            ],
        }
        for place, (label, seed) in enumerate(each.pairs[:_PAIRS])
    ]
    return {
        "case": case,
        "control": left,
        "shifted": right,
        "explained": each.explained.tolist(),
        "shown": each.shown,
        "strips": strips if each.shown else [],
    }


def _shots(kept: Kept, place: int, each: Trajectory, album: Album) -> list[Shot]:
    label, seed = each.pairs[place]
    made = []
    for step in each.shown:
        path = kept.pictures.get((place, step))
        there = path is not None and is_file(path, path.parents[2])
        made.append(shot_of(label, seed, None, path if there else None, album, lost=not there))
    return made
