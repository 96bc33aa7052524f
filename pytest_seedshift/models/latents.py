"""Seed vectors from a file, in place of keyed noise: one for all pairs, or one for each.

A file of safetensors with one tensor has the seed vector of all pairs, of the shape that the pipeline draws for one
image (a leading 1 may stand before it). One with several has a tensor for each pair, by its id: `dog 3` is the pair of
the label "dog" and the seed index 3. Pairs of a study that are of no design, which name their noise, are drawn as ever.

Nothing here loads torch unless numbers are read: headers say nearly all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.checkpoints import hashing, headers, places
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.messages import some, unknown
from pytest_seedshift.core.pairs import Noise

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import Entry

_SUFFIX = ".safetensors"

_TYPES = ("F64", "F32", "F16", "BF16")
"""Of safetensors, the number types that a seed vector may have."""

_NAMED = 3
"""How many tensors or pairs an error names."""

_UNET_FAMILIES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
"""Families whose seed vectors have the shape that their UNet's configuration says."""


class LatentsError(SeedshiftUsageError):
    """A file of seed vectors that cannot be used: what is wrong in it, and what is valid."""


def name_of(pair: Pair) -> str:
    """A pair's id in a file: `dog 3`."""
    return vector_name(pair.label.name, pair.seed)


def vector_name(label: str, seed: int) -> str:
    """The same of a label's name and a seed index."""
    return f"{label} {seed}"


def check(entry: Entry, pipeline: Any | None) -> None:
    """Make sure of the file of an entry, as far as it shows without the model's weights.

    Args:
        entry: of the model; one without a file is fine.
        pipeline: one of its class whose parts have no weights; None where there can be none.

    Raises:
        LatentsError: it is not there, no file of safetensors, or something in it is no seed vector or not of the
            family's shape.
    """
    if entry.engine.latents is None:
        return
    path = file(entry)
    shapes = _shapes(entry, path)
    if not _is_shared(entry, shapes):
        _check_names(entry, shapes)
    wanted = None if pipeline is None else _shape_of(pipeline, entry)
    if wanted is not None:
        check_shape(entry, wanted, type(pipeline).__name__)
    bad = _not_finite(str(path), path.stat().st_mtime_ns, path.stat().st_size)
    if bad:
        raise LatentsError(f"{_where(entry)}: {some(bad, _NAMED)}: some numbers are not finite")


def check_design(entry: Entry, design: Sequence[Pair]) -> None:
    """Make sure that a file has what the pairs of a design are made of, and that these differ.

    Raises:
        LatentsError: pairs that it lacks; or pairs that would be one and the same image.
    """
    if entry.engine.latents is None:
        return
    shapes = _shapes(entry, file(entry))
    drawn = [pair for pair in design if pair.noise is None]
    if not _is_shared(entry, shapes):
        lacking = [repr(name_of(pair)) for pair in drawn if name_of(pair) not in shapes]
        if lacking:
            raise LatentsError(
                f"{_where(entry)} has no tensor for {len(lacking)} of the {len(drawn)} pairs of the design: "
                f"{some(lacking, _NAMED)}. Add them, or look at fewer images: a design of fewer has the first of them"
            )
        return
    labels = {pair.label.name for pair in drawn}
    if len(labels) < len(drawn):
        raise LatentsError(
            f"{_where(entry)} has one seed vector for all pairs, so the design's {len(drawn)} pairs are only "
            f"{len(labels)} different ones. Give --seedshift-images={len(labels)}, one a label, or a tensor for each "
            f"pair, with a name such as {name_of(drawn[0])!r}"
        )


def check_shape(entry: Entry, wanted: tuple[int, ...], family: str) -> None:
    """Make sure that the seed vectors of a file have the shape that a family draws.

    Raises:
        LatentsError: they have another.
    """
    found = _one(next(iter(_shapes(entry, file(entry)).values())))
    if found != _one(wanted):  # of some families a seed vector is that of a video of one frame
        raise LatentsError(
            f"{_where(entry)} has seed vectors of shape {found}, and {family} draws {wanted} for an image of this size"
        )


def check_null_control(entry: Entry) -> None:
    """Make sure that seed vectors are drawn: a permuted one is only then as likely as it was.

    Raises:
        LatentsError: they are not.
    """
    if entry.engine.latents is not None:
        raise LatentsError(
            f"{_where(entry)}: the null control needs seed vectors that are drawn, and these are given. Leave the null "
            "control out, or run it for the model without latents"
        )


def trial(entry: Entry, design: Sequence[Pair]) -> tuple[Pair, ...]:
    """Pairs to try a model with, whose images nobody keeps: they need not be in its file."""
    if entry.engine.latents is None:
        return tuple(design)
    return tuple(dataclasses.replace(pair, noise=Noise(pair.seed, pair.seed)) for pair in design)


def read(entry: Entry, wanted: Sequence[Pair], shape: tuple[int, ...]) -> list[Tensor | None]:
    """The seed vectors of some pairs, float32 of a shape; None for each that names its noise, and is drawn.

    Raises:
        LatentsError: the file lacks one, or has them in another shape.
    """
    from safetensors import safe_open

    path = file(entry)
    shapes = _shapes(entry, path)
    check_shape(entry, shape, "the pipeline")
    shared = next(iter(shapes)) if _is_shared(entry, shapes) else None
    check_design(entry, wanted if shared is None else ())
    with safe_open(path, framework="pt") as opened:
        return [
            None if pair.noise is not None else opened.get_tensor(shared or name_of(pair)).float().reshape(shape)
            for pair in wanted
        ]


def key(entry: Entry) -> tuple[str, str]:
    """What of it is in a fingerprint: that there is a file, and what it hashes to."""
    return "latents", hashing.content(file(entry))


def record(entry: Entry) -> dict[str, str]:
    """For what is kept of a run: the file's name and what it hashes to, as two files may have one name."""
    if entry.engine.latents is None:
        return {}
    path = file(entry)
    return {"latents": f"{path.name} ({hashing.content(path)[:12]})"}


def file(entry: Entry) -> Path:
    """The file of an entry that has one.

    Raises:
        LatentsError: it is not there, or no file of safetensors.
    """
    path = Path(entry.engine.latents or "")
    places.refuse_pickle(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise LatentsError(f"{_where(entry)} {what}: give a file of safetensors")
    if path.suffix != _SUFFIX:
        raise LatentsError(f"{_where(entry)} is not a safetensors file: only such are read")
    return path


def _where(entry: Entry) -> str:
    return f"{entry.name}: latents = {str(entry.engine.latents)!r}"


def _shapes(entry: Entry, path: Path) -> Mapping[str, tuple[int, ...]]:
    """By tensor, its shape; all of them are seed vectors of one shape."""
    found = headers.about(path)
    if isinstance(found, str):
        raise LatentsError(f"{_where(entry)} {found}")
    if not found:
        raise LatentsError(f"{_where(entry)} has no tensor")
    for name, (kind, shape) in found.items():
        if kind not in _TYPES:
            raise LatentsError(f"{_where(entry)}: {name!r} is of {kind}: give one of {', '.join(_TYPES)}")
        if len(_one(shape)) < 3 or 0 in shape:
            raise LatentsError(
                f"{_where(entry)}: {name!r} has the shape {shape}: give that of one seed vector, such as (4, 64, 64)"
            )
    kinds = {_one(shape): name for name, (_, shape) in found.items()}
    if len(kinds) > 1:
        (one, first), (other, second) = list(kinds.items())[:2]
        raise LatentsError(f"{_where(entry)}: tensors of several shapes: {first!r} has {one}, {second!r} has {other}")
    return {name: shape for name, (_, shape) in found.items()}


def _one(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without a batch of one."""
    return shape[1:] if len(shape) > 3 and shape[0] == 1 else shape


def _is_shared(entry: Entry, shapes: Collection[str]) -> bool:
    """Whether a file has one seed vector for all pairs: one tensor, whose name is no pair's."""
    return len(shapes) == 1 and _pair(next(iter(shapes)), _labels(entry)) is not None


def _labels(entry: Entry) -> frozenset[str]:
    return frozenset(label.name for label in entry.prompt_set.prompts)


def _pair(name: str, labels: Collection[str]) -> str | None:
    """Why a tensor's name is no pair's; None where it is one's."""
    label, _, seed = name.rpartition(" ")
    if not (seed.isascii() and seed.isdecimal()) or str(int(seed)) != seed:
        return f"{name!r} is not a pair: give a label and a seed index, such as {f'{min(labels)} 0'!r}"
    return None if label in labels else unknown("label", label, labels)


def _check_names(entry: Entry, shapes: Collection[str]) -> None:
    labels = _labels(entry)
    for name in shapes:
        reason = _pair(name, labels)
        if reason is not None:
            raise LatentsError(f"{_where(entry)}: {reason}. Only a tensor that is alone is for all pairs")


def _shape_of(pipeline: Any, entry: Entry) -> tuple[int, ...] | None:
    """The shape of seed vectors, as far as a pipeline without weights says it."""
    if not {each.__name__ for each in type(pipeline).__mro__} & set(_UNET_FAMILIES):
        return None
    config, scale = pipeline.unet.config, pipeline.vae_scale_factor
    if not isinstance(config.sample_size, int):
        return None
    sides = (entry.height, entry.width)
    return (config.in_channels, *(config.sample_size if side is None else side // scale for side in sides))


@lru_cache(maxsize=8)
def _not_finite(path: str, *_: int) -> tuple[str, ...]:
    """The names of tensors that have numbers which are not finite; of the file as it is at a time, of a size."""
    import torch
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        return tuple(name for name in opened.keys() if not torch.isfinite(opened.get_tensor(name)).all())  # noqa: SIM118
