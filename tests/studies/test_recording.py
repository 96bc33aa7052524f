"""Recording what samplers do: of small pipelines of several families, of models of one's own, of the toys."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from helpers.families import FAMILIES, stable_diffusion
from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import rng
from pytest_seedshift.models.observation import observed
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.studies.trajectories.recorder import Recorder
from pytest_seedshift.studies.trajectories.recording import record

# Diffusers' own: building some pipelines.
pytestmark = pytest.mark.filterwarnings("ignore:`LoraLoaderMixin` is deprecated:FutureWarning")

PAIR = Pair(Label("fig", 0), 0)
TOLD = (
    "stable-diffusion-1",
    "stable-diffusion-xl",
    "latent-consistency",
    "flux",
    "pixart-alpha",
    "prx",
    "stable-unclip",
)
"""Samplers that tell the picture, convert it, or leave it to a formula; packed states; two samplings in a row."""


@cache
def build(name: str) -> DiffusersPipeline:
    family = FAMILIES[name]
    return DiffusersPipeline(name, family.build(), "", family.arguments)


@pytest.mark.parametrize("name", [*TOLD, "glide", "wuerstchen", "kandinsky-2.2"])
def test_an_image_is_the_same_to_the_last_bit_when_it_is_observed(name):
    model = build(name)
    plain = model.generate([PAIR])
    with model.observed() as observation:
        seen: list[Any] = []
        watched = model.generate([PAIR], None, lambda _, state: seen.append(observation.of(state)))
    assert torch.equal(watched, plain)
    assert all(each is not None for each in seen)
    assert torch.equal(model.generate([PAIR]), plain)


@pytest.mark.parametrize("name", TOLD)
def test_the_picture_that_is_predicted_last_is_the_image(name):
    model = build(name)
    image = model.generate([PAIR])[0]
    found = record(model, Case(name), PAIR)
    assert found.notes == ()
    assert sorted(found.pictures) == [1, 2]
    assert (found.pictures[2] - image).abs().max() < 1e-4
    assert (found.pictures[1] - image).abs().max() > 1e-3  # the check can fail


@pytest.mark.parametrize("name", [*TOLD, "glide"])
def test_it_starts_from_the_shifted_seed_vector_in_units_that_keep_the_variance(name):
    starts = [record(build(name), Case(name, "mean", eta) if eta else Case(name), PAIR).states[0] for eta in (0, 0.3)]
    assert starts[0].std() == pytest.approx(1, abs=0.1)
    assert starts[1] - starts[0] == pytest.approx(np.full_like(starts[0], 0.3), abs=1e-4)


def test_a_pipeline_of_two_samplings_is_recorded_in_the_last_one():
    model = build("stable-unclip")
    assert record(model, Case("m"), PAIR).states.shape == (3, 4 * 16 * 16)


def test_a_pixel_model_shows_what_it_predicts_and_says_which_stage_it_is():
    found = record(build("glide"), Case("m"), PAIR)
    assert found.pictures[1].shape == (3, 16, 16)
    assert found.notes == (
        "the steps are those of the base, at its size; the upsampler, which samples again, reports none",
    )


def test_a_sampler_that_does_not_tell_what_it_predicts_leaves_a_note_and_its_states():
    found = record(build("wuerstchen"), Case("m"), PAIR)
    assert found.pictures == {}
    assert found.notes[1:] == ("no pictures of the predicted x₀: its sampler does not tell what it expects",)
    assert np.isfinite(found.states).all()


def test_steps_of_another_sampling_than_the_shifted_one_are_told_from_it():
    plain, shifted = (record(build("wuerstchen"), case, PAIR) for case in (Case("m"), Case("m", "mean", 0.3)))
    assert "of another sampling than the one whose seed vector is shifted" in plain.notes[0]
    assert np.array_equal(plain.states[0], shifted.states[0])
    assert not np.array_equal(plain.states[-1], shifted.states[-1])


def test_a_pipeline_that_reports_no_steps_is_a_reason():
    with pytest.raises(CaseError, match="reports no steps, so it has no trajectory"):
        record(build("latent-diffusion"), Case("m"), PAIR)


def test_an_observation_leaves_no_trace_even_where_a_generation_fails():
    pipeline = stable_diffusion()
    before = dict(vars(type(pipeline.scheduler)))
    with pytest.raises(RuntimeError), observed(pipeline):
        raise RuntimeError
    assert dict(vars(type(pipeline.scheduler))) == before


# Models of one's own ----------------------------------------------------------------------------------------------


class Own:
    """A model that halves its state in each of three steps, and tells no more than `TextToImage` asks for."""

    name, fingerprint, seed_shape = "own", "f", (3, 4, 4)

    def generate(self, chosen, shift=None, on_step=None):
        state = rng.seed_vectors(chosen, self.seed_shape)
        if shift is not None:
            state = shift(state, chosen)
        for step in range(3):
            state = state / 2
            if on_step is not None:
                on_step(step, state)
        return state.sigmoid()


class Bent(Own):
    """One whose states have another shape than its seed vector."""

    def generate(self, chosen, shift=None, on_step=None):
        return super().generate(chosen, shift, on_step and (lambda step, state: on_step(step, state[:, :1])))


def test_a_model_of_one_s_own_starts_from_its_seed_vector_and_it_is_said():
    found = record(Own(), Case("own"), PAIR)
    z = rng.seed_vectors([PAIR], Own.seed_shape).flatten().numpy()
    assert np.array_equal(found.states, np.stack([z, z / 2, z / 4, z / 8]))
    assert any("taken for the seed vector itself" in note for note in found.notes)
    assert any("it offers none" in note for note in found.notes)


def test_a_start_that_is_not_known_is_none():
    found = record(Bent(), Case("own"), PAIR)
    assert np.isnan(found.states[0]).all()
    assert np.isfinite(found.states[1:]).all()
    assert any("the first step has no length" in note for note in found.notes)


# The toys -----------------------------------------------------------------------------------------------------------

SHIFTED = {model: Case(model, "mean", 0.3) for model in ("toy-latent", "toy-glide", "toy-glide-ddim")}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Workbench(RunFolder(tmp_path_factory.mktemp("run")), "cpu", "float32", batch_size=2, keep="none")
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def toys(bench):
    recorder = Recorder(bench)
    return {
        model: recorder.trajectory(case, bench.catalogue.design(model, None)[:2]) for model, case in SHIFTED.items()
    }


def apart(found, state: int) -> float:
    return float(found.distance[:, state].mean()) / found.size**0.5


def test_the_ancestral_sampler_of_glide_leaps_at_once_and_forgets_the_shift_with_it(toys):
    found = toys["toy-glide"]
    assert found.discontinuity == found.early[:, 0].mean() > 2
    assert apart(found, 0) == pytest.approx(0.3, abs=1e-5)
    assert apart(found, 1) < 0.02
    assert apart(found, -1) < 0.02


@pytest.mark.parametrize("model", ["toy-latent", "toy-glide-ddim"])
def test_samplers_that_keep_the_seed_vector_do_not_leap_and_keep_the_shift(toys, model):
    found = toys[model]
    assert found.early[:, 0].mean() < 1
    assert found.discontinuity < 1.5
    assert 0.28 < apart(found, 1) < 0.5
    assert apart(found, -1) > 0.1


def test_what_was_recorded_is_not_recorded_again_and_more_pairs_are(toys, bench):
    case, design = SHIFTED["toy-latent"], bench.catalogue.design("toy-latent", None)
    loads: list[None] = []
    again = Workbench(bench.folder, "cpu", "float32", batch_size=2, keep="none", on_load=lambda: loads.append(None))
    recorder = Recorder(again)
    assert np.array_equal(recorder.trajectory(case, design[:2]).plane, toys["toy-latent"].plane)
    assert loads == []
    assert len(recorder.trajectory(case, design[:3]).pairs) == 3
    again.close()


def test_what_goes_wrong_is_a_reason_in_the_folder_and_no_error(bench, tmp_path):
    from pytest_seedshift.studies.trajectories import files

    broken = Workbench(RunFolder(tmp_path), "cpu", "float32", batch_size=2, keep="none")
    case = Case("toy-latent", "mean:channel=9", 0.3)
    Recorder(broken).keep(case, broken.catalogue.design("toy-latent", None)[:1])
    broken.close()
    kept = {each.case: each for each in map(files.read, files.find(broken.folder))}
    assert "channel" in kept[case].reason
    assert kept[case.control].trajectory is not None
