"""Weights of a folder are read for their hash once a process, and again where they have changed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.runs import EASY, PAGELESS
from pytest_seedshift.core.checkpoints.hashing import fingerprint
from pytest_seedshift.models import catalogue

TOY = catalogue.shipped().find("toy-latent")
OURS = ("--seedshift-model=./mine", *PAGELESS[1:])
ENTRY = '[models."./mine"]\nclasses = "toy16"\nscorers = "toy"\nsteps = 2\n'


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """How often each file was read to be hashed."""
    times: Counter[Path] = Counter()
    native = hashlib.file_digest

    def counted(opened, *arguments, **named):
        times[Path(opened.name)] += 1
        return native(opened, *arguments, **named)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return times


def test_a_session_reads_each_file_of_its_model_once(pytester, run: Callable, hashed: Counter[Path]):
    """Also where they were written a moment ago."""
    pytester.path.joinpath("thresholds.toml").write_text(ENTRY + EASY)
    mine = Path(shutil.copytree(TOY.pipeline[0], pytester.path / "mine"))
    run(*OURS).assert_outcomes(passed=2)
    of_model = {path.resolve().relative_to(mine): times for path, times in hashed.items() if mine in path.parents}
    assert {path.name for path in of_model} >= {"diffusion_pytorch_model.safetensors", "model_index.json"}
    assert set(of_model.values()) == {1}, of_model
    run(*OURS).stdout.fnmatch_lines(["* 0 generated*"])  # the same process, the same files
    assert all(hashed[mine / path] == 1 for path in of_model)


def rewritten(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def rewritten_with_its_old_time(path: Path, content: bytes) -> None:
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_one_of_the_same_time(path: Path, content: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def rewritten_in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


@pytest.mark.parametrize(
    "change",
    [rewritten, rewritten_with_its_old_time, replaced_by_one_of_the_same_time, rewritten_in_place],
    ids=lambda change: change.__name__,
)
def test_a_file_that_changes_is_read_again_at_once(tmp_path, hashed: Counter[Path], change):
    """Also where size and time stay, and where no clock has ticked since: every state has a print of its own."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"%06d" % 0)
    prints = {fingerprint(path)}
    for number in range(1, 30):
        change(path, b"%06d" % number)
        prints.add(fingerprint(path))
        assert fingerprint(path) in prints
    assert len(prints) == 30
    assert hashed[path] == 30


def test_where_times_are_coarse_a_fresh_file_is_read_each_time(tmp_path, hashed: Counter[Path], monkeypatch):
    """Such a file may change and look the same: a file system of whole seconds shows it so."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"1")
    native = Path.stat

    class Coarse:
        def __init__(self, about: os.stat_result) -> None:
            self._about = about

        def __getattr__(self, name: str) -> int:
            value = getattr(self._about, name)
            return value // 10**9 * 10**9 if name in ("st_mtime_ns", "st_ctime_ns") else value

    monkeypatch.setattr(Path, "stat", lambda self, **given: Coarse(native(self, **given)))
    first = fingerprint(path)
    path.write_bytes(b"2")
    assert fingerprint(path) != first
    assert hashed[path] == 2
