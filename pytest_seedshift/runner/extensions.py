"""Models, shifts and scorers of one's own that installed packages give, for who runs outside of a pytest session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points

from pytest_seedshift.core import registry, shifts
from pytest_seedshift.core.registry import GROUPS, Extension, Extensions, Registry
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import TAKEN
from pytest_seedshift.models import catalogue


@contextmanager
def known() -> Iterator[None]:
    """Know what installed packages give; within a session what it knows, and in neither case for longer than this.

    Raises:
        ExtensionError: two packages give something of one name.
    """
    session = registry.current()
    if session.models.names or session.shifts.names or session.scorers.names:
        made = Extensions(session.models, session.shifts, session.scorers, session.made)
    else:
        taken = {
            "model": tuple(catalogue.shipped().entries),
            "shift": (shifts.NONE, *shifts.names()),
            "scorer": (*BUILT_IN, *TAKEN),
        }
        models, own_shifts, scorers = (
            Registry(kind, names, (), entry_points(group=GROUPS[kind])) for kind, names in taken.items()
        )
        made = Extensions(models, own_shifts, scorers)
    with _pushed(made):
        yield


@contextmanager
def beside(model: Extension) -> Iterator[None]:
    """Know a model of the user's own besides."""
    here = registry.current()
    with _pushed(Extensions(here.models.beside(model), here.shifts, here.scorers, here.made)):
        yield


@contextmanager
def _pushed(made: Extensions) -> Iterator[None]:
    registry.push(made)
    try:
        yield
    finally:
        registry.remove(made)
