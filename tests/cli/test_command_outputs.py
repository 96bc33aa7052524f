"""Commands whose output closes, is full or is not there; how they are started; what they are to write to."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import synthetic
from pytest_seedshift.__main__ import main
from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import writing

SCRIPT = shutil.which("seedshift", path=str(Path(sys.executable).parent))
"""The console script; a checkout that is on the path without being installed has none."""

COMMANDS = {
    "report": ("report", "run", "--summary", "summary.md"),
    "card": ("card", "run", "--model", "toy-glide"),
    "thresholds": ("thresholds", "run", "--output", "new.toml", "--in-ci"),
    "merge": ("merge", "run", "--output", "merged"),
    "compare": ("compare", "run", "run"),
}
WRITTEN = {
    "report": ("run/report.html", "summary.md"),
    "thresholds": ("new.toml",),
    "merge": ("merged/verdicts.json", "merged/junit.xml", "merged/report.html"),
    "compare": ("run/comparison.html",),
}
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    plan = synthetic.Plan(shifts=("mean",), pictures=0, images=8)
    synthetic.add_head(synthetic.write(tmp_path / "run", plan), plan)
    return tmp_path


@contextlib.contextmanager
def closed_pipe() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


def start(output: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest_seedshift", *arguments]
    if output == "none":  # as by `>&-`
        return subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *command], check=False, stderr=subprocess.PIPE, text=True
        )
    with closed_pipe() if output == "pipe" else open(f"/dev/{output}", "w") as place:  # noqa: PTH123
        return subprocess.run(command, check=False, stdout=place, stderr=subprocess.PIPE, text=True)


def check(name: str, output: str) -> None:
    done = start(output, *COMMANDS[name])
    assert all(Path(path).stat().st_size for path in WRITTEN.get(name, ()))  # all the work is done all the same
    if name == "merge":
        assert done.returncode == 1  # its verdict, which says more
    else:
        assert done.returncode == {"pipe": 141, "null": 0}.get(output, 4)
    reasons = {"full": "No space left on device", "none": "Bad file descriptor"}
    said = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert said == ([f"error: the output cannot be written: {reasons[output]}"] if output in reasons else [])


@pytest.mark.parametrize(
    ("name", "output"),
    [("card", "pipe"), ("merge", "none"), pytest.param("report", "full", marks=FULL)],
)
def test_an_output_that_cannot_be_written_is_told_by_the_status_and_costs_no_work(folder, name, output):
    check(name, output)


@pytest.mark.nightly
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("output", ["pipe", "none", "null", pytest.param("full", marks=FULL)])
def test_the_same_of_every_command(folder, name, output):
    check(name, output)


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["compare", "nowhere", "nowhere"], ["x"]])
def test_help_and_errors_into_a_closed_pipe(arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with closed_pipe() as place:
        code = "import sys; from pytest_seedshift.__main__ import main; sys.exit(main())"
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, check=False, stdout=place, stderr=subprocess.PIPE, text=True)
        assert done.returncode == (141 if "--help" in arguments else 4)
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr
        if "--help" not in arguments:
            assert subprocess.run(command, check=False, stdout=place, stderr=place).returncode == 4


HOSTILE_FOLDER = (
    "click",
    "jinja2",
    "json",
    "numpy",
    "markupsafe",
    "pathlib",
    "tempfile",
    "sqlite3",
    "torch",
)


@pytest.mark.parametrize("how", ["module", "script"])
def test_no_module_is_loaded_from_the_working_directory(folder, how):
    for name in HOSTILE_FOLDER:
        Path(f"{name}.py").write_text("print('loaded from here')\nraise SystemExit(17)\n")
    command = [sys.executable, "-m", "pytest_seedshift"]
    if how == "script":
        if SCRIPT is None:
            pytest.skip("pytest-seedshift is not installed")
        command = [SCRIPT]
    done = subprocess.run([*command, "report", "run"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "run/report.html"), done.stderr
    control = subprocess.run([sys.executable, "-m", "pytest", "--version"], check=False, capture_output=True, text=True)
    assert control.returncode == 17  # which is what `python -m` does


def test_the_path_is_left_as_it_is_where_python_puts_nothing_on_it(folder):
    Path("jinja2.py").write_text("raise SystemExit(17)\n")
    environ = os.environ | {"PYTHONPATH": str(folder)}  # what the user puts there is the user's
    command = [sys.executable, "-P", "-m", "pytest_seedshift", "report", "run"]
    assert subprocess.run(command, check=False, env=environ, capture_output=True).returncode == 17
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


PLACES = [
    (".", "is a folder"),
    ("..", "is a folder"),
    ("run", "is a folder"),
    ("fifo", "is a pipe, a device or a socket"),
    ("/dev/null", "is a pipe, a device or a socket"),
    ("x" * 300, "has a name that is too long"),
    ("taken/x", "taken is a file, not a folder|cannot be written: Not a directory"),
    ("/proc/x", "cannot be written"),
    ("a\x00b", "holds a character that no path can have"),
]


@pytest.mark.parametrize(("place", "reason"), PLACES)
def test_what_is_to_be_written_is_looked_at_before_the_work(folder, capsys, monkeypatch, place, reason):
    os.mkfifo("fifo")
    Path("taken").touch()
    monkeypatch.delenv("CI", raising=False)
    before = sorted(folder.rglob("*"))
    for command, option in (
        (["report", "run"], "--output"),
        (["report", "run"], "--summary"),
        (["merge", "run", "--output", "merged"], "--summary"),
        (["compare", "run", "run"], "--output"),
        (["card", "run", "--model", "toy-glide"], "--output"),
        (["why", "toy-latent"], "--output"),
        (["thresholds", "run"], "--output"),
    ):
        if command[0] == "thresholds" and place not in (".", "..", "run"):
            continue  # which is no .toml file, see below
        assert main([*command, option, place]) == 4
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"seedshift {command[0]}: error: ")
        assert said.err.count("\n") == 1
        if command[0] != "thresholds":
            assert f"{option} " in said.err
            assert any(each in said.err for each in reason.split("|")), said.err
    assert sorted(folder.rglob("*")) == before


def test_a_thresholds_file_is_looked_at_likewise(folder, capsys, monkeypatch):
    os.mkfifo("fifo.toml")
    monkeypatch.delenv("CI", raising=False)
    for place, reason in (
        ("fifo.toml", "is a pipe, a device or a socket"),
        ("x" * 251 + ".toml", "name that is too long"),
    ):
        assert main(["thresholds", "run", "--output", place]) == 4
        assert reason in capsys.readouterr().err


def test_a_folder_that_is_missing_is_made_where_that_is_promised(folder, capsys):
    assert main(["report", "run", "--output", "some/where.html", "--summary", "else/where.md"]) == 0
    assert Path("some/where.html").is_file()
    assert Path("else/where.md").is_file()
    assert capsys.readouterr().out == "some/where.html\nsummary: else/where.md\n"


def test_what_a_command_cannot_write_is_one_sentence_and_other_mistakes_are_not_hidden(tmp_path):
    (tmp_path / "taken").write_text("")
    for path, reason in ((tmp_path / "taken/page.html", "Not a directory"), (tmp_path / "none/x", "No such file")):
        with pytest.raises(CommandError, match=f"{path.name} cannot be written: {reason}"), writing():
            path.write_text("")
    with pytest.raises(ZeroDivisionError), writing():
        raise ZeroDivisionError
