"""run.json: what is written is read, and a strange file is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_seedshift.results import metadata
from pytest_seedshift.results.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path)


def test_facts_are_read_as_they_were_written(folder):
    model = metadata.Model("toy", "f", ("a", "b"), ("vit", "clip"), "cpu, 2 threads", ("owl", "🦉"), "toy16")
    written = metadata.gather(["--seedshift-model=toy", "a b", "\udcff"], 0.0, [model], workers=2, thresholds="t.toml")
    assert written.command == "pytest --seedshift-model=toy 'a b' '\udcff'"
    assert written.started == "1970-01-01 00:00:00"
    assert written.versions["pytest"] == pytest.__version__
    metadata.write(folder, written)
    notes: list[str] = []
    assert metadata.read(folder, notes) == (written,)
    assert notes == []


def test_a_scorer_of_this_package_is_told_by_its_name():
    assert metadata.source(str(Path(metadata.__file__).parent / "scorers/toys/toy-vit")) == "toy-vit (shipped)"
    assert metadata.source("google/vit-base-patch16-224") == "google/vit-base-patch16-224"
    assert metadata.source("/somewhere/toy-vit") == "toy-vit"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 1}', '{"version": 1, "runs": [3]}', '{"version": 1, "runs": [{"cores": "many"}]}'],
)
def test_a_file_that_is_none_is_told_of(folder, text):
    folder.path.joinpath("run.json").write_text(text)
    notes: list[str] = []
    assert metadata.read(folder, notes) == ()
    assert len(notes) == 1
    assert notes[0].startswith("run.json cannot be read")


def test_what_a_later_version_adds_is_left_alone(folder):
    text = '{"version": 1, "runs": [{"command": "pytest", "mood": "good", "models": [{"name": "toy", "new": 1}]}]}'
    folder.path.joinpath("run.json").write_text(text)
    assert metadata.read(folder, []) == (metadata.Facts(command="pytest", models=(metadata.Model("toy"),)),)


def test_facts_of_several_sessions_stand_side_by_side(folder):
    several = (metadata.Facts(command="pytest -k mean"), metadata.Facts(command="pytest -k std"))
    metadata.write(folder, *several)
    assert metadata.read(folder, []) == several
