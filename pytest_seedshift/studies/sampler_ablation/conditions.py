"""The arms of the crossed design: which models are derived, and why some are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pytest_seedshift.core.model_names import PLUS

MODEL = "model"
"""The factor whose levels are the models that the user names: what was trained, its schedule with it."""

FACTORS: Mapping[str, tuple[str, ...]] = {
    "sampler": ("ddim", "ancestral"),
    "clipping": ("noclip", "clip"),
    "schedule": ("", "zsnr"),
}
"""By factor, the changes that are its levels: the first is the reference of the others. An empty one: as it is."""

_TITLES = {"": "as it is", "ddim": "DDIM", "ancestral": "ancestral", "noclip": "off", "clip": "on", "zsnr": "zero SNR"}


@dataclass(frozen=True, slots=True)
class Arm:
    """A model of the design: its name, and the level that it has of each factor."""

    name: str
    levels: tuple[tuple[str, str], ...]

    def level(self, factor: str) -> str:
        """The level of a factor."""
        return dict(self.levels)[factor]

    def without(self, factor: str) -> tuple[tuple[str, str], ...]:
        """The levels of all other factors."""
        return tuple(each for each in self.levels if each[0] != factor)


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
    """A level for a reader: `noclip` is "off"; a model's name is itself."""
    return _TITLES.get(level, level)


def cross(
    models: Sequence[str], why_not: Callable[[str], str | None], clip: Callable[[str], str] = lambda model: "clip"
) -> Crossed:
    """Cross what can be crossed.

    A factor is left out where one of its levels cannot be combined with all others, so that every comparison is between
    arms that differ in one thing only.

    Args:
        models: as the user writes them, unlike each other; perhaps derived themselves.
        why_not: the reason why a model cannot be sampled as its name says; None if it can.
        clip: the change that clips the guessed pictures of a model: `clip`, or with a range, `clip=4`.
    """

    def arms(changes: Mapping[str, tuple[str, ...]]) -> Iterator[Arm]:
        for model, *levels in product(models, *changes.values()):
            words = [clip(model) if level == "clip" else level for level in levels if level]
            yield Arm(PLUS.join([model, *words]), ((MODEL, model), *zip(changes, levels, strict=True)))

    changes: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, str] = {}
    for factor, levels in FACTORS.items():
        if factor == "schedule" and len(models) > 1:
            left_out[factor] = f"the schedule that each model was trained with is a part of the factor {MODEL}"
            continue
        reasons = (why_not(arm.name) for arm in arms({**changes, factor: levels}))
        reason = next((each for each in reasons if each is not None), None)
        if reason is None:
            changes[factor] = levels
        else:
            left_out[factor] = reason
    factors = {MODEL: tuple(models)} | changes if len(models) > 1 else changes
    return Crossed(factors, tuple(arms(changes)), left_out)
