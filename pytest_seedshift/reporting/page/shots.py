"""A picture on the page, with what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Sample


@dataclass(frozen=True, slots=True)
class Shot:
    """A sample's picture; `name` is None where there is none, and `lost` says whether there should be one."""

    label: str
    seed: int
    right: bool | None
    name: str | None
    lost: bool

    @property
    def described(self) -> str:
        """What is said to those who do not see it."""
        judged = {True: ", right", False: ", wrong", None: ""}[self.right]
        kept = "" if self.name is not None else ", picture missing" if self.lost else ", no picture kept"
        return f"{self.label}, seed {self.seed}{judged}{kept}"


def shot(sample: Sample, album: Album) -> Shot:
    """A sample's picture, put into the album if it is there."""
    name = None if sample.picture is None else album.add(sample.picture)
    return Shot(sample.label, sample.seed, sample.right, name, sample.lost)
