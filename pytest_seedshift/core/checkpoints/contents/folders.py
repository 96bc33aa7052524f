"""What a pipeline, one of its parts, a classifier and a CLIP model are loaded from, and what these lack.

The same rules see a folder, a copy in the Hugging Face cache and the list of files of a hub repository: see `trees`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.checkpoints.contents import networks, packages
from pytest_seedshift.core.checkpoints.contents.networks import SUFFIX, Problem, Weights
from pytest_seedshift.core.checkpoints.contents.trees import OnDisk, Tree

_WEIGHTLESS = ("Tokenizer", "Processor", "FeatureExtractor", "Scheduler")
"""What the names of classes have in them that have no weights, whatever else lies in their folders."""

_CONFIGURATIONS = ("config.json", "generation_config.json")
"""What a network is loaded from besides its weights."""

_LEVELS = 2
"""How deep in its folder lies what a processor reads: it has tokenizers, and these have templates."""

_TEXTS = (".bpe", ".gz", ".jinja", ".json", ".model", ".spm", ".tiktoken", ".txt", ".vocab")
"""The suffixes of what tokenizers and processors read."""

_NEVER_READ = re.compile(
    r"(readme|licen[cs]e|notice|requirements|trainer_state|training_args|trainer_log|log|train|(.*_)?results?)"
    r"([._-].*)?|.*[._-]log(\..*)?",
    re.IGNORECASE,
)
"""Names that trainings and people leave beside them."""

_OF_SCHEDULER = "scheduler_config.json"
_PREPARING = ("preprocessor_config.json", "processor_config.json")
_OF_CLASSIFIER = (*_CONFIGURATIONS, *_PREPARING)
_OF_CLIP = re.compile(r"[^/]+\.(json|txt|model|bpe|gz)")


@dataclass(frozen=True, slots=True)
class Contents:
    """What is loaded from a folder.

    Attributes:
        files: paths in it, with slashes.
        variants: of networks that are loaded from a variant of their weights, by part; of a single one by "".
        problems: what keeps it from being loaded, with the part that it is about.
    """

    files: tuple[str, ...]
    variants: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[tuple[str, Problem], ...] = ()


def classes(index: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """By name, library and class of the parts that a `model_index.json` names."""
    return {
        name: (value[0], value[1])
        for name, value in index.items()
        if not name.startswith("_")
        and isinstance(value, list)
        and len(value) == 2
        and all(isinstance(each, str) for each in value)
    }


def of(folder: Path, variant: str | None = None) -> Contents | None:
    """What a folder is loaded from, whichever it is of; None where it is of none that is known."""
    names = OnDisk(folder).files()
    if trust.INDEX in names and (OnDisk(folder).read(trust.INDEX) or {}).get("_class_name"):
        return pipeline(OnDisk(folder), variant)
    if trust.CLIP_CONFIG in names:
        return clip(OnDisk(folder))
    if "config.json" in names:
        return _network(OnDisk(folder), variant, "", "", _OF_CLASSIFIER)
    return None


# Pipelines --------------------------------------------------------------------------------------------------------


def pipeline(tree: Tree, variant: str | None = None, index: Mapping[str, Any] | None = None) -> Contents:
    """What a pipeline is loaded from: its index and its parts, without a safety checker.

    Args:
        tree: of its folder.
        variant: of the weights, which is taken where it is there; see `networks.choose`.
        index: its `model_index.json`, where the tree does not give it.
    """
    index = (tree.read(trust.INDEX) or {}) if index is None else index
    found: dict[str, None] = {trust.INDEX: None}
    variants: dict[str, str] = {}
    problems: list[tuple[str, Problem]] = []
    if not index.get("_class_name"):
        problems.append((trust.INDEX, Problem("names no class of diffusers")))
    adapters = tree.files().intersection(networks.ADAPTERS)
    if adapters:
        text = f"is the file of a LoRA or another adapter, beside a pipeline that is loaded without it. {_BESIDE}"
        problems.append((min(adapters), Problem(text)))
    problems += [(part, Problem(_NULL)) for part in _NEEDED if index.get(part) == [None, None]]
    for part, (library, kind) in classes(index).items():
        if part == trust.SAFETY_CHECKER:
            continue
        if part in tree.folders():
            folder = part
        elif "config.json" in tree.files():  # parts may lie in the folder itself
            folder = ""
        else:
            problems.append((part, Problem("is not there", absent=True)))
            continue
        contents = _part(tree, folder, library, kind, variant)
        found |= dict.fromkeys(f"{folder}/{name}" if folder else name for name in contents.files)
        for each in contents.variants.values():
            variants[part] = each
        problems += [(part, problem) for _, problem in contents.problems]
    return Contents(tuple(found), variants, tuple(problems))


_NEEDED = ("unet", "transformer", "scheduler", "text_encoder", "tokenizer")
"""Parts without which no pipeline that has them draws a picture of a text."""

_NULL = (
    f"is null in {trust.INDEX}: the pipeline was saved without it. Save it as a whole, loaded without "
    "arguments that leave parts out"
)

_BESIDE = (
    "To test the model with it, load it (load_lora_weights), merge it (fuse_lora), save the pipeline with "
    "save_pretrained, and give that folder. To test the model without it, move the file away"
)


def _part(tree: Tree, folder: str, library: str, kind: str, variant: str | None) -> Contents:
    names = tree.files(folder)
    if "Scheduler" in kind:
        return _with(names, (_OF_SCHEDULER,), _OF_SCHEDULER)
    if any(word in kind for word in _WEIGHTLESS):
        found = _texts(tree, folder)
        if not found:
            what = "tokenizer" if "Tokenizer" in kind else "processor"
            return Contents((), problems=(("", Problem(f"has none of a {what}'s files", absent=True)),))
        if "Tokenizer" in kind and (problem := _unspoken(found, library, kind)) is not None:
            return Contents(found, problems=(("", problem),))
        lacking = packages.for_tokenizer(found, library) if "Tokenizer" in kind or "Processor" in kind else None
        return Contents(found, problems=() if lacking is None else (("", Problem(lacking)),))
    others = [name for name in names if name.endswith("_config.json") and name not in _CONFIGURATIONS]
    if "config.json" not in names and others and not any(map(networks.is_weights, names)):
        return Contents(_texts(tree, folder))  # of diffusers' guiders, and whatever else has no weights
    return network(tree, variant, folder, library)


_WORDS = re.compile(r"tokenizer\.json|vocab.*|merges\.txt|tekken\.json|.*\.(model|spm|bpe|bpe\.gz|tiktoken|vocab)")
"""The files of which a tokenizer has its words."""

_PAIR = {"vocab.json", "merges.txt"}


def _unspoken(found: Collection[str], library: str, kind: str) -> Problem | None:
    """What a tokenizer of transformers lacks of its words, without which it reads prompts as nothing at all."""
    if library != "transformers" or "ByT5" in kind:  # whose words are bytes
        return None
    names = set(found)
    lacking = _PAIR - names
    if "tokenizer.json" not in names and len(lacking) == 1:
        return Problem(f"lacks {min(lacking)}, without which {min(_PAIR - lacking)} is of no use", absent=True)
    if not any(map(_WORDS.fullmatch, names)):
        return Problem("has no vocabulary (no tokenizer.json, vocab.json with merges.txt, or the like)", absent=True)
    return None


def _texts(tree: Tree, folder: str) -> tuple[str, ...]:
    return tuple(sorted(filter(_is_text, tree.files(folder, _LEVELS))))


def _is_text(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith(_TEXTS) and not _NEVER_READ.fullmatch(name) and not networks.is_weights(name)


def _with(names: Collection[str], listed: Collection[str], needed: str) -> Contents:
    """Files of a list, as far as they are there, one of which is needed."""
    found = tuple(name for name in listed if name in names)
    problems = () if needed in names else (("", Problem(f"lacks {needed}", absent=True)),)
    return Contents(found, problems=problems)


def variants(tree: Tree) -> list[str]:
    """All variants of which a pipeline's folder has weights."""
    names = {name.rpartition("/")[2] for name in tree.files("", levels=1)}
    return sorted({each for stem in networks.STEMS.values() for each in networks.variants(names, stem) if each})


# Networks ---------------------------------------------------------------------------------------------------------


def network(tree: Tree, variant: str | None = None, folder: str = "", library: str = "") -> Contents:
    """What a network is loaded from that lies in a folder, such as a part of a pipeline.

    Args:
        tree: of the folder.
        variant: see `pipeline`.
        folder: in the tree.
        library: that its class is of; empty, or another than diffusers and transformers, where its files are to say.
    """
    return _network(tree, variant, folder, library, _CONFIGURATIONS)


def classifier(tree: Tree) -> Contents:
    """What an image classifier of transformers is loaded from."""
    found = _network(tree, None, "", "transformers", _OF_CLASSIFIER)
    config = tree.read("config.json") or {}
    prepared = not {"pretrained_cfg", "image_processor_type", "feature_extractor_type"}.isdisjoint(config)
    if prepared or not config or not tree.files().isdisjoint(_PREPARING):
        return found
    lacks = Problem(f"lacks {_PREPARING[0]}, which says how pictures are prepared for it", absent=True)
    return Contents(found.files, found.variants, (*found.problems, ("", lacks)))


def reader(tree: Tree) -> Contents:
    """What a model of transformers is loaded from that reads texts beside pictures: CLIP, or one that answers."""
    found = _network(tree, None, "", "transformers", _OF_CLASSIFIER)
    names = tree.files()
    texts = tuple(name for name in sorted(names) if _is_text(name) and name not in found.files)
    problems = list(found.problems)
    if names.isdisjoint(_PREPARING):
        problems.append(
            ("", Problem(f"lacks {_PREPARING[0]}, which says how pictures are prepared for it", absent=True))
        )
    if (problem := _unspoken((*texts, *found.files), "transformers", "")) is not None:
        problems.append(("", problem))
    return Contents((*found.files, *texts), found.variants, tuple(problems))


def _network(tree: Tree, variant: str | None, folder: str, library: str, listed: Collection[str]) -> Contents:
    start = f"{folder}/" if folder else ""
    names = tree.files(folder)
    base = _with(names, listed, "config.json")
    config = tree.read(f"{start}config.json")
    library = library if library in networks.STEMS else _library(config or {}, names)

    def read(name: str) -> Mapping[str, Any]:
        return tree.read(start + name) or {}

    weights = networks.choose(
        names, library, None if config is None else read, wanted=variant, folders=tree.folders(folder)
    )
    weights = _named(config or {}, names, read) or weights
    problems = [*base.problems, *(("", each) for each in weights.problems)]
    if adapters := [name for name in names if name in networks.ADAPTERS and not weights.problems]:
        text = f"has the file of a LoRA or another adapter in it ({min(adapters)}). {_BESIDE}"
        problems.append(("", Problem(text)))
    if (lacking := packages.for_network(config or {})) is not None:
        problems.append(("", Problem(lacking)))
    variants = {} if weights.variant is None else {folder: weights.variant}
    return Contents((*base.files, *weights.files), variants, tuple(problems))


def _named(config: Mapping[str, Any], names: Collection[str], read: networks.Reader) -> Weights | None:
    """The weights where a configuration of transformers itself says in which file they are."""
    name = config.get("transformers_weights")
    if not isinstance(name, str) or not name.endswith((SUFFIX, f"{SUFFIX}.index.json")):
        return None
    if name not in names:
        return Weights(problems=(Problem(f"lacks {name}, which its config.json names", absent=True),))
    if name.endswith(SUFFIX):
        return Weights((name,))
    shards = read(name).get("weight_map")
    found = sorted({str(each) for each in shards.values()}) if isinstance(shards, dict) else []
    lacking = tuple(Problem(f"lacks {each}, which {name} names", absent=True) for each in found if each not in names)
    return Weights((name, *(each for each in found if each in names)), problems=lacking)


def _library(config: Mapping[str, Any], names: Collection[str]) -> str:
    if "_class_name" in config:
        return "diffusers"
    if "architectures" in config or "model_type" in config:
        return "transformers"
    of_transformers = any(name.startswith(f"{networks.STEMS['transformers']}.") for name in names)
    return "transformers" if of_transformers else "diffusers"


# CLIP -------------------------------------------------------------------------------------------------------------


def clip(tree: Tree) -> Contents:
    """What a model of open_clip is loaded from: its weights, and all texts, of which its tokenizer may read any."""
    names = tree.files()
    found = [name for name in sorted(names) if _OF_CLIP.fullmatch(name) and not _NEVER_READ.fullmatch(name)]
    found = [name for name in found if not networks.is_weights(name)]
    problems = [] if trust.CLIP_CONFIG in names else [("", Problem(f"lacks {trust.CLIP_CONFIG}", absent=True))]
    safe = sorted(name for name in names if name.endswith(SUFFIX))
    preferred = [name for name in (*trust.CLIP_WEIGHTS, f"model{SUFFIX}") if name in safe]
    if preferred or (safe and not any(name.endswith(f"{SUFFIX}.index.json") for name in names)):
        found.append((preferred or safe)[0])
    elif safe:
        problems.append(
            ("", Problem(f"its weights are in shards, which open_clip does not read: give {trust.CLIP_WEIGHTS[0]}"))
        )
    else:
        text = f"has no weights (no {trust.CLIP_WEIGHTS[0]})"
        problems.append(("", Problem(text, absent=True)))
    return Contents(tuple(found), problems=tuple(problems))


def paths(folder: Path, contents: Contents) -> Iterator[Path]:
    """The files themselves."""
    for name in contents.files:
        yield folder / name
