"""What paper.md says of the five shifts, and what their users can get wrong."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import shifts

ALL = [
    "random",
    "random:symmetric",
    "random:normal",
    "random:direction",
    "random:left",
    "random:right",
    "random:up",
    "random:down",
    "mean",
    "mean:channel",
    "mean:channel=1",
    "mean:exact",
    "std",
    "std:exact",
    "mixed",
    "mixed:independent",
    "mixed:independent=0.5",
    "arrangement",
    "arrangement:permute",
    "arrangement:flip",
    "arrangement:roll",
    "arrangement:offset",
]
REARRANGING = ["arrangement", "arrangement:permute", "arrangement:flip", "arrangement:roll"]
IN_BLOCK = [*REARRANGING, "arrangement:offset"]

every_shift = pytest.mark.parametrize("shift", ALL)
seeds = st.integers(0, 2**31)
magnitudes = st.floats(-0.9, 0.9).filter(lambda magnitude: abs(magnitude) > 1e-3)


def keyed(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=keyed(seed), dtype=torch.float64).to(dtype)


def values(block: torch.Tensor) -> torch.Tensor:
    """The values of each channel in ascending order: equal multisets, equal tensors."""
    return block.flatten(-2).sort(-1).values


def test_all_here_are_all_there_are():
    named = {name: shifts.variants(name) for name in shifts.names()}
    assert list(named) == ["random", "mean", "std", "mixed", "arrangement"]
    expected = set(named) | {f"{name}:{variant}" for name in named for variant in named[name]}
    assert {text.partition("=")[0] for text in ALL} == expected


@every_shift
def test_magnitude_zero_is_the_identity(shift):
    for z in (noise(2, 3, 4, 4), noise(3, 4, 4)):
        assert shifts.apply(z, shift, 0.0) is z
        assert shifts.apply(z, shift, -0.0) is z


@every_shift
@pytest.mark.parametrize("magnitude", [0.5, -0.5])
def test_input_stays_as_it_was_and_output_is_new(shift, magnitude):
    z = noise(2, 3, 8, 8)
    before = z.clone()
    shifted = shifts.apply(z, shift, magnitude, generator=keyed())
    assert torch.equal(z, before)
    assert not torch.equal(shifted, z)
    shifted.zero_()
    assert torch.equal(z, before)


@every_shift
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_shape_and_dtype_stay(shift, dtype):
    for shape in ((2, 3, 6, 4), (3, 6, 4)):
        shifted = shifts.apply(noise(*shape, dtype=dtype), shift, -0.5, generator=keyed())
        assert shifted.shape == shape
        assert shifted.dtype == dtype
        assert shifted.isfinite().all()


@every_shift
def test_one_seed_vector_is_shifted_as_a_batch_of_one_is(shift):
    z = noise(3, 8, 8)
    alone = shifts.apply(z, shift, 0.5, generator=keyed())
    batch = shifts.apply(z[None], shift, 0.5, generator=keyed())
    assert torch.equal(alone, batch[0])


@pytest.mark.parametrize("shift", [shift for shift in ALL if "random" not in shift and "permute" not in shift])
def test_what_does_not_draw_treats_each_seed_vector_alone(shift):
    z = noise(3, 3, 8, 8)
    rows = [shifts.apply(row, shift, 0.5) for row in z]
    torch.testing.assert_close(shifts.apply(z, shift, 0.5), torch.stack(rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shift", [shift for shift in ALL if "random" in shift or "permute" in shift])
def test_draws_come_from_the_generator_and_from_nowhere_else(shift):
    z = noise(1, 3, 8, 8)
    state = torch.get_rng_state()
    first = shifts.apply(z, shift, 0.9, generator=keyed(1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, shifts.apply(z, shift, 0.9, generator=keyed(1)))
    assert not torch.equal(first, shifts.apply(z, shift, 0.9, generator=keyed(2)))


@pytest.mark.parametrize(
    ("towards", "axis", "last"), [("left", -1, False), ("right", -1, True), ("up", -2, False), ("down", -2, True)]
)
def test_random_towards_a_side_rises_linearly_to_it_and_adds_as_much_in_all(towards, axis, last):
    u = shifts.apply(torch.zeros(200, 4, 8, 16), f"random:{towards}", 1.0, generator=keyed())
    profile = u.mean([each for each in range(-4, 0) if each != axis])
    side = u.shape[axis]
    rising = (torch.arange(side) + 0.5) / side
    torch.testing.assert_close(profile, rising if last else rising.flip(0), rtol=0, atol=0.02)
    across = u.mean([each for each in range(-4, 0) if each != (-3 - axis)])
    torch.testing.assert_close(across, torch.full_like(across, 0.5), rtol=0, atol=0.02)
    assert u.min() >= 0
    assert u.max() <= 2


@pytest.mark.parametrize(("shift", "shape"), [("random:left", (4, 8, 1)), ("random:down", (4, 1, 8))])
def test_random_towards_a_side_needs_a_picture_that_has_one(shift, shape):
    with pytest.raises(ValueError, match="a shift towards one side needs two"):
        shifts.apply(noise(*shape), shift, 0.3)


@pytest.mark.parametrize("shift", [shift for shift in ALL if "random" in shift])
@given(magnitude=magnitudes, seed=seeds)
def test_random_moves_along_one_draw_by_the_magnitude(shift, magnitude, seed):
    z = noise(2, 3, 4, 4, seed=seed)
    u = shifts.apply(z, shift, 1.0, generator=keyed(seed)) - z
    moved = shifts.apply(z, shift, magnitude, generator=keyed(seed)) - z
    torch.testing.assert_close(moved, magnitude * u, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("shift", "low", "high", "mean", "std"),
    [
        ("random", 0, 1, 0.5, 1 / math.sqrt(12)),
        ("random:symmetric", -1, 1, 0, 1 / math.sqrt(3)),
        ("random:normal", -6, 6, 0, 1),
    ],
)
def test_random_draws_element_by_element_from_its_distribution(shift, low, high, mean, std):
    u = shifts.apply(torch.zeros(1, 4, 64, 64), shift, 1.0, generator=keyed())
    assert low <= u.min() < low + 0.3 * (high - low)
    assert high >= u.max() > high - 0.3 * (high - low)
    assert u.mean().item() == pytest.approx(mean, abs=0.03)
    assert u.std().item() == pytest.approx(std, abs=0.03)
    assert u.unique().numel() > 0.9 * u.numel()


@given(magnitude=magnitudes, seed=seeds)
def test_random_direction_has_the_norm_that_the_magnitude_says(magnitude, seed):
    z = noise(2, 3, 4, 4, seed=seed)
    moved = (shifts.apply(z, "random:direction", magnitude, generator=keyed(seed)) - z).flatten(1)
    expected = torch.full((2,), abs(magnitude) * math.sqrt(48), dtype=z.dtype)
    torch.testing.assert_close(moved.norm(dim=1), expected)
    assert not torch.allclose(moved[0], moved[1])


@given(magnitude=magnitudes, seed=seeds)
def test_mean_moves_the_mean_and_keeps_the_spread(magnitude, seed):
    z = noise(2, 3, 4, 4, seed=seed)
    shifted = shifts.apply(z, "mean", magnitude)
    torch.testing.assert_close(shifted.mean((1, 2, 3)), z.mean((1, 2, 3)) + magnitude)
    torch.testing.assert_close(shifted.std((1, 2, 3)), z.std((1, 2, 3)))


@given(magnitude=magnitudes, seed=seeds)
def test_std_scales_the_spread_and_the_mean(magnitude, seed):
    z = noise(2, 3, 4, 4, seed=seed)
    shifted = shifts.apply(z, "std", magnitude)
    torch.testing.assert_close(shifted.std((1, 2, 3)), (1 + magnitude) * z.std((1, 2, 3)))
    torch.testing.assert_close(shifted.mean((1, 2, 3)), (1 + magnitude) * z.mean((1, 2, 3)))


@given(magnitude=magnitudes, seed=seeds)
def test_mixed_is_std_and_then_mean(magnitude, seed):
    z = noise(2, 3, 4, 4, seed=seed)
    expected = shifts.apply(shifts.apply(z, "std", magnitude), "mean", magnitude)
    assert torch.equal(shifts.apply(z, "mixed", magnitude), expected)


@given(magnitude=magnitudes, ratio=st.floats(-1, 1))
def test_mixed_independent_has_an_std_magnitude_of_its_own(magnitude, ratio):
    z = noise(2, 3, 4, 4)
    expected = shifts.apply(shifts.apply(z, "std", ratio * magnitude), "mean", magnitude)
    torch.testing.assert_close(shifts.apply(z, f"mixed:independent={ratio!r}", magnitude), expected)


def test_mixed_independent_goes_against_the_mean_unless_said():
    z = noise(2, 3, 4, 4)
    torch.testing.assert_close(shifts.apply(z, "mixed:independent", 0.25), 0.75 * z + 0.25)


@given(magnitude=magnitudes, seed=seeds)
def test_exact_variants_set_the_moments_of_every_seed_vector(magnitude, seed):
    z = 3 * noise(2, 3, 4, 4, seed=seed) + 5
    recentred = shifts.apply(z, "mean:exact", magnitude)
    torch.testing.assert_close(recentred.mean((1, 2, 3)), torch.full((2,), magnitude, dtype=z.dtype))
    torch.testing.assert_close(recentred.std((1, 2, 3)), z.std((1, 2, 3)))
    scaled = shifts.apply(z, "std:exact", magnitude)
    torch.testing.assert_close(scaled.mean((1, 2, 3)), torch.zeros(2, dtype=z.dtype))
    expected = torch.full((2,), 1 + magnitude, dtype=z.dtype)
    torch.testing.assert_close(scaled.std((1, 2, 3), correction=0), expected)


def test_mean_channel_moves_one_channel_only():
    z = noise(2, 3, 4, 4)
    for shift, channel in (("mean:channel", 0), ("mean:channel=2", 2)):
        moved = shifts.apply(z, shift, 0.5) - z
        assert torch.equal(moved.abs().amax((0, 2, 3)) > 0, torch.arange(3) == channel)
        torch.testing.assert_close(moved[:, channel], torch.full((2, 4, 4), 0.5, dtype=z.dtype))


@pytest.mark.parametrize("shift", REARRANGING)
@given(magnitude=st.floats(-1, 1).filter(bool), seed=seeds, height=st.integers(1, 9), width=st.integers(1, 9))
def test_arrangement_keeps_the_values_of_every_channel(shift, magnitude, seed, height, width):
    z = noise(2, 2, height, width, seed=seed)
    shifted = shifts.apply(z, shift, magnitude, generator=keyed(seed))
    assert torch.equal(values(shifted), values(z))


@pytest.mark.parametrize("shift", IN_BLOCK)
@pytest.mark.parametrize(("magnitude", "rows", "columns"), [(0.29, 29, 5), (-0.5, 50, 10), (0.04, 4, 0), (1, 100, 20)])
def test_arrangement_stays_in_its_block(shift, magnitude, rows, columns):
    z = noise(1, 2, 100, 20)
    changed = shifts.apply(z, shift, magnitude, generator=keyed()) != z
    assert not changed[..., rows:, :].any()
    assert not changed[..., columns:].any()
    if columns:  # and reaches all of it
        assert changed[..., :rows, :columns].any(-1).any(1).sum() > 0.9 * rows
        assert changed[..., :rows, columns - 1].any()
        assert changed[..., rows - 1, :columns].any()


@given(magnitude=st.integers(1, 100))
def test_block_has_whole_percents_of_a_hundred_rows(magnitude):
    # 0.29 · 100 is 28.999… in floating point.
    moved = shifts.apply(torch.zeros(1, 100, 100), "arrangement:offset", magnitude / 100) != 0
    assert moved.any(-1).sum() == magnitude
    assert moved.sum() == magnitude**2


def test_arrangement_sorts_up_or_down_by_the_sign():
    z = noise(2, 3, 8, 8)
    up = shifts.apply(z, "arrangement", 0.5)[..., :4, :4].flatten(-2)
    down = shifts.apply(z, "arrangement", -0.5)[..., :4, :4].flatten(-2)
    assert (up.diff() >= 0).all()
    assert torch.equal(down, up.flip(-1))


def test_flip_and_roll_take_their_axis_from_the_sign():
    z = noise(1, 2, 8, 8)
    block = z[..., :4, :4]
    expected = {
        ("flip", 0.5): block.flip(-1),
        ("flip", -0.5): block.flip(-2),
        ("roll", 0.5): block.roll(2, -1),
        ("roll", -0.5): block.roll(2, -2),
    }
    for (variant, magnitude), rearranged in expected.items():
        shifted = shifts.apply(z, f"arrangement:{variant}", magnitude)
        assert torch.equal(shifted[..., :4, :4], rearranged), (variant, magnitude)


@given(seed=seeds, magnitude=magnitudes)
def test_permute_does_not_look_at_the_values(seed, magnitude):
    z = noise(2, 3, 6, 6, seed=seed)

    def permute(z: torch.Tensor) -> torch.Tensor:
        return shifts.apply(z, "arrangement:permute", magnitude, generator=keyed(seed))

    assert torch.equal(permute(-z.exp()), -permute(z).exp())


def test_permute_draws_anew_for_every_channel():
    shifted = shifts.apply(noise(6, 6).expand(2, 3, 6, 6), "arrangement:permute", 1.0, generator=keyed())
    assert len({tuple(channel.flatten().tolist()) for channel in shifted.flatten(0, 1)}) == 6


def test_offset_adds_the_magnitude_inside_the_block():
    z = noise(2, 3, 4, 4)
    moved = shifts.apply(z, "arrangement:offset", -0.5) - z
    expected = torch.zeros_like(z)
    expected[..., :2, :2] = -0.5
    torch.testing.assert_close(moved, expected)


def test_a_variant_can_be_given_beside_the_shift():
    z = noise(2, 3, 4, 4)
    expected = shifts.apply(z, "mean:channel=2", 0.5)
    for shift in ("mean", shifts.Spec("mean")):
        assert torch.equal(shifts.apply(z, shift, 0.5, variant="channel=2"), expected)
    assert torch.equal(shifts.apply(z, shifts.Spec("mean", "channel", 2.0), 0.5), expected)


@every_shift
def test_a_shift_is_written_as_it_was_read(shift):
    spec = shifts.parse(shift)
    assert str(spec) == shift
    assert shifts.parse(str(spec)) == spec


@given(ratio=st.floats(allow_nan=False, allow_infinity=False), channel=st.integers(0, 2**40))
def test_parameters_survive_writing_and_reading(ratio, channel):
    for spec in (shifts.Spec("mixed", "independent", ratio), shifts.Spec("mean", "channel", float(channel))):
        assert shifts.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maen", "unknown shift 'maen'. Did you mean 'mean'? Known: arrangement, mean, mixed, random, std"),
        ("none", "unknown shift 'none'"),
        ("", "unknown shift ''"),
        ("mean:exct", "unknown variant of the mean shift 'exct'. Did you mean 'exact'? Known: channel, exact"),
        ("mean:", "unknown variant of the mean shift ''"),
        ("std:channel=1", "unknown variant of the std shift 'channel'"),
        ("mean:exact=2", "the variant 'exact' takes no parameter, write 'mean:exact'"),
        ("mean:channel=red", "'red' is not a number (the index of the channel, 0 unless said)"),
        ("mean:channel=", "'' is not a number"),
        ("mean:channel=nan", "'nan' is not a number"),
        ("mixed:independent=inf", "'inf' is not a number"),
        ("mean:channel=-1", "'-1' is not a channel"),
        ("mean:channel=0.5", "'0.5' is not a channel"),
    ],
)
def test_a_shift_that_does_not_exist_is_refused(text, message):
    for read in (shifts.parse, lambda text: shifts.apply(noise(3, 4, 4), text, 0.1)):
        with pytest.raises(ValueError, match="shift") as caught:
            read(text)
        assert message in str(caught.value)


def test_variants_of_an_unknown_shift_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'std'"):
        shifts.variants("sdt")


@pytest.mark.parametrize(
    ("shift", "magnitude", "message"),
    [
        ("mean", math.nan, "not a finite number"),
        ("random", math.inf, "not a finite number"),
        ("std", -math.inf, "not a finite number"),
        ("std", -1.0, "magnitude -1 for the std shift.*above -1"),
        ("std:exact", -1.5, "above -1"),
        ("mixed", -1.0, "magnitude -1 for the mixed shift.*above -1"),
        ("mixed:independent", 1.0, r"magnitude \+1 for mixed:independent.*scales the seed vector by 0"),
        ("mixed:independent=2", -0.5, "magnitude -0.5 for mixed:independent=2.*scales the seed vector by 0"),
        ("arrangement", 1.01, r"magnitude \+1.01 for the arrangement shift: give one from -1 to 1,"),
        ("arrangement:flip", -2.0, "from -1 to 1,"),
    ],
)
def test_a_magnitude_without_a_meaning_is_refused(shift, magnitude, message):
    with pytest.raises(ValueError, match=message):
        shifts.check_magnitude(shifts.parse(shift), magnitude)
    with pytest.raises(ValueError, match=message):
        shifts.apply(noise(3, 4, 4), shift, magnitude)


@pytest.mark.parametrize(
    ("shift", "magnitude"),
    [
        ("std", -0.99),
        ("mixed", 3.0),
        ("mixed:independent", -2.0),
        ("arrangement", 1.0),
        ("arrangement", -1.0),
        ("mean", 9.0),
    ],
)
def test_a_magnitude_at_the_edge_of_its_range_is_taken(shift, magnitude):
    assert shifts.apply(noise(3, 4, 4), shift, magnitude).isfinite().all()


@pytest.mark.parametrize("z", [torch.zeros(4, 4), torch.zeros(1, 1, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.int64)])
@pytest.mark.parametrize("magnitude", [0.0, 0.1])
def test_what_is_no_seed_vector_is_refused(z, magnitude):
    with pytest.raises(ValueError, match="seed vectors are floating point") as caught:
        shifts.apply(z, "mean", magnitude)
    assert f"{z.dtype} {tuple(z.shape)}" in str(caught.value)


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="mean:channel=3: the seed vector has channels 0 to 2"):
        shifts.apply(noise(3, 4, 4), "mean:channel=3", 0.1)
