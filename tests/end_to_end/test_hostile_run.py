"""A session whose model, path and score have names that are anything: every place in which it says something."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from importlib.resources import files
from pathlib import Path

import pytest
import tomlkit

from helpers.runs import cases_of
from pytest_seedshift.core import text

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

MODEL = (
    "./m$x^$ | <img src=x> `b` [l](https:e.org) @me 猫 \u202eabc\u2028]]>##[error]o ##vso[task.complete]\r\n"
    "::warning::w \x1b[31m\x1b]0;t\x07\x9b"
)
TITLE = "ti|tle $y_$\n\n## heading\n\n<img src=https://e.org/x>\n::add-mask::a ##[add-mask]b\x1b[2J\u202e\u200b"
ARGUMENTS = (
    "--seedshift-images=16",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-batch-size=16",
    "--junitxml=junit.xml",
    "--html=page.html",
    "--self-contained-html",
    "--seedshift-summary=summary.md",
    "-rA",
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u202a-\u202e\u2066\u2067\ud800-\udfff]")
CONFTEST = f"""
from pytest_seedshift import ScoreKind


class Mine:
    kind = ScoreKind({TITLE!r}, 1.0, binary=False)
    fingerprint = "mine"

    def __init__(self, device): ...
    def check(self, labels): ...

    def score(self, images, labels):
        return {{"mine": images.mean((1, 2, 3))}}


def pytest_seedshift_scorers():
    return {{"mine": Mine}}
"""


@pytest.fixture
def session(pytester, monkeypatch):
    """Runs a session in a step of GitHub Actions."""
    pytester.makeconftest(CONFTEST)
    Path(MODEL[2:]).symlink_to(str(files("pytest_seedshift") / "models/toys/toy-latent"))
    table = {"classes": "toy16", "scorers": "toy"}
    constraints = {"default": {"top1": 0.0, "mine": 0.0}, "shift": {"mean": {"clip": 50.0}}}
    pytester.path.joinpath("thresholds.toml").write_text(tomlkit.dumps({**constraints, "models": {MODEL: table}}))
    for name, value in (("GITHUB_ACTIONS", "true"), ("CI", "true"), ("GITHUB_STEP_SUMMARY", "step.md")):
        monkeypatch.setenv(name, value)
    return lambda *arguments: pytester.runpytest_inprocess("-p", "no:cacheprovider", *ARGUMENTS, *arguments)


def check_log(said: str, commands: int) -> None:
    """Nothing but text, and as many workflow commands as there should be."""
    assert not UNSEEN.search(said)
    lines = said.split("\n")
    assert len([line for line in lines if line.startswith("::error title=")]) == commands
    others = [line for line in lines if not line.startswith("::error title=")]
    assert not [line for line in others if line.strip().startswith("::") or re.search(r"##\w*\[", line)]
    assert not [line for line in others if re.match(r"## |<img", line)]


def test_names_are_text_wherever_a_session_shows_them(session, monkeypatch):
    result = session(f"--seedshift-model={MODEL}")
    result.assert_outcomes(passed=1, failed=1)
    said = result.stdout.str()
    check_log(said, 1)
    for name in (MODEL, TITLE):
        assert text.terminal_line(name) in said
        assert text.line(name)[1:] in Path("page.html").read_text().replace("&lt;", "<").replace("&gt;", ">")
    cases = cases_of(Path(".seedshift"))
    assert {case["model"] for case in cases.values()} == {MODEL}  # what is kept is what was given

    made = Path("summary.md").read_text()
    assert Path("step.md").read_text() == made
    assert not UNSEEN.search(made)
    assert [line for line in made.split("\n") if line.startswith("#")] == [f"## Robustness of {text.markdown(MODEL)}"]
    markdown = "\n".join(line for line in made.split("\n") if not line.startswith("<details>"))  # which is HTML
    assert not re.search(r"<(img|b>|script)|(?<!\\)\]\(|@(?!</span>)|\$(?!</span>)", markdown)
    for page in (Path("page.html").read_text(), Path(".seedshift/report.html").read_text()):
        assert not UNSEEN.search(page)
        assert "<img src=x>" not in page
        assert "<img src=https" not in page

    properties = [each.get("value") for each in ElementTree.parse("junit.xml").iter("property")]
    assert any("::warning::w" in str(value) and "猫" in str(value) for value in properties)

    # The same again, from the store, where the figure cannot be drawn: a line, and the session ends as it would.
    monkeypatch.setattr("pytest_seedshift.reporting.plots.scores_by_magnitude", lambda *arguments: 1 / 0)
    monkeypatch.setattr("pytest_seedshift.reporting.elements.strip", lambda *arguments: 1 / 0)
    result = session(f"--seedshift-model={MODEL}")
    result.assert_outcomes(passed=1, failed=1)
    said = result.stdout.str()
    check_log(said, 1)
    assert said.count("seedshift: warning: page.html has no figure (ZeroDivisionError: division by zero)") == 1
    assert "2 cases: 1 pass, 1 fail" in said
    assert "fails 1 of 2 cases" in Path("page.html").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seedshift-model=./nowhere\x1b[31m\n::error::x\u202e", "--seedshift-images=100"],
        ["--seedshift-model=toy-latent", "--seedshift-shift=me\x1b[31man##[error]x"],
        ["--seedshift-model=toy-latent", "--seedshift-device=c\x1b[31mpu\n::error::x"],
        ["--seedshift-model=toy-latent", "--seedshift-shard=1\n::error::x"],
        ["--seedshift-model=toy-latent", "--seedshift-thresholds=no\n::error::x\x1b[31m.toml"],
        ["--seedshift-model=toy-latent", "seedshift::x\n::error::x\x9b"],
        ["--seedshift-model=toy-latent", "--seedshift-baseline=no\n::error::x\x1b[31m"],
    ],
)
def test_messages_of_mistakes_hold_names_as_text(session, arguments):
    result = session(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    check_log(result.stdout.str(), 0)
    check_log(result.stderr.str(), 0)
    assert "ERROR: " in result.stderr.str()
    assert any(each in result.stderr.str() for each in (r"\x1b[31m", r"\x3a:error::x", r"\n::error::x"))
