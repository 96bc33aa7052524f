"""A case from pairs to samples. The model and the scorer are real, if tiny: test doubles with nothing trained."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pytest_seedshift import pairs as pairing
from pytest_seedshift.cases import Case
from pytest_seedshift.engine import Batch, CaseError, generate, shift_function
from pytest_seedshift.pairs import Label, Pair

LABELS = tuple(Label(name, index) for index, name in enumerate(("owl", "fig", "Löwe")))
DESIGN = pairing.design(LABELS, 7)
CONTROL = Case("double")
STEPS = 3


class Double:
    """A test double of a model: turns each pair's noise into an image in a few steps, row by row.

    `broken` is a pair whose state, from `at_step` on, holds NaN; with `at_step` None only its image does.
    """

    name = "double"
    fingerprint = "double"
    seed_shape = (3, 4, 4)

    def __init__(self, broken: Pair | None = None, at_step: int | None = None, value: float = float("nan")) -> None:
        self.broken = broken
        self.at_step = at_step
        self.value = value
        self.batches: list[tuple[Pair, ...]] = []

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        self.batches.append(tuple(pairs))
        state = pairing.noise(pairs, self.seed_shape)
        if shift is not None:
            state = shift(state, pairs)
        for step in range(STEPS):
            state = state / 2  # as exact as everything here: no result hangs on how torch splits a sum
            if step == self.at_step and self.broken in pairs:
                state[pairs.index(self.broken), 0, 1, 2] = self.value
            if on_step is not None:
                on_step(step, state)
        image = state.clamp(-1, 1) / 2 + 0.5
        if self.at_step is None and self.broken in pairs:
            image[pairs.index(self.broken), 0, 1, 2] = self.value
        return image


class Brightest:
    """A test double of a scorer: an image's largest value. An image of the `broken` label has the score NaN."""

    fingerprint = "brightest"

    def __init__(self, name: str = "clip", broken: Label | None = None) -> None:
        self.name = name
        self.broken = broken

    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        known = torch.tensor([float("nan") if label == self.broken else float(label.index) for label in labels])
        return {self.name: images.flatten(1).amax(1) + known, f"{self.name} of the label": known}


def run(case: Case, batch_size: int, model: Double | None = None, pairs: Sequence[Pair] = DESIGN) -> list[Batch]:
    return list(generate(case, pairs, model or Double(), [Brightest()], batch_size))


def outcomes(batches: list[Batch]) -> dict[Pair, tuple[list[float], dict[str, float]]]:
    return {
        pair: (image, scores)
        for batch in batches
        for pair, image, scores in zip(batch.pairs, batch.images.flatten(1).tolist(), batch.scores, strict=True)
    }


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_batches_cover_all_pairs_in_order(batch_size):
    model = Double()
    batches = run(CONTROL, batch_size, model)
    assert tuple(pair for batch in batches for pair in batch.pairs) == DESIGN
    assert all(len(batch.pairs) == batch_size for batch in batches[:-1])
    assert model.batches == [batch.pairs for batch in batches]


def test_batches_are_made_one_at_a_time():
    model = Double()
    next(generate(CONTROL, DESIGN, model, [Brightest()], 2))
    assert len(model.batches) == 1


def test_no_pairs_are_no_batches():
    assert run(CONTROL, 4, pairs=()) == []


@pytest.mark.parametrize("shift", ["none", "random", "random:direction", "mean", "arrangement:permute"])
def test_a_pairs_sample_depends_neither_on_batch_size_nor_on_order(shift):
    case = Case("double", shift, 0.5) if shift != "none" else CONTROL
    alone = outcomes(run(case, 1))
    assert list(alone) == list(DESIGN)
    assert outcomes(run(case, 3)) == alone
    assert outcomes(run(case, 2, pairs=DESIGN[::-1])) == alone


def test_each_pair_has_the_scores_of_its_own_image_from_every_scorer():
    (batch,) = generate(CONTROL, DESIGN, Double(), [Brightest(), Brightest("top1")], 10)
    for pair, image, scores in zip(batch.pairs, batch.images, batch.scores, strict=True):
        assert list(scores) == ["clip", "clip of the label", "top1", "top1 of the label"]
        assert scores["top1 of the label"] == pair.label.index
        assert scores["clip"] == pytest.approx(image.max().item() + pair.label.index)
        assert all(type(value) is float for value in scores.values())


def test_the_shift_reaches_the_seed_vector_and_the_control_has_none():
    def image(case: Case) -> Tensor:
        return torch.cat([batch.images for batch in run(case, 3)])

    z = pairing.noise(DESIGN, Double.seed_shape)
    assert shift_function(CONTROL) is None
    torch.testing.assert_close(image(CONTROL), z / 16 + 0.5)
    torch.testing.assert_close(image(Case("double", "mean", -0.5)), (z - 0.5) / 16 + 0.5)
    torch.testing.assert_close(image(Case("double", "mean:channel=1", 0.5))[:, ::2], (z / 16 + 0.5)[:, ::2])


@pytest.mark.parametrize("shift", ["random", "random:normal", "random:direction"])
def test_a_pair_moves_along_one_draw_whatever_the_magnitude_and_the_batch(shift):
    z = torch.zeros(len(DESIGN), *Double.seed_shape)

    def draw(magnitude: float, pairs: Sequence[Pair]) -> Tensor:
        return shift_function(Case("double", shift, magnitude))(z[: len(pairs)], pairs) / magnitude

    u = draw(1.0, DESIGN)
    torch.testing.assert_close(draw(-0.25, DESIGN), u)
    torch.testing.assert_close(draw(0.5, DESIGN[4:]), u[4:])
    assert len({tuple(row.flatten().tolist()) for row in u}) == len(DESIGN)


def test_shifts_that_draw_draw_apart_from_each_other_and_from_the_seed_vector():
    z = pairing.noise(DESIGN, Double.seed_shape)
    symmetric, one_sided, normal = (
        (shift_function(Case("double", shift, 1.0))(z, DESIGN) - z).flatten()
        for shift in ("random:symmetric", "random", "random:normal")
    )
    for first, second in ((symmetric, one_sided), (normal, z.flatten())):
        assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 4 / len(z.flatten()) ** 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("batch_size", [1, 3, 7])
@pytest.mark.parametrize(
    ("at_step", "what"),
    [(0, "the model's state after step 1"), (2, "the model's state after step 3"), (None, "the image")],
)
def test_what_is_not_finite_is_told_with_its_prompt_seed_and_step(value, batch_size, at_step, what):
    broken = DESIGN[4]
    with pytest.raises(CaseError) as caught:
        run(Case("double", "mean", 0.5), batch_size, Double(broken, at_step, value))
    assert str(caught.value).startswith(f"double, mean +0.50: NaN or Inf in {what} of {broken}. ")
    assert f"'{broken.label.prompt}', seed {broken.seed}" in str(caught.value)
    assert "--seedshift-dtype" in str(caught.value)


def test_a_score_that_is_not_finite_is_told_with_its_pair():
    first = next(pair for pair in DESIGN if pair.label == LABELS[2])
    with pytest.raises(CaseError) as caught:
        list(generate(CONTROL, DESIGN, Double(), [Brightest(broken=LABELS[2])], 7))
    assert str(caught.value).startswith(f"double, control: NaN or Inf in the score clip of {first}. ")


def test_batches_before_the_broken_one_are_kept():
    batches = generate(CONTROL, DESIGN, Double(DESIGN[4]), [Brightest()], 2)
    assert [next(batches).pairs, next(batches).pairs] == [DESIGN[:2], DESIGN[2:4]]
    with pytest.raises(CaseError):
        next(batches)


def test_a_shift_that_does_not_fit_the_model_is_a_case_error():
    with pytest.raises(CaseError, match=r"double, mean:channel=5 \+0.50: .*channels 0 to 2"):
        run(Case("double", "mean:channel=5", 0.5), 3)
