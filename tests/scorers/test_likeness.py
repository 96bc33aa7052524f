"""How like two pictures are: by formulas that are written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.scorers import likeness


def levels(seed: int, count: int = 3, side: int = 24) -> torch.Tensor:
    """Pictures in steps of 1/255, with some structure in them."""
    noise = np.random.default_rng(seed).random((count, 3, side, side))
    smooth = gaussian_filter(noise, (0, 0, 2, 2))
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return torch.from_numpy(np.round(smooth * 255) / 255).float()


def changed(images: torch.Tensor, by: float) -> torch.Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(9))
    return ((images + by * noise).clamp(0, 1) * 255).round() / 255


def written_out(image: np.ndarray, other: np.ndarray) -> float:
    """SSIM of Wang et al. (2004), channel by channel, with pictures mirrored at their edges."""
    found = []
    for x, y in zip(image.astype(float), other.astype(float), strict=True):
        blur = lambda values: gaussian_filter(values, 1.5, radius=5, mode="mirror")  # noqa: E731
        mean_x, mean_y = blur(x), blur(y)
        var_x, var_y, both = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2, blur(x * y) - mean_x * mean_y
        c1, c2 = 0.01**2, 0.03**2
        index = ((2 * mean_x * mean_y + c1) * (2 * both + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
        found.append(index.mean())
    return float(np.mean(found))


def test_ssim_is_that_of_the_formula():
    images = levels(1)
    others = changed(images, 0.05)
    wanted = [written_out(one.numpy(), other.numpy()) for one, other in zip(images, others, strict=True)]
    assert likeness.ssim(images, others).tolist() == pytest.approx(wanted, abs=1e-4)
    assert max(wanted) < 0.99


def test_psnr_is_that_of_the_formula():
    images = levels(2)
    others = changed(images, 0.02)
    wanted = [-10 * math.log10(float(((one - other) ** 2).mean())) for one, other in zip(images, others, strict=True)]
    assert likeness.psnr(images, others).tolist() == pytest.approx(wanted, abs=1e-3)


def test_equal_pictures_are_exactly_alike_and_no_others_are():
    images = levels(3)
    assert likeness.ssim(images, images).tolist() == [1.0] * 3
    assert likeness.psnr(images, images).tolist() == [math.inf] * 3
    others = images.clone()
    others[1, 0, 3, 3] = (others[1, 0, 3, 3] * 255 + 1).remainder(256) / 255
    assert likeness.ssim(images, others)[1] < 1
    assert [math.isfinite(value) for value in likeness.psnr(images, others).tolist()] == [False, True, False]


def test_one_level_everywhere_is_what_the_cap_is_held_against():
    images = torch.full((1, 3, 16, 16), 0.4)
    assert likeness.psnr(images, images + 1 / 255).item() == pytest.approx(48.13, abs=0.01)


def test_a_picture_and_its_negative_are_not_alike():
    images = levels(4)
    assert likeness.ssim(images, 1 - images).max() < 0


def test_the_more_is_changed_the_less_alike():
    images = levels(5)
    found = [likeness.ssim(images, changed(images, by)).mean().item() for by in (0.01, 0.05, 0.2)]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("score", [likeness.ssim, likeness.psnr])
def test_pictures_of_unlike_sizes_are_an_error(score):
    with pytest.raises(InvalidValueError, match=r"pictures of 24×24 and of 32×32 pixels cannot be compared"):
        score(levels(1), levels(1, side=32))


def test_pictures_that_are_too_small_are_an_error():
    with pytest.raises(InvalidValueError, match="at least 11 pixels a side, not 8×8"):
        likeness.ssim(levels(1, side=8), levels(1, side=8))


def test_embeddings_that_are_equal_have_a_cosine_of_exactly_one():
    embedded = torch.nn.functional.normalize(torch.randn(3, 7, generator=torch.Generator().manual_seed(1)), dim=1)
    others = embedded.clone()
    others[1] = -others[1]
    assert likeness.cosines(embedded, embedded).tolist() == [1.0] * 3
    assert likeness.cosines(embedded, others).tolist() == [1.0, pytest.approx(-1), 1.0]
