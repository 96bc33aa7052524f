"""Cases over the workers of pytest-xdist."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest
import torch

from helpers.runs import EASY, SMALL, cases_of, samples_of
from pytest_seedshift.plugin import xdist_workers
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies.trajectories import files


@pytest.fixture
def one_thread(monkeypatch):
    """In this process and in all that it starts: sums over threads differ in their last bits."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_two_workers_share_the_cases_and_report_as_one_process_would(pytester, run, verdicts, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "step.md"))
    pytester.path.joinpath("thresholds.toml").write_text(
        f"{EASY}top5 = {{ max_drop = 0.9 }}\n[shift.std]\nclip = 50.0\n"
    )
    asked = ("--seedshift-shift=mean,std", "--seedshift-magnitude=0.3", "--seedshift-sensitivity=always")
    arguments = (*SMALL, *asked)
    reports = ("--html=report.html", "--self-contained-html", "--junitxml=junit.xml", "--seedshift-trajectories=1")
    result = pytester.runpytest_subprocess(*arguments, "-n2", *reports)
    result.assert_outcomes(passed=2, failed=1)
    annotations = [line.partition(" fails::")[0] for line in result.outlines if "::error" in line]
    assert annotations == ["::error title=toy-latent%2C std +0.30"]
    step = (pytester.path / "step.md").read_text()
    assert step.count("toy-latent fails 1 of 3 cases: breaks under std at +0.30") == 1
    cases = ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    properties = [{each.get("name"): each.get("value") for each in case.iter("property")} for case in cases]
    assert len(properties) == 3
    assert all(float(each["seedshift_clip_low"]) <= float(each["seedshift_clip"]) for each in properties)
    assert sum("seedshift_clip_control" in each for each in properties) == 2
    monkeypatch.delenv("GITHUB_ACTIONS")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    recorded = [files.read(path) for path in files.find(RunFolder(pytester.path / ".seedshift"))]
    assert len([each for each in recorded if each.trajectory is not None]) == 3
    assert not (pytester.path / ".seedshift/trajectories/states").exists()
    found = verdicts()
    assert len(found) == 3
    assert found["toy-latent-std-+0.30"]["verdict"] == "fail"
    result.stdout.fnmatch_lines(["toy-latent*", "  std  *", "3 cases: 2 pass, 1 fail*"])
    result.stdout.fnmatch_lines(["seedshift: 3 cases of toy-latent on cpu (float32), 48 images, certainty 0.99"])
    samples = samples_of(pytester.path / ".seedshift")
    assert len({(sample["shift"], sample["magnitude"]) for sample in samples}) == 3
    assert len(samples) == 48 == sum(case["generated"] for case in found.values())
    robustness = (pytester.path / ".seedshift/report.html").read_text()
    assert "toy-latent fails 1 of 3 cases: breaks under std at +0.30" in robustness
    (facts,) = json.loads((pytester.path / ".seedshift/run.json").read_text())["runs"]
    assert facts["workers"] == 2
    assert facts["models"][0]["hardware"].startswith("cpu")
    assert len(facts["models"][0]["classes"]) == 16
    page = (pytester.path / "report.html").read_text()
    assert "toy-latent fails 1 of 3 cases" in page
    assert 'data-column-type="clip"' in page
    result.stdout.fnmatch_lines(["seed use of toy-latent: another seed vector *", "2 model loads by 2 workers"])
    assert len(list((pytester.path / ".seedshift/sensitivity").iterdir())) == 1

    run(*arguments, "--seedshift-dir=alone").assert_outcomes(passed=2, failed=1)
    alone = pytester.path / "alone"
    assert _scores(samples_of(alone)) == _scores(samples)
    way = {"generated": None, "seconds": None}
    assert [_plain(case) | way for case in sorted(cases_of(alone).values(), key=lambda case: case["id"])] == [
        _plain(case) | way for case in sorted(found.values(), key=lambda case: case["id"])
    ]


def _scores(samples):
    names = ("model", "shift", "magnitude", "label", "seed", "image")
    return {tuple(sample.get(name) for name in names): sample["scores"] for sample in samples}


def _plain(case):
    """What verdicts.json says of a case, without the run folder's name."""
    return {**case, "reason": case["reason"].partition("pictures:")[0]}


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_worker_that_dies_while_it_collects_leaves_the_others_their_work(pytester):
    """pytest-xdist 3.8 itself would shut the others down, and leave all to the one that is started anew."""
    pytester.makeconftest(
        """
        import os, signal, time

        def pytest_collection_modifyitems(session):
            if getattr(session.config, "workerinput", {}).get("workerid") == "gw0":
                time.sleep(1)
                os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    pytester.makepyfile(
        """
        import time
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_plain(number):
            time.sleep(0.2)
        """
    )
    result = pytester.runpytest_subprocess("--seedshift-model=toy-latent", "-kplain", "-n2", "-v")
    result.assert_outcomes(passed=8)
    took_part = Counter(re.findall(r"^\[(gw\d)\].*PASSED", result.stdout.str(), re.MULTILINE))
    assert took_part.keys() == {"gw1", "gw2"}


@pytest.mark.parametrize(
    ("arguments", "dist"),
    [
        (["-n2"], "worksteal"),
        (["-nauto"], "worksteal"),
        (["-n2", "--dist=load"], "load"),
        (["-n2", "--dist=loadfile"], "loadfile"),
        (["-n2", "-d"], "no"),
        (["-n0"], "no"),
        ([], "no"),
    ],
)
def test_workers_steal_work_unless_the_user_says_otherwise(pytester, arguments, dist):
    config = pytester.parseconfig("--seedshift-model=toy-latent", *arguments)
    xdist_workers.prefer_worksteal(config)
    assert config.option.dist == dist


def test_other_projects_keep_the_workers_that_they_had(pytester, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7")
    pytester.makepyfile(
        "import os\ndef test_plain():\n    assert os.environ['CUDA_VISIBLE_DEVICES'] == '3,5,7'\n"
        "    assert 'OMP_NUM_THREADS' not in os.environ\n"
    )
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    result = pytester.runpytest_subprocess("-n1", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])


@pytest.mark.slow
def test_auto_is_a_worker_a_gpu_and_more_share_them_with_a_warning(pytester, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    pytester.makepyfile(
        """
        import os, time
        import pytest

        @pytest.mark.parametrize("number", range(12))
        def test_plain(number, worker_id):
            time.sleep(0.1)
            print(worker_id, os.environ["CUDA_VISIBLE_DEVICES"])
        """
    )
    arguments = ("--seedshift-model=toy-latent", "-kplain", "-rP")
    result = pytester.runpytest_subprocess(*arguments, "-nauto")
    result.assert_outcomes(passed=12)
    assert set(re.findall(r"^(gw\d) (\S+)$", result.stdout.str(), re.MULTILINE)) == {("gw0", "GPU-a"), ("gw1", "GPU-b")}
    result.stdout.no_fnmatch_line("seedshift: warning*")
    result = pytester.runpytest_subprocess(*arguments, "-n3")
    result.assert_outcomes(passed=12)
    pinned = dict(re.findall(r"^(gw\d) (\S+)$", result.stdout.str(), re.MULTILINE))
    assert pinned == {"gw0": "GPU-a", "gw1": "GPU-b", "gw2": "GPU-a"}
    result.stdout.fnmatch_lines(["seedshift: warning: 3 workers share 2 GPUs: *"])


@pytest.mark.slow
def test_mistakes_are_told_before_the_workers_start(pytester):
    result = pytester.runpytest_subprocess(*SMALL, "-n2", "--seedshift-images=3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: 3 images are fewer than the 16 classes*"])


@pytest.mark.slow
def test_a_mistake_that_only_the_workers_see_is_an_error_in_words(pytester, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pytester.path.joinpath("thresholds.toml").write_text("[shift.mean]\ntop1 = 0.0\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(models="toy-latnt")
        def test_misspelt():
            pass

        @pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.1, images=16)
        def test_without_a_threshold_for_the_control():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-n2")
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        ["unknown model 'toy-latnt'. Did you mean 'toy-latent'?*", "*no threshold for toy-latent-none-+0.00.*"]
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*During handling*")


# Cases that are not known of when the workers start ------------------------------------------------------------------

MARKED = """
import pytest

@pytest.mark.reliability(models="toy-latent", shifts="mean", magnitudes=0.3, images=16, exact=True)
def test_it():
    pass

def test_plain():
    pass
"""


@pytest.mark.usefixtures("one_thread")
def test_cases_of_markers_are_reported_as_if_they_had_been_known_from_the_start(pytester, run, verdicts, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("temporary")))
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    pytester.makepyfile(test_marked=MARKED)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n1", "--html=page.html", "--junitxml=junit.xml")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["seedshift: 2 cases of toy-latent on cpu (float32), 32 images, *", "* 2/2 toy-latent *", "2 cases: 2 pass*"]
    )
    assert {case["verdict"] for case in verdicts().values()} == {"pass"}
    assert 'data-column-type="clip"' in pytester.path.joinpath("page.html").read_text()
    assert "seedshift_clip" in pytester.path.joinpath("junit.xml").read_text()
    assert pytester.path.joinpath(".seedshift/report.html").is_file()
    assert not list(pytester.path.glob("temporary/seedshift-*"))


def test_a_mistake_about_such_cases_ends_the_session(pytester):
    pytester.path.joinpath(".seedshift").write_text("a file")
    pytester.makepyfile(test_marked=MARKED)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n1", "--html=page.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --seedshift-dir=*.seedshift*"])
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
