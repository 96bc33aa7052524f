"""Simulated experiments whose cause is known: fake models, of which only what is planted changes what they retain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pytest_seedshift.studies.sampler_ablation import conditions, effects
from pytest_seedshift.studies.sampler_ablation.differences import Kind, Trait, Traits
from pytest_seedshift.studies.sampler_ablation.interactions import Interaction, interactions

MODELS = ("one", "other")
PAIRS, LABELS = 64, 16
NAMES = [f"label {k % LABELS}" for k in range(PAIRS)]
HELD, BROKEN = 0.97, 0.45
"""How often a picture that is right without a shift still is under it: without the cause, with it."""


def world(**settings: tuple[str, str]) -> dict[str, Traits]:
    """Two models that differ in weights, space, sampler, clipping, guidance and steps, and in further settings."""

    def traits(place: int) -> Traits:
        factors = {
            "sampler": ("DDIM", "ancestral"),
            "clipping": ("off", "on"),
            "guidance": ("1", "2"),
            "steps": ("10", "20"),
        }
        built_in = {"weights": ("aaaa", "bbbb"), "space": ("latents", "pixels")}
        return {
            **{name: Trait(values[place], Kind.BUILT_IN) for name, values in built_in.items()},
            **{name: Trait(values[place], Kind.FACTOR) for name, values in factors.items()},
            **{name.replace("_", " "): Trait(values[place], Kind.SETTING) for name, values in settings.items()},
        }

    return {model: traits(place) for place, model in enumerate(MODELS)}


def of_arm(models: Mapping[str, Traits], arm: conditions.Arm) -> Traits:
    """The traits of an arm: those of its model, but for what the arm changes."""
    changed = {factor: Trait(conditions.title(level), Kind.FACTOR) for factor, level in arm.levels if factor in FACTORS}
    return {**models[arm.level("model")], **changed}


FACTORS = ("sampler", "clipping", "guidance", "steps")

Cause = Callable[[Traits], bool]
"""Whether an arm with these traits breaks."""


def has(**values: str) -> Cause:
    """Broken where all of some traits have these values."""
    wanted = {name.replace("_", " "): value for name, value in values.items()}
    return lambda traits: all(traits[name].value == value for name, value in wanted.items())


def either(first: tuple[str, str], second: tuple[str, str]) -> Cause:
    """Broken where just one of two traits has its value: neither has a main effect."""
    return lambda traits: (traits[first[0]].value == first[1]) != (traits[second[0]].value == second[1])


CAUSES: Mapping[str, tuple[frozenset[str], Cause]] = {
    "nothing": (frozenset(), lambda traits: False),
    "guidance": (frozenset({"guidance"}), has(guidance="1")),
    "steps": (frozenset({"steps"}), has(steps="10")),
    "sampler": (frozenset({"sampler"}), has(sampler="DDIM")),
    "clipping": (frozenset({"clipping"}), has(clipping="off")),
    "model": (frozenset({"model"}), has(space="latents")),
    "number type": (frozenset({"number type"}), has(number_type="float16")),
    "sampler with guidance": (frozenset({"sampler", "guidance"}), has(sampler="DDIM", guidance="1")),
    "sampler against guidance": (
        frozenset({"sampler", "guidance"}),
        either(("sampler", "DDIM"), ("guidance", "1")),
    ),
    "model with sampler": (frozenset({"model", "sampler"}), has(space="latents", sampler="DDIM")),
}
"""By name, the factors that matter, and when an arm breaks."""


def design(cause: str, asked: str = "") -> tuple[conditions.Crossed, dict[str, Traits]]:
    """A design as the command makes it of its option `--factors`, and the traits of its arms."""
    models = world(number_type=("float16", "float32")) if cause == "number type" else world()
    factors = conditions.choose(models, conditions.read_factors([asked] if asked else []))
    crossed = conditions.cross(MODELS, lambda name: None, factors=factors)
    arms = {arm.name: of_arm(models, arm) for arm in crossed.arms}
    return conditions.attribute(crossed, models, arms), arms


def as_before(cause: str) -> tuple[conditions.Crossed, dict[str, Traits]]:
    """The design that nothing is named in: samplers and clipping are crossed, all else counts as the model's."""
    models = world(number_type=("float16", "float32")) if cause == "number type" else world()
    crossed = conditions.cross(MODELS, lambda name: None)
    return crossed, {arm.name: of_arm(models, arm) for arm in crossed.arms}


@dataclass(frozen=True)
class Outcome:
    """What one simulated experiment says: by name of a main effect or an interaction, whether it is right to say so."""

    right: frozenset[str]
    wrong: frozenset[str]


def simulate(cause: str, made: tuple[conditions.Crossed, dict[str, Traits]], random: np.random.Generator) -> Outcome:
    """Draw the scores of all arms, and hold what is significant against what was planted."""
    crossed, arms = made
    matters, breaks = CAUSES[cause]
    share = {arm.name: BROKEN if breaks(arms[arm.name]) else HELD for arm in crossed.arms}
    kept = {name: _scores(each, random) for name, each in _drawn(share, random).items()}
    expected = {name: _certain(each) for name, each in share.items()}
    truly = _effects(crossed, expected)
    right, wrong = set(), set()
    for name, (value, found) in _effects(crossed, kept).items():
        if not found.significant:
            continue
        about = set(found.factors) if isinstance(found, Interaction) else {found.factor}
        is_so = about <= matters and abs(truly[name][0]) > 1e-9 and truly[name][0] * value > 0
        (right if is_so else wrong).add(name.partition(" on ")[0])
    return Outcome(frozenset(right), frozenset(wrong))


def _drawn(share: Mapping[str, float], random: np.random.Generator) -> dict[str, np.ndarray]:
    """By arm, whether each pair holds: labels, and pairs across arms, are more alike than chance."""
    from scipy.stats import norm

    of_label = np.tile(random.normal(0, 0.6, LABELS), PAIRS // LABELS)
    of_pair = random.normal(0, 0.5, PAIRS)
    spread = np.sqrt(1 + 0.6**2 + 0.5**2)
    return {
        name: of_label + of_pair + random.normal(0, 1, PAIRS) < spread * norm.ppf(each) for name, each in share.items()
    }


def _scores(held: np.ndarray, random: np.random.Generator) -> dict[str, effects.Retained | None]:
    control = random.random(PAIRS) < HELD
    shifted = control & held
    clip = [np.where(column, 42.0, 25.0) + random.normal(0, 2, PAIRS) for column in (control, shifted)]
    return {
        "top1": effects.retained(control * 1.0, [shifted * 1.0], 1.0),
        "clip": effects.retained(clip[0], [clip[1]], 50.0),
    }


def _certain(share: float) -> dict[str, effects.Retained | None]:
    """What a share of pairs that hold comes to, without chance: its sign and whether it is 0 are all that is used."""
    column = np.full(PAIRS, share)
    return {score: effects.retained(np.ones(PAIRS), [column], 1.0) for score in ("top1", "clip")}


def _effects(
    crossed: conditions.Crossed, by_arm: Mapping[str, Mapping[str, effects.Retained | None]]
) -> dict[str, tuple[float, effects.Effect | Interaction]]:
    main = effects.effects(crossed, by_arm, NAMES)
    both = interactions(crossed, by_arm, NAMES)
    return {
        **{f"{each.factor} on {each.score}": (each.change.value, each) for each in main},
        **{f"{' × '.join(each.factors)} on {each.score}": (each.change.value, each) for each in both},
    }
