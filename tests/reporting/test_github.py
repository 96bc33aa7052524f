"""Annotations of GitHub Actions, held against the way in which a runner reads a line."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from helpers.records import record
from pytest_seedshift.plugin import github
from pytest_seedshift.plugin.github import Annotation

CASE = {"model": "toy-latent", "shift": "mean", "magnitude": 0.3, "test": "seedshift::test_reliability[a]"}


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A command, its properties and its message."""
    assert line.splitlines() == [line]
    command, properties, message = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line).groups()

    def plain(text: str, *more: tuple[str, str]) -> str:
        for code, character in (*more, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(code, character)
        return text

    given = [each.split("=", 1) for each in properties.split(",")]
    return command, {name: plain(value, ("%3A", ":"), ("%2C", ",")) for name, value in given}, plain(message)


def test_an_annotation_says_which_case_fails_and_why():
    reason = "mean shift +0.30 breaks toy-latent: top-1 0.41 < 0.60\n    100 % of it"
    failing = record(CASE, verdict="fail", reason=reason)
    (line,) = github.commands([github.of_record(failing, "tests/test_a,b.py", 7)])
    assert line.startswith("::error title=toy-latent%2C mean +0.30 fails,file=tests/test_a%2Cb.py,line=7::")
    assert read(line) == (
        "error",
        {"title": "toy-latent, mean +0.30 fails", "file": "tests/test_a,b.py", "line": "7"},
        "mean shift +0.30 breaks toy-latent: top-1 0.41 < 0.60\n100 % of it",
    )
    (line,) = github.commands([github.of_record(record(CASE, verdict="error", reason="no weights"))])
    assert read(line) == ("error", {"title": "toy-latent, mean +0.30 could not be judged"}, "no weights")


# No control characters: `markdown.line`, through which a name goes, leaves none.
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)


@given(NAMES, NAMES)
def test_any_name_and_reason_come_back_as_they_were(title, message):
    (line,) = github.commands([Annotation(title, message)])
    found = read(line)
    for text, back in ((title, found[1]["title"]), (message, found[2])):
        assert back == text or re.search("%(0D|0A|25|3A|2C)", text)


@given(st.text(), st.text())
def test_a_model_s_name_cannot_give_a_command_of_its_own(model, reason):
    said = {"model": f"{model}\n::stop-commands::x", "verdict": "fail", "reason": f"{reason}\r\n::error::x"}
    lines = list(github.commands([github.of_record(record(CASE, **said))]))
    assert len(lines) == 1
    assert read(lines[0])[0] == "error"


def test_there_are_never_more_than_github_shows_and_the_last_names_the_others():
    many = [Annotation(f"case {number} fails", "because") for number in range(200)]
    assert len(list(github.commands(many[:10]))) == 10
    lines = [read(line) for line in github.commands(many)]
    assert len(lines) == 10
    assert lines[8][1]["title"] == "case 8 fails"
    assert lines[9][1]["title"] == "191 more cases do not pass"
    assert lines[9][2].startswith("case 9 fails\n")
    assert lines[9][2].endswith("\nand 171 more")
    assert list(github.commands([])) == []


def test_a_file_is_named_only_if_it_is_one_of_the_repository(tmp_path):
    (tmp_path / "repo/tests").mkdir(parents=True)
    (tmp_path / "repo/tests/test_a.py").touch()
    environ = {"GITHUB_WORKSPACE": str(tmp_path / "repo")}
    assert github.where("tests/test_a.py::test_b[c]", tmp_path / "repo", environ) == "tests/test_a.py"
    assert github.where("test_a.py::test_b[c]", tmp_path / "repo/tests", environ) == "tests/test_a.py"
    assert github.where("seedshift::test_reliability[c]", tmp_path / "repo", environ) == ""
    assert github.where("repo/tests/test_a.py::test", tmp_path, {"GITHUB_WORKSPACE": str(tmp_path / "other")}) == ""
