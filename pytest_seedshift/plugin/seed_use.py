"""A session's bounds on the use of the seed vector, held against what was measured until it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pytest_seedshift.plugin.grid import Grid
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.results import metadata
    from pytest_seedshift.results.schema import Record, Search, SeedUse


def judged(
    session: Session,
    grid: Grid,
    records: Sequence[Record | Search],
    manifest: Mapping[str, Any],
    models: Sequence[metadata.Model],
) -> list[SeedUse]:
    """What came of the bounds of all models that have a record; of one that nobody has measured, that.

    Args:
        session: whose thresholds and run folder these are.
        grid: of all cases, which knows what models another shard measures.
        records: of the session.
        manifest: what the records are a part of.
        models: as they were run.
    """
    bounds = session.thresholds.seed_use
    versions = {each.name: [each.fingerprint] for each in models}
    of_records = dict.fromkeys(record.model for record in records)
    named = dict.fromkeys([*of_records, *(entry["model"] for entry in manifest.get("grid", ()))])
    asked = {model: found for model in named if (found := bounds.of(model))}
    if not asked:
        return []
    from pytest_seedshift.results import seed_use_verdicts

    against = session.gate.against
    return seed_use_verdicts.judge(
        asked,
        session.folder,
        {model: versions.get(model, []) for model in of_records},
        certainty=session.thresholds.certainty,
        before=None if against is None else against.seed_use(asked),
        elsewhere=[model for model in of_records if session.settings.shard is not None and not grid.owns(model)],
    )
