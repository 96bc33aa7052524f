"""What a machine has: versions, models and the hashes of their files; and in what it differs from the driver's."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.core.checkpoints import hashing
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models import model_files, process_settings
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch", "pytest-seedshift")
"""What has to be of one version on all machines, besides Python: what images and scores are computed by."""

_SHOWN = 3
"""How many files are named of those that differ."""


def versions() -> dict[str, str]:
    """By name, the versions of Python and of `PACKAGES` on this machine; an empty one of what is not installed."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found


def other_versions(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """In what versions another machine differs from this one, in words."""
    said = []
    for name, wanted in here.items():
        found = there.get(name, "")
        if found != wanted:
            said.append(f"{name} {found or 'is not installed'} instead of {wanted}" if found else f"no {name} {wanted}")
    return said


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model is, as a machine has it.

    Attributes:
        files: by what they are of (`weights`, `part vae`, `classifier`, `CLIP`) and their name there, their SHA-256.
        fingerprint: of the model and of its scorers, under the settings of the process; empty for one of the user's
            own, of which only the loaded model can say.
        folders: by what files are of, where they lie.
    """

    files: Mapping[tuple[str, str], str] = field(default_factory=dict)
    fingerprint: str = ""
    folders: Mapping[str, str] = field(default_factory=dict)


def of_model(entry: Entry, device: str, dtype: str | None) -> Expected:
    """What a model is on this machine: each of its files is read once, and hashed.

    Args:
        entry: of the model, without the sources of scorers that are not needed.
        device: kind of device, such as `cuda`; it need not be here.
        dtype: number type; None for the model's own.

    Raises:
        SeedshiftError: it is not here, or something that must not be loaded.
    """
    files: dict[tuple[str, str], str] = {}
    folders: dict[str, str] = {}
    for of, folder, listed in (*model_files.of_model(entry), *model_files.of_scorers(entry)):
        folders[of] = str(folder)
        files |= {(of, name): hashing.content(path) for name, path in listed}
    if entry.own is not None:
        return Expected(files, "", folders)
    kind = device.partition(":")[0]
    wanted = entry.engine.dtype or dtype or entry.dtype_on(kind) or devices.usual_dtype(kind)
    return Expected(files, fingerprints.of_model(entry, kind, wanted), folders)


def problems(
    entries: Mapping[str, Entry], expected: Mapping[str, Expected], device: str, dtype: str | None
) -> dict[str, str]:
    """By model, in what it differs on this machine from what it has to be, in words; empty where it does not.

    Args:
        entries: by name.
        expected: by name; a model that is not among them is not looked at.
        device: of this machine.
        dtype: number type; None for each model's own.
    """
    said = {}
    for name, wanted in expected.items():
        try:
            found = of_model(entries[name], device, dtype)
        except (SeedshiftError, OSError) as error:
            said[name] = f"{name} is not there: {error}"
        else:
            said[name] = "; ".join(_differences(name, wanted, found, device))
    return said


def _differences(name: str, wanted: Expected, found: Expected, device: str) -> Iterator[str]:
    paths = []
    for of, file in sorted(wanted.files.keys() | found.files.keys()):
        here, there = wanted.files.get((of, file)), found.files.get((of, file))
        if here != there:
            path = f"{found.folders.get(of, of)}/{file}"
            how = "is not there" if there is None else "is not on the driver" if here is None else ""
            paths.append(f"{path} {how}" if how else f"{path} (SHA-256 {there[:12]}…, on the driver {here[:12]}…)")  # type: ignore[index]
    if paths:
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        yield f"{name} has other files than on the driver: {', '.join(paths[:_SHOWN])}{more}"
    elif wanted.fingerprint != found.fingerprint and wanted.fingerprint:
        settings = ", ".join(process_settings.in_force(device)) or "all settings of the process are at their defaults"
        yield (
            f"{name} has the driver's files, but would make other images of them: libraries or settings of the process "
            f"differ ({settings})"
        )


def check(entries: Mapping[str, Entry], device: str, dtype: str | None) -> dict[str, Expected]:
    """By name, what models are on this machine, which all others are held to.

    Raises:
        CaseError: one is not here.
    """
    found = {}
    for name, entry in entries.items():
        try:
            found[name] = of_model(entry, device, dtype)
        except OSError as error:
            raise CaseError(f"{name} cannot be read: {error}") from error
    return found
