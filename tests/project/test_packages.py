"""What the sdist and the wheel hold: all that they should, and nothing else."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import PurePosixPath

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import pytest_seedshift
from helpers.environments import ROOT

TOPS = {
    *(
        ".ci",
        ".pre-commit-config.yaml",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
    ),
    *("README.md", "SECURITY.md", "action.yml", "benchmarks", "conftest.py", "docs", "pyproject.toml"),
    *("pytest_seedshift", "tests", "thresholds.toml", "tools", ".gitignore"),
}
"""What a source distribution has at its top."""

LEFT_OUT = ("tests/data/older_toys/",)
"""What is committed and in neither distribution; see pyproject.toml."""

KINDS = {
    "",
    ".css",
    ".csv",
    ".html",
    ".jinja2",
    ".js",
    ".json",
    ".md",
    ".py",
    ".safetensors",
    ".toml",
    ".txt",
    ".typed",
}
"""Endings of a wheel's files."""


def packed(builder: type[SdistBuilder] | type[WheelBuilder]) -> set[str]:
    """The paths that a distribution is made of."""
    return {each.relative_path for each in builder(str(ROOT)).recurse_included_files()}


def committed() -> set[str]:
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not in a clone")
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_wheel_has_the_package_and_nothing_else():
    found = packed(WheelBuilder)
    assert {PurePosixPath(name).parts[0] for name in found} == {"pytest_seedshift"}
    assert found == {name for name in committed() if name.startswith("pytest_seedshift/")}
    assert {PurePosixPath(name).suffix for name in found} <= KINDS
    assert {"pytest_seedshift/py.typed", "pytest_seedshift/models/catalogue.toml"} <= found
    assert Counter(name.endswith(".py") for name in found)[True] > 400


def test_the_source_distribution_has_what_is_committed():
    found = packed(SdistBuilder)
    assert {PurePosixPath(name).parts[0] for name in found} <= TOPS
    added = {".gitignore", "pyproject.toml"}  # by the build itself
    left_out = {name for name in committed() if name.startswith(LEFT_OUT)}
    assert found | added == (committed() - left_out) | added


def test_what_is_not_committed_is_seen(tmp_path):
    """A file that lies about would be packed, and is not listed by git."""
    (tmp_path / "pytest_seedshift").mkdir()
    for name in ("pyproject.toml", "pytest_seedshift/__init__.py", "pytest_seedshift/weights.pt"):
        text = (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).exists() else ""
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = {each.relative_path for each in WheelBuilder(str(tmp_path)).recurse_included_files()}
    assert found == {"pytest_seedshift/__init__.py", "pytest_seedshift/weights.pt"}
    assert not {PurePosixPath(name).suffix for name in found} <= KINDS


def test_there_is_one_version():
    metadata = ProjectMetadata(str(ROOT), PluginManager())
    assert metadata.version == pytest_seedshift.__version__
    assert f"\nversion: {pytest_seedshift.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert metadata.core.urls
    assert len(metadata.core.keywords) >= 6
