"""Workers of pytest-xdist that die: killed, crashed, or ended by themselves after an error that poisons the process."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from helpers.runs import EASY, PAGELESS, SMALL, cases_of, samples_of

IMAGES, BATCH = 16, 4

POISON = 'torch.AcceleratorError("CUDA error: device-side assert triggered\\nCUDA kernel errors might come late")'

# What ends the process that has a case in work, in the forward of the model's own network after some of its batches.
DEADLY = """
import os, signal
import pytest, torch

ENDS = {ends!r}
STEPS = {steps}
calls = 0
deadly = None

def end(module, arguments):
    global calls
    if deadly is None or type(module).__name__ != "UNet2DConditionModel":
        return
    calls += 1
    if calls > STEPS + 1:  # a model that was just loaded is tried by one step
        if deadly == "CUDA":
            raise {error}
        os.kill(os.getpid(), getattr(signal, deadly))

hook = torch.nn.modules.module.register_module_forward_pre_hook(end)

class Plugin:  # the built-in suite is not in this folder, so that it does not hear of a conftest's hooks
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        global calls, deadly
        calls = 0
        deadly = next((how for what, how in ENDS.items() if what in item.nodeid), None)

def pytest_unconfigure():
    hook.remove()

def pytest_configure(config):
    config.pluginmanager.register(Plugin())
    if hasattr(config, "workerinput"):
        with open("workers.txt", "a") as file:
            names = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"
            print(config.workerinput["workerid"], *[os.environ.get(name) for name in names], file=file)
"""


def deadly(pytester, ends: dict[str, str], batches: int, error: str = POISON) -> None:
    """Let the process end in the batch of a case that follows so many."""
    from pytest_seedshift.models import catalogue

    steps = batches * catalogue.shipped().find("toy-latent").steps
    pytester.makeconftest(DEADLY.format(ends=ends, steps=steps, error=error))


@pytest.mark.slow
def test_cases_of_workers_that_die_are_errors_and_all_others_go_on(pytester, run, verdicts, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7")
    ends = {"mean-": "SIGKILL", "std-": "SIGSEGV", "mixed-": "CUDA"}
    arguments = (*SMALL, f"--seedshift-batch-size={BATCH}", "--seedshift-magnitude=0.3")
    run(*arguments, "-k", "none").assert_outcomes(passed=1, deselected=5)  # else a worker may make it before its case
    deadly(pytester, ends, batches=2)
    reports = ("--html=report.html", "--self-contained-html", "--junitxml=junit.xml")
    result = pytester.runpytest_subprocess(*arguments, *reports, "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, errors=3)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")

    found = verdicts()
    dead = {name: case for name, case in found.items() if any(what in name for what in ends)}
    assert len(found) == 6
    assert len(dead) == 3
    assert {case["verdict"] for case in dead.values()} == {"error"}
    assert {case["verdict"] for name, case in found.items() if name not in dead} == {"pass"}
    killed, crashed, poisoned = (next(case["reason"] for name, case in dead.items() if what in name) for what in ends)
    assert re.match(r"worker gw\d died \(killed by SIGKILL, .*\) while it had toy-latent, mean \+0\.30 in work", killed)
    assert "died (killed by SIGSEGV) while it had toy-latent, std +0.30" in crashed
    assert "toy-latent, mixed +0.30: no verdict, because of a CUDA error: CUDA error: device-side assert" in poisoned
    assert all("the next run goes on from them" in reason for reason in (killed, crashed, poisoned))

    # The same in the terminal, in JUnit's file, in pytest-html's.
    result.stdout.fnmatch_lines_random(
        [
            "*/6 toy-latent mean +0.30 *ERROR*",
            "ERROR seedshift::*mean-+0.30* - worker gw*",
            "*_ ERROR at setup of test_reliability?toy-latent-mean-+0.30? _*",
            "6 cases: 3 pass, 0 fail, 3 cannot be judged*",
        ]
    )
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")}
    assert len(cases) == 6
    errors = {name: case.find("error") for name, case in cases.items() if case.find("error") is not None}
    assert len(errors) == 3
    assert all(dead[name.partition("[")[2][:-1]]["reason"] in error.text for name, error in errors.items())
    properties = {each.get("name"): each.get("value") for each in cases[next(iter(errors))].iter("property")}
    assert properties["seedshift_verdict"] == "error"
    blob = re.search(r'data-jsonblob="([^"]*)"', (pytester.path / "report.html").read_text())
    rows = json.loads(html.unescape(blob[1]))["tests"]
    assert len(rows) == 6
    assert all(len(tests) == 1 for tests in rows.values())
    assert sum(tests[0]["result"] == "Error" for tests in rows.values()) == 3
    assert '<td class="col-shift">mixed</td>' in next(
        tests[0]["resultsTableRow"] for name, tests in rows.items() if "mixed" in name
    )

    # Each worker was pinned, and each that took the place of a dead one like it.
    started = sorted(line.split() for line in (pytester.path / "workers.txt").read_text().splitlines())
    assert [name for name, *_ in started] == [f"gw{number}" for number in range(5)]
    pinned = {name: gpu for name, gpu, _ in started}
    assert (pinned["gw0"], pinned["gw1"]) == ("3", "5")
    place = {"gw0": "3", "gw1": "5"}
    lost = re.findall(r"\[(gw\d)\] node down", result.stdout.str())
    for number, name in enumerate(lost, start=2):
        place[f"gw{number}"] = place[name]
    assert pinned == place

    # Samples that were finished are kept, and the next run goes on from them.
    made = {
        name: sum(s["shift"] == name for s in samples_of(pytester.path / ".seedshift"))
        for name in ("none", "mean", "std", "mixed", "random", "arrangement")
    }
    assert made == {"none": 16, "random": 16, "arrangement": 16, "mean": 8, "std": 8, "mixed": 8}
    deadly(pytester, {}, 0)
    run(*arguments).assert_outcomes(passed=6)
    again = verdicts()
    assert {again[name]["generated"] for name in dead} == {8}
    assert sum(case["generated"] for case in again.values()) == 3 * 8
    for name in found.keys() - dead.keys():
        assert again[name] == {**found[name], "generated": 0, "seconds": 0.0}


def test_without_workers_a_poisoned_process_ends_with_its_case_as_an_error(pytester, run, verdicts):
    deadly(pytester, {"none-": "CUDA"}, batches=2)
    result = run(*SMALL, f"--seedshift-batch-size={BATCH}", "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "toy-latent, control: no verdict, because of a CUDA error: CUDA error: device-side assert triggered. *",
            "0 of 2 cases judged: 0 pass, 0 fail, 1 cannot be judged, 1 without a verdict*",
            "1 case did not run; what was made is kept",
            "*a CUDA error has made this process useless: CUDA error: device-side assert triggered*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    assert [case["verdict"] for case in verdicts().values()] == ["error"]
    assert len(samples_of(pytester.path / ".seedshift")) == (1 + 2) * BATCH  # the first one for the plan


def test_an_error_that_does_not_last_leaves_the_session_going(pytester, run):
    """The negative control: the same place, another error."""
    deadly(pytester, {"none-": "CUDA"}, batches=0, error='RuntimeError("shapes cannot be multiplied")')
    run(*PAGELESS, f"--seedshift-batch-size={BATCH}").assert_outcomes(errors=1, passed=1)


# Without pytest-xdist ---------------------------------------------------------------------------------------------


def test_it_works_with_pytest_xdist_switched_off(run):
    result = run(*PAGELESS, "-pno:xdist")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["1 model load"])


@pytest.mark.slow
def test_it_works_where_pytest_xdist_is_not_installed(pytester, monkeypatch):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    missing = pytester.mkdir("missing")
    for name in ("xdist", "execnet"):
        (missing / f"{name}.py").write_text("raise ModuleNotFoundError(f'No module named {__name__!r}')\n")
    monkeypatch.setenv("PYTHONPATH", str(missing), prepend=":")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(
        "import pytest\ndef pytest_configure():\n    with pytest.raises(ModuleNotFoundError):\n        import xdist\n"
    )
    result = pytester.runpytest_subprocess("-ppytest_seedshift.plugin", *PAGELESS)
    result.assert_outcomes(passed=2)
    assert len(cases_of(pytester.path / ".seedshift")) == 2


# Killed at random -------------------------------------------------------------------------------------------------

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.nightly
@pytest.mark.slow
def test_kills_at_random_moments_lose_no_sample_and_turn_no_case_green(cold):
    command = [sys.executable, BENCHMARKS / "kills.py", "--short"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(re.findall(r"^(.*?) {2,}(\d.*)$", done.stdout, re.MULTILINE))
    assert figures["samples lost beyond the batches in flight"] == "0"
    killed, shown = map(int, re.findall(r"(\d+), shown as errors (\d+)", done.stdout)[0])
    assert killed == shown >= 1


def test_the_count_of_lost_samples_can_fail(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import kills

    first, second = [1, "batch", "case", [["cat", 0], ["dog", 0]]], [1, "batch", "case", [["cat", 1], ["dog", 1]]]
    again = [2, *second[1:]]
    assert kills.made_again([first, second, again], killed=[1]) == (2, 0)
    assert kills.made_again([first, second, again], killed=[]) == (0, 2)
    assert kills.made_again([first, second, [2, *first[1:]]], killed=[1]) == (0, 2)
    assert kills.in_work([[1, "start", "a"], [2, "start", "b"], [1, "end", "a"]]) == {2: "b"}
