"""The reference pages say what the code says, and leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pytest_seedshift
from helpers.environments import ROOT
from pytest_seedshift.core import model_names, shifts
from pytest_seedshift.models import catalogue
from pytest_seedshift.plugin import options

REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)  # where the tools are
        from tools import reference

        yield reference


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def test_the_pages_are_up_to_date(reference):
    stale = [path.name for path in reference.stale()]
    assert stale == [], "write them anew by: python -m tools.reference"


def test_each_part_stands_on_one_page(reference):
    assert sorted(reference.parts()) == sorted(reference.PARTS)


def test_a_page_that_is_not_up_to_date_is_found(reference, tmp_path, monkeypatch):
    changed = page("options").replace("--seedshift-exact", "--seedshift-exactly", 1)
    (tmp_path / "options.md").write_text(changed, encoding="utf-8")
    monkeypatch.setattr(reference, "PAGES", tmp_path)
    ((path, text),) = reference.stale().items()
    assert path.name == "options.md"
    assert text == page("options")


def test_all_names_are_there():
    rows = re.findall(r"^\| `(--seedshift-[\w-]+)[^`]*`<br>`(\w+)` \| ", page("options"), re.MULTILINE)
    assert rows == [(option.flag, option.key) for option in options.OPTIONS]
    every = [
        name for shift in shifts.names() for name in (shift, *(f"{shift}:{one}" for one in shifts.variants(shift)))
    ]
    assert re.findall(r"^\| `([\w:]+)` \| ", page("shifts"), re.MULTILINE) == every
    assert all(f"`{name}`" in page("models") for name in catalogue.shipped().entries)
    assert all(re.search(rf"`\+{name}(=…)?`", page("changes")) for name in model_names.CHANGES)


def test_every_public_name_is_documented():
    documented = re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)(?:\(\))?$", page("api"), re.MULTILINE)
    assert sorted(documented) == sorted(pytest_seedshift.__all__)


def environment_variables(source: str) -> set[str]:
    """Those that a module reads or writes: names in capitals beside an environment."""
    constants = dict(re.findall(r'^([A-Z_]+) = "([A-Z][A-Z_]+)"$', source, re.MULTILINE))
    said = set(re.findall(r'environ(?:ment)?(?:\.get\(|\.setdefault\(|\.pop\(|\[)"([A-Z_]+)"', source))
    said |= set(re.findall(r"environ(?:ment)?(?:\.get\(|\[)\w*\.?([A-Z_]+)\b", source)) & constants.keys()
    return {constants.get(name, name) for name in said}


def test_every_environment_variable_is_documented():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "pytest_seedshift").rglob("*.py")]
    found = set().union(*map(environment_variables, sources))
    assert {"CI", "RAY_ADDRESS", "GITHUB_ACTIONS"} <= found
    found -= {"HOME", "RAY_USAGE_STATS_ENABLED", "RAY_BACKEND_LOG_LEVEL", "RAY_DEDUP_LOGS"}  # set for Ray, or nobody's
    found -= {"RAY_ENABLE_AUTO_CONNECT", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"}
    assert {name for name in found if f"`{name}`" not in page("environment")} == set()


def test_the_pages_of_the_site_are_those_of_the_folder():
    """A page in no table of contents is an error of the build; here, that each is where readers look."""
    index = page("index")
    pages = {path.stem for path in Path(REFERENCE).glob("*.md")} - {"index"}
    assert all(f"({name}.md)" in index for name in pages)
