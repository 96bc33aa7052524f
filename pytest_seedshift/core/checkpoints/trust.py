"""What of a model's folder may be loaded: decided here, by its files alone, before any library sees it.

A folder of weights is data. It may hold safetensors, configurations, and tokenizers' files that are data too; what
would run code (modules, pickles, kernels) or have something loaded from elsewhere is refused, whatever the library
would do with it. `models.locate` and `checkpoints.repository` give no folder out that has not passed here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import configurations
from pytest_seedshift.core.errors import ModelError

INDEX = "model_index.json"
"""What makes a folder a pipeline of diffusers: it names the class and the parts."""

CLIP_CONFIG = "open_clip_config.json"

CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")
"""What open_clip takes rather than any other file."""

SAFETY_CHECKER = "safety_checker"
"""The part of a pipeline that is never loaded: it blackens images, which would be scored as what the model drew."""

OWN_PARTS = tuple(f"pytest_seedshift.models.glide.{module}" for module in ("schedulers", "text", "tokenizer"))
"""The modules of this package that parts are of."""

PICKLES = (".ckpt", ".bin", ".pt", ".pth", ".pkl")

_CODE = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib")
_PICKLED_DATA = (".pkl", ".pickle", ".joblib", ".dill")

_SHARDS = re.compile(r".*\.safetensors(\.\w+)?\.index(\..+)?\.json")
_DISTRIBUTED = re.compile(r"\.metadata|shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors")
_VOCABULARY = re.compile(r"(.*tokenizer(\..+)?|vocab.*|added_tokens|tekken)\.json")
_CONFIGURATION = re.compile(
    r"((modular_)?model_index|modular_config|quanti[sz]\w*_config|chat_template|special_tokens_map|"
    r"((open_clip|scheduler|tokenizer|pre_?processor|processor|video_preprocessor|feature_extractor|generation|adapter)_)?"
    r"config(\..+)?|.*\.index(\..+)?)\.json"
)
"""With `_VOCABULARY`, the names that a loader makes up or takes from a configuration. Other JSON may lie beside."""

_LEVELS = 2
"""How deep in a part's folder lies what a loader reads: a processor has tokenizers, and these have templates."""

_LARGEST_VOCABULARY = 8_000_000
"""Bytes. Larger lists of tokens are not looked through: nothing in them is acted upon."""

_TEXTS = (".bpe", ".jinja", ".json", ".model", ".txt", ".vocab")
_LARGEST_TEXT = 128_000_000
"""Bytes, of a tokenizer's files; of others `files` has a limit."""

_TOKENIZER_FILES = re.compile(
    r"tokenizer.*\.json|vocab.*|merges\.txt|.*\.model|tekken\.json|.*\.bpe(\.gz)?", re.IGNORECASE
)


class UntrustedError(ModelError):
    """Something that must not be loaded; the message says where it stands, what it would do, and what to do."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder that a loader reads: that of a model, or of a part of it.

    Attributes:
        path: of it.
        part: the name of the part; empty for the model's own folder.
        ported: whether the part is of a class that diffusers has written after code of the model's authors.
    """

    path: Path
    part: str = ""
    ported: bool = False


def check(folder: Path, source: str) -> None:
    """Make sure that nothing in a folder runs code, or has anything loaded from elsewhere, when it is loaded.

    What is missing in it is not looked for.

    Args:
        folder: of a pipeline, of a part of one, of an image classifier, or of a CLIP model.
        source: what the user has named, for the error.

    Raises:
        UntrustedError: something does, or a configuration cannot be read, so that it is not known.
    """
    try:
        places = (_Place(folder), *(_parts(folder, source) if os.path.lexists(folder / INDEX) else ()))
        found = tuple((place, tuple(_files(place.path, _LEVELS if place.part else 0))) for place in places)
        _check(folder, source, found, tuple(_state(path) for _, paths in found for path in paths))
    except files.FileError as error:
        raise UntrustedError(f"{source}: {_relative(error.path, folder)}: {error.reason}") from None
    except OSError as error:
        raise UntrustedError(f"{source}: cannot be read: {error.strerror} ({error.filename})") from None


def check_index(path: Path, source: str) -> None:
    """Make sure, by its `model_index.json` alone, that a pipeline may be downloaded; see `check`."""
    try:
        for _ in _parts(path.parent, source):
            pass
    except files.FileError as error:
        raise UntrustedError(f"{source}: {path.name}: {error.reason}") from None


@lru_cache(maxsize=64)
def _check(
    folder: Path, source: str, found: tuple[tuple[_Place, tuple[Path, ...]], ...], _: tuple[object, ...]
) -> None:
    """Check all files; once, as long as none changes."""
    each = [(path, place) for place, paths in found for path in paths]
    for path, place in sorted(each, key=lambda it: not it[0].name.endswith(".json")):  # what names code is said first
        _check_file(path, source, folder, place)
    names = {path.name for path in found[0][1]}
    if CLIP_CONFIG in names:
        _check_clip(folder, names, source)
    elif "config.json" in names and INDEX not in names:
        _check_weights(folder, names, source)


def _state(path: Path) -> tuple[object, ...]:
    """What changes when a file does."""
    try:
        about = path.stat()
    except FileNotFoundError:  # a link that leads nowhere
        return ()
    return about.st_mtime_ns, about.st_size, about.st_mode, about.st_ino


def _files(folder: Path, levels: int) -> Iterator[Path]:
    """The files in a folder, and in those so many levels within it; hidden ones are notes of downloads.

    A folder that has the name of a configuration or of weights counts as a file, as a loader would open it.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") and path.name != ".metadata":
            continue
        if path.name.endswith((".json", ".safetensors")) or not path.is_dir():
            yield path
        elif levels:  # a loader follows a link to a folder as well
            yield from _files(path, levels - 1)


# Parts of a pipeline ----------------------------------------------------------------------------------------------


def _parts(folder: Path, source: str) -> list[_Place]:
    """The folders of a pipeline's parts, of which none is of a class that may not be loaded."""
    index = _read(folder / INDEX)
    problem = configurations.class_problem(index.get("_class_name"))
    if problem is not None:
        raise UntrustedError(
            f"{source}: {INDEX}: _class_name = {configurations.shown(index['_class_name'])}: {problem}"
        )
    found = []
    for name, value in index.items():
        if not name.startswith("_") and _is_misshapen(value, folder / name):
            where = f"{source}: {INDEX}: {configurations.shown(name)[1:-1]} = {configurations.shown(value)}"
            raise UntrustedError(f"{where}: a part is described by the names of a library and of a class in a list")
    for part, library, kind in _classes(index):
        if part == SAFETY_CHECKER:  # of whatever it is, it is handed over as None
            continue
        problem = _of_class(folder, part, library, kind)
        if problem is not None:
            where = f"{source}: {INDEX}: {configurations.shown(part)[1:-1]} = {configurations.shown([library, kind])}"
            raise UntrustedError(f"{where}: {problem}")
        if (folder / part).is_dir():
            found.append(_Place(folder / part, part, ported=_is_module_of_diffusers(library)))
    return found


def _classes(index: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, library and class of each part."""
    for name, value in index.items():
        if not name.startswith("_") and isinstance(value, list) and len(value) == 2:
            library, kind = value
            if isinstance(library, str) and isinstance(kind, str):
                yield name, library, kind


def _is_misshapen(value: object, folder: Path) -> bool:
    """Whether what describes a part is no list of a library and a class, which diffusers would take apart all the same.

    A pipeline's settings stand beside its parts, and have no folder.
    """
    if isinstance(value, list) and len(value) == 2:
        texts = [isinstance(each, str) for each in value]
        return any(texts) and not all(texts)
    return os.path.isdir(folder)  # noqa: PTH112 - not an error where a name is too long, or has a NUL


def _of_class(folder: Path, part: str, library: str, kind: str) -> str | None:
    """What is wrong with the class that a part is of."""
    if not configurations.is_plain(part):
        return "a part's folder lies in that of the pipeline, under a plain name"
    if configurations.is_plain(library) and os.path.lexists(folder / part / f"{library}.py"):
        return f"is code of its own ({part}/{library}.py), which is never loaded: give a pipeline that needs none"
    if not (library in ("diffusers", "transformers", *OWN_PARTS) or _is_module_of_diffusers(library)):
        return f"{library!r} is not a library that pipelines are of, and none is imported because a folder names it"
    if not kind.isidentifier():
        return "is not the name of a class"
    if "pipeline" in kind.lower():
        return "is a pipeline, and no part: what lies in it would be loaded unseen. Give a pipeline of single parts"
    if kind.startswith(("Onnx", "Flax", "FlashPack")):
        return "is loaded from other files than safetensors, and nothing else is ever loaded"
    return None


@cache
def _is_module_of_diffusers(library: str) -> bool:
    """Whether diffusers has a pipeline's package of that name, which parts of its own are of, such as `kolors`."""
    spec = find_spec("diffusers") if library.isidentifier() else None
    roots = (spec.submodule_search_locations if spec is not None else None) or ()
    return any((Path(root) / "pipelines" / sub / library).is_dir() for root in roots for sub in ("", "deprecated"))


# The files of a folder --------------------------------------------------------------------------------------------


def _check_file(path: Path, source: str, folder: Path, place: _Place) -> None:
    name = path.name.lower()
    problem = None
    if name.endswith(_CODE) and not place.ported:
        problem = "is code beside the weights, which is never run. Remove it, or move it out of the folder"
    elif name.endswith(_PICKLED_DATA):
        problem = "is a pickle, which could run any code when it is loaded. Remove it, or move it out of the folder"
    elif name == INDEX and place.part:
        problem = "makes of the part a pipeline, and what lies in one would be loaded unseen. Remove it"
    elif name == "adapter_config.json":
        problem = (
            "makes of the folder an adapter, as peft writes it, whose weights would be loaded into another model, "
            "which it names. Merge it into its model (merge_and_unload does), and give that"
        )
    elif _DISTRIBUTED.fullmatch(name):
        problem = "is of a distributed checkpoint. Save the weights as safetensors (save_pretrained does)"
    if problem is not None:
        raise UntrustedError(f"{source}: {_relative(path, folder)}: {problem}")
    if not path.exists():
        return
    if not _is_configuration(name, place):
        if name.endswith(".safetensors") or not path.is_dir():
            files.check_ordinary(path)
            _check_size(path, name)
        return
    files.check_ordinary(path)
    _check_size(path, name)
    vocabulary = _VOCABULARY.fullmatch(name) is not None
    if vocabulary and path.stat().st_size > _LARGEST_VOCABULARY:
        return
    content = _read(path)
    if _SHARDS.fullmatch(name):
        _check_shards(path, content, source, folder)
    finding = configurations.find(content, vocabulary=vocabulary, ported=place.ported, pipeline=name == INDEX)
    if finding is not None:
        raise UntrustedError(f"{source}: {_relative(path, folder)}: {finding}")


def _check_size(path: Path, name: str) -> None:
    """Make sure that a text, which a tokenizer reads as a whole, is not larger than any is."""
    if name.endswith(_TEXTS) and path.stat().st_size > _LARGEST_TEXT:
        raise files.FileError(path, f"larger than {_LARGEST_TEXT / 1e6:g} MB, which is more than such a file has")


def _is_configuration(name: str, place: _Place) -> bool:
    """Whether a loader reads a file as JSON: in a part's folder any, in the model's own those whose name it knows."""
    if place.part:
        return name.endswith(".json")
    return _CONFIGURATION.fullmatch(name) is not None or _VOCABULARY.fullmatch(name) is not None


def _read(path: Path) -> dict[str, Any]:
    """A configuration.

    Raises:
        FileError: it cannot be read, or is none.
    """
    content = files.read_json(path, finite=False)  # a tokenizer's longest text is 10³⁰ tokens, and more than 64 bits
    if not isinstance(content, dict):
        raise files.FileError(path, "no JSON object, as a configuration is")
    return content


def _check_shards(path: Path, index: Mapping[str, Any], source: str, folder: Path) -> None:
    where = f"{source}: {_relative(path, folder)}: weight_map"
    shards = index.get("weight_map")
    if not isinstance(shards, dict):
        raise UntrustedError(
            f"{where} = {configurations.shown(shards)}: is not a table of the files that weights are in"
        )
    for weight, shard in shards.items():
        here = f"{where}.{configurations.shown(weight)[1:-1]} = {configurations.shown(shard)}"
        if not (isinstance(shard, str) and configurations.is_plain(shard) and shard.endswith(".safetensors")):
            raise UntrustedError(
                f"{here}: is not a safetensors file of this folder, and nothing else is ever loaded. Save the weights "
                "as safetensors (save_pretrained does)"
            )
        if not _lies_in(path.with_name(shard), folder):
            raise UntrustedError(f"{here}: is a link out of the folder. Lay the file itself there")


def _lies_in(path: Path, folder: Path) -> bool:
    """Whether a link, if it is one, stays in the folder; those of the Hugging Face cache lead to its blobs."""
    if not path.is_symlink():
        return True
    root, target = folder.resolve(), path.resolve()
    blobs = root.parent.parent / "blobs"
    return target.is_relative_to(root) or (root.parent.name == "snapshots" and target.is_relative_to(blobs))


def _check_clip(folder: Path, names: Collection[str], source: str) -> None:
    """Make sure that open_clip finds safetensors and a tokenizer in a folder, and would not rather take others."""
    content = _read(folder / CLIP_CONFIG).get("model_cfg")
    text = content.get("text_cfg") if isinstance(content, dict) else None
    tokenizer = text.get("hf_tokenizer_name") if isinstance(text, dict) else None
    if tokenizer and not any(map(_TOKENIZER_FILES.fullmatch, names)):
        raise UntrustedError(
            f"{source}: {CLIP_CONFIG}: model_cfg.text_cfg.hf_tokenizer_name = {configurations.shown(tokenizer)}: the "
            "folder has no tokenizer, and none is taken from elsewhere. Lay tokenizer.json and tokenizer_config.json "
            "in it"
        )
    pickles = sorted(name for name in names if name.endswith((".bin", ".pt", ".pth")))
    if pickles and not any(name in names for name in CLIP_WEIGHTS):
        raise UntrustedError(
            f"{source}: there is no {CLIP_WEIGHTS[0]} in {folder}, only {', '.join(pickles)}, which can run code when "
            "it is loaded. Convert the weights with safetensors.torch.save_file, or take a repository that has them"
        )


def _check_weights(folder: Path, names: Collection[str], source: str) -> None:
    """Make sure that the weights of a network that lies alone in its folder are not a pickle."""
    pickles = sorted(name for name in names if name.endswith(PICKLES))
    if pickles and not any(name.endswith(".safetensors") for name in names):
        raise UntrustedError(
            f"{source}: {pickles[0]}: its weights are a pickle, which could run any code and is never loaded. Save "
            "them as safetensors (save_pretrained does)"
        )


def _relative(path: Path, folder: Path) -> str:
    """A file's place in the folder, in one line."""
    text = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
    return text if text.isprintable() else repr(text)
