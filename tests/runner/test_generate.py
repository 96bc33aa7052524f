"""A case from pairs to samples. The model and the scorer are real, if tiny: test doubles with nothing trained."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pytest_seedshift.core import pairs as pairing
from pytest_seedshift.core.cases import Case, CaseError, UnusableModelError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import rng
from pytest_seedshift.runner.generate import Batch, Engine, RowsError, shift_function
from pytest_seedshift.runner.orders import Row, Scores

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
        state = rng.seed_vectors(pairs, self.seed_shape)
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


def engine(
    batch_size: int,
    model: Double | None = None,
    *scorers: Brightest,
    overlap: bool = False,
    dtype: str | None = None,
) -> Engine:
    return Engine(model or Double(), scorers or [Brightest()], batch_size, overlap=overlap, dtype=dtype)


def run(
    case: Case,
    batch_size: int,
    model: Double | None = None,
    pairs: Sequence[Pair] = DESIGN,
    dtype: str | None = None,
) -> list[Batch]:
    return list(engine(batch_size, model, dtype=dtype).run(case, pairs))


def outcomes(batches: list[Batch]) -> dict[Pair, tuple[list[float], Scores]]:
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
    next(engine(2, model).run(CONTROL, DESIGN))
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
    (batch,) = engine(10, None, Brightest(), Brightest("top1")).run(CONTROL, DESIGN)
    for pair, image, scores in zip(batch.pairs, batch.images, batch.scores, strict=True):
        assert [list(of_scorer) for of_scorer in scores] == [
            ["clip", "clip of the label"],
            ["top1", "top1 of the label"],
        ]
        first, second = scores
        assert second["top1 of the label"] == pair.label.index
        assert first["clip"] == pytest.approx(image.max().item() + pair.label.index)
        assert all(type(value) is float for of_scorer in scores for value in of_scorer.values())


def test_the_shift_reaches_the_seed_vector_and_the_control_has_none():
    def image(case: Case) -> Tensor:
        return torch.cat([batch.images for batch in run(case, 3)])

    z = rng.seed_vectors(DESIGN, Double.seed_shape)
    assert shift_function(CONTROL) is None
    half_a_step = {"atol": 0.5 / 255 + 1e-6, "rtol": 0}
    torch.testing.assert_close(image(CONTROL), z / 16 + 0.5, **half_a_step)
    torch.testing.assert_close(image(Case("double", "mean", -0.5)), (z - 0.5) / 16 + 0.5, **half_a_step)
    torch.testing.assert_close(
        image(Case("double", "mean:channel=1", 0.5))[:, ::2], (z / 16 + 0.5)[:, ::2], **half_a_step
    )


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
    z = rng.seed_vectors(DESIGN, Double.seed_shape)
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
    assert "--seedshift-dtype" not in str(caught.value)  # it runs in full precision


@pytest.mark.parametrize(("dtype", "others"), [("float16", "float32 or bfloat16"), ("bfloat16", "float32")])
def test_half_precision_is_blamed_where_it_runs(dtype, others):
    with pytest.raises(CaseError, match=f"Half precision .*: try --seedshift-dtype={others}$"):
        run(CONTROL, 3, Double(DESIGN[4], 1), dtype=dtype)


def test_half_precision_is_seen_in_what_a_model_of_unknown_precision_gives():
    class Half(Double):
        def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
            return super().generate(pairs, shift, None).half()

    with pytest.raises(CaseError, match="Half precision often does this"):
        run(CONTROL, 3, Half(DESIGN[4], None))
    with pytest.raises(CaseError, match="look at its weights"):
        run(CONTROL, 3, Double(DESIGN[4], None))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_neither_a_scorer_nor_a_shift_is_taken_for_half_precision(dtype):
    with pytest.raises(CaseError, match=r"NaN or Inf in the score clip .* so the scorer has made it$"):
        list(engine(7, None, Brightest(broken=LABELS[2]), dtype=dtype).run(CONTROL, DESIGN))
    huge = Case("double", "mean", 1e39)  # beyond float32
    with pytest.raises(CaseError, match=r"NaN or Inf in the shifted seed vector of .* Before the shift it has none$"):
        run(huge, 3, dtype=dtype)


def test_a_seed_vector_that_the_model_has_broken_is_not_the_shifts_fault():
    class Broken(Double):
        def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
            spoilt = None if shift is None else lambda z, pairs: shift(z / 0, pairs)
            return super().generate(pairs, spoilt, on_step)

    with pytest.raises(CaseError, match=r"NaN or Inf in the seed vector of .* before any shift$"):
        run(Case("double", "mean", 0.5), 3, Broken())


def test_a_score_that_is_not_finite_is_told_with_its_pair():
    first = next(pair for pair in DESIGN if pair.label == LABELS[2])
    with pytest.raises(CaseError) as caught:
        list(engine(7, None, Brightest(broken=LABELS[2])).run(CONTROL, DESIGN))
    assert str(caught.value).startswith(f"double, control: NaN or Inf in the score clip of {first}. ")


def test_batches_before_the_broken_one_are_kept():
    batches = engine(2, Double(DESIGN[4])).run(CONTROL, DESIGN)
    assert [next(batches).pairs, next(batches).pairs] == [DESIGN[:2], DESIGN[2:4]]
    with pytest.raises(CaseError):
        next(batches)


def test_a_shift_that_does_not_fit_the_model_is_a_case_error():
    with pytest.raises(CaseError, match=r"double, mean:channel=5 \+0.50: .*channels 0 to 2"):
        run(Case("double", "mean:channel=5", 0.5), 3)


def test_what_is_scored_is_what_a_picture_can_hold():
    images = torch.cat([batch.images for batch in run(CONTROL, 3)])
    torch.testing.assert_close(images * 255, (images * 255).round(), atol=1e-4, rtol=0)
    assert images.dtype == torch.float32


class Small(Double):
    """A test double of a model on a device that holds so many images and no more."""

    def __init__(self, room: int, error: Exception) -> None:
        super().__init__()
        self.room = room
        self.error = error

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        if len(pairs) > self.room:
            raise self.error
        return super().generate(pairs, shift, on_step)


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"
    ),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    MemoryError(),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "mps", "python"])
@pytest.mark.parametrize("room", [1, 2, 3, 6])
def test_out_of_memory_halves_the_batch_and_goes_on(error, room):
    model = Small(room, error)
    found = engine(7, model)
    batches = list(found.run(CONTROL, DESIGN))
    assert outcomes(batches) == outcomes(run(CONTROL, 1))
    assert found.batch_size == max(size for size in (7, 3, 1) if size <= room)


def test_no_memory_for_one_image_is_told():
    with pytest.raises(
        CaseError, match=r"double, mean \+0.50: memory does not suffice for one image.*--seedshift-dtype"
    ):
        run(Case("double", "mean", 0.5), 7, Small(0, OUT_OF_MEMORY[0]))


def test_other_errors_are_not_taken_for_want_of_memory():
    with pytest.raises(CaseError, match="double: generate raised RuntimeError: mat1 and mat2 shapes cannot be"):
        run(CONTROL, 7, Small(1, RuntimeError("mat1 and mat2 shapes cannot be multiplied")))


def test_an_error_that_ends_the_process_is_not_put_into_words():
    """Who ends it has to know it for what it is."""
    with pytest.raises(RuntimeError, match=r"^CUDA error"):
        run(CONTROL, 7, Small(1, RuntimeError("CUDA error: an illegal memory access was encountered")))


class Narrow(Brightest):
    """A test double of a scorer that takes so many images at once and no more."""

    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        if len(images) > 2:
            raise OUT_OF_MEMORY[0]
        return super().score(images, labels)


def test_a_scorer_that_runs_out_of_memory_gets_fewer_images():
    (batch,) = engine(7, None, Narrow()).run(CONTROL, DESIGN)
    assert outcomes([batch]) == outcomes(run(CONTROL, 1))


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_overlapped_batches_are_the_same_in_the_same_order(batch_size):
    overlapped = list(engine(batch_size, overlap=True).run(CONTROL, DESIGN))
    assert [batch.pairs for batch in overlapped] == [batch.pairs for batch in run(CONTROL, batch_size)]
    assert outcomes(overlapped) == outcomes(run(CONTROL, 1))


def test_a_batch_is_scored_while_the_next_one_is_generated():
    model = Double()
    batches = engine(2, model, overlap=True).run(CONTROL, DESIGN)
    next(batches)
    assert len(model.batches) == 2
    assert len(list(batches)) == 3


def test_an_error_in_an_overlapped_batch_is_not_lost():
    with pytest.raises(CaseError, match="NaN or Inf in the score clip"):
        list(engine(2, None, Brightest(broken=LABELS[2]), overlap=True).run(CONTROL, DESIGN))


def test_all_that_is_wrong_with_a_batch_is_known_at_once_each_row_by_where_it_was_first_seen():
    class Broken(Double):
        def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
            images = torch.rand(len(pairs), *self.seed_shape)
            images[3] += 7
            states = [torch.zeros(len(pairs), 5, dtype=torch.float64) for _ in range(2)]
            states[1][2] = 1e300  # beyond float32, and finite
            states[1][1] = states[0][4] = images[4] = torch.nan
            for step, state in enumerate(states):
                on_step(step, state)
            return images

    (batch,) = engine(7, Broken()).generate([Row(CONTROL, pair) for pair in DESIGN])
    with pytest.raises(RowsError) as caught:
        batch.seen()
    assert {DESIGN.index(row.pair): message.partition(" of '")[0] for row, message in caught.value.failed.items()} == {
        4: "double, control: NaN or Inf in the model's state after step 1",
        1: "double, control: NaN or Inf in the model's state after step 2",
        3: f"double, control: the model's images go from {batch.facts.values[-2, 3]:.3g} to "
        f"{batch.facts.values[-1, 3]:.3g}: give them in [0, 1]",
    }


def test_images_are_seen_only_once():
    (batch,) = engine(7).generate([Row(CONTROL, pair) for pair in DESIGN])
    seen = batch.seen()
    assert seen.seen() is seen
    assert seen.facts is None
    assert torch.equal(seen.levels.float() / 255, seen.images)


def test_what_is_wrong_with_the_scores_of_an_earlier_scorer_comes_before_the_failure_of_a_later_one():
    class Failing(Brightest):
        def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
            raise RuntimeError("no")

    with pytest.raises(RowsError, match="NaN or Inf in the score clip"):
        list(engine(7, None, Brightest(broken=LABELS[2]), Failing()).run(CONTROL, DESIGN))
    with pytest.raises(UnusableModelError, match="the scorer clip of double cannot score a picture: RuntimeError: no"):
        list(engine(7, None, Brightest(), Failing()).run(CONTROL, DESIGN))
