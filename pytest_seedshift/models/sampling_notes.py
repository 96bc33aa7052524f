"""What the user should know of how a model is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.models import single_files
from pytest_seedshift.models.single_files import RESCALED, V_PREDICTION, ZERO_SNR

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location


def notes(location: Location, entry: Entry) -> list[str]:
    """What the user should know of how a single file is sampled, as its tensors say."""
    names = single_files.sampling_tensors(location)
    if not names:
        return []
    said = f"{entry.name} has the tensor{'s' if len(names) > 1 else ''} {' and '.join(sorted(names))}"
    if not single_files.scheduler_settings(location):
        return [f"{said} and no {V_PREDICTION}: not heeded, as it has no meaning for a network that predicts the noise"]
    said += ": it is sampled as one that predicts v"
    if ZERO_SNR not in names:
        return [said]
    from pytest_seedshift.models import samplers  # and diffusers, which such a file alone needs here

    own = samplers.native(location)
    name = entry.scheduler.name if entry.scheduler is not None else None if own is None else own[0]
    if name is None or set(RESCALED) <= set(samplers.takes(samplers.find(name))):
        return [f"{said}, with a schedule that ends in pure noise"]
    return [
        f"{said}; but {name} cannot sample with a schedule that ends in pure noise: "
        'give scheduler = { name = "DDIMScheduler" }'
    ]
