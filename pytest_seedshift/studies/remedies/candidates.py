"""Which remedies there are to try of a model: changes of its name, alone and in sensible pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_seedshift.core.errors import InvalidValueError, SeedshiftError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.model_names import PLUS, about, read

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.catalogue import Catalogue

REPAIRS = ("repair=moments", "repair=quantiles", "repair=spectrum", "repair=blend=0.3")
SAMPLING = ("ancestral", "zsnr")
STRONGER = 1.5
"""By how much guidance is made stronger."""
STEPS = 30
"""Steps that a model is taken to have that does not say how many."""

MOST_PAIRS = 6
"""So many pairs of remedies are tried at most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A remedy to try: the changes, and the name of the model that has them."""

    changes: tuple[str, ...]
    model: str

    @property
    def title(self) -> str:
        """Such as `+repair=moments`."""
        return "".join(f"{PLUS}{change}" for change in self.changes)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Those that can be tried, and by title why others cannot."""

    found: tuple[Candidate, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def alone(entry: Entry) -> tuple[str, ...]:
    """The changes that are tried by themselves, repairs first, as these change nothing of the model."""
    guidance = entry.guidance
    stronger = () if guidance is None else (f"guidance={guidance * STRONGER if guidance >= 1 else 1:.3g}",)
    return (*REPAIRS, *SAMPLING, f"steps={2 * (entry.steps or STEPS)}", *stronger)


def chosen(entry: Entry, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `alone` that are named, in its order; all where none is.

    Args:
        entry: of the model.
        names: changes such as `repair=moments`, or what they are about, such as `repair` or `steps`.

    Raises:
        InvalidValueError: a name that is none of these.
    """
    every = alone(entry)
    known = {name: change for change in every for name in (change, change.partition("=")[0])}
    for name in names:
        if name.removeprefix(PLUS) not in known:
            raise InvalidValueError(unknown("remedy", name, known))
    wanted = {name.removeprefix(PLUS) for name in names}
    return tuple(each for each in every if not wanted or {each, each.partition("=")[0]} & wanted)


def pairs(healing: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of changes of which each heals something alone: a repair with what is none, two of the rest.

    Args:
        healing: changes, the most healing first.
    """
    repairs = [each for each in healing if each in REPAIRS]
    others = [each for each in healing if each not in REPAIRS]
    found = [(repair, other) for repair in repairs[:2] for other in others]
    return found + [(one, other) for at, one in enumerate(others) for other in others[at + 1 :]]


def usable(
    model: str, wanted: Iterable[Sequence[str]], catalogue: Catalogue, fingerprint: Callable[[str], str]
) -> Candidates:
    """Those of some changes that a model can have, and that make another model of it.

    Args:
        model: its name, which may have changes itself: what they are about is not changed again.
        wanted: changes, alone or several together.
        catalogue: of all models.
        fingerprint: of a model, by its name.
    """
    found: list[Candidate] = []
    left_out: dict[str, str] = {}
    has = {_about(change) for change in catalogue.find(model).name.split(PLUS)[1:]}
    known = {fingerprint(model)}
    for changes in wanted:
        candidate = Candidate(tuple(changes), PLUS.join([model, *changes]))
        if has & {_about(change) for change in changes}:
            left_out[candidate.title] = f"{model} says itself how that is to be"
            continue
        try:
            catalogue.check_model(catalogue.find(candidate.model))
            made = fingerprint(candidate.model)
        except SeedshiftError as error:
            left_out[candidate.title] = str(error).removeprefix(f"{candidate.model}: ")
            continue
        if made in known:
            left_out[candidate.title] = f"{model} is that already"
            continue
        known.add(made)
        found.append(candidate)
    return Candidates(tuple(found), left_out)


def _about(change: str) -> str:
    try:
        return about(*read(change))
    except SeedshiftError:
        return change
