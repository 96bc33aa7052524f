"""Whether what an actor was at has killed it, or it has died by chance.

Nothing tells one death from another: a fault of a library and the kernel's killer end a process as a colleague does, or
a machine that is taken away. What tells is repetition. An image is suspected when an actor has died over it, and is
then tried alone, where its model has just made something else. As long as others die as well nothing follows from its
deaths; where others come to an end and it never does, each of its deaths counts. It is blamed once all of them would
happen by chance with a probability of at most `LEVEL`: Fisher's exact test of its tries and all others since. Of a case
no image of which comes to an end the tries count together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

LEVEL = 1e-4
"""With at most this probability is something blamed for deaths that have happened by chance."""

LEVEL_IN_VAIN = 0.05
"""Likewise of a model of which nothing was ever made, over which many have died one after another."""

LEAST = 2
"""So many times alone must an actor have died over something before it is blamed, whatever the others do."""


def by_chance(deaths: int, others_died: int, others_survived: int) -> float:
    """How likely it is that all of some tries end in a death, where all tries are alike.

    Args:
        deaths: the tries of one thing, none of which was survived.
        others_died: of all other tries meanwhile, those that ended in a death.
        others_survived: those that did not.

    Returns:
        The one-sided p-value of Fisher's exact test: 1 where nothing else was survived.
    """
    died, tries = deaths + others_died, deaths + others_died + others_survived
    found = 1.0
    for place in range(deaths):
        found *= (died - place) / (tries - place)
    return found


@dataclass(slots=True)
class Suspicion:
    """What speaks against an image or a case, since an actor has first died over it.

    Attributes:
        model: of which it is.
        survived: how many tries of its model had been survived by then.
        died: how many had not, that one included.
        alone: how many actors have died since over an image of it that was made alone.
    """

    model: str
    survived: int
    died: int
    alone: int = 0

    def count(self) -> None:
        """It has happened again."""
        self.alone += 1


class Tries:
    """How the tries of models have ended so far, each batch being one; what is in a batch has any names."""

    def __init__(self) -> None:
        self._survived: Counter[str] = Counter()
        self._died: dict[str, list[frozenset[Hashable]]] = defaultdict(list)
        """By model, what actors were at that have died."""
        self._blamed: set[Hashable] = set()
        self._first: dict[str, tuple[int, int]] = {}
        """How many tries of all models had ended in either way when the first actor died over a model."""
        self._suspicions: dict[Hashable, Suspicion] = {}
        self.in_a_row = 0
        """How many have ended in a death since one was survived."""

    def survive(self, model: str, names: Iterable[Hashable] = ()) -> None:
        """One has come to an end, whatever has come of it: nothing speaks against what is in it any more."""
        self._survived[model] += 1
        self.in_a_row = 0
        for name in names:
            self._suspicions.pop(name, None)

    def die(self, model: str, names: Iterable[Hashable] = (), *, alone: bool = False) -> None:
        """One has ended in a death; `alone` where it was an image, tried where its model had just made another."""
        found = frozenset(names)
        self._first.setdefault(model, (self._survived.total(), sum(map(len, self._died.values()))))
        self._died[model].append(found)
        self.in_a_row += 1
        self.suspect(model, found, alone=alone)

    def suspect(self, model: str, names: Iterable[Hashable], *, alone: bool = False) -> None:
        """An actor has died that had this as well."""
        for name in names:
            if name not in self._suspicions:
                self._suspicions[name] = Suspicion(model, self._survived[model], len(self._died[model]))
            elif alone:
                self._suspicions[name].count()

    def others(self, name: Hashable) -> tuple[int, int]:
        """Of all else of its model since something is suspected: how many tries were survived, and how many not.

        Deaths over what was blamed are explained, and do not count.
        """
        since = self._suspicions[name]
        deaths = self._died[since.model][since.died :]
        died = sum(name not in names and names.isdisjoint(self._blamed) for names in deaths)
        return self._survived[since.model] - since.survived, died

    def chance(self, name: Hashable) -> float:
        """How likely it is that something has died so often by chance."""
        found = self._suspicions.get(name)
        if found is None or found.alone < LEAST:
            return 1.0
        survived, died = self.others(name)
        return by_chance(found.alone, died, survived)

    def is_blamed(self, name: Hashable) -> bool:
        """Whether something is to be blamed for its deaths."""
        return self.chance(name) <= LEVEL

    def blame(self, name: Hashable) -> str:
        """It is; what speaks against it, in words."""
        self._blamed.add(name)
        survived, died = self.others(name)
        return (
            f"{self._suspicions[name].alone} times when it was made alone, while {survived} of {survived + died} other "
            f"batches of the model came to an end (by chance: {self.chance(name):.0e})"
        )

    def in_vain(self, model: str) -> int:
        """How many tries of a model there were, all of which have ended in a death, not because those of others do.

        Where no other model was tried meanwhile, nothing is known of that.
        """
        if self._survived[model] or model not in self._first:
            return 0
        deaths = len(self._died[model])
        survived = self._survived.total() - self._first[model][0]
        died = sum(map(len, self._died.values())) - self._first[model][1] - deaths
        return deaths if survived + died == 0 or by_chance(deaths, died, survived) <= LEVEL_IN_VAIN else 0
