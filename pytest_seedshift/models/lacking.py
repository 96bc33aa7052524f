"""What a model takes that is not on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lacking:
    """What is not here.

    Attributes:
        what: in a sentence.
        keeps_from_running: whether a model that is here cannot be run here, as a scorer of it is nowhere. A model that
            is nowhere itself may be planned for another machine.
    """

    what: str
    keeps_from_running: bool = False
