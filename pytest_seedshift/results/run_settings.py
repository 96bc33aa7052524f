"""What a model is run with, in effect: pipeline, sampler, steps, guidance, size, number types, prompts.

What an entry leaves open its pipeline decides, by the defaults of its call and by its files, and two folders of one
model may decide otherwise. So this is reported of every model, and stored in the run folder by the model's fingerprint,
as soon as the model was loaded: a run whose samples exist does not load it. Built-in types only, and no path.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_seedshift.core import atomic_files, files

if TYPE_CHECKING:
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.schema import Head

Settings: TypeAlias = Mapping[str, Any]
"""By name a value, or a mapping of values: see `KEYS`. Empty where nothing is known."""

KEYS = (
    "pipeline",
    "variants",
    "sampler",
    "sampler_options",
    "steps",
    "guidance",
    "height",
    "width",
    "call",
    "dtype",
    "parts",
    "engine",
    "device",
    "process",
    "prompt",
    "classes",
)
"""The class of the pipeline, the variants of its weights by part, the class of the sampler and its configuration, the
steps, the guidance, the size of the images in pixels, what else the call is given or takes by default, the number type,
those of parts that have another, how it is run besides (see `models.engine_settings`), the kind of device, what of the
process is not at its defaults (see `models.process_settings`), the template of the prompts, the name of the class list.
"""

NOT_RECORDED = "not recorded"

_MOST_ITEMS, _MOST_LETTERS = 200, 500
"""Of a mapping, and of a value."""


def checked(value: object) -> dict[str, Any]:
    """Settings as a file has them, without what is none: a foreign file may say anything."""
    if not isinstance(value, Mapping):
        return {}
    found: dict[str, Any] = {}
    for key in KEYS:
        each = value.get(key)
        if isinstance(each, Mapping):
            inner = {str(name): _plain(one) for name, one in list(each.items())[:_MOST_ITEMS]}
            found[key] = {name: one for name, one in sorted(inner.items()) if one is not None}
        elif (plain := _plain(each)) is not None:
            found[key] = plain
    return {key: each for key, each in found.items() if each not in ({}, [])}


def _plain(value: object) -> object:
    """A value in built-in types; None of what is none, or has no room."""
    if isinstance(value, bool | int):
        return value if isinstance(value, bool) or abs(value) < 2**53 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value[:_MOST_LETTERS]
    if isinstance(value, list | tuple):
        plain = [_plain(each) for each in value[:_MOST_ITEMS]]
        return None if None in plain or len(str(plain)) > _MOST_LETTERS else plain
    return None


# In the run folder -----------------------------------------------------------------------------------------------


def read(folder: RunFolder, fingerprint: str) -> dict[str, Any]:
    """What the folder keeps of a model; empty where it keeps nothing that can be read."""
    try:
        return checked(files.read_json(folder.settings_file(fingerprint), within=folder.path))
    except files.FileError:
        return {}


_NOT_KEPT = ("classes", "prompt")
"""Settings of which a model's fingerprint says nothing: another run has its own."""


def write(folder: RunFolder, fingerprint: str, settings: Settings) -> None:
    """Keep what is known of a model.

    Raises:
        OSError: it cannot be written.
    """
    path = folder.settings_file(fingerprint)
    kept = {key: each for key, each in settings.items() if key not in _NOT_KEPT}
    atomic_files.make_folder(path.parent, folder.path)
    atomic_files.write(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n", within=folder.path)


def refreshed(head: Head, folder: RunFolder) -> Head:
    """The head of verdicts.json with what was learned of its models when they were loaded, in whatever process."""
    models = {
        name: each.model_copy(update={"run_with": checked({**each.run_with, **found})})
        if (found := read(folder, each.fingerprint or "-"))
        else each
        for name, each in head.models.items()
    }
    return head.model_copy(update={"models": models})


# In words --------------------------------------------------------------------------------------------------------


def describe(settings: Settings) -> str:
    """`DiTPipeline, DDIMScheduler, 10 steps, guidance 1, 32×32, float32 on cpu`; that it is not recorded where it is
    not.
    """
    return ", ".join(_parts(settings)) or NOT_RECORDED


def _parts(settings: Settings) -> Iterator[str]:
    for key in ("pipeline", "sampler"):
        if key in settings:
            yield str(settings[key])
    variants = settings.get("variants")
    for name in dict.fromkeys(variants.values()) if isinstance(variants, Mapping) else ():
        yield f"variant {name}"
    if "steps" in settings:
        yield f"{_shown(settings['steps'])} steps"
    if "guidance" in settings:
        yield f"guidance {_shown(settings['guidance'])}"
    call = settings.get("call")
    for name, value in call.items() if isinstance(call, Mapping) else ():
        if value and ("guidance" in name or "cfg" in name):
            yield f"{name} {_shown(value)}"
    if "width" in settings and "height" in settings:
        yield f"{_shown(settings['width'])}×{_shown(settings['height'])}"
    if "dtype" in settings:
        on = f" on {settings['device']}" if "device" in settings else ""
        yield f"{settings['dtype']}{on}"
    engine = settings.get("engine")
    for name, value in engine.items() if isinstance(engine, Mapping) else ():
        yield name if value is True else f"{name} {', '.join(value) if isinstance(value, list) else _shown(value)}"
    if isinstance(settings.get("process"), list):
        yield from map(str, settings["process"])
    parts = settings.get("parts")
    for name, value in parts.items() if isinstance(parts, Mapping) else ():
        yield f"{name} in {_shown(value)}"


def differences(old: Settings, new: Settings, where: tuple[str, str] = ("the one", "the other")) -> list[str]:
    """Every setting that differs: `guidance 1 → 7.5`.

    Args:
        old: of one side.
        new: of the other.
        where: what the sides are called, for one that has recorded nothing.
    """
    lacking = [name for name, side in zip(where, (old, new), strict=True) if not side]
    if lacking:
        return [f"settings {NOT_RECORDED} in {' and '.join(lacking)}"]
    before, after = _flat(old), _flat(new)
    return [
        f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _flat(settings: Settings) -> dict[str, object]:
    found: dict[str, object] = {}
    for key in KEYS:
        value = settings.get(key)
        if isinstance(value, Mapping):
            found |= {f"{key}.{name}": each for name, each in value.items()}
        elif value is not None:
            found[key] = value
    return found


def _shown(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
