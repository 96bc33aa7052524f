"""pytest's own ways to choose, stop and go on work on cases as on any test."""

from __future__ import annotations

import pytest

from helpers.runs import EASY, IMPOSSIBLE, PAGELESS, SMALL

MEAN = (*SMALL, "--seedshift-shift=mean,std", "--seedshift-magnitude=0.3")


def test_k_selects_by_id(run, verdicts):
    run(*MEAN, "-k", "mean or none").assert_outcomes(passed=2, deselected=1)
    assert set(verdicts()) == {"toy-latent-none-+0.00", "toy-latent-mean-+0.30"}


def test_m_selects_reliability_tests_and_leaves_the_others_out(pytester, run):
    pytester.makepyfile("def test_plain():\n    assert False\n")
    run(*PAGELESS, "-m", "reliability").assert_outcomes(passed=2, deselected=1)


def test_a_node_id_of_the_built_in_suite_can_be_given_back_to_pytest(run):
    run(*MEAN, "seedshift::test_reliability[toy-latent-std-+0.30]").assert_outcomes(passed=1)


def test_the_built_in_suite_can_be_named_where_there_are_other_tests(pytester, run):
    pytester.makepyfile("def test_plain():\n    assert False\n")
    run(*PAGELESS, "seedshift").assert_outcomes(passed=2)


def test_a_file_called_seedshift_is_a_file(pytester, run):
    pytester.mkdir("seedshift").joinpath("test_mine.py").write_text("def test_plain():\n    pass\n")
    result = run(*PAGELESS, "seedshift", "--co", "-q")
    result.stdout.fnmatch_lines(["seedshift/test_mine.py::test_plain"])


def test_an_unknown_node_id_is_a_usage_error(run):
    result = run(*PAGELESS, "seedshift::test_reliability[toy-latent-std-+0.30]")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: not found: seedshift::test_reliability?toy-latent-std-+0.30? *"])


def test_x_stops_at_the_first_case_that_fails(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(IMPOSSIBLE)
    result = run(*MEAN, "-x")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["2 cases did not run; what was made is kept"])


def test_lf_runs_what_failed_last(pytester):
    path = pytester.path / "thresholds.toml"
    path.write_text(f"{EASY}[shift.std]\nclip = 50.0\n")
    pytester.runpytest_inprocess(*MEAN).assert_outcomes(passed=2, failed=1)
    again = pytester.runpytest_inprocess(*MEAN, "--lf")
    again.assert_outcomes(failed=1, deselected=2)
    again.stdout.fnmatch_lines(["std shift +0.30 breaks toy-latent:*"])
    path.write_text(EASY)
    pytester.runpytest_inprocess(*MEAN, "--ff").assert_outcomes(passed=3)


def test_xfail_marks_a_break_that_is_known(pytester, run, verdicts):
    pytester.path.joinpath("thresholds.toml").write_text(IMPOSSIBLE)
    pytester.makepyfile(
        "import pytest\n@pytest.mark.xfail(strict=True)\n@pytest.mark.reliability\ndef test_mine():\n    pass\n"
    )
    run(*PAGELESS).assert_outcomes(xfailed=2)
    assert {case["verdict"] for case in verdicts().values()} == {"fail"}


def test_without_pytest_html(pytester):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    pytester.runpytest_inprocess("-p", "no:html", *PAGELESS).assert_outcomes(passed=2)


def test_without_pytest_xdist(pytester):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    pytester.runpytest_inprocess("-p", "no:xdist", *PAGELESS).assert_outcomes(passed=2)


def test_without_terminal_and_without_capture(pytester, verdicts):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    assert pytester.runpytest_inprocess("-p", "no:terminal", *PAGELESS).ret == pytest.ExitCode.OK
    assert len(verdicts()) == 2
    pytester.runpytest_inprocess("-s", *PAGELESS).assert_outcomes(passed=2)


def test_models_are_the_outermost_order_over_all_tests(pytester, run):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability
        def test_one():
            pass

        def test_between():
            pass

        @pytest.mark.reliability
        def test_two():
            pass
        """
    )
    result = run(*PAGELESS, "--seedshift-model=./other", "--co", "-q")
    order = [line.partition("::")[2] for line in result.outlines if "::" in line]
    assert order == [
        "test_one[toy-latent-none-+0.00]",
        "test_one[toy-latent-mean-+0.30]",
        "test_two[toy-latent-none-+0.00]",
        "test_two[toy-latent-mean-+0.30]",
        "test_between",
        "test_one[./other-none-+0.00]",
        "test_one[./other-mean-+0.30]",
        "test_two[./other-none-+0.00]",
        "test_two[./other-mean-+0.30]",
    ]
