"""Prompts, class lists, designs and keyed noise."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import rng

LABELS = tuple(Label(name, index) for index, name in enumerate(("owl", "fig", "Löwe", "box turtle", "crane")))
SHAPE = (2, 4, 4)


@pytest.mark.parametrize(("name", "size", "outputs"), [("imagenet100", 100, 1000), ("toy16", 16, 16)])
def test_class_lists_name_each_class_once(name, size, outputs):
    labels = pairs.class_list(name)
    assert len(labels) == size
    assert len({label.name.casefold() for label in labels}) == size
    assert len({label.index for label in labels}) == size
    assert all(0 <= label.index < outputs for label in labels)
    assert all(label.name and label.name == label.name.strip() for label in labels)


def test_toy_classes_are_the_classifiers_outputs_in_order():
    assert [label.index for label in pairs.class_list("toy16")] == list(range(16))


def test_imagenet_labels_stand_at_their_index():
    by_name = {label.name: label.index for label in pairs.class_list("imagenet100")}
    assert by_name["Komondor"] == 228
    assert by_name["honeycomb"] == 599


def test_an_unknown_class_list_is_refused():
    with pytest.raises(ValueError, match=r"unknown class list 'toy61'\. Did you mean 'toy16'"):
        pairs.class_list("toy61")


def class_file(folder: Path, text: str) -> str:
    (folder / "mine.csv").write_text(text, encoding="utf-8")
    return str(folder / "mine.csv")


def test_a_class_list_may_be_a_csv_file_of_the_user_s(tmp_path):
    path = class_file(tmp_path, 'note,label,index\nx,"owl, great grey",24\ny,fig,952\n')
    assert pairs.class_list(path) == (Label("owl, great grey", 24), Label("fig", 952))
    with_mark = class_file(tmp_path, "\ufefflabel,index\nfig,952\n")
    assert pairs.class_list(with_mark) == (Label("fig", 952),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label\nowl\n", "lacks the column 'index'"),
        ("label,index\n", "has no classes"),
        ("label,index\nowl,24\n,25\n", "line 3: no label"),
        ("label,index\nowl,-1\n", "line 2: index '-1' of 'owl': give a whole number of at least 0"),
        ("label,index\nowl\n", "line 2: index '' of 'owl'"),
    ],
)
def test_a_class_list_that_cannot_be_used_says_where(tmp_path, text, message):
    path = class_file(tmp_path, text)
    with pytest.raises(DataError, match=re.escape(f"the class list {path}")) as caught:
        pairs.class_list(path)
    assert message in str(caught.value)


def test_a_class_list_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.csv cannot be read: No such file"):
        pairs.class_list(str(tmp_path / "nowhere.csv"))
    (tmp_path / "latin.csv").write_bytes("label,index\nLöwe,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.csv cannot be read: not a text in UTF-8"):
        pairs.class_list(str(tmp_path / "latin.csv"))


def test_prompt_is_the_papers():
    pair = Pair(Label("Löwe", 3), 2)
    assert pair.prompt == pair.label.prompt == "A photo of a Löwe"
    assert str(pair) == "'A photo of a Löwe', seed 2"


@given(count=st.integers(1, 5), images=st.integers(1, 40))
def test_design_has_its_size_and_gives_classes_equal_shares(count, images):
    labels = LABELS[:count]
    if images < count:
        with pytest.raises(ValueError, match=f"{images} images are fewer than the {count} classes"):
            pairs.design(labels, images)
        return
    design = pairs.design(labels, images)
    assert len(set(design)) == len(design) == images
    shares = Counter(pair.label for pair in design)
    assert set(shares) == set(labels)
    assert max(shares.values()) - min(shares.values()) <= 1
    for label in labels:
        assert sorted(pair.seed for pair in design if pair.label == label) == list(range(shares[label]))


def test_too_few_images_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"at least one image a class \(16\), better 400"):
        pairs.design(pairs.class_list("toy16"), 15)


@given(small=st.integers(5, 40), more=st.integers(0, 40), seed=st.integers(0, 9))
def test_a_larger_design_contains_a_smaller_one_in_its_order(small, more, seed):
    smaller = pairs.design(LABELS, small, seed=seed)
    larger = pairs.design(LABELS, small + more, seed=seed)
    assert tuple(pair for pair in larger if pair in set(smaller)) == smaller


def test_order_depends_on_the_seed_and_not_on_how_labels_are_listed():
    design = pairs.design(LABELS, 40)
    assert pairs.design(LABELS, 40) == design
    assert pairs.design(LABELS[::-1], 40) == design
    assert pairs.design(LABELS, 40, seed=0) == design


@given(one=st.integers(0, pairs.MOST_SEED), other=st.integers(0, pairs.MOST_SEED), images=st.integers(5, 60))
def test_designs_of_unlike_seeds_have_no_pair_no_noise_and_no_order_in_common(one, other, images):
    first, second = (pairs.design(LABELS, images, seed=seed) for seed in (one, other))
    assert {pairs.seed_of(pair.seed) for pair in first} == {one}
    assert Counter(pair.label for pair in first) == Counter(pair.label for pair in second)
    assert max(pair.seed for pair in first) < 2**53  # an exact number in JSON, too
    if one == other:
        assert first == second
        return
    assert set(first).isdisjoint(second)
    starts = [
        tuple(z.flatten()[:4].tolist())
        for z in (*rng.seed_vectors(first[:3], SHAPE), *rng.seed_vectors(second[:3], SHAPE))
    ]
    assert len(set(starts)) == 6
    assert pairs.fingerprint(first) != pairs.fingerprint(second)
    if images >= 40:
        assert [(p.label, p.seed % pairs.SEEDS) for p in first] != [(p.label, p.seed % pairs.SEEDS) for p in second]


def test_a_design_of_more_seed_indices_than_a_seed_has_is_refused():
    with pytest.raises(ValueError, match="more than 1,000,000 of each of the 1 classes"):
        pairs.design(LABELS[:1], pairs.SEEDS + 1)


def test_order_and_noise_are_the_same_on_every_machine_and_in_every_release():
    design = pairs.design(pairs.class_list("toy16"), 64)
    assert [(pair.label.name, pair.seed) for pair in design[:3]] == [("ladybug", 3), ("umbrella", 3), ("sailboat", 2)]
    start = rng.seed_vectors(design[:1], (4, 16, 16)).flatten()[:3]
    torch.testing.assert_close(start, torch.tensor([-0.4555295, 0.1050870, 0.1612796]), rtol=0, atol=1e-5)


def test_order_has_nothing_to_do_with_class_or_seed_index():
    labels = pairs.class_list("imagenet100")
    design = pairs.design(labels, 400)
    # Were the order uniform, a class' mean place would lie 199.5 ± 57.5 and a quarter of the places would hold 100 ± 7.
    for number in range(4):
        places = [place for place, pair in enumerate(design) if pair.seed == number]
        assert abs(sum(places) / 100 - 199.5) < 4 * 10
    means = [sum(place for place, pair in enumerate(design) if pair.label == label) / 4 for label in labels]
    assert sum(abs(mean - 199.5) > 57.5 for mean in means) < 50
    assert max(abs(mean - 199.5) for mean in means) < 4 * 57.5
    index = torch.tensor([[labels.index(pair.label), place] for place, pair in enumerate(design)], dtype=torch.float64)
    assert abs(torch.corrcoef(index.T)[0, 1]) < 4 / 20
    assert len({pair.label for pair in design[:40]}) > 25  # 33 expected, 10 if classes stood together


@given(st.permutations([Pair(label, seed) for label in LABELS[:3] for seed in range(2)]), st.integers(1, 6))
def test_a_pairs_noise_does_not_depend_on_its_batch(order, size):
    alone = {pair: rng.seed_vectors([pair], SHAPE)[0] for pair in order}
    batch = rng.seed_vectors(order[:size], SHAPE)
    assert batch.shape == (size, *SHAPE)
    for pair, z in zip(order, batch, strict=False):
        assert torch.equal(z, alone[pair])


def test_noise_is_float32_on_the_cpu_and_the_same_for_every_kind_of_shape():
    pair = Pair(LABELS[0], 0)
    z = rng.seed_vectors([pair], SHAPE)
    assert z.dtype == torch.float32
    assert z.device.type == "cpu"
    assert torch.equal(z, rng.seed_vectors([pair], torch.Size(SHAPE)))


def test_noise_differs_between_pairs_seeds_and_shapes():
    design = pairs.design(LABELS, 20)
    draws = [
        *rng.seed_vectors(design, SHAPE),
        *rng.seed_vectors(design, SHAPE, seed=1),
        *rng.seed_vectors(design, SHAPE[::-1]),
    ]
    starts = {tuple(z.flatten()[:4].tolist()) for z in draws}
    assert len(starts) == 60


def test_a_pairs_class_index_says_nothing_about_its_noise():
    first, second = Pair(Label("owl", 0), 1), Pair(Label("owl", 24), 1)
    assert torch.equal(rng.seed_vectors([first], SHAPE), rng.seed_vectors([second], SHAPE))


def test_generators_are_keyed_by_purpose_pair_and_seed():
    def draw(pair: Pair, purpose: str, seed: int = 0) -> tuple[float, ...]:
        return tuple(torch.rand(3, generator=rng.generator(pair, purpose, seed=seed)).tolist())

    pair = Pair(LABELS[0], 1)
    assert draw(pair, "sampler") == draw(pair, "sampler")
    others = [draw(pair, "shift random"), draw(pair, "sampler", 1), draw(Pair(LABELS[0], 2), "sampler")]
    others += [draw(Pair(LABELS[1], 1), "sampler"), draw(pair, f"z{SHAPE}")]
    assert len({draw(pair, "sampler"), *others}) == 6


def test_no_two_pairs_of_a_shipped_design_share_their_noise():
    # torch's generator on the CPU takes 32 bits of a seed, so this is luck, and worth knowing.
    for name in ("imagenet100", "toy16"):
        labels = pairs.class_list(name)
        starts = rng.seed_vectors(pairs.design(labels, 10 * len(labels)), (1, 1, 2))
        assert len(starts.unique(dim=0)) == 10 * len(labels)


def test_noise_is_standard_normal_and_uncorrelated():
    z = rng.seed_vectors(pairs.design(pairs.class_list("imagenet100"), 400), (1, 8, 8)).double().flatten(1)
    # 25,600 values: the bounds lie four standard errors out.
    assert abs(z.mean()) < 4 / 160
    assert abs(z.var() - 1) < 4 * (2 / 25600) ** 0.5
    assert abs((z**3).mean()) < 4 * (15 / 25600) ** 0.5
    assert abs((z**4).mean() - 3) < 4 * (96 / 25600) ** 0.5
    between = (z @ z.T / 64).fill_diagonal_(0)
    assert between.abs().max() < 6 / 8
    assert between.pow(2).mean() < 1.1 / 64
    assert z.mean(0).abs().max() < 4.5 / 20


def test_global_random_state_is_left_alone():
    state = torch.get_rng_state()
    rng.seed_vectors(pairs.design(LABELS, 5), SHAPE)
    rng.generator(Pair(LABELS[0], 0), "sampler")
    assert torch.equal(torch.get_rng_state(), state)
