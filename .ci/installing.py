"""New environments, by uv where it can be had (it links what it has unpacked once), else by pip."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., None]
"""Runs a command, given as words, with `cwd` and `env`; raises where its status is not zero."""


def interpreter(version: str) -> Path | None:
    """The Python of a version such as "3.13"; None where there is none that starts."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python"), key=lambda path: _numbers(path.parts[-3]))
    named = shutil.which(f"python{version}")
    for each in [*reversed(found), *([Path(named)] if named else [])]:
        asked = subprocess.run([each, "-c", "import sys, venv; print(sys.version)"], capture_output=True, text=True)
        if asked.returncode == 0 and asked.stdout.startswith(f"{version}."):
            return each
    return Path(sys.executable) if sys.version.startswith(f"{version}.") else None


def _numbers(version: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", version)]


def tools(run: Run, folder: Path) -> Path:
    """An environment with `build`, and with `uv` where it can be installed; its Python."""
    python = folder / "bin/python"
    run(sys.executable, "-m", "venv", folder)
    run(python, "-m", "pip", "install", "--quiet", "build")
    try:
        run(python, "-m", "pip", "install", "--quiet", "uv")
    except subprocess.CalledProcessError:
        print("no uv: pip installs everything", flush=True)
    return python


def install(run: Run, tool: Path, python: Path, folder: Path, *wanted: str, lowest: bool = False) -> Path:
    """Make an environment in `folder` with what is wanted; its Python.

    Args:
        run: as above.
        tool: the Python of `tools`.
        python: the interpreter of the new environment.
        folder: of the new environment.
        wanted: requirements, paths and options that pip and uv share.
        lowest: the lowest versions that the direct requirements allow. Needs uv.
    """
    new = folder / "bin/python"
    run(python, "-m", "venv", folder)
    uv = tool.parent / "uv"
    if not uv.exists() and lowest:
        raise RuntimeError("the lowest versions need uv, which could not be installed")
    if uv.exists():
        options = ["--resolution", "lowest-direct"] if lowest else []
        try:
            run(uv, "pip", "install", "--python", new, *options, *sources(), *wanted)
        except subprocess.CalledProcessError:
            if lowest:
                raise
            print("uv failed: the same by pip", flush=True)
        else:
            return new
    run(new, "-m", "pip", "install", *wanted)
    return new


def sources() -> list[str]:
    """What pip is configured to install from, as options of uv, which does not read pip's configuration."""
    told = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    return uv_options(told.stdout)


def uv_options(configuration: str) -> list[str]:
    """Options of uv for what `pip config list` prints; later lines stand above earlier ones, the environment above all.

    >>> uv_options("global.find-links='/wheels /more'")
    ['--find-links', '/wheels', '--find-links', '/more']
    """
    found: dict[str, list[str]] = {}
    lines = [line.partition("=") for line in configuration.splitlines() if "=" in line]
    for name, _, value in sorted(lines, key=lambda line: line[0].startswith(":env:")):  # stable
        section, _, key = name.rpartition(".")
        if section in ("global", "install", ":env:"):
            found[key.replace("_", "-")] = str(ast.literal_eval(value)).split()
    named = {
        "index-url": "--default-index",
        "extra-index-url": "--index",
        "find-links": "--find-links",
        "constraint": "--constraint",
    }
    options = [word for key, option in named.items() for value in found.get(key, []) for word in (option, value)]
    return [*options, "--index-strategy", "unsafe-best-match"] if found.get("extra-index-url") else options
