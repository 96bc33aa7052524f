"""A run of pytest that `versus` starts: quiet, and told in words where it comes to no verdicts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_seedshift.cli import versus_run

ARGUMENTS = ["-q", "-p", "no:cacheprovider", "--no-header"]


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str, verbose: bool = False, aside: bool = False) -> versus_run.Ended:
    log = folder / "runs" / "model.log"
    return versus_run.run("model (1 of 2)", [*ARGUMENTS, *arguments], log, aside=aside, verbose=verbose)


def test_a_run_is_one_line_and_all_that_it_says_is_in_a_file(there, capfd):
    (there / "test_it.py").write_text("def test_it(): print('loud'); assert 0\n")
    assert run(there, "test_it.py") == versus_run.Ended(1)
    told = capfd.readouterr()
    assert told.err == ""
    assert told.out.count("\n") == 1
    assert told.out.startswith("model (1 of 2): ")
    assert "loud" in (there / "runs/model.log").read_text()


def test_all_of_it_is_shown_where_that_is_asked_for(there, capfd):
    (there / "test_it.py").write_text("def test_it(): assert 'loud' == ''\n")
    assert run(there, "test_it.py", verbose=True, aside=True) == versus_run.Ended(1)
    told = capfd.readouterr()
    assert told.out == ""
    assert "model (1 of 2):" in told.err
    assert "loud" in told.err
    assert not (there / "runs").exists()


@pytest.mark.parametrize(
    ("file", "arguments", "status", "reason", "said"),
    [
        ("", ["--seedshift-modle=x"], 4, "pytest ended with status 4, a usage error", "--seedshift-model"),
        ("", ["--seedshift-model=toy-latnet", "seedshift"], 4, "a usage error", "toy-latnet"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", [], 137, "ended by SIGKILL, most likely by", ""),
        (
            "import os; print('last words', flush=True); os.kill(os.getpid(), 15)",
            ["-s"],
            143,
            "by SIGTERM",
            "last words",
        ),
        ("raise KeyboardInterrupt", [], 2, "status 2, it was interrupted", ""),
        ("import os; os._exit(77)", [], 77, "pytest ended with status 77", ""),
    ],
)
def test_how_a_run_ended_that_came_to_no_verdicts(there, file, arguments, status, reason, said):
    (there / "test_it.py").write_text(f"{file}\n")
    ended = run(there, *(arguments or ["test_it.py"]), *([] if "-s" not in arguments else ["test_it.py"]))
    assert ended.status == status
    assert reason in ended.reason
    assert said in ended.said
    assert "Traceback" not in ended.reason
    assert ("runs/model.log" in ended.said) is (bool(ended.said) and "has said nothing" not in ended.said)


def test_of_much_that_was_said_the_end_is_quoted(there):
    (there / "conftest.py").write_text(
        "import os\nfor each in range(9000): print('line', each, flush=True)\nos._exit(9)\n"
    )
    ended = run(there, "-s")
    assert ended.said.startswith(". It has said at last (all of it: runs/model.log):\n  line ")
    assert ended.said.count("\n") == 15
    assert ended.said.endswith("line 8999")


def test_how_far_a_run_has_come_is_said_in_a_line(capsys):
    line = versus_run._Line("model", err=False)
    line._terminal = True
    line.show({"images": 120, "expected": 400, "left": 70.0, "cases": "model mean \x1b[2J+0.30"})
    line.show({})
    line.end({"images": 400, "expected": 400, "left": 0.0, "cases": ""})
    out = capsys.readouterr().out
    assert "model: 120 of about 400 images · 0 s · about 1 min 10 s left · model mean" in out
    assert "\x1b[2J" not in out
    assert out.endswith("model: 400 images in 0 s\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_it_ends_the_run_too(there, number):
    (there / "test_it.py").write_text(
        "import os, pathlib, time\n"
        "def test_it():\n"
        "    pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "    try:\n        time.sleep(300)\n    finally:\n        pathlib.Path('kept').touch()\n"
    )
    program = (
        "import sys; from pathlib import Path; from pytest_seedshift.cli import versus_run\n"
        "versus_run.run('model', ['test_it.py', '-p', 'no:cacheprovider'], Path('log'), aside=False, verbose=False)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=there, stderr=subprocess.DEVNULL)
    try:
        while not (there / "pid").exists() or not (there / "pid").read_text():
            assert parent.poll() is None
            time.sleep(0.1)
        parent.send_signal(number)
        assert parent.wait(120) != 0
    finally:
        parent.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int((there / "pid").read_text()), 0)
    assert (there / "kept").exists() is (number == signal.SIGINT)
