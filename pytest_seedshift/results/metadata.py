"""run.json: how a run was made, which the verdicts do not need but a reader asks for: command, versions, machine.

`{"version": 1, "runs": [{…}]}`: one entry a session; folders that are merged have several.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_seedshift.core import atomic_files, files
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.results import run_settings

if TYPE_CHECKING:
    from pytest_seedshift.results.run_folder import RunFolder

_T = TypeVar("_T")

FILE_NAME = "run.json"
VERSION = 1

_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")
_PATH = re.compile(r"""(?:(?<![^\s'"=,;@(\[{])|(?<=^-[A-Za-z])|(?<=\bfile://))/[^'"=,:;]+""")

_PACKAGES = (
    "pytest-seedshift",
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "open_clip_torch",
    "numpy",
    "scipy",
    "pillow",
    "pytest",
    "pytest-xdist",
)

DOCUMENTED = {"use_attribute_docstrings": True}
"""For pydantic, which is not loaded here: the texts below fields are their descriptions in the schema."""


@dataclass(frozen=True, slots=True)
class Model:
    """How a model was run: what its samples in the store are kept under, and what it ran on."""

    __pydantic_config__ = DOCUMENTED

    name: str
    """The model's name."""
    fingerprint: str = ""
    """Of its weights and settings."""
    scorers: tuple[str, ...] = ()
    """The fingerprints of the classifier and of CLIP."""
    scorer_names: tuple[str, ...] = ()
    """Where the classifier and CLIP come from."""
    hardware: str = ""
    """Such as `NVIDIA H100 80GB HBM3` or `cpu, 2 threads`."""
    classes: tuple[str, ...] = ()
    """The labels, in the order of the class list, which a design depends on."""
    class_list: str = ""
    """The name of the class list, or its file."""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By label, or id of a prompt, its tags; of those that have any."""
    settings: tuple[str, ...] = ()
    """Settings of the process that can change pictures and are not at their defaults."""
    run_with: Mapping[str, Any] = field(default_factory=dict)
    """The settings in effect, such as steps and guidance. Empty where that was not recorded."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How one session was run."""

    __pydantic_config__ = DOCUMENTED

    command: str = ""
    """As it was typed."""
    folder: str = ""
    """Where it was started."""
    started: str = ""
    """In UTC, such as `2026-01-31 12:00:00`."""
    seconds: float = 0.0
    """How long it took."""
    python: str = ""
    """The version of Python."""
    system: str = ""
    """The operating system."""
    processor: str = ""
    """The name of the CPU."""
    cores: int = 0
    """How many cores the machine has."""
    workers: int = 1
    """How many processes made images."""
    thresholds: str = ""
    """The file of thresholds in effect."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """By package, its version."""
    models: tuple[Model, ...] = ()
    """The models of the session."""
    design_seeds: tuple[int, ...] = ()
    """Of the designs of its cases; empty where that was not recorded."""
    peak_memory: Mapping[str, int] = field(default_factory=dict)
    """In bytes, of the process that made the images: see `devices.peak_memory`. Empty where others made them."""


def gather(
    arguments: Sequence[str],
    started: float,
    models: Iterable[Model],
    *,
    workers: int = 1,
    thresholds: str = "",
    design_seeds: Iterable[int] = (),
    peak_memory: Mapping[str, int] | None = None,
) -> Facts:
    """The facts of the session of this process, which began at `started` (seconds since the epoch)."""
    return Facts(
        command=shlex.join(["pytest", *arguments]),
        folder=str(Path.cwd()),
        started=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(started)),
        seconds=round(max(0.0, time.time() - started), 1),
        python=platform.python_version(),
        system=platform.platform(),
        processor=_processor(),
        cores=os.cpu_count() or 0,
        workers=workers,
        thresholds=thresholds,
        versions=dict(_versions()),
        models=tuple(models),
        design_seeds=tuple(sorted(set(design_seeds))),
        peak_memory=dict(peak_memory or {}),
    )


def source(name: str) -> str:
    """Where a scorer comes from, as a reader knows it: a folder of this package is `toy-vit (shipped)`."""
    path = Path(name)
    return f"{path.name} (shipped)" if path.is_relative_to(Path(__file__).parents[1]) else place(name)


def place(name: str) -> str:
    """A name, or of a path of this machine, which means nothing elsewhere, the last part.

    >>> place("/home/me/project/animals.csv"), place("D:/mine/animals.csv"), place("owner/name"), place("imagenet100")
    ('animals.csv', 'animals.csv', 'owner/name', 'imagenet100')
    """
    absolute = _ABSOLUTE.match(name)
    return name if absolute is None else re.split(r"[/\\]", name.rstrip("/\\"))[-1]


def portable(command: str, folder: str) -> str:
    """A command line without paths of this machine: those below `folder`, where it was given, are relative.

    >>> portable("pytest --a=/home/me/project/b.toml /data/c 'not slow'", "/home/me/project")
    "pytest --a=b.toml …/c 'not slow'"
    >>> portable("pytest -k <b>a</b> -c/etc/pytest.ini -m a/b --x=(/data/y)", "")
    'pytest -k <b>a</b> -c…/pytest.ini -m a/b --x=(…/y)'
    """
    try:
        parts = shlex.split(command)
    except ValueError:  # of a foreign file
        parts = command.split()
    below = [part.replace(f"{folder.rstrip('/')}/", "") if folder.strip("/") else part for part in parts]
    return " ".join(
        shown if re.search(r"[\s'\"]", shown) is None else shlex.quote(shown)
        for shown in (_PATH.sub(lambda match: f"…/{Path(match[0]).name}", part) for part in below)
    )


def portable_path(path: Path, folder: str) -> str:
    """A path as it was seen from `folder`, where a session was started; of one elsewhere the last part."""
    whole = path.absolute()
    return str(whole.relative_to(folder)) if folder and whole.is_relative_to(folder) else whole.name


def write(folder: RunFolder, *facts: Facts) -> None:
    """Write run.json, whole or not at all: the facts of a session, or of all that were merged into the folder.

    Raises:
        OSError: it cannot be written.
    """
    document = {"version": VERSION, "runs": [_document(each) for each in facts]}
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    atomic_files.write(folder.path / FILE_NAME, text, within=folder.path)


def _document(facts: Facts) -> dict[str, Any]:
    """Facts in built-in types; tags stand there only where prompts have any."""
    document = asdict(facts)
    for each in document["models"]:
        if not each["tags"]:
            del each["tags"]
    return document


def read(folder: RunFolder, notes: list[str]) -> tuple[Facts, ...]:
    """Read run.json; what cannot be read is reported in `notes`."""
    path = folder.path / FILE_NAME
    try:
        document = files.read_json(path, within=folder.path)
        with files.foreign(path):
            if document["version"] == VERSION:
                return _facts(document["runs"])
            version = str(document["version"])
        notes.append(f"{FILE_NAME} has the version {version}, this version of seedshift reads {VERSION}")
    except files.MissingFileError:
        notes.append(f"{FILE_NAME} is not there: command, versions and hardware are not known")
    except files.FileError as error:
        notes.append(f"{FILE_NAME} {error.reason}: command, versions and hardware are not known")
    return ()


def model(entry: Mapping[str, Any]) -> Model:
    """A model's facts of their form in built-in types, as run.json has them.

    Raises:
        DataError: they are of another form.
    """
    return _checked(_read(Model, [entry])[0])


def _facts(entries: object) -> tuple[Facts, ...]:
    found = _read(Facts, entries)
    return tuple(replace(each, models=tuple(map(_checked, each.models))) for each in found)


def _checked(model: Model) -> Model:
    return replace(model, run_with=run_settings.checked(model.run_with))


def _read(kind: type[_T], entries: object) -> tuple[_T, ...]:
    """Entries of run.json: the fields of a kind above, in the types that they are declared with."""
    from pydantic import TypeAdapter, ValidationError  # not where tests are collected

    from pytest_seedshift.results import schema

    form: Any = tuple[kind, ...]  # type: ignore[valid-type]
    try:
        found: tuple[_T, ...] = TypeAdapter(form).validate_python(entries)
    except ValidationError as error:
        raise DataError(schema.describe(error)) from None
    return found


def _processor() -> str:
    """The name of the CPU."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or sys.platform


def _versions() -> Iterable[tuple[str, str]]:
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
