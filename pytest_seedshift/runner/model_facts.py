"""How a model is run, for run.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.models import process_settings
from pytest_seedshift.results import metadata

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.runner.workbench import Workbench


def of(model: str, entry: Entry, bench: Workbench) -> metadata.Model:
    """The facts of a model.

    Args:
        model: its name.
        entry: what the name stands for, without the sources of scorers that the run does not need.
        bench: where it is run.

    Raises:
        CaseError: the store or the weights cannot be read.
    """
    samples = bench.samples(model)
    sources = (entry.classifier, entry.clip, *(each.source for each in entry.declared))
    return metadata.Model(
        name=model,
        fingerprint=samples.model,
        scorers=samples.scorers,
        scorer_names=tuple(metadata.source(each) for each in sources if each),
        hardware=bench.pool.hardware,
        classes=tuple(label.name for label in entry.prompt_set.prompts),
        class_list=metadata.place(entry.asked),
        tags={label.name: label.tags for label in entry.prompt_set.prompts if label.tags},
        run_with=dict(bench.service.run_with(model)),
        settings=process_settings.in_force(bench.device),
    )
