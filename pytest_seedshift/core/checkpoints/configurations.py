"""What in a model's configurations would run code, or have a library take something from elsewhere than its folder.

The libraries act on keys at any depth of any of their JSON files; so the rules here are by key, whatever the file.
`trust` says of which files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeAlias

_NO_CODE = "Code of a folder or of the hub is never run"
_SHOWN = 60
"""Characters of a value in an error."""

QUANTISED_AS_DATA = ("bitsandbytes", "quanto", "sdnq", "torchao")
"""The `quant_method`s of which a folder has nothing but numbers; others fetch kernels, or unpickle their state."""

TOKENIZER_ARGUMENTS = ("additional_special_tokens", "clean", "language", "reduction_mask", "strip_sep_token")
"""What open_clip's tokenizers take that says how a text is prepared, and nothing else."""

_ATTENTION = ("eager", "flex_attention", "sdpa")
"""Of torch and transformers. Whatever else is named is a repository of the hub, or falls back to one."""

_FLASH = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}
"""By the name, the package: where that is not installed, transformers takes kernels of the hub in its place."""

_EXPERTS = ("batched_mm", "eager", "grouped_mm")

_LABELS = ("id2label", "label2id", "label_names", "label_descriptions", "added_tokens_decoder", "weight_map")
"""What lies in these has names of the user's or of weights, not keys."""

_NAMES = ("_name_or_path", "name_or_path", "chat_template", "content")
"""Texts that nothing is loaded from."""

_NEVER_OPENED = ("_ignore_files", "added_tokens_file", "special_tokens_map_file", "tokenizer_file")
"""Keys that old versions have written with paths of their authors; transformers sets its own in their place."""

_CLASS = re.compile(r"[^\W\d]\w*", re.ASCII)
_OF_A_CLASS = re.compile(
    r"(.*_)?(tokenizer|processor|extractor|model|config|auto)_class|(image_processor|feature_extractor)_type"
)
_AMOUNTS: tuple[tuple[re.Pattern[str], int, str], ...] = (
    (re.compile(r"(.*_)?(layers?|depths?|blocks)(_per_block)?"), 1000, "layers"),
    (re.compile(r"num_(labels|class(es)?)"), 1_000_000, "classes"),
    (re.compile(r"num_train_timesteps"), 1_000_000, "steps"),
    (re.compile(r"sample_size"), 2048, "numbers a side"),
)
"""By key, of what a network or a schedule is made in a loop or at once, whatever its weights are; how many at most."""

_CODE = re.compile(r"[\w.-]+/[\w.-]+--.+|(?!\w+://).*\.(py|pyc|pkl|pickle|joblib)", re.IGNORECASE | re.DOTALL)
"""How a text names a class in a repository, a module, or a pickle; an address of the web is a note of somebody's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong.

    Attributes:
        key: with those above it: `model_cfg.text_cfg.tokenizer_kwargs.trust_remote_code`.
        value: what stands there, in short.
        problem: what it would do, and what to do about it, as sentences that go on after the value.
    """

    key: str
    value: str
    problem: str

    def __str__(self) -> str:
        return f"{self.key} = {self.value}: {self.problem}"


Rule: TypeAlias = Callable[[Any], "str | None"]
"""Says what is wrong with the value of a key; None where nothing is."""


def find(
    document: Mapping[str, Any], *, vocabulary: bool = False, ported: bool = False, pipeline: bool = False
) -> Finding | None:
    """The first thing in a configuration that must not be loaded; None where it may be.

    Args:
        document: what a JSON file holds.
        vocabulary: whether it is a tokenizer's list of tokens, in which any word may be a key of a number.
        ported: whether its part is of a class that diffusers has written itself after code that once lay beside the
            weights, and that the configuration still names.
        pipeline: whether it is that of a pipeline, and not of a part.
    """
    for path, key, value in _walk(document, vocabulary=vocabulary):
        if vocabulary and type(value) in (int, float, type(None)):
            continue
        if ported and "auto_map" in path:
            continue
        if pipeline and path == ("_class_name",) and class_problem(value) is None:
            continue
        problem = _problem(path, key, value, vocabulary=vocabulary)
        if problem is not None:
            return Finding(_joined(path), shown(value), problem)
    return None


def _walk(document: Mapping[str, Any], *, vocabulary: bool) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    """Every value with its path and the key that it, or the list that it is in, stands under."""
    waiting: list[tuple[tuple[str | int, ...], str, Any]] = [((), "", document)]
    while waiting:
        path, key, value = waiting.pop()
        if path:
            yield path, key, value
        if isinstance(value, dict) and not (key in _LABELS and not vocabulary):
            waiting += [((*path, name), name, each) for name, each in reversed(value.items())]
        elif isinstance(value, list) and not vocabulary and key not in _LABELS:
            waiting += [((*path, index), key, each) for index, each in reversed(list(enumerate(value)))]


def _joined(path: tuple[str | int, ...]) -> str:
    text = ""
    for each in path:
        if isinstance(each, int):
            text += f"[{each}]"
        else:
            text += ("." if text else "") + (each if _CLASS.fullmatch(each) and len(each) <= _SHOWN else shown(each))
    return text


def shown(value: object) -> str:
    """A value as it stands in an error: in one line, in short."""
    text = _outline(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _outline(value: object, *, whole: bool = True) -> str:
    """What a value looks like: of lists and objects the beginning, and of those within them nothing."""
    if isinstance(value, dict):
        inside = (f"{_outline(key)}: {_outline(each, whole=False)}" for key, each in list(value.items())[:3])
        return f"{{{', '.join(inside)}}}" if whole else "{…}"
    if isinstance(value, list):
        return f"[{', '.join(_outline(each, whole=False) for each in value[:3])}]" if whole else "[…]"
    return repr(value[:_SHOWN] if isinstance(value, str) else value)


def _problem(path: tuple[str | int, ...], key: str, value: Any, *, vocabulary: bool) -> str | None:
    in_list = isinstance(path[-1], int)
    if not in_list and (rule := _rule(key, path)) is not None:
        return rule(value)
    if isinstance(value, str) and not vocabulary and key not in (*_NAMES, *_NEVER_OPENED) and _CODE.fullmatch(value):
        return f"names code, or a pickle, which can run code. {_NO_CODE}: remove the key"
    return None


def _rule(key: str, path: tuple[str | int, ...]) -> Rule | None:
    if len(path) > 1 and path[-2] == "tokenizer_kwargs":
        return partial(_tokenizer_argument, key)
    if key in _RULES:
        return _RULES[key]
    if "pretrained" in key:
        of_timm = "model_args" in path[:-1] or key.endswith("pretrained") or key.startswith("use_pretrained")
        return _elsewhere if of_timm else _pretrained
    if key.endswith(("_file", "_files")) and key not in _NEVER_OPENED:
        return _plain_names
    for pattern, most, what in _AMOUNTS:
        if pattern.fullmatch(key):
            return partial(_amount, most, what)
    return _class_name if _OF_A_CLASS.fullmatch(key) else None


# Rules ------------------------------------------------------------------------------------------------------------


def _is_empty(value: object) -> bool:
    return value is None or value in (False, "", [], {})


def _code(value: object) -> str | None:
    if _is_empty(value):
        return None
    return (
        f"asks for code that lies with the weights. {_NO_CODE}: remove the key where diffusers, transformers or "
        "open_clip has a class of its own for this model, or give a model that needs none"
    )


def _elsewhere(value: object) -> str | None:
    if _is_empty(value):
        return None
    return (
        "would have weights or settings loaded from elsewhere than this folder, as a pickle perhaps. All that is "
        "loaded has to lie in the folder: remove the key"
    )


def _pretrained(value: object) -> str | None:
    """Of keys such as `pretrained_model_name_or_path`; some are of numbers (`pretrained_window_sizes`)."""
    return _elsewhere(value) if value is True or isinstance(value, str) else None


def _repository(value: object) -> str | None:
    if _is_empty(value):
        return None
    return (
        "names another repository, from which a library would take a configuration, or code. All that is loaded has "
        "to lie in the folder: give a CLIP model whose text tower is open_clip's own"
    )


def _timm(value: object) -> str | None:
    if not isinstance(value, str) or is_plain(value):
        return None
    return "is not a name of one of timm's architectures, such as 'vit_base_patch16_224', but a place to load one from"


def _backbone(value: object) -> str | None:
    """Of a network inside the network: a text names one that is looked for at the hub, a table describes it."""
    return _elsewhere(value) if isinstance(value, str) else None


def _tokenizer_arguments(value: object) -> str | None:
    if value is None or isinstance(value, dict):
        return None
    return "is not a table of a tokenizer's arguments: remove the key"


def _tokenizer_argument(key: str, value: object) -> str | None:
    if key in TOKENIZER_ARGUMENTS:
        valid = isinstance(value, (str, bool, type(None))) or (
            isinstance(value, list) and all(isinstance(each, str) for each in value)
        )
        return None if valid else "is not text, no list of texts, and neither true nor false"
    return (
        "is not an argument that a folder may give a tokenizer, as others load code or files. Remove the key. Valid "
        f"are {', '.join(TOKENIZER_ARGUMENTS)}"
    )


def _inputs(value: object) -> str | None:
    if _is_empty(value):
        return None
    return "would be handed to the tokenizer in place of its own files. Remove the key"


def _implementation(known: tuple[str, ...], value: object) -> str | None:
    values = list(value.values()) if isinstance(value, dict) else [value]
    for each in values:
        if isinstance(each, dict) and (problem := _implementation(known, each)) is not None:
            return problem
        if each is None or isinstance(each, dict) or (isinstance(each, str) and each in known):
            continue
        package = _FLASH.get(each) if isinstance(each, str) and known is _ATTENTION else None
        if package is not None and find_spec(package) is not None:
            continue
        return (
            f"would have kernels of the hub fetched and run. {_NO_CODE}: remove the key, or give "
            f"{', '.join(known[:-1])} or {known[-1]}"
            + (f" (flash_attention_2 where the package {_FLASH['flash_attention_2']} is installed)" if package else "")
        )
    return None


def _kernels(value: object) -> str | None:
    return None if _is_empty(value) else f"would have kernels of the hub fetched and run. {_NO_CODE}: remove the key"


def _quantisation(value: object) -> str | None:
    if _is_empty(value):
        return None
    if not isinstance(value, dict):
        return "is not a table of a quantisation's settings. Remove the key, or give weights that are not quantised"
    if value.get("load_in_4bit") is True or value.get("load_in_8bit") is True:
        return None  # then it is bitsandbytes, whatever else it says
    if value.get("quant_method") in QUANTISED_AS_DATA:
        return None
    return (
        f"quant_method is {shown(value.get('quant_method'))}, which may fetch kernels or unpickle its state. "
        f"{_NO_CODE}: give weights that are not quantised, or by one of {', '.join(QUANTISED_AS_DATA)}"
    )


def _amount(most: int, what: str, value: object) -> str | None:
    """Of a number, or of numbers in lists."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, (int, float)) and each > most:
            return f"no model has more than {most:,} {what}, and that number would fill the memory or never end"
    return None


def _class_name(value: object) -> str | None:
    given = value if isinstance(value, list) else [value]
    if all(not isinstance(each, str) or not each or _CLASS.fullmatch(each) for each in given):
        return None
    return f"is not the name of a library's class, but of code of its own. {_NO_CODE}: give a model that needs none"


def class_problem(value: object) -> str | None:
    """What is wrong with a `_class_name`, where diffusers reads a list as a module in the folder and a class of it."""
    return _class_name(value if value is None or isinstance(value, str) else "a module in the folder")


def _class_of_a_part(value: object) -> str | None:
    if isinstance(value, str) and "pipeline" in value.lower():
        return "is a pipeline, and no part: what lies in it would be loaded unseen. Give a pipeline of single parts"
    return class_problem(value)


def _plain_names(value: object) -> str | None:
    given = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    for each in given:
        if each is None or isinstance(each, (bool, int, float)):
            continue
        if not isinstance(each, str) or not is_plain(each):
            return "leads out of the folder. All that is loaded has to lie in it: remove the key, or give a file's name"
        if _CODE.fullmatch(each):
            return f"names code, or a pickle, which can run code. {_NO_CODE}: remove the key"
    return None


def _weights(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and is_plain(value) and value.endswith((".safetensors", ".safetensors.index.json")):
        return None
    return "is not a safetensors file of the folder, and nothing else is ever loaded. Remove the key"


def is_plain(name: str) -> bool:
    """Whether a text is the name of a file in its folder, and no path."""
    return bool(name) and name not in (".", "..") and not any(sign in name for sign in "/\\:\0")


_RULES: dict[str, Rule] = {
    "auto_map": _code,
    "custom_generate": _code,
    "custom_pipeline": _code,
    "trust_remote_code": _code,
    "audio_tokenizer": _elsewhere,
    "audio_tokenizer_name_or_path": _elsewhere,
    "base_model_name_or_path": _elsewhere,
    "checkpoint_path": _elsewhere,
    "ckpt_path": _elsewhere,
    "repo_or_path": _elsewhere,
    "repo_path": _elsewhere,
    "hf_model_name": _repository,
    "architecture": _timm,
    "timm_model_name": _timm,
    "backbone": _backbone,
    "init_inputs": _inputs,
    "tokenizer_kwargs": _tokenizer_arguments,
    "attn_implementation": partial(_implementation, _ATTENTION),
    "_attn_implementation": partial(_implementation, _ATTENTION),
    "_attn_implementation_internal": partial(_implementation, _ATTENTION),
    "experts_implementation": partial(_implementation, _EXPERTS),
    "_experts_implementation": partial(_implementation, _EXPERTS),
    "_experts_implementation_internal": partial(_implementation, _EXPERTS),
    "kernel_config": _kernels,
    "use_kernels": _kernels,
    "quantization_config": _quantisation,
    "compression_config": _quantisation,
    "_class_name": _class_of_a_part,
    "transformers_weights": _weights,
}
"""By key. A key of which the ending alone tells has its rule in `_rule`."""
