"""What is kept of trajectories: its numbers, the plane, the files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from helpers.wanderings import PAIRS, SIZE, STEPS, add, control, trajectory, walks
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies.trajectories import files, plane
from pytest_seedshift.studies.trajectories.recording import chosen, lengths
from pytest_seedshift.studies.trajectories.trajectory import ARRAYS, discontinuity, early

CASE = Case("toy", "mean", 0.3)

# The discontinuity ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.floats(1e-3, 1e3))
def test_steps_of_one_length_have_a_discontinuity_of_1(steps, length):
    ratios = early(np.full((2, steps), length, np.float32))
    assert ratios.shape == (2, min(5, -(-steps // 2)))
    assert discontinuity(ratios) == pytest.approx(1, rel=1e-5)


@given(st.floats(1.01, 100), st.integers(0, 4))
def test_a_first_step_that_is_longer_is_seen_by_its_factor_and_in_its_place(factor, place):
    length = np.ones((3, 20), np.float32)
    length[:, place] = factor
    assert early(length)[:, place] == pytest.approx([factor] * 3)
    assert discontinuity(early(length)) == pytest.approx(factor)


def test_a_late_step_that_is_longer_is_no_early_discontinuity():
    length = np.ones((1, 20), np.float32)
    length[:, 10] = 50
    assert discontinuity(early(length)) == 1


@given(st.floats(1e-3, 1e3))
def test_the_discontinuity_has_no_unit(scale):
    length = lengths(walks())
    assert discontinuity(early(length * np.float32(scale))) == pytest.approx(discontinuity(early(length)), rel=1e-4)


def test_where_the_start_is_not_known_the_first_step_has_no_length_and_the_others_count():
    length = np.ones((2, 20), np.float32)
    length[:, 0], length[:, 1] = np.nan, 3
    assert np.isnan(early(length)[:, 0]).all()
    assert discontinuity(early(length)) == 3


def test_where_nothing_moves_there_is_no_number():
    assert np.isnan(discontinuity(early(np.zeros((2, 20), np.float32))))
    assert np.isnan(discontinuity(early(np.full((2, 20), np.nan, np.float32))))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10, 50])
def test_pictures_are_of_the_first_steps_and_the_last(steps):
    assert chosen(steps)[0] == 1
    assert chosen(steps)[-1] == steps
    assert len(chosen(steps)) == min(steps, 5 if steps == 10 else 6) or steps < 10


# What is kept of states -----------------------------------------------------------------------------------------------


def test_a_summary_is_that_of_the_states():
    states, of = walks(0.3), control(walks())
    made = trajectory(CASE, states, of)
    assert (made.steps, made.size, made.pairs) == (STEPS, SIZE, PAIRS)
    assert made.mean[1, 2] == pytest.approx(states[1, 2].mean(), rel=1e-5)
    assert made.std[1, 2] == pytest.approx(states[1, 2].std(), rel=1e-5)
    assert made.norm[1, 2] == pytest.approx(np.sqrt((states[1, 2] ** 2).sum()), rel=1e-5)
    assert made.distance[:, 0] == pytest.approx([0.3 * SIZE**0.5] * 2, rel=1e-5)
    assert made.length[0, 0] == pytest.approx(np.linalg.norm(states[0, 1] - states[0, 0]), rel=1e-5)
    assert made.control_discontinuity == pytest.approx(trajectory(Case("toy"), walks(), of).discontinuity)


def test_the_control_lies_nowhere_but_on_itself():
    made = trajectory(Case("toy"), walks(), control(walks()))
    assert not made.distance.any()
    assert np.array_equal(made.plane, made.control_plane)


def test_states_of_another_number_of_steps_are_not_compared():
    with pytest.raises(SeedshiftError, match=r"its states are \(6, 48\), the control's \(9, 48\)"):
        trajectory(CASE, walks(steps=5), control(walks()))


# The plane ------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1000))
def test_what_lies_in_a_plane_is_drawn_as_it_is(seed):
    draw = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(draw.standard_normal((60, 2)))
    flat = draw.standard_normal((12, 2)) * (3, 1)
    states = (flat @ axes.T + draw.standard_normal(60)).astype(np.float32)
    found = plane.fit(states)
    drawn = found.project(states)
    apart = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)
    assert apart == pytest.approx(np.linalg.norm(flat[:, None] - flat[None], axis=-1), abs=1e-3)
    assert found.explained.sum() == pytest.approx(1, abs=1e-5)
    assert found.axes @ found.axes.T == pytest.approx(np.eye(2), abs=1e-4)


def test_its_axes_are_those_of_the_greatest_variance():
    states = walks().reshape(-1, SIZE)
    found = plane.fit(states)
    _, singular, rows = np.linalg.svd(states - states.mean(axis=0), full_matrices=False)
    assert np.abs(found.axes @ rows[:2].T) == pytest.approx(np.eye(2), abs=1e-3)
    assert found.explained == pytest.approx(singular[:2] ** 2 / (singular**2).sum(), rel=1e-3)


def test_states_on_a_line_a_single_state_and_unknown_ones_have_a_plane_too():
    line = np.outer(np.arange(5), np.ones(4)).astype(np.float32)
    found = plane.fit(np.vstack([line, np.full((1, 4), np.nan, np.float32)]))
    assert found.explained == pytest.approx([1, 0])
    assert not found.axes[1].any()
    assert plane.fit(line[:1]).project(line[:1]) == pytest.approx(np.zeros((1, 2)))


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    add(folder, CASE, "print of toy")
    return folder


def test_what_was_written_is_read(folder):
    (path,) = files.find(folder)
    kept = files.read(path)
    made, found = trajectory(CASE, walks(0.3), control(walks())), kept.trajectory
    assert (kept.case, kept.fingerprint, kept.reason) == (CASE, "print of toy", "")
    assert (found.pairs, found.shown, found.notes) == (PAIRS, (1, STEPS), ("a note",))
    assert all(np.array_equal(getattr(found, name), getattr(made, name)) for name in ARRAYS)
    assert len(ARRAYS) == 9
    assert len(kept.pictures) == 4
    assert all(each.is_file() for each in kept.pictures.values())
    assert not list(folder.path.rglob("*.partial"))


def test_a_reason_is_read_in_place_of_trajectories(folder):
    path = files.path_of(folder, CASE, "print of toy")
    files.write_reason(path, CASE, "print of toy", "it would not")
    kept = files.read(path)
    assert (kept.trajectory, kept.reason) == (None, "it would not")


def rewritten(path: Path, header: dict, **arrays: np.ndarray) -> None:
    kept = files.read(path).trajectory
    known = {"version": 1, "model": "toy", "shift": "mean", "magnitude": 0.3, "fingerprint": "p", "reason": ""}
    known |= {"pairs": PAIRS, "size": SIZE, "shown": [1], "notes": []}
    values = {name: getattr(kept, name) for name in ARRAYS}
    save_file(values | arrays, path, {"seedshift": json.dumps(known | header)})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: rewritten(path, {"version": 2}), "version is 2, this version of seedshift reads 1: upgrade"),
        (lambda path: rewritten(path, {"pairs": [["owl", 0]]}), "mean is of shape"),
        (lambda path: rewritten(path, {"shown": [99]}), "pictures of steps"),
        (lambda path: rewritten(path, {"magnitude": "nan"}), "not a finite number"),
        (lambda path: rewritten(path, {}, plane=np.zeros((2, 9, 3), np.float32)), "plane is of shape"),
        (lambda path: save_file({}, path, {"other": ""}), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(folder, damage, says):
    (path,) = files.find(folder)
    damage(path)
    with pytest.raises(SeedshiftError, match=says):
        files.read(path)


def test_another_run_s_trajectories_are_taken_over_with_their_pictures_unless_there_are_some(folder, tmp_path):
    target = RunFolder(tmp_path / "merged")
    files.take_over(folder, target)
    (path,) = files.find(target)
    assert all(each.is_file() for each in files.read(path).pictures.values())
    files.write_reason(path, CASE, "print of toy", "mine")
    files.take_over(folder, target)
    assert files.read(path).reason == "mine"


def test_states_are_read_for_the_pairs_that_they_are_of(folder):
    path = files.states_path(folder, "toy", "print of toy")
    assert files.read_states(path, PAIRS) is None
    files.write_states(path, PAIRS, walks())
    assert np.array_equal(files.read_states(path, PAIRS), walks())
    assert files.read_states(path, PAIRS[:1]) is None
    assert path not in list(files.find(folder))
