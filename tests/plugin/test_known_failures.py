"""Tests that are expected to fail, skipped, or not run: pytest, the run folder, `merge`, all reports say the same."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from helpers.runs import ONE, SMALL
from pytest_seedshift.__main__ import main
from pytest_seedshift.reporting import card, publish, summary
from pytest_seedshift.results import run as runs

BREAKS = "[default]\ntop1 = 0.0\n[shift.mean]\nclip = 50.0\n"
"""The control passes, a shifted case does not."""

JUDGED = "@pytest.mark.reliability(shifts='mean', magnitudes=[0.3])\ndef test_mine():\n    pass\n"
FAILING = {"failed", "errors"}


def counts(result: pytest.RunResult) -> dict[str, int]:
    return {name: number for name, number in result.parseoutcomes().items() if name != "warnings"}


def junit_counts(path) -> dict[str, int]:
    suite = next(ET.parse(path).iter("testsuite"))
    return {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}


@pytest.fixture
def agree(pytester, run, capsys):
    """Run a test file; hold all that was written against pytest's own outcomes; the records by id."""

    def agree(body: str, thresholds: str = BREAKS, *arguments: str, given: tuple[str, ...] = SMALL) -> dict:
        pytester.path.joinpath("thresholds.toml").write_text(thresholds)
        pytester.makepyfile(test_mine=f"import pytest\n\n{body}")
        result = run(*given, *arguments, "--junitxml=junit.xml", "--html=page.html", "--self-contained-html")
        assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
        found = counts(result)
        assert bool(FAILING & found.keys()) == (result.ret == pytest.ExitCode.TESTS_FAILED), found
        document = json.loads((pytester.path / ".seedshift/verdicts.json").read_text())
        records = [*document["cases"], *document.get("breaking", ())]
        assert len({record["test"] for record in records}) == len(records) == len(document["grid"])

        capsys.readouterr()
        assert main(["merge", ".seedshift", "--output", "merged"]) == result.ret
        said = capsys.readouterr().out
        merged = junit_counts(pytester.path / "merged/junit.xml")
        assert merged == junit_counts(pytester.path / "junit.xml")
        assert json.loads((pytester.path / "merged/verdicts.json").read_text())["cases"] == document["cases"]

        told = runs.load(pytester.path / ".seedshift")
        page, html = ((pytester.path / name).read_text() for name in (".seedshift/report.html", "page.html"))
        markdown = summary.make(told, publish.LIMIT)
        closing = [line.partition(" · ")[0] for line in result.outlines if "images looked at, " in line]
        assert all(line in said or line.replace(":", " of 1 run:", 1) in said for line in closing)
        for name, word in (("xfailed", "known"), ("failed", "fail"), ("xpassed", "unexpectedly")):
            if found.get(name):
                assert word in "".join(closing)
        if "failed" not in found:  # of known failures nobody asks what chance has to do with them
            assert not re.search(r"fails? a threshold: ", result.stdout.str() + markdown)
        signs = {True: "❌", False: "known failure"}
        assert (signs[True] in markdown) == ("failed" in found), markdown
        assert (signs[False] in markdown) == ("xfailed" in found), markdown
        assert ('class="mark fail"' in page) == ("failed" in found)
        assert ("known failure</span>" in page) == ("xfailed" in found)
        (sentence,) = [line for line in markdown.splitlines() if line.startswith("- ") and "**" in line]
        sentence = sentence.partition("**")[2].partition("**")[0].removesuffix(".")
        assert sentence.replace("&#45;", "-").replace("&#43;", "+") in page
        if any(record["scores"] for record in records):
            assert sentence.replace("&#45;", "-").replace("&#43;", "+") in html
        if any(record["verdict"] in ("pass", "fail") for record in document["cases"]):
            assert sentence in card.make(told, *told.models)
        return {record["id"]: record for record in records}

    return agree


CONTROL, MEAN = "toy-latent-none-+0.00", "toy-latent-mean-+0.30"


def brief(records: dict) -> dict[str, tuple[str, str | None]]:
    return {name: (record["verdict"], record.get("outcome")) for name, record in records.items()}


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("@pytest.mark.xfail(reason='known', strict=True)", {CONTROL: ("pass", None), MEAN: ("fail", "xfailed")}),
        ("@pytest.mark.xfail(reason='known', run=False)", 2 * [("skipped", "xfailed")]),
        ("@pytest.mark.skip(reason='not here')", 2 * [("skipped", None)]),
        ("@pytest.mark.skipif(False, reason='never')", {CONTROL: ("pass", None), MEAN: ("fail", None)}),
    ],
)
def test_what_pytest_says_of_a_mark_all_say(agree, mark, expected):
    found = agree(f"{mark}\n{JUDGED}")
    assert brief(found) == (
        expected if isinstance(expected, dict) else dict(zip((CONTROL, MEAN), expected, strict=True))
    )
    reason = {"xfailed": "known", None: "not here"}
    for record in found.values():
        if record["verdict"] == "skipped":
            assert reason[record.get("outcome")] in (record["reason"] + record.get("xfail", ""))


def test_a_strict_expectation_that_is_not_met_fails_and_is_no_break(agree):
    found = agree(f"@pytest.mark.xfail(reason='known', strict=True)\n{JUDGED}", "[default]\ntop1 = 0.0\n")
    assert brief(found) == {CONTROL: ("pass", None), MEAN: ("fail", "xpassed")}
    assert found[MEAN]["xfail"] == "known"


def test_a_control_that_its_test_names_is_meant_by_the_mark(agree):
    body = JUDGED.replace("[0.3]", "[0, 0.3]")
    found = agree(f"@pytest.mark.xfail(reason='known', strict=True)\n{body}")
    assert brief(found) == {CONTROL: ("fail", "xpassed"), MEAN: ("fail", "xfailed")}


def test_a_pass_that_is_not_expected_is_a_pass(agree):
    found = agree(f"@pytest.mark.xfail(reason='known')\n{JUDGED}", "[default]\ntop1 = 0.0\n")
    assert brief(found) == {CONTROL: ("pass", None), MEAN: ("pass", "xpassed")}


def test_a_known_break_in_one_test_and_the_rest_in_another(agree):
    known = f"@pytest.mark.xfail(reason='known', strict=True)\n{JUDGED}"
    rest = "@pytest.mark.reliability(shifts='std', magnitudes=[0.3])\ndef test_rest():\n    pass\n"
    found = agree(f"{known}\n{rest}")
    assert brief(found) == {CONTROL: ("pass", None), MEAN: ("fail", "xfailed"), "toy-latent-std-+0.30": ("pass", None)}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pytest.skip('not today')", 2 * [("skipped", None)]),
        ("pytest.xfail('known')", 2 * [("fail", "xfailed")]),
        ("assert reliability.case.is_control", [("pass", None), ("fail", None)]),
    ],
)
def test_what_a_test_says_itself_all_say(agree, body, expected):
    """`pytest.xfail` of the body expects the control to fail as well: it does, with pytest's word."""
    text = JUDGED.replace("test_mine()", "test_mine(reliability)").replace("    pass", f"    {body}")
    assert list(brief(agree(text, "[default]\ntop1 = 0.0\n")).values()) == expected


def test_without_the_marker_the_test_decides_and_merge_agrees(agree):
    found = agree("def test_mine(reliability):\n    assert reliability.scores\n", given=ONE)
    assert brief(found) == {CONTROL: ("pass", None), MEAN: ("pass", None)}
    assert found[MEAN]["reason"].startswith("the test decides, and passes: ")


def test_a_skip_in_a_fixture_of_the_user_s(agree):
    fixture = "@pytest.fixture(autouse=True)\ndef gpu():\n    pytest.skip('no GPU')\n\n"
    assert list(brief(agree(fixture + JUDGED)).values()) == 2 * [("skipped", None)]


HOOKS = {
    "its word changed to a known failure": (
        "report = yield\n    if report.when == 'call' and report.failed:\n"
        "        report.outcome, report.wasxfail = 'skipped', 'reason: ticket 12'\n    return report",
        [("pass", None), ("fail", "xfailed")],
    ),
    "a failure of what passes": (
        "report = yield\n    if report.when == 'call':\n        report.outcome = 'failed'\n"
        "        report.longrepr = 'too slow'\n    return report",
        [("fail", None), ("fail", None)],
    ),
    "a report in place of the report": (
        "yield\n    return pytest.TestReport.from_item_and_call(item, call)",
        [("pass", None), ("fail", None)],
    ),
    "a pass of what fails": (
        "report = yield\n    report.outcome = 'passed'\n    return report",
        [("pass", None), ("fail", None)],
    ),
}


@pytest.mark.parametrize(
    "order",
    [
        "",
        pytest.param("tryfirst=True", marks=pytest.mark.nightly),
        pytest.param("trylast=True", marks=pytest.mark.nightly),
    ],
)
@pytest.mark.parametrize("name", HOOKS)
def test_a_conftest_s_hook_has_its_word_and_all_say_so(pytester, agree, name, order):
    body, expected = HOOKS[name]
    arguments = ", ".join(filter(None, ["wrapper=True", order]))
    pytester.makeconftest(
        f"import pytest\n\n@pytest.hookimpl({arguments})\ndef pytest_runtest_makereport(item, call):\n    {body}\n"
    )
    assert list(brief(agree(JUDGED)).values()) == expected


def test_a_search_that_is_known_to_break_early(agree):
    text = "@pytest.mark.xfail(reason='known', strict=True)\n"
    text += "@pytest.mark.breaking_point(shifts='mixed', signs='-', min_breaking_point=0.9)\n"
    quick = ("--seedshift-model=toy-latent+steps=3", *SMALL[1:])
    found = agree(f"{text}def test_search():\n    pass\n\n{JUDGED}", "[default]\ntop1 = 0.2\n", given=quick)
    searches = [each for each in found.values() if "probes" in each]
    assert searches
    assert {(each["verdict"], each["outcome"]) for each in searches} == {("fail", "xfailed")}


def test_a_shard_that_only_skips_is_a_part_like_the_others(pytester, run, capsys):
    pytester.makepyfile(
        test_mine=f"import pytest\n\n{JUDGED}\n@pytest.mark.skipif(True, reason='no GPU')\n"
        "@pytest.mark.reliability(shifts='std', magnitudes=[0.3])\ndef test_other():\n    pass\n"
    )
    for number in (1, 2):
        shard = (f"--seedshift-shard={number}/2", f"--seedshift-dir=shard-{number}", "--seedshift-report=none")
        assert run(*SMALL, *shard).ret == pytest.ExitCode.OK
    capsys.readouterr()
    assert main(["merge", "shard-1", "shard-2", "--output", "merged"]) == 0
    assert "3 cases (4 tests) of 2 runs: 2 pass, 0 fail, 1 skipped" in capsys.readouterr().out
    assert main(["merge", "shard-2", "--output", "alone"]) == 1  # the first's cases have no verdict
    assert "not among the runs: shard 1/2" in capsys.readouterr().out
    assert main(["report", "shard-2"]) == 0


def test_a_teardown_that_fails_is_an_error_for_all(pytester, run, verdicts, capsys):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = 0.0\n")
    untidy = "@pytest.fixture(autouse=True)\ndef untidy():\n    yield\n    assert False, 'not tidy'\n\n"
    pytester.makepyfile(test_mine=f"import pytest\n\n{untidy}{JUDGED}")
    result = run(*SMALL, "--seedshift-report=none")
    result.assert_outcomes(passed=2, errors=2)
    found = verdicts()
    assert {record["verdict"] for record in found.values()} == {"error"}
    assert all("teardown has failed" in record["reason"] and record["scores"] for record in found.values())
    assert "2 cases: 0 pass, 0 fail, 2 cannot be judged" in result.stdout.str()
    capsys.readouterr()
    assert main(["merge", ".seedshift", "--output", "merged"]) == result.ret == 1


def test_stepwise_stops_at_a_case_and_goes_on_with_it(pytester, verdicts):
    path = pytester.path / "thresholds.toml"
    path.write_text(BREAKS)
    grid = ("--seedshift-shift=mean,std", "--seedshift-magnitude=0.3", "--seedshift-report=none", "--stepwise")
    pytester.runpytest_inprocess(*SMALL, *grid).assert_outcomes(passed=1, failed=1)
    assert {name: each["verdict"] for name, each in verdicts().items()} == {CONTROL: "pass", MEAN: "fail"}
    path.write_text("[default]\ntop1 = 0.0\n")
    pytester.runpytest_inprocess(*SMALL, *grid).assert_outcomes(passed=2, deselected=1)
    assert {name: each["verdict"] for name, each in verdicts().items()} == {
        MEAN: "pass",
        "toy-latent-std-+0.30": "pass",
    }


# As the thresholds file says ---------------------------------------------------------------------------------------

ONE_CASE = ("seedshift", "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
EXPECTED = f"{BREAKS}expect = 'fail'\nreason = 'issue 312'\n"


def test_a_case_that_the_thresholds_expect_to_fail_is_a_known_failure(agree):
    found = agree("", EXPECTED, *ONE_CASE)
    assert brief(found) == {CONTROL: ("pass", None), MEAN: ("fail", "xfailed")}
    assert found[MEAN]["xfail"] == "issue 312"


@pytest.mark.parametrize(("strict", "verdict"), [("", "pass"), ("strict = true\n", "fail")], ids=["", "strict"])
def test_one_that_passes_is_told_and_fails_where_that_is_strict(agree, strict, verdict):
    found = agree("", f"{EXPECTED.replace('50.0', '1.0')}{strict}", *ONE_CASE)
    assert brief(found) == {CONTROL: ("pass", None), MEAN: (verdict, "xpassed")}


def test_the_narrowest_table_decides_and_a_marked_test_s_cases_are_meant_too(agree):
    narrow = f"{EXPECTED}[model.toy-latent.shift.mean.'0.3']\nexpect = 'pass'\n"
    assert brief(agree(JUDGED, narrow)) == {CONTROL: ("pass", None), MEAN: ("fail", None)}
    of_others = EXPECTED.replace("[shift.mean]\nclip = 50.0\n", "[shift.mean]\nclip = 50.0\n[model.toy-glide]\n")
    assert brief(agree(JUDGED, of_others)) == {CONTROL: ("pass", None), MEAN: ("fail", None)}
    assert brief(agree(JUDGED, EXPECTED)) == {CONTROL: ("pass", None), MEAN: ("fail", "xfailed")}


@pytest.mark.parametrize(("until", "outcome"), [("2001-01-01", None), ("2999-01-01", "xfailed")])
def test_it_lasts_until_a_day(agree, run, until, outcome):
    found = agree("", f"{EXPECTED}until = {until}\n", *ONE_CASE)
    assert brief(found) == {CONTROL: ("pass", None), MEAN: ("fail", outcome)}
    told = run(*SMALL, *ONE_CASE).stdout.str()
    said = f"[[]shift.mean]: {MEAN} was expected to fail until 2001-01-01 (issue 312): that counts no more"
    assert (said.replace("[[]", "[") in told) == (outcome is None)


def test_a_case_that_cannot_be_judged_is_no_known_failure(pytester, run):
    """It is expected to break its bounds, and not to come to no verdict at all."""
    pytester.path.joinpath("thresholds.toml").write_text(
        "[default]\ntop1 = 0.0\n[shift.'mean:channel=7']\nexpect = 'fail'\nreason = 'x'\n"
    )
    result = run(*SMALL, "seedshift", "--seedshift-shift=mean:channel=7", "--seedshift-magnitude=0.3")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the seed vector has channels 0 to 3*"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("expect = 'fail'", '*: [[]shift.mean] expect = "fail": add reason = *'),
        ("expect = 'fails'\nreason = 'x'", '*expect = \'fails\': give "fail", or "pass" to take back*'),
        ("reason = 'x'", '*reason: belongs to expect = "fail", which is not set*'),
        ("expect = 'pass'\nuntil = 2030-01-01", '*until: belongs to expect = "fail"*'),
        ("expect = 'fail'\nreason = 'x'\nuntil = '2030-01-01'", "*until = '2030-01-01': give a date without quotes*"),
        ("expect = 'fail'\nreason = 'x'\nuntil = 2030-01-01T00:00:00", "*give a date without quotes, such as*"),
        ("expect = 'fail'\nreason = 'x'\nstrict = 'yes'", "*strict = 'yes': give true or false*"),
        ("expect = 'fail'\nreason = ' '", "*add reason = *"),
        ("expct = 'fail'", "*expct*Did you mean 'expect'*"),
    ],
)
def test_what_cannot_be_expected_is_told_before_the_run(pytester, run, lines, message):
    pytester.path.joinpath("thresholds.toml").write_text(f"[default]\ntop1 = 0.5\n[shift.mean]\n{lines}\n")
    result = run(*SMALL, "seedshift")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


@pytest.mark.nightly
def test_workers_know_it_as_well(pytester):
    pytester.path.joinpath("thresholds.toml").write_text(EXPECTED)
    result = pytester.runpytest_subprocess(*SMALL, *ONE_CASE, "-n1", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, xfailed=1)
