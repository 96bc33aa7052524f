"""How bad a typical seed can be: which vectors are typical, and what a search finds where it is planted what breaks."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.bad_seeds import Planted, search
from pytest_seedshift.core import shifts
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import rng
from pytest_seedshift.reporting import worst as told
from pytest_seedshift.reporting.page import worst as page
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.orders import Row
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.studies.worst import experiment, typical, walk
from pytest_seedshift.studies.worst.painter import Painter

SMALL, LARGE = (3, 8, 8), (4, 32, 32)


def drawn(shape, count, seed=0):
    return torch.randn((count, *shape), generator=torch.Generator().manual_seed(seed))


# Which vectors are typical


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_of_fresh_vectors_the_stated_share_is_typical(level):
    found = typical.find(SMALL, level=level)
    share = float(found.within(drawn(SMALL, 4000)).float().mean())
    assert share == pytest.approx(level, abs=4 * (level * (1 - level) * (1 / 1000 + 1 / 4000)) ** 0.5)


def test_what_a_shift_of_the_paper_makes_of_a_vector_is_typical_hardly_ever():
    found, z = typical.find(LARGE, draws=800), drawn(LARGE, 40)
    assert float(found.within(z).float().mean()) > 0.9
    for name in ("mean", "std", "mixed", "random", "arrangement"):
        for magnitude in (-0.3, 0.3):
            generator = torch.Generator().manual_seed(1)
            shifted = [shifts.apply(each, shifts.parse(name), magnitude, generator=generator) for each in z]
            assert float(found.within(torch.stack(shifted)).float().mean()) <= 0.05, f"{name} {magnitude}"


SPOILT = {
    "smooth": lambda z: (z + z.roll(1, -1) + z.roll(1, -2)) / 3**0.5,
    "rough": lambda z: (z - z.roll(1, -1)) / 2**0.5,
    "one channel for all": lambda z: z[:, :1].expand(z.shape),
    "two values": lambda z: z.sign(),
    "heavy tails": lambda z: z**3 / 15**0.5,
    "skewed": lambda z: (z**2 - 1) / 2**0.5,
    "sorted": lambda z: z.flatten(2).sort(2).values.reshape(z.shape),
    "constant": torch.ones_like,
}


@pytest.mark.parametrize("how", SPOILT)
def test_no_vector_is_typical_whose_spectrum_ranks_values_or_channels_are_not(how):
    found = typical.find(LARGE, draws=800)
    assert not found.within(SPOILT[how](drawn(LARGE, 20))).any()


def test_seed_vectors_of_which_no_order_is_known_are_refused():
    with pytest.raises(InvalidValueError, match="4 rows and columns at least"):
        typical.find((64, 1, 1))


# The walk


@settings(max_examples=25, deadline=None)
@given(scores=st.lists(st.floats(-10, 10), min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_a_walk_holds_the_lowest_score_and_its_candidates_are_typical(scores, seed):
    found = typical.find(SMALL)
    made = walk.Walk(Pair(Label("a", 0), seed), drawn(SMALL, 1, seed)[0], 5.0, found)
    start = made.score
    for score in scores:
        (z,) = walk.candidates([made], found)
        assert bool(found.within(z.unsqueeze(0)))
        taken = made.judge(score)
        assert torch.equal(made.z, z) == taken
        assert 0 < made.length <= 1
    assert made.score == min(start, *scores)


def test_a_walk_that_begins_outside_of_the_typical_set_comes_into_it():
    found = typical.find(SMALL)
    made = walk.Walk(Pair(Label("a", 0), 0), 2 * drawn(SMALL, 1)[0], -100.0, found)
    made.length = 0.01
    (z,) = walk.candidates([made], found)
    assert bool(found.within(z.unsqueeze(0)))
    assert made.judge(3.0), "a vector that is not typical is none that could be found"


# The experiment


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 10))]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_direction_that_no_statistic_sees_is_found_and_confirmed(tmp_path, seed):
    model = Planted(direction=1.0, later=0.2, seed=seed)
    found = search(tmp_path, model, pairs=12, budget=64, confirm=2)
    assert sum(each.difference < 0 for each in found.pairs) >= 11
    assert found.beyond
    assert found.difference.high < 0
    assert found.share("found").broken > found.share("null").broken >= found.share("control").broken
    vectors = torch.stack([each.vector for each in found.pairs])
    assert found.typical.within(vectors).all()
    assert all(each.reach <= 1 and each.found.searched <= each.control.searched for each in found.pairs)
    assert sum(model.made.values()) - found.images <= 1, "one image at most is made to try the model"
    assert found.images == 12 * (2 * 64 + 3 * 2)


def test_where_later_noise_alone_decides_nothing_is_found_beyond_the_null_and_what_was_chosen_is_not_confirmed(
    tmp_path,
):
    found = search(tmp_path, Planted(direction=0.0, later=1.0), pairs=10, budget=16, confirm=2)
    assert not found.deterministic
    assert all(each.found.searched == each.null.searched for each in found.pairs), "within a pair nothing differs"
    assert not found.beyond
    assert "finds nothing beyond the worst of 16 fresh seeds" in told.sentences(found)[0]


def test_what_was_lucky_in_the_search_is_not_counted(tmp_path):
    """With noise of every vector's own the chosen score is too low; that of fresh noise is not."""

    class Moody(Planted):
        def generate(self, pairs, shift=None, on_step=None):
            z = rng.seed_vectors(pairs, self.seed_shape)
            z = z if shift is None else shift(z, pairs)
            fresh = torch.stack(
                [
                    torch.randn((), generator=torch.Generator().manual_seed(hash((float(each.sum()), pair)) % 2**31))
                    for each, pair in zip(z, pairs, strict=True)
                ]
            )
            return (0.5 - 0.08 * fresh)[:, None, None, None].expand(-1, 3, 8, 8).clamp(0, 1)

    found = search(tmp_path, Moody(0.0, 0.0), pairs=16, budget=16, confirm=4)
    chosen = sum(each.found.searched for each in found.pairs) / 16
    confirmed = sum(each.found.score for each in found.pairs) / 16
    assert chosen < 12.5
    assert confirmed == pytest.approx(15, abs=1)
    assert not found.beyond


def test_a_picture_of_prompt_and_vector_alone_is_drawn_once(tmp_path):
    model = Planted(direction=1.0, later=0.0)
    found = search(tmp_path, model, pairs=4, budget=8, confirm=8)
    assert found.deterministic
    assert found.images == 4 * (2 * 8 + 1)
    assert all(each.found.score == each.found.searched for each in found.pairs)
    assert "nothing to confirm" in told.sentences(found)[-1]
    assert "too few pairs for an interval" in told.sentences(found)[0]
    assert told.document(found)["difference"]["low"] is None
    again = search(tmp_path / "again", Planted(direction=1.0, later=0.0), pairs=4, budget=8, confirm=8)
    assert told.document(again) == told.document(found)
    assert page.make(found, "seedshift worst x").count('<image id="') == 3 * 4


@pytest.mark.nightly
def test_where_nothing_differs_the_search_is_said_to_find_more_at_most_as_often_as_stated(tmp_path):
    """Every vector has a picture of its own, and none leads to a worse one."""
    rounds, certainty = 200, 0.9
    wrong = changed = 0
    for seed in range(rounds):
        model = Planted(direction=0.0, later=0.0, seed=seed, rough=5.0)
        found = search(tmp_path / str(seed), model, pairs=8, budget=8, confirm=1, certainty=certainty)
        wrong += found.beyond
        changed += sum(each.difference != 0 for each in found.pairs)
    assert changed > 0.9 * 8 * rounds
    assert 0 < wrong / rounds <= 1 - certainty + 3 * ((1 - certainty) * certainty / rounds) ** 0.5


@pytest.mark.parametrize(
    ("numbers", "said"),
    [((1, 64, 8), "--pairs 1"), ((4, 7, 8), "--budget 7: give at least 8"), ((4, 8, 0), "--confirm 0")],
)
def test_numbers_that_make_no_experiment_are_refused(numbers, said):
    with pytest.raises(InvalidValueError, match=said):
        experiment.check(*numbers)


def test_equal_scores_count_against_the_search(tmp_path):
    found = search(tmp_path, Planted(direction=1.0, later=0.0), pairs=8, budget=8, confirm=1)
    equal = tuple(dataclasses.replace(each, found=each.null) for each in found.pairs)
    assert dataclasses.replace(found, pairs=equal).difference.p == 1


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("model", ["toy-latent", "toy-glide"])
def test_a_pair_s_own_vector_gives_its_own_picture_and_another_one_another(tmp_path, model):
    """So what the sampler draws later is the same under every vector, also where it draws much."""
    folder = RunFolder(tmp_path)
    folder.prepare()
    bench = Workbench(folder, "cpu", "float32", batch_size=2)
    pairs = bench.catalogue.design(model, None)[:2]
    painter = Painter(bench.service.engine(model), "clip")
    plain = [batch.levels for batch in bench.service.engine(model).generate([Row(Case(model), each) for each in pairs])]
    own, vectors = painter.own(pairs)
    again = painter.paint(pairs, vectors)
    other = painter.paint(pairs, [each.flip(-1) for each in vectors])
    for place in range(2):
        assert torch.equal(own[place].levels, plain[0][place])
        assert torch.equal(again[place].levels, own[place].levels)
        assert not torch.equal(other[place].levels, own[place].levels)
    assert painter.made == 6
    bench.close()
