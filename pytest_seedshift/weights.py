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
from typing import TYPE_CHECKING, Any

from pytest_seedshift import contents, files, trust, typed
from pytest_seedshift.models import headers, kinds
from pytest_seedshift.models.glide import released
from pytest_seedshift.suggest import unknown

if TYPE_CHECKING:
    from pytest_seedshift.contents import Contents

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
        return {} if folder is None else contents.classes(_index(folder))

    @property
    def variants(self) -> Mapping[str, str]:
        """By name of the part, the variant of its weights; only of those that are loaded from one."""
        return {} if self.released is not None or self.path.is_file() else _pipeline(self.path, self.variant).variants

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
                yield from contents.paths(self.config, _pipeline(self.config))
        else:
            for folder in (self.path, *self.priors):
                yield from contents.paths(folder, _pipeline(folder, self.variant))

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
        return _check_scorer(folder, source, file)
    tried = [_no_folder(source, file)]
    if not looks_local(source):
        if (cached := _in_cache(source, file)) is not None:
            lacks = _lacks(cached.parent, source, file)
            if lacks is None:
                return _check_scorer(cached.parent, source, file)
            tried.append(f"the Hugging Face cache at {_cache()} (not whole: {lacks})")
        else:
            tried.append(f"the Hugging Face cache at {_cache()} ({_not_there(source)})")
        problem = _hub_problem(source, file)
        if problem is None:
            return None
        tried.append(f"the hub ({problem})")
    raise _nowhere((source,), tried)


def fetch(source: str, patterns: Iterable[str]) -> Path:
    """The folder that holds the weights; from the hub only where neither folder nor cache has them.

    Args:
        source: a local folder or a hub id.
        patterns: which files of a hub repository are wanted, such as `CLASSIFIER_FILES`.

    Raises:
        WeightsNotFoundError: see `probe`.
        ValueError: what lies there must not be loaded, or cannot be.
    """
    folder = typed.expand(source)
    file = _NAMED_BY.get(tuple(patterns), "")
    if not folder.is_dir():
        folder = _snapshot(source, list(patterns), file)
    _check_scorer(folder, source, file)
    return folder


_NAMED_BY = {CLASSIFIER_FILES: "config.json", CLIP_FILES: trust.CLIP_CONFIG}
"""By patterns, the file that says what a folder is of."""


def _scorer(folder: Path, file: str) -> Contents | None:
    """What a classifier or a CLIP model, which has a file of that name, is loaded from."""
    if file not in _NAMED_BY.values() or not (folder / file).is_file():
        return None
    tree = contents.OnDisk(folder)
    return contents.clip(tree) if file == trust.CLIP_CONFIG else contents.classifier(tree)


def _check_scorer(folder: Path, source: str, file: str) -> None:
    """Raise ValueError for a folder that a scorer must not, or cannot be loaded from."""
    trust.check(folder, source)
    found = _scorer(folder, file)
    if found is not None:
        _refuse(source, found, folder)
        headers.check_files(source, contents.paths(folder, found))


def _lacks(folder: Path, source: str, file: str) -> str | None:
    """What is not there of a scorer in the cache, of which it may have been no more than the configuration."""
    trust.check(folder, source)
    found = _scorer(folder, file)
    return None if found is None else _absent(found, folder)


def _absent(found: Contents, folder: Path) -> str | None:
    """The first of what is not there, where all that is wrong is that something is not."""
    if not found.problems or not all(problem.absent for _, problem in found.problems):
        return None
    part, problem = found.problems[0]
    return (f"{part}: {problem.text}" if part else problem.text) + _broken_links(folder)


def _refuse(source: str, found: Contents, folder: Path | None = None) -> None:
    """Raise ValueError where something keeps a folder from being loaded."""
    if found.problems:
        told = [f"{part}: {problem.text}" if part else problem.text for part, problem in found.problems]
        links = "" if folder is None else _broken_links(folder)
        raise ValueError(f"{source}: {'; '.join(dict.fromkeys(told))}{links}")


def _snapshot(source: str, patterns: list[str], file: str) -> Path:
    """The folder of a hub repository in the cache, into which it is downloaded where it is not wholly there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    lacks = None
    try:
        commit = _commit(source, None)
        folder = Path(snapshot_download(source, revision=commit, allow_patterns=patterns, local_files_only=True))
        lacks = _lacks(folder, source, file)
        if lacks is None:
            return folder
    except LocalEntryNotFoundError:
        pass
    try:
        folder = Path(snapshot_download(source, allow_patterns=patterns))  # offline what there is of it, without a word
        if lacks is None or (lacks := _lacks(folder, source, file)) is None:
            return folder
        raise OSError("not reached, or it has no more")
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        of_cache = (
            "" if lacks is None else f", and its copy in the Hugging Face cache at {_cache()} is not whole: {lacks}"
        )
        raise WeightsNotFoundError(
            f"the weights of {source!r} could not be downloaded: {_first_line(error)}{of_cache}"
        ) from error


def is_here(source: str, file: str) -> bool:
    """Whether a scorer's weights are on this machine, wholly; nothing is downloaded and nobody is asked.

    Raises:
        ValueError: what lies there must not be loaded, or cannot be.
    """
    folder = typed.expand(source)
    if (folder / file).is_file():
        return True
    if looks_local(source):
        return False
    cached = _in_cache(source, file)
    return cached is not None and _lacks(cached.parent, source, file) is None


# Pipelines --------------------------------------------------------------------------------------------------------


def is_pipeline_here(sources: Sequence[str], revision: str | None = None, variant: str | None = None) -> bool:
    """Whether a pipeline is on this machine, wholly; nothing is downloaded and nobody is asked.

    Raises:
        ValueError: what lies there must not be loaded or is no pipeline.
    """
    return _on_disk(sources, revision, [], variant) is not None


def probe_pipeline(
    sources: Sequence[str], revision: str | None = None, advice: str = "", variant: str | None = None
) -> Location | None:
    """Make sure that a pipeline can be had from one of its sources, without loading or downloading it.

    Args:
        sources: folders, single files, hub ids, tried in this order.
        revision: of hub ids.
        advice: how it is to be had, for the error.
        variant: of the files of weights, which is taken where it is there.

    Returns:
        Where it is on this machine; None where only the hub has it.

    Raises:
        WeightsNotFoundError: it is nowhere.
        ValueError: what lies there must not be loaded or is no pipeline.
    """
    tried: list[str] = []
    found = _on_disk(sources, revision, tried, variant)
    if found is None and next(_on_hub(sources, revision, tried), None) is None:
        raise _nowhere(sources, tried, advice)
    return found


def locate_pipeline(
    sources: Sequence[str], revision: str | None = None, advice: str = "", variant: str | None = None
) -> Location:
    """Find a pipeline; it is downloaded only where no source is a folder, a file or in the cache.

    So the same is found in every run, whether or not the hub can be reached, once it is there. Where several processes
    download, each file is downloaded once: the hub's client holds a lock for each file of its cache.

    Args:
        sources: folders, single files, hub ids, tried in this order.
        revision: of hub ids.
        advice: how it is to be had, for the error.
        variant: of the files of weights, which is taken where it is there.

    Raises:
        WeightsNotFoundError: it is nowhere, or the download failed.
        ValueError: what lies there must not be loaded or is no pipeline.
    """
    tried: list[str] = []
    found = _on_disk(sources, revision, tried, variant)
    if found is not None:
        return found
    for source in _on_hub(sources, revision, tried):
        try:
            return _download(source, revision, variant)
        except OSError as error:
            tried.append(f"the hub{_of(source, sources)} (the download failed: {_first_line(error)})")
    raise _nowhere(sources, tried, advice)


def _on_disk(
    sources: Sequence[str], revision: str | None, tried: list[str], variant: str | None = None, *, deep: bool = True
) -> Location | None:
    """The first source that is a folder, a file or wholly in the cache; with `deep`, with the pipelines it needs."""
    for source in sources:
        path = typed.expand(source)
        refuse_pickle(path)
        if path.is_file() and path.suffix == SINGLE_FILE:
            if variant is not None:
                raise ValueError(f"{source}: variant = {variant!r}: a single file has no variants: remove the key")
            beside = [folder for folder in (path.with_suffix(""), path.parent) if (folder / INDEX).is_file()]
            if beside:
                _check_beside(beside[0], source)
            return Location(source, path, config=beside[0] if beside else None)
        if path.is_file():
            raise ValueError(
                f"{source} is no {SINGLE_FILE} file, and nothing else is ever loaded: give such a file, or the folder "
                "of a pipeline"
            )
        if (path / INDEX).is_file():
            _check_folder(path, source, variant)
            if deep:
                _check_variant(path, source, variant)
            priors = [_prior(prior, tried, variant) for prior in _priors(path)] if deep else []
            there = tuple(prior for prior in priors if prior is not None)
            return Location(source, path, priors=there, variant=variant)
        if (theirs := released.find(path)) is not None:
            return Location(source, path, released=theirs)
        _refuse_other(path, source)
        tried.append(_no_folder(source, INDEX))
        if looks_local(source):
            continue
        found = _cached(source, revision, tried, variant, deep=deep)
        if found is not None:
            return found
    return None


def _cached(source: str, revision: str | None, tried: list[str], variant: str | None, *, deep: bool) -> Location | None:
    """A pipeline of the hub that is wholly in the cache."""
    place = f"the Hugging Face cache at {_cache()}"
    index = _in_cache(source, INDEX, revision)
    if index is None:
        for name in contents.TELLING:
            if (other := _in_cache(source, name, revision)) is not None:
                _refuse_other(other.parent, source)
        tried.append(f"{place} ({_not_there(source, revision)})")
        return None
    folder = index.parent
    trust.check(folder, source)
    found = _pipeline(folder, variant)
    lacks = _absent(found, folder)
    if lacks is None:
        if found.problems:
            _refuse_class(folder, source)
        _refuse(source, found, folder)
        if deep:
            _check_variant(folder, source, variant)
    priors = [_prior(prior, tried, variant) for prior in _priors(folder)] if deep else []
    if lacks is None and None not in priors:
        there = tuple(prior for prior in priors if prior is not None)
        return Location(source, folder, priors=there, variant=variant)
    tried.append(f"{place} (not whole: {lacks or 'the prior is not there'})")
    return None


def _refuse_other(folder: Path, source: str) -> None:
    """Raise ValueError for a folder that is surely something else than a pipeline."""
    if not folder.is_dir():
        return
    told = contents.instead(contents.OnDisk(folder))
    if told is not None:
        raise ValueError(f"{source} {told}")
    files_of_it = sorted(folder.glob(f"*{SINGLE_FILE}"))
    if not files_of_it or (folder / "config.json").is_file():
        return
    others = [headers.no_pipeline(path, whole=True) for path in files_of_it]
    if others[0] is not None and all(other is not None for other in others):
        raise ValueError(f"{source}: {files_of_it[0].name} {others[0]}")


def _prior(source: str, tried: list[str], variant: str | None) -> Path | None:
    found = _on_disk((source,), None, tried, variant, deep=False)  # a prior has none, and might name itself
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


def _download(source: str, revision: str | None, variant: str | None) -> Location:
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
    folder = _bring(source, index, revision, variant, load_connected_pipeline=True)
    _check_folder(folder, source, variant)
    _check_variant(folder, source, variant)
    priors = []
    for prior in _priors(folder):
        priors.append(_bring(prior, Path(hf_hub_download(prior, INDEX)), None, variant))
        _check_folder(priors[-1], prior, variant)
    return Location(source, folder, priors=tuple(priors), variant=variant)


def _bring(source: str, index: Path, revision: str | None, variant: str | None, **more: Any) -> Path:
    """Bring a repository's files into the cache, once it is known from their list that they can be loaded.

    Raises:
        OSError: they cannot be downloaded.
        ValueError: they cannot be loaded.
    """
    from diffusers import DiffusionPipeline
    from huggingface_hub import HfApi, snapshot_download

    more[SAFETY_CHECKER] = None
    try:
        listed = HfApi().model_info(source, revision=revision).siblings or []
        tree = contents.Listed([each.rfilename for each in listed])
        found = contents.pipeline(tree, variant, _index(index.parent))
        _refuse(source, found)
        if len(several := {*found.variants.values()}) > 1:  # diffusers brings one variant alone
            wanted = [*found.files, "README.md"]
            return Path(snapshot_download(source, revision=revision, allow_patterns=wanted))
        for each in several:
            more["variant"] = each
        folder = Path(
            DiffusionPipeline.download(source, use_safetensors=True, trust_remote_code=False, revision=revision, **more)
        )
        # Of parts that have both, diffusers brings the variant that another part is had in alone.
        lacking = [name for name in found.files if not (folder / name).is_file()]
        if lacking:
            snapshot_download(source, revision=revision, allow_patterns=lacking)
        return folder
    except (OSError, ValueError):
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
    for part in contents.classes(_index(folder)):
        if part == SAFETY_CHECKER or not (folder / part).is_dir():
            continue
        found = sorted(path.name for path in (folder / part).iterdir())
        pickles = [name for name in found if Path(name).suffix in trust.PICKLES]
        if pickles and not any(name.endswith(SINGLE_FILE) for name in found):
            raise trust.UntrustedError(
                f"{source}: {part}: {pickles[0]} in {folder} is a pickle, which would be read if the file lacks this "
                "part, and could run any code. Remove it, or save the part as safetensors"
            )


def _check_folder(folder: Path, source: str, variant: str | None = None) -> None:
    """Raise ValueError for a folder that is no pipeline, or that must not, or cannot be loaded."""
    trust.check(folder, source)
    found = _pipeline(folder, variant)
    if found.problems:
        _refuse_class(folder, source)
    _refuse(source, found, folder)


def _refuse_class(folder: Path, source: str) -> None:
    """Raise ValueError for a pipeline that makes no images from a text, which is more to say than what it lacks."""
    name = _index(folder).get("_class_name")
    if not isinstance(name, str):
        return
    if name.startswith(("Onnx", "ORT")):
        raise ValueError(
            f"{source} is a pipeline of ONNX ({name}), and nothing but safetensors is loaded: give the pipeline that "
            "it was made from"
        )
    kinds.check_index(folder / INDEX, source)


def _check_variant(folder: Path, source: str, variant: str | None) -> None:
    """Raise ValueError for a variant that is in no part."""
    if variant is not None and variant not in _pipeline(folder, variant).variants.values():
        there = contents.variants(contents.OnDisk(folder))
        others = f". {unknown('variant', variant, there)}" if there else ": it has none. Remove the key"
        raise ValueError(f"{source}: variant = {variant!r}: no weights of it have that variant{others}")


def _pipeline(folder: Path, variant: str | None = None) -> Contents:
    return contents.pipeline(contents.OnDisk(folder), variant)


def _index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = files.read_json(folder / INDEX, finite=False)
    return found


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
    hint = contents.hint(contents.OnDisk(folder)) if file == INDEX and folder.is_dir() else ""
    return f"the folder {source} ({f'{problem}{_broken_links(folder)}' if folder.is_dir() else 'there is none'}){hint}"


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
    if not isinstance(found, str) and (commit := _commit(source, revision)) is not None:
        found = try_to_load_from_cache(source, file, revision=commit)
    return Path(found) if isinstance(found, str) else None


def _kept(source: str) -> Path:
    """Where the cache has a repository, if it has it."""
    return Path(_cache()) / f"models--{source.replace('/', '--')}"


def _commit(source: str, revision: str | None) -> str | None:
    """The commit in the cache that a revision means, where the hub's client does not see it.

    It takes the file of a branch for a commit's name as it stands there, also with the line's end that an editor or
    `echo` leaves in caches that were made by hand.

    Raises:
        ValueError: several begin so.
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
        ValueError: there are several.
    """
    if revision is None or not _SHORT.fullmatch(revision):
        return None
    folder = _kept(source) / "snapshots"
    found = sorted(path.name for path in folder.glob("*") if path.name.startswith(revision.lower()))
    if len(found) > 1:
        raise ValueError(
            f"{source}: revision = {revision!r}: several commits in the Hugging Face cache at {_cache()} begin so: "
            f"{', '.join(found)}: give one of them in full"
        )
    return found[0] if found else None


def _not_there(source: str, revision: str | None = None) -> str:
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
    return f"not there{_broken_links(folder / 'snapshots' / (commit or revision or ''))}"


def _broken_links(folder: Path) -> str:
    """What to say of links in a folder that lead nowhere, as where it was copied without what they point to."""
    if not folder.is_dir():
        return ""
    lost = sorted(path for path in folder.rglob("*") if path.is_symlink() and not path.exists())
    if not lost:
        return ""
    first = lost[0].relative_to(folder).as_posix()
    return (
        f", and {len(lost)} link{'s'[: len(lost) > 1]} in it lead{'' if len(lost) > 1 else 's'} nowhere ({first} to "
        f"{lost[0].readlink()}): what they point to was moved or not copied; copy the whole folder of the "
        "repository in the cache, or 'cp -rL' this one, or get it again"
    )


_SHOWN = 5
"""How many revisions an error names."""


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
        of_commits = ": give a commit's whole name, of 40 digits" if _SHORT.fullmatch(revision or "") else ""
        return f"its repository has no revision {revision!r}{of_commits}"
    except EntryNotFoundError:
        return f"its repository has no {file}{_hub_hint(source, revision) if file == INDEX else ''}"
    except HfHubHTTPError as error:
        return _first_line(error)
    except Exception as error:  # no network, no name, a proxy, a certificate: as many classes as http libraries
        return f"cannot be reached: {error}"
    return None


def _hub_hint(source: str, revision: str | None) -> str:
    """What a repository of the hub is instead of a pipeline, as its list of files tells."""
    from huggingface_hub import HfApi

    try:
        listed = HfApi().model_info(source, revision=revision).siblings or []
    except Exception:  # as for the file itself; it is only a hint
        return ""
    told = contents.instead(contents.Listed([each.rfilename for each in listed]))
    return "" if told is None else f": it {told}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def fingerprint(path: Path, *settings: object, variant: str | None = None, also: Iterable[Path] = ()) -> str:
    """A hash of every file that a folder of weights is loaded from, or of one file, and of the settings of their use.

    Which files these are is what `contents` says; of a folder that it does not know, all that are not hidden.

    In the Hugging Face cache a large file is a link to a blob that is named by its own SHA-256; that name stands for
    the content, so that gigabytes are not read again. Of other files a process reads each once, until size, times or
    inode change.

    Args:
        path: of the folder or the file.
        settings: whose representations are hashed, too.
        variant: of the weights; see `contents.pipeline`.
        also: files in the folder that are loaded besides.
    """
    digest = hashlib.sha256(repr(settings).encode())
    if path.is_file():
        digest.update(_content(path).encode())
        return digest.hexdigest()[:16]
    found = contents.of(path, variant)
    listed = (file for file in path.rglob("*") if file.is_file()) if found is None else contents.paths(path, found)
    for name, file in sorted((file.relative_to(path).as_posix(), file) for file in {*listed, *also}):
        if name.startswith(".") or "/." in name:  # a download leaves its notes in them
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
