"""Another draw of the design: where it can be asked for, that nothing of two draws is mixed, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from helpers.runs import EASY, PAGELESS, cases_of, samples_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.results import baseline_sources
from pytest_seedshift.results import run as runs

SHIFTED = "toy-latent-mean-+0.30"
MARKED = """
import pytest

@pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.3, {})
def test_mine():
    pass
"""


def seeds(folder: Path) -> set[int]:
    document = json.loads((folder / "verdicts.json").read_text())
    assert {each.get("design_seed", 0) for each in document["cases"]} == {
        each.get("design_seed", 0) for each in document["grid"]
    }
    return {each.get("design_seed", 0) for each in document["grid"]}


@pytest.fixture
def draw(pytester, run):
    """Run with a design seed that an option names, or not; the folder that it leaves."""

    def start(seed: int | None, *arguments: str, folder: str = ".seedshift", name: str = "") -> Path:
        given = [] if seed is None else [f"--seedshift-design-seed={seed}"]
        result = run(*PAGELESS, *given, f"--seedshift-dir={folder}", *arguments)
        assert result.ret == pytest.ExitCode.OK, result.stdout.str() + result.stderr.str()
        if name:
            shutil.copytree(pytester.path / folder, pytester.path / name)
        return pytester.path / (name or folder)

    return start


def test_two_draws_in_one_run_folder_share_nothing_and_each_is_found_again(pytester, draw, capsys):
    usual = draw(None, name="usual")
    other = draw(7, "--seedshift-save-baseline=seven.json", name="other")
    assert (seeds(usual), seeds(other)) == ({0}, {7})
    assert json.loads((other / "run.json").read_text())["runs"][0]["design_seeds"] == [7]
    assert "design_seed" not in (usual / "verdicts.json").read_text()
    assert {each["seed"] // 1_000_000 for each in samples_of(other)} == {0, 7}
    one, two = cases_of(usual)[SHIFTED], cases_of(other)[SHIFTED]
    assert two["generated"] == 16
    assert one["scores"] != two["scores"]
    # Each run is read with its own samples, though the store of the second has those of both.
    for folder, seed in ((usual, 0), (other, 7)):
        (case,) = (each for each in runs.load(folder).cases if each.id == SHIFTED)
        assert case.complete
        assert {sample.seed // 1_000_000 for sample in case.samples} == {seed}
        assert len(case.control) == 16
        assert baseline_sources.load(folder).designs[cases_design(folder)].seed == seed
    # Back at the first, byte for byte, and nothing is made.
    again = draw(0)
    assert (again / "verdicts.json").read_bytes() == (usual / "verdicts.json").read_bytes()
    assert cases_of(again)[SHIFTED]["generated"] == 0
    # What is of two draws is not compared and not merged.
    capsys.readouterr()
    for command, old, new in ((["usual", "other"], 0, 7), (["seven.json", "usual"], 7, 0)):
        assert main(["compare", *command]) != 0
        said = "".join(capsys.readouterr())
        assert f"design seed: {old} in {command[0]}, {new} in {command[1]}" in said
    assert main(["merge", "usual", "other", "--output", "merged"]) == 4
    said = "".join(capsys.readouterr())
    assert "--seedshift-design-seed: 0 in usual, 7 in other" in said


def cases_design(folder: Path) -> str:
    return json.loads((folder / "verdicts.json").read_text())["grid"][0]["design"]


def test_a_baseline_of_another_draw_is_refused_before_anything_is_generated(pytester, draw, run):
    draw(3, "--seedshift-save-baseline=three.json", folder="three")
    text = json.loads((pytester.path / "three.json").read_text())
    assert [each["design_seed"] for each in text["designs"].values()] == [3]
    (pytester.path / "thresholds.toml").write_text("[default]\ntop1 = { max_regression = 0.1 }\n")
    result = run(*PAGELESS, "--seedshift-baseline=three.json", "--seedshift-dir=zero")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "design seed: 3 in three.json, 0 in this run" in result.stderr.str()
    same = run(*PAGELESS, "--seedshift-baseline=three.json", "--seedshift-design-seed=3", "--seedshift-dir=three")
    same.assert_outcomes(passed=2)
    same.stdout.fnmatch_lines(["*no pair differs*"])


def test_marker_stands_above_option_above_ini_above_thresholds(pytester, run):
    (pytester.path / "thresholds.toml").write_text(f"{EASY}[verdict]\ndesign_seed = 1\n")
    only = (*PAGELESS, "-k", "none")
    run(*only).assert_outcomes(passed=1)
    assert seeds(pytester.path / ".seedshift") == {1}
    (pytester.path / "pytest.ini").write_text("[pytest]\nseedshift_design_seed = 2\n")
    run(*only).stdout.fnmatch_lines(["seedshift: the design is that of seed 2*"])
    assert seeds(pytester.path / ".seedshift") == {2}
    run(*only, "--seedshift-design-seed=0").assert_outcomes(passed=1)
    assert seeds(pytester.path / ".seedshift") == {0}
    pytester.makepyfile(MARKED.format("design_seed=4"))
    run(*PAGELESS, "--seedshift-design-seed=3", "-k", "mine").assert_outcomes(passed=2)
    assert seeds(pytester.path / ".seedshift") == {4}


@pytest.mark.parametrize(
    ("option", "marker", "thresholds", "says"),
    [
        ("-1", "", "", "--seedshift-design-seed=-1: give a whole number from 0 to 4294967295"),
        (str(2**32), "", "", "give a whole number from 0 to 4294967295"),
        ("a", "", "", "--seedshift-design-seed: invalid int value: 'a'"),
        ("", "design_seed=-1", "", "design_seed=-1: give a whole number from 0"),
        ("", "design_seed=True", "", "design_seed=True: give a whole number"),
        ("", "design_seed='3'", "", "design_seed='3': give a whole number"),
        ("", "design_seeds=3", "", "Did you mean 'design_seed'"),
        ("", "", "design_seed = -1", "[verdict] design_seed = -1: give a whole number from 0"),
        ("", "", "design_seed = true", "[verdict] design_seed = True: give a whole number from 0"),
        ("", "", "design_seed = 1.0", "[verdict] design_seed = 1.0: give a whole number from 0"),
        ("", "", "desing_seed = 1", "Did you mean 'design_seed'"),
    ],
)
def test_a_seed_that_is_none_is_refused_before_anything_is_generated(pytester, run, option, marker, thresholds, says):
    if marker:
        pytester.makepyfile(MARKED.format(marker))
    if thresholds:
        (pytester.path / "thresholds.toml").write_text(f"{EASY}[verdict]\n{thresholds}\n")
    result = run(*PAGELESS, *([f"--seedshift-design-seed={option}"] if option else []))
    told = result.stdout.str() + result.stderr.str()
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED), told
    assert says in told
    assert not (pytester.path / ".seedshift" / "samples.sqlite").exists()


def test_commands_refuse_a_seed_that_is_none(pytester, capsys):
    assert main(["position", "toy-latent", "--design-seed", "-1"]) == 4
    assert "design-seed=-1: give a whole number from 0 to 4294967295" in "".join(capsys.readouterr())
