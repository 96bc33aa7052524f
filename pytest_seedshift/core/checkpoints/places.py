"""What a source of weights is (a folder, a file, or an id of the hub), and what is said where none has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, path_hints, typed_values
from pytest_seedshift.core.checkpoints import contents, trust
from pytest_seedshift.core.errors import ModelError

if TYPE_CHECKING:
    from pytest_seedshift.core.checkpoints.contents import Contents

SINGLE_FILE = ".safetensors"
"""The suffix of a whole pipeline in one file."""

# What huggingface_hub takes for a repository; it raises an error of its own at all else.
_HUB_ID = re.compile(r"(?!.*(--|\.\.|\.git$))\w([\w.-]*\w)?/\w([\w.-]*\w)?", re.ASCII)


class DownloadError(ModelError):
    """What the hub has could not be brought here; the message says why."""


class WeightsNotFoundError(ModelError):
    """The weights are nowhere; the message says which places were tried and how to get them."""


def looks_local(source: str) -> bool:
    """Whether a source can only mean a path: it is not of the form `owner/name` that a hub id has."""
    return _HUB_ID.fullmatch(source) is None or source.endswith(SINGLE_FILE)


def looks_like_path(source: str) -> bool:
    """Whether a source is written as a path: `./mine`, `~/mine`, `/mine`, `mine.safetensors`."""
    return source.startswith((".", "/", "~")) or source.endswith(SINGLE_FILE) or Path(source).is_absolute()


def refuse_pickle(path: Path) -> None:
    """Raise ValueError for a file that is a pickle by its name."""
    if path.suffix in trust.PICKLES and path.is_file():
        raise ModelError(
            f"{path} is a pickle: loading it could run any code, so none is ever loaded. Convert it to "
            f"{SINGLE_FILE}, or take a copy that is one"
        )


def no_folder(source: str, file: str, lacks: str | None = None) -> str:
    """What to say of a folder that has not what is sought: no `file` in it, or what `lacks` says."""
    folder = typed_values.expand(source)
    problem = lacks or f"no {file} in it"
    if not folder.exists() and (near := path_hints.hint(folder)):
        return f"the folder {source} (not there: {folder.absolute()}{near})"
    hint = contents.hint(contents.OnDisk(folder)) if file == trust.INDEX and folder.is_dir() else ""
    return f"the folder {source} ({f'{problem}{broken_links(folder)}' if folder.is_dir() else 'not there'}){hint}"


def among(source: str, sources: Sequence[str]) -> str:
    """Which of several sources is spoken of, for an error."""
    return f" for {source}" if len(sources) > 1 else ""


def nowhere(sources: Sequence[str], tried: Sequence[str], given: str = "") -> WeightsNotFoundError:
    """The error that says what was tried, and how the weights are to be had; `given` says it better."""
    hub = [source for source in sources if not looks_local(source)]
    advice = "give the path of a folder that has them"
    if hub:
        commands = " or ".join(f"'hf download {source}'" for source in hub)
        advice = f"run {commands} where there is a network, or give the path of a local folder"
    meant = [near for source in sources if (near := path_hints.near(typed_values.expand(source))) is not None]
    if meant and not given:  # a slip of a path is no id of the hub
        advice = f"write the path of a folder that is there, such as {messages.relative(str(meant[0]))}"
    names = " or ".join(map(repr, sources))
    return WeightsNotFoundError(
        f"the weights of {names} were not found. Tried: {'; '.join(tried)}. To get them, {given or advice}"
    )


def absent(found: Contents, folder: Path) -> str | None:
    """The first of what is not there, where all that is wrong is that something is not."""
    if not found.problems or not all(problem.absent for _, problem in found.problems):
        return None
    part, problem = found.problems[0]
    return (f"{part}: {problem.text}" if part else problem.text) + broken_links(folder)


def refuse(source: str, found: Contents, folder: Path | None = None) -> None:
    """Raise ValueError where something keeps a folder from being loaded."""
    if found.problems:
        told = [f"{part}: {problem.text}" if part else problem.text for part, problem in found.problems]
        links = "" if folder is None else broken_links(folder)
        raise ModelError(f"{source}: {'; '.join(dict.fromkeys(told))}{links}")


def broken_links(folder: Path) -> str:
    """What to say of links in a folder that lead nowhere, as where it was copied without what they point to."""
    if not folder.is_dir():
        return ""
    lost = sorted(path for path in folder.rglob("*") if path.is_symlink() and not path.exists())
    if not lost:
        return ""
    first = lost[0].relative_to(folder).as_posix()
    return (
        f", and {len(lost)} link{'s'[: len(lost) > 1]} in it lead{'' if len(lost) > 1 else 's'} nowhere ({first} to "
        f"{lost[0].readlink()}). Copy the repository's whole folder from the cache, copy this one with 'cp -rL', or "
        "download it again"
    )


def first_line(error: Exception) -> str:
    """What an error of a library says, without what follows."""
    return (str(error).splitlines() or [type(error).__name__])[0]
