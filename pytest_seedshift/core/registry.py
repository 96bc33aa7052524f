"""Models, shifts and scorers of one's own: their names, who gave them, and what they have to be.

A conftest gives them by hooks (see `plugin.hookspecs`), an installed package by entry points of the groups `GROUPS`.
Either gives a factory by its name. Nothing of an entry point is imported before its name is asked for.

What a process knows is a stack, of which the uppermost counts: sessions run inside sessions where plugins are tested.
What scores a run has is not here: see `score_registry`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import user_code
from pytest_seedshift.core.errors import SeedshiftUsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS = {"model": "pytest_seedshift.models", "shift": "pytest_seedshift.shifts", "scorer": "pytest_seedshift.scorers"}
"""The group of entry points of each kind."""

_NAME = re.compile(r"[^\W\d][\w.+-]*")
_US = "pytest-seedshift itself"
_FACTORY = "give a factory, such as a class or a function"


class ExtensionError(SeedshiftUsageError):
    """Something of the user's own cannot be used; the message says what, whose it is, and what it has to be."""


@dataclass(frozen=True, slots=True)
class Extension:
    """Something of the user's own."""

    kind: str
    """`model`, `shift` or `scorer`."""
    name: str
    owner: str
    _load: Callable[[], Any] = field(repr=False)

    def __str__(self) -> str:
        return f"the {self.kind} {self.name!r} of {self.owner}"

    def factory(self) -> Callable[..., Any]:
        """What makes it; an entry point is imported now.

        Raises:
            ExtensionError: it cannot be imported, or is no factory.
        """
        with user_code.calling(f"{self} cannot be imported: it", error=ExtensionError):
            found = self._load()
        if not callable(found):
            raise ExtensionError(f"{self} is {found!r}: {_FACTORY}")
        return found  # type: ignore[no-any-return]

    def make(self, *arguments: object, needs: Collection[str], what: str) -> Any:
        """Call the factory.

        Args:
            *arguments: of the call.
            needs: the attributes that what it makes has to have; those with `()` behind their names are called.
            what: the name of the protocol that these are of.

        Raises:
            ExtensionError: the factory raises, or makes something else, or a fingerprint that is none.
        """
        factory = self.factory()
        given = ", ".join(map(repr, arguments))
        with user_code.calling(f"{self}: its factory, called with ({given}),", factory, error=ExtensionError):
            made = factory(*arguments)
        with user_code.calling(f"{self}: what its factory gave", type(made), error=ExtensionError):
            lacking = [name for name in needs if not _has(made, name)]
            if lacking:
                raise ExtensionError(
                    f"{self}: its factory gave a {type(made).__name__}, which is no {what}: it lacks "
                    f"{', '.join(lacking)}"
                )
            self._check_fingerprint(made)
        return made

    def _check_fingerprint(self, made: Any) -> None:
        fingerprint = made.fingerprint
        if not isinstance(fingerprint, str) or not fingerprint:
            raise ExtensionError(
                f"{self}: its fingerprint is {fingerprint!r}: give a text that changes with whatever can "
                "change a result"
            )
        if made.fingerprint != fingerprint:
            raise ExtensionError(
                f"{self}: its fingerprint is {fingerprint!r} at one time and {made.fingerprint!r} at another, so no "
                "sample would be found again. It may depend on nothing but what can change a result"
            )


def _has(made: object, name: str) -> bool:
    """Whether something has an attribute, `seed_shape`, or a method, `generate()`."""
    attribute = getattr(made, name.removesuffix("()"), None)
    return attribute is not None and (callable(attribute) or not name.endswith("()"))


def _itself(factory: Any) -> Any:
    return factory


class Registry:
    """All of one kind, by name."""

    def __init__(
        self,
        kind: str,
        built_in: Collection[str] = (),
        given: Iterable[tuple[str, object]] = (),
        entry_points: Iterable[EntryPoint] = (),
    ) -> None:
        """Check names and owners.

        Args:
            kind: `model`, `shift` or `scorer`.
            built_in: names that are taken.
            given: what the hooks gave, each with its owner.
            entry_points: of the kind's group.

        Raises:
            ExtensionError: something that is no mapping of names to factories, or a name that two owners give.
        """
        self._kind = kind
        self._found: dict[str, Extension] = {}
        self._built_in = built_in
        for owner, mapping in given:
            if not isinstance(mapping, Mapping):
                raise ExtensionError(
                    f"{owner}: pytest_seedshift_{kind}s gave {mapping!r}: give a mapping of names to factories"
                )
            with user_code.calling(
                f"{owner}: the mapping of pytest_seedshift_{kind}s", type(mapping), error=ExtensionError
            ):
                factories = dict(mapping)
            for name, factory in factories.items():
                self._add(name, owner, partial(_itself, factory))
                if not callable(factory):
                    raise ExtensionError(f"{owner}: the {kind} {name!r} is {factory!r}: {_FACTORY}")
        for point in entry_points:
            owner = f"the package {point.dist.name}" if point.dist is not None else "a package"
            self._add(point.name, f"{owner} ({point.value})", point.load)

    def _add(self, name: object, owner: str, load: Callable[[], Any]) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ExtensionError(
                f"{owner}: {name!r} is not a name of a {self._kind}: begin with a letter, then letters, digits and any "
                "of . _ + -"
            )
        other = _US if name in self._built_in else self._found[name].owner if name in self._found else None
        if other is not None:
            raise ExtensionError(f"two {self._kind}s are called {name!r}: one of {other}, one of {owner}. Rename yours")
        self._found[name] = Extension(self._kind, name, owner, load)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._found))

    def find(self, name: str) -> Extension | None:
        """What has a name; None where nothing has."""
        return self._found.get(name)

    def beside(self, other: Extension) -> Registry:
        """All of these and another one, which takes the place of any that has its name."""
        made = Registry(self._kind)
        made._found = {**self._found, other.name: other}
        return made


@dataclass
class Extensions:
    """What one session knows."""

    models: Registry = field(default_factory=lambda: Registry("model"))
    shifts: Registry = field(default_factory=lambda: Registry("shift"))
    scorers: Registry = field(default_factory=lambda: Registry("scorer"))
    made: dict[str, Any] = field(default_factory=dict)
    """The own shifts that were made, by name."""


_stack = [Extensions()]


def current() -> Extensions:
    """What the session that runs knows; outside of one nothing, or what `using` says."""
    return _stack[-1]


def is_in_session() -> bool:
    """Whether any session runs: what is known outside of one is known for ever, and nothing may be added to it."""
    return len(_stack) > 1


def push(extensions: Extensions) -> None:
    """Let these count until `remove`."""
    _stack.append(extensions)


def remove(extensions: Extensions) -> None:
    """Let these count no more."""
    _stack[:] = [each for each in _stack if each is not extensions]
