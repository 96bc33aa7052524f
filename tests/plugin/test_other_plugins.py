"""Plugins that run items again, or elsewhere."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from helpers.runs import ONE

AGAIN = '''
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Run what fails once more; the first attempt has an outcome that pytest does not know."""
    for attempt in (1, 2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        again = attempt == 1 and any(report.failed for report in reports)
        for report in reports:
            if again and report.failed:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if not again:
            return True

def pytest_report_teststatus(report):
    return ("rerun", "R", ("RERUN", {"yellow": True})) if report.outcome == "rerun" else None
'''


@pytest.mark.parametrize("more", [[], ["-v"], ["-q"], ["--seedshift-breaking-point", "-k", "none or breaking-+"]])
def test_an_attempt_that_is_run_again_leaves_the_last_ones_record_alone(pytester, run, more):
    pytester.makeconftest(AGAIN)
    pytester.path.joinpath("thresholds.toml").write_text("[default]\nclip = 50.0\nmin_breaking_point = 1.0\n")
    result = run(*ONE, *more, "--junitxml=junit.xml", "--html=page.html")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*2 failed*2 rerun*"])
    document = json.loads((pytester.path / ".seedshift/verdicts.json").read_text())
    records = [*document["cases"], *document.get("breaking", ())]
    assert [record["verdict"] for record in records] == ["fail", "fail"]
    costs = json.loads((pytester.path / ".seedshift/costs.json").read_text())
    assert "16" in json.dumps(costs)  # made by the attempt that does not count, and paid for all the same
    for case in ET.parse(pytester.path / "junit.xml").iter("testcase"):
        names = [each.get("name") for each in case.iter("property")]
        assert len(names) == len(set(names)) > 3


FORKED = """
def pytest_addoption(parser):
    parser.addoption("--forked", action="store_true", default=False)

def pytest_configure(config):
    config.addinivalue_line("markers", "forked: as pytest-forked has it")
"""


@pytest.mark.parametrize(
    ("arguments", "marks", "says"),
    [
        (["--forked"], "", "--forked: pytest-forked runs each test in a fork *"),
        ([], "@pytest.mark.forked", "test_it.py::test_it?toy-latent-*?: @pytest.mark.forked: pytest-forked runs *"),
    ],
)
def test_a_case_is_not_run_in_a_fork(pytester, run, arguments, marks, says):
    pytester.makeconftest(FORKED)
    pytester.makepyfile(test_it=f"import pytest\n\n@pytest.mark.reliability\n{marks}\ndef test_it():\n    pass\n")
    result = run(*ONE, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {says}"])
    assert not (pytester.path / ".seedshift").exists()


def test_tests_that_judge_no_case_may_run_in_forks(pytester, run):
    pytester.makeconftest(FORKED)
    pytester.makepyfile(test_it="def test_it():\n    pass\n")
    assert run("--forked").ret == pytest.ExitCode.OK
