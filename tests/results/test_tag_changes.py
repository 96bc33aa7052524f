"""What has become of each tag in two runs that are compared, and of each prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.versions import CASES, LABELS, side
from pytest_seedshift.reporting import history as told
from pytest_seedshift.reporting import tags as reporting
from pytest_seedshift.results import history_changes, losses, regression, tag_changes
from pytest_seedshift.results.history import CaseLine, Line
from pytest_seedshift.results.regression import Gate

TAGS = {"a": ("vowels",), "e": ("vowels", "late"), "f": ("late",), "g": ("late",)}


def tagged(name, columns, tags=TAGS, **given):
    made = side(name, columns, **given)
    return replace(made, designs={key: replace(each, tags=tags) for key, each in made.designs.items()})


def right(rng, share=0.8, size=400):
    return {case: rng.random(size) < share for case in CASES}


def without(columns, prompts, share, rng, size=400):
    """The same where a share of the right pairs of some prompts has turned wrong."""
    (design,) = side("any", columns, size=size).designs.values()
    of_prompts = np.array([prompt in prompts for prompt, _ in design.places()])
    return {case: values & ~(of_prompts & (rng.random(size) < share)) for case, values in columns.items()}


@pytest.mark.parametrize(("exact", "test"), [(True, "signs"), (False, "bets")])
def test_a_tag_that_was_made_worse_is_lower_and_the_others_are_not(exact, test):
    rng = np.random.default_rng(0)
    columns = right(rng)
    worse = without(columns, "a", 0.5, rng)
    compared = regression.compare(tagged("old", columns, exact=exact), tagged("new", worse, exact=exact))
    by_tag = {each.tag: each for each in tag_changes.of(compared)}
    assert by_tag.keys() == {"vowels", "late"}
    assert [each.tag for each in by_tag.values() if each.is_lower] == ["vowels"]
    vowels, late = by_tag["vowels"], by_tag["late"]
    assert (late.lost, late.won, late.p, late.before) == (0, 0, 1.0, late.after)
    assert vowels.test == test
    assert vowels.level == pytest.approx(0.01 / 2)
    (design,) = compared.after.designs.values()
    at = [place for place, (prompt, _) in enumerate(design.places()) if prompt in "ae"]
    assert vowels.pairs == len(at) * len(CASES)
    assert vowels.before == pytest.approx(np.mean([columns[case][at] for case in CASES]))
    assert vowels.after == pytest.approx(np.mean([worse[case][at] for case in CASES]))
    first, *_ = tag_changes.of_prompts(compared)
    assert (first.prompt, first.drop > 0.2) == ("a", True)
    lines = reporting.compared(compared)
    assert "turned wrong and 0 right" in lines[1]
    assert lines[1].endswith(": lower, beyond chance")
    assert any(line.startswith("m: prompts that lost most: a 0.") for line in lines)
    assert [each["tag"] for each in losses.document(compared)["tags"]] == ["vowels", "late"]


def test_tags_of_either_side_do_and_without_any_nothing_is_said():
    columns = right(np.random.default_rng(1))
    old, new = side("old", columns), side("new", columns)
    assert tag_changes.of(regression.compare(old, new)) == []
    assert reporting.compared(regression.compare(old, new)) == []
    assert "tags" not in losses.document(regression.compare(old, new))
    of_old = regression.compare(tagged("old", columns), new)
    assert {each.tag for each in tag_changes.of(of_old)} == {"vowels", "late"}
    changed = regression.compare(tagged("old", columns), tagged("new", columns, {"b": ("new",)}))
    assert [each.tag for each in tag_changes.of(changed)] == ["new"]


def test_versions_that_have_not_changed_show_a_lower_tag_as_seldom_as_the_level_says():
    """Half of all pairs turn over by chance; each tag's own test at the full level is the negative control."""
    rng = np.random.default_rng(2)
    many = {label: (label, f"{label}2", "all") for label in LABELS}
    wrong = own = 0
    for _ in range(60):
        columns, again = right(rng, 0.5, 80), right(rng, 0.5, 80)
        sides = tagged("old", columns, many, size=80), tagged("new", again, many, size=80)
        found = tag_changes.of(regression.compare(*sides, Gate(certainty=0.8)))
        wrong += any(each.is_lower for each in found)
        own += any(each.drop > 0 and each.p <= 0.2 for each in found)
    assert wrong <= 19  # binomial, 0.2 of 60: more with probability 0.02
    assert own > 30


def test_a_history_names_the_tags_that_changed_most():
    def line(number, means):
        scores = {"top1": {"mean": 0.5, "low": 0.4, "high": 0.6}}
        tags = {tag: {"pairs": 9, "scores": {"top1": {**scores["top1"], "mean": mean}}} for tag, mean in means.items()}
        about = {"model": "m", "shift": "mean", "magnitude": 0.3, "verdict": "pass", "images": 9, "scores": scores}
        return Line.model_construct(
            id=f"{number:016x}",
            name=f"v{number}",
            time="2026-01-01",
            models={"m": "f"},
            pairs=None,
            scores={},
            cases=[CaseLine.model_validate({**about, "tags": tags} if tags else about)],
        )

    first, second = line(1, {"late": 0.5, "vowels": 0.8, "gone": 0.1}), line(2, {"late": 0.45, "vowels": 0.2})
    case = next(each for each in CASES if (each.shift, each.magnitude) == ("mean", 0.3))
    step = history_changes.Step(case, "top1", second, second, first, 0.65, 0.3, True, "pairs", 1e-4, 0.01)
    (sentence,) = told.sentences(history_changes.Changes("m", (first, second), (step,)))
    assert sentence.endswith("against v1); by tag: vowels 0.80 → 0.20, late 0.50 → 0.45")
    document = told.document([history_changes.Changes("m", (first, second), (step,))], 0.99)
    assert document["models"]["m"]["changes"][0]["tags"] == {"vowels": [0.8, 0.2], "late": [0.5, 0.45]}
    bare = replace(step, reference=line(1, {}))
    (sentence,) = told.sentences(history_changes.Changes("m", (first, second), (bare,)))
    assert sentence.endswith("against v1)")
