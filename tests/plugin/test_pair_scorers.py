"""Scorers of the user's own that hold each image against the control's, or the baseline's, of the same pair."""

from __future__ import annotations

import pytest
import torch

from helpers.prompted import BARE, CONFTEST, RUN
from helpers.runs import cases_of
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label, design
from pytest_seedshift.runner.controls import Controls
from pytest_seedshift.runner.drawn_images import RowsError
from pytest_seedshift.runner.orders import Row

PAIRED = (
    CONFTEST.replace('{"white": White}', '{"white": White, "stays": Stays, "near": Near}')
    + """

class Stays:
    kind = ScoreKind("stays", 1.0, binary=False)
    fingerprint = "one less the mean distance"
    beside = "control"

    def __init__(self, device): pass
    def check(self, labels): pass

    def score_pairs(self, images, others, labels):
        assert images.shape == others.shape and len(labels) == len(images)
        return {self.kind.title: 1 - (images - others).abs().mean((1, 2, 3))}


class Near(Stays):
    kind = ScoreKind("near", 1.0, binary=False)
    beside = "baseline"
"""
)

PROMPTS = """\
id,prompt,tags
c1,a cat,animals
c2,a dog,animals
n1,three fragile cups,counting
n2,two fragile bowls,counting
"""


@pytest.fixture
def project(pytester):
    """A model whose shifted pictures of fragile things are black, and else as without a shift: white."""
    pytester.makeconftest(PAIRED)
    (pytester.path / "tagged.csv").write_text(PROMPTS)

    def thresholds(text: str) -> None:
        (pytester.path / "thresholds.toml").write_text(f'[default]\nprompts = "tagged.csv"\n{text}')

    return thresholds


def test_a_score_beside_the_control_is_judged_early_and_kept(pytester, project):
    project("stays = { min = 0.9, max_drop = 0.2 }\n[tag.animals]\nstays = 0.9\n")
    result = pytester.runpytest("seedshift", *RUN, *BARE, "--seedshift-batch-size=8")
    result.assert_outcomes(passed=1, failed=1)
    control, shifted = cases_of(pytester.path / ".seedshift").values()
    assert control["scores"]["stays"]["mean"] == 1.0
    means = {tag: each["scores"]["stays"]["mean"] for tag, each in shifted["tags"].items()}
    assert means["counting"] == 0.0
    assert means.get("animals", 1.0) == 1.0
    assert shifted["images"] < shifted["design"]
    broken = {(each["score"], each["kind"]) for each in shifted["constraints"] if each["holds"] is False}
    assert broken <= {("stays", "min"), ("stays", "max_drop")}
    again = pytester.runpytest("seedshift", *RUN, *BARE, "--seedshift-batch-size=8")
    again.stdout.fnmatch_lines(["* 0 generated*"])


def test_a_score_beside_the_baseline_is_of_its_pictures(pytester, project):
    few = (*RUN, *BARE, "--seedshift-images=8", "--seedshift-batch-size=8", "--seedshift-exact")
    project("white = 0.0\n")
    pytester.runpytest("seedshift", *few, "--seedshift-save-baseline=base").assert_outcomes(passed=2)
    project("near = 0.9\nwhite = 0.0\n")
    missing = pytester.runpytest("seedshift", *few)
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    assert "near needs a baseline's pictures, and no baseline is given" in missing.stderr.str()

    same = pytester.runpytest("seedshift", *few, "--seedshift-baseline=base")
    same.assert_outcomes(passed=2)
    assert [each["scores"]["near"]["mean"] for each in cases_of(pytester.path / ".seedshift").values()] == [1.0, 1.0]
    other = PAIRED.replace('else ["black"]', 'else ["black", "cat"]').replace(
        '"paints its prompt"', '"paints cats black"'
    )
    pytester.makeconftest(other)
    changed = pytester.runpytest("seedshift", *few, "--seedshift-baseline=base")
    changed.assert_outcomes(failed=1, passed=1)
    assert [each["scores"]["near"]["mean"] for each in cases_of(pytester.path / ".seedshift").values()] == [0.75, 1.0]

    more = pytester.runpytest("seedshift", *few, "--seedshift-baseline=base", "--seedshift-images=16")
    assert more.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('beside = "control"', 'beside = "contrl"', "has beside = 'contrl': give 'control' or 'baseline'"),
        ("def score_pairs", "def score_pair", "which is no PairScorer: it lacks score_pairs()"),
        ("1 - (images - others).abs()", "images.nope", "score_pairs raised AttributeError"),
    ],
)
def test_what_is_wrong_with_one_is_said(pytester, project, old, new, said):
    pytester.makeconftest(PAIRED.replace(old, new))
    project("stays = 0.5\n")
    result = pytester.runpytest("seedshift", *RUN, *BARE, "--seedshift-images=4")
    assert result.ret != 0
    told = result.stdout.str() + result.stderr.str()
    assert said in told, told
    assert "Traceback" not in told


def rows(count: int, shift: str = "mean") -> list[Row]:
    pairs = design([Label(name, place) for place, name in enumerate("abcd")], count)
    return [Row(Case("m", shift, 0.3 if shift != "none" else 0.0), pair) for pair in pairs]


def test_controls_are_made_once_and_the_oldest_are_forgotten(monkeypatch):
    made: list[Row] = []

    def make(wanted):
        made.extend(wanted)
        return torch.stack([torch.full((3, 2, 2), row.pair.label.index * 51, dtype=torch.uint8) for row in wanted])

    controls, wanted = Controls(make), rows(8)
    found = controls.of(wanted)
    assert found[:, 0, 0, 0].tolist() == pytest.approx([row.pair.label.index / 5 for row in wanted])
    assert {row.case for row in made} == {Case("m", "none", 0.0)}
    assert torch.equal(controls.of(rows(8, "std")), found)
    assert len(made) == 8
    monkeypatch.setattr("pytest_seedshift.runner.controls._MOST_BYTES", 4 * 12)
    controls.know([wanted[0].pair], torch.zeros(1, 3, 2, 2, dtype=torch.uint8))
    assert controls.of(wanted[:1]).max() == 0
    assert torch.equal(controls.of(wanted)[1:], found[1:])
    assert len(made) > 8


def test_a_control_that_cannot_be_made_fails_the_rows_that_need_it_alone():
    def make(wanted):
        raise RowsError({wanted[1]: "its control has NaN"})

    wanted = rows(4)
    with pytest.raises(RowsError, match="its control has NaN") as raised:
        Controls(make).of(wanted)
    assert raised.value.failed == {wanted[1]: "its control has NaN"}
