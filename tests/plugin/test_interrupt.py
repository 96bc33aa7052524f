"""What is left when a run is stopped from outside."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.runs import EASY, SMALL, samples_of


def made(folder: Path) -> int:
    """How many samples there are; none while the store is being made."""
    if not (folder / "samples.sqlite").exists():
        return 0
    try:
        return len(samples_of(folder))
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
def test_ctrl_c_keeps_what_there_is_and_says_where(pytester, verdicts):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    folder = pytester.path / ".seedshift"
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *SMALL, "--seedshift-batch-size=4"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # What starts this test in the background may have set the signal to be ignored, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while made(folder) < 40:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    kept = samples_of(folder)
    finished = verdicts()
    assert 40 <= len(kept) < 31 * 16
    assert 2 <= len(finished) <= len(kept) / 16
    assert "cases did not run; what was made is kept" in output
    assert ".seedshift/verdicts.json" in output
    assert ".seedshift/samples.sqlite" in output
