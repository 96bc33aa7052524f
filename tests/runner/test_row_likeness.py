"""Likeness as it is measured where a batch is made: here, in a worker, or in an actor of a cluster."""

from __future__ import annotations

import math

import pytest
import torch

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.pictures import packed
from pytest_seedshift.runner import batch_making, row_likeness
from pytest_seedshift.runner.cluster import wire
from pytest_seedshift.runner.drawn_images import RowsError
from pytest_seedshift.runner.generate import Batch, score
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.runner.orders import Reference, Row
from pytest_seedshift.scorers import likeness

CASE = Case("some", "mean", 0.3)


def levels(count: int, side: int = 16, seed: int = 0) -> torch.Tensor:
    """Images in steps of 1/255."""
    made = torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed))
    return made.float() / 255


def rows(references: list[Reference | None]) -> list[Row]:
    return [Row(CASE, Pair(Label("pizza", 0), seed), reference=each) for seed, each in enumerate(references)]


class Embedder:
    """The mean colour of an image, as a vector of length 1; it counts how many it has seen."""

    seen = 0

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        self.seen += len(images)
        found = images.mean((2, 3)) + torch.tensor([0.0, 0.0, len(images) * 1e-7])  # as batches of unlike sizes differ
        return found / found.norm(dim=1, keepdim=True)


def test_each_row_is_compared_with_its_own_picture_and_one_without_has_no_likeness():
    images, others = levels(12), levels(12, seed=1)
    others[3] = images[3]
    references = [None if place == 5 else Reference(packed(others[place])) for place in range(12)]
    found = row_likeness.measured(rows(references), images, None)
    assert found[5] == {}
    assert found[3] == {"ssim": 1.0, "psnr": math.inf, "equal": 1.0}
    for place in (0, 11):
        one, other = images[place : place + 1], others[place : place + 1]
        assert found[place]["ssim"] == pytest.approx(likeness.ssim(one, other).item(), abs=1e-6)
        assert found[place]["psnr"] == pytest.approx(likeness.psnr(one, other).item(), abs=1e-4)
        assert found[place]["equal"] == 0


def test_equal_pictures_have_a_cosine_of_exactly_one_whatever_the_batch():
    images = levels(3)
    references = [Reference(packed(image), embeds=place < 2) for place, image in enumerate(images)]
    found = row_likeness.measured(rows(references), images, Embedder)
    assert [each.get("embedding") for each in found] == [1.0, 1.0, None]


class CountingEmbedder(Embedder):
    """The same for images of whatever batch."""

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        self.seen += len(images)
        return torch.nn.functional.normalize(images.mean((2, 3)) + images.std((2, 3)), dim=1)


def test_embeddings_that_are_kept_are_used_and_only_the_others_are_made():
    images, others = levels(5), levels(5, seed=1)
    others[0] = images[0]
    given = {place: CountingEmbedder().embed(others[place : place + 1]).numpy().tobytes() for place in (0, 1, 3)}
    plain = [Reference(packed(each), embeds=True) for each in others]
    some = [Reference(each.picture, True, given.get(place, b"")) for place, each in enumerate(plain)]
    every, few = CountingEmbedder(), CountingEmbedder()
    wanted = [each["embedding"] for each in row_likeness.measured(rows(plain), images, lambda: every)]
    found = [each["embedding"] for each in row_likeness.measured(rows(some), images, lambda: few)]
    assert found == pytest.approx(wanted, abs=1e-6)
    assert found[0] == 1.0
    assert max(wanted[1:]) < 1
    assert (every.seen, few.seen) == (10, 7)

    other = [Reference(each.picture, True, given[1]) for each in plain]  # that of one picture, for all of them
    wrong = [each["embedding"] for each in row_likeness.measured(rows(other), images, lambda: few)]
    assert wrong[4] != pytest.approx(wanted[4], abs=1e-6)


def test_embeddings_of_another_width_fail_in_words():
    images = levels(2)
    asked = rows([Reference(packed(image), True, b"\0" * 16) for image in images])
    with pytest.raises(RowsError, match="keeps embeddings of 4 numbers, and the scorer makes 3"):
        row_likeness.measured(asked, images, CountingEmbedder)


def test_a_picture_of_another_size_and_what_is_none_fail_their_rows_and_no_other():
    images = levels(3)
    references = [Reference(packed(levels(1, side)[0])) for side in (16, 24)] + [Reference(b"no picture")]
    asked = rows(references)
    with pytest.raises(RowsError) as told:
        row_likeness.measured(asked, images, None)
    assert set(told.value.failed) == {asked[1], asked[2]}
    assert "16×16 pixels and the baseline's 24×24" in told.value.failed[asked[1]]
    assert "the baseline's picture" in told.value.failed[asked[2]]


def test_pictures_that_are_too_small_for_ssim_are_an_error_in_words():
    images = levels(2, side=8)
    with pytest.raises(RowsError, match="SSIM needs images of at least 11 pixels a side, not 8×8"):
        row_likeness.measured(rows([Reference(packed(image)) for image in images]), images, None)


def test_a_batch_that_has_no_reference_is_scored_as_ever():
    batch = score(Batch(tuple(rows([None, None])), levels(2)), ())
    assert batch.scores == ((), ())
    assert batch.likeness == ({}, {})


def test_an_order_that_was_sent_brings_its_likeness_back_and_not_the_picture():
    pool = ModelPool("cpu", None)
    engine = pool.engine("toy-latent", lambda _: 4)
    pairs = catalogue.shipped().design("toy-latent", None)[:4]
    plain = [Row(Case("toy-latent"), pair, "always") for pair in pairs]
    made, _ = batch_making.complete(engine, batch_making.generate(engine, plain))
    assert [each.likeness for each in made] == [{}] * 4
    first = made[0].picture
    assert first is not None
    asked = [Row(row.case, row.pair, reference=Reference(first, embeds=True)) for row in plain]
    there = wire.unpacked(wire.packed(asked))
    back = wire.unpacked(wire.packed(list(batch_making.complete(engine, batch_making.generate(engine, there))[0])))
    assert [each.row for each in back] == asked
    assert all(each.row.reference is None for each in back)
    assert back[0].likeness == {"ssim": 1.0, "psnr": math.inf, "embedding": 1.0, "equal": 1.0}
    assert all(each.likeness["ssim"] < 1 and math.isfinite(each.likeness["psnr"]) for each in back[1:])
    assert [each.picture is not None for each in back] == [False, True, True, True]  # it may be the least alike
