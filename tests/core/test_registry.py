"""What is the user's own: names and owners, what it has to be, and what is said where it is not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest
import torch

from pytest_seedshift.core import registry as registries
from pytest_seedshift.core import shifts, thresholds, thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.core.registry import Extension, ExtensionError, Extensions, Registry
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.score_registry import SHIPPED, recorded
from pytest_seedshift.core.scores import AvailableScores
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models import plugin_model
from pytest_seedshift.models.base import Axes
from pytest_seedshift.runner.generate import shift_function
from pytest_seedshift.scorers.plugin_scorer import OwnScorer

PAIR = Pair(Label("owl", 0), 0)


class Model:
    name, fingerprint, seed_shape, seed_axes = "mine", "1", (3, 8, 8), Axes()

    def __init__(self, *_: str) -> None: ...

    def generate(self, pairs, shift=None, on_step=None): ...


class Tilt:
    fingerprint = "1"

    def __call__(self, z, magnitude, generator):
        return z + magnitude * torch.rand(z.shape, generator=generator)


class Contrast:
    kind = ScoreKind("contrast", 1.0, binary=False)
    fingerprint = "1"

    def __init__(self, *_: str) -> None: ...

    def check(self, labels): ...

    def score(self, images, labels):
        return {"contrast": images.std((1, 2, 3))}


def registry(kind: str, **given: object) -> Registry:
    return Registry(kind, (), [("conftest.py", given)])


@pytest.fixture
def known() -> Iterator[Extensions]:
    """A session that has one of each kind, and a few that are wrong."""

    class Wide(Tilt):
        def __call__(self, z, magnitude, generator):
            return z[..., :1]

    class Failing(Tilt):
        def __call__(self, z, magnitude, generator):
            raise RuntimeError("no such luck")

    made = Extensions(
        registry("model", mine=Model),
        registry("shift", tilt=Tilt, wide=Wide, failing=Failing),
        registry("scorer", contrast=Contrast, vague=lambda device: None),
    )
    registries.push(made)
    yield made
    registries.remove(made)


# Names and owners ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([("a.py", ["mine"])], r"a.py: pytest_seedshift_models gave \['mine'\]: give a mapping"),
        ([("a.py", {"": Model})], "a.py: '' is not a name of a model"),
        ([("a.py", {"my:model": Model})], "'my:model' is not a name of a model"),
        ([("a.py", {3: Model})], "3 is not a name"),
        ([("a.py", {"sd21": Model})], "called 'sd21': one of pytest-seedshift itself, one of a.py. Rename yours"),
        ([("a.py", {"mine": "not a factory"})], "a.py: the model 'mine' is 'not a factory': give a factory"),
        ([("a.py", {"mine": Model}), ("b.py", {"mine": Model})], "called 'mine': one of a.py, one of b.py"),
    ],
)
def test_what_is_no_name_or_a_name_of_two_is_an_error_that_names_the_owners(given, says):
    with pytest.raises(ExtensionError, match=says):
        Registry("model", ("sd21",), given)


def test_an_entry_point_is_imported_only_when_its_name_is_asked_for():
    point = EntryPoint("theirs", "no_such_module:Model", "pytest_seedshift.models")
    found = Registry("model", (), [], [point])
    assert found.names == ("theirs",)
    assert found.find("mine") is None
    with pytest.raises(
        ExtensionError, match=r"'theirs' of a package \(no_such_module:Model\) cannot be imported: it r"
    ):
        found.find("theirs").factory()


def test_a_name_of_an_entry_point_clashes_like_any_other():
    point = EntryPoint("mine", "module:Model", "pytest_seedshift.models")
    with pytest.raises(ExtensionError, match=r"one of conftest.py, one of a package \(module:Model\)"):
        Registry("model", (), [("conftest.py", {"mine": Model})], [point])


# Models -------------------------------------------------------------------------------------------------------------


def failing(*_: str) -> None:
    raise RuntimeError("no weights")


def skipping(*_: str) -> None:
    pytest.skip("no GPU today")


def leaving(*_: str) -> None:
    raise SystemExit(3)


def called(**attributes: object) -> type:
    return type("Odd", (Model,), attributes)


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        (failing, r"its factory, called with \('cpu', 'float32'\), raised RuntimeError: no weights"),
        (
            lambda device, dtype: None,
            "gave a NoneType, which is no TextToImage: it lacks name, fingerprint, seed_shape",
        ),
        (called(fingerprint=""), "its fingerprint is '': give a text"),
        (called(fingerprint=7), "its fingerprint is 7: give a text"),
        (called(fingerprint=property(lambda self: uuid.uuid4().hex)), "at one time and '.*' at another"),
        (called(name="other"), "whose name is 'other': let it be 'mine'"),
        (skipping, r"called pytest.skip: no GPU today \(.*test_registry.py, line \d+\)"),
        (leaving, r"raised SystemExit: 3 \(.*test_registry.py, line \d+\)"),
        (lambda device: None, r"raised TypeError: .* takes 1 positional argument but 2 were given"),
        (
            called(fingerprint=property(failing)),
            r"what its factory gave raised RuntimeError: no weights \(.*line \d+\)",
        ),
        (called(generate=None), r"no TextToImage: it lacks generate"),
        (called(generate="images"), r"no TextToImage: it lacks generate"),
        (called(seed_shape=3), "its seed_shape is 3. Give the shape of one seed vector"),
        (called(seed_shape=(3, 4)), r"its seed_shape is \(3, 4\)"),
        (called(seed_shape=(3, 0, 4)), r"its seed_shape is \(3, 0, 4\)"),
        (called(seed_shape=(3, 4.0, 4)), r"its seed_shape is \(3, 4.0, 4\)"),
        (called(seed_axes=(0, 1, 2)), r"its seed_axes are \(0, 1, 2\): give three different axes"),
        (called(seed_axes=Axes(0, 1, 3)), r"its seed_axes are Axes\(channels=0, height=1, width=3\)"),
        (called(seed_axes=Axes(0, 1, 1)), r"its seed_axes are Axes\(channels=0, height=1, width=1\)"),
    ],
)
def test_what_is_no_model_is_an_error_that_says_why(factory, says):
    with pytest.raises(ExtensionError, match=says):
        plugin_model.load(registry("model", mine=factory).find("mine"), "cpu", "float32")


def test_a_model_is_given_as_it_was_made():
    assert isinstance(plugin_model.load(registry("model", mine=Model).find("mine"), "cpu", "float32"), Model)


# Shifts -------------------------------------------------------------------------------------------------------------


def test_an_own_shift_is_one_like_others(known):
    z = torch.zeros(1, 1, 4, 4)
    assert str(shifts.parse("tilt")) == "tilt"
    assert shifts.apply(z, "tilt", 0.0) is z
    shift = shift_function(Case("mine", "tilt", 0.5))
    assert 0 < shift(z, [PAIR]).max() <= 0.5
    assert torch.equal(shift(z, [PAIR]), shift(z, [PAIR]))
    assert thresholds_parser.parse("[shift.tilt]\ntop1 = 0.5\n", "t", str).constraints(Case("mine", "tilt", 0.5))


@pytest.mark.parametrize(
    ("shift", "says"),
    [
        ("tlit", "unknown shift 'tlit'. Did you mean 'tilt'"),
        ("tilt:exact", "has no variants"),
        ("wide", r"'wide' of conftest.py gave torch.float32 \(1, 2, 4, 1\): it has to keep shape and dtype"),
        ("failing", r"'failing' of conftest.py raised RuntimeError: no such luck \(.*test_registry.py, line \d+\)"),
    ],
)
def test_a_shift_that_cannot_be_used_is_an_error_that_says_whose_it_is(known, shift, says):
    with pytest.raises(SeedshiftError, match=says):
        shifts.apply(torch.zeros(1, 2, 4, 4), shift, 0.5)


def test_a_sample_of_an_own_shift_is_known_by_the_shifts_fingerprint_too(known):
    case, plain = Case("mine", "tilt", 0.5), Case("mine", "mean", 0.5)
    before = fingerprints.image_key("f", case, PAIR), fingerprints.image_key("f", plain, PAIR)
    known.made["tilt"].fingerprint = "2"
    assert fingerprints.image_key("f", case, PAIR) != before[0]
    assert fingerprints.image_key("f", plain, PAIR) == before[1]


# Scorers ------------------------------------------------------------------------------------------------------------


def test_what_an_own_score_is_goes_with_the_thresholds_that_ask_for_it(known):
    asked = thresholds_parser.parse("[default]\ncontrast = { min = 0.2, max_drop = 0.1 }\n", "t", str)
    assert list(asked.kinds) == ["top1", "top5", "clip", "contrast"]
    (constraint,) = asked.constraints(Case("mine"))
    assert (constraint.minimum, constraint.score_kind) == (0.2, Contrast.kind)
    with pytest.raises(thresholds.ThresholdsError, match="outside its range, 0 to 1"):
        thresholds_parser.parse("[default]\ncontrast = 2.0\n", "t", str)
    registries.remove(known)
    assert asked.kinds["contrast"] == Contrast.kind
    assert thresholds_parser.parse("[default]\ntop1 = 0.2\n", "t", str).kinds == SHIPPED


@pytest.mark.parametrize(
    ("score", "says"),
    [
        ("contrats", "Did you mean 'contrast'"),
        ("vague", "'vague' of conftest.py: the attribute kind of its factory is None"),
    ],
)
def test_a_score_that_cannot_be_asked_for_is_an_error_of_the_thresholds(known, score, says):
    with pytest.raises(thresholds.ThresholdsError, match=says):
        thresholds_parser.parse(f"[default]\n{score} = 0.5\n", "t", str)


@pytest.mark.parametrize(
    "kind", [ScoreKind("", 1.0, False), ScoreKind("c", 0.0, False), ScoreKind("c", 2.0, True), "c"]
)
def test_a_range_has_to_be_one(known, kind):
    known.scorers = registry("scorer", contrast=type("Odd", (Contrast,), {"kind": kind}))
    with pytest.raises(ExtensionError, match="not a ScoreKind of pytest_seedshift"):
        AvailableScores().find("contrast")


@pytest.mark.parametrize(
    "given", [None, {}, {"other": torch.zeros(2)}, {"contrast": torch.zeros(3)}, {"contrast": [0.0, 0.0]}]
)
def test_a_scorer_gives_one_value_an_image_of_its_own_score(known, given):
    assert OwnScorer.load("contrast", "cpu").score(torch.rand(2, 3, 8, 8), [PAIR.label] * 2)["contrast"].shape == (2,)
    odd = Extension("scorer", "contrast", "conftest.py", lambda: Contrast)
    scorer = OwnScorer(odd, type("Odd", (Contrast,), {"score": lambda self, images, labels: given})())
    with pytest.raises(
        SeedshiftError, match=r"'contrast' of conftest.py gave .* give {'contrast': a tensor of shape \(2,\)}"
    ):
        scorer.score(torch.rand(2, 3, 8, 8), [PAIR.label] * 2)


def test_scores_of_a_run_can_be_asked_for_without_their_scorers():
    document = {"scores": {"contrast": {"title": "contrast", "top": 1.0, "binary": False}, "top1": {}, "odd": 3}}
    scores = AvailableScores(recorded(document))
    assert scores.names == ("top1", "top5", "clip", "contrast")
    assert (scores.find("contrast"), scores.find("odd")) == (Contrast.kind, None)
    assert AvailableScores().find("contrast") is None
