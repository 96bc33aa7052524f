"""Repairs of a seed vector: what makes one of any origin look like a draw of N(0, 1) again.

A repair acts after the shift and before the model: `sd21+repair=moments`. It knows the vector alone, not what was done
to it, so it is something that an application can ship as well: `pytest_seedshift.repair`.

The formulas are this project's own. Each is written for (batch, channels, height, width); what is said of a channel
holds of every channel of every seed vector by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from pytest_seedshift.core import model_names
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.models import rng

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair

Generators: TypeAlias = "torch.Generator | Sequence[torch.Generator] | None"
_Formula: TypeAlias = "Callable[[Tensor, Callable[[], Tensor], float | None], Tensor]"

_SMALLEST = 1e-12
"""A standard deviation below which a channel counts as constant: nothing can be rescaled there."""


def repair(latents: Tensor, how: str, *, generator: Generators = None) -> Tensor:
    """Repair seed vectors: make them look like draws of N(0, 1) again, whatever was done to them.

    With n = height · width, a seed vector that needs no repair is moved by, as a part of its norm:

    - `"moments"`: each channel is recentred and rescaled to mean 0 and variance 1 (that of n − 1). √(1.5 / n).
    - `"quantiles"`: each channel's values become those of a fresh draw of n normal numbers, the smallest for the
      smallest, and so on. About √((2 · ln(ln n) + 2.4) / n).
    - `"spectrum"`: in each channel the power of each ring of spatial frequencies, one cycle over the longer side wide,
      becomes that of white noise, 1 a value; phases are kept. The lowest ring is the mean alone, which becomes ±1/√n.
      √(R / 2n), R the number of rings. (To give every single frequency the same amplitude would move it by 0.48: those
      of a normal draw are scattered.)
    - `"blend=b"`, 0 < b ≤ 1: √(1 − b²)·z + b·u with fresh normal u. √(2 − 2·√(1 − b²)), which is 0.30 for b = 0.3. At
      1 nothing of z is left.

    `"moments"`, `"spectrum"` and, with the same generator, `"quantiles"` change nothing a second time.

    Args:
        latents: floating point, (batch, channels, height, width) or (channels, height, width), before a scheduler's own
            scaling and before any packing. Not changed.
        how: as above.
        generator: for what `quantiles` and `blend` draw, on the device of `latents`: one, one for each seed vector, or
            None for torch's own.

    Returns:
        Of the shape, dtype and device of `latents`; computed in float32, or in float64 where they are that.

    Raises:
        InvalidValueError: there is no such repair; `latents` are of another shape or no floating point numbers, or not
            finite; a channel is constant, so that nothing can be made of it.
    """
    formula, parameter = _read(how)
    if not isinstance(latents, Tensor) or latents.ndim not in (3, 4) or not latents.is_floating_point():
        given = f"{latents.dtype} {tuple(latents.shape)}" if isinstance(latents, Tensor) else type(latents).__name__
        raise InvalidValueError(
            "seed vectors are floating point, (batch, channels, height, width) or (channels, height, width), before "
            f"any packing; got {given}"
        )
    batch = latents if latents.ndim == 4 else latents.unsqueeze(0)
    z = batch if batch.dtype == torch.float64 else batch.float()
    if not bool(z.isfinite().all()):
        raise InvalidValueError("not all numbers of the seed vectors are finite")
    return formula(z, lambda: _fresh(z, generator), parameter).to(latents.dtype).reshape(latents.shape)


def keyed(how: str | None) -> Callable[[Tensor, Sequence[Pair]], Tensor] | None:
    """A repair as a model applies it: `function(z, pairs)`; None where there is none to apply.

    What it draws is keyed by the pair: the same in every case, batch, process and machine.
    """
    if how is None:
        return None
    return lambda z, pairs: repair(z, how, generator=[rng.generator(pair, f"repair {how}") for pair in pairs])


def _read(how: str) -> tuple[_Formula, float | None]:
    name, parameter = model_names.read_repair(how)
    return _FORMULAS[name], parameter


def _fresh(z: Tensor, generator: Generators) -> Tensor:
    """Normal numbers in the shape of z, one seed vector after the other."""
    if generator is None or isinstance(generator, torch.Generator):
        return torch.randn(z.shape, generator=generator, dtype=z.dtype, device=z.device)
    if len(generator) != len(z):
        raise InvalidValueError(f"{len(generator)} generators for {len(z)} seed vectors: give one for each, or one")
    rows = [torch.randn(z.shape[1:], generator=each, dtype=z.dtype, device=z.device) for each in generator]
    return torch.stack(rows)


def _moments(z: Tensor, _: object, __: object) -> Tensor:
    flat = z.flatten(-2)
    centred = flat - flat.mean(-1, keepdim=True)
    spread = _spread(centred)
    return (centred / spread).reshape(z.shape)


def _quantiles(z: Tensor, fresh: Callable[[], Tensor], _: object) -> Tensor:
    flat = z.flatten(-2)
    _spread(flat - flat.mean(-1, keepdim=True))
    order = flat.argsort(stable=True)
    values = fresh().flatten(-2).sort(-1).values
    return torch.empty_like(flat).scatter(-1, order, values).reshape(z.shape)


def _spectrum(z: Tensor, _: object, __: object) -> Tensor:
    ring = rings(*z.shape[-2:]).to(z.device)
    count = int(ring.max()) + 1
    frequencies = torch.fft.fft2(z, norm="ortho")
    power = frequencies.abs().square().flatten(-2)
    index = ring.flatten().expand(power.shape)
    total = power.new_zeros(*power.shape[:-1], count).scatter_add(-1, index, power)
    size = torch.bincount(ring.flatten(), minlength=count).to(power.dtype)
    mean = total / size
    if bool((mean.sum(-1) < _SMALLEST).any()):
        raise InvalidValueError("a channel of a seed vector is zero: nothing can be made of it")
    # A ring without power, such as the mean of a channel that was recentred exactly, has no phases to keep.
    gain = torch.where(mean > _SMALLEST, mean.clamp_min(_SMALLEST).rsqrt(), torch.ones_like(mean))
    made = frequencies * gain.gather(-1, index).reshape(z.shape)
    values: Tensor = torch.fft.ifft2(made, norm="ortho").real
    return values


def _blend(z: Tensor, fresh: Callable[[], Tensor], share: float | None) -> Tensor:
    assert share is not None
    return math.sqrt(1 - share**2) * z + share * fresh()


def _spread(centred: Tensor) -> Tensor:
    """Standard deviations of channels, (batch, channels, 1)."""
    spread = (centred.square().sum(-1, keepdim=True) / max(centred.shape[-1] - 1, 1)).sqrt()
    if bool((spread < _SMALLEST).any()):
        raise InvalidValueError("a channel of a seed vector is constant: nothing can be made of it")
    return spread


def rings(height: int, width: int) -> Tensor:
    """By spatial frequency, in the order of torch's fft2, its ring: cycles over the longer side, rounded.

    Args:
        height: of a seed vector, at least 1.
        width: likewise.

    Returns:
        Whole numbers, (height, width).
    """
    rows, columns = torch.fft.fftfreq(height), torch.fft.fftfreq(width)
    return (torch.hypot(rows[:, None], columns[None]) * max(height, width)).round().long()


_FORMULAS: dict[str, _Formula] = {
    "moments": _moments,
    "quantiles": _quantiles,
    "spectrum": _spectrum,
    "blend": _blend,
}
