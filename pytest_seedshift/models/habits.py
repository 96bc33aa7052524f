"""What pipelines of diffusers do unasked, or because a package happens to be installed: switched off, and said.

Two machines would else make other pictures of the same model, as one of them has a package that the other one lacks.
What an entry asks for in its `call` is done.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.errors import InvalidValueError

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

_IN_THE_MAKING = {trust.SAFETY_CHECKER: None, "requires_safety_checker": False, "add_watermarker": False}
"""What the class of a pipeline is given, where it takes it: nothing is blackened, and nothing drawn into pictures."""

_CLEANED = "clean_caption"
_CLEANING = ("bs4", "ftfy")
"""The packages without which diffusers does not clean prompts."""

_CLEANERS = {"IFPipeline", "PixArtAlphaPipeline", "PixArtSigmaPAGPipeline", "PixArtSigmaPipeline", "LuminaPipeline"}
"""The classes that clean prompts unless they are told not to. By name: to ask them, diffusers would be imported."""

_REWRITING = ("enable_prompt_rewrite", "prompt_upsampling", "use_pe")
"""Arguments by which a language model rewrites prompts, by sampling that no generator of a pair decides."""

_REWRITERS = {"ErnieImagePipeline": "use_pe", "LongCatImagePipeline": "enable_prompt_rewrite"}
"""The classes that rewrite prompts unless they are told not to."""

_WATERMARK = "imwatermark"
"""The package with which Stable Diffusion XL draws a watermark into its pictures."""


def making(kind: type[Any]) -> dict[str, Any]:
    """What the class of a pipeline is given when it is loaded."""
    takes = inspect.signature(kind.__init__).parameters
    return {name: value for name, value in _IN_THE_MAKING.items() if name in takes}


def call(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What every call of a pipeline is given besides what the entry gives it.

    Raises:
        InvalidValueError: the entry asks for something that diffusers leaves out here, since a package is missing.
    """
    takes = inspect.signature(kind.__call__).parameters
    if given.get(_CLEANED) is True and (lacking := [each for each in _CLEANING if find_spec(each) is None]):
        packages = " and ".join({"bs4": "beautifulsoup4"}.get(each, each) for each in lacking)
        raise InvalidValueError(
            f"call: {_CLEANED} = true: diffusers cleans prompts only where {packages} is installed: install it, or "
            f"leave {_CLEANED} out"
        )
    return {
        name: False
        for name in (_CLEANED, *_REWRITING)
        if name in takes and takes[name].default is True and name not in given
    }


def key(location: Location, entry: Entry) -> tuple[str, ...]:
    """What of this is a part of a model's fingerprint: what has been switched off that changed every picture."""
    name = _REWRITERS.get(_class_name(location))
    return () if name is None or name in dict(entry.call) else (f"{name} off",)


def notes(location: Location, entry: Entry) -> Iterator[str]:
    """What the user should know of what is switched off; nothing of what would not be done here."""
    name, given = _class_name(location), dict(entry.call)
    if trust.SAFETY_CHECKER in location.parts:
        yield (f"the safety checker of {entry.name} is off: images that it blackens would be scored as the model's own")
    if (rewriting := _REWRITERS.get(name)) is not None and rewriting not in given:
        yield (
            f"{entry.name}: rewriting of prompts is off, as its language model samples, so no picture could be made "
            f"again. Turn it on by call = {{ {rewriting} = true }}"
        )
    if find_spec(_WATERMARK) is not None and "add_watermarker" in _made_of(name):
        yield (
            f"the watermark that diffusers draws into pictures of {entry.name}, as {_WATERMARK} is installed here, is "
            "off: pictures would depend on that"
        )
    if name in _CLEANERS and _CLEANED not in given and all(find_spec(each) is not None for each in _CLEANING):
        yield (
            f"the cleaning of {entry.name}'s prompts, which diffusers does as {' and '.join(_CLEANING)} are "
            "installed here, is off: pictures would depend on that"
        )


def _class_name(location: Location) -> str:
    folder = location.path if location.path.is_dir() else location.config
    if folder is None or not (folder / trust.INDEX).is_file():
        return ""
    return str(files.read_json(folder / trust.INDEX, finite=False).get("_class_name"))


def _made_of(name: str) -> Mapping[str, inspect.Parameter]:
    import diffusers  # only where a package is installed that it acts on: a run whose samples exist need not

    kind = getattr(diffusers, name, None)
    return {} if kind is None else inspect.signature(kind.__init__).parameters
