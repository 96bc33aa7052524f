"""A baseline saved by one run and held against others: alike, worse, incomplete, and of other things."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from helpers.output_differences import differences
from helpers.runs import ONE, SMALL, cases_of
from helpers.standard_run import NEAR, of_any_environment

GATE = "[default]\ntop1 = { max_regression = 0.1 }\nclip = { max_regression = 2.0 }\n"
WORSE = '\n[models.toy-latent]\npipeline = "{}"\nsteps = 1\nclasses = "toy16"\nscorers = "toy"\n'
SHIFTED = "toy-latent-mean-+0.30"


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    """The folder of a run that has saved its baseline, though its thresholds ask for a regression already."""
    folder = tmp_path_factory.mktemp("old")
    folder.joinpath("thresholds.toml").write_text(GATE)
    command = [sys.executable, "-m", "pytest", *ONE, "--seedshift-save-baseline=base.json", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "baseline: base.json, 2 cases, 32 of 32 pairs, " in done.stdout
    assert "warning" not in done.stdout
    return folder


@pytest.fixture
def gate(pytester, run, old):
    """Run a grid against the baseline, with these thresholds."""

    def start(*arguments, thresholds=GATE, baseline=True):
        pytester.path.joinpath("thresholds.toml").write_text(thresholds)
        return run(*arguments, *([f"--seedshift-baseline={old / 'base.json'}"] if baseline else []))

    return start


def test_the_same_model_at_another_batch_size_has_no_pair_that_differs(pytester, gate, old):
    result = gate(*ONE, "--seedshift-batch-size=5", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["against *base.json: 2 cases on 32 pairs: no pair differs · no regression"])
    record = cases_of(pytester.path / ".seedshift")[SHIFTED]
    top1, clip = record["constraints"]
    assert (top1["kind"], top1["holds"], top1["change"]["lost"], top1["change"]["p"]) == (
        "max_regression",
        True,
        0,
        1.0,
    )
    assert clip["change"]["lost"] == clip["change"]["won"] == 0
    properties = {
        each.get("name"): each.get("value") for each in ElementTree.parse("junit.xml").iterfind(".//property")
    }
    assert properties["seedshift_top1_regression_lost"] == "0"
    page = pytester.path.joinpath(".seedshift/report.html").read_text()
    assert "Against the baseline" in page
    assert "drop against the baseline ≤" in page
    # A run folder is a baseline too, and the same bytes come from either.
    (pytester.path / "copy.json").write_text(pytester.path.joinpath(".seedshift/against.json").read_text())
    assert (pytester.path / "copy.json").read_bytes() == (old / "base.json").read_bytes()


@pytest.fixture
def toy() -> str:
    from importlib.resources import files

    return str(files("pytest_seedshift").joinpath("models", "toys", "toy-latent"))


def test_a_model_that_became_worse_fails_and_says_how_sure_that_is(pytester, gate, old, toy):
    grid = [each for each in ONE if each != "--seedshift-exact"]
    result = gate(*grid, thresholds=GATE + WORSE.format(toy))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "toy-latent is worse than its baseline *: * drop * > * against the baseline (* pairs of * turned *, p *",
            "against *base.json: 2 cases on * pairs: * turned wrong and 0 right (top-1) · * regressions",
            "  toy-latent control * REGRESSION",
        ]
    )
    page = pytester.path.joinpath(".seedshift/report.html").read_text()
    assert "right before and wrong now" in page
    # The finished runs side by side: the same verdict, on a page with the pictures of both.
    command = pytester.run(sys.executable, "-m", "pytest_seedshift", "compare", old / ".seedshift", ".seedshift")
    assert command.ret == 1
    command.stdout.fnmatch_lines(["toy-latent control * → * turned *✗", "against *: * regressions"])
    assert 'aria-label="before: ' in pytester.path.joinpath(".seedshift/comparison.html").read_text()
    pytester.path.joinpath("thresholds.toml").write_text(GATE)  # without a baseline the folder tells of none
    assert json.loads(pytester.path.joinpath(".seedshift/verdicts.json").read_text())["baseline"]["name"] == "base.json"


def test_what_is_wrong_is_found_before_anything_is_generated(pytester, gate, old, toy):
    base = old.joinpath("base.json").read_text()
    pytester.path.joinpath("torn.json").write_text(base[:-50])
    pytester.path.joinpath("edited.json").write_text(base.replace('"1', '"0', 1))
    pytester.path.joinpath("labels.csv").write_text("label,index\nbanana,0\npizza,2\n")
    other = WORSE.format(toy).replace("toy16", str(pytester.path / "labels.csv"))

    def table(name):
        return f'{GATE}[baseline]\npath = "{name}"\n'

    for thresholds, arguments, baseline, says in (
        (GATE, ONE, False, "*max_regression of top1 is set, and no baseline is given: add --seedshift-baseline*"),
        (table("torn.json"), ONE, False, "*?baseline?: torn.json is damaged or cut off*"),
        (table("edited.json"), ONE, False, "*?baseline?: edited.json fails its checksum*"),
        (table("none.json"), ONE, False, "*?baseline?: none.json is not there: make it*"),
        (GATE, (*ONE, "--seedshift-images=32"), True, "*design: 16 pairs in *base.json, 32 in this run*"),
        (GATE + other, ONE, True, "*class list: toy16 (16 labels) in *base.json, *labels.csv (2 labels) in this run*"),
        (
            GATE,
            (*SMALL, "--seedshift-shift=std", "--seedshift-magnitude=0.3"),
            True,
            "*base.json has no case toy-*std*",
        ),
        (
            GATE,
            (*SMALL, "--seedshift-shift=arrangement", "--seedshift-magnitude=0"),
            True,
            f"*does not have: {SHIFTED}.*",
        ),
        (GATE.replace("0.1", "-1"), ONE, True, "*top1: max_regression = -1*"),
        (GATE + "[baseline]\npth = 'x'\n", ONE, True, "*?baseline?: unknown setting 'pth'. Did you mean 'path'?*"),
        (GATE + "[verdict]\nfamily = 1\n", ONE, True, "*?verdict? family = 1: give true, false or *"),
        (
            "[default]\ntop1 = { min = 0.1, significant = false }\n",
            ONE,
            True,
            "*significant belongs to *",
        ),
    ):
        result = gate(*arguments, thresholds=thresholds, baseline=baseline)
        assert result.ret == pytest.ExitCode.USAGE_ERROR, says
        result.stderr.fnmatch_lines([says])
        assert not (pytester.path / ".seedshift/verdicts.json").exists()


def test_saving_never_turns_the_gate_off(pytester, gate, old, toy):
    """A run that saves a baseline is held against the one that the thresholds name, and puts no worse one there."""
    base = pytester.path / "base.json"
    base.write_bytes(before := (old / "base.json").read_bytes())
    named = f'{GATE}[baseline]\npath = "base.json"\n'
    grid = [each for each in ONE if each != "--seedshift-exact"]
    worse = named + WORSE.format(toy)

    elsewhere = gate(*ONE, "--seedshift-save-baseline=new.json", thresholds=worse, baseline=False)
    assert elsewhere.ret == pytest.ExitCode.TESTS_FAILED
    elsewhere.stdout.fnmatch_lines(
        ["against base.json: 2 cases on * regressions", "*REGRESSION*", "baseline: new.json, *"]
    )
    assert (pytester.path / "new.json").exists()

    for arguments, thresholds, says in (
        (ONE, worse, "ERROR: could not save the baseline: base.json is left as it is: this run is worse*another path*"),
        ((*ONE, "-k", "none"), named, f"ERROR: *base.json is left as it is: *lacks cases that it has: {SHIFTED}. *"),
        (grid, named, "ERROR: *base.json is left as it is: it has whole designs, *make it with --seedshift-exact.*"),
    ):
        result = gate(*arguments, "--seedshift-save-baseline=./base.json", thresholds=thresholds, baseline=False)
        assert result.ret == pytest.ExitCode.TESTS_FAILED, says
        result.stdout.fnmatch_lines(["seedshift: compared with base.json, which is replaced if nothing is worse"])
        result.stdout.fnmatch_lines(["against base.json: *", says])
        assert base.read_bytes() == before

    base.write_bytes(before[:-50])
    torn = gate(*ONE, "--seedshift-save-baseline=base.json", thresholds=named, baseline=False)
    assert torn.ret == pytest.ExitCode.USAGE_ERROR
    torn.stderr.fnmatch_lines(
        ["*base.json is damaged or cut off*. To make another in its place, remove that file first"]
    )

    base.unlink()
    lacking = gate(*ONE, "--seedshift-save-baseline=new.json", thresholds=named, baseline=False)
    assert lacking.ret == pytest.ExitCode.USAGE_ERROR
    lacking.stderr.fnmatch_lines(["*base.json is not there: make it *"])

    first = gate(*ONE, "--seedshift-save-baseline=base.json", thresholds=named, baseline=False)
    assert first.ret == pytest.ExitCode.OK
    first.stdout.fnmatch_lines(
        ["seedshift: base.json is not there yet: this run has no baseline to compare with, and writes it"]
    )
    first.stdout.fnmatch_lines(
        [
            "baseline: base.json, 2 cases, *",
            "  no baseline to compare with: no max_regression, no within and no likeness was judged",
        ]
    )
    one, other = ({"base.json": of_any_environment(each.decode())} for each in (before, base.read_bytes()))
    assert differences(one, other, NEAR) == []  # in batches of other sizes some processors have other last digits

    again = gate(*ONE, "--seedshift-save-baseline=base.json", thresholds=named, baseline=False)
    assert again.ret == pytest.ExitCode.OK
    again.stdout.fnmatch_lines(
        ["against base.json: * no regression", "baseline: base.json, 2 cases, 32 of 32 pairs, *"]
    )


def test_cases_on_one_side_are_compared_where_that_is_allowed(pytester, gate, old):
    wider = (*SMALL, "--seedshift-shift=mean,std", "--seedshift-magnitude=0.3", "--seedshift-allow-missing")
    result = gate(*wider, "-k", "none or std", thresholds=GATE + "[verdict]\nfamily = true\n")
    result.assert_outcomes(passed=2, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "against *base.json: 1 case on 16 pairs: no pair differs*",
            "  not in the baseline, so not compared: toy-latent-std-+0.30",
            f"  only in the baseline: {SHIFTED}",
        ]
    )
    compare = (sys.executable, "-m", "pytest_seedshift", "compare", old / "base.json", ".seedshift")
    refused = pytester.run(*compare)
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(
        ["*error: *base.json lacks toy-latent-std-+0.30, which * has: compare what both have with *"]
    )
    assert pytester.run(*compare, "--allow-missing").ret == 0


def test_the_command_says_in_words_what_it_cannot_compare(pytester, old):
    pytester.mkdir("empty")
    run_folder = old / ".seedshift"
    for arguments, says in (
        (["empty", run_folder], "*compare: error: *empty holds no run that can be read*"),
        ([old / "none.json", run_folder], "*compare: error: *none.json is not there*"),
        ([run_folder, old / "base.json"], "*compare: error: *base.json is not a folder*"),
        ([run_folder, run_folder, "--model", "x"], "*compare: error: --model x: give a name*"),
    ):
        result = pytester.run(sys.executable, "-m", "pytest_seedshift", "compare", *arguments)
        assert result.ret == 4
        result.stderr.fnmatch_lines([says])
        result.stderr.no_fnmatch_line("Traceback*")
    same = pytester.run(
        sys.executable, "-m", "pytest_seedshift", "compare", old / "base.json", run_folder, "--output", "page.html"
    )
    assert same.ret == 0
    same.stdout.fnmatch_lines(["against *base.json: 2 cases on 32 pairs: no pair differs · no regression", "page.html"])
