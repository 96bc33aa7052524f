"""Run folders, baselines and thresholds that somebody has changed: no traceback, no hang, no secret, little memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from helpers import fuzzing
from helpers.runs import ONE
from pytest_seedshift.core.stats import seed_shares
from pytest_seedshift.results import sensitivity_files
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies import noise_floor

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

DAILY, NIGHTLY, AT_ONCE = 20, 600, 100


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("base") / "base"


@pytest.fixture
def base(pytester, run, kept) -> Path:
    """A folder with a real run that has all that one can have, its baseline, and the same run once more."""
    if not kept.exists():
        saved = run(*ONE, "--seedshift-save-baseline=baseline.json", "--seedshift-dir=run")
        assert saved.ret == pytest.ExitCode.OK
        options = ("--seedshift-trajectories=1", "--seedshift-null", "--seedshift-dir=run", "-o", "junit_family=xunit2")
        assert run(*ONE, *options, "--seedshift-baseline=baseline.json").ret in (0, 1)
        kept.mkdir()
        shutil.copytree(pytester.path / "run", kept / "run")
        complete(RunFolder(kept / "run"))
        shutil.copytree(kept / "run", kept / "sound")
        for name in ("baseline.json", "thresholds.toml"):
            shutil.copyfile(pytester.path / name, kept / name)
        (kept / "secret").write_text(fuzzing.SECRET)
        (kept / "README.md").write_text("# A model\n")
    return kept


def complete(folder: RunFolder) -> None:
    """Add what takes long to measure."""
    document = folder.read_document()
    fingerprint = document["models"]["toy-latent"]["fingerprint"]
    distances = seed_shares.Distances((0.2, 0.22), (0.1, 0.12), (0.25, 0.3))
    found = seed_shares.Sensitivity("toy-latent", dict.fromkeys(seed_shares.KINDS, distances), 48, 1.5)
    sensitivity_files.SeedUse("toy-latent", fingerprint, "clip", "design", found).write(folder)
    change = noise_floor.Change(0.1, 0.01, 1, 0.001)
    scores = dict.fromkeys(("top1", "top5", "clip"), change)
    arms = (noise_floor.Arm("batch size 1", scores),)
    noise_floor.write(folder, fingerprint, noise_floor.Noise("toy-latent", ("a", "b"), 16, "float32", arms, ()))


def attacked(base: Path, into: Path, first: int, count: int, commands: int) -> dict[str, Any]:
    """What came of changed files, in a process whose memory can be told from that of the tests."""
    command = [sys.executable, fuzzing.__file__, str(base), str(into), *map(str, (first, count, commands))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    outcome: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert outcome["problems"] == []
    assert outcome["files"] == count
    assert outcome["longest"] < fuzzing.LONGEST
    assert outcome["memory"] < fuzzing.MOST_MEMORY
    return outcome


def test_a_changed_file_is_told_in_a_sentence_and_nothing_hangs(base, tmp_path):
    for pattern in fuzzing.BY_PATTERN:
        assert list(base.glob(pattern)) or list((base / "run").glob(pattern)), pattern
    assert {"0", "4"} <= attacked(base, tmp_path, 0, DAILY, 2)["statuses"].keys()


def test_what_raises_or_hangs_is_noticed(base, tmp_path, monkeypatch):
    def raises(arguments: list[str]) -> int:
        raise KeyError(arguments[0])

    def hangs(arguments: list[str]) -> int:
        while True:
            try:
                time.sleep(1)
            except Exception:
                return 4

    def tells(arguments: list[str]) -> int:
        print(f"run: {fuzzing.SECRET}")
        return 4

    monkeypatch.setattr(fuzzing._call, "__defaults__", (0.1, 0.1))
    for number, (main, words) in enumerate([(raises, "KeyError"), (hangs, "hangs"), (tells, "tells a secret")]):
        monkeypatch.setattr(fuzzing, "main", main)
        outcome = fuzzing.Outcome()
        fuzzing.attack(base, tmp_path / str(number), 0, outcome, 1)
        assert any(words in problem for problem in outcome.problems)


@pytest.mark.nightly
def test_hundreds_of_changed_files(base, tmp_path):
    for first in range(1000, 1000 + NIGHTLY, AT_ONCE):
        attacked(base, tmp_path, first, AT_ONCE, len(fuzzing.COMMANDS))
