"""A pipeline that was found: its folder or file, what it is loaded from, and its fingerprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import contents
from pytest_seedshift.core.checkpoints.hashing import fingerprint
from pytest_seedshift.core.checkpoints.trust import INDEX

if TYPE_CHECKING:
    from pytest_seedshift.core.checkpoints.contents import Contents
    from pytest_seedshift.models.glide import released


@dataclass(frozen=True, slots=True)
class Location:
    """Where a pipeline was found.

    Attributes:
        source: which of its sources it is.
        path: its folder, or the single file.
        config: of a single file, the folder with the configuration of its parts, as far as it lies beside the file.
        priors: the folders of the pipelines that it needs besides.
        released: GLIDE's files as OpenAI has released them, in the folder in place of a pipeline.
        variant: of the weights, which is taken where it is there.
    """

    source: str
    path: Path
    config: Path | None = None
    priors: tuple[Path, ...] = ()
    released: released.Files | None = None
    variant: str | None = None

    @property
    def parts(self) -> Mapping[str, tuple[str, str]]:
        """By name, the library and the class of each part; empty for a single file and for released files."""
        if self.released is not None:
            return {}
        folder = self.path if self.path.is_dir() else self.config
        return {} if folder is None else contents.classes(index(folder))

    @property
    def variants(self) -> Mapping[str, str]:
        """By name of the part, the variant of its weights; only of those that are loaded from one."""
        return {} if self.released is not None or self.path.is_file() else contents_of(self.path, self.variant).variants

    def notes(self, name: str) -> list[str]:
        """What a user should know of the files that the model of that name is loaded from."""
        by_variant: dict[str, list[str]] = {}
        for part, variant in self.variants.items():
            by_variant.setdefault(variant, []).append(part)
        why = ", as its entry says"
        return [
            f"the weights of {name} are of the variant {variant} ({', '.join(parts)})"
            + (why if variant == self.variant else ": there are no others")
            for variant, parts in by_variant.items()
        ]

    def files(self) -> Iterator[Path]:
        """The files that the pipeline, and those that it needs besides, are loaded from."""
        if self.released is not None:
            yield from (self.released.base, self.released.upsampler, self.released.vocabulary)
        elif self.path.is_file():
            yield self.path
            if self.config is not None:
                yield from contents.paths(self.config, contents_of(self.config))
        else:
            for folder in (self.path, *self.priors):
                yield from contents.paths(folder, contents_of(folder, self.variant))

    def fingerprint(self, *settings: object) -> str:
        """A hash of all files and of the settings they are used with; see `fingerprint`."""
        if self.released is not None:
            files = (self.released.base, self.released.upsampler, self.released.vocabulary)
            return fingerprint(files[0], *settings, *(fingerprint(path) for path in files[1:]))
        if self.config is not None:
            beside = [self.path] if self.path.parent == self.config else []
            return fingerprint(self.path, *settings, fingerprint(self.config, also=beside))
        besides = [fingerprint(path, variant=self.variant) for path in self.priors]
        return fingerprint(self.path, *settings, *besides, variant=self.variant)


def contents_of(folder: Path, variant: str | None = None) -> Contents:
    """What a pipeline in a folder is loaded from."""
    return contents.pipeline(contents.OnDisk(folder), variant)


def index(folder: Path) -> dict[str, Any]:
    """What its `model_index.json` says."""
    found: dict[str, Any] = files.read_json(folder / INDEX, finite=False)
    return found


# The pipelines whose other half, the prior, lies in a repository of its own, which their README.md names.
_WITH_PRIOR = ("Kandinsky", "StableCascade", "Wuerstchen")


def priors(folder: Path) -> list[str]:
    """The hub ids of the pipelines that a pipeline needs besides."""
    card = folder / "README.md"
    if not str(index(folder).get("_class_name")).startswith(_WITH_PRIOR) or not card.is_file():
        return []
    from huggingface_hub import ModelCard

    try:
        with files.foreign(card):
            prior = getattr(ModelCard.load(card).data, "prior", None)
    except files.FileError:  # no data, or none that can be read
        return []
    return [str(prior[0])] if isinstance(prior, list) and prior else []
