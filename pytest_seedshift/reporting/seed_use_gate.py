"""Which bounds on the use of the seed vector a run breaks, in words; see `core.seed_use_bounds`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.core.seed_use_bounds import MIN
from pytest_seedshift.core.stats.seed_shares import KINDS
from pytest_seedshift.reporting import seedlines
from pytest_seedshift.results import sensitivity_files

if TYPE_CHECKING:
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.results.run_folder import RunFolder


def failures(
    thresholds: Thresholds, folder: RunFolder, versions: Mapping[str, Sequence[str]], *, is_part: bool
) -> list[tuple[str, str]]:
    """What breaks a bound, or could not be held against it: a name, and the reason.

    Args:
        thresholds: of the run.
        folder: of the run, with what was measured.
        versions: by model that was judged, the fingerprints of its versions.
        is_part: whether another shard may have measured a model.
    """
    asked = {model: bounds for model in versions if (bounds := thresholds.seed_use.of(model))}
    if not asked:
        return []
    level = (1 - thresholds.certainty) / sum(map(len, asked.values()))
    notes: list[str] = []
    known = sensitivity_files.read(folder, versions, notes, certainty=1 - level)
    found = []
    for model, bounds in asked.items():
        use = known.get(model)
        if use is None and is_part and not notes:
            continue  # it is measured where the first of its cases is
        if use is None or use.sensitivity is None:
            why = "; ".join(notes) or (use.reason if use else "") or "--seedshift-sensitivity=never, or a run cut short"
            found.append((f"seed-use[{model}]", f"{model}: {bounds[0].key} is set, and it was not measured: {why}"))
            continue
        for each in bounds:
            share = each.broken_by(use.sensitivity)
            if share is not None:
                how = "less than" if each.key == MIN else "more than"
                said = (
                    f"{model}: another seed vector changes {KINDS[each.kind]} {seedlines.interval(share)} of what "
                    f"another label does, {how} {each.key} = {each.value:g} at {messages.percent(thresholds.certainty)}"
                )
                found.append((f"seed-use[{model}-{each.kind}]", said))
    return found
