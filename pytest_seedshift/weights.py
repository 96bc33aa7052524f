"""Where weights come from: a local folder, the Hugging Face cache or the hub, in that order; and their fingerprint.

Weights are safetensors. A pickle can run any code when it is loaded: none ever is, nor code that lies with weights.
No folder is given out that `trust` has not looked through.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_seedshift import files, trust, typed
from pytest_seedshift.models import kinds
from pytest_seedshift.models.glide import released

INDEX, SAFETY_CHECKER = trust.INDEX, trust.SAFETY_CHECKER

# What huggingface_hub takes for a repository; it raises an error of its own at all else.
_HUB_ID = re.compile(r"(?!.*(--|\.\.|\.git$))\w([\w.-]*\w)?/\w([\w.-]*\w)?", re.ASCII)

SINGLE_FILE = ".safetensors"
"""The suffix of a whole pipeline in one file."""

CLASSIFIER_FILES = ("*.json", "*.safetensors")
CLIP_FILES = ("open_clip_*.json", "open_clip_*.safetensors", "*.json", "*.txt")

_SETTLED = 2 * 10**9
"""Nanoseconds since its last change after which a file's times tell whether it changes again: clocks of files tick."""

_hashes: dict[tuple[int, ...], str] = {}
"""What was read of files, by all that tells that they are the same files as then: a run asks several times."""

# Parts that hold no weights, whatever else lies in their folders.
_WEIGHTLESS = ("Tokenizer", "Processor", "FeatureExtractor", "Scheduler")

# The pipelines whose other half, the prior, lies in a repository of its own, which their README.md names.
_WITH_PRIOR = ("Kandinsky", "StableCascade", "Wuerstchen")


class WeightsNotFoundError(LookupError):
    """The weights are nowhere; the message says which places were tried and how to get them."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a pipeline was found.

    Attributes:
        source: which of its sources it is.
        path: its folder, or the single file.
        config: of a single file, the folder with the configuration of its parts, as far as it lies beside the file.
        priors: the folders of the pipelines that it needs besides.
        released: GLIDE's files as OpenAI has released them, in the folder in place of a pipeline.
    """

    source: str
    path: Path
    config: Path | None = None
    priors: tuple[Path, ...] = ()
    released: released.Files | None = None

    @property
    def parts(self) -> Mapping[str, tuple[str, str]]:
        """By name, the library and the class of each part; empty for a single file and for released files."""
        if self.released is not None:
            return {}
        folder = self.path if self.path.is_dir() else self.config
        return {} if folder is None else _parts(_index(folder))

    def fingerprint(self, *settings: object) -> str:
        """A hash of all files and of the settings they are used with; see `fingerprint`."""
        if self.released is not None:  # others may lie beside them
            files = (self.released.base, self.released.upsampler, self.released.vocabulary)
            return fingerprint(files[0], *settings, *(fingerprint(path) for path in files[1:]))
        besides = [path for path in (self.config, *self.priors) if path is not None]
        return fingerprint(self.path, *settings, *(fingerprint(path) for path in besides))


# Single folders ---------------------------------------------------------------------------------------------------


def probe(source: str, file: str) -> None:
    """Make sure that weights can be had, without loading or downloading them.

    Args:
        source: a local folder or a hub id (`owner/name`).
        file: a small file that every complete copy has, such as `model_index.json`.

    Raises:
        WeightsNotFoundError: neither the folder nor the cache nor the hub has it.
        UntrustedError: what lies there must not be loaded.
    """
    folder = typed.expand(source)
    if (folder / file).is_file():
        return trust.check(folder, source)
    tried = [_no_folder(source, file)]
    if not looks_local(source):
        if (cached := _in_cache(source, file)) is not None:
            return trust.check(cached.parent, source)
        problem = _hub_problem(source, file)
        if problem is None:
            return None
        tried += [f"the Hugging Face cache at {_cache()} (not there)", f"the hub ({problem})"]
    raise _nowhere((source,), tried)


def fetch(source: str, patterns: Iterable[str]) -> Path:
    """The folder that holds the weights; from the hub only where neither folder nor cache has them.

    Args:
        source: a local folder or a hub id.
        patterns: which files of a hub repository are wanted.

    Raises:
        WeightsNotFoundError: see `probe`.
        UntrustedError: what lies there must not be loaded.
    """
    folder = typed.expand(source)
    if not folder.is_dir():
        folder = _snapshot(source, list(patterns))
    trust.check(folder, source)
    return folder


def _snapshot(source: str, patterns: list[str]) -> Path:
    """The folder of a hub repository in the cache, into which it is downloaded where it is not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, allow_patterns=patterns, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(source, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsNotFoundError(f"the weights of {source!r} could not be downloaded: {error}") from error


# Pipelines --------------------------------------------------------------------------------------------------------


def probe_pipeline(sources: Sequence[str], revision: str | None = None, advice: str = "") -> None:
    """Make sure that a pipeline can be had from one of its sources, without loading or downloading it.

    Args:
        sources: folders, single files, hub ids, tried in this order.
        revision: of hub ids.
        advice: how it is to be had, for the error.

    Raises:
        WeightsNotFoundError: it is nowhere.
        ValueError: what lies there must not be loaded or is no pipeline.
    """
    tried: list[str] = []
    if _on_disk(sources, revision, tried) is None and next(_on_hub(sources, revision, tried), None) is None:
        raise _nowhere(sources, tried, advice)


def locate_pipeline(sources: Sequence[str], revision: str | None = None, advice: str = "") -> Location:
    """Find a pipeline; it is downloaded only where no source is a folder, a file or in the cache.

    So the same is found in every run, whether or not the hub can be reached, once it is there. Where several processes
    download, each file is downloaded once: the hub's client holds a lock for each file of its cache.

    Args:
        sources: folders, single files, hub ids, tried in this order.
        revision: of hub ids.
        advice: how it is to be had, for the error.

    Raises:
        WeightsNotFoundError: it is nowhere, or the download failed.
        ValueError: what lies there must not be loaded or is no pipeline.
    """
    tried: list[str] = []
    found = _on_disk(sources, revision, tried)
    if found is not None:
        return found
    for source in _on_hub(sources, revision, tried):
        try:
            return _download(source, revision)
        except OSError as error:
            tried.append(f"the hub{_of(source, sources)} (the download failed: {_first_line(error)})")
    raise _nowhere(sources, tried, advice)


def _on_disk(sources: Sequence[str], revision: str | None, tried: list[str], *, deep: bool = True) -> Location | None:
    """The first source that is a folder, a file or wholly in the cache; with `deep`, with the pipelines it needs."""
    for source in sources:
        path = typed.expand(source)
        refuse_pickle(path)
        if path.is_file() and path.suffix == SINGLE_FILE:
            beside = [folder for folder in (path.with_suffix(""), path.parent) if (folder / INDEX).is_file()]
            if beside:
                _check_beside(beside[0], source)
            return Location(source, path, config=beside[0] if beside else None)
        if (path / INDEX).is_file():
            _check_folder(path, source)
            priors = [_prior(prior, tried) for prior in _priors(path)] if deep else []
            return Location(source, path, priors=tuple(prior for prior in priors if prior is not None))
        if (theirs := released.find(path)) is not None:
            return Location(source, path, released=theirs)
        tried.append(_no_folder(source, INDEX))
        if looks_local(source):
            continue
        place = f"the Hugging Face cache at {_cache()}"
        index = _in_cache(source, INDEX, revision)
        if index is None:
            tried.append(f"{place} (not there)")
            continue
        trust.check(index.parent, source)
        lacks = [problem for _, problem in _problems(index.parent)]
        priors = [_prior(prior, tried) for prior in _priors(index.parent)] if deep else []
        if not lacks and None not in priors:
            return Location(source, index.parent, priors=tuple(prior for prior in priors if prior is not None))
        tried.append(f"{place} (not whole: {lacks[0] if lacks else 'the prior is not there'})")
    return None


def _prior(source: str, tried: list[str]) -> Path | None:
    found = _on_disk((source,), None, tried, deep=False)  # a prior has none, and might name itself
    return None if found is None else found.path


def _on_hub(sources: Sequence[str], revision: str | None, tried: list[str]) -> Iterator[str]:
    """The sources that the hub has."""
    for source in sources:
        if looks_local(source):
            continue
        problem = _hub_problem(source, INDEX, revision)
        if problem is None:
            yield source
        else:
            tried.append(f"the hub{_of(source, sources)} ({problem})")


def _download(source: str, revision: str | None) -> Location:
    """Bring a pipeline into the cache, the pipelines that it needs among it, without its safety checker.

    Its index comes first, so that of a pipeline that may not be loaded nothing else does.

    Raises:
        OSError: it cannot be downloaded, or has no safetensors.
        UntrustedError: what has come must not be loaded.
    """
    from huggingface_hub import hf_hub_download

    index = Path(hf_hub_download(source, INDEX, revision=revision))
    trust.check_index(index, source)
    kinds.check_index(index, source)
    folder = _bring(source, revision=revision, load_connected_pipeline=True)
    _check_folder(folder, source)
    priors = [_bring(prior) for prior in _priors(folder)]
    for prior in priors:
        _check_folder(prior, str(prior))
    return Location(source, folder, priors=tuple(priors))


def _bring(source: str, **more: Any) -> Path:
    from diffusers import DiffusionPipeline

    more[SAFETY_CHECKER] = None
    try:
        return Path(DiffusionPipeline.download(source, use_safetensors=True, trust_remote_code=False, **more))
    except OSError:
        raise
    except Exception as error:  # of what a repository says: any class there is
        raise OSError(_first_line(error)) from error


def index_of(sources: Sequence[str], revision: str | None = None) -> tuple[str, Path] | None:
    """The first source of which this machine has the index, whatever else of it, and that index; None where none is."""
    for source in sources:
        path = typed.expand(source) / INDEX
        found = path if path.is_file() else None if looks_local(source) else _in_cache(source, INDEX, revision)
        if found is not None:
            return source, found
    return None


def refuse_pickle(path: Path) -> None:
    """Raise ValueError for a file that is a pickle by its name."""
    if path.suffix in trust.PICKLES and path.is_file():
        raise ValueError(
            f"{path} is a pickle: loading it could run any code, so none is ever loaded. Convert it to "
            f"{SINGLE_FILE}, or take a copy that is one"
        )


def _check_beside(folder: Path, source: str) -> None:
    """Raise ValueError for a single file's configuration of which a part would be read from a pickle.

    What the file lacks, diffusers reads from there, and in whatever form.
    """
    trust.check(folder, source)
    for part in _parts(_index(folder)):
        if part == SAFETY_CHECKER or not (folder / part).is_dir():
            continue
        found = sorted(path.name for path in (folder / part).iterdir())
        pickles = [name for name in found if Path(name).suffix in trust.PICKLES]
        if pickles and not any(name.endswith(SINGLE_FILE) for name in found):
            raise trust.UntrustedError(
                f"{source}: {part}: {pickles[0]} in {folder} is a pickle, which would be read if the file lacks this "
                "part, and could run any code. Remove it, or save the part as safetensors"
            )


def _check_folder(folder: Path, source: str) -> None:
    """Raise ValueError for a folder that is no pipeline, or that only code or a pickle could make one."""
    trust.check(folder, source)
    for part, problem in _problems(folder):
        raise ValueError(f"{source}: {part}: {problem}")


def _problems(folder: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with a folder that should be a pipeline: the part, and the words."""
    index = _index(folder)
    if not index.get("_class_name"):
        yield INDEX, "names no class of diffusers"
        return
    for part, (_, kind) in _parts(index).items():
        place = folder / part
        if part == SAFETY_CHECKER:
            continue
        if not place.is_dir() and not (folder / "config.json").is_file():  # parts may lie in the folder itself
            yield part, "is not there"
            continue
        if any(word in kind for word in _WEIGHTLESS) or not (place / "config.json").is_file():
            continue
        found = {path.name for path in place.iterdir()}
        if not any(name.endswith(SINGLE_FILE) for name in found):
            pickles = sorted(name for name in found if Path(name).suffix in trust.PICKLES)
            if pickles:
                yield (
                    part,
                    f"its weights are a pickle ({pickles[0]}), which could run any code and is never loaded. Save them "
                    "as safetensors (save_pretrained does)",
                )
            else:
                yield part, f"has no weights (no {SINGLE_FILE} file)"
        for name in sorted(found):
            if name.endswith(f"{SINGLE_FILE}.index.json"):
                shards = set(files.read_json(place / name, finite=False)["weight_map"].values())
                yield from ((part, f"lacks {shard}") for shard in sorted(shards - found))


def _index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = files.read_json(folder / INDEX, finite=False)
    return found


def _parts(index: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        name: (value[0], value[1])
        for name, value in index.items()
        if not name.startswith("_")
        and isinstance(value, list)
        and len(value) == 2
        and all(isinstance(each, str) for each in value)
    }


def _priors(folder: Path) -> list[str]:
    """The hub ids of the pipelines that a pipeline needs besides."""
    card = folder / "README.md"
    if not str(_index(folder).get("_class_name")).startswith(_WITH_PRIOR) or not card.is_file():
        return []
    from huggingface_hub import ModelCard

    try:
        with files.foreign(card):
            prior = getattr(ModelCard.load(card).data, "prior", None)
    except files.FileError:  # no data, or none that can be read
        return []
    return [str(prior[0])] if isinstance(prior, list) and prior else []


# Where things are -------------------------------------------------------------------------------------------------


def looks_local(source: str) -> bool:
    """Whether a source can only mean a path: it is not of the form `owner/name` that a hub id has."""
    return _HUB_ID.fullmatch(source) is None or source.endswith(SINGLE_FILE)


def looks_like_path(source: str) -> bool:
    """Whether a source is written as a path: `./mine`, `~/mine`, `/mine`, `mine.safetensors`."""
    return source.startswith((".", "/", "~")) or source.endswith(SINGLE_FILE) or Path(source).is_absolute()


def _no_folder(source: str, file: str) -> str:
    folder = typed.expand(source)
    problem = released.lacking(folder) or f"no {file} in it"
    return f"the folder {source} ({problem if folder.is_dir() else 'there is none'})"


def _of(source: str, sources: Sequence[str]) -> str:
    return f" for {source}" if len(sources) > 1 else ""


def _nowhere(sources: Sequence[str], tried: Sequence[str], given: str = "") -> WeightsNotFoundError:
    hub = [source for source in sources if not looks_local(source)]
    advice = "give the path of a folder that has them"
    if hub:
        commands = " or ".join(f"'hf download {source}'" for source in hub)
        advice = f"run {commands} where there is a network, or give the path of a local folder"
    names = " or ".join(map(repr, sources))
    return WeightsNotFoundError(
        f"the weights of {names} are nowhere. Tried: {'; '.join(tried)}. To get them, {given or advice}"
    )


def _cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def _in_cache(source: str, file: str, revision: str | None = None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source, file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _hub_problem(source: str, file: str, revision: str | None = None) -> str | None:
    """Why the hub does not give a file; None if it does. Asks once: who is offline should not wait for retries."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        get_hf_file_metadata(hf_hub_url(source, file, revision=revision))
    except OfflineModeIsEnabled:
        return "offline: HF_HUB_OFFLINE is set"
    except GatedRepoError:
        return f"it asks for consent to its terms, at https://huggingface.co/{source}, and for a login: 'hf auth login'"
    except RepositoryNotFoundError:
        return "it has no such repository, or only for those who log in: 'hf auth login'"
    except RevisionNotFoundError:
        return f"its repository has no revision {revision!r}"
    except EntryNotFoundError:
        return f"its repository has no {file}"
    except HfHubHTTPError as error:
        return _first_line(error)
    except Exception as error:  # no network, no name, a proxy, a certificate: as many classes as http libraries
        return f"cannot be reached: {error}"
    return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def fingerprint(path: Path, *settings: object) -> str:
    """A hash of every file in a folder of weights, or of a single file, and of the settings they are used with.

    In the Hugging Face cache a large file is a link to a blob that is named by its own SHA-256; that name stands for
    the content, so that gigabytes are not read again. Of other files a process reads each once, until size, times or
    inode change. Hidden files are no weights: a download leaves its notes in them.
    """
    digest = hashlib.sha256(repr(settings).encode())
    if path.is_file():
        digest.update(_content(path).encode())
        return digest.hexdigest()[:16]
    for name, file in sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*")):
        if not file.is_file() or name.startswith(".") or "/." in name:
            continue
        digest.update(f"{name}\n{_content(file)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _content(file: Path) -> str:
    """What stands for a file's content."""
    name = file.resolve().name
    if file.is_symlink() and len(name) == 64:
        return name
    about = file.stat()
    key = about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
    if key not in _hashes:
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        if time.time_ns() - max(about.st_mtime_ns, about.st_ctime_ns) < _SETTLED:
            return content
        _hashes[key] = content
    return _hashes[key]
