"""Where weights come from: a local folder, the Hugging Face cache or the hub, in that order; and their fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path


class WeightsNotFoundError(LookupError):
    """The weights are nowhere; the message says which places were tried and how to get them."""


def probe(source: str, file: str) -> None:
    """Make sure that weights can be had, without loading or downloading more than one small file.

    Args:
        source: a local folder or a hub id (`owner/name`).
        file: a small file that every complete copy has, such as `model_index.json`.

    Raises:
        WeightsNotFoundError: neither the folder nor the cache nor the hub has it.
    """
    folder = Path(source).expanduser()
    if (folder / file).is_file():
        return
    tried = [f"the folder {source} ({f'no {file} in it' if folder.is_dir() else 'there is none'})"]
    advice = "give the path of a folder that has them"
    if not looks_local(source):
        if _in_cache(source, file):
            return
        problem = _hub_problem(source, file)
        if problem is None:
            return
        tried += [f"the Hugging Face cache at {_cache()} (not there)", f"the hub ({problem})"]
        advice = f"run 'hf download {source}' where there is a network, or give the path of a local folder"
    raise WeightsNotFoundError(
        f"the weights of {source!r} are nowhere. Tried: {'; '.join(tried)}. To get them, {advice}"
    )


def _cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def _in_cache(source: str, file: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(source, file), str)


def _hub_problem(source: str, file: str) -> str | None:
    """Why the hub does not give a file; None if it does."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        hf_hub_download(source, file)
    except OfflineModeIsEnabled:
        return "offline: HF_HUB_OFFLINE is set"
    except LocalEntryNotFoundError as error:
        offline = isinstance(error.__cause__, OfflineModeIsEnabled)
        return "offline: HF_HUB_OFFLINE is set" if offline else "cannot be reached"
    except (HfHubHTTPError, OSError) as error:
        return str(error).splitlines()[0]
    return None


def looks_local(source: str) -> bool:
    """Whether a source can only mean a folder: it is a path and not of the form `owner/name`."""
    return source.startswith((".", "/", "~")) or source.count("/") != 1


def fetch(source: str, patterns: list[str]) -> Path:
    """The folder that holds the weights; from the hub only where neither folder nor cache has them.

    Args:
        source: a local folder or a hub id.
        patterns: which files of a hub repository are wanted.

    Raises:
        WeightsNotFoundError: see `probe`.
    """
    if Path(source).is_dir():
        return Path(source)
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


def fingerprint(folder: Path, *settings: object) -> str:
    """A hash of every file in a folder of weights and of the settings they are used with.

    In the Hugging Face cache a large file is a link to a blob that is named by its own SHA-256; that name stands for
    the content, so that gigabytes are not read again.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".DS_Store"):
        digest.update(path.relative_to(folder).as_posix().encode())
        blob = path.resolve().name
        if path.is_symlink() and len(blob) == 64:
            digest.update(blob.encode())
        else:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
