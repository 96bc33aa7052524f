"""The crossed design of some models: chosen by what their entries and files say, and checked against these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core.errors import InvalidValueError, SeedshiftError
from pytest_seedshift.models import locate
from pytest_seedshift.studies.sampler_ablation import conditions, differences, traits
from pytest_seedshift.studies.sampler_ablation.differences import MODEL

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location
    from pytest_seedshift.runner.model_pool import ModelPool
    from pytest_seedshift.studies.sampler_ablation.conditions import Crossed
    from pytest_seedshift.studies.sampler_ablation.differences import Traits


def make(
    pool: ModelPool, models: Sequence[str], given: Mapping[str, tuple[str, ...]], clip: float | None = None
) -> Crossed:
    """Cross some models by the factors that the user gives, or by those in which they can and do differ.

    Args:
        pool: whose models they are; none is loaded.
        models: as the user writes them, unlike each other.
        given: see `conditions.read_factors`.
        clip: the range of clipping; None for that of latents or of the sampler.

    Raises:
        InvalidValueError: nothing can be crossed, or two models are one.
        SeedshiftError: a model is nowhere, or its files cannot be read.
    """

    def known(name: str) -> Traits:
        return traits.of(pool.catalogue, name, pool.dtype(name))

    of_models = {model: known(model) for model in models}
    factors = conditions.choose(of_models, given)
    crossed = conditions.cross(
        models, lambda name: _why_not(pool, models[0], name), lambda model: _clip(pool, model, clip), factors
    )
    if not crossed.factors:
        reasons = "; ".join(f"{factor}: {reason}" for factor, reason in crossed.left_out.items())
        raise InvalidValueError(f"nothing of {', '.join(models)} can be crossed. {reasons}")
    of_arms = {arm.name: known(arm.name) for arm in crossed.arms}
    _check_models(crossed, of_arms)
    return conditions.attribute(crossed, of_models, of_arms)


def _check_models(crossed: Crossed, of_arms: Mapping[str, Traits]) -> None:
    """Refuse two models that are the same once the other factors are crossed."""
    for level in crossed.factors.get(MODEL, ())[1:]:
        first = crossed.factors[MODEL][0]
        pairs = crossed.apart(MODEL, first, level)
        if all(not differences.between(of_arms[one.name], of_arms[other.name]) for one, other in pairs):
            rest = [each for each in crossed.factors if each != MODEL]
            once = f" once {' and '.join(rest)} are crossed" if rest else ""
            raise InvalidValueError(f"{first} and {level} are the same{once}: leave one of them out")


def _located(entry: Entry) -> Location:
    return locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)


def _clip(pool: ModelPool, model: str, given: float | None) -> str:
    """The change that clips a model."""
    entry = pool.catalogue.find(model)
    if given is None and entry.own is None:
        given = conditions.LATENTS if traits.has_latents(_located(entry)) else None
    return "clip" if given is None else f"clip={given:g}"


def _why_not(pool: ModelPool, model: str, name: str) -> str | None:
    """The reason why an arm cannot be sampled as its name says."""
    catalogue = pool.catalogue
    try:
        entry = catalogue.find(name)
        if entry.own is not None:
            return f"{catalogue.base_of(name)} is made by its factory, which decides how it is sampled"
        catalogue.check_sampling(entry)
        _check_call(entry)
        if name.endswith("+zsnr") and catalogue.are_same(name, name.removesuffix("+zsnr")):
            return f"the schedule of {model} ends in zero SNR already"
    except SeedshiftError as error:
        return str(error)
    return None


def _check_call(entry: Entry) -> None:
    """Make sure that a pipeline's call takes what an entry gives it, the guidance among it."""
    from pytest_seedshift.models import fit, pipeline_class

    kind = fit.kind_of(_located(entry))
    if kind is not None:
        pipeline_class.call_of(kind, entry)
