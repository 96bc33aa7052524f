"""Where weights come from: a local folder, the Hugging Face cache or the hub, in that order; and their fingerprint."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

# What huggingface_hub takes for a repository; it raises an error of its own at all else.
_HUB_ID = re.compile(r"(?!.*(--|\.\.|\.git$))\w([\w.-]*\w)?/\w([\w.-]*\w)?", re.ASCII)


CLASSIFIER_FILES = ("*.json", "*.safetensors")
CLIP_FILES = ("open_clip_*", "*.json", "*.txt")


class WeightsNotFoundError(LookupError):
    """The weights are nowhere; the message says which places were tried and how to get them."""


def probe(source: str, file: str) -> None:
    """Make sure that weights can be had, without loading or downloading them.

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
    """Why the hub does not give a file; None if it does. Asks once: who is offline should not wait for retries."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(source, file))
    except OfflineModeIsEnabled:
        return "offline: HF_HUB_OFFLINE is set"
    except GatedRepoError:
        return "it asks for consent to its terms and for a login: 'hf auth login'"
    except RepositoryNotFoundError:
        return "it has no such repository, or only for those who log in: 'hf auth login'"
    except HfHubHTTPError as error:
        return str(error).splitlines()[0]
    except Exception as error:  # no network, no name, a proxy, a certificate: as many classes as http libraries
        return f"cannot be reached: {error}"
    return None


def looks_local(source: str) -> bool:
    """Whether a source can only mean a folder: it is not of the form `owner/name` that a hub id has."""
    return _HUB_ID.fullmatch(source) is None


def locate_pipeline(source: str) -> Path:
    """The folder of a diffusers pipeline, safetensors only; from the hub only where it is neither local nor cached.

    Raises:
        OSError: it cannot be downloaded.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    from diffusers import DiffusionPipeline

    return Path(DiffusionPipeline.download(source, use_safetensors=True))


def fetch(source: str, patterns: Iterable[str]) -> Path:
    """The folder that holds the weights; from the hub only where neither folder nor cache has them.

    Args:
        source: a local folder or a hub id.
        patterns: which files of a hub repository are wanted.

    Raises:
        WeightsNotFoundError: see `probe`.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, allow_patterns=list(patterns), local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(source, allow_patterns=list(patterns)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsNotFoundError(f"the weights of {source!r} could not be downloaded: {error}") from error


def fingerprint(folder: Path, *settings: object) -> str:
    """A hash of every file in a folder of weights and of the settings they are used with.

    In the Hugging Face cache a large file is a link to a blob that is named by its own SHA-256; that name stands for
    the content, so that gigabytes are not read again. Hidden files are no weights: a download leaves its notes in them.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*")):
        if not path.is_file() or name.startswith(".") or "/." in name:
            continue
        content = path.resolve().name
        if not path.is_symlink() or len(content) != 64:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name}\n{content}\n".encode())
    return digest.hexdigest()[:16]
