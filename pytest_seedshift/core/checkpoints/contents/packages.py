"""What has to be installed for a part to be loaded, as its files say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

_OF_QUANTISED = {
    "bitsandbytes": ("bitsandbytes", "accelerate"),
    "gguf": ("gguf",),
    "modelopt": ("nvidia-modelopt",),
    "quanto": ("optimum-quanto", "accelerate"),
    "sdnq": ("sdnq",),
    "torchao": ("torchao",),
}
"""By `quant_method`, the packages that diffusers and transformers want."""

_SENTENCEPIECE = ("sentencepiece", "protobuf")


def for_network(config: Mapping[str, Any]) -> str | None:
    """What a network lacks whose weights are quantised; None where it lacks nothing.

    Args:
        config: what its config.json holds.
    """
    for each in (config, *(value for value in config.values() if isinstance(value, dict))):  # one of a text model
        quantised = each.get("quantization_config")
        if isinstance(quantised, dict) and quantised:
            in_bits = quantised.get("load_in_4bit") is True or quantised.get("load_in_8bit") is True
            return _for_quantised("bitsandbytes" if in_bits else str(quantised.get("quant_method")))
    return None


def _for_quantised(method: str) -> str | None:
    lacking = [name for name in _OF_QUANTISED.get(method.lower(), ()) if not _is_installed(name)]
    if not lacking:
        return None
    return (
        f"its weights are quantised (quant_method {method}), for which {_listed(lacking)} to be installed: "
        f"pip install {' '.join(lacking)}. Or give the model with weights that are not quantised"
    )


def for_tokenizer(names: Collection[str], library: str) -> str | None:
    """What a tokenizer lacks that is a model of SentencePiece; None where it lacks nothing.

    Args:
        names: of the files in its folder.
        library: that its class is of.
    """
    model = next((name for name in sorted(names) if name.endswith((".model", ".spm"))), None)
    if model is None or "tokenizer.json" in names:
        return None
    # Of the two that are named, diffusers' own ChatGLM tokenizer needs only the first.
    needed = _SENTENCEPIECE if library == "transformers" else _SENTENCEPIECE[:1]
    if all(map(_is_installed, needed)):
        return None
    return (
        f"its tokenizer is a model of SentencePiece ({model}, and no tokenizer.json), for which sentencepiece and "
        "protobuf have to be installed: pip install sentencepiece protobuf"
    )


def _listed(names: Collection[str]) -> str:
    return f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'}"


@cache
def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
