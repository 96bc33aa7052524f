"""One command to a verdict: what a user runs in an empty folder, and what it leaves there."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from helpers.runs import IMPOSSIBLE, PAGELESS, SMALL, samples_of

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")


def test_an_empty_folder_gets_the_built_in_suite(pytester, run, verdicts):
    result = run(*PAGELESS)
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "seedshift: 2 cases of toy-latent on cpu (float32), 32 images, certainty 0.99",
            "seedshift: about * to generate * images (toy-latent * ms an image)",
            "seedshift: thresholds from thresholds.toml, samples and pictures to .seedshift",
            "*1/2 toy-latent control*top-1*pass  16 images  about * left",
            "*2/2 toy-latent mean +0.30*top-1*pass  16 images",
            "toy-latent*",
            "  control  *",
            "  mean  *",
            "2 cases: 2 pass, 0 fail · 32 of 32 images looked at, * generated in *",
        ]
    )
    assert set(verdicts()) == {"toy-latent-none-+0.00", "toy-latent-mean-+0.30"}


def test_a_case_that_fails_ends_with_status_1_and_says_why_without_a_traceback(pytester, run, verdicts):
    pytester.path.joinpath("thresholds.toml").write_text(f"{IMPOSSIBLE}[shift.none]\nclip = 0.0\n")
    result = run(*PAGELESS)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "mean shift +0.30 breaks toy-latent: CLIP * < 50.0 (16 images*)",
            "    99 % interval of the model's own mean *",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*workbench.py*")
    found = verdicts()
    assert found["toy-latent-none-+0.00"]["verdict"] == "pass"
    assert found["toy-latent-mean-+0.30"]["verdict"] == "fail"
    assert "breaks toy-latent" in found["toy-latent-mean-+0.30"]["reason"]


def test_verdicts_json_keeps_its_public_format(run, verdicts):
    run(*PAGELESS)
    case = verdicts()["toy-latent-mean-+0.30"]
    expected = {"model": "toy-latent", "shift": "mean", "magnitude": 0.3, "verdict": "pass", "images": 16, "design": 16}
    assert {key: case[key] for key in expected} == expected
    assert case["seconds"] > 0
    for name, top in (("top1", 1), ("top5", 1), ("clip", 100)):
        score = case["scores"][name]
        assert 0 <= score["low"] <= score["mean"] <= score["high"] <= top
    control = verdicts()["toy-latent-none-+0.00"]
    assert (control["shift"], control["magnitude"]) == ("none", 0.0)


def test_every_sample_is_in_the_store_and_the_means_are_the_samples_means(pytester, run, verdicts):
    run(*PAGELESS)
    samples = samples_of(pytester.path / ".seedshift")
    shifted = [sample for sample in samples if sample["shift"] == "mean"]
    assert len(samples) == 32
    assert len({(sample["label"], sample["seed"]) for sample in shifted}) == 16
    mean = sum(sample["scores"]["clip"] for sample in shifted) / 16
    assert verdicts()["toy-latent-mean-+0.30"]["scores"]["clip"]["mean"] == pytest.approx(mean)
    kept = [sample["picture"] for sample in shifted if sample["picture"]]
    assert len(kept) >= 8
    assert all((pytester.path / ".seedshift" / picture).read_bytes().startswith(b"\x89PNG") for picture in kept)


def test_junit_gets_the_figures_as_properties(pytester, run):
    run(*PAGELESS, "--junitxml=junit.xml")
    tree = ElementTree.parse(pytester.path / "junit.xml")
    case = tree.find(".//testcase[@name='test_reliability[toy-latent-mean-+0.30]']")
    assert case is not None
    properties = {each.get("name"): each.get("value") for each in case.iterfind("properties/property")}
    assert properties["seedshift_verdict"] == "pass"
    assert float(properties["seedshift_top1"]) <= float(properties["seedshift_top5"])
    assert properties["seedshift_magnitude"] == "0.3"


def test_the_default_grid_has_31_cases_in_one_order(run):
    result = run(*SMALL, "--collect-only", "-q")
    ids = [line for line in result.outlines if "::" in line]
    assert len(ids) == 31
    assert ids[0] == "seedshift::test_reliability[toy-latent-none-+0.00]"
    assert ids[1] == "seedshift::test_reliability[toy-latent-random--0.30]"
    assert ids[-1] == "seedshift::test_reliability[toy-latent-arrangement-+0.30]"


def test_a_drop_against_the_control_is_measured_on_the_same_pairs(pytester, run, verdicts):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\nclip = { max_drop = 50 }\n")
    run(*PAGELESS)
    found = verdicts()
    (drop,) = found["toy-latent-mean-+0.30"]["constraints"]
    scores = [found[name]["scores"]["clip"]["mean"] for name in ("toy-latent-none-+0.00", "toy-latent-mean-+0.30")]
    assert drop["kind"] == "max_drop"
    assert drop["measured"] == pytest.approx(scores[0] - scores[1])
    assert found["toy-latent-none-+0.00"]["constraints"][0]["measured"] == 0


def test_a_drop_needs_no_control_among_the_selected_cases(pytester, run, verdicts):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\nclip = { max_drop = 50 }\n")
    result = run(*PAGELESS, "-k", "mean")
    result.assert_outcomes(passed=1, deselected=1)
    assert list(verdicts()) == ["toy-latent-mean-+0.30"]


@pytest.mark.parametrize("verbosity", ["-q", "-v", "-vv"])
def test_quiet_and_verbose_runs_tell_their_verdicts_too(run, verbosity):
    result = run(*PAGELESS, verbosity)
    result.assert_outcomes(passed=2)
    if verbosity == "-q":
        result.stdout.no_fnmatch_line("seedshift: * cases of *")
    else:
        result.stdout.fnmatch_lines(["seedshift::test_reliability?toy-latent-mean-+0.30? PASSED top-1 *"])


def test_two_models_run_one_after_the_other(pytester, run, verdicts):
    import shutil
    from importlib.resources import files

    # A folder is a model too. Its classes and scorers would be the real ones, so only the plan is looked at.
    shutil.copytree(str(files("pytest_seedshift") / "models/toys/toy-latent"), pytester.path / "mine")
    result = run("--seedshift-model=toy-latent,./mine", "--seedshift-model=toy-latent", "--co", "-q")
    models = [line.partition("[")[2].partition("-none")[0] for line in result.outlines if "-none-" in line]
    assert models == ["toy-latent", "./mine"]
