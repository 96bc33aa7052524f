"""Documents of runs, joined: what they must agree on."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.results import merge
from pytest_seedshift.results.merge import MergeError, Run

SCORE = {"mean": 0.9, "low": 0.8, "high": 1.0, "clipped": 0}


def entry(number: int, model: str = "m") -> dict:
    magnitude = number / 10
    case = {"id": f"{model}-mean-{number}", "test": f"t::test[{model}-{number}]", "model": model, "shift": "mean"}
    return {**case, "magnitude": magnitude, "asks": {"top1 min": 0.5}, "exact": False, "images": 16, "design": "d"}


def record(of: dict, verdict: str = "pass") -> dict:
    head = {name: of[name] for name in ("id", "test", "model", "shift", "magnitude")}
    scores = {} if verdict == "error" else {name: dict(SCORE) for name in ("top1", "top5", "clip")}
    work = {"images": 9, "design": 16, "generated": 9, "seconds": 1.5}
    return {**head, "verdict": verdict, "reason": "r", "scores": scores, **work, "constraints": [], "pictures": []}


def document(grid: list[dict], judged: list[dict], **changes: object) -> dict:
    model = {"device": "cpu", "dtype": "float32", "fingerprint": "f", "classifier": "c", "clip": "l"}
    return {
        "version": 1,
        "certainty": 0.99,
        "thresholds": "t",
        "libraries": {"torch": "2"},
        "models": {each["model"]: dict(model) for each in judged},
        "grid": grid,
        "cases": judged,
        **changes,
    }


GRID = [entry(1), entry(2), entry(3), entry(1, "n")]


def two() -> tuple[dict, dict]:
    """Two runs with a case of model m that both have judged."""
    first, second = copy.deepcopy(GRID), copy.deepcopy(GRID)
    return (
        document(first, [record(first[0]), record(first[1])]),
        document(second, [record(second[1]), record(second[2]), record(second[3])]),
    )


def join(*documents: dict) -> merge.Merged:
    return merge.join([Run(name, merge.check(each)) for name, each in zip("abcdefgh", documents, strict=False)])


@given(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=8, max_size=8), st.permutations(range(4)))
def test_whatever_the_parts_and_their_order_the_whole_is_the_one_of_a_single_run(owners, order):
    grid = [entry(number, "m" if number < 5 else "n") for number in range(8)]
    whole = document(grid, [record(each) for each in grid])
    parts = []
    for number in (1, 2, 3, 4):
        own = [record(each) for each, owner in zip(grid, owners, strict=True) if owner == number]
        parts.append(document(grid, own, shard={"number": number, "of": 4, "by": "count", "split": "s"}))
    merged = join(*(parts[place] for place in order))
    assert json.dumps(merged.document.built_in()) == json.dumps(whole)
    assert merged.missing == merged.notes == ()


@given(st.sets(st.integers(0, 7), min_size=1))
def test_what_no_run_has_judged_is_named_and_gets_no_record(absent):
    grid = [entry(number) for number in range(8)]
    there = [each for number, each in enumerate(grid) if number not in absent]
    merged = join(
        document(grid, [record(each) for each in there[::2]]), document(grid, [record(each) for each in there[1::2]])
    )
    assert [each.id for each in merged.missing] == [grid[number]["id"] for number in sorted(absent)]
    assert [each.id for each in merged.document.cases] == [each["id"] for each in there]


def test_runs_that_agree_are_joined():
    merged = join(*two())
    assert not merged.missing
    assert list(merged.document.models) == ["m", "n"]


def change(document: dict, path: tuple, value: object) -> None:
    *way, last = path
    for step in way:
        document = document[step]
    document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("certainty",), 0.95, "certainty: 0.99 in a, 0.95 in b"),
        (("thresholds",), "u", "thresholds: t in a, u in b"),
        (("libraries", "torch"), "3", "version of torch: 2 in a, 3 in b"),
        (("models", "m", "device"), "cuda", "m: device: cpu in a, cuda in b"),
        (("models", "m", "dtype"), "float16", "m: dtype: float32 in a, float16 in b"),
        (("models", "m", "fingerprint"), "g", "m: weights or settings (by fingerprint): f in a, g in b"),
        (("models", "m", "classifier"), "g", "m: classifier (by fingerprint): c in a, g in b"),
        (("models", "m", "clip"), "g", "m: CLIP model (by fingerprint): l in a, g in b"),
        (("grid", 0, "asks", "top1 min"), 0.6, "m-mean-1: asks top1 min 0.5 in a, top1 min 0.6 in b"),
        (("grid", 2, "images"), 32, "design of t::test about m: 16 pairs (fingerprint d) in a, 32 pairs"),
        (
            ("grid", 2, "design"),
            "e",
            "design of t::test about m: 16 pairs (fingerprint d) in a, 16 pairs (fingerprint e)",
        ),
        (("grid", 2, "exact"), True, "16 pairs, visited whole, (fingerprint d) in b"),
        (("cases", 0, "verdict"), "fail", "m-mean-2: pass after 9 images in a, fail after 9 images in b"),
        (("cases", 0, "images"), 10, "m-mean-2: pass after 9 images in a, pass after 10 images in b"),
        (("cases", 0, "scores", "clip", "mean"), 0.8, "m-mean-2: pass after 9 images with [0.9, 0.9, 0.9] in a"),
        (("cases", 1, "test"), "t::test[x]", "b: the case m-mean-3 is not in its grid"),
    ],
)
def test_a_difference_is_named(path, value, told):
    first, second = two()
    change(second, path, value)
    with pytest.raises(MergeError) as error:
        join(first, second)
    assert told in str(error.value)
    assert "Traceback" not in str(error.value)


def test_designs_differ_where_no_case_is_in_both():
    first, second = document([entry(1)], [record(entry(1))]), document([entry(2) | {"images": 32}], [record(entry(2))])
    with pytest.raises(MergeError, match=r"16 pairs .* in a, 32 pairs"):
        join(first, second)


def test_differences_in_the_last_digits_are_none():
    first, second = two()
    second["cases"][0]["scores"]["clip"]["mean"] *= 1 + 1e-6
    assert join(first, second).document.cases[1].built_in() == first["cases"][1]


def test_runs_of_different_models_become_one():
    first, second = document([GRID[0]], [record(GRID[0])]), document([GRID[3]], [record(GRID[3])])
    second["models"]["n"]["device"] = "cuda"
    merged = join(first, second)
    assert [each.model for each in merged.document.cases] == ["m", "n"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_verdict_stands_above_an_error_of_the_same_case(order):
    runs = document([GRID[0]], [record(GRID[0], "error")]), document([GRID[0]], [record(GRID[0], "fail")])
    (case,) = join(*runs[::order]).document.cases
    assert case.verdict == "fail"


def test_many_differences_are_told_in_a_few_lines():
    first = document([entry(number) for number in range(50)], [])
    second = document([entry(number) | {"asks": {"top1 min": 0.1}} for number in range(50)], [])
    with pytest.raises(MergeError) as error:
        join(first, second)
    assert str(error.value).splitlines()[-1] == "  and 45 more"
    assert len(str(error.value).splitlines()) == 7


def test_absent_shards_and_unlike_splits_are_told():
    shard = {"of": 3, "by": "count", "split": "s"}
    first = document(GRID, [record(GRID[0])], shard={**shard, "number": 1})
    second = document(GRID, [record(GRID[1])], shard={**shard, "number": 3, "split": "z", "by": "an earlier run"})
    assert join(first, second).notes == (
        "not among the runs: shard 2/3",
        "the shards were not split alike: a by count; b by an earlier run",
    )


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("cases", 0, "verdict"), "maybe", "cases.0.verdict"),
        (("cases", 0, "seconds"), "long", "cases.0.seconds"),
        (("cases", 0, "scores"), {}, "without the scores top1, top5, clip"),
        (("cases", 0), 3, "cases.0"),
        (("grid", 0, "test"), None, "grid.0.test"),
        (("models",), [], "models"),
        (("shard",), {"number": 1}, "shard.of"),
        (("cases", 0, "magnitude"), float("nan"), "cases.0.magnitude"),
    ],
)
def test_a_document_that_no_run_has_written_is_told(path, value, told):
    damaged = two()[0]
    change(damaged, path, value)
    with pytest.raises(MergeError, match="damaged") as error:
        merge.check(damaged)
    assert told in str(error.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "pictures/../../secret.png", "..\\secret.png", "other/x.png"])
def test_pictures_outside_of_the_run_folder_are_refused(path):
    found = two()[0]
    kept = {"label": "a", "seed": 0, "right": True, "picture": path, "control": "pictures/c.png", "control_right": True}
    found["cases"][0]["pictures"] = [kept]
    with pytest.raises(MergeError, match=r"cases.0.pictures.0.picture"):
        merge.check(found)


def test_a_document_of_an_earlier_version_is_told():
    with pytest.raises(MergeError, match=r"does not say what it is a part of.*Run it again"):
        merge.check({"version": 1, "cases": []})
