"""The size of the house: modules, functions, classes and entries of the package stay small enough to be read.

That imports go one way is for import-linter (see pyproject.toml); what is counted here it does not see.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.environments import ROOT

PACKAGE = ROOT / "pytest_seedshift"
LAYERS = ("core", "scorers", "results", "models", "runner", "studies", "reporting", "plugin", "cli")
ENTRIES = 12
LIMITS = {"module": 400, "function": 60, "class": 20}
"""Lines of a module, lines of a function with its docstring, public members that a class itself defines."""

EXCEPTIONS = {
    # models and results: values whose fields are a file's keys
    "models/base.py Entry": "one field per key of a model's table",
    "results/schema/records.py Record": "one field per key of verdicts.json",
    "results/schema/searches.py Search": "one field per key of verdicts.json",
    "results/data.py CaseRun": "one field per column of the table of cases",
    "results/data.py Run": "what a page shows of a run, and its tables",
    "results/run_folder.py RunFolder": "one property per file of the folder",
    "plugin/option_resolution.py Settings": "one field per option",
    # diffusers' own form
    "models/glide/pipeline.py GlidePipeline.__call__": "a pipeline's call is one function, its arguments documented",
}
"""By place, why it is larger."""


@dataclass(frozen=True)
class Size:
    """How large something is, and where it stands: a module, or a module and a name in it."""

    kind: str
    where: str
    size: int

    @property
    def is_large(self) -> bool:
        return self.size > LIMITS[self.kind]


def sizes(source: str, where: str) -> Iterator[Size]:
    """The sizes of a module and of all that it defines, at whatever depth."""
    yield Size("module", where, len(source.splitlines()))
    yield from _within(ast.parse(source), f"{where} ")


def _within(node: ast.AST, prefix: str) -> Iterator[Size]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min(line.lineno for line in (child, *child.decorator_list))
            yield Size("function", f"{prefix}{child.name}", (child.end_lineno or first) - first + 1)
            yield from _within(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield Size("class", f"{prefix}{child.name}", len(public_members(child)))
            yield from _within(child, f"{prefix}{child.name}.")
        else:
            yield from _within(child, prefix)


def public_members(of: ast.ClassDef) -> set[str]:
    """Methods, fields, and attributes that methods set, without an underscore."""
    names = set()
    for statement in of.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(statement.name)
            names |= {
                node.attr
                for node in ast.walk(statement)
                if isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            }
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def modules() -> dict[str, str]:
    """By path in the package, the source."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def too_large(sources: dict[str, str]) -> dict[str, Size]:
    return {size.where: size for where, source in sources.items() for size in sizes(source, where) if size.is_large}


def test_nothing_is_too_large_but_for_the_exceptions_and_each_of_these_still_is():
    found = too_large(modules())
    assert {place: found[place] for place in found.keys() - EXCEPTIONS.keys()} == {}, "divide it"
    assert EXCEPTIONS.keys() - found.keys() == set(), "no exception is needed any more: remove its line"


def test_what_is_too_large_is_found_wherever_it_stands():
    body = "\n".join(["    x = 1"] * 60)
    methods = "\n".join(f"    def m{number}(self): ..." for number in range(19))
    source = (
        f"if True:\n  @property\n  def decorated():\n{body}\n"
        f"class Large:\n    field: int\n    def __init__(self): self.attribute = self._own = 1\n{methods}\n"
        f"    class Inner:\n        async def long(self):\n{body.replace('    x', '            x')}\n"
    )
    at_the_limit = "\n".join(["x = 1"] * 400)
    assert too_large({"a.py": source, "b.py": at_the_limit, "c.py": f"{at_the_limit}\n\n"}) == {
        "a.py decorated": Size("function", "a.py decorated", 62),
        "a.py Large": Size("class", "a.py Large", 21),
        "a.py Large.Inner.long": Size("function", "a.py Large.Inner.long", 61),
        "c.py": Size("module", "c.py", 401),
    }
    assert too_large({"a.py": f"def at_limit():\n{body.removeprefix('    x = 1' + chr(10))}\n"}) == {}


def test_the_package_has_few_entries_and_every_module_is_in_a_layer():
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(entries) <= ENTRIES
    counted = Counter(where.partition("/")[0] for where in modules())
    print({layer: counted[layer] for layer in LAYERS})
    assert counted.keys() - set(LAYERS) == {"__init__.py", "__main__.py"}
    assert all(counted[layer] > 1 for layer in LAYERS)


FOREIGN = {
    "config": "pytest's and pytest-xdist's configuration",
    "entry": "a part of pytest's traceback",
    "each": "a part of pytest's traceback",
    "error": "an exception on its way",
    "item": "pytest's",
    "parser": "configparser's",
    "report": "pytest's and pytest-html's",
    "reporter": "pytest's terminal",
    "session": "pytest's, of which the exit status is",
    "spec": "a worker of pytest-xdist",
    "teardown": "a report of pytest's",
}
"""By the name of a variable in `plugin`, whose object is changed from outside: none of ours."""


def written_from_outside(source: str) -> set[str]:
    """The attributes that a module sets on objects of which it is not known that they are others' or its own."""
    targets = (each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Attribute))
    return {ast.unparse(each) for each in targets if isinstance(each.ctx, ast.Store) and not _is_foreign(each)}


def _is_foreign(target: ast.Attribute) -> bool:
    names = [each.id for each in ast.walk(target.value) if isinstance(each, ast.Name)]
    kept = isinstance(target.value, ast.Attribute) and target.value.attr in ("_page", "_pytest")
    itself = isinstance(target.value, ast.Name) and names[0] in ("self", "cls")
    return kept or itself or names[0] in FOREIGN


def test_no_object_of_the_plugin_s_or_of_the_runner_s_is_written_into_from_outside():
    ours = {where: source for where, source in modules().items() if where.startswith(("plugin/", "runner/"))}
    assert {where: found for where, source in ours.items() if (found := written_from_outside(source))} == {}
    outside = (
        "def f(self, terminal):\n    terminal.page, self._state.loads = 1, 2\n    self.mine = report.outcome = 3\n"
    )
    assert written_from_outside(outside) == {"terminal.page", "self._state.loads"}


def missing_paths(text: str) -> set[str]:
    """The modules and folders that a text names in code style and that are not there."""
    named = set(re.findall(rf"`((?:{'|'.join(LAYERS)})/[\w/.]*)`", text))
    return {path for path in named if not (PACKAGE / path).exists()}


def test_the_description_of_the_layers_is_of_this_tree():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.splitlines()) <= 100
    assert all(f"{layer}/" in text for layer in LAYERS)
    assert missing_paths(text) == set()
    assert missing_paths("`core/moved_away.py` beside `core/pairs.py`, `nocore/x.py`") == {"core/moved_away.py"}


def not_shipped(text: str, folder: Path) -> set[str]:
    """Links of a page in a folder of the project whose targets are not there, or not in the sdist."""
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"]
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    targets = {link: (folder / link).resolve() for link in links - {""}}
    return {
        link
        for link, target in targets.items()
        if not (target.exists() and target.relative_to(ROOT).parts[0] in hatch["include"])
    }


def test_all_that_pages_link_to_is_in_the_sdist():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    assert {str(page): missing for page in pages if (missing := not_shipped(page.read_text(), page.parent))} == {}
    assert {"ARCHITECTURE.md", "CONTRIBUTING.md"} <= set(
        re.findall(r"\(([A-Z]+\.md)\)", (ROOT / "README.md").read_text())
    )
    gone = "[a](gone.md#here) [b](../README.md) [c](https://example.org) [d](#here) [e](../.gitignore)"
    assert not_shipped(gone, ROOT / "docs") == {"gone.md", "../.gitignore"}
