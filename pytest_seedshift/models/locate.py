"""Where a pipeline comes from: a local folder, the Hugging Face cache or the hub, in that order.

Weights are safetensors. A pickle can run any code when it is loaded: none ever is, nor code that lies with weights.
No folder is given out that `trust` has not looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_seedshift.core import typed_values
from pytest_seedshift.core.checkpoints import contents, hub, places, trust
from pytest_seedshift.core.checkpoints.trust import INDEX, SAFETY_CHECKER
from pytest_seedshift.core.errors import ModelError, SeedshiftError
from pytest_seedshift.models import folder_checks, kinds, location
from pytest_seedshift.models.glide import released
from pytest_seedshift.models.location import Location


def is_pipeline_here(sources: Sequence[str], revision: str | None = None, variant: str | None = None) -> bool:
    """Whether a pipeline is on this machine, wholly; nothing is downloaded and nobody is asked.

    Raises:
        ModelError: what lies there must not be loaded or is no pipeline.
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
        places.WeightsNotFoundError: it is nowhere.
        ModelError: what lies there must not be loaded or is no pipeline.
    """
    tried: list[str] = []
    found = _on_disk(sources, revision, tried, variant)
    if found is None and next(_on_hub(sources, revision, tried), None) is None:
        raise places.nowhere(sources, tried, advice)
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
        places.WeightsNotFoundError: it is nowhere, or the download failed.
        ModelError: what lies there must not be loaded or is no pipeline.
    """
    tried: list[str] = []
    found = _on_disk(sources, revision, tried, variant)
    if found is not None:
        return found
    for source in _on_hub(sources, revision, tried):
        try:
            return _download(source, revision, variant)
        except (OSError, places.DownloadError) as error:
            tried.append(f"the hub{places.among(source, sources)} (the download failed: {places.first_line(error)})")
    raise places.nowhere(sources, tried, advice)


def index_of(sources: Sequence[str], revision: str | None = None) -> tuple[str, Path] | None:
    """The first source of which this machine has the index, whatever else of it, and that index; None where none is."""
    for source in sources:
        path = typed_values.expand(source) / INDEX
        found = (
            path if path.is_file() else None if places.looks_local(source) else hub.in_cache(source, INDEX, revision)
        )
        if found is not None:
            return source, found
    return None


def _on_disk(
    sources: Sequence[str], revision: str | None, tried: list[str], variant: str | None = None, *, deep: bool = True
) -> Location | None:
    """The first source that is a folder, a file or wholly in the cache; with `deep`, with the pipelines it needs."""
    for source in sources:
        path = typed_values.expand(source)
        places.refuse_pickle(path)
        if path.is_file() and path.suffix == places.SINGLE_FILE:
            if variant is not None:
                raise ModelError(f"{source}: variant = {variant!r}: a single file has no variants: remove the key")
            beside = [folder for folder in (path.with_suffix(""), path.parent) if (folder / INDEX).is_file()]
            if beside:
                folder_checks.check_beside(beside[0], source)
            return Location(source, path, config=beside[0] if beside else None)
        if path.is_file():
            raise ModelError(
                f"{source} is not a {places.SINGLE_FILE} file, and nothing else is ever loaded: give such a file, or "
                "the folder of a pipeline"
            )
        if (path / INDEX).is_file():
            folder_checks.check(path, source, variant)
            if deep:
                folder_checks.check_variant(path, source, variant)
            priors = [_prior(prior, tried, variant) for prior in location.priors(path)] if deep else []
            there = tuple(prior for prior in priors if prior is not None)
            return Location(source, path, priors=there, variant=variant)
        if (theirs := released.find(path)) is not None:
            return Location(source, path, released=theirs)
        folder_checks.refuse_other(path, source)
        tried.append(places.no_folder(source, INDEX, released.lacking(path)))
        if places.looks_local(source):
            continue
        found = _cached(source, revision, tried, variant, deep=deep)
        if found is not None:
            return found
    return None


def _cached(source: str, revision: str | None, tried: list[str], variant: str | None, *, deep: bool) -> Location | None:
    """A pipeline of the hub that is wholly in the cache."""
    place = f"the Hugging Face cache at {hub.cache()}"
    index = hub.in_cache(source, INDEX, revision)
    if index is None:
        for name in contents.TELLING:
            if (other := hub.in_cache(source, name, revision)) is not None:
                folder_checks.refuse_other(other.parent, source)
        tried.append(f"{place} ({hub.not_there(source, revision)})")
        return None
    folder = index.parent
    trust.check(folder, source)
    found = location.contents_of(folder, variant)
    lacks = places.absent(found, folder)
    if lacks is None:
        if found.problems:
            folder_checks.refuse_class(folder, source)
        places.refuse(source, found, folder)
        if deep:
            folder_checks.check_variant(folder, source, variant)
    priors = [_prior(prior, tried, variant) for prior in location.priors(folder)] if deep else []
    if lacks is None and None not in priors:
        there = tuple(prior for prior in priors if prior is not None)
        return Location(source, folder, priors=there, variant=variant)
    tried.append(f"{place} (not whole: {lacks or 'the prior is not there'})")
    return None


def _prior(source: str, tried: list[str], variant: str | None) -> Path | None:
    found = _on_disk((source,), None, tried, variant, deep=False)  # a prior has none, and might name itself
    return None if found is None else found.path


def _on_hub(sources: Sequence[str], revision: str | None, tried: list[str]) -> Iterator[str]:
    """The sources that the hub has."""
    for source in sources:
        if places.looks_local(source):
            continue
        problem = hub.problem_of(source, INDEX, revision)
        if problem is None:
            yield source
        else:
            tried.append(f"the hub{places.among(source, sources)} ({problem})")


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
    folder_checks.check(folder, source, variant)
    folder_checks.check_variant(folder, source, variant)
    priors = []
    for prior in location.priors(folder):
        priors.append(_bring(prior, Path(hf_hub_download(prior, INDEX)), None, variant))
        folder_checks.check(priors[-1], prior, variant)
    return Location(source, folder, priors=tuple(priors), variant=variant)


def _bring(source: str, index: Path, revision: str | None, variant: str | None, **more: Any) -> Path:
    """Bring a repository's files into the cache, once it is known from their list that they can be loaded.

    Raises:
        OSError: they cannot be downloaded.
        ModelError: they cannot be loaded.
    """
    from diffusers import DiffusionPipeline
    from huggingface_hub import HfApi, snapshot_download

    more[SAFETY_CHECKER] = None
    try:
        listed = HfApi().model_info(source, revision=revision).siblings or []
        tree = contents.Listed([each.rfilename for each in listed])
        found = contents.pipeline(tree, variant, location.index(index.parent))
        places.refuse(source, found)
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
    except (OSError, SeedshiftError):
        raise
    except Exception as error:  # of what a repository says: any class there is
        raise places.DownloadError(places.first_line(error)) from error
