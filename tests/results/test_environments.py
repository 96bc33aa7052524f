"""Folders of baselines by environment: which is chosen, which is refused, and what a save that is cut short leaves."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.results import baseline_folder, baseline_sources, environments
from pytest_seedshift.results.baseline import Baseline, BaselineError, Design, Samples, Version
from pytest_seedshift.results.environments import Environment

CASE = Case("m")
LIBRARIES = {"torch": "2.9.1", "diffusers": "0.35"}
CPU = Environment("cpu", "", "float32", LIBRARIES)
H100 = Environment("cuda", "NVIDIA H100 80GB HBM3", "float16", LIBRARIES)
A10 = Environment("cuda", "NVIDIA A10", "float16", LIBRARIES)


def older(of: Environment, **versions: str) -> Environment:
    return replace(of, libraries={**of.libraries, **versions})


def made(folder: Path, of: Environment, *, recorded: bool = True) -> Baseline:
    """A baseline of one pair, whose picture lies in a folder; as an earlier version has it, where not `recorded`."""
    design = Design("list", ("owl",), "{label}", 1)
    version = Version("print", of.device, of.dtype, "vit", "clip")
    folder.mkdir(exist_ok=True)
    picture = folder / "picture"
    picture.write_bytes(of.name.encode())
    place = (CASE, *design.places()[0])
    return Baseline(
        "base",
        of.libraries,
        {"m": version},
        {"d": design},
        {CASE: Samples(CASE, "d", True, {"top1": (1.0,)})},
        {place: picture},
        digests={place: hashlib.sha256(picture.read_bytes()).hexdigest()},
        environment=of.document() if recorded else {},
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "baselines"


def put(folder: Path, *those: Environment, recorded: bool = True) -> None:
    for each in those:
        baseline_folder.save_new(made(folder.parent / "run", each, recorded=recorded), folder / each.name)


def chosen(folder: Path, ours: Environment) -> str:
    return environments.choose(folder, ours, "baselines").path.name


def test_each_environment_gets_its_own_whatever_it_is_called(folder):
    put(folder, CPU, H100, A10, older(CPU, torch="2.8.0"))
    (folder / A10.name).rename(folder / "the small one")
    assert [chosen(folder, each) for each in (CPU, H100, A10)] == [CPU.name, H100.name, "the small one"]
    assert environments.is_folder(folder)
    assert not environments.is_folder(folder / CPU.name)


def test_a_name_says_what_it_is_of_and_differs_with_all_of_it():
    assert re.fullmatch(r"cuda-nvidia-h100-80gb-hbm3-float16-torch-2\.9\.1-[0-9a-f]{8}", H100.name)
    others = (CPU, A10, older(H100, diffusers="0.36"), older(H100, torch="3"), replace(H100, dtype="bfloat16"))
    assert len({each.name for each in (H100, *others)}) == 6
    strange = Environment("cuda", "../../Ünïcode\n/GPU", "", {})
    assert re.fullmatch(r"[a-z0-9.-]+", strange.name)
    assert not strange.name.startswith(".")


def test_other_libraries_are_compared_with_and_said_and_the_nearest_of_them_is_taken(folder):
    put(folder, older(CPU, torch="2.7.0", diffusers="0.1"), older(CPU, torch="2.8.0"), H100)
    found = environments.choose(folder, CPU, "baselines")
    assert found.path.name == older(CPU, torch="2.8.0").name
    said = environments.note(found, CPU, "baselines")
    assert (
        said == f"baselines has no baseline of these libraries: the nearest is {found.path.name} (torch 2.8.0 → 2.9.1)"
    )
    assert environments.note(environments.choose(folder, H100, "baselines"), H100, "baselines") is None


@pytest.mark.parametrize(
    ("ours", "differs"),
    [
        (A10, "GPU NVIDIA H100 80GB HBM3 → NVIDIA A10"),
        (replace(H100, dtype="bfloat16"), "dtype float16 → bfloat16"),
        (older(A10, torch="3"), "GPU NVIDIA H100 80GB HBM3 → NVIDIA A10, torch 2.9.1 → 3"),
        (CPU, "device cuda → cpu, dtype float16 → float32"),
    ],
)
def test_another_device_or_number_type_is_refused_with_the_nearest_named_and_what_to_do(folder, ours, differs):
    put(folder, H100)
    with pytest.raises(BaselineError) as told:
        environments.choose(folder, ours, "baselines")
    said = str(told.value)
    assert f"baselines has no baseline of {ours.describe()}. The nearest is baselines/{H100.name} ({differs})" in said
    assert f"--seedshift-baseline=baselines/{H100.name}" in said
    assert "--seedshift-baseline-if-missing=save" in said


def test_what_an_earlier_version_has_saved_fits_by_what_it_says(folder):
    put(folder, H100, recorded=False)
    assert chosen(folder, H100) == chosen(folder, A10) == H100.name  # the GPU is not recorded
    with pytest.raises(BaselineError, match="device cuda → cpu"):
        chosen(folder, CPU)
    put(folder, A10)
    assert chosen(folder, A10) == A10.name  # what is known to fit is nearer
    assert chosen(folder, H100) == H100.name
    bare = made(folder.parent / "run", replace(CPU, libraries={}), recorded=False)
    baseline_folder.save_new(bare, folder / "bare")
    found = environments.choose(folder, CPU, "baselines")
    assert found.differences(CPU) == "libraries not recorded"
    named = replace(bare, models={"m+dtype=bfloat16": bare.models["m"], "m": bare.models["m"]})
    assert environments.of(named).dtype == "float32"


def test_two_of_one_environment_are_an_error_that_names_both(folder):
    put(folder, CPU)
    baseline_folder.save_new(made(folder.parent / "run", CPU), folder / "twin")
    with pytest.raises(BaselineError, match=f"several baselines of {CPU.describe()}: {CPU.name} and twin"):
        chosen(folder, CPU)


def test_files_of_scores_serve_and_other_files_are_left_alone(folder):
    folder.mkdir()
    made(folder.parent / "run", CPU).write(folder / "scores.json")
    (folder / "README.md").write_text("ours")
    (folder / "other.json").write_text("{}")
    (folder / "notes").mkdir()
    assert chosen(folder, CPU) == "scores.json"


def test_a_damaged_one_is_an_error_that_names_it(folder):
    put(folder, CPU, H100)
    file = folder / H100.name / "baseline.json"
    whole = file.read_text()
    document = json.loads(whole)
    document["environment"]["device"] = "cpu"
    for text in (whole[:-20], json.dumps(document), ""):
        file.write_text(text)
        with pytest.raises(BaselineError, match=f"baselines/{re.escape(H100.name)}"):
            chosen(folder, CPU)


def test_whoever_takes_one_of_them_has_to_name_it(folder):
    put(folder, CPU, H100)
    with pytest.raises(BaselineError, match=f"Name one of them: {re.escape(str(folder))}/{re.escape(CPU.name)}"):
        baseline_sources.load(folder)


def test_a_run_folder_with_the_copy_of_its_baseline_is_no_folder_of_baselines(tmp_path):
    made(tmp_path / "run", CPU).write(tmp_path / "against.json")
    (tmp_path / "verdicts.json").write_text("{}")
    assert not environments.is_folder(tmp_path)


def test_what_a_save_has_left_that_was_cut_short_is_no_baseline_and_in_nobodys_way(folder):
    put(folder, CPU)
    cut = folder / f".{H100.name}.abc" / H100.name / "pictures"
    cut.mkdir(parents=True)
    (cut / f"{'0' * 64}.png").write_bytes(b"torn")
    unlisted = folder / H100.name / "pictures"
    unlisted.mkdir(parents=True)
    (unlisted / f"{'0' * 64}.png.123.partial").write_bytes(b"torn")
    assert [each.path.name for each in environments.candidates(folder, "baselines")] == [CPU.name]
    baseline_folder.check_free(folder / H100.name, "--option")
    baseline_folder.save(made(folder.parent / "run", H100), folder / H100.name)
    assert chosen(folder, H100) == H100.name
    (folder / "mine").mkdir()
    (folder / "mine" / "pictures").mkdir()
    (folder / "mine" / "pictures" / "holiday.png").write_bytes(b"mine")
    with pytest.raises(BaselineError, match="other files and no baseline"):
        baseline_folder.check_free(folder / "mine", "--option")
    assert environments.is_free(folder.parent / "nowhere")
    assert not environments.is_free(folder)


def test_of_two_that_save_at_once_one_is_there_whole(folder):
    """Both say so: the first how large it is, the second that it was not first."""
    baselines = [made(folder.parent / f"run{number}", replace(CPU, hardware=str(number))) for number in range(4)]
    sizes: list[int | None] = []
    gate = threading.Barrier(4)

    def write(one: Baseline) -> None:
        gate.wait()
        sizes.append(baseline_folder.save_new(one, folder / "same"))

    writers = [threading.Thread(target=write, args=(each,)) for each in baselines]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert sorted(size is None for size in sizes) == [False, True, True, True]
    found = baseline_sources.load(folder / "same")
    for place, path in found.pictures.items():
        baseline_folder.read(path, found.digests[place])
    assert [each.name for each in folder.iterdir()] == ["same"]


def test_of_several_that_save_over_each_other_the_last_is_there_whole(folder):
    """Each removes the pictures of those before it, and none those that another is about to list."""
    baselines = [made(folder.parent / f"run{number}", replace(CPU, hardware=str(number))) for number in range(4)]
    gate = threading.Barrier(4)

    def write(one: Baseline) -> None:
        gate.wait()
        for _ in range(25):
            baseline_folder.save(one, folder / "same")

    writers = [threading.Thread(target=write, args=(each,)) for each in baselines]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    found = baseline_sources.load(folder / "same")
    assert len(found.pictures) == 1
    for place, path in found.pictures.items():
        baseline_folder.read(path, found.digests[place])
    assert sorted(each.name for each in (folder / "same").iterdir()) == ["baseline.json", "pictures"]


def test_a_folder_that_cannot_be_written_to_is_an_error_and_leaves_nothing(folder, monkeypatch):
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        put(folder, CPU)
    assert not list(folder.iterdir())
