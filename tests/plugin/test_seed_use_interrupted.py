"""Bounds on the use of the seed vector in sessions that end before their time: what was measured stands, no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.runs import PAGELESS
from pytest_seedshift.__main__ import main

BOUND = "[default]\ntop1 = 0.0\nmin_sensitivity = 0.3\n"
STOP = """
import os, signal
import pytest

def pytest_runtest_logreport(report):
    at, how = os.environ["STOP_AT"], os.environ["STOP_BY"]
    if report.when == "call" and at in report.nodeid:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "interrupt":
            pytest.exit("as Ctrl-C does")
"""


@pytest.fixture
def stopped(pytester, run, monkeypatch):
    pytester.path.joinpath("thresholds.toml").write_text(BOUND)
    pytester.makepyfile(stopper=STOP)  # a conftest hears nothing of items that are not below it
    pytester.syspathinsert()

    def session(at: str, *arguments: str, how: str = "interrupt") -> pytest.RunResult:
        monkeypatch.setenv("STOP_AT", at)
        monkeypatch.setenv("STOP_BY", how)
        return run("-p", "stopper", *PAGELESS, *arguments)

    return session


def uses(folder: str = ".seedshift") -> list[dict]:
    return json.loads(Path(folder, "verdicts.json").read_text())["seed_use"]


def test_what_was_measured_before_the_end_is_judged_and_what_was_not_claims_nothing(stopped, capsys):
    early = stopped("mean")  # after the last case, before it is measured
    assert early.ret == pytest.ExitCode.INTERRUPTED
    early.stdout.fnmatch_lines(["*min_sensitivity is set, and it was not measured: the run was cut short*"])
    (use,) = uses()
    assert (use["holds"], use.keys() & {"measured", "low", "high", "elsewhere"}) == (None, set())
    said = "its use of the seed vector was not judged, which min_sensitivity asks for"
    assert main(["report", ".seedshift", "--summary", "summary.md"]) == 0
    for page in (".seedshift/report.html", "summary.md"):
        assert said in Path(page).read_text()
        assert "does not meet" not in Path(page).read_text()
    assert main(["card", ".seedshift", "--output", "card.md"]) == 0
    assert said in Path("card.md").read_text()
    capsys.readouterr()
    assert main(["merge", ".seedshift", "--output", "merged"]) == 1  # both cases pass, and that is not all
    assert "min_sensitivity is set, and it was not measured" in capsys.readouterr().out
    assert [each["holds"] for each in uses("merged")] == [None]

    whole = stopped("mean", how="nothing")
    whole.assert_outcomes(passed=2)
    (judged,) = uses()
    assert judged["holds"] is True
    assert stopped("toy-latent", "--seedshift-shift=std").ret == pytest.ExitCode.INTERRUPTED  # after the control
    assert uses() == [judged]  # by what the folder has
    assert main(["merge", ".seedshift", "--output", "merged"]) == 1  # for the case without a verdict
    assert uses("merged") == [judged]
    assert "not measured" not in capsys.readouterr().out


def test_a_shard_that_ends_before_it_measures_its_model_does_not_leave_that_to_another(stopped, capsys):
    ours, other = (f"--seedshift-shard={number}/2" for number in (2, 1))  # the second has the control
    ended = stopped("toy-latent", ours, "--seedshift-dir=ours")
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    ended.stdout.fnmatch_lines(["*min_sensitivity is set, and it was not measured: the run was cut short*"])
    assert stopped("toy-latent", other, "--seedshift-dir=other", how="nothing").ret == 0
    assert [uses(folder)[0].get("elsewhere", False) for folder in ("ours", "other")] == [False, True]
    capsys.readouterr()
    assert main(["merge", "ours", "other", "--output", "merged"]) == 1  # of all cases, which pass
    out = capsys.readouterr().out
    assert "min_sensitivity is set, and it was not measured" in out
    assert "no verdict about" not in out


@pytest.mark.nightly
@pytest.mark.usefixtures("stopped")
def test_a_killed_session_has_no_verdict_and_no_claim(pytester):
    env = {**os.environ, "STOP_AT": "mean", "STOP_BY": "kill", "PYTHONPATH": str(pytester.path)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "stopper", *PAGELESS]
    assert subprocess.run(command, env=env, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert not Path(".seedshift/verdicts.json").exists()
    assert main(["report", ".seedshift"]) == 0
    page = Path(".seedshift/report.html").read_text()
    assert "min_sensitivity" not in page
    assert "the run was interrupted" in page
    assert main(["merge", ".seedshift", "--output", "merged"]) != 0
