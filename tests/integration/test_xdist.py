"""Cases over the workers of pytest-xdist."""

from __future__ import annotations

import json

import pytest
from runs import EASY, SMALL, samples_of


@pytest.mark.slow
def test_two_workers_share_the_cases_and_report_as_one(pytester, verdicts, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pytester.path.joinpath("thresholds.toml").write_text(f"{EASY}[shift.std]\nclip = 50.0\n")
    arguments = (*SMALL, "--seedshift-shift=mean,std", "--seedshift-magnitude=0.3,-0.3")
    result = pytester.runpytest_subprocess(*arguments, "-n2", "--html=report.html", "--self-contained-html")
    result.assert_outcomes(passed=3, failed=2)
    found = verdicts()
    assert len(found) == 5
    assert [found[f"toy-latent-std-{magnitude}"]["verdict"] for magnitude in ("-0.30", "+0.30")] == ["fail", "fail"]
    result.stdout.fnmatch_lines(["toy-latent *", "  std  *", "5 cases: 3 pass, 2 fail*"])
    result.stdout.fnmatch_lines(["seedshift: 5 cases of toy-latent on cpu (float32), 80 images, certainty 0.99"])
    samples = samples_of(pytester.path / ".seedshift")
    assert len({(sample["shift"], sample["magnitude"]) for sample in samples}) == 5
    assert len(samples) == 80 == sum(case["generated"] for case in found.values())
    assert "toy-latent fails 2 of 5 cases" in (pytester.path / "report.html").read_text()
    page = (pytester.path / ".seedshift/report.html").read_text()
    assert "toy-latent fails 2 of 4: breaks under std at every magnitude" in page
    (facts,) = json.loads((pytester.path / ".seedshift/run.json").read_text())["runs"]
    assert facts["workers"] == 2
    assert facts["models"][0]["hardware"].startswith("cpu")
    assert len(facts["models"][0]["classes"]) == 16


@pytest.mark.slow
def test_mistakes_are_told_before_the_workers_start(pytester):
    result = pytester.runpytest_subprocess(*SMALL, "-n2", "--seedshift-images=3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: 3 images are fewer than the 16 classes*"])


@pytest.mark.slow
def test_a_mistake_that_only_the_workers_see_is_an_error_in_words(pytester, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pytester.path.joinpath("thresholds.toml").write_text("[shift.mean]\ntop1 = 0.0\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models="toy-latnt")
        def test_misspelt():
            pass

        @pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.1, images=16)
        def test_without_a_threshold_for_the_control():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-n2")
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        ["unknown model 'toy-latnt'. Did you mean 'toy-latent'?*", "*no threshold for toy-latent-none-+0.00.*"]
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*During handling*")
