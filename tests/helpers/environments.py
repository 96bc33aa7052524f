"""Environments with fewer distributions than this one, made of links to it: what a newcomer has, in a second."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the project installed for editing."""

    folder: Path

    def pytest(self, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run its pytest, which writes nothing into the folder of the project."""
        return self.python("-m", "pytest", "-p", "no:cacheprovider", *arguments, cwd=cwd)

    def python(self, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run its Python, without what this process has in its environment."""
        command = [self.folder / "bin/python", "-B", *arguments]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "CI": "true"}
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )


def closure(requirements: Iterable[str]) -> dict[str, metadata.Distribution]:
    """The distributions of this environment that an installation of the requirements would bring."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(Requirement(each), "") for each in requirements]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ["", *requirement.extras]:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                found[name] = metadata.distribution(name)
                waiting += [(Requirement(each), wanted) for each in found[name].requires or []]
    return found


def link(folder: Path, requirements: Iterable[str]) -> Environment:
    """A new environment in `folder` that holds what the requirements bring, and the project itself.

    Scripts (`bin/pytest`) are not made: `python -m pytest` does the same.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    for distribution in closure(requirements).values():
        for top in sorted(_tops(distribution)):
            if not (site / top).is_symlink():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    own = metadata.distribution("pytest-seedshift")
    (name,) = {top for top in _tops(own) if top.endswith(".dist-info")}
    shutil.copytree(Path(str(own.locate_file(name))), site / name)
    (site / "project.pth").write_text(f"{ROOT}\n")
    return Environment(folder)


def _tops(distribution: metadata.Distribution) -> set[str]:
    tops = {path.parts[0] for path in distribution.files or ()} - {"..", "__pycache__"}
    return {top for top in tops if Path(str(distribution.locate_file(top))).exists()}
