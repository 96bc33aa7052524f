"""Which folders are taken as run folders: empty ones and those of runs; nobody else's is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import synthetic
from helpers.records import record
from pytest_seedshift.core.cases import Case
from pytest_seedshift.results import folder_mark, sensitivity_files
from pytest_seedshift.results.folder_mark import FolderError
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.sample_store import Store


def contents(folder: Path) -> dict[str, bytes | str | None]:
    """All that is in a folder, links and times of change too."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def put(folder: Path, **files: str | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if text is None else path.write_text(text)
    return folder


FOREIGN = {
    "a project": {"pytest__ini": "[pytest]\n", "__gitignore": "build/\n"},
    "one file": {"notes__txt": "mine"},
    "an empty folder in it": {"sub": None},
    "a hidden file": {"__env": "SECRET=1"},
    "only a .gitignore": {"__gitignore": "build/\n"},
    "a .gitignore of all": {"__gitignore": "*\n"},
    "another's results": {"verdicts__json": '{"verdicts": []}', "report__html": "<p>"},
    "another's database": {"samples__sqlite": "SQLite format 3\0" + "x" * 200},
    "another's mark": {"merged__json": "[]"},
    "names like ours": {
        "trajectories_in_mine__csv": "1",
        "sensitivity_in_mine__json": "{}",
        "pictures_in_me__png": "x",
    },
    "pictures that are ignored": {"__gitignore": "*\n", "pictures_in_me__png": "x"},
    "locks of something else": {"__gitignore": "*\n", "locks_in_apt__lock": "", "data__bin": "x"},
}


@pytest.mark.parametrize("files", FOREIGN.values(), ids=FOREIGN)
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(tmp_path, files):
    folder = put(tmp_path / "theirs", **files)
    before = contents(folder)
    with pytest.raises(FolderError, match=r"is not empty .*, and no run has made it: .* Give a folder") as caught:
        RunFolder(folder).prepare()
    assert str(caught.value).startswith(f"{folder}: ")
    assert contents(folder) == before


def store_alone(path: Path) -> None:
    path.mkdir()
    Store(path / "samples.sqlite").close()


def whole(path: Path) -> None:
    synthetic.write(path, synthetic.Plan(models=("toy-latent",), shifts=("mean",), magnitudes=(0.3,)))


def damaged(path: Path) -> None:
    whole(path)
    (path / "samples.sqlite").write_bytes(b"nothing of it is left")
    (path / "verdicts.json").write_text("{")


def planned(path: Path) -> None:
    """What asking for a plan leaves."""
    RunFolder(path).prepare()
    with RunFolder(path).lock("store"):
        pass


@pytest.mark.parametrize("make", [store_alone, whole, damaged, planned], ids=lambda make: make.__name__)
def test_a_folder_that_an_earlier_version_has_written_is_taken(tmp_path, make):
    make(tmp_path / "run")
    if make is damaged:
        with RunFolder(tmp_path / "run").lock("store"):
            pass
    (tmp_path / "run" / folder_mark.MARK).unlink(missing_ok=True)
    RunFolder(tmp_path / "run").prepare()
    assert (tmp_path / "run" / folder_mark.MARK).is_file()
    assert (tmp_path / "run" / ".gitignore").read_text() == "*\n"


def test_who_has_a_mark_may_have_more(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    put(folder.path, notes__txt="mine", __gitignore="mine\n")
    folder.prepare()
    assert (folder.path / ".gitignore").read_text() == "mine\n"


def test_what_systems_put_into_empty_folders_does_not_count(tmp_path):
    RunFolder(put(tmp_path / "mounted", lost_found=None, __DS_Store="").rename(tmp_path / "volume"))
    (tmp_path / "volume" / "lost_found").rename(tmp_path / "volume" / "lost+found")
    RunFolder(tmp_path / "volume").prepare()
    assert (tmp_path / "volume" / folder_mark.MARK).is_file()
    assert (tmp_path / "volume" / "lost+found").is_dir()


def test_the_run_folder_may_be_a_link_but_nothing_in_it(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to("elsewhere")
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    assert (tmp_path / "elsewhere" / folder_mark.MARK).is_file()
    for name in (*folder_mark.FILES, *folder_mark.FOLDERS):
        (folder.path / name).symlink_to(tmp_path / "nowhere")
        with pytest.raises(FolderError, match=f"{name} in it is a link"):
            folder.prepare()
        (folder.path / name).unlink()


@pytest.mark.parametrize("there", [False, True])
def test_a_gitignore_that_is_a_link_is_not_followed(tmp_path, there):
    victim = tmp_path / "victim"
    if there:
        victim.write_text("kept")
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / folder_mark.MARK).touch()
    (folder.path / ".gitignore").symlink_to(victim)
    folder.prepare()
    assert victim.exists() == there
    assert not there or victim.read_text() == "kept"


def test_processes_that_begin_at_once_all_take_the_folder(tmp_path):
    code = """
import sys; from pathlib import Path; from pytest_seedshift.results.run_folder import RunFolder
for number in range(200):
    RunFolder(Path(sys.argv[1], str(number))).prepare()
"""
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 4
    assert len(list(tmp_path.glob(f"*/{folder_mark.MARK}"))) == 200


# What is removed again ---------------------------------------------------------------------------------------------


def measured(folder: RunFolder) -> None:
    synthetic.write(folder.path, synthetic.Plan(models=("toy-latent",), shifts=("mean",), magnitudes=(0.3,)))
    synthetic.add_seed_use(folder, "toy-latent", "toy-latent")
    for name in ("toy-latent-none-+0.00-0123abcd", "Löwe_-9f9f9f-mean_exact-+0.30-print of"):
        put(folder.trajectories_folder / name, **{"0-1__png": "x", "12-50__png": "x"})
        (folder.trajectories_folder / f"{name}.safetensors").touch()
        (folder.trajectories_folder / f"{name}.safetensors.77.partial").touch()
    put(folder.states_folder)
    (folder.states_folder / "toy-latent-none-+0.00-0123abcd.safetensors").touch()


def test_fresh_removes_what_runs_have_measured(tmp_path):
    folder = RunFolder(tmp_path / "run")
    measured(folder)
    others = {path for path in folder.path.rglob("*") if not {"trajectories", "sensitivity"} & set(path.parts)}
    folder.forget_measurements()
    assert set(folder.path.rglob("*")) == others
    assert not sensitivity_files.of_all(folder, [])


def test_and_nothing_that_others_have_put_there(tmp_path):
    folder = RunFolder(tmp_path / "run")
    measured(folder)
    mine = [
        *(
            "trajectories/mine.csv",
            "trajectories/states/mine.csv",
            "trajectories/states/sub/x",
            "sensitivity/mine.json",
        ),
        *("trajectories/mine/0-1.png", "trajectories/model.safetensors", "trajectories/states/big.safetensors"),
        *("trajectories/toy-latent-none-+0.00-0123abcd/mine.png", "sensitivity/mine-0123456789.json"),
    ]
    for name in mine:
        put((folder.path / name).parent)
        (folder.path / name).write_text("mine")
    folder.forget_measurements()
    left = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}
    assert {name for name in left if name.startswith(("trajectories", "sensitivity"))} == set(mine)


@pytest.mark.parametrize("name", ["trajectories", "sensitivity", "trajectories/states"])
def test_nothing_is_removed_behind_a_link(tmp_path, name):
    folder, other = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "other")
    measured(folder)
    measured(other)
    shutil.rmtree(folder.path / name)
    (folder.path / name).symlink_to(other.path / name)
    before = contents(other.path)
    folder.forget_measurements()
    assert contents(other.path) == before


# What is written -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pictures", "pictures/toy-latent-mean-+0.30", "sensitivity", "trajectories"])
def test_nothing_is_written_behind_a_link(tmp_path, name):
    import torch

    from pytest_seedshift.core.pairs import Label, Pair
    from pytest_seedshift.studies.trajectories import files

    folder, case = RunFolder(tmp_path / "run"), Case("toy-latent", "mean", 0.3)
    folder.prepare()
    elsewhere = put(tmp_path / "elsewhere")
    (folder.path / name).parent.mkdir(exist_ok=True)
    (folder.path / name).symlink_to(elsewhere)
    write = {
        "pictures": lambda: folder.save_picture(case, Pair(Label("owl", 0), 0), "0" * 32, torch.zeros(3, 4, 4)),
        "sensitivity": lambda: sensitivity_files.SeedUse("toy-latent", "f", "e", "d", None, "why").write(folder),
        "trajectories": lambda: files.write_reason(files.path_of(folder, case, "0" * 16), case, "0" * 16, "why"),
    }[name.partition("/")[0]]
    with pytest.raises(OSError, match="is a link, and links in a run folder are not followed"):
        write()
    assert not list(elsewhere.iterdir())


def test_a_file_that_is_a_link_is_replaced_and_not_followed(tmp_path):
    folder, victim = RunFolder(tmp_path / "run"), tmp_path / "victim"
    folder.prepare()
    victim.write_text("kept")
    for name in ("verdicts.json", "costs.json", f"verdicts.json.{os.getpid()}.partial"):
        (folder.path / name).symlink_to(victim)
    folder.write_verdicts([record(id="x", test="a::x")])
    assert victim.read_text() == "kept"
    assert not folder.verdicts_file.is_symlink()
    assert len(folder.read_document()["cases"]) == 1


NAMES = ["caf\udcff", "模型", "\U0001f40c" * 60, "a\nb", "\ud800", "x" * 5000, "../../up", "a/b\\c:d", "\x1b[31m"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_verdicts_of_any_name_are_written_and_read_as_they_were(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    case = record(id=name, test=f"a::{name}", model=name, generated=1, seconds=0.5)
    folder.write_verdicts([case])
    assert folder.read_document()["cases"] == [case.built_in()]
    assert json.loads(folder.verdicts_file.read_bytes())["cases"][0]["model"] == name
    assert folder.picture_folder(Case(name)).parent == folder.path / "pictures"
