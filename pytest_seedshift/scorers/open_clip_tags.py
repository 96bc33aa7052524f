"""open_clip's own names for pretrained weights, such as `ViT-B-32/laion2b_s34b_b79k`."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pytest_seedshift.core import typed_values
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.messages import unknown

_SCHEMES = ("hf-hub:", "local-dir:")
"""open_clip's own prefixes of hub ids and folders; here they say nothing that the rest does not."""


def repository(source: str) -> str:
    """The folder or hub id of a CLIP model's weights.

    A source is a folder, a hub id, either with open_clip's prefix, or `ARCHITECTURE/TAG`. The last looks like a hub id:
    it is one unless its first half is an architecture of open_clip. To know that, open_clip is not imported: sources
    are looked at in every run, and it takes torch along. A folder of that name comes first.

    A tag stands for the hub repository that open_clip takes it from, whose configuration says all that the tag does
    (also which activation the weights were trained with, which the architecture's name leaves open).

    Raises:
        ModelError: open_clip has no such tag, or its weights are not on the hub.
    """
    for scheme in _SCHEMES:
        if source.startswith(scheme):
            return source.removeprefix(scheme)
    architecture, _, tag = source.partition("/")
    if not tag or architecture not in _architectures() or typed_values.expand(source).exists():
        return source
    import open_clip

    if not open_clip.is_pretrained_cfg(architecture, tag):
        known = open_clip.list_pretrained_tags_by_model(architecture)
        raise ModelError(f"{source}: {unknown(f'tag of the open_clip model {architecture}', tag, known)}")
    place: str = open_clip.get_pretrained_cfg(architecture, tag)["hf_hub"]
    if not place:
        raise ModelError(
            f"{source}: open_clip has these weights from elsewhere than the hub, and not as safetensors. Convert them "
            "and give the folder, or take another tag"
        )
    return place.rpartition("/")[0]  # after the last slash there may be the name of a file


@cache
def _architectures() -> frozenset[str]:
    spec = find_spec("open_clip")
    folders = (spec.submodule_search_locations if spec is not None else None) or ()
    return frozenset(file.stem for folder in folders for file in Path(folder).glob("model_configs/*.json"))
