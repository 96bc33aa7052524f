"""Baselines by environment: a folder with one for each device, number type and set of libraries, and the choice.

What lies in such a folder is a baseline each, a folder or a `.json` file of whatever name: what it was made on stands
in it. Of one that was saved by an earlier version the GPU is not known, which is taken as fitting.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.results import baseline_folder, baseline_sources
from pytest_seedshift.results.baseline import BaselineError

if TYPE_CHECKING:
    from pytest_seedshift.results.baseline import Baseline

_NAMED = "torch"
"""The library whose version stands in a name."""


@dataclass(frozen=True, slots=True)
class Environment:
    """On what pictures are made. Empty is what is not known.

    Attributes:
        device: its kind: `cuda`.
        hardware: the name of the GPU; empty for a CPU.
        dtype: the number type of models that do not name their own.
        libraries: their versions.
    """

    device: str
    hardware: str = ""
    dtype: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How a baseline of it is called: `cuda-nvidia-h100-80gb-hbm3-float16-torch-2.9.1-1f0c22ab`."""
        versions = repr(sorted(self.libraries.items()))
        parts = (self.device, self.hardware, self.dtype, _NAMED, self.libraries.get(_NAMED, ""))
        words = "-".join(filter(None, (re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-.") for part in parts)))
        return f"{words}-{hashlib.sha256(versions.encode()).hexdigest()[:8]}"

    def describe(self) -> str:
        """`cuda, NVIDIA H100 80GB HBM3, float16, torch 2.9.1`."""
        version = self.libraries.get(_NAMED)
        parts = self.device, self.hardware, self.dtype, f"{_NAMED} {version}" if version else ""
        return ", ".join(filter(None, parts))

    def document(self) -> dict[str, str]:
        """As a baseline says it, where the libraries stand beside it."""
        return {"device": self.device, "hardware": self.hardware, "dtype": self.dtype}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A baseline in such a folder."""

    path: Path
    environment: Environment

    def machine(self, ours: Environment) -> list[str]:
        """How the device or the number type differs: `GPU NVIDIA A10 → NVIDIA H100`. Then it is not to be used."""
        theirs = self.environment
        pairs = (
            ("device", theirs.device, ours.device),
            ("GPU", theirs.hardware, ours.hardware),
            ("dtype", theirs.dtype, ours.dtype),
        )
        return [f"{what} {old} → {new}" for what, old, new in pairs if old and new and old != new]

    def libraries(self, ours: Environment) -> list[str]:
        """Which libraries have another version: `torch 2.8.0 → 2.9.1`. It may be used then, and that is said."""
        theirs = self.environment.libraries
        common = [name for name in theirs if name in ours.libraries]
        if not common:
            return ["libraries not recorded"]
        return [
            f"{name} {theirs[name]} → {ours.libraries[name]}" for name in common if theirs[name] != ours.libraries[name]
        ]

    def differences(self, ours: Environment) -> str:
        """All of it, in words; empty where nothing differs."""
        return ", ".join((*self.machine(ours), *self.libraries(ours)))

    def nearness(self, ours: Environment) -> tuple[int, ...]:
        """The larger the nearer: what is recorded to be equal is nearer than what is not recorded."""
        theirs = self.environment
        equal = (theirs.device == ours.device, theirs.hardware == ours.hardware, theirs.dtype == ours.dtype)
        return (not self.machine(ours), *map(int, equal), -len(self.libraries(ours)))


def of(made: Baseline) -> Environment:
    """What a baseline was made on, as far as it says."""
    if made.environment:
        return Environment(**made.environment, libraries=made.libraries)
    own = [each.dtype for name, each in made.models.items() if "+dtype=" not in name]
    return Environment(
        _only([each.device for each in made.models.values()]), dtype=_only(own), libraries=made.libraries
    )


def is_folder(path: Path) -> bool:
    """Whether there is a folder of baselines, and no baseline or run folder."""
    return bool(baseline_folder.those_in(path))


def is_free(path: Path) -> bool:
    """Whether such a folder can be begun: nothing is there, or nothing but what a save has left that was cut short."""
    return not path.exists() or (path.is_dir() and all(each.name.startswith(".") for each in path.iterdir()))


def candidates(folder: Path, name: str) -> list[Candidate]:
    """The baselines in a folder.

    Args:
        folder: of them.
        name: what the user calls it.

    Raises:
        BaselineError: one is damaged; the message names it.
    """
    return [
        Candidate(path, of(baseline_sources.load(path, f"{name}/{path.name}")))
        for path in baseline_folder.those_in(folder)
    ]


def nearest(among: Sequence[Candidate], ours: Environment, name: str) -> Candidate | None:
    """The baseline that is nearest to an environment; None where there is none.

    Raises:
        BaselineError: several fit it equally well.
    """
    if not among:
        return None
    best = max(each.nearness(ours) for each in among)
    found = [each for each in among if each.nearness(ours) == best]
    if len(found) > 1 and not found[0].differences(ours):
        several = " and ".join(each.path.name for each in found)
        raise BaselineError(
            f"{name} has several baselines of {ours.describe()}: {several}. Remove all but one of them, or name one: "
            f"{name}/{found[0].path.name}"
        )
    return found[-1]


def choose(folder: Path, ours: Environment, name: str) -> Candidate:
    """The baseline of a folder that is nearest, if its device and its number type are ours.

    Raises:
        BaselineError: none is there, none fits, several fit, or one is damaged.
    """
    found = nearest(candidates(folder, name), ours, name)
    if found is None:
        raise BaselineError(f"{name} has no baseline")
    if found.machine(ours):
        raise unfit(found, ours, name)
    return found


def unfit(found: Candidate, ours: Environment, name: str) -> BaselineError:
    """Why the nearest baseline is not used."""
    nearest_one = f"{name}/{found.path.name}"
    return BaselineError(
        f"{name} has no baseline of {ours.describe()}. The nearest is {nearest_one} ({found.differences(ours)}), and "
        "pictures of another device or number type differ without any change of the model. Make one with a run of the "
        f"version to compare with here: --seedshift-exact --seedshift-save-baseline={name}, or "
        "--seedshift-baseline-if-missing=save. To compare with the nearest nonetheless, name it: "
        f"--seedshift-baseline={nearest_one}"
    )


def note(found: Candidate, ours: Environment, name: str) -> str | None:
    """What is said of a baseline that is used though its libraries are others; None where nothing differs."""
    differs = found.differences(ours)
    return (
        None
        if not differs
        else f"{name} has no baseline of these libraries: the nearest is {found.path.name} ({differs})"
    )


def _only(values: Sequence[str]) -> str:
    """The value that all have; empty where they differ."""
    return values[0] if len(set(values)) == 1 else ""
