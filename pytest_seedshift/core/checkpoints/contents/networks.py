"""The files that the weights of one network are loaded from, among the names that lie in its folder.

Both libraries load `NAME.safetensors`, or the shards that `NAME.safetensors.index.json` names; a variant, such as fp16,
stands before the suffix: `NAME.fp16.safetensors`, `NAME.safetensors.index.fp16.json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pytest_seedshift.core.checkpoints import trust

SUFFIX = ".safetensors"

STEMS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}
"""By library, the name of its files of weights."""

ADAPTERS = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors", "adapter_config.json")
"""Names that diffusers and peft give to an adapter's files, and to nothing else."""

ADAPTER_ADVICE = (
    "It holds only changes of another model's weights. Load them into that model, merge them (fuse_lora of diffusers, "
    "merge_and_unload of peft), save it with save_pretrained, and give that folder"
)

_OTHERS = {".gguf": "GGUF", ".onnx": "ONNX", ".msgpack": "Flax", ".h5": "TensorFlow", ".flashpack": "FlashPack"}
"""Suffixes of weights that are never loaded, and whose they are."""

_SHARD = re.compile(r"(?P<stem>.+?)-\d{5}-of-\d{5}(\.\w+)?")
"""A shard's name without its suffix; of old, a variant stood behind the number."""

Reader: TypeAlias = Callable[[str], "Mapping[str, Any]"]
"""Gives the contents of a JSON file of the folder."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps something from being loaded.

    Attributes:
        text: to be said after the name of the part.
        absent: whether it is that files are not there, so that another copy may have them.
    """

    text: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """What the weights of a network are loaded from.

    Attributes:
        files: names in its folder: one file, or an index and its shards.
        variant: that of the files; None where their names have none.
        problems: what is wrong; without any, `files` are all there.
    """

    files: tuple[str, ...] = ()
    variant: str | None = None
    problems: tuple[Problem, ...] = ()


def choose(
    names: Collection[str],
    library: str,
    read: Reader | None,
    *,
    wanted: str | None = None,
    folders: Collection[str] = (),
) -> Weights:
    """The files of a network's weights: those without a variant, else those of the only variant there is.

    Args:
        names: of the files in its folder.
        library: `diffusers` or `transformers`.
        read: gives an index; None where only names are known, as of a repository of the hub.
        wanted: a variant that is taken rather than files without, where it is there.
        folders: the names of the folders in the folder.
    """
    stem = STEMS[library]
    found = variants(names, stem)
    if None in found and wanted not in found:
        variant = None
    elif wanted in found:
        variant = wanted
    elif len(found) == 1:
        (variant,) = found
    elif found:
        kinds = ", ".join(sorted(filter(None, found)))
        return Weights(
            problems=(
                Problem(
                    f"it has no {stem}{SUFFIX}, but several variants ({kinds}): choose one by the key variant in the "
                    f'model\'s entry, such as variant = "{min(filter(None, found))}"'
                ),
            )
        )
    else:
        return Weights(problems=(_nothing(names, stem, folders),))
    index, single = _index(names, stem, variant), _file(stem, variant)
    first = (index, single) if library == "diffusers" else (single, index)
    name = next(each for each in first if each is not None and each in names)
    if name == single:
        return Weights((name,), variant)
    return _sharded(name, names, read, variant, sorted(each for each in found if each and each != variant))


def is_weights(name: str) -> bool:
    """Whether a file is of weights, or says in which files they are."""
    return name.endswith((SUFFIX, *trust.PICKLES, *_OTHERS)) or ".index." in name


def _file(stem: str, variant: str | None) -> str:
    return f"{stem}{SUFFIX}" if variant is None else f"{stem}.{variant}{SUFFIX}"


def _index(names: Collection[str], stem: str, variant: str | None) -> str | None:
    if variant is None:
        tried: tuple[str, ...] = (f"{stem}{SUFFIX}.index.json",)
    else:  # the second as older versions of diffusers have named it
        tried = f"{stem}{SUFFIX}.index.{variant}.json", f"{stem}{SUFFIX}.{variant}.index.json"
    return next((each for each in tried if each in names), None)


def variants(names: Collection[str], stem: str) -> set[str | None]:
    """The variants of which there are weights; None among them for those without."""
    name = re.escape(stem)
    forms = (
        re.compile(rf"{name}(?:\.(?P<variant>[^.]+))?\{SUFFIX}"),
        re.compile(rf"{name}\{SUFFIX}\.index(?:\.(?P<variant>[^.]+))?\.json"),
        *([re.compile(rf"{name}\{SUFFIX}\.(?P<variant>[^.]+)\.index\.json")] if stem == STEMS["diffusers"] else ()),
    )
    hits = (form.fullmatch(each) for each in names for form in forms)
    found = {hit["variant"] for hit in hits if hit is not None}
    return {each for each in found if each is None or not _SHARD.fullmatch(f"{stem}.{each}")}


def _sharded(
    index: str, names: Collection[str], read: Reader | None, variant: str | None, others: Collection[str]
) -> Weights:
    if read is None:  # all shards that may belong to it; the index itself will say which do
        return Weights((index, *sorted(_shards_by_name(index, names, variant))), variant)
    content = read(index)
    shards = content.get("weight_map")
    if isinstance(shards, dict) and not isinstance(content.get("metadata"), dict):
        text = f'{index} has no table "metadata", which the libraries read beside its weight_map: an empty one will do'
        return Weights((index,), variant, (Problem(text),))
    if not isinstance(shards, dict) or not shards:
        return Weights((index,), variant, (Problem(f"{index} names no files of weights in its weight_map"),))
    wanted = sorted({str(each) for each in shards.values()})
    lacking = [each for each in wanted if each not in names]
    more = f'. The variant {others[0]} is there: variant = "{others[0]}" chooses it' if others else ""  # type: ignore[index]
    problems = tuple(Problem(f"lacks {each}, which {index} names{more}", absent=True) for each in lacking)
    return Weights((index, *(each for each in wanted if each in names)), variant, problems)


def _shards_by_name(index: str, names: Collection[str], variant: str | None) -> Iterator[str]:
    stem = index.partition(SUFFIX)[0]
    starts = {stem} if variant is None else {stem, f"{stem}.{variant}"}
    for name in names:
        hit = _SHARD.fullmatch(name.removesuffix(SUFFIX)) if name.endswith(SUFFIX) else None
        if hit is not None and hit["stem"] in starts:
            yield name


def _nothing(names: Collection[str], stem: str, folders: Collection[str]) -> Problem:
    """Why there are no weights, by what lies there in their place."""
    expected = _file(stem, None)
    if expected in folders:
        return Problem(f"{expected} is a folder, and no file: lay the file itself there")
    if adapters := sorted(set(ADAPTERS).intersection(names)):
        return Problem(
            f"has no weights of its own, but those of a LoRA or another adapter ({adapters[0]}). {ADAPTER_ADVICE}"
        )
    safe = sorted(name for name in names if name.lower().endswith(SUFFIX))
    shards = [name for name in safe if _SHARD.fullmatch(name[: -len(SUFFIX)])]
    if shards:
        return Problem(
            f"has shards ({shards[0]}), but no {expected}.index.json, which says what is in which: get it again",
            absent=True,
        )
    if safe:
        return Problem(
            f"its weights lie under another name ({safe[0]}) than they are loaded from, {expected}: rename the file if "
            "it holds the weights of this part",
            absent=True,
        )
    pickles = sorted(name for name in names if name.endswith(trust.PICKLES))
    if pickles:
        return Problem(
            f"its weights are a pickle ({pickles[0]}), which could run any code and is never loaded. Save them as "
            "safetensors (save_pretrained does)",
            absent=True,
        )
    for name in sorted(names):
        for suffix, kind in _OTHERS.items():
            if name.lower().endswith(suffix):
                return Problem(
                    f"its weights are of {kind} ({name}); only {SUFFIX} is loaded: save them so", absent=True
                )
    return Problem(f"has no weights (no {SUFFIX} file)", absent=True)
