"""Whether each model looks at its seed vector, beside how it fares when that is shifted; and the null controls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.scores import NULL
from pytest_seedshift.core.stats import seed_variance
from pytest_seedshift.core.stats.seed_shares import IGNORED, KINDS
from pytest_seedshift.core.stats.seed_variance import QUANTITIES
from pytest_seedshift.reporting import seedlines
from pytest_seedshift.reporting.model_verdict import of_run
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.results import label_shares

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.seed_shares import Sensitivity, Share
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.label_shares import LabelShares
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.results.sensitivity_files import SeedUse

_UNITS = {"clip": "{:.0f}°", "pixel": "{:.3f}"}


def build(run: Run, _: Album) -> Section | None:
    """A row a model and what differs; a row a null control. None where neither was asked for."""
    labels = [_labels(each) for each in label_shares.read(run.path).values() if each.model in run.models]
    if not run.seed_uses and not run.nulls and not labels:
        return None
    models = [_model(run, run.seed_uses[model]) for model in run.models if model in run.seed_uses]
    return section(
        "seeduse",
        "Does it use its seed vector?",
        kinds=run.kinds,
        models=models,
        certainties=sorted({each["found"].certainty for each in models if each["found"] is not None}),
        images=sorted({each["found"].images for each in models if each["found"] is not None}),
        titles=list(KINDS.values()),
        ignored=IGNORED,
        nulls=[_null(each, run) for each in run.nulls],
        quantities=list(QUANTITIES.values()),
        labels=labels,
    )


def _model(run: Run, use: SeedUse) -> dict[str, Any]:
    found, cases = use.sensitivity, [each for each in run.of(use.model) if each not in run.nulls]
    made: dict[str, Any] = {
        "model": use.model,
        "found": found,
        "reason": use.reason,
        "robustness": of_run(run, use.model, cases=cases) if cases else "",
        "noted": found is None or found.ignores_vector or found.deterministic,
    }
    if found is not None:
        made |= {
            "vector": [seedlines.interval(found.vector(kind)) for kind in KINDS],
            "later": [seedlines.interval(found.later(kind)) for kind in KINDS],
            "label": [_UNITS[kind].format(sum(label) / len(label)) for kind in KINDS for label in [_label(use, kind)]],
            "explained": [seedlines.part(each) for each in _explained(found)] if found.variance else [],
            "warning": seedlines.warning(use.model, found) if found.ignores_vector else "",
        }
    return made


def _labels(found: LabelShares) -> dict[str, Any]:
    """What the seed vector explains of each label's pictures, that of which it explains least in front."""
    rows = [
        (label, found.pictures[label], [seedlines.part(shares.get(name)) for name in QUANTITIES])
        for label, shares in sorted(found.shares.items(), key=lambda each: _mean(each[1].values()))
    ]
    return {"model": found.model, "certainty": found.certainty, "rows": rows}


def _mean(shares: Iterable[Share]) -> float:
    values = [each.value for each in shares]
    return sum(values) / len(values) if values else 0.0


def _explained(found: Sensitivity) -> list[Share | None]:
    """What the seed vector explains of each quantity, and of all together."""
    each = [seed_variance.explained(found.variance[name], found.certainty) for name in QUANTITIES]
    return [*each, seed_variance.overall(found.variance, found.certainty)]


def _label(use: SeedUse, kind: str) -> tuple[float, ...]:
    return () if use.sensitivity is None else use.sensitivity.distances[kind].label


def _null(case: CaseRun, run: Run) -> dict[str, Any]:
    """A null control; `told` where it is among the cases, where its anchor is; `powers` where they are known."""
    rows = [each for each in case.findings if each.kind == NULL]
    powers = any(each.least_90 is not None for each in rows)
    return {"case": case, "rows": rows, "told": case in run.cases, "powers": powers}
