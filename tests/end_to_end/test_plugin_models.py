"""Models, shifts and scorers of one's own, as the how-to guides give them, from the command line to the report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from helpers.pages import blocks
from helpers.runs import cases_of
from pytest_seedshift.__main__ import main

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

MODEL, SHIFT, SCORER = (f"docs/how-to/own-{each}.md" for each in ("model", "shift", "scorer"))
CONFTEST = "\n\n".join(block for page in (MODEL, SHIFT, SCORER) for block in blocks("python", page))
THRESHOLDS = "".join(
    [blocks("toml", SCORER)[0].removeprefix("[default]\n"), "\n", blocks("toml", MODEL)[0].partition("\n\n")[2]]
)
RUN = (
    "--seedshift-model=mine",
    "--seedshift-shift=tilt,mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-images=16",
    "--seedshift-batch-size=16",
)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """The guides' conftest and thresholds; none of these pictures shows what it should."""
    pytester.makeconftest(CONFTEST)
    easy = "[default]\ntop1 = 0.0\ntop5 = 0.0\nclip = 0.0\n"
    pytester.path.joinpath("thresholds.toml").write_text(easy + THRESHOLDS)
    return pytester.path


def test_the_example_is_a_run_like_any_other(pytester, project):
    result = pytester.runpytest_inprocess(*RUN, "--html=page.html", "--junitxml=junit.xml")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["  contrast *+0.30", "  control  *", "  tilt  *"])
    folder = project / ".seedshift"
    found = cases_of(folder)
    assert list(found) == ["mine-none-+0.00", "mine-tilt-+0.30", "mine-mean-+0.30"]
    case = found["mine-tilt-+0.30"]
    assert 0.2 < case["scores"]["contrast"]["mean"] < 0.6
    assert {(each["score"], each["kind"]) for each in case["constraints"]} >= {("contrast", "min")}
    assert "contrast" in (folder / "report.html").read_text()
    assert 'data-column-type="contrast"' in (project / "page.html").read_text()
    assert "seedshift_contrast" in (project / "junit.xml").read_text()

    again = pytester.runpytest_inprocess(*RUN)
    again.assert_outcomes(passed=3)
    assert {each["generated"] for each in cases_of(folder).values()} == {0}

    # Elsewhere nobody has the scorer; the folder tells what its score is.
    (project / "conftest.py").unlink()
    before = (folder / "report.html").read_text()
    assert main(["report", ".seedshift"]) == 0
    assert (folder / "report.html").read_text().count("contrast") == before.count("contrast") > 3
    assert main(["card", ".seedshift", "--output", "card.md"]) == 0
    assert "contrast" in (project / "card.md").read_text()
    assert main(["merge", ".seedshift", "--output", "merged"]) == 0
    merged = json.loads((project / "merged/verdicts.json").read_text())
    assert merged["scores"] == {"contrast": {"title": "contrast", "top": 1.0, "binary": False}}
    assert "contrast" in (project / "merged/report.html").read_text()


def test_a_baseline_holds_a_score_of_ones_own_and_knows_its_scorer(pytester, project):
    narrow = (RUN[0], "--seedshift-shift=tilt", *RUN[2:], "--seedshift-exact", "-q")
    gate = re.sub(r"contrast = .*", "contrast = { max_regression = 0.01 }", (project / "thresholds.toml").read_text())
    project.joinpath("thresholds.toml").write_text(gate)
    saved = pytester.runpytest_inprocess(*narrow, "--seedshift-save-baseline=base.json")
    saved.stdout.fnmatch_lines(["baseline: base.json, 2 cases, 32 of 32 pairs, *"])

    same = pytester.runpytest_inprocess(*narrow, "--seedshift-baseline=base.json")
    same.assert_outcomes(passed=2)
    same.stdout.fnmatch_lines(["against base.json: 2 cases on 32 pairs: no pair differs · no regression"])

    project.joinpath("conftest.py").write_text(
        CONFTEST.replace('fingerprint = "contrast', 'fingerprint = "contrast, anew')
    )
    other = pytester.runpytest_subprocess(*narrow, "--seedshift-baseline=base.json")
    assert other.ret == pytest.ExitCode.USAGE_ERROR
    other.stderr.fnmatch_lines(["*scorer of contrast (by its fingerprint): contrast* in base.json, contrast, anew*"])

    (project / "conftest.py").unlink()  # whoever compares need not have the scorer
    assert main(["compare", "base.json", ".seedshift"]) == 0


@pytest.mark.slow
def test_it_runs_in_a_worker_and_a_marker_alone_may_ask_for_a_score(pytester, project):
    project.joinpath("thresholds.toml").write_text(THRESHOLDS.partition("[models.mine]")[2].join(["[models.mine]", ""]))
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(contrast=0.2)
        def test_contrast():
            pass
        """
    )
    result = pytester.runpytest_subprocess(*RUN, "-n", "1", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["  contrast *+0.30", "1 model load by 1 worker"])
    assert {case["scores"]["contrast"]["low"] > 0 for case in cases_of(project / ".seedshift").values()} == {True}


def test_the_noise_of_an_own_model_is_measured(project, capsys):
    assert main(["noise", "mine", "--images=8", "--batch-size=4", "--device=cpu"]) == 0
    assert "change of the mean" in capsys.readouterr().out
    assert main(["noise", "mien"]) == pytest.ExitCode.USAGE_ERROR
    assert "Did you mean 'mine'?" in capsys.readouterr().err
    (entry,) = json.loads((project / ".seedshift/noise.json").read_text())["models"].values()
    assert (entry["model"], entry["images"]) == ("mine", 8)
    arms = {arm["name"]: arm["scores"] for arm in entry["arms"]}
    assert {"once more", "batch size 1", "batch size 2", "reversed order", "dtype bfloat16"} <= set(arms)
    assert arms["once more"]["contrast"] == {"largest": 0.0, "mean": 0.0, "changed": 0, "of_mean": 0.0}
    assert {each["name"] for each in entry["skipped"]} >= {"device mps"}


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        (
            {'"mine": Mine': '"toy-latent": Mine'},
            (),
            "two models are called 'toy-latent': one of pytest-seedshift itself,",
        ),
        (
            {'"tilt": Tilt': '"mean": Tilt'},
            (),
            "two shifts are called 'mean': one of pytest-seedshift itself, one of con",
        ),
        (
            {'"contrast": Contrast': '"position_x": Contrast'},
            (),
            "two scorers are called 'position_x': one of pytest-seedshift itself,",
        ),
        ({"return {": "return {None: 3, "}, (), "conftest.py: None is not a name of a model"),
        ({}, ("--seedshift-model=mien",), "unknown model 'mien'. Did you mean 'mine'?"),
        ({}, ("--seedshift-shift=tlit",), "unknown shift 'tlit'. Did you mean 'tilt'?"),
        ({"ScoreKind(": "tuple(("}, (), "not a ScoreKind of pytest_seedshift"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_generated(pytester, project, change, arguments, says):
    text = CONFTEST
    for old, new in change.items():
        text = text.replace(old, new)
    if "tuple((" in text:
        text = text.replace('seedshift.tuple(("contrast", 1.0, binary=False)', "None")
    project.joinpath("conftest.py").write_text(text)
    result = pytester.runpytest_inprocess(*RUN, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"self.device = device": "raise RuntimeError('no weights')"}, "raised RuntimeError: no weights"),
        ({"def generate": "def draw"}, "gave a Mine, which is no TextToImage: it lacks generate"),
        ({").clamp(0, 1)": ") * 9"}, "the model's images go from "),
        ({").clamp(0, 1)": ")[:1]"}, "the model gave torch.float32 (1, 3, 32, 32) for 16 pairs: images"),
    ],
)
def test_a_model_that_is_none_is_an_error_without_a_traceback(pytester, project, change, says):
    text = CONFTEST
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    project.joinpath("conftest.py").write_text(text)
    result = pytester.runpytest_inprocess(*RUN, "-k", "none")
    assert result.ret != pytest.ExitCode.OK
    told = result.stdout.str() + result.stderr.str()
    assert says in told
    assert "Traceback" not in told


GIVES = '"contrast": 2 * images.std((1, 2, 3))'


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {GIVES: '"contrast": 5.2 + images.std((1, 2, 3))'},
            "is 5.*, and its declared range is 0 to 1. Let its scorer ",
        ),
        ({GIVES: '"contrast": 100 * images.std((1, 2, 3))'}, "and its declared range is 0 to 1. Let its scorer give *"),
        (
            {GIVES: '"contrast": -images.std((1, 2, 3))'},
            "is -0.*, and its declared range is 0 to 1. *ScoreKind('contrast', ",
        ),
        ({"binary=False": "binary=True"}, "is 0.*, and its declared range is 0 or 1. "),
        ({GIVES: '"contrast": images.std((1, 2, 3)) / 0'}, "NaN or Inf in the score contrast of 'A photo of a "),
    ],
)
def test_a_score_outside_of_its_declared_range_is_an_error_of_the_case(pytester, project, verdicts, change, says):
    text = CONFTEST
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    project.joinpath("conftest.py").write_text(text)
    result = pytester.runpytest_inprocess(*RUN, "-k", "none")
    result.assert_outcomes(errors=1, deselected=2)
    told = " ".join(result.stdout.str().split())
    assert re.search(re.escape(says).replace(r"\*", ".*"), told), told
    assert "mine, control: " in told
    assert "Traceback" not in told
    assert verdicts()["mine-none-+0.00"]["verdict"] == "error"


def test_a_store_s_scores_are_held_to_the_range_that_is_declared_now(pytester, project):
    wide = CONFTEST.replace('ScoreKind("contrast", 1.0', 'ScoreKind("contrast", 10.0').replace(
        GIVES, '"contrast": 5.2 + 0 * (images.std((1, 2, 3)))'
    )
    project.joinpath("conftest.py").write_text(wide)
    pytester.runpytest_inprocess(*RUN, "-k", "none").assert_outcomes(passed=1, deselected=2)
    project.joinpath("conftest.py").write_text(CONFTEST)  # the same fingerprint
    result = pytester.runpytest_inprocess(*RUN, "-k", "none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: mine, control: the score contrast of * is 5.2, and its declared range is 0 to 1. *"]
    )


def test_a_value_that_rounding_has_put_outside_is_none(pytester, project, verdicts):
    project.joinpath("conftest.py").write_text(
        CONFTEST.replace(GIVES, '"contrast": 1.000001 + 0 * images.std((1, 2, 3))')
    )
    pytester.runpytest_inprocess(*RUN, "-k", "none").assert_outcomes(passed=1, deselected=2)
    contrast = verdicts()["mine-none-+0.00"]["scores"]["contrast"]
    assert (contrast["mean"], contrast["clipped"]) == (1.0, 0)


def test_a_package_gives_by_entry_points_and_is_imported_only_for_its_own(pytester, project):
    project.joinpath("conftest.py").unlink()
    text = re.sub(r"def pytest_seedshift_\w+\(\):\n.*\n", "", CONFTEST).replace('"mine"', '"theirs"')
    pytester.mkpydir("their_package").joinpath("models.py").write_text(f"print('imported')\n{text}\nTheirs = Mine\n")
    info = project / "their_package-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    points = {"models": "theirs = their_package.models:Theirs", "shifts": "lean = their_package.models:Tilt"}
    info.joinpath("entry_points.txt").write_text(
        "\n".join(f"[pytest_seedshift.{group}]\n{line}" for group, line in points.items())
    )
    project.joinpath("thresholds.toml").write_text(
        '[default]\nclip = 0.0\n[models.theirs]\nclasses = "toy16"\nscorers = "toy"\n'
    )
    pytester.syspathinsert()
    theirs = ("--seedshift-model=theirs", "--seedshift-shift=lean")
    listed = pytester.runpytest_inprocess(*theirs, *RUN[2:], "--co", "-q", "-s")
    listed.stdout.fnmatch_lines(["*theirs-lean-+0.30*"])
    listed.stdout.no_fnmatch_line("*imported*")
    run = pytester.runpytest_inprocess(*theirs, *RUN[2:], "-s")
    run.assert_outcomes(passed=2)
    run.stdout.fnmatch_lines(["*imported*"])
    wrong = pytester.runpytest_inprocess("--seedshift-model=their", *RUN[2:])
    wrong.stderr.fnmatch_lines(["*unknown model 'their'. Did you mean 'theirs'?*"])
