"""What a model of the user's gives, to its shift and in the end, is held against what it has to give."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import pytest_seedshift as seedshift
from pytest_seedshift.core import registry
from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.core.registry import Extensions, Registry
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.models import drawing, rng
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.scorers.plugin_scorer import OwnScorer

PAIRS = tuple(Pair(Label("owl", 0), seed) for seed in range(3))


class Model:
    """Gives what its `images` make of good ones, having given to its shift and its callback what these say."""

    name, fingerprint, seed_shape = "mine", "1", (3, 4, 4)

    def __init__(self, images=lambda good: good, vectors=lambda z: z, state=lambda z: z, shifts=True) -> None:
        self.images, self.vectors, self.state, self.shifts = images, vectors, state, shifts

    def generate(self, pairs, shift=None, on_step=None):
        z = rng.seed_vectors(pairs, self.seed_shape)
        if shift is not None and self.shifts:
            z = shift(self.vectors(z), pairs)
        if on_step is not None:
            on_step(0, self.state(z))
        return self.images((0.5 + 0.1 * z).clamp(0, 1))


class Scorer:
    kind = ScoreKind("mine", 1.0, binary=False)
    fingerprint = "1"

    def __init__(self, score=lambda images: images.mean((1, 2, 3)), check=lambda: None) -> None:
        self.values, self.labels = score, check

    def check(self, labels):
        self.labels()

    def score(self, images, labels):
        return {"mine": self.values(images)}


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """A session in which a conftest has given the model and the score."""
    kinds = ("model", "shift", "scorer")
    made = Extensions(*(Registry(kind, (), [("conftest.py", {"mine": Scorer})]) for kind in kinds))
    registry.push(made)
    yield
    registry.remove(made)


def parameter(images):
    return torch.nn.Parameter(images.clone())


def skipping(*_):
    pytest.skip("no GPU")


def expecting(*_):
    pytest.xfail("known")


def leaving(*_):
    raise SystemExit(2)


def failing(*_):
    raise KeyError("weights")


REPORTED = r"\(3, 3, height, width\)$"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Model(parameter), "with a gradient, .*: compute under torch.no_grad"),
        (Model(lambda good: good[:0]), REPORTED),
        (Model(lambda good: good[:, :, :0]), REPORTED),
        (Model(lambda good: good[:, :1]), REPORTED),
        (Model(lambda good: good[0]), REPORTED),
        (Model(lambda good: good.permute(0, 2, 3, 1)), REPORTED),
        (Model(lambda good: (good * 255).byte()), REPORTED),
        (Model(lambda good: good.to(torch.complex64)), REPORTED),
        (Model(lambda good: good.numpy()), "the model gave ndarray for 3 pairs: images are floating point"),
        (Model(lambda good: list(good)), "the model gave list"),
        (Model(lambda good: None), "the model gave NoneType"),
        (Model(lambda good: good.to("meta")), "on torch's meta device, where there are no numbers"),
        (Model(lambda good: good.to_sparse()), "as torch.sparse_coo: give a dense tensor"),
        (Model(lambda good: good * torch.nan), "NaN or Inf in the image of .* the model has made it"),
        (Model(lambda good: good * 255), r"images go from .* to .*: give them in \[0, 1\]"),
        (Model(skipping), r"generate called pytest.skip: no GPU \(.*test_drawing.py, line \d+\)"),
        (Model(expecting), r"generate called pytest.xfail: known \(.*test_drawing.py, line \d+\)"),
        (Model(leaving), r"generate raised SystemExit: 2 \(.*test_drawing.py, line \d+\)"),
        (Model(failing), r"generate raised KeyError: 'weights' \(.*test_drawing.py, line \d+\)"),
        (Model(vectors=failing), r"generate raised KeyError: 'weights' \(.*test_drawing.py, line \d+\)"),
        (Model(vectors=lambda z: z[0]), r"to its shift: give the seed vectors of 3 pairs"),
        (Model(vectors=lambda z: z[:2]), r"gave torch.float32 \(2, 3, 4, 4\) to its shift"),
        (Model(vectors=lambda z: z.flatten(1)), r"gave torch.float32 \(3, 48\) to its shift"),
        (Model(vectors=lambda z: z.to("meta")), "to its shift on torch's meta device"),
        (Model(vectors=lambda z: z.numpy()), "gave ndarray to its shift"),
        (Model(vectors=lambda z: z.long()), "gave torch.int64 .* to its shift"),
        (Model(shifts=False), "has not called the shift"),
        (Model(state=lambda z: None), "reported NoneType as the state after a step"),
        (Model(state=lambda z: z[:1]), r"reported torch.float32 \(1, 3, 4, 4\) as the state after a step"),
        (Model(state=lambda z: z.to("meta")), "as the state after a step"),
        (Model(state=lambda z: z * torch.inf), "NaN or Inf in the model's state after step 1"),
    ],
)
def test_what_a_model_gives_is_taken_or_refused_in_a_sentence_of_the_case(model, says):
    with pytest.raises(CaseError, match=says) as caught:
        list(Engine(model, (), 3, overlap=False).images(Case("mine", "mean", 0.3), PAIRS))
    assert str(caught.value).startswith("mine, mean +0.30: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [
        Model(),
        Model(lambda good: good.half()),
        Model(lambda good: good.double()),
        Model(lambda good: good.permute(0, 1, 3, 2)),
        Model(vectors=lambda z: z.double()),
        Model(state=lambda z: z.flatten(1)),
        Model(state=lambda z: z.half()),
    ],
)
def test_what_is_as_it_has_to_be_is_taken(model):
    (images,) = Engine(model, (), 3, overlap=False).images(Case("mine", "mean", 0.3), PAIRS)
    assert (images.dtype, tuple(images.shape)) == (torch.float32, (3, 3, 4, 4))


def test_an_error_of_ours_passes_through_the_models_code_as_it_is():
    def ours(step: int, state: torch.Tensor) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        drawing.generate(Model(), PAIRS, on_step=ours)


def test_an_interruption_passes():
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drawing.generate(Model(interrupted), PAIRS)


def of(**given: object) -> OwnScorer:
    return OwnScorer(registry.current().scorers.find("mine"), Scorer(**given))


@pytest.mark.parametrize(
    ("score", "says"),
    [
        (skipping, r"score called pytest.skip: no GPU \(.*line \d+\)"),
        (failing, r"score raised KeyError: 'weights' \(.*line \d+\)"),
        (
            lambda images: images,
            r"gave torch.float32 \(3, 3, 4, 4\) as its score: give {'mine': a tensor of shape \(3,",
        ),
        (lambda images: images[:2, 0, 0, 0], r"\(2,\) as its score"),
        (lambda images: images[:, 0, 0, 0].to("meta"), "on torch's meta device"),
        (lambda images: images[:, 0, 0, 0].numpy(), "gave ndarray as its score"),
        (lambda images: [0.5] * 3, "gave list as its score"),
        (lambda images: torch.nn.Parameter(torch.ones(3)), "with a gradient"),
        (lambda images: torch.ones(3, dtype=torch.complex64), "gave torch.complex64"),
    ],
)
def test_what_a_scorer_gives_is_taken_or_refused_too(score, says):
    with pytest.raises(SeedshiftError, match=says) as caught:
        of(score=score).score(torch.rand(3, 3, 4, 4), [pair.label for pair in PAIRS])
    assert str(caught.value).startswith("the scorer 'mine' of conftest.py")


@pytest.mark.parametrize(
    "score",
    [lambda images: images.mean((1, 2, 3)).half(), lambda _: torch.tensor([0, 1, 1]), lambda _: torch.ones(3) > 0],
)
def test_scores_may_be_of_any_real_type(score):
    values = of(score=score).score(torch.rand(3, 3, 4, 4), [pair.label for pair in PAIRS])["mine"]
    assert values.dtype == torch.float32


def test_what_a_scorer_does_to_its_images_is_nobody_else_s():
    images = torch.rand(3, 3, 4, 4)
    before = images.clone()
    of(score=lambda each: each.zero_().mean((1, 2, 3))).score(images, [pair.label for pair in PAIRS])
    assert images.equal(before)


@pytest.mark.parametrize("found", [3, None, {}, {"other": torch.ones(3)}, {"mine": torch.ones(3), "other": np.ones(3)}])
def test_a_scorer_gives_its_one_score_and_no_other(found):
    class Odd(Scorer):
        def score(self, images, labels):
            return found

    scorer = OwnScorer(registry.current().scorers.find("mine"), Odd())
    with pytest.raises(SeedshiftError, match=r"gave .*: give {'mine': a tensor of shape \(3,\)}"):
        scorer.score(torch.rand(3, 3, 4, 4), [pair.label for pair in PAIRS])


@pytest.mark.parametrize("error", [ValueError, seedshift.ModelError])
def test_labels_that_a_scorer_cannot_score_are_told_in_its_own_words(error):
    def refusing() -> None:
        raise error("owl: no such bird")

    with pytest.raises(SeedshiftError, match=r"^owl: no such bird$"):
        of(check=refusing).check([PAIRS[0].label])
    with pytest.raises(SeedshiftError, match=r"'mine' of conftest.py: check raised KeyError: 'weights' \(.*line \d+"):
        of(check=failing).check([PAIRS[0].label])


PUBLIC_ERRORS = [getattr(seedshift, name) for name in seedshift.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("error", PUBLIC_ERRORS)
def test_whatever_error_of_the_package_a_users_code_raises_is_the_cases_with_its_line(error):
    def raising(*_):
        raise error("not trained yet")

    told = rf" raised {error.__name__}: not trained yet \(.*test_drawing.py, line \d+\)"
    for model in (Model(raising), Model(vectors=raising), Model(state=raising)):
        with pytest.raises(CaseError, match="generate" + told) as caught:
            list(Engine(model, (), 3, overlap=False).images(Case("mine", "mean", 0.3), PAIRS))
        assert isinstance(caught.value, seedshift.ModelError)
    with pytest.raises(seedshift.ModelError, match="score" + told):
        of(score=raising).score(torch.rand(3, 3, 4, 4), [pair.label for pair in PAIRS])
