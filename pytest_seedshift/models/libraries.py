"""Libraries that take part in making a model's pictures only where its files ask for them: quantisation, attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

_QUANTISED_BY = {"bitsandbytes": "bitsandbytes", "quanto": "optimum-quanto", "sdnq": "sdnq", "torchao": "torchao"}
"""By the `quant_method` of a part, the package that computes with such weights."""

_ATTENTION_BY = {"flash_attention_2": "flash-attn", "flash_attention_3": "flash-attn-3"}
"""By the attention that the configuration of a part names, the package that computes it."""

_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation")


def taking_part(location: Location, entry: Entry) -> tuple[str, ...]:
    """The libraries, with their versions, that the parts of a model name; none of a model whose parts name none.

    That one which is not installed has no version is not judged here.
    """
    found = {package for folder in _folders(location, entry) for package in _of_part(folder)}
    return tuple(f"{package} {version_of(package)}" for package in sorted(found))


def _folders(location: Location, entry: Entry) -> Iterator[Path]:
    """The folders of parts: an entry's own in place of the pipeline's."""
    replaced = dict(entry.parts)
    yield from map(Path, replaced.values())
    for folder in (location.path if location.path.is_dir() else location.config, *location.priors):
        if folder is not None:
            yield from (
                each.parent for each in sorted(folder.glob("*/config.json")) if each.parent.name not in replaced
            )


def _of_part(folder: Path) -> Iterator[str]:
    path = folder / "config.json"
    config: Any = files.read_json(path, finite=False) if path.is_file() else {}
    if not isinstance(config, Mapping):
        return
    for each in (config, *(value for value in config.values() if isinstance(value, Mapping))):  # one of a text model
        how = each.get("quantization_config")
        if isinstance(how, Mapping) and how:
            in_bits = how.get("load_in_4bit") is True or how.get("load_in_8bit") is True
            method = "bitsandbytes" if in_bits else how.get("quant_method")
            if method in _QUANTISED_BY:
                yield _QUANTISED_BY[method]
        for name in _ATTENTION_KEYS:
            if isinstance(each.get(name), str) and each[name] in _ATTENTION_BY:
                yield _ATTENTION_BY[each[name]]


def version_of(package: str) -> str:
    """A package's version, or that it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
