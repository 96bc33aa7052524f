"""Run folders of others whose names are anything: every command's output, pages, Markdown, XML and CI commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from helpers import records, synthetic
from helpers.strange_markdown import Shown, shown
from helpers.strange_text import starts_a_command, unseen
from pytest_seedshift.__main__ import main
from pytest_seedshift.core import text
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.results.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("memory")  # the same curves are drawn again and again

EVIL = (
    "{} \n::warning::w\r::add-mask::m\u2028::error::x ##[error]e ##vso[task.complete] \x1b[31m\x1b]0;t\x07\x9b2J "
    "\u202e\u2066\u200b\ufeff\udcff]]> | <img src=x onerror=alert(1)><script>alert(1)</script> $x^$ `b` "
    "[l](https://e.org) ![i](https://e.org) @me #1 :tada: www.e.org\n\n## heading\n\n- item\n```\n<!-- "
    "<![CDATA[ 猫 שלום {{{{ 7*7 }}}}"
)
HALF = "\ud800"
"""Which is in no file's name, but may be in a JSON file."""

TAGS = {"img", "script", "a", "h2", "h3", "li", "pre", "svg", "iframe"}


def evil(name: str) -> str:
    return EVIL.format(name)


def grid(models, shifts, magnitudes) -> list[Case]:
    """All cases, of shifts that nobody knows."""
    return [
        Case(model, *each)
        for model in models
        for each in [("none", 0.0), *((shift, at) for shift in shifts for at in magnitudes)]
    ]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A folder with one run whose names are plain, and one whose every name and reason is not."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "grid", grid)
        _write(root / "plain", str)
        _write(root / "evil", evil)
    return root


def _write(path: Path, name: Callable[[str], str]) -> None:
    shift, kind = name("mean"), ScoreKind(name("title"), 1.0, binary=False)
    plan = synthetic.Plan(
        models=(name("one"), name("two")),
        shifts=(shift,),
        labels=tuple(map(name, synthetic.Plan.labels)),
        images=8,
        pictures=2,
        fails=shift,
        scores=ScoreRegistry({"mine": kind}),
        command=(f"--seedshift-model={name('one')}",),
    )
    folder = synthetic.write(path, plan)
    synthetic.add_seed_use(folder, *plan.models, plan.scores)
    cases = folder.read_document()["cases"]
    for case in cases:
        case["reason"] = f"{case['id']}: {name('reason')}{HALF}\n    {name('and more')}"
        case |= {"device": name("cpu"), "dtype": name("float32")}
    cases[1] |= {"verdict": "error", "scores": {}, "constraints": []}
    records.write(folder, cases)
    synthetic.add_head(folder, plan, scores={"mine": asdict(kind)}, libraries={name("torch"): name("2")})
    document = folder.read_document()
    about = {key: value for key, value in document.items() if key not in ("version", "cases")}
    records.write(folder, document["cases"][:-2] + document["cases"][-1:], about)  # one has no verdict


def run(monkeypatch, capfd, project: Path, tmp_path: Path, which: str, *arguments: str) -> tuple[int, str]:
    """A command in a step of GitHub Actions: its status, and all that it says."""
    monkeypatch.chdir(project)
    for name, value in (("GITHUB_ACTIONS", "true"), ("CI", "true"), ("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))):
        monkeypatch.setenv(name, value)
    capfd.readouterr()
    status = main([each.format(run=which, tmp=tmp_path) for each in arguments])
    said = capfd.readouterr()
    return status, said.out + said.err


def problems(said: str, *, commands: int = 0) -> list[str]:
    """What is wrong with the output of a step."""
    found = [f"{each!r} is shown" for each in unseen(said) - {"\n", "\t"}]
    ours = [line for line in said.split("\n") if line.startswith("::error title=")]
    others = "\n".join(line for line in said.split("\n") if line not in ours)
    if len(ours) != commands:
        found.append(f"{len(ours)} commands")
    if starts_a_command(others):
        found.append("a command")
    found += [f"a line of its own: {line}" for line in others.split("\n") if re.match(r"(## |- item|```|<)", line)]
    return found


MODEL = ("--model", evil("one"))
COMMANDS = [
    ("report", "{run}", "--output", "{tmp}/page.html", "--summary", "{tmp}/summary.md"),
    ("merge", "{run}", "--output", "{tmp}/merged", "--summary", "{tmp}/summary.md"),
    ("compare", "{run}", "{run}", "--output", "{tmp}/page.html"),
    ("compare", "{run}", "plain", "--output", "{tmp}/page.html"),
    ("card", "{run}"),
    ("card", "{run}", "--model", "nobody"),
    ("thresholds", "{run}", "--dry-run", "--output", "{tmp}/thresholds.toml"),
    ("merge", "{run}", "plain", "--output", "{tmp}/merged"),
    ("report", evil("x").replace("{", "{{").replace("}", "}}")),
    ("report", "{run}", evil("x").replace("{", "{{").replace("}", "}}")),
    (evil("x"),),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: " ".join(each)[:30].split("\n")[0])
def test_no_command_says_more_than_text(project, tmp_path, monkeypatch, capfd, arguments):
    try:
        status, said = run(monkeypatch, capfd, project, tmp_path, "evil", *arguments)
    except SystemExit as ending:
        captured = capfd.readouterr()
        status, said = ending.code, captured.out + captured.err
    print(said)
    assert status in (0, 1, 4)
    assert "Traceback" not in said
    assert problems(said, commands=_annotated(arguments, status)) == []
    if status != 4:
        assert text.terminal_line(evil("one")) in said or arguments[0] in ("report", "compare", "thresholds")


def _annotated(arguments: tuple[str, ...], status: int) -> int:
    """Of a merged run the case that fails, the one that could not be judged, and the one without a verdict."""
    return 3 if arguments[0] == "merge" and status == 1 else 0


def test_the_card_is_a_file_and_holds_nothing_but_text(project, tmp_path, monkeypatch, capfd):
    plain = _card(monkeypatch, capfd, project, tmp_path, "plain", "one")
    hostile = _card(monkeypatch, capfd, project, tmp_path, "evil", evil("one"))
    _, front, body = hostile.split("---\n", 2)
    import yaml

    assert yaml.safe_load(front)["model-index"][0]["name"] == evil("one")
    assert not unseen(hostile) - {"\n", "\u2068", "\u2069"}
    assert not starts_a_command(hostile)
    assert _tags(body) == _tags(plain.split("---\n", 2)[2])


def _card(monkeypatch, capfd, project, tmp_path, which, model) -> str:
    path = tmp_path / f"{which}.md"
    monkeypatch.chdir(project)
    assert main(["card", which, "--model", model, "--output", str(path)]) == 0, capfd.readouterr().err
    return path.read_text()


def _tags(markdown: str) -> list[str]:
    page = shown(markdown)
    return sorted(set(page.tags) & TAGS)


def test_markdown_pages_and_xml_have_the_same_parts_whatever_the_names(project, tmp_path, monkeypatch, capfd):
    made: dict[str, Path] = {}
    for which in ("plain", "evil"):
        made[which] = tmp_path / which
        made[which].mkdir()
        status, said = run(monkeypatch, capfd, project, made[which], which, *COMMANDS[1])
        assert status == 1, said
        assert run(monkeypatch, capfd, project, made[which], which, *COMMANDS[2])[0] in (0, 1)
    for name in ("summary.md", "step.md"):
        one, other = ((made[which] / name).read_text() for which in ("plain", "evil"))
        assert not unseen(other) - {"\n", "\u2068", "\u2069"}
        assert [line[:3] for line in one.split("\n")] == [line[:3] for line in other.split("\n")]
        assert _tags(one) == _tags(other)
        assert "猫" in other
    for name in ("merged/report.html", "page.html"):
        one, other = (Counted((made[which] / name).read_text()) for which in ("plain", "evil"))
        assert other.counted == one.counted
        assert not unseen((made["evil"] / name).read_text()) - {"\n", "\t"}
        assert text.html(evil("one")).split("\n")[0] in other.text  # type: ignore[attr-defined]
        assert "{{ 7*7 }}" in other.text
    cases = ElementTree.parse(made["evil"] / "merged/junit.xml").findall(".//testcase")
    assert len(cases) == len(ElementTree.parse(made["plain"] / "merged/junit.xml").findall(".//testcase"))
    named = cases[0].find(".//property[@name='seedshift_model']")
    assert named is not None
    assert named.get("value") == text.xml(evil("one"))


class Counted(Shown):
    """A page's text, and how many elements it has that could do something."""

    def __init__(self, html: str) -> None:
        self.counted: dict[str, int] = {}
        super().__init__(html)

    def handle_starttag(self, tag, attributes) -> None:
        super().handle_starttag(tag, attributes)
        names = [f"{tag} {name}" for name, _ in attributes if name.startswith("on") or name in ("href", "src")]
        for each in [tag, *names] if tag in TAGS else names:
            self.counted[each] = self.counted.get(each, 0) + 1


@pytest.mark.parametrize("part", ["_visible", "_harmless"])
def test_without_either_half_of_the_function_the_checks_fail(project, tmp_path, monkeypatch, capfd, part):
    monkeypatch.setattr(text, part, lambda value: re.sub("[\ud800\udcff]", "", str(value)))
    _, said = run(monkeypatch, capfd, project, tmp_path, "evil", *COMMANDS[1])
    assert problems(said.encode(errors="backslashreplace").decode(), commands=3)


def test_a_locale_that_knows_ascii_alone_is_no_reason_to_fail(project, tmp_path):
    environ = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
    command = [sys.executable, "-m", "pytest_seedshift", "merge", "evil", "--output", str(tmp_path / "merged")]
    done = subprocess.run(command, check=False, cwd=project, env=environ, capture_output=True)
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "merged/junit.xml").exists()
    shown = text.terminal_line(evil("one")).encode("ascii", "backslashreplace")
    assert shown in done.stdout


def test_the_run_folder_is_what_the_test_says_it_is(project):
    document = RunFolder(project / "evil").read_document()
    assert {case["model"] for case in document["cases"]} == {evil("one"), evil("two")}
    assert len(document["grid"]) == len(document["cases"]) + 1
