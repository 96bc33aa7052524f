"""Where the weights of a CLIP score are, and which library loads them: open_clip, or transformers' dual encoders.

A repository that has `open_clip_config.json` is of open_clip, whatever else it has; one that has only `config.json` is
of transformers. Nothing here loads either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pytest_seedshift.core import fingerprint, typed_values
from pytest_seedshift.core.checkpoints import contents, hashing, hub, places, repository, trust
from pytest_seedshift.scorers import open_clip_tags

_CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A source that is looked up.

    Attributes:
        place: a folder or a hub id.
        of_transformers: whether it is a dual encoder of transformers, and none of open_clip.
    """

    place: str
    of_transformers: bool

    @property
    def _file(self) -> str:
        return _CONFIG if self.of_transformers else trust.CLIP_CONFIG

    def probe(self) -> None:
        """See `repository.probe`."""
        repository.probe(self.place, self._file, reads=self.of_transformers)

    def is_here(self) -> bool:
        """See `repository.is_here`."""
        return repository.is_here(self.place, self._file, reads=self.of_transformers)

    def fetch(self) -> Path:
        """See `repository.fetch`."""
        patterns = repository.READER_FILES if self.of_transformers else repository.CLIP_FILES
        return repository.fetch(self.place, patterns)

    def listed(self) -> list[tuple[str, Path]]:
        """The files that it is loaded from, by their names; see `hashing.listed`."""
        folder = self.fetch()
        return hashing.listed(folder, also=self._texts(folder))

    def _texts(self, folder: Path) -> list[Path]:
        return texts(folder) if self.of_transformers else []

    def weights(self) -> str:
        """The fingerprint of its files alone."""
        folder = self.fetch()
        return hashing.fingerprint(folder, "clip", also=self._texts(folder))

    def fingerprint(self) -> str:
        """The fingerprint of all that can change a CLIP score.

        Raises:
            WeightsNotFoundError: the weights are nowhere.
        """
        folder = self.fetch()
        if not self.of_transformers:
            libraries = fingerprint.versions("torch", "torchvision", "open_clip_torch")
            return hashing.fingerprint(folder, fingerprint.MAKING, "clip", *libraries)
        libraries = fingerprint.versions("torch", "torchvision", "transformers")
        how = "clip by transformers"
        return hashing.fingerprint(folder, fingerprint.MAKING, how, *libraries, also=self._texts(folder))


def texts(folder: Path) -> list[Path]:
    """The files of a model's tokenizer and of its templates, which its fingerprint needs besides its weights."""
    return list(contents.paths(folder, contents.reader(contents.OnDisk(folder))))


def find(source: str) -> ClipSource:
    """Look a source up: a folder, a hub id or a tag; see `open_clip_tags.repository`.

    Where neither file is to be had it counts as open_clip's, whose errors say so.

    Raises:
        ModelError: open_clip has no such tag.
    """
    place = open_clip_tags.repository(source)
    folder = typed_values.expand(place)
    if folder.is_dir() or places.looks_local(place):
        return ClipSource(place, not (folder / trust.CLIP_CONFIG).exists() and (folder / _CONFIG).is_file())
    if hub.in_cache(place, trust.CLIP_CONFIG) is not None:
        return ClipSource(place, of_transformers=False)
    from huggingface_hub import constants

    has_config = hub.in_cache(place, _CONFIG) is not None
    return ClipSource(place, _is_of_transformers(place, has_config, constants.ENDPOINT, hub.cache()))


def is_here(source: str) -> bool:
    """Whether a source's weights are on this machine, wholly; nobody is asked.

    Raises:
        ModelError: what lies there must not be loaded, or cannot be.
    """
    place = open_clip_tags.repository(source)
    if typed_values.expand(place).is_dir() or places.looks_local(place):
        return find(source).is_here()
    return ClipSource(place, hub.in_cache(place, trust.CLIP_CONFIG) is None).is_here()


@lru_cache(maxsize=64)
def _is_of_transformers(place: str, has_config: bool, *_: str) -> bool:
    """Whether a repository of the hub, which is asked once, is none of open_clip; `has_config`: the cache has it."""
    if hub.problem_of(place, trust.CLIP_CONFIG) is None:
        return False
    return has_config or hub.problem_of(place, _CONFIG) is None
