"""How like the pictures of two runs are, of those pairs that both have kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.studies import likeness

OLD, NEW = Case("old", "mean", 0.3), Case("new", "mean", 0.3)


def kept(folder: Path, case: Case, colours: dict[int, tuple[int, int, int]], size: int = 16):
    """Pictures of one colour, but for a corner, of the pairs of a label."""
    found = {}
    for seed, colour in colours.items():
        path = folder / f"{case.model}-{seed}.png"
        image = Image.new("RGB", (size, size), colour)
        image.putpixel((0, 0), (255, 0, 0))
        image.save(path)
        found[case, "frog", seed] = path, ""
    return found


def test_pairs_that_both_have_are_compared_and_no_others(tmp_path):
    grey, dark = (90, 90, 90), (20, 20, 20)
    before = kept(tmp_path, OLD, {0: grey, 1: grey, 2: grey})
    after = kept(tmp_path, NEW, {1: grey, 2: dark, 3: dark})
    (found,) = likeness.of_runs(before, after, {NEW: OLD})
    assert (found.case, found.pairs, found.equal, found.least) == (NEW, 2, 1, ("frog", 2))
    assert found.values["ssim"][0] == 1 > found.values["ssim"][1]
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document["psnr"]["values"][0] is None
    assert document["psnr"]["mean"] < 60
    assert document["least"] == {"label": "frog", "seed": 2}
    assert list(likeness.of_runs(before, after, {NEW: NEW})) == []


def test_pictures_of_unlike_sizes_are_an_error(tmp_path):
    before = kept(tmp_path, OLD, {0: (1, 2, 3)}, 16)
    after = kept(tmp_path, NEW, {0: (1, 2, 3)}, 24)
    with pytest.raises(DataError, match=r"new, mean .0.30: pictures of 24×24 and of 16×16 pixels cannot be compared"):
        list(likeness.of_runs(before, after, {NEW: OLD}))
    mixed = kept(tmp_path, OLD, {0: (1, 2, 3)}) | kept(tmp_path, OLD, {1: (1, 2, 3)}, 24)
    with pytest.raises(DataError, match="pictures of 16×16 and 24×24 pixels cannot be compared"):
        list(likeness.of_runs(mixed, mixed, {OLD: OLD}))


def test_a_picture_that_is_not_as_it_was_kept_is_an_error(tmp_path):
    pictures = {place: (path, "0" * 64) for place, (path, _) in kept(tmp_path, OLD, {0: (1, 2, 3)}).items()}
    with pytest.raises(DataError, match=r"old-0.png is not the picture that was kept there"):
        list(likeness.of_runs(pictures, pictures, {OLD: OLD}))
