"""A history that runs add to, `--seedshift-history`, and what `seedshift history` says of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from helpers import painted
from pytest_seedshift.__main__ import main
from pytest_seedshift.results import history

THRESHOLDS = f"{painted.HEAD}white = 0.1\n"
KEEPING = ("--seedshift-history=kept", "--seedshift-exact", "--seedshift-report=none")


@pytest.fixture
def version(pytester):
    """Run a version whose pictures of so many labels are black under +0.3, and add it to the history."""
    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)

    def run(name: str, lost: int, *more: str) -> pytest.RunResult:
        pytester.path.joinpath("conftest.py").write_text(painted.losing(0, lost, 0))
        return pytester.runpytest_inprocess(*painted.RUN, *KEEPING, f"--seedshift-history-name={name}", *more)

    return run


def test_the_version_that_became_worse_is_told_in_the_terminal_as_json_and_on_the_page(pytester, version, capfd):
    for number, lost in enumerate((0, 0, 5, 5)):
        result = version(f"v{number}", lost)
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines([f"*history:  kept, as v{number}*"])
    again = version("v3", 5)
    again.stdout.fnmatch_lines(["*history:  kept, where it is already as v3*"])
    found = history.load(Path("kept"))
    assert [line.name for line in found.lines] == ["v0", "v1", "v2", "v3"]
    assert all(found.pairs(line) is not None for line in found.lines)
    capfd.readouterr()

    assert main(["history", "kept"]) == 1
    told = capfd.readouterr().out
    assert "mine: 4 versions, v0 (" in told
    assert re.search(r"mean \+0\.30, white: worse since v2: 1 → 0\.6\d+ \(p .*, pair by pair, against v0\)", told)
    assert "1 score worse than before, and not known to be back: of mine" in told
    page = Path("kept/history.html").read_text()
    assert "worse since v2" in page
    assert page.count("<svg") == 2, "a figure, and a key of its lines"

    assert main(["history", "kept", "--json", "--model", "mine"]) == 1
    (change,) = json.loads(capfd.readouterr().out)["models"]["mine"]["open"]
    assert (change["since"], change["score"], change["magnitude"], change["became"]) == ("v2", "white", 0.3, "worse")

    version("v4", 0).assert_outcomes(passed=3)
    capfd.readouterr()
    assert main(["history", "kept"]) == 0
    assert "better since v4" in capfd.readouterr().out


def test_a_run_folder_is_added_afterwards_and_without_its_samples_by_its_intervals(pytester, version, capfd):
    version("v0", 0).assert_outcomes(passed=3)
    for name, lost in (("v1", 0), ("v2", 8)):
        version(name, lost, f"--seedshift-dir={name}", "--seedshift-history=other").assert_outcomes(passed=3)
        Path(name, "samples.sqlite").unlink()
        Path(name, "verdicts.json").touch()
    capfd.readouterr()
    assert main(["history", "kept", "--add", "v1", "--add", "v2", "--name", "later"]) == 1
    told = capfd.readouterr().out
    assert "added v1 as later: 3 cases, without the scores of its pairs" in told
    assert "worse since later" in told
    assert "their intervals lie apart" in told


def test_a_run_that_did_not_come_to_its_end_is_not_added(pytester, version):
    pytester.path.joinpath("thresholds.toml").write_text(f"{painted.HEAD}white = 0.9\n")
    result = version("v0", 8, "-x")
    result.stdout.fnmatch_lines(["*history:  nothing was added to kept, as the run did not come to its end*"])
    assert not Path("kept").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seedshift-shard=1/2"], "*a shard is a part of a run*seedshift history FOLDER --add MERGED*"),
        (["--seedshift-history=taken"], "*--seedshift-history *taken/history.jsonl: is there already and is no histo*"),
        (["--seedshift-history=conftest.py"], "*conftest.py is a file, not a folder*"),
    ],
)
def test_what_cannot_be_added_to_is_told_before_the_run(pytester, version, arguments, message):
    pytester.mkdir("taken").joinpath("history.jsonl").write_text("mine\n")
    result = version("v0", 0, *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])
    assert not list(pytester.path.rglob("samples.sqlite"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing/history.jsonl is not there: add runs to it, by seedshift history nothing --add RUN"),
        (["nothing", "--add", "nowhere"], "nowhere is not a folder: give a run folder"),
        (["nothing", "--certainty", "2"], "--certainty 2: give a number above 0.5 and below 1"),
        (["kept", "--model", "mien"], "Did you mean 'mine'?"),
        (["kept", "--json", "-o", "-"], "--json and --output - both write"),
        (["kept", "-o", "page.json"], "give a name such as history.html"),
        (["kept", "--name", "v7"], "--name v7: nothing is added: give the run of that version, by --add RUN"),
        (["kept", "--add", "other", "--name", ""], "give 1 to 200 letters that can be printed"),
        (["kept", "--add", "other", "--name", "a\nb"], "give 1 to 200 letters that can be printed"),
    ],
)
def test_mistakes_are_told_in_a_sentence(pytester, version, capfd, arguments, message):
    version("v0", 0, "--seedshift-dir=other").assert_outcomes(passed=3)
    capfd.readouterr()
    assert main(["history", *arguments]) == 4
    told = capfd.readouterr()
    assert message in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_bounds_are_written_by_the_runs_of_a_history_this_one_included(pytester, version, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    writes = ("--seedshift-write-thresholds=new.toml", "--seedshift-from-history")
    early = version("v0", 0, *writes)
    assert early.ret == pytest.ExitCode.USAGE_ERROR
    early.stderr.fnmatch_lines(["*kept has 1 run, this one included, and bounds by a history need 8 of a case*"])
    alone = pytester.runpytest_inprocess(*painted.RUN, "--seedshift-from-history")
    alone.stderr.fnmatch_lines(["*--seedshift-from-history has no effect without --seedshift-write-thresholds and *"])
    version("v0", 0)
    file = Path("kept/history.jsonl")
    line = json.loads(file.read_text())
    copies = [{**line, "id": f"{number:016x}", "name": f"copy {number}", "pairs": None} for number in range(8)]
    file.write_text("".join(json.dumps(each) + "\n" for each in copies))
    result = version("v9", 1, *writes)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*history:  kept, as v9*", "* by 9 runs of the history", "written: new.toml"])
    assert "in 9 runs, copy 0 to v9" in Path("new.toml").read_text()
