"""Whatever is imported is declared in pyproject.toml, and not brought by another's dependencies by chance."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.environments import PROJECT, ROOT

EXTRAS = PROJECT["optional-dependencies"]
BASE = PROJECT["dependencies"]
DISTRIBUTIONS: Mapping[str, Sequence[str]] = metadata.packages_distributions()
LOADERS = {"import_module", "find_spec", "importorskip", "__import__"}


def imported(source: str) -> Iterator[str]:
    """The top-level names of the modules that a file imports, in functions and by `import_module("…")` too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in LOADERS and isinstance(node.args[0].value, str):
                yield node.args[0].value.partition(".")[0]


def undeclared(source: str, requirements: Sequence[str], ours: set[str]) -> set[str]:
    """What a file imports that is neither the standard library's, nor the project's own, nor required."""
    required = {canonicalize_name(Requirement(each).name) for each in requirements}
    foreign = set(imported(source)) - sys.stdlib_module_names - ours
    return {name for name in foreign if required.isdisjoint(map(canonicalize_name, DISTRIBUTIONS.get(name, [name])))}


FILES = {
    "pytest_seedshift": [*BASE, *EXTRAS["engines"], *EXTRAS["ray"], *EXTRAS["parquet"]],
    "conftest.py": [*BASE, *EXTRAS["test"]],
    "tests": [*BASE, *EXTRAS["test"]],
    "benchmarks": [*BASE, *EXTRAS["benchmarks"]],
    "tools": [*BASE, *EXTRAS["tools"]],
    "docs": [*BASE, *EXTRAS["docs"]],
    ".ci": [],
}
"""Where the project's own code lies, and what may be imported there."""


def files(name: str) -> list[Path]:
    return [ROOT / name] if name.endswith(".py") else sorted((ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("name", FILES)
def test_what_is_imported_is_declared(name):
    scripts = {path.stem for folder in ("tests", "benchmarks", ".ci") for path in files(folder)}  # import each other
    ours = {"pytest_seedshift", "benchmarks", "helpers", "tools"} | (set() if name == "pytest_seedshift" else scripts)
    assert files(name)
    found = {path: undeclared(path.read_text(), FILES[name], ours) for path in files(name)}
    assert {str(path.relative_to(ROOT)): names for path, names in found.items() if names} == {}


def test_no_code_of_the_project_is_left_out():
    tops = {path.name for path in ROOT.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert tops - {".venv"} <= set(FILES)


@pytest.mark.parametrize(
    "source",
    [
        "import hypothesis",
        "import hypothesis.strategies as st",
        "def f():\n    from hypothesis import given",
        "from importlib import import_module\nimport_module('hypothesis.strategies')",
        "import never_heard_of",
    ],
)
def test_what_is_not_declared_is_found(source):
    assert undeclared(source, BASE, set())
    assert not undeclared(source.replace("hypothesis", "torch").replace("never_heard_of", "yaml"), BASE, set())


def test_every_requirement_has_a_lower_bound():
    for requirement in [*BASE, *(each for extra in EXTRAS.values() for each in extra)]:
        assert re.search(r">=\d", requirement), requirement
