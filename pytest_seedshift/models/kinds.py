"""What a pipeline makes, and of what, by its class alone: before any of its weights is fetched or loaded.

Of a class of diffusers its call shows: the fields of what it returns are what it makes, its arguments what it needs.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pytest_seedshift.core import files
from pytest_seedshift.core.errors import ModelError

DECODERS = ("KandinskyPipeline", "KandinskyV22Pipeline", "StableCascadeDecoderPipeline", "WuerstchenDecoderPipeline")
"""Halves of a model that is whole only with a prior, which diffusers loads along with them."""

_ADVICE = "give a text-to-image pipeline"

_PICTURES = {"image", "images", "rgb"}
_MADE = {
    "frames": "videos",
    "video": "videos",
    "audios": "sound",
    "audio": "sound",
    "sound": "sound",
    "texts": "texts",
    "text": "texts",
    "sequences": "texts",
    "depth": "depths",
    "normals": "normals",
    "prediction": "measurements of pictures",
}
"""By a field of what a call returns, what it is; of pipelines that return no pictures."""

_MAKES = {
    "num_frames": "videos",
    "video_length": "videos",
    "frames": "videos",
    "audio_length_in_s": "sound",
    "audio_end_in_s": "sound",
    "frame_size": "views of 3-D shapes",
}
"""By an argument of a call, what it makes, though it may call that pictures."""

_WANTS = {
    "image": "an image",
    "images": "images",
    "control_image": "an image",
    "mask_image": "an image",
    "video": "a video",
    "gligen_boxes": "boxes with phrases",
    "source_embeds": "embeddings of what is to be changed",
}
"""By an argument of a call, what it cannot do without though it has a default; but for `_plain` classes."""

# Those that are known to make pictures of a text alone. Their classes need no look, which would import diffusers.
_KNOWN = frozenset(
    f"{name}Pipeline"
    for name in (
        *("AuraFlow", "Chroma", "CogView3Plus", "CogView4", "ErnieImage", "Flux", "Flux2", "Flux2Klein", "FluxKontext"),
        *("Glide", "GlmImage", "HunyuanDiT", "HunyuanImage", "IF", "Ideogram4", "Kandinsky3", "Kandinsky5T2I"),
        *("KandinskyCombined", "KandinskyV22Combined", "Krea2", "LDMTextToImage", "LatentConsistencyModel"),
        *("LongCatImage", "Lumina", "Lumina2", "NucleusMoEImage", "OmniGen", "OvisImage", "PRX", "PRXPixel"),
        *("PixArtAlpha", "PixArtSigma", "QwenImage", "QwenImage21", "Sana", "SanaSprint", "StableCascadeCombined"),
        *("StableDiffusion", "StableDiffusion3", "StableDiffusionXL", "StableUnCLIP", "WuerstchenCombined", "ZImage"),
    )
) | {*DECODERS}


class KindError(ModelError):
    """A pipeline makes no pictures, or not of a text alone; the message says what it makes, or what it wants."""


def check_index(index: Path, source: str) -> None:
    """Make sure, by its `model_index.json`, that a pipeline makes pictures of a text alone.

    One that cannot be read, names no class, or one that this diffusers does not have, is left to others.

    Raises:
        KindError: it does not.
    """
    try:
        content = files.read_json(index, finite=False)
    except files.FileError:
        return
    name = content.get("_class_name") if isinstance(content, Mapping) else None
    if not isinstance(name, str) or name in _KNOWN:
        return
    import diffusers

    kind = getattr(diffusers, name, None)
    if isinstance(kind, type) and not hasattr(kind, "_backends"):
        check(kind, source)


def check(kind: type[Any], source: str) -> None:
    """Make sure that a class of diffusers makes pictures of a text alone.

    Raises:
        KindError: it does not.
    """
    name = kind.__name__
    if name in DECODERS:
        return
    what = f"{source} is a {name}, which"
    if name.endswith("ModularPipeline"):
        raise KindError(f"{source} is a modular pipeline of diffusers ({name}), which is not read: {_ADVICE}")
    takes = inspect.signature(kind.__call__).parameters
    for argument, made in _MAKES.items():
        if argument in takes:
            raise KindError(f"{what} makes {made}: {_ADVICE}")
    if "Prior" in name:
        raise KindError(f"{what} makes no images: give the decoder, whose README.md names its prior")
    fields = _returned(kind)
    if fields and not fields & _PICTURES:
        made = next((words for field, words in _MADE.items() if field in fields), f"no images ({_listed(fields)})")
        raise KindError(f"{what} makes {made}: {_ADVICE}")
    wanted = "" if _plain(kind) else next((words for argument, words in _WANTS.items() if argument in takes), "")
    if "prompt" not in takes:
        raise KindError(f"{what} {f'wants {wanted} and ' if wanted else ''}takes no prompt: {_ADVICE}")
    if wanted:
        raise KindError(f"{what} wants {wanted} besides the prompt: {_ADVICE}")
    needed = [argument for argument, parameter in takes.items() if _is_needed(argument, parameter)]
    if needed:
        wanted = "an image" if any("image" in argument for argument in needed) else "more"
        raise KindError(f"{what} wants {wanted} besides the prompt ({', '.join(needed)}): {_ADVICE}")
    from pytest_seedshift.models import seed_vector  # torch, which is there with the class

    if not seed_vector.is_drawn(kind):
        raise KindError(f"{what} draws no noise that could be shifted: {_ADVICE} that begins with Gaussian noise")


def _is_needed(name: str, parameter: inspect.Parameter) -> bool:
    if name in ("self", "prompt") or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    return parameter.default is parameter.empty


def _plain(kind: type[Any]) -> bool:
    """Whether diffusers itself says that the class is for a text alone: what else it takes may be left out."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING as PLAIN

    return kind in PLAIN.values() and "Control" not in kind.__name__


def _returned(kind: type[Any]) -> set[str]:
    """The fields of what a pipeline's call returns; none where its source does not show them."""
    call = inspect.unwrap(kind.__call__)
    try:
        names = re.findall(r"\b(\w+Output)\(", inspect.getsource(call))
    except (OSError, TypeError):
        return set()
    outputs = [call.__globals__.get(name) for name in names]
    return {field.name for each in outputs if dataclasses.is_dataclass(each) for field in dataclasses.fields(each)}


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:4]) + (", …" if len(shown) > 4 else "")
