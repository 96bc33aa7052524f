"""Parts that take the place of a pipeline's own: a fine-tuned UNet need not come with all that it shares.

A part is a folder as diffusers writes it: a configuration and safetensors.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.checkpoints import contents, hashing, places, trust
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.messages import unknown

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

_LIBRARIES = ("diffusers", "transformers")


def check(entry: Entry) -> None:
    """Make sure that an entry's parts are there, and are what may be loaded.

    Raises:
        WeightsNotFoundError: one is not there.
        ModelError: one has pickles in place of safetensors, or something else that must not be loaded.
    """
    for name, folder in entry.parts:
        where, path = f"{entry.name}: parts: {name}", Path(folder)
        if not (path / "config.json").is_file():
            raise places.WeightsNotFoundError(
                f"{where}: {folder} {'has no config.json' if path.is_dir() else 'is no folder'}: give the folder of a "
                "part, as save_pretrained writes it"
            )
        trust.check(path, f"{where}: {folder}")
        for _, problem in contents.network(contents.OnDisk(path), entry.variant).problems:
            raise ModelError(f"{where}: {folder}: {problem.text}")


def fingerprints(entry: Entry) -> tuple[tuple[str, str], ...]:
    """By name, what the files of each part hash to."""
    return tuple((name, hashing.fingerprint(Path(folder), variant=entry.variant)) for name, folder in entry.parts)


def load(
    entry: Entry, own: Mapping[str, tuple[str, str]], dtype: Any, quantized: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The parts, loaded as what they take the place of.

    Args:
        entry: of the model.
        own: the library and the class of each part of the pipeline.
        dtype: the number type, of torch.
        quantized: by part that is quantised while it is loaded, its configuration.

    Raises:
        WeightsNotFoundError: see `check`.
        ModelError: see `check`; or the pipeline has no such part.
        OSError: weights are damaged.
    """
    check(entry)
    found = {}
    for name, folder in entry.parts:
        if name not in own:
            raise ModelError(f"{entry.name}: parts: {unknown('part of the pipeline', name, own)}")
        library, kind = own[name]
        if library not in _LIBRARIES:
            raise ModelError(
                f"{entry.name}: parts: {name} is of {library}: only parts of {' and '.join(_LIBRARIES)} can"
            )
        made = getattr(importlib.import_module(library), kind)
        variants = contents.network(contents.OnDisk(Path(folder)), entry.variant, library=library).variants
        found[name] = made.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            variant=next(iter(variants.values()), None),
            **({"quantization_config": quantized[name]} if name in quantized else {}),
        )
    return found
