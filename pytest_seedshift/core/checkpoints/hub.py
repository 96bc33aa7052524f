"""The Hugging Face cache, and the hub: what they have of a repository, and why not."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import contents, trust
from pytest_seedshift.core.checkpoints.places import broken_links, first_line
from pytest_seedshift.core.errors import ModelError


def cache() -> str:
    """The folder of the Hugging Face cache."""
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def in_cache(source: str, file: str, revision: str | None = None) -> Path | None:
    """Where the cache has a file of a repository."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source, file, revision=revision)
    if not isinstance(found, str) and (commit := commit_of(source, revision)) is not None:
        found = try_to_load_from_cache(source, file, revision=commit)
    return Path(found) if isinstance(found, str) else None


def _kept(source: str) -> Path:
    """Where the cache has a repository, if it has it."""
    return Path(cache()) / f"models--{source.replace('/', '--')}"


def commit_of(source: str, revision: str | None) -> str | None:
    """The commit in the cache that a revision means, where the hub's client does not see it.

    It takes the file of a branch for a commit's name as it stands there, also with the line's end that an editor or
    `echo` leaves in caches that were made by hand.

    Raises:
        ModelError: several begin so.
    """
    commit = _named(source, revision)
    if commit is not None and (_kept(source) / "snapshots" / commit).is_dir():
        return commit
    return _whole_commit(source, revision)


def _named(source: str, revision: str | None) -> str | None:
    """What the cache's file of a branch, or of another name of a commit, has in it."""
    try:
        text = files.read_text(_kept(source) / "refs" / (revision or "main"), most=_LONGEST_REF)
    except files.FileError:
        return None
    return text.strip() if _COMMIT.fullmatch(text.strip()) else ""


_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)

_LONGEST_REF = 1000

_SHORT = re.compile(r"[0-9a-f]{4,39}", re.ASCII | re.IGNORECASE)
"""A commit by the beginning of its name."""


def _whole_commit(source: str, revision: str | None) -> str | None:
    """The commit in the cache whose name begins so, which the hub's client knows by its whole name alone.

    Raises:
        ModelError: there are several.
    """
    if revision is None or not _SHORT.fullmatch(revision):
        return None
    folder = _kept(source) / "snapshots"
    found = sorted(path.name for path in folder.glob("*") if path.name.startswith(revision.lower()))
    if len(found) > 1:
        raise ModelError(
            f"{source}: revision = {revision!r}: several commits in the Hugging Face cache at {cache()} begin so: "
            f"{', '.join(found)}: give one of them in full"
        )
    return found[0] if found else None


def not_there(source: str, revision: str | None = None) -> str:
    """What the cache has of a repository where it has not what is sought."""
    folder = _kept(source)
    commits = sorted(path.name for path in folder.glob("snapshots/*"))
    if not commits:
        return "not there"
    names = sorted(path.relative_to(folder / "refs").as_posix() for path in folder.glob("refs/**/*") if path.is_file())
    there = ", ".join([*names, *commits][:_SHOWN])
    if revision is not None and revision not in (*names, *commits):
        return f"it has no revision {revision!r} of it, but {there}: revision in the model's entry says which is taken"
    if revision is None and "main" not in names:
        return f"it has not its branch main, but {there}: revision in the model's entry says which is taken"
    commit = _named(source, revision)
    if commit is not None and commit not in commits:
        is_at = f"is at the commit {commit}, which it has not" if commit else "names no commit in its file"
        return (
            f"{revision or 'main'} of it {is_at}, but {', '.join(commits[:_SHOWN])}: revision in the model's entry "
            "says which is taken"
        )
    return f"not there{broken_links(folder / 'snapshots' / (commit or revision or ''))}"


_SHOWN = 5
"""How many revisions an error names."""


def problem_of(source: str, file: str, revision: str | None = None) -> str | None:
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
        of_commits = ": give a commit's whole name, of 40 digits" if _SHORT.fullmatch(revision or "") else ""
        return f"its repository has no revision {revision!r}{of_commits}"
    except EntryNotFoundError:
        return f"its repository has no {file}{_hint(source, revision) if file == trust.INDEX else ''}"
    except HfHubHTTPError as error:
        return first_line(error)
    except Exception as error:  # no network, no name, a proxy, a certificate: as many classes as http libraries
        return f"cannot be reached: {error}"
    return None


def _hint(source: str, revision: str | None) -> str:
    """What a repository of the hub is instead of a pipeline, as its list of files shows."""
    from huggingface_hub import HfApi

    try:
        listed = HfApi().model_info(source, revision=revision).siblings or []
    except Exception:  # as for the file itself; it is only a hint
        return ""
    told = contents.instead(contents.Listed([each.rfilename for each in listed]))
    return "" if told is None else f": it {told}"
