"""What an actor has to know to be like this process: models, scorers, settings, and what a conftest gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import registry
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.runner.cluster import wire

if TYPE_CHECKING:
    from pytest_seedshift.core.registry import Extension, Extensions
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.runner.cluster.examination import Expected


@dataclass(frozen=True)
class Setup:
    """All that an actor makes images by.

    Attributes:
        catalogue: what the names of models stand for.
        dtype: number type of all models; None for each model's own.
        needs: by model, which of the shipped scorers; all for others.
        kinds: the scores of the run.
        batch_size: the most images at once; None for what suits each model and GPU.
        extensions: models, shifts and scorers of the user's own.
        settings: of the process, that change pictures: see `process_settings.captured`.
        expected: by model, what its files have to be.
        folder: in which the session began.
    """

    catalogue: Catalogue
    dtype: str | None = None
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    kinds: ScoreRegistry = SHIPPED
    batch_size: int | None = None
    extensions: Extensions = field(default_factory=registry.current)
    settings: Mapping[str, object] = field(default_factory=dict)
    expected: Mapping[str, Expected] = field(default_factory=dict)
    folder: Path = field(default_factory=Path.cwd)


def pack(setup: Setup, root: Path | None = None) -> bytes:
    """A setup as an actor on another machine reads it.

    Args:
        setup: to be packed.
        root: the project's folder: see `wire.packed_by_value`.

    Raises:
        SeedshiftUsageError: something of the user's own cannot go to another process; the message says what.
    """
    root = setup.folder if root is None else root
    try:
        return wire.packed_by_value(setup, root)
    except Exception as error:  # of whatever the user's objects hold
        raise SeedshiftUsageError(_unpackable(setup.extensions, error, root)) from error


def pack_call(study: Callable[..., object], arguments: tuple[object, ...], root: Path) -> bytes:
    """A function with its values, likewise.

    Raises:
        SeedshiftUsageError: they cannot go to another process.
    """
    try:
        return wire.packed_by_value((study, arguments), root)
    except Exception as error:
        name = getattr(study, "__qualname__", study)
        raise SeedshiftUsageError(f"{name} cannot be done on a cluster: {_said(error)}") from error


def _unpackable(extensions: Extensions, error: Exception, root: Path) -> str:
    """Which of the user's own things cannot be packed, and why."""
    for kind in (extensions.models, extensions.shifts, extensions.scorers):
        for name in kind.names:
            each: Extension | None = kind.find(name)
            try:
                wire.packed_by_value(each, root)
            except Exception as own:
                return (
                    f"{each} cannot go to a cluster: {_said(own)}. Its factory, and what that refers to, has to be "
                    "picklable: make what is not within the factory"
                )
    return f"what an actor has to know cannot go to a cluster: {_said(error)}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
