"""What a folder, or a repository, is that is no pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.checkpoints.contents import networks

if TYPE_CHECKING:
    from pytest_seedshift.core.checkpoints.contents.trees import Tree

MODULAR = "modular_model_index.json"


TELLING = (MODULAR, *networks.ADAPTERS)
"""The files by which a folder is known."""


def instead(tree: Tree) -> str | None:
    """What lies in place of a pipeline where there is no `model_index.json`: to be said after its name.

    None where that is not known.
    """
    names = tree.files("", levels=1)
    here = tree.files()
    if trust.INDEX in here:
        return None
    if MODULAR in here:
        return (
            f"is a modular pipeline of diffusers ({MODULAR}), which is not read: its blocks decide what is run, and "
            f"its parts may lie in other repositories. Give a pipeline that has a {trust.INDEX}, such as the "
            f"repository that {MODULAR} names for its parts"
        )
    if adapters := sorted(set(networks.ADAPTERS) & here):
        return f"is a LoRA or another adapter ({adapters[0]}), and no model. {networks.ADAPTER_ADVICE}"
    if onnx := sorted(name for name in names if name.endswith(".onnx")):
        return f"is a model of ONNX ({onnx[0]}), and nothing but safetensors is loaded: give the model it was made from"
    if gguf := sorted(name for name in here if name.endswith(".gguf")):
        return (
            f"has weights of GGUF ({gguf[0]}), and nothing but safetensors is loaded: give the model it was made from"
        )
    return None


_BELOW, _SHOWN = 2, 4
"""How deep models are looked for, as in a repository's folder in the cache; how many are named."""


def hint(tree: Tree) -> str:
    """What may help where there is no `model_index.json`: to be said after that; empty where nothing does."""
    here = tree.files()
    below = sorted(
        name.rpartition("/")[0] for name in tree.files("", levels=_BELOW) if name.endswith(f"/{trust.INDEX}")
    )
    if below:
        more = ", …" if len(below) > _SHOWN else ""
        return f", but in {', '.join(below[:_SHOWN])}{more} below it: give that folder"
    config = tree.read("config.json") or {}
    kind = config.get("_class_name") or next(iter(config.get("architectures") or []), None)
    if isinstance(kind, str) and kind.isidentifier():
        return (
            f", but the config.json of {kind}: it is one network, and no pipeline. Give the folder of the pipeline, or "
            "this one under parts in the entry of another"
        )
    safe = sorted(name for name in here if name.endswith(networks.SUFFIX))
    if len(safe) == 1:
        return f", but {safe[0]}: if the whole pipeline is in that file, give its path"
    return ""
