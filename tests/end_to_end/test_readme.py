"""Tables and examples of the README and of the documentation's pages are true."""

from __future__ import annotations

import re
import sys

import pytest

from helpers.environments import ROOT
from helpers.pages import PAGES, blocks
from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_project_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", (ROOT / page).read_text())
    for name, anchor in links:
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), name
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_example_of_thresholds_is_valid():
    def read(page: str):
        return thresholds_parser.parse(blocks("toml", f"docs/how-to/{page}.md")[0], page, catalogue.shipped().find)

    assert read("thresholds").models
    assert read("expected-failures").expected(Case("toy-latent", "mean", 0.3)).strict
    assert read("baseline").family
    assert read("baseline").baseline.path


@pytest.mark.slow
def test_the_example_tests_pass(pytester, run):
    pytester.makepyfile(*blocks("python", "docs/how-to/own-tests.md"))
    result = run("--seedshift-model=toy-latent", "-k", "none or std-+0.20 or by_hand", "--strict-markers")
    result.assert_outcomes(passed=3, deselected=3)


@pytest.mark.slow
def test_the_example_of_a_trajectory_passes_where_the_sampler_keeps_its_seed_and_fails_where_it_does_not(pytester, run):
    (example,) = blocks("python", "docs/how-to/trajectories.md")
    pytester.makepyfile(example)
    one = (
        "--seedshift-shift=mean",
        "--seedshift-magnitude=0.3",
        "--seedshift-trajectories=1",
        "-k",
        "test_the_sampler",
    )
    result = run("--seedshift-model=toy-latent,toy-glide", *one)
    result.assert_outcomes(passed=2, failed=2, deselected=4)
    result.stdout.fnmatch_lines(
        ["FAILED *::test_the_sampler*toy-glide-none*", "FAILED *::test_the_sampler*toy-glide-mean*"]
    )


@pytest.mark.parametrize("script", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda script: script.name)
def test_the_benchmarks_load_what_they_need_and_say_what_they_measure(pytester, script):
    result = pytester.run(sys.executable, script, "--help")
    assert result.ret == 0
    if "__main__" in script.read_text():
        result.stdout.fnmatch_lines([f"usage: {script.name}*"])


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "line"),
    [
        ("startup.py", ["--runs", "1"], "cost of the plugin in pytest -n 1*"),
        ("images.py", ["--short"], "*ms an image, scored*"),
        ("floor.py", ["--short"], "run / floor * of the medians"),
        ("naive.py", ["--short"], "naive / early *"),
        ("resume.py", ["--short"], "warm / cold *"),
        ("verdicts.py", ["--short"], "exact / early *"),
        ("breaking.py", ["--short"], "all 1: * images*0 beyond 0.04"),
        ("power.py", ["--short"], "false regressions, * at most *: ok"),
        ("figures.py", ["--short"], "CLIP*s mean, 16 pairs: *holds it in 0.99*"),
        ("regressions.py", ["--short"], "  images * of *"),
        ("sensitivity.py", ["--short"], "toy-latent * later noise * pixel * 0.0000 * 1.000"),
        ("scale.py", ["--short"], "page * ms a case * ms a sample"),
        ("cluster.py", ["--short"], "  pooled * batches of *"),
        ("waiting.py", ["--short"], "waits while scoring * 2.00"),
        ("report.py", ["--short"], "report at a session's end, * s of *"),
    ],
)
def test_the_benchmarks_run_in_a_short_form(pytester, cold, script, arguments, line):
    result = pytester.run(sys.executable, ROOT / "benchmarks" / script, *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines([line])
