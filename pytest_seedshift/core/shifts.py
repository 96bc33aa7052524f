"""The five shifts of a seed vector, their variants and their registry.

The five kinds are those of *Synthetic Shifts to Initial Seed Vector Exposes the Brittle Nature of Latent-Based
Diffusion Models* (arXiv 2312.11473). The text gives no formula for a single shift, so the formulas here are this
project's reading of it; every other reading that we found plausible is a named variant.

A shift is written `name`, `name:variant` or `name:variant=parameter`: `mean`, `mean:exact`, `mean:channel=2`.

This module is imported while tests are collected, so it does not import torch: all it needs are methods of the tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_seedshift.core import registry, tensors, typed_values, user_code
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.tensors import Generator, Tensor

NONE = "none"
"""The name of the unshifted case, the control. It is not one of `names()`."""

_Formula = Callable[[Tensor, float, float | None, Generator | None], Tensor]


@dataclass(frozen=True, slots=True)
class Spec:
    """A shift as the user wrote it, taken apart: its name, variant (None: the default) and the variant's parameter."""

    name: str
    variant: str | None = None
    parameter: float | None = None

    def __str__(self) -> str:
        text = self.name if self.variant is None else f"{self.name}:{self.variant}"
        return text if self.parameter is None else f"{text}={repr(self.parameter).removesuffix('.0')}"


class Shift(Protocol):
    """A shift of the user's own, as a factory of the hook `pytest_seedshift_shifts` or of an entry point makes it."""

    @property
    def fingerprint(self) -> str:
        """A text that changes with all that can change what it does; not empty. Samples are found again by it."""

    def __call__(self, z: Tensor, magnitude: float, generator: Generator | None, /) -> Tensor:
        """Shift seed vectors.

        Args:
            z: float32 on the CPU, (batch, channels, height, width), before the scheduler's own scaling. It is a copy.
            magnitude: the signed strength η, finite and not 0: at 0 no shift is called.
            generator: on the CPU, keyed by the pair, where `z` is of one pair: all that is drawn is drawn from it.

        Returns:
            The shifted seed vectors, with the shape, dtype and device of `z`, finite.

        Raises:
            InvalidValueError: it has no meaning at this magnitude or for this shape; the message becomes the case's
                error.
        """


def names() -> tuple[str, ...]:
    """The five shifts, in the paper's order."""
    return tuple(_VARIANTS)


def variants(shift: str) -> tuple[str, ...]:
    """The named variants of a shift, without the default.

    Raises:
        InvalidValueError: `shift` is not one of `names()`.
    """
    if shift not in _VARIANTS:
        raise InvalidValueError(unknown("shift", shift, names()))
    return tuple(name for name in _VARIANTS[shift] if name)


def formula(shift: str) -> tuple[str, str]:
    """A shift's formula, in words and signs, and what its parameter is; that is empty where it takes none.

    Args:
        shift: one of `names()`, or it with a variant: `mean:exact`.

    Raises:
        InvalidValueError: there is no such shift.
    """
    spec = parse(shift)
    found = _VARIANTS[spec.name][spec.variant or ""]
    return " ".join((found.__doc__ or "").split()), _PARAMETERS.get((spec.name, spec.variant or ""), "")


def parse(text: str) -> Spec:
    """Read `name`, `name:variant` or `name:variant=parameter`.

    Raises:
        InvalidValueError: an unknown shift or variant, or a parameter that is missing, not wanted or no number.
    """
    name, colon, rest = text.partition(":")
    if name not in _VARIANTS and registry.current().shifts.find(name) is not None:
        if colon:
            raise InvalidValueError(f"shift {text!r}: {name!r} is a shift of your own and has no variants")
        return Spec(name)
    if name not in _VARIANTS:
        raise InvalidValueError(unknown("shift", name, (*names(), *registry.current().shifts.names)))
    known = variants(name)
    if not colon:
        return Spec(name)
    variant, equals, parameter = rest.partition("=")
    if variant not in known:
        raise InvalidValueError(unknown(f"variant of the {name} shift", variant, known))
    if not equals:
        return Spec(name, variant)
    if (name, variant) not in _PARAMETERS:
        raise InvalidValueError(f"shift {text!r}: the variant {variant!r} takes no parameter, write '{name}:{variant}'")
    value = typed_values.number(parameter)
    if not math.isfinite(value):
        raise InvalidValueError(f"shift {text!r}: {parameter!r} is not a number ({_PARAMETERS[name, variant]})")
    if variant == "channel" and (value < 0 or value != int(value)):
        raise InvalidValueError(f"shift {text!r}: {parameter!r} is not a channel ({_PARAMETERS[name, variant]})")
    return Spec(name, variant, value)


def check_magnitude(spec: Spec, magnitude: float) -> None:
    """Raise ValueError where the shift has no meaning at this magnitude."""
    if not math.isfinite(magnitude):
        raise InvalidValueError(f"magnitude {magnitude} is not a finite number")
    if spec.variant == "independent":
        scale = 1 + _ratio(spec.parameter) * magnitude
        if scale <= 0:
            raise InvalidValueError(
                f"magnitude {magnitude:+g} for {spec}: it scales the seed vector by {scale:g}, which must stay above 0"
            )
    elif spec.name in ("std", "mixed") and magnitude <= -1:
        raise InvalidValueError(
            f"magnitude {magnitude:+g} for the {spec.name} shift: it scales the seed vector by 1 + magnitude, "
            "which must stay above 0: give a magnitude above -1"
        )
    if spec.name == "arrangement" and abs(magnitude) > 1:
        raise InvalidValueError(
            f"magnitude {magnitude:+g} for the arrangement shift: give one from -1 to 1, the side of the rearranged "
            "block relative to the whole"
        )


def apply(
    z: Tensor,
    shift: str | Spec,
    magnitude: float,
    *,
    variant: str | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Shift seed vectors.

    Args:
        z: seed vectors, floating point, (batch, channels, height, width) or (channels, height, width). Not changed.
        shift: a name such as `"mean"`, a name with its variant such as `"mean:exact"`, or a parsed `Spec`.
        magnitude: the signed strength η, finite. At 0 every shift and variant is the identity: `z` itself is returned.
        variant: the variant (`"exact"`, `"channel=2"`), where `shift` does not name it already.
        generator: where the shifts that draw (random; arrangement's `permute`) take their numbers from, on z's device.

    Returns:
        The shifted seed vectors, with the shape, dtype and device of `z`.

    Raises:
        InvalidValueError: an unknown shift or variant, a magnitude outside its range, or a z of another shape or dtype.
    """
    if variant is not None:
        shift = f"{shift}:{variant}"
    if isinstance(shift, str):
        shift = parse(shift)
    check_magnitude(shift, magnitude)
    if z.ndim not in (3, 4) or not z.is_floating_point():
        raise InvalidValueError(
            f"seed vectors are floating point, (batch, channels, height, width) or (channels, height, width); "
            f"got {z.dtype} {tuple(z.shape)}"
        )
    if magnitude == 0:
        return z
    batch = z if z.ndim == 4 else z.unsqueeze(0)
    if shift.name not in _VARIANTS:
        return _apply_own(shift.name, batch, magnitude, generator).reshape(z.shape)
    formula = _VARIANTS[shift.name][shift.variant or ""]
    return formula(batch, magnitude, shift.parameter, generator).reshape(z.shape)


# Shifts of the user's own ----------------------------------------------------------------------------------------


def fingerprint(shift: str) -> str | None:
    """What has to be in the key of a sample besides a shift's name; None of the shifts above.

    Raises:
        InvalidValueError: a shift of the user's own that cannot be made.
    """
    mine = shift not in _VARIANTS and registry.current().shifts.find(shift) is not None
    return str(_own(shift).fingerprint) if mine else None


def _own(name: str) -> Any:
    known = registry.current()
    if name not in known.made:
        found = known.shifts.find(name)
        if found is None:
            raise InvalidValueError(unknown("shift", name, (*names(), *known.shifts.names)))
        known.made[name] = found.make(needs=("__call__()", "fingerprint"), what="shift")
    return known.made[name]


def _apply_own(name: str, z: Tensor, magnitude: float, generator: Generator | None) -> Tensor:
    """Apply a shift of the user's own to (batch, channels, height, width), and hold what it gives against that."""
    shift, owner = _own(name), registry.current().shifts.find(name)
    with user_code.calling(str(owner), shift):
        shifted = shift(z.clone(), magnitude, generator)
    wanted = f"it has to keep shape and dtype, {z.dtype} {tuple(z.shape)}"
    taken = tensors.taken(shifted, f"{owner} gave {{}}", wanted, z.shape)
    if taken.dtype != z.dtype or taken.device != z.device:
        raise InvalidValueError(f"{owner} gave {taken.dtype} on {taken.device}: {wanted} on {z.device}")
    return taken


# Every formula below takes z as (batch, channels, height, width), a magnitude other than 0, the variant's parameter
# (None: its default) and a generator; it returns a new tensor.


def _random(z: Tensor, magnitude: float, _: float | None, generator: Generator | None) -> Tensor:
    """z + η·u, u ~ U(0, 1) element by element: one-sided, so that the sign of η is a direction."""
    return z + magnitude * z.new_empty(z.shape).uniform_(0, 1, generator=generator)


def _random_symmetric(z: Tensor, magnitude: float, _: float | None, generator: Generator | None) -> Tensor:
    """z + η·u, u ~ U(-1, 1) element by element."""
    return z + magnitude * z.new_empty(z.shape).uniform_(-1, 1, generator=generator)


def _random_normal(z: Tensor, magnitude: float, _: float | None, generator: Generator | None) -> Tensor:
    """z + η·u, u ~ N(0, 1) element by element."""
    return z + magnitude * z.new_empty(z.shape).normal_(generator=generator)


def _random_direction(z: Tensor, magnitude: float, _: float | None, generator: Generator | None) -> Tensor:
    """z plus a vector of length η·√d in a uniformly random direction, d the number of values of a seed vector."""
    u = z.new_empty(z.shape).normal_(generator=generator).flatten(1)
    return z + magnitude * (u / u.square().mean(1, keepdim=True).sqrt()).reshape(z.shape)


def _random_towards(axis: int, *, to_end: bool) -> _Formula:
    """Make a formula that draws as the default does, but more on one side of the picture than on the other."""

    def formula(z: Tensor, magnitude: float, _: float | None, generator: Generator | None) -> Tensor:
        side = z.shape[axis]
        if side < 2:
            raise InvalidValueError(
                f"the seed vector is {z.shape[-2]}×{z.shape[-1]} (height×width): a shift towards one side needs two "
                f"{'columns' if axis == -1 else 'rows'} at least"
            )
        ramp = z.new_ones(side).cumsum(0).sub(0.5).mul(2 / side)  # from 0 to 2 over the picture, 1 on average
        ramp = (ramp if to_end else ramp.flip(0)).reshape([-1, 1] if axis == -2 else [-1])
        return z + magnitude * ramp * z.new_empty(z.shape).uniform_(0, 1, generator=generator)

    formula.__doc__ = "z + η·r·u, u ~ U(0, 1) element by element, r a ramp from 0 to 2 over the picture."
    return formula


def _mean(z: Tensor, magnitude: float, *_: object) -> Tensor:
    """z + η."""
    return z + magnitude


def _mean_channel(z: Tensor, magnitude: float, channel: float | None, _: object) -> Tensor:
    """z + η in one channel (0 unless said), the others as they were."""
    index = int(channel or 0)
    if index >= z.shape[1]:
        raise InvalidValueError(f"mean:channel={index}: the seed vector has channels 0 to {z.shape[1] - 1}")
    shifted = z.clone()
    shifted[:, index] += magnitude
    return shifted


def _mean_exact(z: Tensor, magnitude: float, *_: object) -> Tensor:
    """Each seed vector recentred: its own mean becomes η exactly."""
    return z - z.mean((1, 2, 3), keepdim=True) + magnitude


def _std(z: Tensor, magnitude: float, *_: object) -> Tensor:
    """(1 + η)·z."""
    return (1 + magnitude) * z


def _std_exact(z: Tensor, magnitude: float, *_: object) -> Tensor:
    """Each seed vector standardised to mean 0 and standard deviation 1, then scaled by 1 + η."""
    centred = z - z.mean((1, 2, 3), keepdim=True)
    return (1 + magnitude) * centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt()


def _mixed(z: Tensor, magnitude: float, *_: object) -> Tensor:
    """(1 + η)·z + η: std, then mean."""
    return (1 + magnitude) * z + magnitude


def _mixed_independent(z: Tensor, magnitude: float, ratio: float | None, _: object) -> Tensor:
    """(1 + r·η)·z + η with a ratio r of the two magnitudes (-1 unless said): mean and std magnitudes of their own."""
    return (1 + _ratio(ratio) * magnitude) * z + magnitude


def _ratio(parameter: float | None) -> float:
    return -1.0 if parameter is None else parameter


def _in_block(rearrange: Callable[[Tensor, float, Generator | None], Tensor]) -> _Formula:
    """Make a formula that rearranges the upper-left block of side ⌊|η|·H⌋ × ⌊|η|·W⌋ of every channel."""

    def formula(z: Tensor, magnitude: float, _: float | None, generator: Generator | None) -> Tensor:
        # The slack keeps 0.29 · 100 at 29 rows, where floating point makes it 28.999….
        rows, columns = (math.floor(abs(magnitude) * side + 1e-9) for side in z.shape[-2:])
        shifted = z.clone()
        if rows and columns:
            shifted[..., :rows, :columns] = rearrange(z[..., :rows, :columns], magnitude, generator)
        return shifted

    formula.__doc__ = rearrange.__doc__
    return formula


def _sort(block: Tensor, magnitude: float, _: object) -> Tensor:
    """The block's values sorted row by row in each channel, ascending for η > 0, descending for η < 0."""
    return block.flatten(-2).sort(-1, descending=magnitude < 0).values.reshape(block.shape)


def _permute(block: Tensor, _: float, generator: Generator | None) -> Tensor:
    """A random permutation of the block in each channel.

    It does not look at the values, so z stays N(0, 1) exactly: a null control.
    """
    values = block.flatten(-2)
    order = values.new_empty(values.shape).uniform_(generator=generator).argsort(-1)
    return values.gather(-1, order).reshape(block.shape)


def _flip(block: Tensor, magnitude: float, _: object) -> Tensor:
    """The block mirrored, left to right for η > 0, top to bottom for η < 0."""
    return block.flip(-1 if magnitude > 0 else -2)


def _roll(block: Tensor, magnitude: float, _: object) -> Tensor:
    """The block rolled by half its side, along the width for η > 0, along the height for η < 0."""
    axis = -1 if magnitude > 0 else -2
    return block.roll(block.shape[axis] // 2, axis)


def _offset(block: Tensor, magnitude: float, _: object) -> Tensor:
    """z + η inside the block only."""
    return block + magnitude


_VARIANTS: dict[str, dict[str, _Formula]] = {
    "random": {
        "": _random,
        "symmetric": _random_symmetric,
        "normal": _random_normal,
        "direction": _random_direction,
        # Towards a side of the picture: the ramp rises linearly to it. Its mean is 1, so that over the whole picture
        # as much is added as by the default; what differs is where.
        "left": _random_towards(-1, to_end=False),
        "right": _random_towards(-1, to_end=True),
        "up": _random_towards(-2, to_end=False),
        "down": _random_towards(-2, to_end=True),
    },
    "mean": {"": _mean, "channel": _mean_channel, "exact": _mean_exact},
    "std": {"": _std, "exact": _std_exact},
    "mixed": {"": _mixed, "independent": _mixed_independent},
    "arrangement": {
        "": _in_block(_sort),
        "permute": _in_block(_permute),
        "flip": _in_block(_flip),
        "roll": _in_block(_roll),
        "offset": _in_block(_offset),
    },
}

_PARAMETERS = {
    ("mean", "channel"): "the index of the channel, 0 unless said",
    ("mixed", "independent"): "the std magnitude over the mean magnitude, -1 unless said",
}
