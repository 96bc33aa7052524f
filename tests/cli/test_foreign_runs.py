"""What commands make of run folders of others: nothing from outside of them, nothing without end, no verdict lost."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import fuzzing, synthetic
from pytest_seedshift.__main__ import main
from pytest_seedshift.results.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("memory")  # the same curves are drawn again and again

PLAN = synthetic.Plan(models=("toy-latent",), shifts=("mean",), magnitudes=(0.3,), fails="nothing")


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    synthetic.add_head(synthetic.write(path / "run", PLAN), PLAN)
    (path / "run/sensitivity").mkdir()
    (path / "run/sensitivity/toy-latent-0123456789ab.json").write_text("{}")
    return path


@pytest.fixture
def run(kept, tmp_path, monkeypatch) -> Path:
    shutil.copytree(kept / "run", tmp_path / "run")
    (tmp_path / "secret").write_text(fuzzing.SECRET)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/x.png").write_text(fuzzing.SECRET)
    (tmp_path / "secrets/0-1.png").write_text(fuzzing.SECRET)
    monkeypatch.chdir(tmp_path)
    return Path("run")


def told(capsys) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


# Merging ------------------------------------------------------------------------------------------------------------


def state(folder: Path) -> dict[str, tuple[int, int, str]]:
    """What is in a folder, with the times of its last changes."""
    return {
        path.as_posix(): (
            path.lstat().st_mtime_ns,
            path.lstat().st_ino,
            "" if path.is_dir() else path.read_bytes().hex(),
        )
        for path in sorted(folder.rglob("*"))
        if not path.is_fifo()
    }


def test_merge_leaves_what_it_reads_untouched_also_what_dead_sessions_left(run, capsys):
    code = "import os, signal; from pathlib import Path; from pytest_seedshift.results.run_folder import RunFolder\n"
    code += "lock = RunFolder(Path('run')).occupy(); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert list(run.glob("locks/session-*.lock"))
    before = state(run)
    assert main(["merge", "run", "--output", "merged"]) == 0, told(capsys)
    assert state(run) == before
    assert not list(Path("merged").glob("locks/session-*"))


LINKS = {
    "against.json": "secret",
    "pictures": "secrets",
    "pictures/x": "secrets",
    "pictures/toy-latent-mean-+0.30/x.png": "secret",
    "trajectories": "secrets",
    "trajectories/x.safetensors": "secret",
    "trajectories/toy-latent-mean-+0.30-01234567": "secrets",
    "sensitivity": "secrets",
    "sensitivity/x-0123456789ab.json": "secret",
    "locks": "secrets",
    "locks/session-x.lock": "secret",
    "locks/store.lock": "secret",
    ".gitignore": "secret",
    "costs.json": "secret",
    "run.json": "secret",
    "noise.json": "secret",
    "report.html": "secret",
    "comparison.html": "secret",
}


@pytest.mark.parametrize("name", LINKS)
def test_what_a_link_leads_to_is_neither_taken_over_nor_shown_nor_changed(run, capsys, name):
    place = run / name
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(Path.cwd() / LINKS[name])
    (run / "trajectories/toy-latent-mean-+0.30-01234567.safetensors").touch() if name.endswith("01234567") else None
    for arguments in fuzzing.COMMANDS.values():
        if "baseline.json" not in arguments and "sound" not in arguments:
            assert main(arguments) in (0, 1), told(capsys)
    assert main(["compare", "run", "run"]) == (4 if name == "run.json" else 0)  # which says how a model was run
    assert not fuzzing.leaks(Path("merged"))
    assert fuzzing.SECRET not in told(capsys)
    assert Path("secret").read_text() == fuzzing.SECRET
    assert {path.read_text() for path in Path("secrets").iterdir()} == {fuzzing.SECRET}
    assert not [path for path in Path("merged").rglob("*") if path.is_symlink()]


def test_a_store_that_is_a_link_is_told(run, capsys):
    Path("run/samples.sqlite").rename("elsewhere.sqlite")
    Path("run/samples.sqlite").symlink_to(Path.cwd() / "elsewhere.sqlite")
    assert main(["merge", "run", "--output", "merged"]) == 4
    assert "run/samples.sqlite cannot be used: it is a link" in told(capsys)
    assert main(["report", "run"]) == 0
    assert "samples.sqlite cannot be used: it is a link" in Path("run/report.html").read_text()


@pytest.mark.parametrize("how", [fuzzing.pipe, fuzzing.sparse, fuzzing.folder], ids=lambda how: how.__name__)
@pytest.mark.parametrize(
    "name",
    [
        "pictures/toy-latent-mean-+0.30/x.png",
        "against.json",
        "costs.json",
        "run.json",
        "verdicts.json",
        "samples.sqlite",
    ],
)
def test_what_could_be_read_without_end_is_not(run, capsys, name, how):
    (run / name).touch()
    how(run / name, random.Random(0))
    needed = name in ("verdicts.json", "samples.sqlite")
    with fuzzing.limited():
        assert main(["merge", "run", "--output", "merged"]) == (4 if needed else 0)
        assert main(["report", "run"]) == 0
    assert not needed or name in told(capsys)


# Reading --------------------------------------------------------------------------------------------------------------

STRANGE = {
    "costs.json": '{"version": 1, "cases": {"x": {"generated": 1, "seconds": 1e999}}}',
    "run.json": '{"version": 1, "runs": [{"seconds": Infinity}]}',
    "sensitivity/toy-latent-0123456789ab.json": '{"version": 1, "distances": {"clip": 3}}',
}
TEXTS = (
    "",
    "[",
    "[" * 100_000,
    "1" * 400,
    '{"version": 1}',
    '{"version": [1]}',
    "[1]",
    "null",
    '{"version": 1e999}',
    "\ud800",
)


@pytest.mark.parametrize("name", STRANGE)
def test_what_cannot_be_read_is_no_reason_to_lose_a_verdict(run, capsys, name):
    merge, others = (
        ["merge", "run", "--output", "merged"],
        (["report", "run"], ["card", "run"], ["compare", "run", "run"]),
    )
    for number, text in enumerate((STRANGE[name], *TEXTS)):
        (run / name).write_bytes(text.encode(errors="surrogatepass"))
        for arguments in (merge, others[number % len(others)]):
            needs = name == "run.json" and arguments[0] == "compare"  # it says how a model was run
            assert main(arguments) == (4 if needs else 0), (text[:20], told(capsys))
        assert Path(name).name in told(capsys)
        assert len(RunFolder(Path("merged")).read_document()["cases"]) == 2


def test_eighteen_bombs_among_the_pictures_cost_no_more_than_eighteen_pictures(run, capsys):
    for path in sorted(run.glob("pictures/*/*.png")):
        fuzzing.bomb(path, random.Random(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with fuzzing.limited():
        assert main(["report", "run"]) == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes


@pytest.mark.parametrize("images", [10**12, 10**18, 9_999_999])
def test_a_design_that_nobody_has_visited_is_not_made_again(run, capsys, images):
    for names in (("grid",), ("grid", "cases"), ("cases",)):
        document = json.loads((run / "verdicts.json").read_text())
        for entry in (entry for name in names for entry in document[name]):
            entry["images" if "asks" in entry else "design"] = images
        (run / "verdicts.json").write_text(json.dumps(document))
        with fuzzing.limited():
            assert main(["compare", "run", "run"]) == 4
        assert "run" in told(capsys)


def test_a_path_of_a_picture_that_is_too_long_blames_no_other_file(run, capsys):
    document = json.loads((run / "verdicts.json").read_text())
    long = f"pictures/{'x' * 5000}.png"
    document["cases"][0]["pictures"] = [
        {"label": "owl", "seed": 0, "right": True, "control_right": True, "picture": long, "control": long}
    ]
    (run / "verdicts.json").write_text(json.dumps(document))
    (run / "samples.sqlite").unlink()
    assert main(["report", "run"]) == 0, told(capsys)
    assert "1 pictures that the run kept are not in the folder" in Path("run/report.html").read_text()


@pytest.mark.parametrize(
    "change", [{"kind": ["a"]}, {"kind": "x"}, {"score": 3}, {"bound": "x"}, {"holds": 2}, {"change": []}]
)
def test_a_constraint_of_another_form_costs_its_case_and_no_more(run, capsys, change):
    document = json.loads((run / "verdicts.json").read_text())
    document["cases"][1]["constraints"][0] |= change
    (run / "verdicts.json").write_text(json.dumps(document))
    assert main(["report", "run"]) == 0, told(capsys)
    assert "case 2 of verdicts.json cannot be read: constraints.0." in Path("run/report.html").read_text()
    assert main(["merge", "run", "--output", "merged"]) == 4
    assert "run: its verdicts.json is damaged: cases.1.constraints.0." in told(capsys)
    for arguments in (["compare", "run", "run", "--allow-missing"], ["card", "run"], ["thresholds", "run"]):
        assert main(arguments) in (0, 4), told(capsys)


def test_compare_says_which_of_two_folders_is_damaged(run, capsys):
    shutil.copytree(run, "other")
    (Path("other") / "verdicts.json").write_text('{"version": 1, "cases": 3}')
    for arguments in (["compare", "run", "other"], ["compare", "other", "run"]):
        assert main(arguments) == 4
        assert "other" in told(capsys)


@pytest.mark.parametrize("name", ["\ud800", "caf\udcff", "模型", "a\0b"], ids=ascii)
def test_names_of_any_kind_are_merged_and_reported(run, capsys, name):
    text = (run / "verdicts.json").read_text().replace("toy-latent", json.dumps(name)[1:-1])
    (run / "verdicts.json").write_text(text)
    (run / "samples.sqlite").unlink()
    assert main(["merge", "run", "--output", "merged"]) == 0, told(capsys)
    cases = RunFolder(Path("merged")).read_document()["cases"]
    assert {case["model"] for case in cases} == {name}
    assert main(["report", "run", "--summary", "summary.md"]) == 0, told(capsys)
    assert main(["thresholds", "run", "--dry-run"]) in (0, 4), told(capsys)
    assert main(["card", "run"]) == 0, told(capsys)
