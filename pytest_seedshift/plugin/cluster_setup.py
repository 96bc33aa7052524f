"""What the actors of a cluster have to know to make a session's images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.runner.cluster.setup import Setup


def make(session: Session, models: Iterable[str], device: str) -> Setup:
    """What there is to know of some models, on a kind of device; their files are hashed.

    Raises:
        SeedshiftError: a model is not here.
        pytest.UsageError: the thresholds or the baseline cannot be used.
    """
    from pytest_seedshift.models import process_settings
    from pytest_seedshift.runner.cluster import examination
    from pytest_seedshift.runner.cluster.setup import Setup

    entries = {model: session.entry(model) for model in dict.fromkeys(models)}
    return Setup(
        session.catalogue,
        session.settings.dtype,
        needs={model: session.needs(model) for model in entries},
        kinds=session.scores,
        batch_size=session.settings.batch_size,
        settings=process_settings.captured(),
        expected=examination.check(entries, device, session.settings.dtype),
        folder=session.config.invocation_params.dir,
    )
