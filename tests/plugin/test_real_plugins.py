"""Plugins that people have beside ours: one record a case, with pytest's own word, or a refusal before the work.

They are no part of the tests' environment, where they would shuffle, repeat and time every test: CI's step `plugins`
installs the extra of that name. Elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from importlib import metadata

import pytest

from helpers.runs import ONE, SMALL
from pytest_seedshift.__main__ import main

NAMES = {
    "rerunfailures": "rerunfailures",
    "retry": "pytest-retry",
    "randomly": "randomly",
    "random-order": "random_order",
    "timeout": "timeout",
    "cov": "pytest_cov",
    "split": "pytest-split",
    "forked": "pytest_forked",
}
"""By the last part of a distribution's name, the name of its plugin."""


def installed(name: str) -> bool:
    try:
        metadata.distribution(f"pytest-{name}")
    except metadata.PackageNotFoundError:
        return False
    return True


MISSING = [name for name in NAMES if not installed(name)]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"needs the extra 'plugins' (pytest-{', pytest-'.join(MISSING)})"),
    pytest.mark.filterwarnings("default"),  # theirs
]

BREAKS = "[default]\ntop1 = 0.0\n[shift.mean]\nclip = 50.0\n"
EASY = "[default]\ntop1 = 0.0\n"
CONTROL, MEAN = "toy-latent-none-+0.00", "toy-latent-mean-+0.30"
JUDGED = "@pytest.mark.reliability(shifts='mean', magnitudes=[0.3])\ndef test_mine(reliability):\n    {}\n"
LATER = "N.append(1)\n    assert len(N) > 2"
FAILS = {CONTROL: "pass", MEAN: "fail"}
PASSES = {CONTROL: "pass", MEAN: "pass"}
SLOW = "import time\n    if not reliability.case.is_control:\n        time.sleep(60)"


def _none_but(*names: str) -> list[str]:
    off = [plugin for name, plugin in NAMES.items() if name not in names]
    return [part for plugin in off for part in ("-p", f"no:{plugin}")]


def _records(pytester: pytest.Pytester) -> dict[str, dict]:
    document = json.loads((pytester.path / ".seedshift/verdicts.json").read_text())
    records = [*document["cases"], *document.get("breaking", ())]
    assert len({record["test"] for record in records}) == len(records)
    assert {record["test"] for record in records} <= {entry["test"] for entry in document["grid"]}
    return {record["id"]: record for record in records}


@pytest.mark.parametrize(
    ("names", "arguments", "body", "mark", "thresholds", "expected", "outcome"),
    [
        (["rerunfailures"], ["--reruns=1"], "pass", "", BREAKS, FAILS, None),
        (["rerunfailures"], ["--reruns=2"], LATER, "", EASY, PASSES, None),
        (["rerunfailures"], [], "pass", "@pytest.mark.flaky(reruns=1)", BREAKS, FAILS, None),
        (["rerunfailures"], ["--reruns=1"], "pass", "@pytest.mark.xfail(strict=True)", BREAKS, FAILS, "xfailed"),
        (["retry"], ["--retries=1"], "pass", "", BREAKS, FAILS, None),
        (["retry"], ["--retries=2"], LATER, "", EASY, PASSES, None),
        (["retry"], ["--retries=1"], "pass", "@pytest.mark.xfail(strict=True)", BREAKS, FAILS, "xfailed"),
        (["randomly"], ["-p", "randomly", "-p", "no:cacheprovider"], "pass", "", BREAKS, FAILS, None),
        (["randomly", "rerunfailures"], ["--reruns=1"], "pass", "", BREAKS, FAILS, None),
        (["random-order"], ["--random-order"], "pass", "", BREAKS, FAILS, None),
        (["timeout"], ["--timeout=300"], "pass", "", BREAKS, FAILS, None),
        (["cov"], ["--cov=test_mine", "--cov-report="], "pass", "", BREAKS, FAILS, None),
    ],
)
def test_one_record_a_case_with_pytest_s_own_word(
    pytester, run, capsys, names, arguments, body, mark, thresholds, expected, outcome
):
    pytester.path.joinpath("thresholds.toml").write_text(thresholds)
    pytester.makepyfile(test_mine=f"import pytest\n\nN = []\n\n{mark}\n{JUDGED.format(body)}")
    result = run(*_none_but(*names), *SMALL, "--seedshift-report=none", *arguments, "--junitxml=junit.xml")
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    found = _records(pytester)
    assert {name: record["verdict"] for name, record in found.items()} == expected
    assert found[MEAN].get("outcome") == outcome
    red = "fail" in expected.values() and outcome is None
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if red else pytest.ExitCode.OK)
    assert "2 cases: " in result.stdout.str()
    assert " 32 generated" in result.stdout.str()  # an attempt is paid for once
    for case in ET.parse(pytester.path / "junit.xml").iter("testcase"):
        names_ = [each.get("name") for each in case.iter("property")]
        assert len(names_) == len(set(names_)) > 3
    capsys.readouterr()
    assert main(["merge", ".seedshift", "--output", "merged"]) == result.ret


def test_a_case_that_takes_too_long_is_an_error_in_the_plugin_s_words(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    pytester.makepyfile(test_mine=f"import pytest\n\n{JUDGED.format(SLOW)}")
    result = run(*_none_but("timeout"), *SMALL, "--seedshift-report=none", "--timeout=15", "--timeout-method=signal")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = _records(pytester)
    assert (found[CONTROL]["verdict"], found[MEAN]["verdict"]) == ("pass", "fail")
    assert "Timeout" in found[MEAN]["reason"]


@pytest.mark.parametrize("named", [True, False])
def test_a_group_of_pytest_split_is_a_part_that_merge_knows(pytester, run, capsys, named):
    """Also where no option names a model, so that our hooks come when pytest-split's are there."""
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    model = "" if named else "models='toy-latent', images=16, "
    pytester.makepyfile(test_mine=f"import pytest\n\n{JUDGED.format('pass')}".replace("(shifts", f"({model}shifts"))
    given = SMALL if named else ()
    for group in (1, 2):
        part = ["--splits=2", f"--group={group}", f"--seedshift-dir=part-{group}", "--seedshift-report=none"]
        assert run(*_none_but("split"), *given, *part).ret == pytest.ExitCode.OK
    capsys.readouterr()
    assert main(["merge", "part-1", "--output", "half"]) == 1
    assert "no verdict about 1 case" in capsys.readouterr().out
    assert main(["merge", "part-1", "part-2", "--output", "merged"]) == 0
    assert "2 cases of 2 runs: 2 pass, 0 fail" in capsys.readouterr().out


def test_forks_are_refused_before_the_work(pytester, run):
    result = run(*_none_but("forked"), *ONE, "--forked")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --forked: pytest-forked runs each test in a fork *"])
    assert not (pytester.path / ".seedshift").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "arguments", "mark"),
    [
        (["rerunfailures"], ["--reruns=1", "--dist=loadgroup"], "@pytest.mark.xdist_group('gpu')"),
        (["retry", "cov"], ["--retries=1", "--cov=test_mine", "--cov-report="], ""),
    ],
)
def test_with_workers(pytester, names, arguments, mark):
    pytester.path.joinpath("thresholds.toml").write_text(BREAKS)
    pytester.makepyfile(test_mine=f"import pytest\n\n{mark}\n{JUDGED.format('pass')}")
    result = pytester.runpytest_subprocess(
        *_none_but(*names), "-p", "no:cacheprovider", *SMALL, "--seedshift-report=none", *arguments, "-n2"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert {name: record["verdict"] for name, record in _records(pytester).items()} == FAILS
    assert "2 cases: 1 pass, 1 fail" in result.stdout.str()
    assert main(["merge", str(pytester.path / ".seedshift"), "--output", str(pytester.path / "merged")]) == 1
