"""A picture on the page, with what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Sample


@dataclass(frozen=True, slots=True)
class Shot:
    """A sample's picture; `name` is None where the page has none: it is `lost`, `left_out` of the page, or not kept."""

    label: str
    seed: int
    right: bool | None
    name: str | None
    lost: bool
    left_out: bool = False

    @property
    def described(self) -> str:
        """What is said to those who do not see it."""
        judged = {True: ", right", False: ", wrong", None: ""}[self.right]
        kept = "" if self.name is not None else f", {self._without()}"
        return f"{self.label}, seed {self.seed}{judged}{kept}"

    def _without(self) -> str:
        """Why the page has no picture."""
        return "picture missing" if self.lost else "picture left out" if self.left_out else "no picture kept"


def shot(sample: Sample, album: Album) -> Shot:
    """A sample's picture, put into the album if it is there."""
    return shot_of(sample.label, sample.seed, sample.right, sample.picture, album, lost=sample.lost)


def shot_of(
    label: str, seed: int, right: bool | None, picture: Path | None, album: Album, *, lost: bool = False
) -> Shot:
    """The same of a picture by its path; None where none was kept."""
    name = None if picture is None else album.add(picture)
    return Shot(label, seed, right, name, lost, left_out=picture is not None and name is None)
