"""What a model's entry and files say of how it makes pictures, trait by trait: nothing is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import hashing
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import in_effect, latents, locate, loras, parts, samplers
from pytest_seedshift.models.base import Sampling
from pytest_seedshift.studies.sampler_ablation import differences
from pytest_seedshift.studies.sampler_ablation.differences import Kind, Trait, Traits

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.models.location import Location

_DECODERS = ("movq", "vae", "vqgan", "vqvae")
"""The parts of a pipeline that make pictures of latents."""

_NETWORKS = ("upsampler", "unet", "transformer", "prior")
"""The parts that may say for which size they were trained; what enlarges another one's pictures first."""

_ROLES = {"text encoder": "text_encoder", "network": "unet", "second stage": "upsampler"}
"""By trait, the part whose class it is; a network may be a transformer in place of a UNet."""

_LEVELS = {
    "DDIMScheduler": "DDIM",
    "GlideDDIMScheduler": "DDIM",
    "DDPMScheduler": "ancestral",
    "GlideDDPMScheduler": "ancestral",
}
"""By class of a scheduler, the level of the factor that it is."""

_TITLES = {"ancestral": "ancestral", "ddim": "DDIM"}
"""The same by the change of a derived model."""

_CLIPPING = ("clip_sample", "clip_sample_range", "thresholding", "dynamic_thresholding_ratio", "sample_max_value")
_SCHEDULE = ("beta_schedule", "beta_start", "beta_end", "num_train_timesteps", "trained_betas")
_SHIFTED = ("shift", "use_dynamic_shifting", "use_flow_sigmas")
_SPACING = ("timestep_spacing", "steps_offset", "set_alpha_to_one")
_SAID = frozenset((*_CLIPPING, *_SCHEDULE, *_SHIFTED, *_SPACING, "rescale_betas_zero_snr", "prediction_type"))
"""Options of a sampler that have a trait of their own."""


def has_latents(location: Location) -> bool:
    """Whether a pipeline draws latents, which a part of it makes pictures of."""
    return any(part in location.parts for part in _DECODERS)


def of(catalogue: Catalogue, name: str, dtype: str) -> Traits:
    """The traits of a model.

    Args:
        catalogue: what names stand for.
        name: as the user writes it, perhaps with changes.
        dtype: the number type that it is run in.

    Raises:
        WeightsNotFoundError: it is nowhere.
        SeedshiftError: what is there cannot be read, or its sampler does not support a change.
    """
    entry, base = catalogue.find(name), catalogue.base_of(name)
    found = {"number type": Trait(dtype, Kind.SETTING)}
    found[differences.REPAIR] = Trait(entry.engine.repair or "none", Kind.FACTOR)
    if entry.own is not None:
        return found | {"weights": Trait(f"the code of {entry.own}", Kind.BUILT_IN)} | dict(_unknown(base, entry))
    location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
    found |= {"weights": Trait(_weights(entry, location), Kind.BUILT_IN)}
    found |= {name: Trait(value, Kind.SETTING) for name, value in _of_engine(entry)}
    run = in_effect.of_files(entry, location, dtype)
    if "pipeline" not in run:
        return found | dict(_unknown(base, entry))
    found |= dict(_of_pipeline(entry, location, run))
    if "sampler" in run:
        found |= dict(_of_sampler(entry, location, run["sampler"], run.get("sampler_options", {})))
    else:
        found |= {each: _not_known(base) for each in (differences.SAMPLER, differences.CLIPPING)}
    return found | dict(_of_entry(catalogue, base, entry, location, run))


def _not_known(base: str) -> Trait:
    return Trait(f"not known of {base}", Kind.FACTOR)


def _unknown(base: str, entry: Entry) -> Iterator[tuple[str, Trait]]:
    """The factors of a model of which no file shows how it is sampled, as far as the entry says it."""
    changes = entry.sampling or Sampling()
    sampler = None if changes.sampler is None else _TITLES.get(changes.sampler, changes.sampler)
    clip = None if changes.clip is None else "off" if changes.clip is False else "on"
    numbers = (None if value is None else f"{value:.10g}" for value in (entry.steps, entry.guidance))
    names = (differences.SAMPLER, differences.CLIPPING, differences.STEPS, differences.GUIDANCE)
    for each, value in zip(names, (sampler, clip, *numbers), strict=True):
        yield each, _not_known(base) if value is None else Trait(value, Kind.FACTOR)


def _of_engine(entry: Entry) -> Iterator[tuple[str, str]]:
    """How a model is run, apart from its number type: adapters by their content, as two may have one name."""
    for name, value in (entry.engine.record() | latents.record(entry)).items():
        if name == differences.REPAIR:
            continue  # a factor
        yield name.replace("_", " "), "yes" if value is True else str(value)
    if entry.engine.loras:
        yield "loras", ", ".join(f"{digest[:8]}:{weight:g}" for digest, weight in loras.key(entry))


def _weights(entry: Entry, location: Location) -> str:
    """A short hash of the files of weights alone: two folders may have the same, and be sampled otherwise."""
    paths = sorted(file for file in location.files() if file.suffix not in (".json", ".md", ".txt"))
    contents = [hashing.content(file) for file in paths]
    return files_hash([*contents, *(digest for _, digest in parts.fingerprints(entry))])


def files_hash(contents: list[str]) -> str:
    """A short hash of several."""
    import hashlib

    return hashlib.sha256("\n".join(contents).encode()).hexdigest()[:8]


def _of_pipeline(entry: Entry, location: Location, run: Mapping[str, Any]) -> Iterator[tuple[str, Trait]]:
    yield "pipeline", Trait(run["pipeline"], Kind.BUILT_IN)
    yield differences.SPACE, Trait("latents" if has_latents(location) else "pixels", Kind.BUILT_IN)
    for role, part in _ROLES.items():
        found = location.parts.get(part) or (location.parts.get("transformer") if part == "unet" else None)
        yield role, Trait(found[1] if found else "none", Kind.BUILT_IN)
    embedded = [config for config in _configs(location) if _takes_guidance(config)]
    yield "guidance as an input of the network", Trait("yes" if embedded else "no", Kind.BUILT_IN)
    for key in (differences.STEPS, differences.GUIDANCE):
        value = run.get(key)
        yield key, Trait("none" if value is None else f"{value:.10g}", Kind.FACTOR)


def _takes_guidance(config: Mapping[str, Any]) -> bool:
    """Whether a network was trained, or distilled, to be told the guidance."""
    return config.get("guidance_embeds") is True or config.get("time_cond_proj_dim") is not None


def _of_entry(
    catalogue: Catalogue, base: str, entry: Entry, location: Location, run: Mapping[str, Any]
) -> Iterator[tuple[str, Trait]]:
    """Size, second stage, and what the call is given besides."""
    size, own = _size(entry), _own_size(location)
    shipped = _shipped_size(catalogue, base, entry)
    native = own is not None and size in (None, own)
    value = f"{size[0]} × {size[1]}" if size else f"{own[0]} × {own[1]}" if own else "that of the pipeline"
    yield "size of images", Trait(value, Kind.BUILT_IN if native or size is None or size == shipped else Kind.SETTING)
    yield "shift of a second stage", Trait("yes" if entry.upsampler else "no", Kind.SETTING)
    for key, value in sorted((run.get("call", {}) | dict(entry.call)).items()):
        kind = Kind.SETTING if key in dict(entry.call) else Kind.BUILT_IN
        yield f"{differences.ARGUMENT}{key.replace('_', ' ')}", Trait(str(value), kind)


def _size(entry: Entry) -> tuple[int, int] | None:
    return (entry.height, entry.width) if entry.height is not None and entry.width is not None else None


def _shipped_size(catalogue: Catalogue, base: str, entry: Entry) -> tuple[int, int] | None:
    """The size of a model's entry in the package, which is the one that its authors give."""
    from pytest_seedshift.models.catalogue import shipped

    known = shipped().entries.get(base)
    return None if known is None or known.pipeline != entry.pipeline else _size(known)


def _own_size(location: Location) -> tuple[int, int] | None:
    """The height and width that a network was trained for, where its files say."""
    for config in _configs(location):
        sides = config.get("sample_size")
        sides = [sides, sides] if isinstance(sides, int) else sides
        if isinstance(sides, list) and len(sides) == 2 and all(isinstance(each, int) for each in sides):
            scale = _scale(location)
            return (sides[0] * scale, sides[1] * scale) if scale else None
    return None


def _scale(location: Location) -> int | None:
    """Pixels a side of a latent; 1 without latents, None where the files do not say."""
    if not has_latents(location):
        return 1
    for part in _DECODERS:
        blocks = _config(location, part).get("block_out_channels")
        if isinstance(blocks, list):
            return int(2 ** (len(blocks) - 1))
    return None


def _configs(location: Location) -> Iterator[Mapping[str, Any]]:
    return (_config(location, part) for part in _NETWORKS if part in location.parts)


def _config(location: Location, part: str) -> Mapping[str, Any]:
    folder: Path | None = location.path if location.path.is_dir() else location.config
    path = None if folder is None else folder / part / "config.json"
    if path is None or not path.is_file():
        return {}
    try:
        found = files.read_json(path, finite=False)
    except files.FileError:
        return {}
    return found if isinstance(found, Mapping) else {}


# Samplers --------------------------------------------------------------------------------------------------------


def _of_sampler(entry: Entry, location: Location, name: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Trait]]:
    yield differences.SAMPLER, Trait(_LEVELS.get(name, name), Kind.FACTOR)
    yield differences.SAMPLER_CLASS, Trait(name, Kind.BUILT_IN)
    clipped, span = _clipping(options)
    yield differences.CLIPPING, Trait(clipped, Kind.FACTOR)
    if span:
        yield differences.RANGE, Trait(span, Kind.SETTING)
    learned = str(options.get("variance_type", "")).startswith("learned")
    prediction = str(options.get("prediction_type", "epsilon" if "beta_schedule" in options else "flow"))
    yield "prediction", Trait(prediction + (" and a variance" if learned else ""), Kind.BUILT_IN)
    yield differences.SCHEDULE, Trait(_schedule(name, options), Kind.BUILT_IN)
    if (end := _end(name, options)) is not None:
        yield differences.SCHEDULE_END, Trait(end, Kind.BUILT_IN)
    offset = options.get("steps_offset")
    spacing = [options.get("timestep_spacing"), f"offset {offset}" if offset else None]
    yield differences.SPACING, Trait(", ".join(each for each in spacing if each) or "plain", Kind.BUILT_IN)
    if "set_alpha_to_one" in options:
        yield f"{differences.OPTION}set_alpha_to_one", Trait(str(options["set_alpha_to_one"]), Kind.BUILT_IN)
    for key, value in sorted(options.items()):
        if key not in _SAID and not (learned and key == "variance_type"):
            yield f"{differences.OPTION}{key}", Trait(str(value), Kind.SETTING)


def _schedule(name: str, options: Mapping[str, Any]) -> str:
    """`scaled_linear, 0.00085 to 0.012, 1000 steps`; of a flow its shift."""
    said = [options.get("beta_schedule")]
    if said[0] is not None:
        said += [f"{options.get('beta_start')} to {options.get('beta_end')}"]
    said += [f"{steps} steps" if (steps := options.get("num_train_timesteps")) else None]
    said += [f"{key.replace('_', ' ')} {options[key]}" for key in _SHIFTED if options.get(key) not in (None, False)]
    said += ["betas of its own" if options.get("trained_betas") is not None else None]
    return ", ".join(str(each) for each in said if each is not None) or name


def _clipping(options: Mapping[str, Any]) -> tuple[str, str]:
    """Whether guesses are clipped, and to which range."""
    if options.get("thresholding"):
        ratio, most = options.get("dynamic_thresholding_ratio"), options.get("sample_max_value")
        return "thresholding", f"{ratio} to at most {most}"
    if options.get("clip_sample"):
        return "on", f"±{options.get('clip_sample_range', 1.0):g}"
    return "off", ""


def _end(name: str, options: Mapping[str, Any]) -> str | None:
    """What is left of the picture at the end of the schedule; None where it has no betas."""
    if "beta_schedule" not in options:
        return None
    try:
        made = samplers.find(name).from_config(dict(options))
        left = math.sqrt(max(float(made.alphas_cumprod[-1]), 0.0))
    except (SeedshiftError, AttributeError, TypeError, ValueError):  # of schedulers over strange options
        return None
    return "pure noise" if left < 1e-6 else f"√ᾱ = {left:.2g}"
