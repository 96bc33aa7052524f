"""pytest-html's figure, whatever the models, shifts and scores are called."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from helpers.records import record
from helpers.strange_text import HOSTILE, unseen
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.reporting import plots

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import Record

SVG = "{http://www.w3.org/2000/svg}"


def drawn(model: str, shift: str, magnitude: float) -> Record:
    score = {"mean": 0.5, "low": 0.4, "high": 0.6}
    bound = {"score": "mine", "kind": "min", "bound": 0.1, "measured": 0.5, "holds": True}
    about = {"model": model, "shift": shift, "magnitude": magnitude, "certainty": 0.99}
    return record(about, scores={"top1": score, "mine": score}, constraints=[bound])


def draw(model: str, shift: str, title: str) -> ElementTree.Element:
    records = [drawn(model, "none", 0.0), drawn(model, shift, -0.3), drawn(model, shift, 0.3)]
    kinds = ScoreRegistry({"mine": ScoreKind(title, 1.0, binary=False)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ElementTree.fromstring(plots.scores_by_magnitude(records, kinds))


def letters(figure: ElementTree.Element) -> str:
    return " ".join(each.text or "" for each in figure.iter(f"{SVG}text"))


@settings(max_examples=8)
@given(HOSTILE)
def test_any_name_can_be_drawn(name):
    figure = draw(name, f"s{name}", f"t{name}")
    assert figure.tag == f"{SVG}svg"
    assert not unseen(ElementTree.tostring(figure, encoding="unicode")) - {"\n", "\t"}


@pytest.mark.parametrize("name", ["m$x^$", "m$\\frac{1$", r"a\$b$", "{", "x" * 10_000, "_hidden"])
def test_dollar_signs_and_long_names_are_text(name):
    assert letters(draw(name, name, name)) == ""  # outlines, as of every name that matplotlib's own font has


def test_what_matplotlib_s_font_lacks_is_left_to_the_reader_s():
    shown = letters(draw("模型-猫", "नमूना", "عنوان"))
    for name in ("模型-猫", "नमूना", "عنوان"):
        assert name in shown


def test_a_shift_whose_name_begins_with_a_line_is_in_the_legend():
    assert "_mine" in letters(draw("猫", "_mine", "a"))


def test_the_same_records_draw_the_same_bytes():
    assert ElementTree.tostring(draw("猫$", "s", "t")) == ElementTree.tostring(draw("猫$", "s", "t"))
