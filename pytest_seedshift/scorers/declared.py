"""Which scorers a session knows that are named and not written; see `declaration`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import registry
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.scorers.declaration import SHORT

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.scorers.declaration import Declared
    from pytest_seedshift.scorers.declared_scorer import DeclaredScorer


@dataclass(frozen=True, slots=True)
class Factory:
    """Makes a declared scorer, as a factory of the user's own makes one."""

    declared: Declared

    @property
    def kind(self) -> ScoreKind:
        """What its score is."""
        return self.declared.kind

    def __call__(self, device: str) -> DeclaredScorer:
        """The scorer; its weights are loaded when they are first needed."""
        from pytest_seedshift.scorers.declared_scorer import DeclaredScorer

        return DeclaredScorer(self.declared, device)


def register(files: Iterable[tuple[Mapping[str, Any], Path, str]]) -> None:
    """Let the session know scorers by their tables, and the short names that nobody else has taken.

    Outside of a session the tables are checked, and nobody knows of them.

    Args:
        files: the tables of each, by name, with its path and what stands before a name; the last ones win.

    Raises:
        ExtensionError: something else of the session has such a name.
        InvalidValueError: see `declared_tables.read`.
    """
    tables: dict[str, tuple[Declared, str]] = {}
    for each, path, prefix in files:
        from pytest_seedshift.scorers import declared_tables  # pydantic, which collecting shall not load without need

        tables |= {made.name: (made, where) for made, where in declared_tables.read(each, path, prefix)}
    session = registry.current()
    here = session.scorers
    known: dict[str, tuple[Declared, str]] = {name: (each, "pytest-seedshift itself") for name, each in SHORT.items()}
    for name, (declared, owner) in (known | tables).items():
        other = here.find(name)
        if other is not None and of(name) is None:
            if name in tables:
                raise registry.ExtensionError(
                    f"two scorers are called {name!r}: one of {other.owner}, one of {owner}. Rename one of them"
                )
            continue
        here = here.beside(registry.Extension("scorer", name, owner, partial(_itself, Factory(declared))))
    if registry.is_in_session():
        session.scorers = here


def of(name: str) -> Declared | None:
    """The declared scorer of a score that the session knows; None of all others."""
    if name in BUILT_IN:
        return None
    found = registry.current().scorers.find(name)
    given = getattr(found, "_load", None)
    return given.args[0].declared if isinstance(given, partial) and given.func is _itself else None


def among(names: Iterable[str]) -> tuple[Declared, ...]:
    """The declared scorers of some scores, in the order of their names."""
    found = (of(name) for name in sorted(names))
    return tuple(each for each in found if each is not None)


def _itself(factory: Factory) -> Factory:
    return factory
