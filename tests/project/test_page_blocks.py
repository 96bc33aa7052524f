"""Every block of the README and of the documentation's pages is run or checked by a test: here, or by the one named."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from helpers.environments import ROOT
from helpers.pages import BLOCKS, PAGES, Block, blocks
from pytest_seedshift import ScoreKind
from pytest_seedshift.core import registry, thresholds_parser
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue
from pytest_seedshift.plugin import option_resolution
from pytest_seedshift.scorers import declared

LANGUAGES = {"sh", "bash", "toml", "python", "yaml", "groovy", "json", "text", ""}

PYTHON = {
    "docs/how-to/breaking-points.md": "tests/plugin/test_breaking.py",
    "docs/how-to/expected-failures.md": "tests/end_to_end/test_guides.py",
    "docs/how-to/latents.md": "tests/end_to_end/test_guides.py",
    "docs/how-to/live-pipeline.md": "tests/reporting/test_evaluate.py",
    "docs/how-to/own-model.md": "tests/end_to_end/test_plugin_models.py",
    "docs/how-to/own-scorer.md": "tests/end_to_end/test_plugin_models.py",
    "docs/how-to/own-shift.md": "tests/end_to_end/test_plugin_models.py",
    "docs/how-to/own-tests.md": "tests/end_to_end/test_readme.py",
    "docs/how-to/position.md": "tests/cli/test_position.py",
    "docs/how-to/prompts.md": "tests/end_to_end/test_guides.py",
    "docs/how-to/python.md": "tests/reporting/test_evaluate.py",
    "docs/how-to/query.md": "tests/end_to_end/test_guides.py",
    "docs/how-to/repairs.md": "tests/end_to_end/test_guides.py",
    "docs/how-to/trajectories.md": "tests/end_to_end/test_readme.py",
    "docs/how-to/which-configuration.md": "tests/end_to_end/test_guides.py",
}
"""Which test runs the Python of a page."""


def words_of(script: str) -> list[list[str]]:
    """The simple commands of a script of the shell, as lists of words."""
    found = []
    rest = ""
    for line in script.replace("\\\n", " ").splitlines():
        rest += line
        lexer = shlex.shlex(rest, posix=True, punctuation_chars="&;|")
        lexer.whitespace_split = True
        try:
            words = [*lexer, "&&"]
        except ValueError:  # a quotation over several lines
            rest += "\n"
            continue
        rest = ""
        command: list[str] = []
        for word in words:
            if set(word) <= set("&;|"):
                found.append(command)
                command = []
            else:
                command.append(word)
    assert not rest, rest
    return [command for command in found if command]


def scripts() -> list[tuple[str, str]]:
    """The page and the text of each script: blocks of the shell, and what steps of a CI run."""
    found = [(each.page, each.text) for each in BLOCKS if each.language in ("sh", "bash")]
    for each in BLOCKS:
        if each.language == "yaml":
            found += [(each.page, script) for script in runs_of(yaml.safe_load(each.text))]
        elif each.language == "groovy":
            found += [(each.page, script) for script in re.findall(r"sh '([^']+)'", each.text)]
    return found


def runs_of(value: object) -> list[str]:
    """The commands of a CI's file: `run`, `script` and `entrypoint`, wherever they stand."""
    if isinstance(value, list):
        return [script for each in value for script in runs_of(each)]
    if not isinstance(value, dict):
        return []
    given = [each for name in ("run", "script", "entrypoint") for each in [value.get(name, [])]]
    own = [script for each in given for script in ([each] if isinstance(each, str) else each)]
    return own + [script for each in value.values() for script in runs_of(each)]


def calls(program: str) -> list[tuple[str, tuple[str, ...]]]:
    """The page and the arguments of each call of a program in scripts; what a shell would put in is a word."""
    found = []
    for page, script in scripts():
        for words in words_of(re.sub(r"\$\{\{[^}]*\}\}|\$\{?\w+\}?", "1", script)):
            names = [Path(word).name for word in words]
            if program in names and names[0] in (program, "do", "srun"):
                found.append((page, tuple(words[names.index(program) + 1 :])))
    return sorted(set(found))


class Contrast:
    """A scorer as a guide has it."""

    kind = ScoreKind("contrast", 1.0, binary=False)


@pytest.fixture
def extensions() -> Iterator[None]:
    """A session that knows the shift and the scorer that the guides make."""
    made = registry.Extensions()
    made.shifts = registry.Registry("shift", (), [("conftest.py", {"tilt": object})])
    made.scorers = registry.Registry("scorer", (), [("conftest.py", {"contrast": Contrast})])
    registry.push(made)
    yield
    registry.remove(made)


def test_every_block_has_a_language_that_is_checked():
    assert {each.language for each in BLOCKS} <= LANGUAGES
    assert {each.page for each in BLOCKS if each.language == "python"} == PYTHON.keys()
    for page, test in PYTHON.items():
        name = Path(page).stem.removeprefix("own-")  # of which one test reads three
        assert re.search(rf"\b{name}\b", (ROOT / test).read_text()), page


def linked(page: str) -> set[str]:
    """The pages that a page links to."""
    folder = (ROOT / page).parent
    named = re.findall(r"\]\((?!https?:)([^)#\s]+\.md)", PAGES[page])
    return {(folder / name).resolve().relative_to(ROOT).as_posix() for name in named} & PAGES.keys()


def test_every_page_but_the_references_is_two_clicks_from_the_readme():
    first = linked("README.md")
    second = {page for each in first for page in linked(each)}
    told = {page for page in PAGES if page.startswith(("docs/tutorials/", "docs/how-to/", "docs/explanation/"))}
    assert len(told) > 60
    assert told - first - second == set()
    assert told - first  # else the README would be the index that it was


def test_options_of_pytest_can_be_used(pytester, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    commands = calls("pytest")
    assert len(commands) > 40
    for page, arguments in commands:
        given = [each.replace("tilt", "mean") for each in arguments]  # the shift of a guide's conftest
        config = pytester.parseconfig("-p", "no:cacheprovider", *given)
        try:
            option_resolution.resolve(config)
        except (SeedshiftError, pytest.UsageError) as error:
            pytest.fail(f"{page}: pytest {shlex.join(arguments)}: {error}")
        unknown = [each for each in arguments if each.startswith("--seedshift") and not known(config, each)]
        assert not unknown, page


def known(config: pytest.Config, argument: str) -> bool:
    return hasattr(config.option, argument.partition("=")[0].removeprefix("--").replace("-", "_"))


def test_commands_of_seedshift_can_be_parsed():
    commands = calls("seedshift")
    assert len(commands) > 25
    for _, (name, *arguments) in commands:
        command = import_module(f"pytest_seedshift.cli.{name.replace('-', '_')}").command
        with command.make_context(name, list(arguments)) as context:
            assert context.params


def test_benchmarks_and_tools_that_pages_name_are_there():
    text = "\n".join(PAGES.values())
    found = set(re.findall(r"python (benchmarks/\w+\.py)((?: [\w,./+-]+)*)", text))
    assert len(found) > 15
    for script, arguments in found:
        source = (ROOT / script).read_text()
        for option in re.findall(r"--[\w-]+", arguments):
            assert f'"{option}"' in source, (script, option)


def test_scripts_are_bash():
    everything = "\n".join(f"f() {{\n{script}\n}}" for _, script in scripts() if "${{" not in script)
    checked = subprocess.run(["bash", "-n"], input=everything, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    broken = subprocess.run(["bash", "-n"], input="if true", text=True, capture_output=True)
    assert broken.returncode


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "toml"], ids=str)
def test_toml_is_what_a_file_may_say(extensions, block: Block):
    if block.text.startswith("[project"):
        points = tomllib.loads(block.text)["project"]["entry-points"]
        assert {group.partition(".")[0] for group in points} == {"pytest_seedshift"}
    else:
        declared.register([(tomllib.loads(block.text).get("scorers", {}), ROOT / "thresholds.toml", "")])
        thresholds_parser.parse(block.text, block.page, catalogue.shipped().find)


def test_a_threshold_that_no_file_may_say_is_noticed():
    with pytest.raises(SeedshiftError):
        thresholds_parser.parse("[default]\ntop1 = { mni = 0.5 }\n", "page", catalogue.shipped().find)


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "yaml"], ids=str)
def test_ci_files_are_of_their_kind(block: Block):
    read = yaml.safe_load(block.text)
    if "jobs" in read:
        assert read.keys() - {"permissions"} == {"name", True, "jobs"}  # `on` is a word for true in YAML
        for job in read["jobs"].values():
            assert job["runs-on"]
            for step in job["steps"]:
                assert ("run" in step) != ("uses" in step)
                ours_or_githubs = r"actions/[\w-]+@v\d+|OWNER/pytest-seedshift@v\d+\.\d+\.\d+"
                assert re.fullmatch(ours_or_githubs, step.get("uses", "actions/checkout@v4"))
    else:
        assert read.keys() & {"apiVersion", "reliability"}


def test_python_compiles_and_json_is_json():
    for block in blocks("python"):
        ast.parse(block)
    for block in blocks("json"):
        json.loads(block.replace("…", "..."))
