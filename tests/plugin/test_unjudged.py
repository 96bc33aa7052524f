"""Every way of asking for a verdict that the documentation knows, without what it needs: never green, and in words."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

MODEL = "--seedshift-model=toy-latent"
FEW = ("--seedshift-images=16", "--seedshift-batch-size=16", "--seedshift-magnitude=0", "--seedshift-shift=mean")
"""The control alone, of which each class has one image."""

PLAIN = "def test_plain():\n    pass\n"
MARKED = "import pytest\n{before}\n@pytest.mark.reliability({arguments})\ndef test_marked({names}):\n    pass\n"
SEARCH = "import pytest\n@pytest.mark.breaking_point({arguments})\ndef test_marked():\n    pass\n"


def marked(arguments: str = "", before: str = "", names: str = "") -> str:
    return MARKED.format(arguments=arguments, before=before, names=names)


def said(result: pytest.RunResult) -> str:
    text = " ".join((result.stdout.str() + result.stderr.str()).split())
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    return text


NOTHING_NAMED = [
    (["seedshift"], "", "seedshift: no model to test: give --seedshift-model=NAME"),
    (["seedshift", "test_plain.py"], PLAIN, "seedshift: no model to test: give --seedshift-model=NAME"),
    (["seedshift::test_breaking_point"], "", "seedshift::test_breaking_point: no model to test"),
    (["seedshift::test_null_control"], "", "no model to test: give --seedshift-model=NAME"),
    (["--seedshift-model="], PLAIN, "--seedshift-model names no model (a variable that is not set?): give NAME"),
    (["--seedshift-model", " , "], PLAIN, "--seedshift-model names no model"),
    (["--seedshift-model=toy-latent,"], PLAIN, "--seedshift-model=toy-latent,: one of these is empty"),
    ([MODEL, "--seedshift-model="], PLAIN, "--seedshift-model=: one of these is empty"),
    (["seedshift", MODEL, "--seedshift-shift="], "", "--seedshift-shift names no shift"),
    (["seedshift", MODEL, "--seedshift-magnitude="], "", "--seedshift-magnitude names no magnitude"),
    (
        ["seedshift", MODEL, "--seedshift-magnitude=0.1,,0.2"],
        "",
        "--seedshift-magnitude=0.1,,0.2: one of these is empty",
    ),
    ([MODEL, "--seedshift-thresholds="], PLAIN, "--seedshift-thresholds is empty (a variable that is not set?): give"),
    ([MODEL, "--seedshift-baseline="], PLAIN, "--seedshift-baseline is empty"),
    ([MODEL, "--seedshift-save-baseline="], PLAIN, "--seedshift-save-baseline is empty"),
    (["-o", "seedshift_model="], PLAIN, "seedshift_model names no model"),
    ([MODEL, "-o", "seedshift_shift="], PLAIN, "seedshift_shift names no shift"),
    ([MODEL, "-o", "seedshift_baseline="], PLAIN, "seedshift_baseline is empty"),
    *(
        ([option], PLAIN, f"{option.partition('=')[0]}: no model to test: give --seedshift-model=NAME")
        for option in (
            "--seedshift-null",
            "--seedshift-breaking-point",
            "--seedshift-plan",
            "--seedshift-baseline=base.json",
            "--seedshift-save-baseline=base.json",
            "--seedshift-write-thresholds",
            "--seedshift-shard=1/2",
        )
    ),
    (
        [],
        marked(),
        "test_marked: no model to test: give --seedshift-model=NAME, or models=… in @pytest.mark.reliability",
    ),
    ([], marked("models=[]"), "(its models=[] name none)"),
    ([MODEL], marked("models=None"), "(its models=None name none)"),
    ([], marked("models=''.split(',')"), "no model to test (its models=[''] name none)"),
    (
        [],
        marked(before="@pytest.mark.parametrize('model', ['toy-latent'])", names="model"),
        "(parametrize('model', …) ",
    ),
    (
        [],
        SEARCH.format(arguments=""),
        "no model to test: give --seedshift-model=NAME, or models=… in @pytest.mark.break",
    ),
    ([], f"import pytest\npytestmark = pytest.mark.reliability\n{PLAIN}", "test_plain: no model to test"),
    ([], "def test_fixture(reliability):\n    pass\n", "test_fixture: no model to test"),
    ([], "def test_fixture(breaking_point):\n    pass\n", "test_fixture: no model to test"),
    ([], "def test_fixture(seedshift_model):\n    pass\n", "test_fixture: no model to test"),
    ([MODEL], marked("models='toy-glide'"), "--seedshift-model=toy-latent: no test is about it"),
]


@pytest.mark.parametrize(("arguments", "text", "words"), NOTHING_NAMED)
def test_a_way_of_asking_without_a_model_or_a_shift_is_a_usage_error(pytester, run, arguments, text, words):
    if text:
        pytester.makepyfile(**{"test_plain" if text == PLAIN else "test_mine": text})
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in said(result)
    assert not (pytester.path / ".seedshift").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("shifts=[]", "shifts=[] names none: leave it out"),
        ("shifts=None", "shifts=None names none"),
        ("magnitudes=[]", "magnitudes=[] names none"),
        ("magnitudes=''", "magnitudes='' names none"),
        ("magnitudes=None", "magnitudes=None: None is a NoneType: give a number"),
        ("magnitudes=[0.1, [0.2]]", "magnitudes=[0.1, [0.2]]: [0.2] is a list: give a number"),
        ("magnitudes=(each for each in [0.1])", "is a generator: give a number such as 0.3, or a list of them"),
        ("magnitudes={0.1: 0.2}", "magnitudes={0.1: 0.2}: {0.1: 0.2} is a dict"),
        ("magnitudes=True", "magnitudes=True: True is a bool"),
        ("models=[pytest.param('toy-latent')]", "pytest.param(…) means nothing here: give the name of a model"),
        ("models=pytest.param('toy-latent')", "pytest.param(…) means nothing here: give the name of a model"),
        ("models=7", "models=7: 7 is a int: give the name of a model, or a list of names"),
        ("models={'toy-latent': 1}", "is a dict: give the name of a model"),
        ("models=[['toy-latent']]", "['toy-latent'] is a list: give the name of a model"),
        ("models=(each for each in ['toy-latent'])", "is a generator: give the name of a model"),
        ("models=['toy-latent', '']", "models=['toy-latent', '']: one of these names is empty"),
        ("models=b'toy-latent'", "is a bytes: give the name of a model"),
        ("images=0", "images=0: give a whole number of at least 1"),
        ("images=None", "images=None: give a whole number of at least 1"),
        ("images=16.0", "images=16.0: give a whole number of at least 1"),
        ("exact=None", "exact=None: give True or False"),
        ("top1=None", "top1 = None: give a number"),
        ("clip={}", "clip: sets no bound"),
    ],
)
def test_a_marker_s_value_that_names_nothing_is_a_usage_error(pytester, run, arguments, words):
    pytester.makepyfile(marked(arguments), test_plain=PLAIN)
    result = run(MODEL, "-m", "not reliability")  # a mistake in a file is one whether it is run or not
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in said(result)


@pytest.mark.parametrize("arguments", ["shifts=[]", "signs=[]", "signs=None", "min_breaking_point=None"])
def test_a_search_that_asks_for_nothing_is_a_usage_error(pytester, run, arguments):
    pytester.makepyfile(SEARCH.format(arguments=arguments))
    result = run(MODEL)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert arguments.partition("=")[0] in said(result)


def test_a_marker_s_values_may_be_what_python_has(pytester, run):
    pytester.makepyfile(
        """
        import pathlib
        import numpy
        import pytest

        @pytest.mark.reliability(models={"toy-latent"}, shifts=("std", "mean"), magnitudes=numpy.linspace(-0.2, 0.2, 3))
        def test_arrays(): pass

        @pytest.mark.reliability(models=pathlib.Path("toy-latent"), shifts={"std", "mean"}, images=numpy.int64(16),
                                 magnitudes=range(1, 2))
        def test_sets(): pass
        """
    )
    result = run("--collect-only", "-q")
    assert [line.partition("[toy-latent-")[2] for line in result.outlines if "[" in line] == [
        *("none-+0.00]", "std--0.20]", "std-+0.20]", "mean--0.20]", "mean-+0.20]"),
        *("none-+0.00]", "mean-+1.00]", "std-+1.00]"),
    ]


def test_beside_other_tests_a_test_without_a_model_is_an_error_of_its_own(pytester, run):
    pytester.makepyfile(marked(), test_plain=PLAIN)
    result = run()
    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "no model to test" in said(result)


@pytest.mark.parametrize(
    "arguments", [["-m", "not reliability"], ["-k", "not no-model"], ["--collect-only"], ["test_plain.py"]]
)
def test_who_does_not_ask_needs_no_model(pytester, run, arguments):
    pytester.makepyfile(marked(), test_plain=PLAIN)
    pytester.path.joinpath("pytest.ini").write_text(
        "[pytest]\naddopts = --seedshift-null --seedshift-shard=1/2\nseedshift_breaking_point = true\n"
    )
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.OK, said(result)


def test_who_skips_a_test_without_a_model_skips_it(pytester, run):
    pytester.makeconftest(
        """
        import pytest

        def pytest_runtest_setup(item):
            if item.get_closest_marker("filterwarnings"):
                pytest.skip("no GPU")
        """
    )
    pytester.makepyfile(
        test_one=marked(before="@pytest.mark.skip"),
        test_two=marked(before="@pytest.mark.filterwarnings('error')"),
        test_plain=PLAIN,
    )
    result = run()
    result.assert_outcomes(passed=1, skipped=2)


def test_a_project_s_own_fixture_of_that_name_neither_asks_nor_keeps_a_test_from_being_judged(pytester, run, verdicts):
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef reliability():\n    return 0.99\n")
    pytester.makepyfile(
        "import pytest\n\ndef test_mine(reliability):\n    assert reliability == 0.99\n"
        "@pytest.mark.parametrize('breaking_point', [1])\ndef test_other(breaking_point): assert breaking_point == 1\n"
    )
    run().assert_outcomes(passed=2)
    run(MODEL, *FEW).assert_outcomes(passed=3)  # nobody has asked, so the built-in suite does
    pytester.makepyfile(test_too=marked("models='toy-latent', clip=50.0", names="reliability"))
    run(*FEW, "-k", "marked").assert_outcomes(failed=1, deselected=2)
    assert list(verdicts()) == ["toy-latent-none-+0.00"]


# Markers that come late -------------------------------------------------------------------------------------------

JUDGED = "reliability(models='toy-latent', shifts='mean', magnitudes=0, images=16)"
BY_PARAM = f"""
import pytest

M = pytest.mark.{JUDGED}

@pytest.mark.parametrize("style", [pytest.param("marked", marks=M), "plain"])
def test_rel(style): pass
"""
BY_PARAM_TOO = f"""
import pytest

@pytest.mark.{JUDGED}
@pytest.mark.parametrize("style", [pytest.param("marked", marks=pytest.mark.reliability(top1=1.0))])
def test_rel(style): pass
"""
TEST_CASE = f"""
import unittest, pytest

class T(unittest.TestCase):
    @pytest.mark.{JUDGED}
    def test_rel(self): pass

    def test_plain(self): pass

@pytest.mark.breaking_point(models="toy-latent")
class U(unittest.TestCase):
    def test_rel(self): pass

@pytest.mark.usefixtures("reliability")
class V(unittest.TestCase):
    def test_rel(self): pass
"""
BY_REQUEST = f"""
import pytest

@pytest.fixture
def late(request):
    request.node.add_marker(pytest.mark.{JUDGED})

def test_rel(late): pass
def test_plain(): pass
"""
DYNAMIC = """
def test_rel(request):
    request.getfixturevalue("reliability")

def test_plain(): pass
"""
ADDS = """
import pytest

def {hook}:
    item.add_marker(pytest.mark.{marker})
"""
ITEMS = "pytest_collection_modifyitems(items):\n  for item in items"

LATE = [
    (BY_PARAM, "", {"passed": 1, "errors": 1}, "judges nothing here: it came when the cases had been made"),
    (BY_PARAM_TOO, "", {"errors": 1}, "judges nothing here: it came when the cases had been made"),
    (TEST_CASE, "", {"passed": 1, "errors": 3}, "pytest makes no cases of a unittest.TestCase"),
    (BY_REQUEST, "", {"passed": 1, "failed": 1}, "judges nothing here: it came when the cases had been made"),
    (DYNAMIC, "", {"passed": 1, "failed": 1}, "it is about no case: name the fixtures of seedshift among the test's"),
    (PLAIN, ADDS.format(hook=ITEMS, marker=JUDGED), {"errors": 1}, "it came when the cases had been made"),
    (PLAIN, ADDS.format(hook="pytest_itemcollected(item)", marker=JUDGED), {"errors": 1}, "it came when the cases"),
    (
        f"{PLAIN}\ndef test_doc():\n    '''\n    >>> 1\n    1\n    '''\n",
        "doctest",
        {"errors": 2},
        "DoctestItem cannot be",
    ),
]
"""A test file, a conftest, what comes of it beside others, and the words."""


@pytest.mark.parametrize(("text", "conftest", "outcomes", "words"), LATE)
@pytest.mark.parametrize("arguments", [(), (MODEL, *FEW)], ids=["alone", "with a model"])
def test_a_marker_that_comes_late_is_said_and_harms_nobody(pytester, run, text, conftest, outcomes, words, arguments):
    if conftest == "doctest":
        arguments = (*arguments, "--doctest-modules")
        conftest = ADDS.format(hook="pytest_itemcollected(item)", marker=JUDGED)
    pytester.makeconftest(conftest)
    pytester.makepyfile(text)
    result = run(*arguments)
    if set(outcomes) == {"errors"}:  # nothing else is there to run
        assert result.ret == pytest.ExitCode.USAGE_ERROR
    else:
        expected = dict(outcomes)
        if arguments and text in (BY_REQUEST, DYNAMIC):  # when it asks, the suite runs already
            expected["passed"] += 1
        result.assert_outcomes(**expected)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words in said(result)


def test_a_late_marker_s_failure_is_not_expected(pytester, run):
    pytester.makepyfile(marked(before="@pytest.mark.xfail"), test_plain=PLAIN, test_late=BY_PARAM)
    pytester.makeconftest(ADDS.format(hook="pytest_itemcollected(item)", marker="xfail"))
    result = run("--junitxml=junit.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    suite = ElementTree.parse("junit.xml").getroot()[0]
    assert (suite.get("errors"), suite.get("failures")) == ("2", "0")


# Tests that somebody else's hook takes ----------------------------------------------------------------------------

TAKEN = {
    "taken": "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_protocol(item):\n"
    "    return True if 'mean' in item.nodeid else None\n",
    "all taken": "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_protocol(item):\n    return True\n",
    "ended before": "def pytest_collection_finish():\n    pytest.exit('enough', returncode=0)\n",
    "ended within": "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_protocol(item):\n"
    "    if 'mean' in item.nodeid: pytest.exit('enough', returncode=0)\n",
    "not begun": "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtestloop():\n    return True\n",
}


@pytest.mark.parametrize("how", TAKEN)
def test_a_test_of_which_nothing_is_reported_has_not_passed(pytester, run, how):
    pytester.makeconftest(f"import pytest\n{TAKEN[how]}")
    result = run(MODEL, "--seedshift-images=16", "--seedshift-shift=mean", "--seedshift-magnitude=0.3")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "it asks for a verdict, and none was reported" in said(result)


@pytest.mark.parametrize("arguments", [["--collect-only"], ["--seedshift-plan"], ["--setup-plan"], ["-k", "plain"]])
def test_what_was_not_to_run_need_not_be_reported(pytester, run, arguments):
    pytester.makepyfile(PLAIN)
    result = run(MODEL, *FEW, *arguments)
    assert result.ret == pytest.ExitCode.OK
    assert "none was reported" not in said(result)


REMOVED = {
    "all": "items.clear()",
    "some": "items[:] = [each for each in items if 'mean' not in each.nodeid]",
    "by a new list": "session.items = items[:0]; items[:] = []",
}
MODIFIES = "import pytest\n{hook}def pytest_collection_modifyitems(session, config, items):\n    {body}\n"
HOOKS = {
    "plain": "",
    "last": "@pytest.hookimpl(trylast=True)\n",
    "first": "@pytest.hookimpl(tryfirst=True)\n",
}
TOLD = "it asks for a verdict, and a hook (pytest_collection_modifyitems) of a conftest or plugin removed it"


@pytest.mark.parametrize(("how", "when"), [*((how, "plain") for how in REMOVED), ("some", "last"), ("some", "first")])
def test_a_test_that_a_hook_removes_without_a_word_has_not_passed(pytester, run, how, when):
    pytester.makepyfile(marked("models='toy-latent', shifts='mean', magnitudes=0.3"), test_plain=PLAIN)
    pytester.makeconftest(MODIFIES.format(hook=HOOKS[when], body=REMOVED[how]))
    result = run(*FEW[:2])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert TOLD in said(result)


@pytest.mark.parametrize("how", ["all", "some"])
def test_neither_has_one_of_the_built_in_suite(pytester, run, how):
    pytester.makepyfile(test_plain=PLAIN)
    pytester.makeconftest(MODIFIES.format(hook="", body=REMOVED[how]))
    result = run(MODEL, "seedshift::test_reliability[toy-latent-mean-+0.30]", "--seedshift-magnitude=0.3", *FEW[:2])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"seedshift::test_reliability[toy-latent-mean-+0.30]: {TOLD}" in said(result)


DESELECTED = (
    "gone = [each for each in items if 'mean' in each.nodeid]; "
    "items[:] = [each for each in items if each not in gone]; "
    "config.hook.pytest_deselected(items=gone)"
)


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        (DESELECTED, []),
        ("items.reverse()", ["-k", "plain"]),
        ("items[:] = [each for each in items if 'other' not in each.nodeid]", ["-m", "not reliability"]),
        ("items.clear()", ["--collect-only"]),
        ("items.clear()", ["--ignore=test_a_test_that_is_deselected_or_asks_for_nothing_is_nobody_s_loss.py"]),
    ],
)
def test_a_test_that_is_deselected_or_asks_for_nothing_is_nobody_s_loss(pytester, run, body, arguments):
    pytester.makepyfile(
        marked("models='toy-latent', shifts='mean', magnitudes=0.3"), test_plain=PLAIN, test_other=PLAIN
    )
    pytester.makeconftest(MODIFIES.format(hook="", body=body))
    result = run(*FEW[:2], "-k", "not none", *arguments)
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert TOLD not in said(result)


def test_a_worker_tells_of_what_was_removed(pytester):
    pytester.makepyfile(marked("models='toy-latent', shifts='mean', magnitudes=0.3"), test_plain=PLAIN)
    pytester.makeconftest(
        MODIFIES.format(hook="", body="items[:] = [each for each in items if 'plain' in each.nodeid]")
    )
    result = pytester.runpytest_subprocess("-n", "1", "-p", "no:cacheprovider", *FEW[:2])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1)
    assert TOLD in said(result)


# In workers -------------------------------------------------------------------------------------------------------


def test_a_worker_says_so_too(pytester, run):
    pytester.makepyfile(test_one=marked(), test_two=BY_PARAM, test_three=marked("models='toy-glide'"), test_plain=PLAIN)
    arguments = ("-n", "1", "-p", "no:cacheprovider")
    result = pytester.runpytest_subprocess(*arguments, "--ignore=test_three.py")
    result.assert_outcomes(passed=2, errors=2)
    assert "test_marked: no model to test" in said(result)
    assert "judges nothing here: it came when the cases had been made" in said(result)
    for option, file in (("--seedshift-null", "test_plain.py"), (MODEL, "test_three.py")):
        result = pytester.runpytest_subprocess(*arguments, option, file, "-k", "not toy-glide")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert f"{option}: no " in said(result)


# The same with what they need -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text", "passed"),
    [
        (["seedshift", MODEL, *FEW], "", 1),
        (["-o", "seedshift_model=toy-latent", *FEW], PLAIN, 2),
        ([MODEL, *FEW, "--seedshift-null"], PLAIN, 3),
        ([*FEW, "--seedshift-null"], marked("models='toy-latent'"), 2),
        ([MODEL, *FEW], marked(before="@pytest.mark.parametrize('model', ['mine'])", names="model"), 1),
        ([MODEL, *FEW], "def test_fixture(reliability):\n    assert reliability.passed\n", 1),
        ([*FEW], f"import pytest\n@pytest.mark.{JUDGED}\nclass TestMine:\n    def test_mine(self): pass\n", 1),
        (
            [*FEW],
            f"import pytest\n@pytest.mark.{JUDGED}\nclass Base:\n    def test_mine(self): pass\n"
            "class TestMine(Base): pass\n",
            1,
        ),
        (
            [*FEW],
            f"import pytest\nfrom conftest import *\n@pytest.mark.{JUDGED}\ndef test_mine(): pass\n",
            1,
        ),
    ],
)
def test_with_what_it_needs_it_passes(pytester, run, verdicts, arguments, text, passed):
    pytester.makeconftest(
        "import pytest\n@pytest.fixture\ndef reliability(reliability):\n    return reliability\n"  # asks for ours
    )
    if text:
        pytester.makepyfile(text)
    run(*arguments).assert_outcomes(passed=passed)
    assert "toy-latent-none-+0.00" in verdicts()


def test_breaking_points_are_searched_of_the_models_that_markers_name(pytester, run):
    pytester.makepyfile(marked("models='toy-latent', magnitudes=0"))
    result = run("--seedshift-breaking-point", "--seedshift-shift=mean", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["seedshift::test_breaking_point?toy-latent-mean-breaking-+?"])
