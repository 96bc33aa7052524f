"""Baseline files: small, deterministic, readable, and refused where they are not as they were written."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.cases import Case, grid
from pytest_seedshift.results import baseline_sources
from pytest_seedshift.results.baseline import Baseline, BaselineError, Design, Samples, Version, checksum

LABELS = ("owl", "pizza", '"<script>"', "пёс")
VERSION = Version("print", "cpu", "float32", "vit", "clip")
DESIGN = Design("animals.csv", LABELS, "A photo of a {label}", 8)


TWO = (Case("m"), Case("m", "mean", 0.3))


def make(cases=TWO, pairs=8, design=DESIGN, exact=True, seed=0, models=None):
    """A baseline of some cases with scores that are drawn."""
    draw = random.Random(seed)

    def samples(case):
        top1 = tuple(float(draw.random() < 0.8) for _ in range(pairs))
        clip = tuple(draw.gauss(40, 3) for _ in range(pairs))
        return Samples(
            case, "design", exact, {"top1": top1, "top5": tuple(max(one, 1.0) for one in top1), "clip": clip}
        )

    found = {case: samples(case) for case in cases}
    models = models or {case.model: VERSION for case in cases}
    return Baseline("old.json", {"torch": "1"}, models, {"design": design}, found)


def edited(change, text=None):
    """The text of a file in which a value was changed, with a checksum that fits."""
    document = json.loads(text or make().text())
    change(document)
    document["checksum"] = checksum(document)
    return json.dumps(document)


@given(st.integers(1, 8), st.integers(0, 2**32), st.booleans())
def test_what_is_written_is_read_back(pairs, seed, exact):
    before = make(pairs=pairs, seed=seed, exact=exact)
    after = baseline_sources.parse(before.text(), "old.json")
    assert after.models == before.models
    assert after.designs == before.designs
    assert list(after.cases) == list(before.cases)
    for case, each in before.cases.items():
        assert after.cases[case].exact is exact
        assert after.cases[case].scores["top1"] == each.scores["top1"]
        assert after.cases[case].scores["clip"] == pytest.approx(each.scores["clip"], abs=6e-4)
    assert after.text() == before.text()


def test_the_default_grid_of_two_models_is_far_below_a_megabyte_and_changes_line_by_line():
    shifts, sizes = ("random", "mean", "std", "mixed", "arrangement"), (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)
    labels = tuple(f"a label of some length {index}" for index in range(100))
    wide = Design("imagenet100", labels, DESIGN.prompt, 400)
    both = grid(["one", "other"], shifts, sizes)
    text = make(both, pairs=400, design=wide).text()
    assert len(text.encode()) < 400_000
    other = make(both, pairs=400, design=wide)
    first = other.cases[both[0]].scores
    first["top1"] = (1 - first["top1"][0], *first["top1"][1:])
    changed = sum(one != two for one, two in zip(text.splitlines(), other.text().splitlines(), strict=True))
    assert changed == 2  # that score, and the checksum


def test_line_ends_and_spaces_are_not_what_a_checksum_is_about(tmp_path):
    path = tmp_path / "base.json"
    path.write_bytes(make().text().replace("\n", "\r\n").encode())
    assert baseline_sources.load(path).cases


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (make().text()[:-200], "damaged or cut off"),
        ("", "damaged or cut off"),
        ("[]", "not a baseline of seedshift"),
        ('{"version": 1}', "not a baseline of seedshift"),
        (make().text().replace('"1', '"0', 1), "fails its checksum"),
        (make().text().replace('"pairs": 8', '"pairs": 7', 1), "fails its checksum"),
        (edited(lambda d: d.update(version=2)), "its format is 2"),
        (edited(lambda d: d.update(models={})), "its model or its design is not in the head"),
        (edited(lambda d: d["cases"][0].update(pairs=9)), "more pairs than its design has"),
        (edited(lambda d: d["cases"][0].update(pairs=7)), "not 7 values of each score"),
        (edited(lambda d: d["cases"][0]["scores"].update(top1="11111112")), "top1 is not in the format of that score"),
        (edited(lambda d: d["cases"][0]["scores"].update(clip="11111111")), "clip is not in the format of that score"),
        (edited(lambda d: d["cases"][0]["scores"].update(beauty=[1.0] * 8)), "unknown score 'beauty'"),
        (edited(lambda d: d["cases"][0]["scores"].update(clip=["x"] * 8)), "damaged: cases.0.scores.clip"),
        (edited(lambda d: d["cases"][0].update(magnitude="0.3")), "damaged: cases.0.magnitude"),
        (edited(lambda d: d.pop("cases")), "damaged: cases: Field required"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused_with_the_reason(tmp_path, text, says):
    path = tmp_path / "base.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match=says) as error:
        baseline_sources.load(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(BaselineError, match="--seedshift-save-baseline"):
        baseline_sources.load(tmp_path / "none.json")
    path = tmp_path / "binary.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BaselineError, match="not a text in UTF-8"):
        baseline_sources.load(path)
    tmp_path.joinpath("folder").mkdir()
    with pytest.raises(BaselineError, match="holds no run that can be read"):
        baseline_sources.load(tmp_path / "folder")


def test_a_model_is_found_by_what_is_said_by_its_name_or_as_the_only_one():
    one = make([Case("old")])
    assert one.counterpart("new", ["new"], {}) == "old"
    assert one.counterpart("new", ["new", "newer"], {}) is None
    assert one.counterpart("new", ["new", "newer"], {"new": "old"}) == "old"
    assert one.counterpart("new", ["new"], {"new": "nobody"}) is None
    assert make([Case("a"), Case("b")]).counterpart("b", ["b"], {}) == "b"
