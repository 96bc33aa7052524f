"""The arms of the crossed design: which models are derived, and why some are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pytest_seedshift.models.derive import PLUS

MODEL = "model"
"""The factor whose levels are the models that the user names: what was trained, its schedule with it."""

FACTORS: Mapping[str, tuple[str, ...]] = {
    "sampler": ("ddim", "ancestral"),
    "clipping": ("noclip", "clip"),
    "schedule": ("", "zsnr"),
}
"""By factor, the changes that are its levels: the first is what the others are held against. An empty one: as it is."""

_TITLES = {"": "as it is", "ddim": "DDIM", "ancestral": "ancestral", "noclip": "off", "clip": "on", "zsnr": "zero SNR"}


@dataclass(frozen=True, slots=True)
class Arm:
    """A model of the design: its name, and the level that it has of each factor."""

    name: str
    levels: tuple[tuple[str, str], ...]

    def level(self, factor: str) -> str:
        """The level of a factor."""
        return dict(self.levels)[factor]


@dataclass(frozen=True, slots=True)
class Crossed:
    """A crossed design: every combination of its factors' levels is an arm.

    Attributes:
        factors: by name, the levels, of which there are at least two.
        arms: all combinations.
        left_out: by the factor that is left out, the reason.
    """

    factors: Mapping[str, tuple[str, ...]]
    arms: tuple[Arm, ...]
    left_out: Mapping[str, str]


def title(level: str) -> str:
    """A level for a reader: `clip=3` is "on, ±3"."""
    key, _, value = level.partition("=")
    return f"{_TITLES.get(key, key)}{f', ±{value}' if value else ''}"


def cross(models: Sequence[str], why_not: Callable[[str], str | None], clip: float | None = None) -> Crossed:
    """Cross what can be crossed.

    A factor is left out where one of its levels cannot be combined with all others, so that every comparison is between
    arms that differ in one thing only.

    Args:
        models: as the user writes them, unlike each other; perhaps derived themselves.
        why_not: the reason why a model cannot be sampled as its name says; None if it can.
        clip: the range that the guessed picture is clipped to; None for the scheduler's own.
    """
    changes: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, str] = {}
    for factor, levels in FACTORS.items():
        if factor == "schedule" and len(models) > 1:
            left_out[factor] = f"the schedule that each model was trained with is a part of the factor {MODEL}"
            continue
        levels = tuple(f"clip={clip:g}" if level == "clip" and clip is not None else level for level in levels)
        reason = next((r for r in _reasons(models, {**changes, factor: levels}, why_not) if r is not None), None)
        if reason is None:
            changes[factor] = levels
        else:
            left_out[factor] = reason
    factors = {MODEL: tuple(models)} | changes if len(models) > 1 else changes
    return Crossed(factors, tuple(_arms(models, changes)), left_out)


def _reasons(
    models: Sequence[str], changes: Mapping[str, tuple[str, ...]], why_not: Callable[[str], str | None]
) -> Iterator[str | None]:
    return (why_not(arm.name) for arm in _arms(models, changes))


def _arms(models: Sequence[str], changes: Mapping[str, tuple[str, ...]]) -> Iterator[Arm]:
    for model, *levels in product(models, *changes.values()):
        name = PLUS.join([model, *filter(None, levels)])
        yield Arm(name, ((MODEL, model), *zip(changes, levels, strict=True)))
