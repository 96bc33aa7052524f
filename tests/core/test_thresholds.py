"""thresholds.toml: which table decides, and what a mistake in it says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import shifts
from pytest_seedshift.core.cases import Case, grid
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.score_bounds import constraint
from pytest_seedshift.core.stats.sequential import CERTAINTY, Constraint
from pytest_seedshift.core.thresholds import Thresholds, ThresholdsError
from pytest_seedshift.core.thresholds_parser import load, parse
from pytest_seedshift.models import catalogue

CASE = Case("toy-latent", "mean", 0.3)


def check_model(name: str) -> None:
    if name not in ("toy-latent", "sd21"):
        raise InvalidValueError(unknown("model", name, ("toy-latent", "sd21")))


def read(text: str) -> Thresholds:
    return parse(text, "thresholds.toml", check_model)


def top1(text: str, case: Case = CASE) -> float | None:
    (found,) = read(text).constraints(case)
    assert found.score == "top1"
    return found.minimum


def error(text: str) -> str:
    with pytest.raises(ThresholdsError) as caught:
        read(text)
    return str(caught.value)


LEVELS = [
    "default",
    "shift.mean",
    'shift.mean."0.3"',
    "model.toy-latent",
    "model.toy-latent.shift.mean",
    'model.toy-latent.shift.mean."0.3"',
]


@pytest.mark.parametrize("count", range(1, len(LEVELS) + 1))
@pytest.mark.parametrize("step", [1, -1])
def test_the_narrowest_table_decides_wherever_it_stands_in_the_file(count, step):
    tables = [f"[{level}]\ntop1 = 0.{digit}" for digit, level in enumerate(LEVELS[:count], 1)]
    assert top1("\n".join(tables[::step])) == count / 10


@pytest.mark.parametrize("level", LEVELS)
def test_every_table_speaks_of_its_cases_alone(level):
    text = f"[{level}]\ntop1 = 0.9"
    if level != "default":
        text += "\n[default]\ntop1 = 0.1"
    assert top1(text) == 0.9
    others = {
        Case("sd21", "mean", 0.3): "model" in level,
        Case("toy-latent", "std", 0.3): "mean" in level,
        Case("toy-latent", "mean", -0.3): "0.3" in level,
        Case("toy-latent", "mean", 0.2): "0.3" in level,
        Case("toy-latent"): "mean" in level,
    }
    for case, outside in others.items():
        assert top1(text, case) == (0.1 if outside else 0.9), case


@pytest.mark.parametrize("prefix", ["", "model.toy-latent."])
@pytest.mark.parametrize("suffix", ["", '."0.3"'])
def test_a_variants_table_is_narrower_than_its_shifts(prefix, suffix):
    wide, narrow, narrowest = (
        f'[{prefix}shift."{shift}"{suffix}]\ntop1 = {bound}\n'
        for shift, bound in (("mean", 0.2), ("mean:channel", 0.3), ("mean:channel=2", 0.4))
    )
    text = narrowest + narrow + wide
    assert top1(text, Case("toy-latent", "mean:exact", 0.3)) == 0.2
    assert top1(text, Case("toy-latent", "mean:channel", 0.3)) == 0.3
    assert top1(text, Case("toy-latent", "mean:channel=1", 0.3)) == 0.3
    assert top1(text, Case("toy-latent", "mean:channel=2", 0.3)) == 0.4
    assert top1(text, CASE) == 0.2


def test_a_shifts_name_may_be_written_in_any_way_that_can_be_read():
    assert top1('[shift."mean:channel=2.0"]\ntop1 = 0.5', Case("toy-latent", "mean:channel=2", 0.3)) == 0.5
    text = '[shift."mean:channel=2.0"]\ntop1 = 0.5\n[shift."mean:channel=2"]\ntop1 = 0.4'
    assert "[shift.mean:channel=2]: two tables for the shift mean:channel=2" in error(text)


@pytest.mark.parametrize("key", ["0.3", "0.30", "+0.3", "3e-1"])
def test_a_magnitude_may_be_written_in_any_way(key):
    assert top1(f'[default]\ntop1 = 0.1\n[shift.mean."{key}"]\ntop1 = 0.5') == 0.5


def test_the_control_has_a_table_of_its_own():
    text = "[default]\ntop1 = 0.1\n[shift.none]\ntop1 = 0.9"
    assert top1(text, CASE.control) == 0.9
    assert top1(text) == 0.1


def test_a_table_decides_about_the_scores_that_it_names_and_about_all_of_their_bounds():
    text = """
        [default]
        clip = 20
        top1 = { min = 0.5, max_drop = 0.1 }
        [shift.mean]
        top1.max_drop = 0.2
        top5 = 0.8
    """
    assert read(text).constraints(CASE) == (
        Constraint("top1", None, 0.2),
        Constraint("top5", 0.8, None),
        Constraint("clip", 20.0, None),
    )


def test_a_bare_number_is_a_minimum():
    assert read("[default]\nclip = 20").constraints(CASE) == read("[default]\nclip.min = 20.0").constraints(CASE)


def test_the_marker_stands_above_every_table_for_the_scores_that_it_names():
    text = "\n".join(f"[{level}]\ntop1 = 0.5\ntop5 = 0.6" for level in LEVELS)
    override = {"top1": Constraint("top1", max_drop=0.05)}
    assert read(text).constraints(CASE, override) == (Constraint("top1", None, 0.05), Constraint("top5", 0.6, None))
    assert read("").constraints(CASE, override) == (Constraint("top1", None, 0.05),)


def test_a_case_without_a_threshold_is_refused_with_the_way_out():
    with pytest.raises(ThresholdsError, match="no threshold for toy-latent-std-") as caught:
        read("[shift.mean]\ntop1 = 0.5").constraints(Case("toy-latent", "std", 0.3))
    message = str(caught.value)
    assert message.startswith("thresholds.toml: no threshold for toy-latent-std-+0.30. ")
    assert "What is not checked has not passed" in message
    assert "[default]" in message
    assert "[shift.std]" in message


def test_the_way_out_leads_out():
    case = Case("toy-latent", "mean:exact", 0.3)
    assert read("[default]\ntop1 = 0.6").constraints(case)
    assert read('[shift."mean:exact"]\ntop1 = 0.6').constraints(case)


def test_the_shipped_file_asks_something_of_every_case(tmp_path):
    found = load(None, tmp_path, catalogue.shipped().find)
    assert found.shipped
    assert "shipped" in found.source
    every = [name for shift in shifts.names() for name in (shift, *(f"{shift}:{v}" for v in shifts.variants(shift)))]
    for case in grid(["toy-latent", "sd21"], every, [-0.3, 0.1, 0.5]):
        assert found.constraints(case)


def test_the_file_in_the_root_folder_comes_before_the_shipped_one(tmp_path):
    (tmp_path / "thresholds.toml").write_text("[default]\ntop1 = 0.25", encoding="utf-8")
    found = load(None, tmp_path, check_model)
    assert not found.shipped
    assert found.source == str(tmp_path / "thresholds.toml")
    assert found.constraints(CASE) == (Constraint("top1", 0.25),)


def test_a_file_that_is_named_comes_before_the_one_in_the_root_folder(tmp_path):
    (tmp_path / "thresholds.toml").write_text("[default]\ntop1 = 0.25", encoding="utf-8")
    (tmp_path / "other.toml").write_text("[default]\ntop1 = 0.75", encoding="utf-8")
    assert load(tmp_path / "other.toml", tmp_path, check_model).constraints(CASE) == (Constraint("top1", 0.75),)


def test_a_named_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(ThresholdsError, match=r"other\.toml: cannot be read: No such file"):
        load(tmp_path / "other.toml", tmp_path, check_model)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    path = tmp_path / "thresholds.toml"
    path.write_bytes(b"[default]\ntop1 = 0.5 # \xff")
    with pytest.raises(ThresholdsError, match=r"thresholds\.toml: cannot be read: .*utf-8"):
        load(None, tmp_path, check_model)
    path.unlink()
    path.mkdir()
    with pytest.raises(ThresholdsError, match=r"thresholds\.toml: cannot be read: Is a directory"):
        load(None, tmp_path, check_model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[default]\ntop1 = = 1", "not valid TOML: Invalid value (at line 2, column 8)"),
        ("[default]\ntop1 = 1\n[default]", "not valid TOML: Cannot declare ('default',) twice (at line 3"),
        (
            "[defualt]",
            "unknown table 'defualt'. Did you mean 'default'? Known: baseline, default, likeness, model, models, "
            "scorers, shift, tag, verdict",
        ),
        ("top1 = 0.6", "unknown table 'top1'"),
        ("default = 0.6", "[default] is 0.6, not a table"),
        ("shift = 0.6", "[shift] is 0.6, not a table"),
        ("shift.mean = 0.6", "[shift.mean] is 0.6, not a table"),
        ('[shift.mean]\n"0.3" = 0.6', "[shift.mean] 0.3 is 0.6, not a table"),
        ("model = 0.6", "[model] is 0.6, not a table"),
        ("model.sd21 = 0.6", "[model.sd21] is 0.6, not a table"),
        ("model.sd21.shift = 0.6", "[model.sd21.shift] is 0.6, not a table"),
        ("[default]\ntpo1 = 0.6", "[default] unknown score 'tpo1'. Did you mean 'top1'? Known: clip, top1, top5"),
        ('[shift.mean."0.3"]\ntop2 = 0.6', "[shift.mean.\"0.3\"] unknown score 'top2'"),
        ("[model.sd21]\ntop2 = 0.6", "[model.sd21] unknown score 'top2'"),
        (
            "[default]\ntop1.mim = 0.6",
            "[default] top1: unknown bound 'mim'. Did you mean 'min'? Known: all_of, any_of, max_drop",
        ),
        ("[default]\ntop1 = {}", "[default] top1: sets no bound; give min, max_drop or both"),
        ("[default]\ntop1 = '0.6'", "[default] top1 = '0.6': give a number or { min = …, max_drop = … }"),
        ("[default]\ntop1 = true", "[default] top1 = True: give a number"),
        ("[default]\ntop1 = [0.6]", "[default] top1 = [0.6]: give a number"),
        ("[default]\ntop1.min = true", "[default] top1: min = True: "),
        ("[default]\ntop1.max_drop = '0.1'", "[default] top1: max_drop = '0.1': "),
        ("[default]\ntop1 = 60", "[default] top1: min = 60 is outside its range, 0 to 1"),
        ("[default]\ntop1 = -0.1", "[default] top1: min = -0.1 is outside its range, 0 to 1"),
        ("[default]\nclip = 51", "[default] clip: min = 51 is outside its range, 0 to 50"),
        ("[default]\ntop5.max_drop = 1.5", "[default] top5: max_drop = 1.5 is outside its range, 0 to 1"),
        ("[default]\ntop1.max_drop = -0.1", "[default] top1: max_drop = -0.1: "),
        ("[default]\ntop1 = nan", "[default] top1: min = nan: "),
        ("[default]\ntop1.max_drop = inf", "[default] top1: max_drop = inf: "),
        ("verdict = 0.9", "[verdict] is 0.9, not a table"),
        ("[verdict]\ncertanty = 0.9", "[verdict]: unknown setting 'certanty'. Did you mean 'certainty'?"),
        ("[verdict]\ncertainty = 0.5", "[verdict] certainty = 0.5: give a number above 0.5 and below 1, such as 0.99"),
        ("[verdict]\ncertainty = 1", "[verdict] certainty = 1: give a number above 0.5 and below 1"),
        ("[verdict]\ncertainty = 99", "[verdict] certainty = 99: give a number above 0.5 and below 1"),
        ("[verdict]\ncertainty = -0.9", "[verdict] certainty = -0.9: give a number above 0.5 and below 1"),
        ("[verdict]\ncertainty = nan", "[verdict] certainty = nan: give a number above 0.5 and below 1"),
        ("[verdict]\ncertainty = inf", "[verdict] certainty = inf: give a number above 0.5 and below 1"),
        ("[verdict]\ncertainty = true", "[verdict] certainty = True: give a number above 0.5 and below 1"),
        ("[verdict]\ncertainty = '0.9'", "[verdict] certainty = '0.9': give a number above 0.5 and below 1"),
        ("[verdict]\ncertainty = [0.9]", "[verdict] certainty = [0.9]: give a number above 0.5 and below 1"),
        pytest.param(
            f"[verdict]\ncertainty = {10**400}",
            "[verdict] certainty = 1",
            id="certainty beyond every float",
        ),
        ("[shift.maen]", "[shift.maen]: unknown shift 'maen'. Did you mean 'mean'?"),
        ('[shift."mean:exct"]', "unknown variant of the mean shift 'exct'. Did you mean 'exact'?"),
        ("[model.sd12]", "[model.sd12]: unknown model 'sd12'. Did you mean 'sd21'?"),
        ("[model.sd21.shift.maen]", "[model.sd21.shift.maen]: unknown shift 'maen'"),
        ("[model.sd21.mean]\ntop1 = 0.6", "[model.sd21] unknown score 'mean'"),
        ('[shift.mean."0.3"]\n[shift.mean."0.30"]', "[shift.mean]: two tables for the magnitude +0.30"),
        ('[model.sd21.shift.std."-1e-1"]\n[model.sd21.shift.std."-0.1"]', "two tables for the magnitude -0.10"),
        ('[shift.mean."nan"]', "[shift.mean] unknown score 'nan'"),
        (
            "[shift.mean.0.3]\ntop1 = 0.6",
            'at the magnitude 0 there is no shift. Put a magnitude in quotes, such as [shift.mean."0.3"]',
        ),
        ('[model.sd21.shift.mean."0"]', "the table of the unshifted case is [model.sd21.shift.none]"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_is_valid(text, message):
    found = error(text)
    assert found.startswith("thresholds.toml: ")
    assert message in found
    assert "\n" not in found


def test_the_ends_of_a_scores_range_are_inside_it():
    text = "[default]\ntop1 = { min = 0, max_drop = 1 }\nclip = { min = 50, max_drop = 0 }"
    assert read(text).constraints(CASE) == (Constraint("top1", 0.0, 1.0), Constraint("clip", 50.0, 0.0))


@pytest.mark.parametrize("text", ["", "[default]\ntop1 = 0.6", "[verdict]"])
def test_verdicts_are_as_certain_as_ever_unless_the_file_says_otherwise(text):
    assert read(text).certainty == CERTAINTY == 0.99


@pytest.mark.parametrize("certainty", [0.51, 0.9, 0.999])
def test_the_file_says_how_certain_verdicts_are(certainty):
    found = read(f"[default]\ntop1 = 0.6\n[verdict]\ncertainty = {certainty}")
    assert found.certainty == certainty
    assert found.constraints(CASE) == (Constraint("top1", 0.6),)


def test_the_shipped_file_leaves_the_certainty_as_it_is(tmp_path):
    assert load(None, tmp_path, catalogue.shipped().find).certainty == CERTAINTY


@given(st.floats() | st.integers())
def test_any_number_is_a_bound_or_an_error(bound):
    if 0 <= bound <= 50:
        assert constraint("clip", bound, "here") == Constraint("clip", bound)
    else:
        with pytest.raises(ThresholdsError, match="here clip: min = "):
            constraint("clip", bound, "here")


def test_a_markers_bounds_are_read_like_the_files():
    assert constraint("top1", {"min": 0.5, "max_drop": None}, "here") == Constraint("top1", 0.5)
    with pytest.raises(ThresholdsError, match="here top1: sets no bound"):
        constraint("top1", {"min": None}, "here")
    with pytest.raises(ThresholdsError, match="here unknown score 'top2'"):
        constraint("top2", 0.5, "here")
    with pytest.raises(ThresholdsError, match="here top1: min = nan"):
        constraint("top1", math.nan, "here")


def test_the_fingerprint_is_of_what_is_asked_and_not_of_how_it_is_written():
    text = '[default]\ntop1 = 0.5\nclip = 20.0\n[shift.mean."0.3"]\ntop1 = 0.3\n[model.sd21]\ntop1 = 0.7\n'
    again = '[model.sd21]\ntop1 = { min = 0.70 }\n[shift.mean."+0.30"]\ntop1 = 0.3\n[default]\nclip = 20\ntop1 = 0.5\n'
    assert read(text).fingerprint == read(again).fingerprint
    others = [text.replace(old, new) for old, new in (("0.7", "0.8"), ('"0.3"', '"0.2"'), ("sd21", "toy-latent"))]
    others += [f"{text}[verdict]\ncertainty = 0.95\n", f"{text}[shift.std]\ntop1 = 0.1\n"]
    assert len({read(each).fingerprint for each in (text, *others)}) == 6
