"""The noise floor: what a change under what should not matter comes to, and which bounds lie below it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies import likeness_floor, noise_floor
from pytest_seedshift.studies.likeness_floor import Alike
from pytest_seedshift.studies.noise_floor import Arm, Change, Noise, NoiseError, Skipped

STILL = Change(0.0, 0.0, 0, 0.0)
NOISE = Noise(
    "toy-latent",
    ("vit", "clip"),
    64,
    "float32 on cpu",
    (
        Arm("batch size 1", {"top1": STILL, "clip": Change(0.01, 0.001, 60, -0.0005)}),
        Arm(
            "dtype bfloat16",
            {"top1": Change(1.0, 2 / 64, 2, -1 / 64), "clip": Change(0.5, 0.1, 64, 0.02)},
            Alike(0.98, 0.9, 44.5, 38.25, 0, 0.999, 0.995),
        ),
    ),
    (Skipped("device cuda", "there is none"),),
)
MANIFEST = {
    "models": {"toy-latent": {"fingerprint": "f", "classifier": "vit", "clip": "clip"}},
    "grid": [
        {"model": "toy-latent", "asks": {"top1 min": 0.5, "top1 max_regression": 0.05}},
        {"model": "toy-latent", "asks": {"top1 max_regression": 0.01, "clip max_regression": 0.02}},
    ],
}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    made = RunFolder(tmp_path)
    made.prepare()
    return made


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_the_change_of_a_binary_score_counts_the_outcomes_that_changed(outcomes):
    before, after = ([{"top1": float(pair[side])} for pair in outcomes] for side in (0, 1))
    found = noise_floor.compare(before, after)["top1"]
    changed = sum(one != other for one, other in outcomes)
    assert found.changed == changed
    assert found.mean == pytest.approx(changed / len(outcomes))
    assert found.largest == (1.0 if changed else 0.0)
    assert abs(found.of_mean) <= found.mean + 1e-12
    assert noise_floor.compare(before, before)["top1"] == STILL


def test_the_floor_is_the_largest_change_of_the_mean():
    assert NOISE.floor("top1") == (1 / 64, "dtype bfloat16")
    assert NOISE.floor("top5") == (0.0, "")


def test_a_bound_below_the_noise_is_warned_of_once_and_one_at_it_is_not(folder):
    noise_floor.write(folder, "f", NOISE)
    (said,) = noise_floor.warnings(folder, MANIFEST)
    assert said == (
        "toy-latent: max_regression = 0.01 of top-1 is below the noise: dtype bfloat16 alone moves the mean by 0.016 "
        "on 64 images. Set at least that, or keep it fixed"
    )


def test_a_bound_on_both_sides_is_held_against_the_noise_too(folder):
    noise_floor.write(folder, "f", NOISE)
    grid = [{"model": "toy-latent", "asks": {"top1 within": 0.01, "clip within": 0.5}}]
    (said,) = noise_floor.warnings(folder, {**MANIFEST, "grid": grid})
    assert said.startswith("toy-latent: within = 0.01 of top-1 is below the noise: dtype bfloat16 alone moves the mean")


@pytest.mark.parametrize(
    "change",
    [
        {"models": {"toy-latent": {"fingerprint": "another", "classifier": "vit", "clip": "clip"}}},
        {"models": {"toy-latent": {"fingerprint": "f", "classifier": "another", "clip": "clip"}}},
        {"models": {"toy-latent": {"fingerprint": None, "classifier": None, "clip": None}}},
        {"models": {}},
        {"grid": [{"model": "toy-latent", "asks": {"top1 min": 0.0}}]},
    ],
)
def test_what_was_measured_of_something_else_warns_of_nothing(folder, change):
    noise_floor.write(folder, "f", NOISE)
    assert list(noise_floor.warnings(folder, {**MANIFEST, **change})) == []


def test_what_is_written_is_read_back_and_models_stand_beside_each_other(folder):
    assert noise_floor.read(folder) == {}
    noise_floor.write(folder, "f", NOISE)
    noise_floor.write(folder, "g", NOISE)
    assert noise_floor.read(folder) == {"f": NOISE, "g": NOISE}


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 9}', '{"version": 1, "models": {"f": {}}}'])
def test_a_damaged_file_is_an_error_that_names_it_and_a_warning_of_a_run(folder, text):
    folder.path.joinpath("noise.json").write_text(text)
    with pytest.raises(NoiseError, match=r"noise\.json.*remove it"):
        noise_floor.write(folder, "f", NOISE)
    (said,) = noise_floor.warnings(folder, MANIFEST)
    assert "remove it" in said


def test_the_table_names_every_arm_and_what_was_skipped():
    text = "\n".join(noise_floor.table(NOISE))
    assert "device cuda" in text
    assert "skipped: there is none" in text
    assert text.count("dtype bfloat16") == 9  # thrice as an arm, five times as the floor, once as what leaves most room
    assert "least SSIM   mean  least PSNR     mean  least CLIP cosine   mean  equal" in text
    assert "dtype bfloat16       0.900  0.980     38.2 dB  44.5 dB              0.995  0.999      0" in text
    assert "top-1: up to 0.12 of all outcomes may change (dtype bfloat16): the 99 % upper bound of 64 images" in text
    assert "CLIP: up to 0.069 of all pairs may change by more than the largest change" in text


@pytest.mark.parametrize(
    ("images", "bound", "warned"), [(32, 0.05, True), (32, 0.13, True), (32, 0.14, False), (90, 0.05, False)]
)
def test_a_bound_that_noise_which_was_not_seen_could_pass_is_warned_of(folder, images, bound, warned):
    """Of 32 outcomes none has changed, so up to 13 in 100 may; 90 would show that fewer than 5 in 100 do."""
    still = Noise("toy-latent", ("vit", "clip"), images, "float32 on cpu", (Arm("batch size 1", {"top1": STILL}),), ())
    noise_floor.write(folder, "f", still)
    grid = [{"model": "toy-latent", "asks": {"top1 max_regression": bound}}]
    said = list(noise_floor.warnings(folder, {**MANIFEST, "grid": grid}))
    assert len(said) == warned
    if warned:
        assert f"0 of {images} outcomes have changed" in said[0]
        assert "seedshift noise --images" in said[0]


def test_a_bound_of_nothing_at_all_is_not_told_to_measure_more(folder):
    still = Noise("toy-latent", ("vit", "clip"), 64, "float32 on cpu", (Arm("batch size 1", {"top1": STILL}),), ())
    noise_floor.write(folder, "f", still)
    grid = [{"model": "toy-latent", "asks": {"top1 max_regression": 0.0}}]
    assert list(noise_floor.warnings(folder, {**MANIFEST, "grid": grid})) == []


def test_what_an_earlier_version_measured_is_read(folder):
    path = noise_floor.write(folder, "f", NOISE)
    document = json.loads(path.read_text())
    for arm in document["models"]["f"]["arms"]:
        del arm["alike"]
    path.write_text(json.dumps(document))
    read = noise_floor.read(folder)["f"]
    assert [arm.alike for arm in read.arms] == [None, None]
    assert [arm.scores for arm in read.arms] == [arm.scores for arm in NOISE.arms]


# Likeness --------------------------------------------------------------------------------------------------------

FEW = likeness_floor.of_pairs(
    1, ssim=[1.0, 0.98, 0.9, 0.96], psnr=[float("inf"), 40.0, 30.0, 38.0], embedding=[1.0, 0.999, 0.99, 0.999]
)
SAME = likeness_floor.of_pairs(4, ssim=[1.0] * 4, psnr=[float("inf")] * 4, embedding=[1.0] * 4)
UNLIKE = replace(
    NOISE, images=4, arms=(Arm("once more", {"top1": STILL}, SAME), Arm("batch size 1", {"top1": STILL}, FEW))
)


def likeness(**asks: float) -> dict[str, Any]:
    return {
        "models": {"toy-latent": {"fingerprint": "f", "classifier": None, "clip": "clip"}},
        "grid": [{"model": "toy-latent", "asks": {f"likeness_{name} min": bound for name, bound in asks.items()}}],
    }


def test_the_floor_of_likeness_is_the_least_that_an_arm_leaves_of_it():
    arms = UNLIKE.alike
    assert likeness_floor.floor(arms, "likeness_ssim") == (pytest.approx(0.96), "batch size 1")
    assert likeness_floor.floor(arms, "likeness_psnr") == (42.0, "batch size 1")  # 60 counts of equal pictures
    assert likeness_floor.floor(arms, "likeness_ssim_at_0.95") == (0.75, "batch size 1")
    assert likeness_floor.floor(arms, "likeness_ssim_at_0.9") == (1.0, "batch size 1")
    assert likeness_floor.floor([("once more", None)], "likeness_ssim") is None
    older = replace(FEW, values={})
    assert older.value("likeness_ssim_at_0.8") == 1.0
    assert older.value("likeness_ssim_at_0.95") is None  # of pairs nothing is known but the least


@pytest.mark.parametrize(
    ("asks", "warned"),
    [
        ({"ssim": 0.96}, None),
        ({"ssim": 0.97}, "ssim: min = 0.97 lies above the noise floor: batch size 1 alone leaves pictures alike"),
        ({"psnr": 50.0}, "psnr: min = 50 lies above the noise floor: batch size 1 alone"),
        ({"embedding": 0.98}, None),
        ({"embedding": 1.0}, "embedding: min = 1 lies"),
        ({"ssim_at_0.95": 0.9}, "ssim: share = 0.9 of 0.95 lies above the noise floor: batch size 1"),
        ({"ssim_at_0.9": 1.0}, None),
    ],
)
def test_a_bound_of_likeness_nearer_to_one_than_the_noise_is_warned_of(folder, asks, warned):
    noise_floor.write(folder, "f", UNLIKE)
    found = list(noise_floor.warnings(folder, likeness(**asks)))
    assert [each for each in found if warned is not None and warned in each] == found
    assert bool(found) is (warned is not None)


def test_the_cosine_of_another_clip_warns_of_nothing_and_pixels_do_all_the_same(folder):
    noise_floor.write(folder, "f", replace(UNLIKE, scorers=("vit", "another")))
    found = list(noise_floor.warnings(folder, likeness(embedding=1.0, ssim=1.0)))
    assert len(found) == 1
    assert "ssim" in found[0]
    assert not list(noise_floor.warnings(RunFolder(folder.path / "none"), likeness(ssim=1.0)))


def test_likeness_is_read_back_pair_by_pair_and_an_earlier_files_without_pairs(folder):
    path = noise_floor.write(folder, "f", UNLIKE)
    assert noise_floor.read(folder)["f"].alike == UNLIKE.alike
    document = json.loads(path.read_text())
    for arm in document["models"]["f"]["arms"]:
        del arm["alike"]["values"]
    path.write_text(json.dumps(document))
    assert [each.values for _, each in noise_floor.read(folder)["f"].alike] == [{}, {}]


def test_the_command_tells_of_bounds_in_whatever_table():
    asked = thresholds_parser.parse(
        "[default]\ntop1 = { max_regression = 0.005 }\n[likeness]\nssim = 0.9\n"
        "[shift.mean.likeness]\nssim = { min = 0.97, floor = 0.95, share = 0.99 }\n[model.other.likeness]\npsnr = 60\n",
        "t.toml",
        lambda _: None,
    )
    said = noise_floor.told_of(replace(UNLIKE, images=64), asked.constraints_of("toy-latent"))
    assert [each.partition(" = ")[0] for each in said] == [
        "toy-latent: whether the noise of top-1 lies below max_regression",
        "toy-latent: [likeness] ssim: min",
        "toy-latent: [likeness] ssim: share",
    ]
    assert "a bound on its mean above 0.96 is within the noise (batch size 1)" in "\n".join(noise_floor.table(UNLIKE))
    assert not likeness_floor.lines([("once more", SAME)])
