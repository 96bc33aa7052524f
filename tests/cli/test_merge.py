"""Runs of shards, joined."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from helpers.run_server import Server
from helpers.runs import ONE, SMALL, cases_of, samples_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.results.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

TOY = "pytest_seedshift/models/toys/toy-latent"
# One case fails; all compare with the control, so that shards need samples of a control that is not theirs.
THRESHOLDS = f"""
[default]
top1 = {{ min = 0.3, max_drop = 0.9 }}
clip = {{ min = 10.0, max_drop = 45.0 }}
[shift.mean."0.3"]
clip = {{ min = 45.0, max_drop = 45.0 }}
[models.quick]
pipeline = '{Path(__file__).parents[2] / TOY}'
steps = 3
guidance = 1.0
classes = "toy16"
scorers = "toy"
[model.quick]
top1 = 0.0
clip = {{ max_drop = 50.0 }}
"""
GRID = ("--seedshift-model=toy-latent,quick", "--seedshift-shift=mean", "--seedshift-magnitude=-0.1,0.3")
RUN = (*GRID, "--seedshift-images=24", "--seedshift-batch-size=4", "-p", "no:cacheprovider")
CASES = 6


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run of all cases, `whole`, and the run folders of four shards, `shard-1` to `shard-4`."""
    folder = tmp_path_factory.mktemp("project")
    folder.joinpath("thresholds.toml").write_text(THRESHOLDS)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        server = Server()
    for name, arguments in [("whole", ()), *((f"shard-{k}", (f"--seedshift-shard={k}/4",)) for k in (1, 2, 3, 4))]:
        process = server.start(folder, *RUN, *arguments, f"--seedshift-dir={name}", f"--junitxml={name}.xml")
        assert server.end(process) in (0, 1), (folder / "output.txt").read_text()
    server.process.communicate(timeout=60)
    return folder


@pytest.fixture
def shards(project, tmp_path, monkeypatch) -> list[str]:
    """Copies of the shards' run folders in the working directory."""
    for name in ("shard-1", "shard-2", "shard-3", "shard-4"):
        shutil.copytree(project / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return [f"shard-{k}" for k in (1, 2, 3, 4)]


def verdicts(folder: Path) -> dict:
    return json.loads((folder / "verdicts.json").read_text())


def test_four_shards_merged_are_one_run_byte_for_byte(project, shards, capsys):
    assert main(["merge", *reversed(shards), "--output", "merged"]) == 1
    whole = (project / "whole/verdicts.json").read_text()
    assert Path("merged/verdicts.json").read_text() == whole
    made = sum(case["generated"] for case in cases_of(Path("merged")).values())
    assert made >= sum(case["generated"] for case in cases_of(project / "whole").values()) > 0
    assert [len(verdicts(Path(shard))["cases"]) for shard in shards] == [1, 2, 1, 2]
    by_verdict = [case["verdict"] for case in json.loads(whole)["cases"]]
    assert sorted(by_verdict) == ["fail", *["pass"] * (CASES - 1)]
    output = capsys.readouterr()
    assert f"{CASES} cases of 4 runs: 5 pass, 1 fail\n" in output.out
    assert "mean shift +0.30 breaks toy-latent: CLIP" in output.out
    assert output.err == ""


def test_merged_samples_and_pictures_are_those_of_the_run(project, shards):
    main(["merge", *shards, "--output", "merged"])
    whole = {
        (s["model"], s["shift"], s["magnitude"], s["prompt"], s["seed"]): s["scores"]
        for s in samples_of(project / "whole")
    }
    merged = {
        (s["model"], s["shift"], s["magnitude"], s["prompt"], s["seed"]): s["scores"]
        for s in samples_of(Path("merged"))
    }
    assert merged == whole

    def pictures(folder: Path) -> dict[str, bytes]:
        return {str(each.relative_to(folder)): each.read_bytes() for each in folder.glob("pictures/*/*")}

    assert pictures(Path("merged")) == pictures(project / "whole")


def test_a_merged_folder_is_a_run_folder_whose_samples_are_used_again(shards, project, pytester, run):
    os.chdir(pytester.path)
    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)
    main(["merge", *(str(project / shard) for shard in shards), "--output", "merged"])
    before = len(samples_of(pytester.path / "merged"))
    result = run(*RUN, "--seedshift-dir=merged")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines([f"{CASES} cases: * images looked at, 0 generated"])
    assert len(samples_of(pytester.path / "merged")) == before


def test_a_missing_shard_ends_with_status_1_and_its_cases_are_named_everywhere(shards, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(Path("step.md").absolute()))
    lost = [case["id"] for case in verdicts(Path("shard-2"))["cases"]]
    assert main(["merge", shards[0], *shards[2:], "--output", "merged", "--summary", "summary.md"]) == 1
    output = capsys.readouterr().out
    failing = "toy-latent-mean-+0.30" not in lost
    assert output.count("\n::error title=") == len(lost) + failing
    summary = Path("summary.md").read_text()
    assert summary == Path("step.md").read_text()
    assert "no verdict about 2 cases:" in output
    assert "not among the runs: shard 2/4" in output
    assert f"{CASES - 2} of {CASES} cases of 3 runs judged: " in output
    page, tests = Path("merged/report.html").read_text(), ElementTree.parse("merged/junit.xml").getroot()
    (missing,) = re.findall(r"<li><bdi>(2 of the 6 cases of the grid have no verdict: .*)</bdi></li>", page)
    for name in lost:
        assert f"  {name}  (seedshift::test_reliability[{name}])" in output
        _, shift, magnitude = re.fullmatch(r"(.+)-(\w+)-([+-][\d.]+)", name).groups()
        told = "control" if shift == "none" else f"{shift} {magnitude}"
        assert told in missing
        assert told in summary
        assert f"::error title={name} has no verdict::no run has judged it: seedshift::test_rel" in output
        error = tests.find(f".//testcase[@name='test_reliability[{name}]']/error")
        assert error.get("message").startswith("no verdict")
    document = verdicts(Path("merged"))
    assert len(document["grid"]) == CASES
    assert not {case["id"] for case in document["cases"]} & set(lost)


def test_shards_that_pass_without_the_missing_one_are_not_green(shards):
    passing = [each for each in shards if all(case["verdict"] == "pass" for case in verdicts(Path(each))["cases"])]
    assert passing
    assert main(["merge", *passing, "--output", "merged"]) == 1


def test_a_run_whose_cases_all_pass_ends_with_status_0(pytester, run, monkeypatch):
    run(*ONE)
    monkeypatch.chdir(pytester.path)
    assert main(["merge", ".seedshift", "--output", "merged"]) == 0


def test_the_junit_file_says_what_a_sessions_says(project, shards):
    main(["merge", *shards, "--output", "merged"])

    def read(path: Path) -> dict:
        suite = ElementTree.parse(path).getroot().find("testsuite")
        cases = {
            (case.get("classname"), case.get("name")): (
                [(each.get("name"), each.get("value")) for each in case.iterfind("properties/property")],
                [each.tag for each in case if each.tag != "properties"],
            )
            for case in suite.iterfind("testcase")
        }
        return {key: suite.get(key) for key in ("name", "errors", "failures", "skipped", "tests")} | cases

    assert read(Path("merged/junit.xml")) == read(project / "whole.xml")


def test_the_page_stands_alone_and_shows_the_failing_case_with_its_pictures(shards):
    main(["merge", *shards, "--output", "merged"])
    page = Path("merged/report.html").read_text()
    assert "mean shift +0.30 breaks toy-latent" in page
    assert "toy-latent fails 1 of 3 cases: breaks under mean at +0.30" in page
    assert "What is missing" not in page
    assert page.count("data:image/webp;base64,") >= 8  # four pairs, each beside the control, and what has changed
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_merging_again_is_the_same_and_takes_more(shards):
    assert main(["merge", *shards[:2], "--output", "merged"]) == 1
    assert main(["merge", *shards, "--output", "merged"]) == 1
    first = Path("merged/verdicts.json").read_text()
    main(["merge", *shards, "--output", "other"])
    assert Path("other/verdicts.json").read_text() == first
    main(["merge", "other", "shard-1", "--output", "third"])  # a merged run is a run
    assert Path("third/verdicts.json").read_text() == first


def test_the_runs_are_left_as_they_are(shards):
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in Path().glob("shard-*/**/*") if path.is_file()}

    before = content()
    main(["merge", *shards, "--output", "merged"])
    assert content() == before


# Mistakes ---------------------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a merge that ends with status 4 says, after which there is no verdict."""
    assert main(["merge", *arguments, "--output", "merged"]) == 4
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("seedshift merge: error: ")
    assert "Traceback" not in output.err
    assert not Path("merged/verdicts.json").exists()
    return output.err


def test_runs_of_different_designs(project, capsys, pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)
    run(
        *RUN[:-4],
        "--seedshift-images=16",
        "--seedshift-batch-size=16",
        "--seedshift-shard=1/6",
        "--seedshift-dir=small",
    )
    capsys.readouterr()
    told = refused(capsys, str(project / "shard-1"), "small")
    assert "design of seedshift::test_reliability about toy-latent: 24 pairs" in told
    assert "shard-1, 16 pairs" in told


def test_runs_of_different_thresholds(shards, capsys):
    file = Path("shard-2/verdicts.json")
    file.write_text(file.read_text().replace('"top1 min": 0.3', '"top1 min": 0.2'))
    assert "asks top1 min 0.3, top1 max_drop 0.9" in refused(capsys, *shards)


def test_a_run_that_is_still_written_is_refused_until_it_has_ended(shards, capsys, cold):
    code = "from pytest_seedshift.results.run_folder import RunFolder; from pathlib import Path; import time\n"
    code += "lock = RunFolder(Path('shard-2')).occupy(); print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout.readline() == b"ready\n"
            assert "shard-2: a run still writes to it" in refused(capsys, *shards)
        finally:
            os.kill(writer.pid, signal.SIGKILL)
    assert main(["merge", *shards, "--output", "merged"]) == 1  # who dies lets go


def test_a_session_occupies_its_run_folder_while_it_runs(pytester, run):
    pytester.makepyfile(
        """
        from pathlib import Path
        import pytest
        from pytest_seedshift.results.run_folder import RunFolder

        @pytest.mark.reliability
        def test_mine():
            assert RunFolder(Path(".seedshift")).is_occupied()
        """
    )
    run(*SMALL, "-k", "none").assert_outcomes(passed=1, deselected=30)
    assert not RunFolder(pytester.path / ".seedshift").is_occupied()
    assert not list(pytester.path.glob(".seedshift/locks/session-*"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "shard-2: it has no verdicts.json: no run has ended there"),
        ("{", "shard-2: its verdicts.json is damaged"),
        ("[]", "shard-2: its verdicts.json was not written by seedshift"),
        ('{"version": 9, "cases": []}', "shard-2: its verdicts.json has the format 9, this version reads 1: upgrade"),
        ('{"version": 1, "cases": []}', "shard-2: its verdicts.json does not say what it is a part of"),
    ],
)
def test_verdicts_that_cannot_be_used(shards, capsys, content, told):
    file = Path("shard-2/verdicts.json")
    file.unlink() if content is None else file.write_text(content)
    assert told in refused(capsys, *shards)


def test_folders_that_are_none(shards, capsys):
    assert "nowhere: no such folder" in refused(capsys, "shard-1", "nowhere")
    Path("file").touch()
    assert "file: not a folder" in refused(capsys, "file")


def test_targets_that_would_lose_something(shards, capsys):
    assert main(["merge", *shards, "--output", "shard-1"]) == 4
    assert "--output shard-1: is one of the runs to join" in capsys.readouterr().err
    assert main(["merge", "shard-2", "--output", "shard-1"]) == 4
    assert "--output shard-1: is not empty, and no earlier merge has made it" in capsys.readouterr().err
    Path("file").touch()
    assert main(["merge", *shards, "--output", "file"]) == 4
    assert "--output file: not a folder" in capsys.readouterr().err


def test_a_damaged_store_is_told_by_its_own_name(shards, capsys):
    file = Path("shard-2/samples.sqlite")
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    Path("shard-2/samples.sqlite-wal").unlink(missing_ok=True)
    told = refused(capsys, *shards)
    assert "shard-2/samples.sqlite: damaged" in told
    assert "Run that shard again" in told


def test_a_run_without_its_samples_counts_and_is_told(shards, capsys):
    for file in Path("shard-2").glob("samples.sqlite*"):
        file.unlink()
    assert main(["merge", *shards, "--output", "merged"]) == 1
    assert "warning: shard-2 has no samples.sqlite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "COMMAND"),
        (["marge"], "unknown command 'marge'. Did you mean 'merge'?"),
        (["merge"], "RUN"),
        (["merge", "shard-1"], "--output"),
        (["merge", "--output", "merged"], "RUN"),
        (["merge", "a", "--output", "b", "--what"], "unknown option '--what'"),
    ],
)
def test_a_command_line_that_cannot_be_read_ends_with_pytests_status_for_that(capsys, arguments, told):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == pytest.ExitCode.USAGE_ERROR
    assert told in capsys.readouterr().err


def test_the_command_runs_as_a_module_and_its_help_loads_no_torch(cold):
    code = (
        "import runpy, sys; sys.argv[1:] = ['--help']\ntry: runpy.run_module('pytest_seedshift', run_name='__main__')\n"
    )
    code += "except SystemExit: print('torch' in sys.modules)"
    started = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "False", time.perf_counter() - started
    assert "merge" in found.stdout
