"""A model that scores: one folder, one repository of the hub. It is found locally, in the cache, on the hub.

No folder is given out that `trust` has not looked through.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import typed_values
from pytest_seedshift.core.checkpoints import contents, headers, hub, places, trust

if TYPE_CHECKING:
    from pytest_seedshift.core.checkpoints.contents import Contents

CLASSIFIER_FILES = ("*.json", "*.safetensors")

CLIP_FILES = ("open_clip_*.json", "open_clip_*.safetensors", "*.json", "*.txt")

READER_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""Of a model of transformers that reads texts beside pictures."""


def probe(source: str, file: str, *, reads: bool = False) -> None:
    """Make sure that weights can be had, without loading or downloading them.

    Args:
        source: a local folder or a hub id (`owner/name`).
        file: a small file that every complete copy has, such as `model_index.json`.
        reads: whether a model of transformers is meant that reads texts.

    Raises:
        places.WeightsNotFoundError: neither the folder nor the cache nor the hub has it.
        UntrustedError: what lies there must not be loaded.
    """
    folder = typed_values.expand(source)
    if (folder / file).is_file():
        return _check_scorer(folder, source, file, reads)
    tried = [places.no_folder(source, file)]
    if not places.looks_local(source):
        if (cached := hub.in_cache(source, file)) is not None:
            lacks = _lacks(cached.parent, source, file, reads)
            if lacks is None:
                return _check_scorer(cached.parent, source, file, reads)
            tried.append(f"the Hugging Face cache at {hub.cache()} (not whole: {lacks})")
        else:
            tried.append(f"the Hugging Face cache at {hub.cache()} ({hub.not_there(source)})")
        problem = hub.problem_of(source, file)
        if problem is None:
            return None
        tried.append(f"the hub ({problem})")
    raise places.nowhere((source,), tried)


def fetch(source: str, patterns: Iterable[str]) -> Path:
    """The folder that holds the weights; from the hub only where neither folder nor cache has them.

    Args:
        source: a local folder or a hub id.
        patterns: which files of a hub repository are wanted, such as `CLASSIFIER_FILES`.

    Raises:
        places.WeightsNotFoundError: see `probe`.
        ModelError: what lies there must not be loaded, or cannot be.
    """
    folder = typed_values.expand(source)
    file, reads = _NAMED_BY.get(tuple(patterns), ""), tuple(patterns) == READER_FILES
    if not folder.is_dir():
        folder = _snapshot(source, list(patterns), file, reads)
    _check_scorer(folder, source, file, reads)
    return folder


def is_here(source: str, file: str, *, reads: bool = False) -> bool:
    """Whether a scorer's weights are on this machine, wholly; nothing is downloaded and nobody is asked. See `probe`.

    Raises:
        ModelError: what lies there must not be loaded, or cannot be.
    """
    folder = typed_values.expand(source)
    if (folder / file).is_file():
        return True
    if places.looks_local(source):
        return False
    cached = hub.in_cache(source, file)
    return cached is not None and _lacks(cached.parent, source, file, reads) is None


_NAMED_BY = {CLASSIFIER_FILES: "config.json", CLIP_FILES: trust.CLIP_CONFIG, READER_FILES: "config.json"}
"""By patterns, the file that says what a folder is of."""


def _scorer(folder: Path, file: str, reads: bool) -> Contents | None:
    """What a scorer, which has a file of that name, is loaded from."""
    if file not in _NAMED_BY.values() or not (folder / file).is_file():
        return None
    tree = contents.OnDisk(folder)
    if reads:
        return contents.reader(tree)
    return contents.clip(tree) if file == trust.CLIP_CONFIG else contents.classifier(tree)


def _check_scorer(folder: Path, source: str, file: str, reads: bool) -> None:
    """Raise ValueError for a folder that a scorer must not, or cannot be loaded from."""
    trust.check(folder, source)
    found = _scorer(folder, file, reads)
    if found is not None:
        places.refuse(source, found, folder)
        headers.check_files(source, contents.paths(folder, found))


def _lacks(folder: Path, source: str, file: str, reads: bool) -> str | None:
    """What is not there of a scorer in the cache, of which it may have been no more than the configuration."""
    trust.check(folder, source)
    found = _scorer(folder, file, reads)
    return None if found is None else places.absent(found, folder)


def _snapshot(source: str, patterns: list[str], file: str, reads: bool) -> Path:
    """The folder of a hub repository in the cache, into which it is downloaded where it is not wholly there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    lacks = None
    try:
        commit = hub.commit_of(source, None)
        folder = Path(snapshot_download(source, revision=commit, allow_patterns=patterns, local_files_only=True))
        lacks = _lacks(folder, source, file, reads)
        if lacks is None:
            return folder
    except LocalEntryNotFoundError:
        pass
    try:
        folder = Path(snapshot_download(source, allow_patterns=patterns))  # offline what there is of it, without a word
        if lacks is None or (lacks := _lacks(folder, source, file, reads)) is None:
            return folder
        raise places.DownloadError("not reached, or it has no more")
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, places.DownloadError) as error:
        of_cache = (
            "" if lacks is None else f", and its copy in the Hugging Face cache at {hub.cache()} is not whole: {lacks}"
        )
        raise places.WeightsNotFoundError(
            f"the weights of {source!r} could not be downloaded: {places.first_line(error)}{of_cache}"
        ) from error
