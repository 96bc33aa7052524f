"""Tables of models in TOML files: which there are, and the entries that they are of.

What a table may say `entry_schema` checks, which this takes for done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_seedshift import scorers
from pytest_seedshift.core import model_names, toml_documents, typed_values
from pytest_seedshift.core.checkpoints import places
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.models import asked_prompts
from pytest_seedshift.models.base import ANY_DEVICE, Entry, Scheduler
from pytest_seedshift.models.engine_settings import PLAIN, Cache, Lora, Quantization

_SCORERS = {
    "imagenet": (scorers.DEFAULT_CLASSIFIER, scorers.DEFAULT_CLIP),
    "toy": tuple(str(files("pytest_seedshift").joinpath("scorers", "toys", name)) for name in ("toy-vit", "toy-clip")),
}


def users_tables(
    root: Path, thresholds: Path | None, what: str = "models"
) -> Iterator[tuple[Mapping[str, Any], Path, str]]:
    """The user's tables of models, or of scorers: each with its file and what stands before a name."""
    places = [(root / "pyproject.toml", f"tool.seedshift.{what}"), (thresholds or root / "thresholds.toml", what)]
    for path, prefix in places:
        if not path.is_file():  # a thresholds file that was named and is not there: who reads the thresholds says so
            continue
        table: Any = toml_documents.read(path)
        for depth, key in enumerate(parts := prefix.split("."), 1):
            table = table.get(key, {})
            if not isinstance(table, dict):
                if key == "tool":  # not ours to judge
                    table = {}
                    continue
                raise InvalidValueError(f"{path}: [{'.'.join(parts[:depth])}] is {table!r}, not a table")
            if key == "seedshift" and (others := set(table) - {"models", "scorers"}):
                raise InvalidValueError(
                    f"{path}: [tool.seedshift]: {unknown('table', min(others), ['models', 'scorers'])}"
                )
        if table:
            yield table, path, prefix


def entry_of(name: str, table: Mapping[str, Any], folder: Path, base: Entry | None) -> Entry:
    """An entry from its table, which is valid; paths in it are relative to the folder of its file.

    A file says more than a class list's name does, so `base`, the entry that it stands above, keeps every key that is
    not given.
    """
    changes: dict[str, Any] = {
        key: table[key]
        for key in (
            "revision",
            "variant",
            "steps",
            "guidance",
            "height",
            "width",
            "memory",
            "licence",
            "upsampler",
            "advice",
        )
        if key in table
    }
    if "pipeline" in table:
        given = table["pipeline"]
        changes["pipeline"] = tuple(_source(each, folder) for each in ([given] if isinstance(given, str) else given))
        if "revision" not in table:
            changes["revision"] = None  # the revision of another pipeline is none of this one
        if "variant" not in table:
            changes["variant"] = None
    if "scheduler" in table:
        options = dict(table["scheduler"])
        changes["scheduler"] = Scheduler(options.pop("name"), tuple(sorted(options.items())))
    if "parts" in table:
        changes["parts"] = tuple(
            sorted((part, str(folder / typed_values.expand(given))) for part, given in table["parts"].items())
        )
    if "dtype" in table:
        given = table["dtype"]
        changes["dtype"] = ((ANY_DEVICE, given),) if isinstance(given, str) else tuple(sorted(given.items()))
    if "call" in table:
        changes["call"] = tuple(sorted(table["call"].items()))
    changes |= asked_prompts.fields(table, folder)
    if "scorers" in table:
        given = table["scorers"]
        if isinstance(given, str):
            changes["classifier"], changes["clip"] = _SCORERS[given]
        else:
            keys = {"vit": "classifier", "clip": "clip"}
            changes |= {keys[key]: _source(source, folder) for key, source in given.items()}
    if engine := _engine(table, folder):
        changes["engine"] = dataclasses.replace(PLAIN if base is None else base.engine, **engine)
    if base is None:
        return Entry(name, **changes)
    return dataclasses.replace(base, **changes)


def _engine(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What a table says of how a model is run; see `EngineSettings`."""
    found: dict[str, Any] = {
        key: table[key] for key in ("attention", "tiling", "slicing", "channels_last") if key in table
    }
    if "compile" in table:
        found["compile"] = {True: "default", False: None}.get(table["compile"], table["compile"])
    if "repair" in table:
        found["repair"] = model_names.repair(table["repair"])
    if "loras" in table:
        given = [{"source": each} if isinstance(each, str) else each for each in table["loras"]]
        made = [Lora(_source(each["source"], folder), float(each.get("weight", 1))) for each in given]
        found["loras"] = tuple(sorted(made, key=lambda each: each.source))
    if "latents" in table:
        path = folder / typed_values.expand(table["latents"])
        places.refuse_pickle(path)
        found["latents"] = str(path)
    if "quantization" in table:
        options = dict(table["quantization"])
        backend, parts = options.pop("backend"), tuple(options.pop("parts", ()))
        found["quantization"] = Quantization(backend, _frozen(options), parts)
    if "cache" in table:
        given = table["cache"]
        options = {} if isinstance(given, str) else dict(given)
        method = options.pop("method", given)
        found["cache"] = Cache(method, _frozen(options))
    return found


def _frozen(options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, tuple(value) if isinstance(value, list) else value) for key, value in options.items()))


def _source(text: str, folder: Path) -> str:
    """A source as an entry holds it: a path in full, or whatever else it is, as it stands."""
    path = folder / typed_values.expand(text)
    places.refuse_pickle(path)
    return str(path) if path.exists() or places.looks_like_path(text) else text
