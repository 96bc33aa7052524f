"""Schedulers by name, and what the changes of a derived model make of the one that it has."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.errors import DataError, InvalidValueError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.models import single_files
from pytest_seedshift.models.base import Scheduler
from pytest_seedshift.models.derive import DerivationError
from pytest_seedshift.models.glide import released

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry, Sampling
    from pytest_seedshift.models.location import Location

# Samplers of this package, where diffusers has none.
_OWN = {
    "GlideDDIMScheduler": "pytest_seedshift.models.glide.schedulers",
    "GlideDDPMScheduler": "pytest_seedshift.models.glide.schedulers",
}

# By change, diffusers' class and GLIDE's.
_CLASSES = {
    "ancestral": ("DDPMScheduler", "GlideDDPMScheduler"),
    "ddim": ("DDIMScheduler", "GlideDDIMScheduler"),
}

# What a network may predict for DDIM and DDPM to know what to do with it.
_PREDICTIONS = ("epsilon", "sample", "v_prediction")


def find(name: str) -> type[Any]:
    """The class of a scheduler.

    Raises:
        InvalidValueError: there is none of that name.
    """
    import diffusers

    library = importlib.import_module(_OWN[name]) if name in _OWN else diffusers
    kind = getattr(library, name, None) if name.endswith("Scheduler") else None
    if kind is None or not hasattr(kind, "from_config"):
        known = [each for each in dir(diffusers) if each.endswith("Scheduler") and each[0] != "_"]
        raise InvalidValueError(unknown("scheduler", name, [*known, *_OWN]))
    found: type[Any] = kind
    return found


def takes(kind: type[Any]) -> dict[str, Any]:
    """The options of a scheduler's class, with their defaults."""
    found = inspect.signature(kind.__init__).parameters
    return {name: each.default for name, each in found.items() if name not in ("self", "kwargs")}


def native(location: Location) -> tuple[str, Mapping[str, Any]] | None:
    """The class and the configuration of a pipeline's own scheduler, as its files say.

    None where they do not: a single file without its configuration, or a pipeline that has no scheduler.

    Raises:
        InvalidValueError: the configuration cannot be read.
    """
    if location.released is not None:
        return "GlideDDPMScheduler", released.SAMPLER
    folder = location.path if location.path.is_dir() else location.config
    if folder is None or "scheduler" not in location.parts:
        return None
    path = folder / "scheduler" / "scheduler_config.json"
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # not there, or no JSON
        raise DataError(f"{path} cannot be read: {error}") from None
    name, said = location.parts["scheduler"][1], single_files.scheduler_settings(location)
    return name, ({**config, **single_files.fitting(said, takes(find(name)))} if said else config)


# What a scheduler's configuration says of the model, whatever samples it: betas, the step that it ends at, clipping.
# What all classes have one default for, such as epsilon for what is predicted, is not among it.
_OF_THE_MODEL = (
    "beta_end",
    "beta_schedule",
    "beta_start",
    "clip_sample",
    "set_alpha_to_one",
    "steps_offset",
)

# Of these what diffusers corrects when it makes a pipeline of a configuration of old that does not say it.
_CORRECTED = ("clip_sample", "steps_offset")


def with_settings(scheduler: Any, options: Mapping[str, Any]) -> Any:
    """A scheduler with what its files say beside its configuration, as far as its class takes it."""
    kind = type(scheduler)
    fit = single_files.fitting(options, takes(kind))
    return kind.from_config(scheduler.config, **(kept(scheduler, kind) | fit)) if fit else scheduler


def kept(scheduler: Any, kind: type[Any]) -> dict[str, Any]:
    """What another scheduler has to be told, so that it says the same of the model as the present one.

    Of what a configuration does not say, a scheduler has the defaults of its class, and its successor would have those
    of its own: configurations of 2022 do not say whether the sampler clips, for one.

    Args:
        scheduler: the present one.
        kind: the class of the other one.
    """
    config, valid = scheduler.config, takes(kind)
    unsaid = {*config.get("_use_default_values", ()), *(name for name in _OF_THE_MODEL if name not in config)}
    in_force = {"clip_sample": False} | {name: config[name] for name in _OF_THE_MODEL if name in config}
    return {
        name: in_force[name]
        for name in _OF_THE_MODEL
        if name in unsaid and name in valid and name in in_force and in_force[name] != valid[name]
    }


def unsaid(entry: Entry, location: Location) -> tuple[str, ...]:
    """What an entry's scheduler may have to be told because the pipeline's files do not say it: see `kept`.

    Args:
        entry: its changes settled.
        location: of its pipeline.

    Raises:
        InvalidValueError: the configuration cannot be read, or there is no such scheduler.
    """
    if entry.scheduler is None or (own := native(location)) is None or own[0] in _OWN:
        return ()
    name, config = own
    lacking = [each for each in _OF_THE_MODEL if each not in config and each not in dict(entry.scheduler.options)]
    if not lacking:
        return ()
    before, after = takes(find(name)), takes(find(entry.scheduler.name))
    return tuple(
        each
        for each in lacking
        if each in after and (each in _CORRECTED or (each in before and before[each] != after[each]))
    )


# Beginnings of the names of schedulers that can take each other's place, beside those that diffusers says can.
_ALIKE = ("FlowMatch", "EDM", "CogVideoX", "Glide")

# Schedulers of betas as any other, of which diffusers does not say whose place they can take.
_MORE = ("DDIMParallelScheduler", "DDPMParallelScheduler", "LCMScheduler", "TCDScheduler")


def check_replacement(entry: Entry, name: str, config: Mapping[str, Any]) -> None:
    """Make sure that an entry's scheduler exists, takes its options, and can take the place of the pipeline's own.

    Args:
        entry: with a scheduler.
        name: the class of the pipeline's own scheduler.
        config: its configuration.

    Raises:
        InvalidValueError: it cannot; the message says which can.
    """
    assert entry.scheduler is not None
    wanted, options = entry.scheduler.name, dict(entry.scheduler.options)
    where = f"the scheduler of {entry.name}"
    try:
        kind, present = find(wanted), find(name)
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}: {error}") from None
    valid = takes(kind)
    for option in options:
        if option not in valid:
            raise InvalidValueError(f"{where}: {unknown(f'option of {wanted}', option, valid)}")
    fits = {*_compatible(present), name}
    alike = any(each.startswith(start) for start in _ALIKE for each in (wanted,) if name.startswith(start))
    flows = options.get("use_flow_sigmas") is True and name.startswith("FlowMatch")
    of_betas = wanted in _MORE and "beta_schedule" in config
    if not (wanted in fits or name in _compatible(kind) or alike or flows or of_betas):
        raise InvalidValueError(
            f"{where}: {wanted} cannot take the place of {name}, which the pipeline is sampled by. "
            f"{_others(name, fits)}"
        )
    try:
        kind.from_config(dict(config), **options)
    except (TypeError, ValueError, NotImplementedError) as error:  # of the scheduler's class, over its options
        raise InvalidValueError(
            f"{where}: {wanted} does not take {options or 'the configuration of the pipeline'}: {error}"
        ) from None


def _compatible(kind: type[Any]) -> list[str]:
    """The names of the schedulers that diffusers says can take a scheduler's place."""
    return [str(getattr(each, "name", each)) for each in getattr(kind, "_compatibles", ())]


def _others(name: str, fits: Collection[str]) -> str:
    if name.startswith("FlowMatch"):
        return "It is of a flow: other FlowMatch… schedulers fit, and those that take use_flow_sigmas = true"
    return f"These fit: {', '.join(sorted(fits))}"


def settled(entry: Entry, location: Location) -> Entry:
    """An entry with its changes as a scheduler, as far as the files show which one the pipeline has; see `settle`."""
    if entry.sampling is None:
        return entry
    found = native(location)
    return entry if found is None else settle(entry, *found)


def settle(entry: Entry, name: str, config: Mapping[str, Any]) -> Entry:
    """An entry with its changes as a scheduler.

    Changes that say what is so already change nothing: then the entry is that of the model it is derived from, but for
    its name, and so is its fingerprint.

    Args:
        entry: perhaps of a derived model.
        name: the class of the pipeline's own scheduler.
        config: its configuration.

    Raises:
        DerivationError: the scheduler does not support a change.
        InvalidValueError: there is no such scheduler.
    """
    if entry.sampling is None:
        return entry
    present = entry.scheduler or Scheduler(name)
    known = takes(find(name)) | dict(config)
    in_force = takes(find(present.name)) | known | dict(present.options)
    try:
        _check_steps(entry.steps, in_force)
        wanted, changes = _changed(entry.sampling, present.name, in_force)
    except DerivationError as error:
        raise DerivationError(f"{entry.name}: {error}") from None
    entry = dataclasses.replace(entry, sampling=None)
    if wanted == present.name and all(in_force[key] == value for key, value in changes.items()):
        return entry
    valid = takes(find(wanted))
    options = {key: value for key, value in (dict(present.options) | changes).items() if key in valid}
    apart = {key: value for key, value in options.items() if key not in known or known[key] != value}
    made = Scheduler(wanted, tuple(sorted(apart.items())))
    return dataclasses.replace(entry, scheduler=None if made == Scheduler(name) else made)


def _changed(sampling: Sampling, name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class of the scheduler that is asked for, and the options that differ from those of the one that is there."""
    options: dict[str, Any] = {}
    if sampling.sampler is not None:
        wanted = _sampler(sampling.sampler, name, config)
        if wanted != name:  # by default it clips, which would be another change where the present one does not
            options["clip_sample"] = config.get("clip_sample", False)
        name = wanted
    if sampling.clip is not None:
        options |= _clip(sampling.clip, name)
    if sampling.zsnr:
        options |= _zsnr(name, config)
    return name, options


def _sampler(change: str, name: str, config: Mapping[str, Any]) -> str:
    """The class of a change's sampler for a model whose scheduler is of the class `name`."""
    if change not in _CLASSES:
        find(change)
        return change
    plain, of_glide = _CLASSES[change]
    if name in _OWN:
        return of_glide
    prediction = config.get("prediction_type", "epsilon")
    if "beta_schedule" not in config or config.get("use_flow_sigmas"):
        raise DerivationError(
            f"+{change}: the model is sampled by {name}, whose schedule is not one of betas as {plain} needs it. "
            "It can have the changes steps and guidance"
        )
    if prediction not in _PREDICTIONS:
        raise DerivationError(f"+{change}: {plain} cannot use a network that predicts {prediction!r}")
    if change == "ddim" and config.get("variance_type") in ("learned", "learned_range"):
        raise DerivationError(f"+ddim: the network predicts a variance too, which {plain} cannot be given")
    return plain


def _clip(clip: float, name: str) -> dict[str, Any]:
    valid = takes(find(name))
    switches = [option for option in ("clip_sample", "thresholding") if option in valid]
    if clip is False:
        return dict.fromkeys(switches, False)
    if "clip_sample" in switches:
        return {"clip_sample": True} | ({} if clip is True else {"clip_sample_range": clip})
    if switches and clip == 1:  # thresholding to at most 1 is clipping
        return {"thresholding": True, "sample_max_value": 1.0}
    raise DerivationError(
        f"+clip: {name} has {'thresholding to 1 at most, which is +clip' if switches else 'nothing that clips'}. "
        "DDIM and DDPM's sampler can clip: +ddim+clip, +ancestral+clip"
    )


def _zsnr(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    if name in _OWN:
        raise DerivationError(f"+zsnr: {name} takes the schedule and the steps that GLIDE was released with")
    if not set(wanted) <= set(takes(find(name))):
        raise DerivationError(f"+zsnr: {name} cannot rescale its betas. DDIM and DDPM's sampler can: +ddim+zsnr")
    prediction = config.get("prediction_type", "epsilon")
    if prediction == "epsilon":
        raise DerivationError(
            "+zsnr: the network predicts the noise, which at zero terminal SNR is all that there is and says nothing "
            "of the picture. Only a model that predicts v or the picture itself can be sampled so"
        )
    return wanted


def _check_steps(steps: int | None, config: Mapping[str, Any]) -> None:
    most = config.get("num_train_timesteps")
    if steps is not None and most is not None and steps > most and "beta_schedule" in config:
        raise DerivationError(f"steps={steps}: the model was trained with {most} steps: give at most that number")
