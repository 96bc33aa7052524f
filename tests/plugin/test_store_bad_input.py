"""A store that is damaged, of another version, of something else, or out of reach: told in words, never trusted."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from helpers.limits import files_no_larger_than
from helpers.runs import cases_of
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.sample_store import Store

IMAGES, BATCH = 24, 4
ONE = (
    "--seedshift-model=toy-latent",
    f"--seedshift-images={IMAGES}",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-exact",
    "-kmean",
    f"--seedshift-batch-size={BATCH}",
    "--seedshift-keep-images=none",
)
"""A single case, all of its images, no pictures."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sound")


@pytest.fixture
def sound(pytester, run, kept) -> dict[str, Any]:
    """The record of a run whose folder is there as it left it; it runs once."""
    here = pytester.path / ".seedshift"
    if not (kept / ".seedshift").exists():
        assert run(*ONE).ret == pytest.ExitCode.OK
        shutil.copytree(here, kept / ".seedshift")
        shutil.rmtree(here)
    shutil.copytree(kept / ".seedshift", here)
    return record(here)


@pytest.fixture
def store(pytester) -> Path:
    return pytester.path / ".seedshift/samples.sqlite"


def record(folder: Path) -> dict[str, Any]:
    """The case's record, without what is not the same in every run."""
    (case,) = cases_of(folder).values()
    return {**case, "seconds": None}


def images(store: Path) -> int:
    with closing(Store(store)) as opened:
        opened.check()
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute("SELECT count(*) FROM images").fetchone()[0]


def change(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(statement)


def in_words(result: pytest.RunResult) -> str:
    """All that a run said, none of it a traceback."""
    output = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    return output


# Damaged ----------------------------------------------------------------------------------------------------------


def truncate(store: Path) -> None:
    store.write_bytes(store.read_bytes()[: store.stat().st_size // 2 + 100])


def overwrite(store: Path) -> None:
    """Random bytes where the samples lie, page by page, headers and all."""
    content, rng = bytearray(store.read_bytes()), random.Random(4)
    for start in range(4096 + 50, len(content), 4096):
        content[start : start + 3000] = rng.randbytes(3000)
    store.write_bytes(content[: store.stat().st_size])


def garble(store: Path) -> None:
    """One letter, so that a text is none: SQLite does not mind, Python does."""
    content = store.read_bytes()
    place = content.rindex(b"A photo of a ")
    store.write_bytes(content[:place] + b"\xff" + content[place + 1 :])


def replace(store: Path) -> None:
    store.write_text("not a database\n" * 1000)


def improve(store: Path) -> None:
    """As if every image were right, in a database without a fault."""
    change(store, """UPDATE scores SET scores = '{"top1": 1.0, "top5": 1.0}' WHERE scores LIKE '%top1%'""")


@pytest.mark.parametrize("damage", [truncate, overwrite, garble, replace, improve])
def test_a_damaged_store_is_set_aside_and_the_run_ends_with_the_right_verdict(
    run, sound, store, damage: Callable[[Path], None]
):
    damage(store)
    damaged = store.read_bytes()
    result = run(*ONE)
    assert result.ret == pytest.ExitCode.OK
    (aside,) = store.parent.glob("samples.damaged-*.sqlite")
    result.stdout.fnmatch_lines([f"seedshift: warning: {store}: damaged: *set aside as {aside.name}, none of *"])
    result.stdout.no_fnmatch_line("*will be used again*")
    assert aside.read_bytes() == damaged
    assert record(store.parent) == sound
    assert images(store) == IMAGES
    result = run(*ONE)
    result.stdout.no_fnmatch_line("*warning*")
    result.stdout.fnmatch_lines([f"seedshift: {IMAGES} samples of earlier runs will be used again"])
    assert aside.read_bytes() == damaged


# Not for this version ---------------------------------------------------------------------------------------------


def test_a_store_of_another_version_is_an_error_and_fresh_is_the_way_out(run, sound, store):
    change(store, "PRAGMA user_version = 99")
    before = store.read_bytes()
    result = run(*ONE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {store} was written by another version *--seedshift-fresh*"])
    in_words(result)
    assert store.read_bytes() == before
    result = run(*ONE, "--seedshift-fresh")
    assert result.ret == pytest.ExitCode.OK
    assert record(store.parent) == sound
    assert store.with_name("samples.previous.sqlite").read_bytes() == before


def test_a_database_of_something_else_is_an_error_and_is_left_alone(run, store):
    RunFolder(store.parent).prepare()
    change(store, "CREATE TABLE bookmarks (place)")
    before = store.read_bytes()
    result = run(*ONE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {store} is a database, but not of seedshift: give another --seedshift-dir"])
    assert store.read_bytes() == before


# Out of reach -----------------------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_opened_is_an_error(run, store):
    RunFolder(store.parent).prepare()
    store.mkdir()
    result = run(*ONE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {store} cannot be used: it is not an ordinary file*"])


@pytest.mark.parametrize("more", [(), (f"--seedshift-batch-size={BATCH}",)], ids=["batch size to be found", "given"])
@pytest.mark.parametrize("name", ["locks", "pictures"])
def test_a_run_folder_that_cannot_be_written_to_is_an_error_in_words(run, store, name, more):
    """Whoever runs as root can write anywhere, except where something is in the way."""
    RunFolder(store.parent).prepare()
    (store.parent / name).write_text("in the way")
    arguments = [argument for argument in ONE if "batch-size" not in argument and "keep-images" not in argument]
    result = run(*arguments, *more)
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.TESTS_FAILED)
    if name == "pictures":  # what is needed from the start is found at the start
        assert "toy-latent, mean +0.30: " in in_words(result)
    assert str(store.parent / name) in in_words(result)


def test_verdicts_that_cannot_be_written_are_told_in_words(run, sound, store):
    (store.parent / "verdicts.json").unlink()
    (store.parent / "verdicts.json").mkdir()
    result = run(*ONE)
    assert result.ret != pytest.ExitCode.OK
    assert "verdicts.json" in in_words(result)


def test_a_full_disk_is_an_error_of_the_case_and_the_samples_before_are_safe(run, sound, store):
    shutil.rmtree(store.parent)
    with files_no_larger_than(36_000):
        result = run(*ONE)
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(
        [f"toy-latent, mean +0.30: {store} cannot be used: *. Samples that were written before are safe"]
    )
    in_words(result)
    assert record(store.parent)["verdict"] == "error"
    safe = images(store)
    assert 0 < safe < IMAGES
    assert safe % BATCH == 0
    result = run(*ONE)
    result.stdout.fnmatch_lines([f"seedshift: {safe} samples of earlier runs will be used again"])
    assert record(store.parent) == {**sound, "generated": IMAGES - safe}


def test_a_disk_without_room_for_a_store_is_an_error(run, store):
    with files_no_larger_than(5_000):
        result = run(*ONE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {store} cannot be used: *"])
    assert run(*ONE).ret == pytest.ExitCode.OK
