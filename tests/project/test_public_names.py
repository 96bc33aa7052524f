"""What users import: where it is, what it costs, what is written of it, and that nothing deeper is recommended.

The rules of docstrings, for every name of `__all__` and the public members of its classes:

- each has one; of a type alias it is the text below it;
- each parameter stands under Args, each field under Attributes or with a text below it;
- what a function with parameters gives stands under Returns; of a property it is the docstring itself;
- each class of errors that the body raises stands under Raises, and what stands there is one that users can catch by
  name: Python's, or one of `__all__`;
- what is said of a tensor or an array has its shape, such as (batch, channels, height, width), or whose shape it has;
- what is said of a number has its range or its unit: a digit, or one of `UNITS`.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

import pytest_seedshift as seedshift

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "numpy", "scipy", "pydantic", "diffusers", "transformers", "open_clip", "matplotlib", "PIL", "pytest"}
LIGHT = {
    "Axes",
    "Case",
    "CaseResult",
    "DataError",
    "HarnessError",
    "InvalidValueError",
    "Label",
    "ModelError",
    "OnStep",
    "Pair",
    "PairScorer",
    "ScoreKind",
    "Scorer",
    "SeedshiftError",
    "SeedshiftUsageError",
    "Shift",
    "TextToImage",
    "design",
}
UNITS = ("second", "how many", "number of", "index", "certainty", "magnitude", "image", "pairs", "confidence", "pixels")
STANDING = ("models.glide",)
"""Modules whose names stand in users' files, as in the model_index.json of converted folders."""
WRAPPED = {"models.load", "models.catalogue"}
"""What a test's model takes that has a toy inside of it."""
GROUPS = ("models", "shifts", "scorers", "plugin")
"""Other names that stand in users' files: the groups of entry points, and what `-p` takes."""


# Where the names are ---------------------------------------------------------------------------------------------


def test_importing_it_imports_nothing_else_and_a_name_only_what_it_needs():
    code = f"""
        import json, sys
        def loaded(use):
            before = set(sys.modules); use(); return sorted(set(sys.modules) - before)
        def light():
            import pytest_seedshift
            for name in {sorted(LIGHT)!r}: getattr(pytest_seedshift, name)
        def heavier():
            import pytest_seedshift
            pytest_seedshift.Trajectory
        print(json.dumps([loaded(lambda: __import__("pytest_seedshift")), loaded(light), loaded(heavier)]))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    alone, light, heavier = json.loads(done.stdout)
    assert alone == ["pytest_seedshift"]
    assert not HEAVY & set(light)
    assert "pytest_seedshift.core.pairs" in light
    assert "numpy" in heavier  # so the check above can fail


def static_imports() -> dict[str, tuple[str, str]]:
    """By name, the module and the attribute that type checkers see."""
    tree = ast.parse(Path(seedshift.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    return {
        each.asname or each.name: (node.module, each.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }


def test_type_checkers_see_the_names_that_a_program_sees():
    lazy = {name: (module, seedshift._THERE.get(name, name)) for name, module in seedshift._MODULES.items()}
    assert static_imports() == lazy
    assert sorted(lazy) == seedshift.__all__
    assert set(seedshift._THERE) <= set(lazy)


@pytest.mark.parametrize("name", seedshift.__all__)
def test_a_name_is_what_its_module_has_and_hides_no_module(name):
    module, attribute = static_imports()[name]
    assert getattr(seedshift, name) is getattr(importlib.import_module(module), attribute)
    # Python puts a module into its package when it is imported: the name would then be the module.
    assert name not in {each.name for each in pkgutil.iter_modules(seedshift.__path__)}


def test_an_unknown_name_is_an_error_that_lets_python_say_which_was_meant():
    with pytest.raises(AttributeError, match="'pytest_seedshift' has no attribute 'ScoreKnd'") as caught:
        seedshift.ScoreKnd  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("ScoreKnd", seedshift)
    assert set(seedshift.__all__) <= set(dir(seedshift))
    with pytest.raises(ImportError):
        exec("from pytest_seedshift import ScoreKnd")


# What is written of them -----------------------------------------------------------------------------------------


SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:")


@dataclass(frozen=True)
class Doc:
    """A docstring in Google's style: its text, and by section what is said of each entry."""

    text: str
    sections: dict[str, dict[str, str]]

    @classmethod
    def of(cls, text: str | None) -> Doc:
        sections: dict[str, dict[str, str]] = {}
        section = entry = ""
        for line in inspect.cleandoc(text or "").splitlines():
            if line and not line.startswith(" "):
                section, entry = (line[:-1], "") if line in SECTIONS else ("", "")
                sections |= {section: {}} if section else {}
            elif section and line:
                found = re.match(r" {4}(\w+): (.*)", line) if section != "Returns" else None
                entry, said = (found[1], found[2]) if found else (entry, line.strip())
                sections[section][entry] = f"{sections[section].get(entry, '')} {said}"
        return cls(text or "", sections)


def wrong_of(node: ast.AST, name: str, *, below: str | None = None) -> list[str]:
    """What the docstrings of a definition lack."""
    if isinstance(node, ast.ClassDef):
        return wrong_of_class(node, name)
    if isinstance(node, ast.FunctionDef):
        return wrong_of_function(node, name)
    return [] if below else [f"{name}: no text below it"]


def wrong_of_class(node: ast.ClassDef, name: str) -> list[str]:
    doc, wrong = Doc.of(ast.get_docstring(node, clean=False)), []
    if not doc.text:
        wrong.append(f"{name}: no docstring")
    attributes = doc.sections.get("Attributes", {})
    for at, each in enumerate(node.body):
        if isinstance(each, ast.AnnAssign) and not is_private(each.target.id):
            following = node.body[at + 1] if at + 1 < len(node.body) else None
            said = attributes.get(each.target.id) or text_of(following)
            wrong += wrong_of_value(said, each.annotation, f"{name}.{each.target.id}")
        elif isinstance(each, ast.FunctionDef) and not is_private(each.name):
            wrong += wrong_of_function(each, f"{name}.{each.name}")
    return wrong


def wrong_of_function(node: ast.FunctionDef, name: str) -> list[str]:
    doc, wrong = Doc.of(ast.get_docstring(node, clean=False)), []
    if not doc.text:
        return [f"{name}: no docstring"]
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments = [each for each in arguments if each.arg not in ("self", "cls")]
    for each in arguments:
        wrong += wrong_of_value(doc.sections.get("Args", {}).get(each.arg), each.annotation, f"{name}({each.arg})")
    gives = ast.unparse(node.returns) if node.returns is not None else "None"
    if gives not in ("None", "bool", "str"):
        said = doc.text if not arguments else " ".join(doc.sections.get("Returns", {}).values())
        wrong += wrong_of_value(said, node.returns, f"what {name} returns")
    raised = {each.exc.func.id for each in ast.walk(node) if isinstance(each, ast.Raise) and has_name(each)}
    said_raised = set(doc.sections.get("Raises", {}))
    wrong += [f"{name}: raises {each}, unsaid" for each in sorted(raised - said_raised)]
    wrong += [f"{name}: raises {each}, which has no public name" for each in sorted(said_raised) if not can_catch(each)]
    return wrong


def wrong_of_value(said: str | None, annotation: ast.expr | None, name: str) -> list[str]:
    if not said:
        return [f"{name}: not described"]
    kind = "" if annotation is None else ast.unparse(annotation).strip("'\"")
    if re.search(r"\b(Tensor|Values|NDArray)\b", kind) and not re.search(r"\(.+,.*\)|the shape\b", said):
        return [f"{name}: {kind} without a shape"]
    if re.fullmatch(r"(int|float)( \| None)?", kind) and not re.search(rf"\d|{'|'.join(UNITS)}", said.lower()):
        return [f"{name}: {kind} without a range or a unit"]
    return []


def can_catch(name: str) -> bool:
    """Whether users can write `except` with an error's name."""
    return name in seedshift.__all__ or hasattr(builtins, name)


def is_private(name: str) -> bool:
    return name.startswith("_") and name != "__call__"


def has_name(node: ast.Raise) -> bool:
    return isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)


def text_of(node: ast.AST | None) -> str | None:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return node.value.value if is_text else None


def definition(name: str) -> tuple[ast.AST, str | None]:
    """A public name's definition, and the text below it."""
    module, attribute = static_imports()[name]
    body = ast.parse(Path(importlib.util.find_spec(module).origin).read_text()).body
    for at, node in enumerate(body):
        if attribute in (getattr(node, "name", None), getattr(getattr(node, "target", None), "id", None)):
            return node, text_of(body[at + 1] if at + 1 < len(body) else None)
    raise LookupError(f"{module} does not define {attribute}")


@pytest.mark.parametrize("name", seedshift.__all__)
def test_a_name_is_documented(name):
    node, below = definition(name)
    assert wrong_of(node, name, below=below) == []


BAD = {
    "def f(x: Tensor) -> None:\n    '''Do.\n\n    Args:\n        x: images.\n    '''": "f(x): Tensor without a shape",
    "def f(x: int) -> None:\n    '''Do.\n\n    Args:\n        x: it.\n    '''": "f(x): int without a range or a unit",
    "def f(x: str) -> None:\n    '''Do.'''": "f(x): not described",
    "def f(x: str) -> int:\n    '''Do.\n\n    Args:\n        x: it.\n    '''": "what f returns: not described",
    "def f() -> None:\n    '''Do.'''\n    raise ValueError('no')": "f: raises ValueError, unsaid",
    "def f() -> None:\n    '''Do.\n\n    Raises:\n        DrawingError: no.\n    '''": (
        "f: raises DrawingError, which has no public name"
    ),
    "def f() -> None:\n    pass": "f: no docstring",
    "class f:\n    '''It.'''\n    x: str": "f.x: not described",
    "class f:\n    '''It.'''\n    def g(self): pass": "f.g: no docstring",
    "f: TypeAlias = 'int'": "f: no text below it",
}


@pytest.mark.parametrize("code", BAD)
def test_what_a_docstring_lacks_is_seen(code):
    assert wrong_of(ast.parse(code).body[0], "f") == [BAD[code]]


# Nothing deeper is recommended -----------------------------------------------------------------------------------


def imported(code: str) -> set[str]:
    """What a program imports of the package, in full; `seedshift.x` counts for what it uses of it."""
    tree, found = ast.parse(code), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "seedshift":
            found.add(f"pytest_seedshift.{node.attr}")
    return {each for each in found if each.split(".")[0] == "pytest_seedshift"}


def deeper(names: set[str]) -> set[str]:
    """Those that are no public names."""
    public = {"", *seedshift.__all__}
    inside = {each.removeprefix("pytest_seedshift").removeprefix(".") for each in names}
    return {each for each in inside if each not in public and not each.startswith(STANDING)}


def programs(page: str) -> list[str]:
    """The Python of a page: its fenced blocks, and what its commands give to `python -c`."""
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return blocks + re.findall(r'python -c "\n(.*?)\n"', page, re.DOTALL)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")), ROOT / "CONTRIBUTING.md"]


def mentioned(text: str) -> set[str]:
    """Modules and names of the package that a text speaks of."""
    return {each.rstrip(".") for each in re.findall(r"\bpytest_seedshift\.(?!py\b)[A-Za-z_][\w.]*", text)}


def recommended(text: str) -> set[str]:
    """Those that a text for users may not speak of."""
    return {each for each in deeper(mentioned(text)) if each not in GROUPS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_import_public_names_alone(page):
    text = re.sub(
        r"^\.\. autoclass::.*$", "", page.read_text(), flags=re.MULTILINE
    )  # which the site shows without modules
    assert {each for code in programs(text) for each in deeper(imported(code))} == set()
    assert recommended(text) == set()


def test_the_examples_are_found():
    found = {each for page in PAGES for code in programs(page.read_text()) for each in imported(code)}
    assert {f"pytest_seedshift.{name}" for name in ("Axes", "ScoreKind", "seed_vectors", "seed_weight")} <= found


def constants(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_errors_and_hooks_speak_of_public_names():
    """Every text of the package with a blank in it is taken for one that users may read, but for docstrings."""
    for path in sorted((ROOT / "pytest_seedshift").rglob("*.py")):
        tree = ast.parse(path.read_text())
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docs = {ast.get_docstring(each, clean=False) for each in ast.walk(tree) if isinstance(each, documented)}
        internal = docs if path.name != "hookspecs.py" else set()
        texts = [each for each in constants(path) if " " in each.strip() and each not in internal]
        assert {name for each in texts for name in recommended(each)} == set(), path


def test_the_tests_own_users_write_what_the_pages_say():
    """Files that give models, shifts or scorers by a hook, in whatever test."""
    seen = 0
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for text in constants(path):
            if "\ndef pytest_seedshift_" in text:
                try:
                    names = imported(text)
                except SyntaxError:  # a template
                    names = set(re.findall(r"from (pytest_seedshift\.\S+) import", text))
                seen += 1
                assert deeper(names) <= WRAPPED, path
    assert seen > 5


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from pytest_seedshift.deep import design", {"deep.design"}),
        ("import pytest_seedshift.deep.deeper", {"deep.deeper"}),
        ("from pytest_seedshift import deep", {"deep"}),
        ("def f():\n    import pytest_seedshift as seedshift\n    seedshift.nothing", {"nothing"}),
        ("from pytest_seedshift.models.glide import schedulers", set()),
        ("from pytest_seedshift import design\nimport pytest_seedshift", set()),
    ],
)
def test_what_is_deeper_is_seen(code, found):
    assert deeper(imported(code)) == found


# What type checkers make of them ---------------------------------------------------------------------------------

USER = ROOT / "tests" / "data" / "users_file.py"
"""A user's file, with a use of every name; lines that end in `# wrong` must not pass."""


def test_the_users_file_uses_every_name():
    assert {each.removeprefix("pytest_seedshift.") for each in imported(USER.read_text())} >= set(seedshift.__all__)
    assert deeper(imported(USER.read_text())) <= {"desing"}


@pytest.mark.nightly
@pytest.mark.slow
def test_type_checkers_know_every_name():
    command = [sys.executable, "-m", "mypy", "--hide-error-context", "--no-error-summary", USER]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    found = {int(line) for line in re.findall(rf"{USER.name}:(\d+): error", done.stdout)}
    marked = {at for at, line in enumerate(USER.read_text().splitlines(), 1) if line.endswith("# wrong")}
    assert found == marked, done.stdout + done.stderr
    assert len(marked) > 3
