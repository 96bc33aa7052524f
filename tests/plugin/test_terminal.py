"""On a real terminal a case that is in work shows how far it has come."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from helpers.runs import EASY, ONE
from pytest_seedshift.plugin import live


def on_a_terminal(folder, *arguments) -> str:
    """Run pytest with a pseudo-terminal as its output, and give what it wrote."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "80"}
    command = [sys.executable, "-m", "pytest", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other side has closed
                break
            if not chunk:
                break
            written += chunk
        assert process.wait() == pytest.ExitCode.OK
    os.close(ours)
    return written.decode()


@pytest.mark.slow
def test_the_case_in_work_counts_its_images_and_its_line_replaces_them(pytester):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    written = on_a_terminal(pytester.path, *ONE, "--seedshift-batch-size=8")
    first, second = (
        written.index("toy-latent mean +0.30: 0 of 16 images"),
        written.index("toy-latent mean +0.30: 8 of 16 images · top-1 "),
    )
    line = written.index("2/2 toy-latent mean +0.30")
    assert written.index("1/2 toy-latent control") < first < second < line
    assert "\r\x1b[K" in written[second:line]
    cases = [re.sub(r"\x1b\[\w*", "", each) for each in re.split(r"[\r\n]+", written) if "/2 toy-latent" in each]
    assert len(cases) == 2
    assert all("pass" in each and len(each) <= 80 for each in cases), "a line wraps"


@pytest.mark.nightly
def test_quiet_runs_do_not_count(pytester):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    assert "of 16 images" not in on_a_terminal(pytester.path, *ONE, "-q")


def test_a_log_gets_a_line_now_and_then(pytester, run, monkeypatch):
    monkeypatch.setattr(live, "_LOG_EVERY", 0.0)
    result = run(*ONE, "--seedshift-batch-size=4", "-k", "mean")
    result.stdout.fnmatch_lines(["  about * left · toy-latent mean +0.30: 8 of 16 images · top-1 * · *images/s"])
    result.stdout.no_fnmatch_line("*: 0 of 16 images*images/s")  # what the plan has made for its pace has no time here
    result.stdout.no_fnmatch_line("*\x1b*")


@pytest.mark.slow
def test_under_xdist_one_line_tells_of_all_workers(pytester):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    written = on_a_terminal(pytester.path, *ONE, "-n2", "--seedshift-batch-size=4")
    assert "seedshift: 2 cases of toy-latent on cpu (float32), 32 images, certainty 0.99" in written
    assert " of 2 cases · " in written
    assert "in work: toy-latent " in written
